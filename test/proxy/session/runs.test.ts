/** Several runs side by side: machines that go from one to another keep their prefix, and none of it is open to guessing. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import { lowestPrefix, Prefixes } from '../../../proxy/session/prefixes.ts';
import { makeSessionId, readSessionId, type Run } from '../../../proxy/session/run.ts';
import { exponentIn, Fixture, jobIn, share, yamlOf } from '../../simulation/fixture.ts';

const KEY = '5a'.repeat(32);
const random = seededRandom(3);
const bytes = (count: number): Uint8Array => random.bytes(count);
/** Runs with a thousand prefixes of each length. */
function runs(): Run[] {
  return [0, 1].map((index) => ({
    bootTag: `b00${index}`,
    sessionKey: KEY,
    prefixes: Object.fromEntries([2, 3, 4].map((length) => [length, { first: lowestPrefix(length) + 1000 * index, count: 1000 }])),
  }));
}
const [first, second] = runs() as [Run, Run];

describe('a session id', () => {
  it.each([['41'], ['4128'], ['412806'], ['4128064f']])('carries the layout and the prefix %s', (hex) => {
    const prefix = new Uint8Array(Buffer.from(hex, 'hex'));
    const id = makeSessionId(first, 'north', prefix, 5, bytes);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(readSessionId(second, 'north', id)).toEqual({ layout: { prefixBytes: prefix.length, extranonce2Bytes: 5 }, prefix });
  });

  it('says nothing when it is of another site, another instance, changed in any bit, or made up', () => {
    const id = makeSessionId(first, 'north', Uint8Array.of(65, 66, 67, 68), 4, bytes);
    expect(readSessionId(first, 'south', id)).toBeUndefined();
    expect(readSessionId({ ...first, sessionKey: 'a5'.repeat(32) }, 'north', id)).toBeUndefined();
    for (let bit = 0; bit < 128; bit += 1) {
      const changed = Buffer.from(id, 'hex');
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(readSessionId(first, 'north', changed.toString('hex'))).toBeUndefined();
    }
    for (const text of ['', 'x', id.slice(1), `${id}0`, id.toUpperCase()]) expect(readSessionId(first, 'north', text)).toBeUndefined();
  });

  it('differs each time, for the same prefix too', () => {
    const ids = Array.from({ length: 20 }, () => makeSessionId(first, 'north', Uint8Array.of(65, 66, 67, 68), 4, bytes));
    expect(new Set(ids).size).toBe(20);
  });
});

describe('prefixes brought from another run', () => {
  it('are had by one session at a time, and never handed out', () => {
    const prefixes = new Prefixes(first.prefixes, { quarantineMs: 1000, oldestWorkMs: () => Infinity });
    const brought = Uint8Array.of(200, 1, 2, 3);
    const placed = { prefix: brought, plane: 0 };
    expect([prefixes.bring(brought, 0), prefixes.bring(brought, 0)]).toEqual([true, false]);
    prefixes.release(placed, 0, 'id');
    expect([prefixes.bring(brought, 999), prefixes.reserve(placed, 'another')]).toEqual([false, false]);
    expect([prefixes.reserve(placed, 'id'), prefixes.reserve(placed, 'id')]).toEqual([true, false]);
    prefixes.release(placed, 2000, 'id');
    expect(prefixes.bring(brought, 3000)).toBe(true);
    prefixes.release(placed, 4000, undefined);
    expect(prefixes.bring(brought, 4000)).toBe(true);
    const own = Array.from({ length: 1000 }, () => Buffer.from(prefixes.allocate(4, 0)!.prefix).readUInt32BE());
    expect(Math.max(...own)).toBe(lowestPrefix(4) + 999);
    expect(prefixes.furtherPlanes).toBe(0);
    expect(prefixes.allocate(4, 0)).toEqual({ prefix: Uint8Array.of(1, 0, 0, 0), plane: 1 });
    expect(prefixes.furtherPlanes).toBe(1);
  });
});

