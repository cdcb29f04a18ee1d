/**
 * `npm run bench [-- --json] [--quick] [--write FILE] [--compare FILE] [--keep FILE]`: the product beside a bare Node responder and beside
 * bitcoinjs-lib in one run on this machine, so that the ratios hold wherever it runs; with the disk's own speed beside them.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { realWorld } from '../../config/world.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { measureAudit, measureFold } from './books.ts';
import { ended, startProxy, startResponder, type Served } from './children.ts';
import { COLLECTING, measureIdle } from './idle.ts';
import { benchKernel } from './kernel.ts';
import { bandwidth, closedLoop, compareProcesses, openLoop, storm, type ClosedLoop } from './paths.ts';
import { startProduct } from './product.ts';
import { goals, page, ratios, table, worse, type Report } from './report.ts';

const HOUR_MS = 3_600_000;
const OPEN_SHARES_PER_SECOND = 2000;
const STORM_MACHINES = 10_000;
const UPSTREAM_MACHINES = 1000;
/** 2^-24: 256 times what the machines have. */
const UPSTREAM_DIFFICULTY = '0.000000059604644775390625';

const { values: options } = parseArgs({ options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, write: { type: 'string' }, compare: { type: 'string' }, keep: { type: 'string' } } });
const quick = options.quick === true;
const scratch = mkdtempSync(join(tmpdir(), 'weighbridge-bench-'));
const [rounds, seconds] = quick ? [1, 2] : [3, 4];

/** fdatasync of 4 KiB appends in the directory the journals lie in. */
function measureDisk(): Report['disk'] {
  const file = openSync(join(scratch, 'disk'), 'w');
  const block = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 300 }, () => {
    writeSync(file, block);
    const from = performance.now();
    fdatasyncSync(file);
    return performance.now() - from;
  }).sort((a, b) => a - b);
  closeSync(file);
  return { p50Ms: times[150]!, p99Ms: times[297]! };
}

function listen(difficulty: string): Promise<SimulatedPool> {
  return SimulatedPool.listen({ world: realWorld, difficulty, jobIntervalMs: HOUR_MS, blockIntervalMs: HOUR_MS, seed: 1 });
}

/** Runs `use` against a proxy of its own, whose journals lie in `scratch`/`name`. */
async function withProxy<V>(name: string, poolPort: number, use: (proxy: Served) => Promise<V>, more: { readonly durability?: 'os'; readonly execArgv?: string[] } = {}): Promise<V> {
  const proxy = await startProxy({ data: join(scratch, name), poolPort, ...more });
  const result = await use(proxy);
  await ended(proxy);
  return result;
}

/** A pool that no share reaches: at difficulty 1 one hash in four billion does. */
async function measurePaths(pool: SimulatedPool, bare: Served): Promise<Pick<Report, 'closed' | 'open' | 'openOs'>> {
  const closed: ClosedLoop[] = [];
  const open = await withProxy('path', pool.port, async (proxy) => {
    for (const connections of quick ? [100] : [100, 1000]) closed.push(await closedLoop(bare, proxy, connections, rounds, seconds));
    return undefined;
  }).then(() => withProxy('open', pool.port, (proxy) => openLoop(bare, proxy, OPEN_SHARES_PER_SECOND, rounds, seconds)));
  const openOs = await withProxy('os', pool.port, (proxy) => openLoop(bare, proxy, OPEN_SHARES_PER_SECOND, rounds, seconds), { durability: 'os' });
  return { closed, open, openOs };
}

async function measureProcesses(pool: SimulatedPool): Promise<Report['processes']> {
  const [one, two] = [await startProduct(join(scratch, 'one'), pool, 1), await startProduct(join(scratch, 'two'), pool, 2)];
  try {
    return await compareProcesses(one, two, rounds, seconds);
  } finally {
    await Promise.all([one.stop(), two.stop()]);
  }
}

async function measureSize(pool: SimulatedPool): Promise<Pick<Report, 'processes' | 'idle' | 'storm'>> {
  // Fresh processes: one that has just been saturated hides the cost of a connection in its free heap.
  const proxy = await withProxy('idle', pool.port, (served) => measureIdle(served, pool), { execArgv: COLLECTING });
  const responder = await startResponder(COLLECTING);
  const bare = await measureIdle(responder, undefined);
  await ended(responder);
  const stormed = await withProxy('storm', pool.port, (served) => storm(served, STORM_MACHINES));
  const processes = await measureProcesses(pool);
  return { processes, idle: { ...proxy, bareBytesPerConnection: bare.bytesPerConnection }, storm: stormed };
}

async function measureAll(): Promise<Report> {
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version };
  const kernel = benchKernel();
  const disk = measureDisk();
  const [far, near] = [await listen('1'), await listen(UPSTREAM_DIFFICULTY)];
  const bare = await startResponder();
  const paths = await measurePaths(far, bare);
  await ended(bare);
  const upstream = await withProxy('upstream', near.port, (proxy) => bandwidth(proxy, near, UPSTREAM_MACHINES, quick ? 4 : 10));
  const size = quick ? undefined : await measureSize(far);
  await Promise.all([far.stop(), near.stop()]);
  const fold = await measureFold(join(scratch, 'path'));
  await measureFold(join(scratch, 'upstream'));
  const audited = await measureAudit(join(scratch, 'upstream'));
  return { machine, disk, kernel, ...paths, upstream, ...size, fold, audit: audited };
}

const report = await measureAll().finally(() => rmSync(scratch, { recursive: true, force: true }));
if (options.write !== undefined) writeFileSync(options.write, page(report));
process.stdout.write(options.json === true ? `${JSON.stringify({ ...report, goals: goals(report) }, undefined, 2)}\n` : table(report));
if (options.keep !== undefined) writeFileSync(options.keep, `${JSON.stringify(ratios(report), undefined, 2)}\n`);
if (options.compare !== undefined) {
  const found = worse(report, JSON.parse(readFileSync(options.compare, 'utf8')) as Record<string, number>);
  for (const sentence of found) process.stderr.write(`${sentence}\n`);
  if (found.length > 0) process.exitCode = 1;
}
