/** Over TCP: more machines than a pool leaves prefixes for all hash, on a second connection to it, and every share counts once. */
import { afterEach, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { Fleet } from '../rig/fleet.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { readJournal } from './journal-shares.ts';
import { discard, startProduct, until } from './product.ts';
import { comparePools } from './truth.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const MACHINES = 260;

it('260 machines on a pool that leaves 255 prefixes', async () => {
  const pool = await SimulatedPool.listen({ world: realWorld, seed: 8, difficulty: powerOfTwoText(-24), extranonce2Bytes: 4 });
  stops.push(() => pool.stop());
  const { supervisor, port, dataDir } = await startProduct({
    yaml: `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: "${pool.url}", user: farm } }
routes: [ { lessee: acme, pools: [ main ] } ]
difficulty: { start: "2^-24", min: "2^-24", max: "2^-24", sharesPerMinute: 60 }
`,
  });
  stops.push(() => discard(dataDir));
  stops.push(() => supervisor.stop());
  const members = Array.from({ length: MACHINES }, (_, index) => ({ port: port('north'), user: `acme.r${index}`, hashesPerSecond: 200 }));
  const fleet = new Fleet(realWorld, { seed: 2, members });
  stops.push(() => fleet.stop());
  fleet.start();
  await until(() => fleet.machines.every(({ replies }) => replies.length > 0));
  fleet.rest();
  await until(() => fleet.machines.every(({ waiting }) => waiting === 0));
  expect(pool.connections.size).toBe(2);
  await supervisor.stop();

  const journal = readJournal(dataDir);
  expect(comparePools([pool], journal)).toEqual([]);
  const good = fleet.records().flatMap(({ replies }) => replies.filter(({ value }) => value).map(({ headerHex }) => headerHex));
  const written = journal.shares.filter(({ fact }) => fact.verdict === 'accepted').map(({ headerHex }) => headerHex);
  expect(good.length).toBeGreaterThanOrEqual(MACHINES);
  expect(written.toSorted()).toEqual(good.toSorted());
  expect(new Set(written).size).toBe(written.length);
}, 120_000);
