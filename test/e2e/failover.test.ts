/** Two hundred machines, two pools, one minute; the first pool dies half-way and the second begins at a thousandth of the difficulty. */
import { afterEach, describe, expect, it } from 'vitest';
import { Store } from '../../accounting/store.ts';
import { realWorld } from '../../config/world.ts';
import { FleetProcess } from '../rig/fleet-process.ts';
import { drawMembers } from '../rig/fleet.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { countedShares, compareFleet, comparePools } from './truth.ts';
import { waitsFrom } from './gaps.ts';
import { readJournal } from './journal-shares.ts';
import { discard, startProduct, until } from './product.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const HALF_MS = 30_000;
const SHARES_PER_MINUTE = 30;
const INTERVAL_MS = 60_000 / SHARES_PER_MINUTE;
/** A moment of quiet to compare with: long enough before the pool dies. */
const QUIET_MS = 10_000;
const HASHES_PER_DIFFICULTY = 2 ** 48 / 65535;

function after(delayMs: number): Promise<void> {
  return new Promise((resolve) => realWorld.after(delayMs, resolve));
}

describe('a fleet whose pool dies', () => {
  it('loses no connection and no share, and nothing counts twice', async () => {
    const main = await SimulatedPool.listen({ world: realWorld, seed: 1, difficulty: powerOfTwoText(-18), blockIntervalMs: 11_000, jobIntervalMs: 5000 });
    const backup = await SimulatedPool.listen({
      world: realWorld,
      seed: 2,
      difficulty: powerOfTwoText(-18),
      extranonce1Bytes: 8,
      jobIntervalMs: 5000,
    });
    stops.push(() => main.stop(), () => backup.stop());
    const { supervisor, port, dataDir } = await startProduct({
      yaml: `
sites: { north: { listen: [ "127.0.0.1:0" ] }, south: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: "${main.url}", user: farm }, backup: { url: "${backup.url}", user: farm } }
routes: [ { match: { site: north }, lessee: acme, pools: [ main, backup ] }, { lessee: cobalt, pools: [ main, backup ] } ]
difficulty: { start: "2^-22", min: "2^-30", max: "2^-10", sharesPerMinute: ${SHARES_PER_MINUTE} }
`,
    });
    stops.push(() => discard(dataDir));
    stops.push(() => supervisor.stop());
    const members = [
      ...drawMembers({ port: port('north'), prefix: 'acme.n', count: 100 }, 3, 250, 3),
      ...drawMembers({ port: port('south'), prefix: 'cobalt.s', count: 100 }, 4, 250, 3),
    ];
    const fleet = await FleetProcess.start({ seed: 11, members, rampMs: 2000 });
    stops.push(() => fleet.stop());

    await after(HALF_MS);
    backup.beginLow(powerOfTwoText(-28), 8000);
    const killedMs = realWorld.wallMs();
    main.kill();
    await after(HALF_MS);
    fleet.rest();
    await until(async () => (await fleet.summaries()).machines.every(({ waiting }) => waiting === 0));
    const { machines } = await fleet.summaries();
    const records = await fleet.records();
    await supervisor.stop();

    expect(machines.filter(({ connects, disconnects }) => connects !== 1 || disconnects !== 0)).toEqual([]);
    const journal = readJournal(dataDir);
    expect(compareFleet(records, journal)).toEqual({ missing: [], unfounded: [], twice: [], otherExponent: [] });
    expect(comparePools([main, backup], journal)).toEqual([]);
    expect(journal.unjournaled).toEqual([]);
    const counted = [...countedShares(journal).values()];
    expect(counted.length).toBeGreaterThan(3000);
    expect(new Set(counted.map(({ pool }) => pool))).toEqual(new Set(['main', 'backup']));

    // Shares of the dead pool's jobs still count for the machine; those for the backup are what a pool credits again.
    const workers = members.map(({ user }) => user);
    const quiet = waitsFrom(counted, workers, killedMs - QUIET_MS);
    const any = waitsFrom(counted, workers, killedMs);
    const anew = waitsFrom(counted.filter(({ pool }) => pool === 'backup'), workers, killedMs);
    const stranded = counted.filter(({ fact }) => fact.forwarding === 'no-link').length;
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
    console.log(
      `a pool dies under ${members.length} machines at a share each ${seconds(INTERVAL_MS)}: the next accepted share comes after ${seconds(any.meanMs)} on average (${seconds(quiet.meanMs)} in quiet), ` +
        `the first for the backup after ${seconds(anew.meanMs)}, at the latest after ${seconds(anew.longestMs)}; ${stranded} shares without a pool, 0 disconnects`,
    );
    expect([any.without, anew.without]).toEqual([[], []]);
    expect(anew.meanMs - quiet.meanMs).toBeLessThan(INTERVAL_MS);

    // The estimate agrees with the hashes that were really done.
    const accepted = counted.filter(({ fact }) => fact.verdict === 'accepted').map(({ fact }) => 2 ** fact.exponent * HASHES_PER_DIFFICULTY);
    const work = accepted.reduce((sum, hashes) => sum + hashes, 0);
    const deviation = Math.sqrt(accepted.reduce((sum, hashes) => sum + hashes ** 2, 0));
    const done = machines.reduce((sum, { hashes }) => sum + hashes, 0);
    expect(Math.abs(work - done)).toBeLessThan(5 * deviation + 0.02 * done);

    // The ledger's totals are the journal's.
    const store = Store.open(dataDir, { readonly: true });
    const totals = new Map<string, number>();
    for (const { verdict, n } of store.rows('total')) totals.set(verdict, (totals.get(verdict) ?? 0) + n);
    store.close();
    const inJournal = new Map<string, number>();
    for (const { fact } of journal.shares) inJournal.set(fact.verdict, (inJournal.get(fact.verdict) ?? 0) + 1);
    expect(totals).toEqual(inJournal);
  }, 120_000);
});
