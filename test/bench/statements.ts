/**
 * How long a month's statement takes with 5,000 machines and 50 leases, from the local ledger and from Redis, for a lease of
 * some hundred machines and for one of all; and how much of it this process computed, which the load of the machine changes
 * less. `node dist/test/bench/statements.js` after `npm run build`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { draft } from '../../accounting/leases/draft.ts';
import { LocalBook } from '../../accounting/local-book.ts';
import type { Book } from '../../accounting/reader.ts';
import { openPublisher, openSharedBook } from '../../accounting/redis/open.ts';
import { DAY_MS, emptyDeltas, HOUR_MS, MINUTE_MS } from '../../accounting/rows.ts';
import { Store } from '../../accounting/store.ts';
import { midnightMs } from '../../config/calendar.ts';
import { parseConfig } from '../../config/load.ts';
import { readRedisUrl } from '../../config/redis-url.ts';
import type { Config, RedisConfig } from '../../config/schema.ts';
import { realWorld } from '../../config/world.ts';
import { pause, RedisRig } from '../rig/redis.ts';

const MACHINES = 5000;
const LEASES = 50;
const ZONE = 'America/Chicago';
const [FROM_MS, TO_MS] = [midnightMs('2026-11-01', ZONE), midnightMs('2026-12-01', ZONE)];
const RUN = '0123456789ab';
const EXPONENT = 22;
const SHARES_AN_HOUR = 360;
const TURNS = 200;
const ROUNDS = 5;

/** Every machine is under one of the leasebacks and, with all others, under one hosting contract. */
function configure(folder: string): Config {
  const leaseback = (index: number): string => `  lb-${index}: { kind: leaseback, lessor: acme, lessee: nfx, machines: { workers: ["m${index}.*"] }, ${TERM}, rent: [{ fixed: 0.04 USD/TH/day, payer: nfx, payee: acme }, { revenueShare: 35%, payer: nfx, payee: acme }] }`;
  const inventory = ['serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to', ...Array.from({ length: MACHINES }, (_, index) => `SN-${index},,${workerOf(index)},north,S21,200,3500,,,2026-10-01,`)];
  writeFileSync(join(folder, 'inventory.csv'), inventory.join('\n'));
  const { config, problems } = parseConfig(`
data: ${folder}
sites: { north: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:3333", user: u } }
routes: [{ pools: [main] }]
parties: { acme: { name: Acme }, nfx: { name: NFX }, host: { name: Host } }
inventory: inventory.csv
leases:
  host-all: { kind: hosting, lessor: acme, lessee: host, machines: { sites: [north] }, ${TERM}, rent: [{ hosting: 0.06 USD/kWh, efficiency: 17.5 J/TH, payer: acme, payee: host }] }
${Array.from({ length: LEASES - 1 }, (_, index) => leaseback(index)).join('\n')}
`, join(folder, 'x.yaml'), {});
  if (config === undefined) throw new Error(JSON.stringify(problems.slice(0, 3)));
  return config;
}

const TERM = `term: { from: 2026-11-01, to: 2027-11-01 }, timezone: ${ZONE}, contracted: 20 PH/s`;

function workerOf(index: number): string {
  return `m${index % (LEASES - 1)}.${index}`;
}

function fill(dataDir: string): void {
  const store = Store.open(dataDir);
  for (let fromMs = FROM_MS; fromMs < TO_MS; fromMs = Math.min(TO_MS, midnightAfter(fromMs))) store.apply(dayRows(fromMs, Math.min(TO_MS, midnightAfter(fromMs))), []);
  store.close();
}

function midnightAfter(ms: number): number {
  return midnightMs(new Date(ms + 30 * HOUR_MS).toISOString().slice(0, 10), ZONE);
}

