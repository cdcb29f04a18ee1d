/** The invariants of the design after minutes of everything at once, from many seeds. */
import { describe, expect, it } from 'vitest';
import { Chaos } from './chaos.ts';
import { breaches, verdictCounts } from './invariants.ts';

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
