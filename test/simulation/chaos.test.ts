/** The invariants of the design after minutes of everything at once, from many seeds. */
import { describe, expect, it } from 'vitest';
import { Chaos } from './chaos.ts';
import { breaches, verdictCounts } from './invariants.ts';
import { SimFarm } from './sim-farm.ts';

/** Reasons a session may be closed for; a pool's trouble is none of them, save for a layout that fits no pool left. */
const CLOSES = ['resumed on a new connection', 'its extranonce does not fit the pools left'];

describe.each(['proxy', 'pool'] as const)('a farm in trouble, reply: %s', (reply) => {
  it.each([1, 2, 3, 4, 5, 6])('keeps every promise (seed %i)', (seed) => {
    const chaos = new Chaos(seed, reply);
    chaos.run(240);
    expect(breaches(chaos.sim)).toEqual([]);
    expect(chaos.orphans).toEqual([]);
    expect([...chaos.sim.closes.keys()].filter((reason) => !CLOSES.includes(reason))).toEqual([]);
    expect(verdictCounts(chaos.sim)['accepted']).toBeGreaterThan(200);
  });
});

describe('a simulation', () => {
  it('is the same again with the same seed', () => {
    const factsOf = (seed: number) => {
      const chaos = new Chaos(seed, 'pool');
      chaos.run(60);
      return chaos.sim.recorder.facts;
    };
    expect(factsOf(11)).toEqual(factsOf(11));
  });
});

describe('a calm farm', () => {
  it('is credited what it has worked, at the wished rate, over an hour with a pool that starts too low', () => {
    const yaml = `
data: /nowhere
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { a: { url: "stratum+tcp://a.example:3333", user: farm } }
routes: [ { lessee: acme, pools: [ a ] } ]
difficulty: { start: "2^-22", min: "2^-30", max: "2^-10", sharesPerMinute: 6 }
`;
    const habits = { name: 'a', extranonce2Bytes: 8, mask: 0x1fffe000, version: 0x20000000, convention: 'replace' } as const;
    const sim = new SimFarm({ seed: 5, yaml, pools: [{ habits, difficulty: '0.0000000298' }] });
    const rates = [5, 10, 20, 40, 80];
    for (const [index, hashesPerSecond] of rates.entries()) {
      sim.connect(sim.addMachine({ worker: `acme.r${index}`, password: 'x', hashesPerSecond, bits: 'masked', takesExtranonce: false }));
    }
    const seconds = 3600;
    for (let second = 0; second < seconds; second += 30) {
      sim.run(30_000);
      if (second === 600) sim.pool('a').difficulty = '0.001';
      sim.pool('a').newJob(sim.nowS, false);
    }
    sim.settle();
    expect(breaches(sim)).toEqual([]);
    expect([...sim.closes]).toEqual([]);
    const shares = sim.recorder.of('share');
    expect(new Set(shares.map(({ verdict }) => verdict))).toEqual(new Set(['accepted']));
    const hashes = shares.reduce((sum, { exponent }) => sum + 2 ** (32 + exponent), 0);
    const deviation = Math.sqrt(shares.reduce((sum, { exponent }) => sum + 4 ** (32 + exponent), 0));
    const worked = rates.reduce((sum, rate) => sum + rate, 0) * seconds;
    expect(Math.abs(hashes - worked)).toBeLessThan(4 * deviation);
    // While the pool was low its ceiling kept k down; afterwards each machine is near six a minute.
    const late = shares.filter(({ atMs }) => atMs >= sim.now.wallMs - 1_800_000);
    expect(late.length / rates.length / 30).toBeGreaterThan(3);
    expect(late.length / rates.length / 30).toBeLessThan(12);
  });
});
