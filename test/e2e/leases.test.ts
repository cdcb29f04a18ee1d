/** A lease in the real product: its machines stay measurable, silence is noticed, a curtailment stated beside the running instance is known at once. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { audit } from '../../accounting/audit.ts';
import { foundLast } from '../../accounting/leases/inventories.ts';
import { leaseHistory } from '../../accounting/leases/history.ts';
import { realWorld } from '../../config/world.ts';
import { run, type Run } from '../cli/cli-fixture.ts';
import { Fleet } from '../rig/fleet.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { freePort, RedisRig } from '../rig/redis.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { discard, startProduct, until, type Product } from './product.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** 20 kH/s make 600 shares a minute at 2^-21 and a little: its machines get at most 2^-22. */
const YAML = (url: string): string => `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: "${url}", user: farm } }
routes: [ { pools: [ main ] } ]
difficulty: { start: "2^-23", min: "2^-24", max: "2^-10", sharesPerMinute: 600 }
parties: { acme: { name: Acme }, nfx: { name: NFX } }
leases:
  lb:
    kind: leaseback
    lessor: acme
    lessee: nfx
    machines: { workers: [ "acme.*" ] }
    term: { from: 2020-01-01, to: 2099-01-01 }
    timezone: UTC
    contracted: 0.00002 GH/s
    rent: [ { fixed: 0.05 USD/TH/day, payer: nfx, payee: acme } ]
    minSharesPerMinute: 600
    curtailment: { annualCapHours: 500, creditTo: acme }
`;

const command = (product: Product, ...args: string[]): Promise<Run> => run([...args, '--config', join(product.dataDir, 'weighbridge.yaml')], { nowMs: Date.now() });
const stateOf = async (product: Product): Promise<string | undefined> => {
  const text = await (await fetch(`http://${product.supervisor.http}/metrics`)).text();
  return /weighbridge_lease_state\{lease="lb",state="(\w+)"\} 1\n/.exec(text)?.[1];
};

