/** Two instances share one ledger in Redis: either shows both, and journals, SQLite, Redis and replies agree to the share. */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { audit } from '../../accounting/audit.ts';
import { loadConfig } from '../../config/load.ts';
import { realWorld } from '../../config/world.ts';
import type { LedgerReport } from '../../accounting/ledger.ts';
import { run } from '../cli/cli-fixture.ts';
import { Fleet } from '../rig/fleet.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { freePort, RedisRig } from '../rig/redis.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { discard, startProduct, until, type Product } from './product.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function instance(pool: SimulatedPool, redis: RedisRig, site: string): Promise<Product> {
  // Both are primaries of node:cluster in this one process, where port 0 would be the same port for both.
  const product = await startProduct({
    yaml: `
sites: { ${site}: { listen: [ "127.0.0.1:${await freePort()}" ] } }
pools: { main: { url: "${pool.url}", user: farm } }
routes: [ { lessee: acme, pools: [ main ] } ]
difficulty: { start: "2^-23", min: "2^-24", max: "2^-10", sharesPerMinute: 600 }
redis: { url: "${redis.url}", prefix: e2e }
`,
  });
  stops.push(() => discard(product.dataDir));
  stops.push(() => product.supervisor.stop());
  return product;
}

async function bySite(product: Product, ...flags: string[]): Promise<Record<string, number>> {
  const { out } = await run(['ledger', '--config', join(product.dataDir, 'weighbridge.yaml'), '--by', 'site', '--step', '1m', '--from', '-10m', '--to', 'now', '--json', ...flags], { nowMs: Date.now() });
  const { totals } = JSON.parse(out) as LedgerReport;
  return Object.fromEntries(totals.map(({ key, accepted }) => [key, accepted]));
}

describe('two instances with one ledger', () => {
  it('show each other’s work and machines, and agree after Redis was away', async () => {
    const redis = await RedisRig.single(['--appendonly', 'yes']);
    stops.push(() => redis.dispose());
    const pool = await SimulatedPool.listen({ world: realWorld, seed: 8, difficulty: powerOfTwoText(-22) });
    stops.push(() => pool.stop());
    const [north, south] = [await instance(pool, redis, 'north'), await instance(pool, redis, 'south')];
    const fleets = ([[north, 'north'], [south, 'south']] as const).map(([product, site]) => {
      const members = ['r1', 'r2'].map((name) => ({ port: product.port(site), user: `${site}.${name}`, hashesPerSecond: 10_000 }));
      const fleet = new Fleet(realWorld, { seed: site.length, members });
      stops.push(() => fleet.stop());
      fleet.start();
      return fleet;
    });
    const answered = (): number => fleets.reduce((sum, { machines }) => sum + machines.reduce((each, { replies }) => each + replies.length, 0), 0);
    await until(() => answered() >= 100);
    await redis.first.stop();
    await until(() => answered() >= 300);
    const { out } = await run(['status', '--config', join(north.dataDir, 'weighbridge.yaml'), '--json']);
    expect(JSON.parse(out)).toMatchObject({ accountant: { redis: { problem: expect.stringMatching(/^Redis cannot be reached/) } } });
    await redis.first.start();
    const machines = async (...flags: string[]): Promise<string[]> => {
      const found = await run(['machines', '--config', join(north.dataDir, 'weighbridge.yaml'), '--json', ...flags]);
      const names = (JSON.parse(found.out) as { machines: { worker: string }[] }).machines.map(({ worker }) => worker);
      return [...new Set(names)].toSorted();
    };
    const four = ['north.r1', 'north.r2', 'south.r1', 'south.r2'];
    await until(async () => (await machines()).length >= 4);
    expect(await machines()).toEqual(four);
    expect(await machines('--local')).toEqual(four.slice(0, 2));
    for (const fleet of fleets) fleet.rest();
    await until(() => fleets.every((fleet) => fleet.machines.every(({ waiting }) => waiting === 0)));
    await until(async () => JSON.stringify(await bySite(south)) === JSON.stringify({ ...(await bySite(north, '--local')), ...(await bySite(south, '--local')) }));
    await north.supervisor.stop();
    await south.supervisor.stop();

    const told = fleets.flatMap((fleet) => fleet.records().flatMap(({ replies }) => replies.filter(({ value }) => value)));
    const shared = await bySite(north);
    expect((shared['north'] ?? 0) + (shared['south'] ?? 0)).toBe(told.length);
    const { config } = loadConfig(join(north.dataDir, 'weighbridge.yaml'));
    const report = await audit({ dataDir: [north.dataDir, south.dataDir], threads: 0, ...(config?.redis === undefined ? {} : { shared: config.redis }) });
    expect(report).toMatchObject({ ok: true, shared: { underWay: 0 } });
    expect(report.validated).toBe(told.length);
  }, 120_000);
});
