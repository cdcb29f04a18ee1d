/**
 * What the shared ledger costs, measured on a real server: bytes for a lessee's day, and how fast a backlog is published.
 * `node dist/test/bench/shared-ledger.js` after `npm run build`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisConfig } from '../../config/schema.ts';
import { readRedisUrl } from '../../config/redis-url.ts';
import { realWorld, seededRandom, type Random } from '../../config/world.ts';
import { openPublisher } from '../../accounting/redis/open.ts';
import { emptyDeltas, type BucketTable, type Deltas, type KeptRow } from '../../accounting/rows.ts';
import { Store } from '../../accounting/store.ts';
import { BUCKET_TABLES } from '../../accounting/units.ts';
import { pause, RedisRig } from '../rig/redis.ts';

const RUN = '0123456789ab';
const GROUP = { site: 'north', lessee: 'acme', leases: '', pool: 'main' } as const;
const SHARES_PER_MINUTE = 6;
const STALE_PERCENT = 2;

function put<T extends BucketTable>(deltas: Deltas, table: T, row: KeptRow<T>): void {
  const map = deltas[table] as Map<string, KeptRow<T>>;
  map.set(String(map.size), row);
}

/** A minute of a lessee: up to five difficulties, two jobs of different worth, forwarded and not, some stale. */
function minuteRows(deltas: Deltas, minute: number, machines: number, random: Random): void {
  const exponents = Math.min(5, machines);
  const share = { minute, run: RUN, ...GROUP, link: '01234567.1', nbits: 0x17023a04 };
  for (let index = 0; index < exponents; index += 1) {
    const n = Math.ceil((machines * SHARES_PER_MINUTE) / exponents / 4);
    for (const value of [315_012_581 + (random.u32() % 1000), 315_412_581]) {
      for (const forwarding of ['below-target', 'forwarded'] as const) put(deltas, 'delivered_minute', { ...share, verdict: 'accepted', forwarding, exponent: 14 + index, value, n });
      put(deltas, 'credited_minute', { ...share, verdict: 'accepted', reason: 'none', code: '', difficulty: '262144', value: value + index, n });
    }
  }
  put(deltas, 'delivered_minute', { ...share, verdict: 'stale', forwarding: 'below-target', exponent: 14, value: 315_012_581, n: 1 });
  put(deltas, 'observed_minute', { minute, run: RUN, process: '01234567', observed_ms: 60_000, first_ms: minute * 60_000, last_ms: minute * 60_000 + 59_000 });
}

function hourRows(deltas: Deltas, hour: number, machines: number): void {
  const worth = 123_456_789_012_345_678_901_234n;
  for (let index = 0; index < Math.min(5, machines); index += 1) {
    for (const forwarding of ['below-target', 'forwarded'] as const) {
      put(deltas, 'delivered_hour', { hour, run: RUN, ...GROUP, verdict: 'accepted', forwarding, exponent: 14 + index, n: machines * 30, worth });
    }
  }
  put(deltas, 'credited_hour', { hour, run: RUN, ...GROUP, verdict: 'accepted', reason: 'none', difficulty: '262144', n: machines, worth });
}

/** An hour of some workers; ten in a hundred had a second difficulty. */
function workerRows(deltas: Deltas, hour: number, from: number, to: number, random: Random): void {
  for (let number = from; number < to; number += 1) {
    const worker = `acme.rig${String(number).padStart(6, '0')}`;
    const row = { hour, run: RUN, ...GROUP, worker, last_ms: hour * 3_600_000 + 3_000_000 + (random.u32() % 600_000) };
    put(deltas, 'worker_hour', { ...row, verdict: 'accepted', exponent: 16, n: 340 + (random.u32() % 40) });
    if (random.u32() % 10 === 0) put(deltas, 'worker_hour', { ...row, verdict: 'accepted', exponent: 17, n: 3 });
    if (random.u32() % 100 < STALE_PERCENT * 10) put(deltas, 'worker_hour', { ...row, verdict: 'stale', exponent: 16, n: 2 });
    put(deltas, 'worker_connected', { hour, run: RUN, site: GROUP.site, lessee: GROUP.lessee, leases: '', worker, connected_ms: 3_600_000 });
  }
}