describe('a machine that comes to another run', () => {
  const pair = (): [Fixture, Fixture] => {
    const fixtures = [first, second].map((run) => new Fixture(yamlOf(), new Map(), undefined, run)) as [Fixture, Fixture];
    for (const fixture of fixtures) fixture.live('a');
    return fixtures;
  };

  it('keeps its prefix and id, gets work at once, and is nobody\'s where it was', () => {
    const [old, next] = pair();
    const { session } = old.miner();
    const came = next.connect();
    const { result } = next.subscribe(came, session.sessionId);
    expect(result).toEqual([expect.anything(), Buffer.from(session.prefix).toString('hex'), 4]);
    next.authorize(came);
    const heard = next.heard(came);
    expect(jobIn(heard).clean).toBe(true);
    expect(share(next, came, heard, exponentIn(heard))).toMatchObject({ result: true });
    expect(came.sessionId).toBe(session.sessionId);
    expect(next.recorder.brought).toEqual([session.sessionId]);
    expect(next.farm.state.counters.resumptions).toBe(1);
    old.farm.takenElsewhere(session.sessionId, old.now.wallMs, old.now);
    old.farm.takenElsewhere('unknown', old.now.wallMs, old.now);
    expect(old.closed).toEqual(['resumed on a new connection']);
  });

  it('and back again finds the jobs that it was sent before', () => {
    const [old, next] = pair();
    const { session, heard } = old.miner();
    old.farm.takenElsewhere(session.sessionId, old.now.wallMs, old.now);
    next.subscribe(next.connect(), session.sessionId);
    const back = old.connect();
    old.subscribe(back, session.sessionId);
    old.authorize(back);
    expect(back.prefix).toEqual(session.prefix);
    expect(share(old, back, heard)).toMatchObject({ result: true });
  });

  it('is not closed by the late word that it went there, once it is back', () => {
    const [old, next] = pair();
    const { session } = old.miner();
    next.subscribe(next.connect(), session.sessionId);
    const wentMs = next.now.wallMs;
    old.wait(1000);
    const back = old.connect();
    old.subscribe(back, session.sessionId);
    old.authorize(back);
    expect(old.closed).toEqual(['resumed on a new connection']);
    old.farm.takenElsewhere(session.sessionId, wentMs, old.now);
    expect([old.closed.length, back.state]).toEqual([1, 'mining']);
    old.farm.takenElsewhere(session.sessionId, old.now.wallMs, old.now);
    expect(old.closed).toHaveLength(2);
  });

  it('begins at the difficulty that it was found to need there', () => {
    const [old, next] = pair();
    const { session, heard } = old.miner('acme.fast');
    share(old, session, heard);
    old.wait(600_000);
    expect(session.vardiff!.exponent).not.toBe(-24);
    next.farm.learnWishes([...old.farm.wishes(), ['acme.other', 3]]);
    const came = next.connect();
    next.subscribe(came, session.sessionId);
    next.authorize(came, 'acme.fast');
    expect(exponentIn(next.heard(came))).toBe(session.vardiff!.exponent);
    next.farm.learnWishes([['acme.fast', 9]]);
    expect(next.farm.wishes()).toContainEqual(['acme.fast', session.vardiff!.exponent]);
  });

  it('gets a prefix of its own where another has the one it brings, or its layout is not wanted any more', () => {
    const [old, next] = pair();
    const { session } = old.miner();
    next.subscribe(next.connect(), session.sessionId);
    const twin = next.connect();
    next.subscribe(twin, session.sessionId);
    // The first of the two was closed: the machine can only be in one place.
    expect(next.closed).toEqual(['resumed on a new connection']);
    const small = new Fixture(yamlOf(), new Map(), undefined, second);
    small.live('a', undefined, 6);
    const came = small.connect();
    small.subscribe(came, session.sessionId);
    expect(came.prefix).toHaveLength(2);
    expect(came.sessionId).not.toBe(session.sessionId);
  });
});

describe('sessions of one address', () => {
  it('are counted over all processes', () => {
    const fixture = new Fixture(yamlOf('limits: { sessionsPerAddressMax: 5 }'));
    for (let count = 0; count < 3; count += 1) fixture.connect('10.0.0.1:1');
    fixture.connect('10.0.0.2:1');
    expect(fixture.farm.hosts(new Map([['10.0.0.1', 2]]), 2)).toEqual({ '10.0.0.1': 3 });
    expect(() => fixture.connect('10.0.0.1:1')).toThrow('takes no more');
    fixture.farm.hosts(new Map([['10.0.0.1', 1]]), 2);
    fixture.connect('10.0.0.1:1');
    expect(() => fixture.connect('10.0.0.1:1')).toThrow('takes no more');
  });
});

describe('a drain', () => {
  it('closes machines evenly over its time, none while it is owed an answer, and waits for what pools owe', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const miners = Array.from({ length: 10 }, (_, index) => fixture.miner(`acme.${index}`));
    const { session, heard } = miners[0]!;
    // Handed in, and not yet durable.
    fixture.send(session, { id: 1, method: 'mining.submit', params: ['acme.0', jobIn(heard).id, '00000000', '00000000', '00000000'] });
    session.pendingReplies += 1;
    const step = fixture.farm.beginDrain(10_000, fixture.now);
    const left: number[] = [];
    for (let second = 0; second < 10; second += 1) {
      fixture.monoMs += 1000;
      expect(step(fixture.now)).toBe(false);
      left.push(fixture.farm.state.sessions.size);
    }
    expect(left).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 1]);
    expect(session.state).toBe('mining');
    session.pendingReplies -= 1;
    fixture.monoMs += 50;
    link.pending.set(99, { session } as never);
    expect(step(fixture.now)).toBe(false);
    expect(fixture.farm.state.sessions.size).toBe(0);
    link.pending.clear();
    expect(step(fixture.now)).toBe(true);
    expect(new Set(fixture.closed)).toEqual(new Set(['moved to another process']));
  });

  it('does not wait for ever', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { session } = fixture.miner();
    session.pendingReplies += 1;
    link.pending.set(99, { session } as never);
    const step = fixture.farm.beginDrain(0, fixture.now);
    let steps = 0;
    while (!step(fixture.now)) {
      fixture.monoMs += 1000;
      steps += 1;
    }
    expect(steps).toBe(10);
  });
});
