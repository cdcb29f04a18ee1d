/** Routes that are split by weight, in a farm: where machines begin, when they move, what counts for which part, what fails over. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProxyFiles } from '../../../proxy/net/proxy-files.ts';
import type { Link } from '../../../proxy/session/link.ts';
import type { Session } from '../../../proxy/session/session.ts';
import { Fixture, jobIn, share, yamlOf } from '../../simulation/fixture.ts';
import { breaches } from '../../simulation/invariants.ts';
import { configOf, SimFarm } from '../../simulation/sim-farm.ts';

const SPLIT = 'routes: [ { lessee: acme, pools: [ { pool: a, weight: 65 }, { pool: b, weight: 35 } ] } ]';

function poolsOf(sessions: readonly Session[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { link } of sessions) counts[link?.pool ?? 'none'] = (counts[link?.pool ?? 'none'] ?? 0) + 1;
  return counts;
}

/** As if the session had delivered a hundred shares, two of them of late, by which its rate is known. */
function worked(fixture: Fixture, session: Session, link: Link, exponent: number): void {
  for (let share = 0; share < 100; share += 1) fixture.farm.state.splitting.delivered(session, link, exponent);
  session.window?.accepted(exponent, fixture.monoMs);
  session.window?.accepted(exponent, fixture.monoMs);
}

