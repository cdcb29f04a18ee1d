/** Pools that live and are left all the same: they refuse shares, are behind, or go back; and when machines return to them. */
import { describe, expect, it } from 'vitest';
import type { Link } from '../../../proxy/session/link.ts';
import { answer, find, Fixture, jobIn, submitParams, yamlOf } from '../../simulation/fixture.ts';
import { makePrevhash } from '../../rig/pool-jobs.ts';
import { seededRandom } from '../../../config/world.ts';

const TIMES = 'timeouts: { poolSilent: 3600s, idle: 24h }\nfailover: { retry: 60s, behind: 30s }';
const blocks = seededRandom(4);

/** Hands in `count` shares of the session's newest job, good enough for the pool, and lets the pool accept the first `good` of them. */
function shares(fixture: Fixture, link: Link, session: ReturnType<Fixture['miner']>['session'], count: number, good: number): void {
  fixture.job(link);
  const job = jobIn(fixture.heard(session));
  for (const found of find(session, job, -24, count)) {
    fixture.send(session, { id: 1, method: 'mining.submit', params: submitParams(found) });
  }
  fixture.submitted(link).forEach((submit, index) => answer(fixture, link, submit, index < good ? null : [25, 'Unauthorized worker', null]));
}

describe('a pool that refuses shares', () => {
  const both = (): { fixture: Fixture; a: Link; b: Link } => {
    const fixture = new Fixture(yamlOf(TIMES));
    return { fixture, a: fixture.live('a'), b: fixture.live('b') };
  };

  it('is left above half of at least twenty, and returned to after a while', () => {
    const { fixture, a, b } = both();
    const { session } = fixture.miner();
    shares(fixture, a, session, 19, 0);
    expect(session.link).toBe(a);
    shares(fixture, a, session, 1, 0);
    expect(session.link).toBe(b);
    expect(fixture.recorder.logs.find(({ event }) => event === 'pool in trouble')?.fields).toMatchObject({ pool: 'a', trouble: 'refusing', why: 'it refused 20 of its last 20 shares' });
    fixture.wait(85_000);
    expect(session.link).toBe(b);
    fixture.wait(10_000);
    expect(session.link).toBe(a);
    expect(fixture.closed).toEqual([]);
  });

  it('is kept where it refuses half, and where there is no other', () => {
    const { fixture, a } = both();
    const { session } = fixture.miner();
    shares(fixture, a, session, 40, 20);
    expect(session.link).toBe(a);
    fixture.kill('b');
    shares(fixture, a, session, 40, 0);
    expect([session.link, fixture.farm.state.trust.troubleOf(a)?.trouble]).toEqual([a, 'refusing']);
    // It may show that it is well before its time is over.
    shares(fixture, a, session, 200, 200);
    expect(fixture.farm.state.trust.troubleOf(a)).toBeUndefined();
  });

  it('is left for longer each time', () => {
    const { fixture, a, b } = both();
    const { session } = fixture.miner();
    const away: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      shares(fixture, a, session, 30, 0);
      expect(session.link).toBe(b);
      const since = fixture.monoMs;
      while (session.link !== a) fixture.wait(5000);
      away.push((fixture.monoMs - since) / 1000);
    }
    expect(away).toEqual([90, 150, 270]);
  });

  it('is no refuge for the machines of a dead one while there is another', () => {
    const fixture = new Fixture(yamlOf(TIMES, 'routes: [ { match: { worker: "z" }, pools: [ c ] }, { pools: [ a, b, c ] } ]').replace('pools: {', 'pools: { c: { url: "stratum+tcp://pool.c.example:3333", user: farm },'));
    const [a, b, c] = [fixture.live('a'), fixture.live('b'), fixture.live('c')];
    const { session } = fixture.miner();
    fixture.farm.linkClosed(a, 'gone', fixture.now);
    shares(fixture, b, session, 30, 0);
    expect(session.link).toBe(c);
    fixture.farm.linkClosed(c, 'gone', fixture.now);
    expect(session.link).toBe(b);
  });
});

