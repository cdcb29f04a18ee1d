/** Version rolling: what is granted, what is taken, how it is passed on, and how a pool's convention is learnt. */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../proxy/session/session.ts';
import { hex8 } from '../../rig/work.ts';
import { answer, EASY, find, Fixture, jobIn, submitParams, type Said } from '../../simulation/fixture.ts';

describe('version rolling', () => {
  const rolling = (fixture: Fixture): { session: Session; job: ReturnType<typeof jobIn>; heard: Said[] } => {
    const session = fixture.connect();
    fixture.send(session, { id: 1, method: 'mining.configure', params: [['version-rolling'], { 'version-rolling.mask': 'ffffffff' }] });
    fixture.subscribe(session);
    fixture.authorize(session);
    const heard = fixture.heard(session);
    return { session, heard, job: jobIn(heard) };
  };
  const submitBits = (fixture: Fixture, session: Session, job: ReturnType<typeof jobIn>, headerVersion: number, bits: number): Said | undefined => {
    const [found] = find(session, { ...job, version: headerVersion }, session.exponent ?? 0, 1, BigInt(bits >>> 13));
    fixture.send(session, { id: 's', method: 'mining.submit', params: [...submitParams(found!), hex8(bits)] });
    fixture.commit();
    return fixture.heard(session).find(({ id }) => id === 's');
  };

  it('takes the sixth parameter from a session that never configured it', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { session, heard } = fixture.miner();
    expect(submitBits(fixture, session, jobIn(heard), 0x2000e000, 0x0000e000)).toMatchObject({ result: true });
    expect(fixture.submitted(link)[0]?.params?.[5]).toBe('0000e000');
  });

  it('refuses bits that the pool has not granted', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const { session, job } = rolling(fixture);
    expect(submitBits(fixture, session, job, 0x20000004, 0x00000004)).toMatchObject({ error: [20, 'Invalid version mask', null] });
    expect(submitBits(fixture, session, job, 0x6000e000, 0x4000e000)).toMatchObject({ error: [20, 'Invalid version mask', null] });
  });

  it('takes a whole header version for bits', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const { session, job } = rolling(fixture);
    expect(submitBits(fixture, session, job, 0x2000e000, 0x2000e000)).toMatchObject({ result: true });
  });

  it('narrows with set_version_mask for new jobs, not for those under way', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { session, job } = rolling(fixture);
    fixture.fromPool(link, { id: null, method: 'mining.set_version_mask', params: ['00006000'] });
    const heard = fixture.heard(session);
    expect(heard.map(({ method, params }) => [method, params?.[0]])).toEqual([['mining.set_version_mask', '00006000'], ['mining.notify', expect.anything()]]);
    expect(submitBits(fixture, session, job, 0x2000e000, 0x0000e000)).toMatchObject({ result: true });
    expect(submitBits(fixture, session, jobIn(heard), 0x20008000, 0x00008000)).toMatchObject({ error: [20, expect.anything(), null] });
    expect(submitBits(fixture, session, jobIn(heard), 0x20002000, 0x00002000)).toMatchObject({ result: true });
  });

  it('widens with the next job of the pool, which may not take new bits on one that it sent before', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { session } = rolling(fixture);
    const masks = (): unknown[] => fixture.heard(session).filter(({ method }) => method === 'mining.set_version_mask').map(({ params }) => params?.[0]);
    fixture.fromPool(link, { id: null, method: 'mining.set_version_mask', params: ['00000000'] });
    expect(masks()).toEqual(['00000000']);
    fixture.fromPool(link, { id: null, method: 'mining.set_version_mask', params: ['1fffe000'] });
    fixture.wait(60_000);
    expect(masks()).toEqual([]);
    fixture.job(link);
    expect(masks()).toEqual(['1fffe000']);
  });

  it('does not grant the bits that the job’s own version occupies, and takes them unchanged', () => {
    const fixture = new Fixture();
    const link = fixture.authorise('a');
    fixture.difficulty(link, EASY);
    fixture.job(link, { version: 0x20002000 });
    const { session, job, heard } = rolling(fixture);
    expect(heard.find(({ method }) => method === 'mining.set_version_mask')?.params).toEqual(['1fffc000']);
    expect(submitBits(fixture, session, job, 0x2000e000, 0x0000c000)).toMatchObject({ result: true });
    expect(submitBits(fixture, session, job, 0x20006000, 0x00006000)).toMatchObject({ result: true });
    expect(fixture.submitted(link).map(({ params }) => params?.[5])).toEqual(['0000e000', '00006000']);
  });

  it('learns once from a pool that combines otherwise, however many shares were under way', () => {
    const fixture = new Fixture();
    const link = fixture.authorise('a');
    fixture.difficulty(link, EASY);
    fixture.job(link, { version: 0x20002000 });
    const { session, job } = rolling(fixture);
    for (const bits of [0x4000, 0x8000, 0xc000, 0x10000]) submitBits(fixture, session, job, 0x20002000 | bits, bits);
    const submits = fixture.submitted(link);
    for (const submit of submits) answer(fixture, link, submit, [23, 'Above target', null]);
    expect(link.convention).toBe('xor');
    submitBits(fixture, session, job, 0x20016000, 0x14000);
    const [next] = fixture.submitted(link);
    expect(next?.params?.[5]).toBe('00014000');
    answer(fixture, link, next!);
    submitBits(fixture, session, job, 0x2001a000, 0x18000);
    answer(fixture, link, fixture.submitted(link)[0]!, [23, 'Above target', null]);
    expect(link.convention).toBe('xor');
  });
});
