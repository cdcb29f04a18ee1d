/** Extranonce layouts: learnt from pools, padded, changed by set_extranonce or by a paced close, and prefixes that run out. */
import { describe, expect, it } from 'vitest';
import { EASY, Fixture, jobIn, share, yamlOf } from '../../simulation/fixture.ts';

describe('an extranonce layout', () => {
  const oneRoute = 'routes: [ { lessee: acme, pools: [ a ] } ]';
  const yaml = yamlOf('', oneRoute).replace(/, b: .*/, ' }');

  it('is 1 + 3 where the pool leaves four bytes', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a', EASY, 4);
    const session = fixture.connect();
    const [, prefix, size] = fixture.subscribe(session).result as [unknown, string, number];
    expect([prefix.length / 2, size]).toEqual([1, 3]);
    fixture.authorize(session);
    expect(share(fixture, session, fixture.heard(session))).toMatchObject({ result: true });
    expect(fixture.submitted(fixture.link('a'))[0]?.params?.[2]).toMatch(new RegExp(`^${prefix}[0-9a-f]{6}$`));
  });

  it('of 12 bytes is padded with zeros in our part', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a', EASY, 12);
    const { session, heard } = fixture.miner();
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    expect(fixture.submitted(fixture.link('a'))[0]?.params?.[2]).toMatch(/^00000000[0-9a-f]{16}$/);
  });

  it('that fits no more is changed by set_extranonce where the machine takes it', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { session, heard } = fixture.miner();
    fixture.send(session, { id: 1, method: 'mining.extranonce.subscribe', params: [] });
    fixture.heard(session);
    fixture.setExtranonce(link, '0102', 4);
    const said = fixture.heard(session);
    expect(said.map(({ method }) => method)).toEqual(['mining.set_extranonce', 'mining.set_difficulty', 'mining.notify']);
    expect(said[0]?.params?.[1]).toBe(3);
    expect(jobIn(said).clean).toBe(true);
    expect(share(fixture, session, heard)).toMatchObject({ error: [21, 'Invalid JobID', null] });
    expect(share(fixture, session, said)).toMatchObject({ result: true });
    expect(fixture.recorder.of('session').map(({ session: number, prefix }) => [number, prefix.length])).toEqual([[1, 4], [2, 1]]);
    expect(fixture.recorder.of('session-end')).toMatchObject([{ session: 1, reason: 'extranonce changed' }]);
  });

  it('that fits no more is changed by closing, paced, and the machine comes back to one that fits', () => {
    const fixture = new Fixture(`${yaml}\ntimeouts: { closesPerSecond: 2 }`);
    const link = fixture.live('a');
    for (let index = 0; index < 5; index += 1) fixture.miner(`acme.m${index}`);
    fixture.setExtranonce(link, '0102', 4);
    fixture.wait(1000);
    expect(fixture.closed).toEqual(Array<string>(2).fill('its extranonce does not fit the pools left'));
    fixture.wait(2000);
    expect(fixture.closed).toHaveLength(5);
    const session = fixture.connect('10.0.0.9:7777');
    expect((fixture.subscribe(session).result as unknown[])[2]).toBe(3);
  });

  it('of a route whose only pool is small is learnt by the close, not given in a circle', () => {
    const fixture = new Fixture(yamlOf('', 'routes: [ { match: { worker: "solo.*" }, pools: [ b ] }, { pools: [ a ] } ]'));
    fixture.live('a', EASY, 8);
    fixture.live('b', EASY, 4);
    const session = fixture.connect();
    const id = (fixture.subscribe(session).result as [string[][]])[0][1]![1];
    fixture.authorize(session, 'solo.1');
    fixture.wait(2000);
    expect(fixture.closed).toHaveLength(1);
    const again = fixture.connect();
    expect((fixture.subscribe(again, id).result as unknown[])[2]).toBe(3);
    fixture.authorize(again, 'solo.1');
    fixture.wait(2000);
    expect(fixture.closed).toHaveLength(1);
    expect(again.link).toBe(fixture.link('b'));
    const other = fixture.connect();
    expect((fixture.subscribe(other).result as unknown[])[2]).toBe(4);
  });

  it('prefixes run out with a clear answer, when there are 64 machines for each', () => {
    const fixture = new Fixture(yamlOf('limits: { sessionsPerAddressMax: 20000 }'));
    fixture.live('a', EASY, 4);
    const replies = Array.from({ length: 64 * 255 + 1 }, () => fixture.subscribe(fixture.connect()));
    expect(replies.filter(({ error }) => error !== null).map(({ error }) => error)).toEqual([[20, 'No extranonce left', null]]);
    for (const from of [0, 255]) expect(new Set(replies.slice(from, from + 255).map(({ result }) => (result as unknown[])[1])).size).toBe(255);
  });
});
