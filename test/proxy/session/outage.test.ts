/** When pools are dead for long, or do not read: machines, memory and the journal. */
import { describe, expect, it } from 'vitest';
import { answer, exponentIn, Fixture, jobIn, mining, share, yamlOf, type Said } from '../../simulation/fixture.ts';

const HELD_MAX = 1000;
const notifies = (heard: readonly Said[]): number => heard.filter(({ method }) => method === 'mining.notify').length;

describe('an outage of all pools', () => {
  it('keeps machines at work while it can be worth anything, their shares delivered and not forwarded, then lets them go at a pace', () => {
    const fixture = new Fixture(yamlOf('timeouts: { outage: 30m, closesPerSecond: 2 }'));
    fixture.live('a');
    const miners = Array.from({ length: 5 }, (_, index) => fixture.miner(`acme.${index}`));
    const { session, heard } = miners[0]!;
    fixture.kill('a');
    for (const minute of [1, 10, 29]) {
      fixture.heard(session);
      fixture.wait(60_000, false);
      expect(notifies(fixture.heard(session))).toBeGreaterThan(0);
      fixture.monoMs = Math.max(fixture.monoMs, (minute - 1) * 60_000);
    }
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    expect(fixture.recorder.of('share').at(-1)).toMatchObject({ verdict: 'accepted', forwarding: 'no-link' });
    expect(fixture.closed).toEqual([]);
    const left: number[] = [];
    while (fixture.farm.state.sessions.size > 0) {
      fixture.wait(1000, false);
      left.push(fixture.farm.state.sessions.size);
    }
    expect(left.filter((size) => size < 5)).toEqual([3, 1, 0]);
    expect(new Set(fixture.closed)).toEqual(new Set(['no pool for too long']));
  });

  it('that ends in time closes nobody, and the next one counts from its own beginning', () => {
    const fixture = new Fixture(yamlOf('timeouts: { outage: 5m }'));
    fixture.live('a');
    const { session } = fixture.miner();
    for (let outage = 0; outage < 3; outage += 1) {
      fixture.kill('a');
      fixture.wait(200_000, false);
      while (fixture.link('a').state !== 'dialling') fixture.wait(1000, false);
      fixture.live('a');
      fixture.wait(1000);
    }
    expect(session.state).toBe('mining');
    expect(fixture.closed).toEqual([]);
  });

  it('does not lower the difficulty of machines that had no work, or none worth searching', () => {
    const fixture = new Fixture();
    const { session } = fixture.miner();
    fixture.wait(600_000, false);
    while (fixture.link('a').state !== 'dialling') fixture.wait(1000, false);
    fixture.live('a', '1');
    const first = fixture.heard(session);
    expect(exponentIn(first)).toBe(-24);
    expect(share(fixture, session, first)).toMatchObject({ result: true });
    fixture.kill('a');
    fixture.wait(600_000, false);
    while (fixture.link('a').state !== 'dialling') fixture.wait(1000, false);
    fixture.live('a', '1');
    expect(notifies(fixture.heard(session))).toBeGreaterThan(0);
    expect(session.exponent).toBe(-24);
  });

  it('sends no work again that no pool would take any more', () => {
    const fixture = new Fixture(yamlOf());
    fixture.live('a');
    const { session } = fixture.miner();
    fixture.kill('a');
    fixture.monoMs += 6_990_000;
    fixture.wait(30_000, false);
    fixture.heard(session);
    fixture.wait(120_000, false);
    expect(notifies(fixture.heard(session))).toBe(0);
    expect(fixture.closed).toEqual([]);
  });
});

describe('a pool that does not read', () => {
  it('has shares held back, gets them in order when it reads again, and its verdicts count', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { send } = mining(fixture, 3);
    send(0);
    const [first] = fixture.submitted(link);
    fixture.farm.linkBlocked(link, fixture.now);
    send(1);
    send(2);
    expect(fixture.submitted(link)).toEqual([]);
    fixture.farm.linkUnblocked(link, fixture.now);
    const late = fixture.submitted(link);
    expect(late).toHaveLength(2);
    for (const submit of [first!, ...late]) answer(fixture, link, submit);
    expect(fixture.recorder.of('pool-verdict').map(({ share: number, verdict }) => [number, verdict])).toEqual([[1, 'accepted'], [2, 'accepted'], [3, 'accepted']]);
    expect(fixture.farm.state.counters.shedShares).toBe(0);
  });

  it('costs the oldest shares when too many wait: counted, and journaled as unanswered', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { session } = fixture.miner();
    fixture.farm.linkBlocked(link, fixture.now);
    for (let number = 1; number <= HELD_MAX + 3; number += 1) {
      session.pendingPool += 1;
      const pending = { share: number, bind: 1, job: 1, difficulty: '1', atMs: 0, sentMono: 0, session, user: '', convention: undefined, replyId: undefined, replied: undefined };
      link.outbox.submit(pending, (id) => `{"id":${id},"method":"mining.submit","params":[]}\n`, false);
    }
    expect(fixture.recorder.of('pool-verdict').map(({ share: number, verdict, text }) => ({ number, verdict, text }))).toEqual(
      [1, 2, 3].map((number) => ({ number, verdict: 'unanswered', text: 'shed: the pool did not read or answer' })),
    );
    expect(fixture.farm.state.counters.shedShares).toBe(3);
    expect(link.pending.size).toBe(HELD_MAX);
    fixture.farm.linkUnblocked(link, fixture.now);
    expect(fixture.submitted(link)).toHaveLength(HELD_MAX);
  });

  it('is given up when it goes on, and its machines move to the next', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const backup = fixture.live('b');
    const { session } = fixture.miner();
    fixture.farm.linkBlocked(link, fixture.now);
    fixture.wait(29_000);
    expect(link.state).toBe('live');
    fixture.wait(2000);
    expect(link.state).toBe('ended');
    expect(session.link).toBe(backup);
    expect(jobIn(fixture.heard(session)).id).not.toBe('');
  });
});