describe('a pool that is behind', () => {
  it('is left when another has been on the next block for a while, and returned to when it has followed', () => {
    const fixture = new Fixture(yamlOf(TIMES));
    const [a, b] = [fixture.live('a'), fixture.live('b')];
    const { session } = fixture.miner();
    const next = makePrevhash(blocks);
    fixture.job(b, { prevhash: next, clean: true });
    fixture.wait(25_000);
    fixture.job(a);
    expect(session.link).toBe(a);
    fixture.wait(6000);
    expect(session.link).toBe(b);
    expect(fixture.heard(session).some(({ method, params }) => method === 'mining.notify' && params?.[8] === true)).toBe(true);
    fixture.wait(60_000);
    expect(session.link).toBe(b);
    fixture.job(a, { prevhash: next, clean: true });
    fixture.wait(25_000);
    expect(session.link).toBe(b);
    fixture.wait(10_000);
    expect(session.link).toBe(a);
  });

  it('is not one that is on another chain, or ahead', () => {
    const fixture = new Fixture(yamlOf(TIMES));
    const a = fixture.live('a');
    const b = fixture.authorise('b');
    fixture.difficulty(b, '0.000000059604644775390625');
    fixture.job(b, { prevhash: makePrevhash(blocks) }, 0x1c7fffff);
    const { session } = fixture.miner();
    fixture.wait(20_000);
    fixture.job(b, { prevhash: makePrevhash(blocks) }, 0x1c7fffff);
    fixture.job(a, { prevhash: makePrevhash(blocks) });
    fixture.wait(120_000);
    expect(session.link).toBe(a);
    expect(fixture.farm.state.trust.allWell).toBe(true);
  });
});

describe('a pool whose height goes back', () => {
  it('is left at once and returned to when it is where it was', () => {
    const fixture = new Fixture(yamlOf(TIMES));
    const [a, b] = [fixture.live('a'), fixture.live('b')];
    const { session } = fixture.miner();
    fixture.jobAt(a, 800_001);
    fixture.jobAt(b, 800_001);
    fixture.jobAt(a, 799_999);
    expect(session.link).toBe(b);
    fixture.wait(20_000);
    fixture.jobAt(a, 800_002);
    fixture.jobAt(b, 800_002);
    expect(session.link).toBe(b);
    fixture.wait(25_000);
    expect(session.link).toBe(b);
    fixture.wait(10_000);
    expect(session.link).toBe(a);
  });
});

describe('a backup that starts at 1,000 with 50 PH/s behind it', () => {
  // 500 machines of 100 TH/s: 2^18 at five to six shares a minute.
  const yaml = (backup = '') => `
data: /nowhere
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { a: { url: "stratum+tcp://pool.a.example:3333", user: farm }, b: { url: "stratum+tcp://pool.b.example:3333", user: farm${backup} } }
routes: [ { pools: [ a, b ] } ]
difficulty: { start: 262144, sharesPerMinute: 6 }
`;
  const HASHES_A_SECOND = 50e15;
  const fleet = (fixture: Fixture) => Array.from({ length: 500 }, (_, index) => fixture.miner(`acme.m${index}`).session);
  /** Shares a second of the whole fleet at the difficulty its machines are told. */
  const flood = (sessions: ReturnType<typeof fleet>): number => sessions.reduce((sum, { exponent }) => sum + HASHES_A_SECOND / sessions.length / 2 ** (32 + exponent!), 0);

  it('floods neither side: at most the cap to the pool, a few shares a minute from each machine, nobody disconnected', () => {
    const fixture = new Fixture(yaml());
    fixture.live('a', '262144');
    const b = fixture.live('b', '1000');
    const sessions = fleet(fixture);
    const before = flood(sessions);
    fixture.kill('a');
    expect(sessions.every(({ link }) => link === b)).toBe(true);
    const after = flood(sessions);
    console.log(`failover to a backup at 1,000 with 50 PH/s: ${before.toFixed(0)} shares/s before, ${after.toFixed(0)} after (${(HASHES_A_SECOND / 2 ** 32 / 1000).toFixed(0)} without a ceiling); 2^${sessions[0]!.exponent} each, of which the pool credits 1000`);
    // The cap of 200 a second, by what vardiff knows of the machines.
    expect(after).toBeLessThan(200);
    expect((60 * after) / sessions.length).toBeLessThan(30);
    expect(fixture.closed).toEqual([]);
    fixture.difficulty(b, '262144');
    fixture.job(b);
    fixture.wait(2000);
    fixture.job(b);
    expect(new Set(sessions.map(({ exponent }) => exponent))).toEqual(new Set([18]));
  });

  it('need not start so where a difficulty was asked for in advance', () => {
    const fixture = new Fixture(yaml(', difficulty: 262144'));
    fixture.live('a', '262144');
    const b = fixture.authorise('b');
    expect(fixture.sentTo(b).find(({ method }) => method === 'mining.suggest_difficulty')?.params).toEqual([262144]);
    fixture.difficulty(b, '262144');
    fixture.job(b);
    const sessions = fleet(fixture);
    fixture.kill('a');
    expect(new Set(sessions.map(({ exponent }) => exponent))).toEqual(new Set([18]));
  });
});