describe('a lease', () => {
  it('is ok with what its inventory says on record, dark when its machines fall silent, curtailed when that is stated; its work is under it in the ledger, and audited', async () => {
    const pool = await SimulatedPool.listen({ world: realWorld, seed: 8, difficulty: powerOfTwoText(-14) });
    stops.push(() => pool.stop());
    const folder = mkdtempSync(join(tmpdir(), 'wb-lease-'));
    stops.push(() => rmSync(folder, { recursive: true }));
    const inventory = join(folder, 'inventory.csv');
    writeFileSync(inventory, 'serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to\nS1,,acme.1,north,m,0.00000001,1,,,2026-01-01,\nS2,,acme.2,north,m,0.00000001,1,,,2026-01-01,\n');
    const product = await startProduct({ yaml: `${YAML(pool.url)}inventory: ${inventory}\n` });
    stops.push(() => discard(product.dataDir));
    stops.push(() => product.supervisor.stop());
    const members = ['acme.1', 'acme.2', 'other.1'].map((user) => ({ port: product.port('north'), user, hashesPerSecond: 10_000, ...(user === 'acme.2' ? { password: 'd=0.01' } : {}) }));
    const fleet = new Fleet(realWorld, { seed: 3, members });
    stops.push(() => fleet.stop());
    fleet.start();
    const answered = (): number => fleet.machines.reduce((sum, { replies }) => sum + replies.length, 0);
    await until(() => answered() >= 150);
    await until(async () => (await stateOf(product)) === 'ok');
    const machines = JSON.parse((await command(product, 'machines', '--lease', 'lb', '--json')).out) as { machines: { worker: string; exponent: number }[] };
    expect(machines.machines.map(({ worker }) => worker)).toEqual(['acme.1', 'acme.2']);
    for (const { exponent } of machines.machines) expect(exponent).toBeLessThanOrEqual(-22);
    const now = JSON.parse((await command(product, 'lease', 'now', '--json')).out) as { leases: { lease: string; windows: { rate: number }[] }[] };
    expect(now.leases).toMatchObject([{ lease: 'lb', contracted: 20_000, owed: 20_000, windows: [{ window: '5m' }, { window: '1h' }, { window: '24h' }, { window: 'period' }] }]);
    expect(now.leases[0]?.windows[0]?.rate).toBeGreaterThan(5000);
    expect(JSON.parse((await run(['lease', 'now', '--data', product.dataDir, '--json'])).out)).toMatchObject({ leases: [{ installed: 20_000 }] });
    const found = foundLast(leaseHistory(product.dataDir));
    expect(readFileSync(join(product.dataDir, 'inventory', `${found}.csv`), 'utf8')).toBe(readFileSync(inventory, 'utf8'));
    // Without the configuration the instance itself is asked.
    expect((await run(['lease', 'now', '--data', product.dataDir])).out).toMatch(/^lb +ok +20/m);
    expect(await run(['lease', 'now', 'lc', '--data', product.dataDir])).toMatchObject({ code: 1, err: 'The instance watches no lease "lc": there is lb.\n' });

    fleet.rest();
    await until(async () => (await stateOf(product)) === 'dark');
    expect((await command(product, 'lease', 'now')).out).toMatch(/^lb +dark/m);
    expect(await command(product, 'lease', 'curtail', 'lb', '--from', 'now', '--to', '+1h', '--by', 'nfx', '--reason', 'the grid calls')).toMatchObject({ code: 0 });
    await until(async () => (await stateOf(product)) === 'curtailed');
    await until(() => fleet.machines.every(({ waiting }) => waiting === 0));
    await product.supervisor.stop();

    const told = fleet.records().flatMap(({ replies }) => replies.filter(({ value }) => value));
    const { out } = await command(product, 'ledger', '--by', 'lease', '--step', '1m', '--from', '-10m', '--to', 'now', '--json');
    const { totals, total } = JSON.parse(out) as { totals: { key: string; accepted: number }[]; total: { accepted: number } };
    expect(total.accepted).toBe(told.length);
    expect(totals.map(({ key }) => key)).toEqual(['', 'lb']);
    expect(totals.every(({ accepted }) => accepted > 0)).toBe(true);
    expect(await audit({ dataDir: product.dataDir, threads: 0 })).toMatchObject({ ok: true, validated: told.length });
  }, 120_000);

  it('with machines at two hosts is dark when those of both are silent, and not for the silence of one', async () => {
    const redis = await RedisRig.single();
    stops.push(() => redis.dispose());
    const pool = await SimulatedPool.listen({ world: realWorld, seed: 8, difficulty: powerOfTwoText(-14) });
    stops.push(() => pool.stop());
    const hosts: { readonly product: Product; readonly fleet: Fleet }[] = [];
    for (const user of ['acme.1', 'acme.2']) {
      // Both are primaries of node:cluster in this one process, where port 0 would be the same port for both.
      const yaml = YAML(pool.url).replace('127.0.0.1:0', `127.0.0.1:${await freePort()}`);
      const product = await startProduct({ yaml: `${yaml}redis: { url: "${redis.url}", prefix: e2e }\n` });
      stops.push(() => discard(product.dataDir));
      stops.push(() => product.supervisor.stop());
      const fleet = new Fleet(realWorld, { seed: hosts.length, members: [{ port: product.port('north'), user, hashesPerSecond: 10_000 }] });
      stops.push(() => fleet.stop());
      fleet.start();
      hosts.push({ product, fleet });
    }
    const [first, second] = hosts;
    if (first === undefined || second === undefined) throw new Error('there are two hosts');
    const answered = (fleet: Fleet): number => fleet.machines.reduce((sum, { replies }) => sum + replies.length, 0);
    await until(() => hosts.every(({ fleet }) => answered(fleet) >= 30));
    for (const { product } of hosts) await until(async () => (await stateOf(product)) === 'ok');
    // Both have said how they stand; then there is time to read it.
    await until(async () => (await redis.first.client.keys('e2e:leases:????????-*')).filter((key) => !/:\d+$/.test(key)).length === 2);
    const heardAt = answered(first.fleet) + 40;
    await until(() => answered(first.fleet) >= heardAt);
    first.fleet.rest();
    const before = answered(second.fleet);
    const states = new Set<string | undefined>();
    // Alone, the first would be dark after two seconds.
    await until(async () => {
      states.add(await stateOf(first.product));
      return answered(second.fleet) >= before + 60;
    });
    expect(states).not.toContain('dark');
    expect(states).not.toContain('unmeasured');
    second.fleet.rest();
    for (const { product } of hosts) await until(async () => (await stateOf(product)) === 'dark');
    // Over the shared ledger it is the same.
    expect((await command(first.product, 'lease', 'now')).out).toMatch(/^lb +dark/m);
  }, 120_000);

  it('that is terminated beside a running instance claims no new work from then on; the configuration is not read for it', async () => {
    const pool = await SimulatedPool.listen({ world: realWorld, seed: 8, difficulty: powerOfTwoText(-14) });
    stops.push(() => pool.stop());
    const product = await startProduct({ yaml: YAML(pool.url) });
    stops.push(() => discard(product.dataDir));
    stops.push(() => product.supervisor.stop());
    const fleet = new Fleet(realWorld, { seed: 3, members: ['acme.1', 'acme.2'].map((user) => ({ port: product.port('north'), user, hashesPerSecond: 10_000 })) });
    stops.push(() => fleet.stop());
    fleet.start();
    const answered = (): number => fleet.machines.reduce((sum, { replies }) => sum + replies.length, 0);
    await until(() => answered() >= 60);
    // A change of the file that is not meant yet.
    writeFileSync(join(product.dataDir, 'weighbridge.yaml'), readFileSync(join(product.dataDir, 'weighbridge.yaml'), 'utf8').replace('sharesPerMinute: 600 }', 'sharesPerMinute: 500 }'));
    expect(await command(product, 'lease', 'terminate', 'lb', '--at', 'now', '--by', 'acme', '--reason', 'sold')).toMatchObject({ code: 0, out: expect.stringContaining('The running instance claims no new work from then on.') });
    const claimedMost = answered() + fleet.machines.reduce((sum, { waiting }) => sum + waiting, 0);
    expect(JSON.parse((await command(product, 'machines', '--lease', 'lb', '--json')).out)).toMatchObject({ machines: [] });
    expect((await run(['lease', 'list', '--data', product.dataDir], { nowMs: Date.now() })).out).toMatch(/^lb .* terminated$/m);
    await until(() => answered() >= claimedMost + 60);
    expect((await command(product, 'reload')).out).toContain('difficulty.sharesPerMinute is now 500');
    fleet.rest();
    await until(() => fleet.machines.every(({ waiting }) => waiting === 0));
    await product.supervisor.stop();
    const { out } = await command(product, 'ledger', '--by', 'lease', '--step', '1m', '--from', '-10m', '--to', 'now', '--json');
    const { totals } = JSON.parse(out) as { totals: { key: string; accepted: number }[] };
    const accepted = (lease: string): number => totals.find(({ key }) => key === lease)?.accepted ?? 0;
    expect(accepted('lb')).toBeGreaterThan(0);
    expect(accepted('lb')).toBeLessThanOrEqual(claimedMost);
    expect(accepted('')).toBeGreaterThanOrEqual(60);
  }, 120_000);
});