function dayRows(fromMs: number, toMs: number): ReturnType<typeof emptyDeltas> {
  const deltas = emptyDeltas();
  const day = Math.floor((fromMs + 12 * HOUR_MS) / DAY_MS);
  const hours = (toMs - fromMs) / HOUR_MS;
  for (let hour = fromMs / HOUR_MS; hour < toMs / HOUR_MS; hour += 1) {
    for (let lease = 0; lease < LEASES - 1; lease += 1) {
      const common = { hour, run: RUN, site: 'north', lessee: 'nfx', leases: `host-all,lb-${lease}`, pool: 'main' };
      const n = Math.round((MACHINES / (LEASES - 1)) * SHARES_AN_HOUR);
      deltas.delivered_hour.set(`${hour} ${lease} a`, { ...common, verdict: 'accepted', forwarding: 'below-target', exponent: EXPONENT, n: Math.round(n * 0.75), worth: BigInt(n) * 10n ** 20n });
      deltas.delivered_hour.set(`${hour} ${lease} b`, { ...common, verdict: 'accepted', forwarding: 'forwarded', exponent: EXPONENT, n: Math.round(n * 0.25), worth: BigInt(n) * 10n ** 19n });
      deltas.credited_hour.set(`${hour} ${lease}`, { ...common, verdict: 'accepted', reason: 'none', difficulty: String(2 ** (EXPONENT + 2)), n: Math.round(n * 0.25), worth: BigInt(n) * 10n ** 20n });
    }
    for (let minute = hour * 60; minute < hour * 60 + 60; minute += 1) {
      deltas.observed_minute.set(`${minute}`, { minute, run: RUN, process: RUN.slice(0, 8), observed_ms: MINUTE_MS, first_ms: minute * MINUTE_MS, last_ms: (minute + 1) * MINUTE_MS });
    }
  }
  const slots = Array.from({ length: hours }, (_, hour) => BigInt(SHARES_AN_HOUR) << BigInt(32 * hour)).reduce((a, b) => a + b, 0n);
  for (let index = 0; index < MACHINES; index += 1) {
    for (const lease of ['host-all', `lb-${index % (LEASES - 1)}`]) {
      deltas.lease_day.set(`${index} ${lease}`, { day, run: RUN, lease, worker: workerOf(index), exponent: EXPONENT, n: SHARES_AN_HOUR * hours, first_ms: fromMs + 1000, last_ms: toMs - 1000, slots });
    }
  }
  return deltas;
}

async function publish(config: RedisConfig, dataDir: string): Promise<void> {
  const store = Store.open(dataDir);
  const publisher = openPublisher(config, dataDir, realWorld);
  // To ask how much is left takes longer than a turn.
  while (store.units.lag().units > 0) {
    for (let turn = 0; turn < TURNS; turn += 1) {
      publisher.turn(store.units, true);
      await pause(2);
    }
  }
  await publisher.close();
  store.close();
}

async function measure(what: string, config: Config, open: () => Promise<Book>): Promise<void> {
  for (const lease of ['lb-7', 'host-all']) {
    const [walls, computed]: [number[], number[]] = [[], []];
    let shares = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const [beganMs, cpu] = [realWorld.monoMs(), process.cpuUsage()];
      const book = await open();
      const result = await draft(config, { lease, period: '2026-11', nowMs: TO_MS + DAY_MS }, book, []);
      book.close();
      const { user, system } = process.cpuUsage(cpu);
      walls.push((realWorld.monoMs() - beganMs) / 1000);
      computed.push((user + system) / 1e6);
      if ('refused' in result) throw new Error(result.refused);
      ({ shares } = result.total);
    }
    console.log(`${what}: the month of ${lease}, ${shares} shares: ${median(walls)} s, ${median(computed)} s of them computing here (medians of ${ROUNDS})`);
  }
}

function median(values: readonly number[]): string {
  return (values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0).toFixed(2);
}

const folder = mkdtempSync(join(tmpdir(), 'wb-bench-statements-'));
const rig = await RedisRig.single();
try {
  const config = configure(folder);
  fill(folder);
  await measure('local', config, () => Promise.resolve(LocalBook.open(folder)));
  const address = readRedisUrl(rig.url);
  if (typeof address === 'string') throw new Error(address);
  const shared: RedisConfig = { url: address, prefix: 'wb', retention: { minuteMs: 3660 * DAY_MS, hourMs: 3660 * DAY_MS, dayMs: 3660 * DAY_MS }, commandTimeoutMs: 10_000, scrubMs: HOUR_MS };
  await publish(shared, folder);
  await measure('Redis', config, () => openSharedBook(shared, realWorld));
} finally {
  await rig.dispose();
  rmSync(folder, { recursive: true, force: true });
}
