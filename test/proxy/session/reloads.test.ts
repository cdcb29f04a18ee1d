/** Reloads at random, between configurations that have little in common, while machines and pools come and go: nothing breaks, and every machine that has a route mines. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import type { Session } from '../../../proxy/session/session.ts';
import { Fixture } from '../../simulation/fixture.ts';
import { configOf } from '../../simulation/sim-farm.ts';

const POOLS = ['a', 'b', 'c', 'd'];
const WORKERS = ['acme', 'left', 'split'];
const RUNS = 25;
const STEPS = 40;

type Pick = <T>(from: readonly T[]) => T;

/** Pools of a route: one, an order, a split, or an order with a split. */
function poolList(pick: Pick, pools: readonly string[]): string {
  const [first, second] = [pick(pools), pick(pools)];
  if (first === second) return `[ ${first} ]`;
  const split = `{ pool: ${first}, weight: ${pick([1, 2])} }, { pool: ${second}, weight: 1 }`;
  const third = pools.find((pool) => pool !== first && pool !== second);
  return pick([`[ ${first}, ${second} ]`, `[ ${split} ]`, third === undefined ? `[ ${split} ]` : `[ [ ${split} ], ${third} ]`]);
}

/** A right configuration; undefined where chance made a wrong one. */
function randomYaml(pick: Pick): string {
  const pools = POOLS.filter(() => pick([true, true, false]));
  if (pools.length === 0) pools.push('a');
  const routes = WORKERS.filter(() => pick([true, true, false])).map((worker) => `  - { match: { worker: "${worker}.*" }, lessee: ${pick(['x', 'y'])}, pools: ${poolList(pick, pools)} }`);
  routes.push(`  - { match: { worker: "other.*" }, pools: [ ${pools.join(', ')} ] }`);
  const sites = pick(['north: { listen: [ "127.0.0.1:1" ] }', 'north: { listen: [ "127.0.0.1:1", "127.0.0.1:2" ] }', 'south: { listen: [ "127.0.0.1:1" ] }']);
  const poolLines = pools.map((pool) => `  ${pool}: { url: stratum+tcp://${pool}.example:1, user: ${pick(['u', 'u', 'v'])}, aggregation: ${pick([2, 100])}, submitsPerSecondMax: ${pick([7, 9])} }`);
  return `data: ./x\nsites: { ${sites} }\npools:\n${poolLines.join('\n')}\nroutes:\n${routes.join('\n')}\ndifficulty: { start: "2^-24", min: "2^-24", max: "2^-20" }\ntimeouts: { closesPerSecond: 1, idle: 24h, returnStable: 1s }\nlimits: { jobsPerLinkMax: ${pick([4, 64])} }\n`;
}

/** Brings every link that was dialled to life. */
function bringUp(fixture: Fixture): void {
  for (const link of fixture.links) {
    if (link.state !== 'dialling') continue;
    fixture.farm.linkOpened(link, fixture.now);
    fixture.fromPool(link, { id: 2, result: [[], link.number.toString(16).padStart(8, '0'), 8], error: null });
    fixture.fromPool(link, { id: 3, result: true, error: null });
    fixture.difficulty(link, '0.001');
    fixture.job(link);
  }
}

describe('reloads at random', () => {
  it('leave every machine that has a route at work, and links of no pool that nobody works for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const pick: Pick = (from) => from[random.u32() % from.length]!;
        const fixture = new Fixture(randomYaml(pick));
        const sessions: Session[] = [];
        const steps: (() => void)[] = [
          () => void fixture.farm.reconfigure(configOf(randomYaml(pick)), [], fixture.now),
          () => {
            fixture.farm.reconfigure(configOf(randomYaml(pick)), [], fixture.now);
            for (const link of fixture.links) if (link.state === 'live') fixture.farm.linkClosed(link, 'connection reset', fixture.now);
          },
          () => bringUp(fixture),
          () => fixture.wait(pick([1000, 3000, 40_000])),
          () => {
            for (const worker of [...WORKERS, 'other']) if (fixture.farm.state.config.sites['north'] !== undefined) sessions.push(fixture.miner(`${worker}.${sessions.length}`).session);
          },
          () => {
            const live = fixture.links.filter(({ state }) => state === 'live');
            if (live.length > 0 && pick([true, false])) fixture.farm.linkClosed(pick(live), 'connection reset', fixture.now);
          },
          () => {
            const [session] = sessions.splice(random.u32() % Math.max(1, sessions.length), 1);
            if (session !== undefined) fixture.farm.disconnected(session, 'gone', fixture.now);
          },
          () => fixture.links.filter(({ state }) => state === 'live').forEach((link) => fixture.job(link)),
        ];
        for (let step = 0; step < STEPS; step += 1) pick(steps)();
        // All that is dialled answers, and all that has to go goes.
        for (let second = 0; second < 100; second += 1) {
          bringUp(fixture);
          fixture.wait(1000);
        }
        const { state } = fixture.farm;
        for (const session of state.sessions) {
          if (session.state !== 'mining') continue;
          expect([session.link?.state, session.route?.pools.includes(session.link?.pool ?? '')]).toEqual(['live', true]);
          expect(state.routes).toContain(session.route);
          expect(session.link?.config).toEqual(state.config.pools[session.link?.pool ?? '']);
        }
        const named = new Set(state.routes.flatMap(({ pools }) => pools));
        expect([...state.links.values()].filter((link) => link.state === 'live' && !named.has(link.pool))).toEqual([]);
        // The second: it came under a name that had no route.
        expect(fixture.closed.filter((reason) => !['the configuration has no place for it', 'not authorised in time'].includes(reason))).toEqual([]);
      }),
      { numRuns: RUNS, seed: 20 },
    );
  });
});
