/**
 * What the shared ledger costs, measured on a real server: bytes for a lessee's day, and how fast a backlog is published.
 * `node dist/test/bench/shared-ledger.js` after `npm run build`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisConfig } from '../../config/schema.ts';
import { readRedisUrl } from '../../config/redis-url.ts';
import { realWorld, seededRandom } from '../../config/world.ts';
import { openPublisher } from '../../accounting/redis/open.ts';
import { Store } from '../../accounting/store.ts';
import { BUCKET_TABLES } from '../../accounting/units.ts';
import { pause, RedisRig } from '../rig/redis.ts';
import { fillBacklog, SHARES_PER_MINUTE } from './backlog.ts';

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
    fillBacklog(store, machines, hours, seededRandom(1));
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