const WORKERS_PER_COMMIT = 20_000;

function fill(store: Store, machines: number, hours: number, random: Random): void {
  const last = Math.floor(realWorld.wallMs() / 3_600_000);
  for (let hour = last - hours; hour < last; hour += 1) {
    const deltas = emptyDeltas();
    for (let minute = hour * 60; minute < (hour + 1) * 60; minute += 1) minuteRows(deltas, minute, machines, random);
    hourRows(deltas, hour, machines);
    store.apply(deltas, []);
    for (let from = 0; from < machines; from += WORKERS_PER_COMMIT) {
      const workers = emptyDeltas();
      workerRows(workers, hour, from, Math.min(machines, from + WORKERS_PER_COMMIT), random);
      store.apply(workers, []);
    }
  }
}

/** Publishes everything; returns milliseconds. */
async function publish(store: Store, dataDir: string, config: RedisConfig): Promise<{ ms: number; rows: number; rssMiB: number }> {
  const publisher = openPublisher(config, dataDir, realWorld);
  const beganMs = realWorld.monoMs();
  let rssMiB = 0;
  for (;;) {
    if (publisher.turn(store.units, true)) await pause(0);
    else if (store.units.lag().units === 0) break;
    else await pause(5);
    rssMiB = Math.max(rssMiB, process.memoryUsage().rss / 2 ** 20);
  }
  const ms = realWorld.monoMs() - beganMs;
  const { publishedRows } = publisher.figures(store.units);
  await publisher.close();
  return { ms, rows: publishedRows, rssMiB };
}

async function measure(rig: RedisRig, machines: number, hours: number): Promise<void> {
  const { client } = rig.first;
  await client.flushall();
  const address = readRedisUrl(rig.url);
  if (typeof address === 'string') throw new Error(address);
  const retention = { minuteMs: 8 * 86_400_000, hourMs: 100 * 86_400_000, dayMs: 3660 * 86_400_000 };
  const dataDir = mkdtempSync(join(tmpdir(), 'wb-bench-'));
  const store = Store.open(dataDir);
  try {
    fill(store, machines, hours, seededRandom(1));
    const { ms, rows, rssMiB } = await publish(store, dataDir, { url: address, prefix: 'wb', retention, commandTimeoutMs: 10_000, scrubMs: 3_600_000 });
    const bytes = new Map<string, number>();
    for (const table of BUCKET_TABLES) bytes.set(table, await bytesOf(rig, `wb:{${table}:*`));
    const total = [...bytes.values()].reduce((sum, each) => sum + each, 0);
    const shares = machines * SHARES_PER_MINUTE * 60 * hours;
    console.log(`${machines} machines, ${hours} h: ${rows} rows in ${Math.round(ms)} ms (${Math.round((rows / ms) * 1000)} rows/s, worth ${Math.round((shares / ms) * 1000)} shares/s), rss ${Math.round(rssMiB)} MiB`);
    console.log(`  a day: ${Math.round((total * 24) / hours)} B; a worker-hour: ${((bytes.get('worker_hour') ?? 0) / machines / hours).toFixed(1)} + ${((bytes.get('worker_connected') ?? 0) / machines / hours).toFixed(1)} B`);
    for (const [table, each] of bytes) if (each > 0) console.log(`  ${table}: ${Math.round((each * 24) / hours)} B a day`);
  } finally {
    store.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** MEMORY USAGE of all keys that match, every field counted. */
async function bytesOf(rig: RedisRig, pattern: string): Promise<number> {
  const { client } = rig.first;
  let bytes = 0;
  let cursor = '0';
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', 2000);
    cursor = next;
    const sizes = await Promise.all(keys.map((key) => client.memory('USAGE', key, 'SAMPLES', 0)));
    for (const size of sizes) bytes += Number(size ?? 0);
  } while (cursor !== '0');
  return bytes;
}

const rig = await RedisRig.single();
try {
  for (const [machines, hours] of [[10, 24], [1_000, 24], [250_000, 1]] as const) await measure(rig, machines, hours);
} finally {
  await rig.dispose();
}