describe('a split route', () => {
  const crowd = (fixture: Fixture, count: number): Session[] => Array.from({ length: count }, (_, index) => fixture.miner(`acme.m${index}`).session);

  it('puts machines that come on its parts by weight', () => {
    const fixture = new Fixture(yamlOf('', SPLIT));
    fixture.live('a');
    fixture.live('b');
    expect(poolsOf(crowd(fixture, 20))).toEqual({ a: 13, b: 7 });
  });

  it('works for the other part while a pool is dead, and goes home when it has lived a while', () => {
    const fixture = new Fixture(yamlOf('', SPLIT));
    fixture.live('a');
    fixture.live('b');
    const sessions = crowd(fixture, 20);
    fixture.kill('b');
    expect(poolsOf(sessions)).toEqual({ a: 20 });
    fixture.wait(5000);
    fixture.live('b');
    fixture.wait(20_000);
    expect(poolsOf(sessions)).toEqual({ a: 20 });
    fixture.wait(15_000);
    expect(poolsOf(sessions)).toEqual({ a: 13, b: 7 });
    expect(fixture.closed).toEqual([]);
  });

  it('goes down a level only when all its parts are dead', () => {
    const nested = 'routes: [ { lessee: acme, pools: [ [ { pool: a, weight: 1 }, { pool: b, weight: 1 } ], c ] } ]';
    const fixture = new Fixture(yamlOf('', nested).replace('pools: {', 'pools: { c: { url: "stratum+tcp://pool.c.example:3333", user: farm },'));
    fixture.live('a');
    fixture.live('b');
    fixture.live('c');
    const sessions = crowd(fixture, 4);
    expect(poolsOf(sessions)).toEqual({ a: 2, b: 2 });
    fixture.kill('a');
    expect(poolsOf(sessions)).toEqual({ b: 4 });
    fixture.kill('b');
    expect(poolsOf(sessions)).toEqual({ c: 4 });
  });

  it('moves a machine only with a fresh job of the pool it goes to, and then not for an hour', () => {
    const fixture = new Fixture(yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }', SPLIT));
    const a = fixture.live('a');
    const b = fixture.live('b');
    const { session } = fixture.miner();
    expect(session.link).toBe(a);
    fixture.wait(400_000);
    worked(fixture, session, a, 10);
    expect(session.link).toBe(a);
    fixture.heard(session);
    fixture.job(b);
    expect(session.link).toBe(b);
    const moved = fixture.heard(session);
    expect(moved.filter(({ method }) => method === 'mining.notify')).toHaveLength(1);
    expect(share(fixture, session, moved)).toMatchObject({ result: true });
    for (let minute = 0; minute < 59; minute += 1) {
      fixture.wait(60_000);
      worked(fixture, session, b, 10);
      fixture.job(a);
    }
    expect(session.link).toBe(b);
    fixture.wait(60_000);
    fixture.job(a);
    expect(session.link).toBe(a);
    expect(fixture.farm.splits.all()[0]?.moves).toBe(2);
  });

  it('remembers over a restart what each part has had, as long as it is divided in the same way', () => {
    const fixture = new Fixture(yamlOf('', SPLIT));
    fixture.live('a');
    const { session, heard } = fixture.miner();
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    const [[key, memory]] = [...fixture.farm.splits.memory()] as [[string, { worked: string[]; moves: number }]];
    expect(memory).toEqual({ worked: [String(2 ** (32 + session.exponent!)), '0'], moves: 0, waived: ['0', '0'], hours: ['0'] });
    expect(new Fixture(yamlOf('', SPLIT), new Map(), new Map([[key, memory]])).farm.splits.memory().get(key)).toEqual(memory);
    const other = new Fixture(yamlOf('', SPLIT.replace('65', '66')), new Map(), new Map([[key, memory]]));
    expect([...other.farm.splits.memory().values()]).toEqual([{ worked: ['0', '0'], moves: 0, waived: ['0', '0'], hours: ['0'] }, memory]);
  });

  it('is the same split wherever its route stands: a route put before it moves nobody and forgets nothing', () => {
    const fixture = new Fixture(yamlOf('', SPLIT));
    fixture.live('a');
    fixture.live('b');
    const sessions = crowd(fixture, 20);
    // Chance has brought them here: dealt anew they would be elsewhere.
    sessions.forEach((session, index) => worked(fixture, session, session.link!, index % 4));
    const before = sessions.map(({ route, part, link, binds }) => ({ route, part, link, bind: binds[0] }));
    const memory = [...fixture.farm.splits.memory()];
    const first = yamlOf('', SPLIT.replace('[ {', '[ { match: { worker: "other.*" }, lessee: cobalt, pools: [ b ] }, {'));
    expect(fixture.farm.reconfigure(configOf(first), [], fixture.now)).toEqual({ rerouted: 0, leaving: 0 });
    expect(sessions.map(({ route, part, link, binds }) => ({ route, part, link, bind: binds[0] }))).toEqual(before);
    expect([...fixture.farm.splits.memory()]).toEqual(memory);
    expect(fixture.farm.splits.all()).toMatchObject([{ route: 1 }]);
    const restarted = new Fixture(first, new Map(), new Map(memory));
    expect([...restarted.farm.splits.memory()]).toEqual(memory);
    expect(fixture.farm.reconfigure(configOf(yamlOf('', SPLIT)), [], fixture.now)).toEqual({ rerouted: 0, leaving: 0 });
    expect(fixture.farm.splits.all()).toMatchObject([{ route: 0 }]);
  });

  it.each([
    ['another lessee', SPLIT.replace('acme', 'cobalt')],
    ['other weights', SPLIT.replace('65', '55').replace('35', '45')],
  ])('leaves machines on their part when it is given %s', (_, changed) => {
    const fixture = new Fixture(yamlOf('', SPLIT));
    fixture.live('a');
    fixture.live('b');
    const sessions = crowd(fixture, 20);
    sessions.slice(0, 5).forEach((session) => fixture.farm.disconnected(session, 'gone', fixture.now));
    const before = sessions.map(({ part }) => part);
    expect(fixture.farm.reconfigure(configOf(yamlOf('', changed)), [], fixture.now)).toEqual({ rerouted: 15, leaving: 0 });
    fixture.wait(5000);
    const back = sessions.slice(0, 5).map(({ sessionId }) => {
      const session = fixture.connect();
      fixture.subscribe(session, sessionId);
      fixture.authorize(session);
      return session;
    });
    expect([...back, ...sessions.slice(5)].map(({ part }) => part)).toEqual(before);
  });

  it('reads what was kept of it, whole or not at all', () => {
    const directory = mkdtempSync(join(tmpdir(), 'weighbridge-splits-'));
    try {
      const whole = { worked: ['5', '6'], moves: 1, waived: ['1', '0'], hours: ['0', '9'] };
      const kept = { whole, older: { worked: ['5', '6'], moves: 1 }, odd: { ...whole, waived: ['1'], hours: [1] }, spoilt: { ...whole, worked: ['x'] }, no: null };
      writeFileSync(join(directory, 'splits.json'), JSON.stringify(kept));
      const read = new ProxyFiles(directory, 1).readSplits();
      expect([...read.keys()]).toEqual(['whole', 'older', 'odd']);
      expect(read.get('whole')).toEqual(whole);
      expect(read.get('odd')).toEqual({ worked: ['5', '6'], moves: 1 });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('tells its successor what was delivered since, and goes on where it was when a reload takes it away and brings it back', () => {
    const fixture = new Fixture(yamlOf('', SPLIT));
    const a = fixture.live('a');
    const { session } = fixture.miner();
    worked(fixture, session, a, 3);
    const told = fixture.farm.splits.memory();
    worked(fixture, session, a, 2);
    const units = (difficulty: number): string => String(BigInt(difficulty) << 32n);
    const added = (): unknown => [...fixture.farm.splits.since(told).values()];
    expect(added()).toEqual([{ worked: [units(400), '0'], moves: 0 }]);
    const use = (routes: string): unknown => fixture.farm.reconfigure(configOf(yamlOf('', routes)), [], fixture.now);
    use(SPLIT.replace('65', '66'));
    worked(fixture, session, a, 0);
    use(SPLIT);
    worked(fixture, session, a, 0);
    expect(added()).toEqual([{ worked: [units(500), '0'], moves: 0 }, { worked: [units(100), '0'], moves: 0 }]);
    // Over a restart too, and not without bound.
    const restarted = new Fixture(yamlOf('', SPLIT.replace('65', '66')), new Map(), fixture.farm.splits.memory());
    expect([...restarted.farm.splits.memory().values()].map(({ worked: [first] }) => first)).toEqual([units(100), units(1300)]);
    for (let weight = 100; weight < 300; weight += 1) use(SPLIT.replace('65', String(weight)));
    expect(fixture.farm.splits.memory().size).toBe(101);
    expect(fixture.farm.splits.all()).toHaveLength(1);
  });

  it('counts a late share for the part whose job it is', () => {
    const fixture = new Fixture(yamlOf('', SPLIT));
    const a = fixture.live('a');
    const { session, heard } = fixture.miner();
    const late = jobIn(heard);
    const b = fixture.live('b');
    fixture.wait(400_000);
    worked(fixture, session, a, 10);
    fixture.job(b);
    expect(session.link).toBe(b);
    const [had] = fixture.farm.splits.all()[0]!.work;
    expect(share(fixture, session, [{ id: null, method: 'mining.notify', params: heard.findLast(({ method }) => method === 'mining.notify')!.params! }], -24)).toMatchObject({ result: true });
    expect(late.id).toBeDefined();
    expect(fixture.farm.splits.all()[0]!.work[0]! - had!).toBe(2 ** -24);
  });
});

describe('a farm of real shares', () => {
  it('keeps every promise while it is split, and its split is what its journal says', () => {
    const yaml = `
data: /nowhere
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { a: { url: "stratum+tcp://a.example:3333", user: farm }, b: { url: "stratum+tcp://b.example:3333", user: farm } }
${SPLIT}
difficulty: { start: "2^-26", min: "2^-32", max: "2^-10", sharesPerMinute: 20 }
`;
    const habits = (name: string) => ({ name, extranonce2Bytes: 8, mask: 0x1fffe000, version: 0x20000000, convention: 'replace' }) as const;
    const sim = new SimFarm({ seed: 3, yaml, pools: [{ habits: habits('a'), difficulty: '0.0000001' }, { habits: habits('b'), difficulty: '0.0000001' }] });
    for (let index = 0; index < 8; index += 1) {
      sim.connect(sim.addMachine({ worker: `acme.r${index}`, password: 'x', hashesPerSecond: 4 * 5 ** sim.random.fraction(), bits: 'masked', takesExtranonce: false }));
    }
    for (let second = 0; second < 3600; second += 30) {
      sim.run(30_000);
      for (const pool of sim.pools.values()) pool.newJob(sim.nowS, false);
    }
    sim.settle();
    expect(breaches(sim)).toEqual([]);
    expect([...sim.closes]).toEqual([]);
    const poolOfLink = new Map(sim.recorder.of('link').map(({ link, pool }) => [link, pool]));
    const linkOfJob = new Map(sim.recorder.of('job').map(({ job, link }) => [job, link]));
    const jobOf = new Map(sim.recorder.of('refresh').map(({ job, of }) => [job, of]));
    const delivered = { a: 0, b: 0 };
    for (const { verdict, job, exponent } of sim.recorder.of('share')) {
      if (verdict === 'accepted') delivered[poolOfLink.get(linkOfJob.get(jobOf.get(job) ?? job)!) as 'a' | 'b'] += 2 ** exponent;
    }
    const [split] = sim.farm.splits.all();
    expect(split?.work).toEqual([delivered.a, delivered.b]);
    expect(Math.abs(delivered.a / (delivered.a + delivered.b) - 0.65)).toBeLessThan(0.05);
  });
});
