/** `npm run bench [-- --json]`: ratios measured in one run on this machine, with the disk's own speed beside them. */
import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realWorld } from '../../config/world.ts';
import { parseConfig } from '../../config/load.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { benchKernel } from './kernel.ts';
import type { LoadRequest, LoadResult } from './load.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const ROUNDS = 3;
const SECONDS = 4;
const CLOCK_TICKS_PER_SECOND = 100;

interface PathResult {
  readonly connections: number;
  readonly sharesPerSecond: number;
  readonly cpuMicrosPerShare: number;
  readonly refused: number;
  readonly replyP50Ms: number;
  readonly replyP99Ms: number;
  readonly connectsPerSecond: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const median = <T>(rows: readonly T[], of: (row: T) => number): number => rows.map(of).sort((a, b) => a - b)[rows.length >> 1]!;

/** User and system CPU seconds of a process so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

function message<T>(child: ChildProcess, type: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (value: { type: string }): void => {
      if (value.type === 'fatal') reject(new Error(JSON.stringify(value)));
      if (value.type !== type) return;
      child.off('message', onMessage);
      resolve(value as T);
    };
    child.on('message', onMessage);
    child.once('exit', (code) => reject(new Error(`bench child ended early with ${code}`)));
  });
}

async function load(request: LoadRequest, whenReady: () => void = () => {}): Promise<LoadResult> {
  const child = fork(here('./load.js'));
  child.once('message', whenReady);
  child.send(request);
  const { result } = await message<{ result: LoadResult }>(child, 'result');
  child.disconnect();
  return result;
}

/** fdatasync of 4 KiB appends in the directory the journals lie in. */
function benchDisk(directory: string): { p50Ms: number; p99Ms: number } {
  const file = openSync(join(directory, 'disk'), 'w');
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

/** Every hash is a share at 2^-32, none reaches the pool's difficulty 1: what is measured is reading, judging, journaling, answering. */
function configuration(data: string, poolPort: number): string {
  mkdirSync(data, { recursive: true });
  const text = `
data: ${data}
http: 127.0.0.1:0
sites: { bench: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:${poolPort}", user: bench } }
routes: [ { pools: [ main ] } ]
difficulty: { start: "2^-32", min: "2^-32", max: "2^-32", sharesPerMinute: 6 }
limits: { duplicatesMax: 20000000, sessionsPerAddressMax: 20000 }
`;
  const { config, problems } = parseConfig(text, 'bench');
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return JSON.stringify(config);
}

const COLLECTING = ['--expose-gc', '--import', here('./collect.js')];

async function startProxy(data: string, poolPort: number, execArgv: string[] = []): Promise<{ child: ChildProcess; port: number }> {
  const env = { ...process.env, WEIGHBRIDGE_CONFIG: configuration(data, poolPort) };
  const child = fork(here('../../proxy/net/proxy-main.js'), { execArgv, env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const { addresses } = await message<{ addresses: { address: string }[] }>(child, 'listening');
  return { child, port: Number(addresses[0]!.address.split(':').at(-1)) };
}

async function measurePath(child: ChildProcess, port: number, connections: number): Promise<PathResult> {
  let before = 0;
  const result = await load({ port, connections, depth: 4, seconds: SECONDS }, () => (before = cpuSeconds(child.pid!)));
  const cpu = cpuSeconds(child.pid!) - before;
  return {
    connections,
    sharesPerSecond: result.answered / result.seconds,
    cpuMicrosPerShare: (cpu * 1e6) / result.answered,
    refused: result.refused,
    replyP50Ms: result.replyP50Ms,
    replyP99Ms: result.replyP99Ms,
    connectsPerSecond: connections / result.connectSeconds,
  };
}

function middle(rows: readonly PathResult[]): PathResult {
  return {
    connections: rows[0]!.connections,
    sharesPerSecond: median(rows, (row) => row.sharesPerSecond),
    cpuMicrosPerShare: median(rows, (row) => row.cpuMicrosPerShare),
    refused: Math.max(...rows.map((row) => row.refused)),
    replyP50Ms: median(rows, (row) => row.replyP50Ms),
    replyP99Ms: median(rows, (row) => row.replyP99Ms),
    connectsPerSecond: median(rows, (row) => row.connectsPerSecond),
  };
}

/** Idle connections held while more are added: the slope between the two is what a connection costs, start-up left out. */
const IDLE = { base: 2000, more: 8000 };

/** Resident memory per idle connection that has its job, and the spread of a new block over all that were added. */
async function measureIdle(child: ChildProcess, port: number, pool: SimulatedPool | undefined): Promise<{ bytes: number; fanOutMs: number | undefined }> {
  let before = 0;
  let after = 0;
  const idle = { port, depth: 0 };
  const base = load({ ...idle, connections: IDLE.base, seconds: 12 });
  await pause(3500);
  before = residentBytes(child.pid!);
  const more = load({ ...idle, connections: IDLE.more, seconds: 6 }, () => {
    setTimeout(() => (after = residentBytes(child.pid!)), 1900);
    if (pool !== undefined) for (const delay of [2000, 2700, 3400]) setTimeout(() => pool.newBlock(), delay);
  });
  const result = await more;
  await base;
  return { bytes: (after - before) / IDLE.more, fanOutMs: result.fanOutMs };
}

async function main(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'weighbridge-bench-'));
  const pool = await SimulatedPool.listen({ world: realWorld, difficulty: '1', jobIntervalMs: 3_600_000, blockIntervalMs: 3_600_000, seed: 1 });
  const kernel = benchKernel();
  const disk = benchDisk(data);
  const responder = fork(here('./responder.js'));
  const { port: barePort } = await message<{ port: number }>(responder, 'listening');
  const proxy = await startProxy(data, pool.port);
  const paths: { connections: number; bare: PathResult; proxy: PathResult }[] = [];
  for (const connections of [100, 1000]) {
    const bare: PathResult[] = [];
    const through: PathResult[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(await measurePath(responder, barePort, connections));
      through.push(await measurePath(proxy.child, proxy.port, connections));
    }
    paths.push({ connections, bare: middle(bare), proxy: middle(through) });
  }
  proxy.child.disconnect();
  // A fresh process: one that has just been saturated hides the cost of a connection in its free heap.
  const fresh = await startProxy(join(data, 'idle'), pool.port, COLLECTING);
  const idle = await measureIdle(fresh.child, fresh.port, pool);
  fresh.child.disconnect();
  const bareIdle = fork(here('./responder.js'), { execArgv: COLLECTING });
  const { port: bareIdlePort } = await message<{ port: number }>(bareIdle, 'listening');
  const bare = await measureIdle(bareIdle, bareIdlePort, undefined);
  bareIdle.disconnect();
  responder.disconnect();
  await pool.stop();
  rmSync(data, { recursive: true, force: true });
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version };
  const report = {
    machine,
    disk,
    kernel,
    paths: paths.map(({ connections, bare, proxy: own }) => ({
      connections,
      bare,
      proxy: own,
      rateRatio: own.sharesPerSecond / bare.sharesPerSecond,
      cpuRatio: own.cpuMicrosPerShare / bare.cpuMicrosPerShare,
    })),
    idle: { connections: IDLE.base + IDLE.more, bytesPerConnection: Math.round(idle.bytes), bareBytesPerConnection: Math.round(bare.bytes), notifyFirstToLastMs: idle.fanOutMs },
  };
  process.stdout.write(process.argv.includes('--json') ? `${JSON.stringify(report, undefined, 2)}\n` : table(report));
}

function table(report: {
  machine: { cpu: string; cores: number; node: string };
  disk: { p50Ms: number; p99Ms: number };
  kernel: { kernelMicros: number; referenceMicros: number; ratio: number };
  paths: readonly { connections: number; bare: PathResult; proxy: PathResult; rateRatio: number; cpuRatio: number }[];
  idle: { connections: number; bytesPerConnection: number; bareBytesPerConnection: number; notifyFirstToLastMs: number | undefined };
}): string {
  const { machine, disk, kernel, idle } = report;
  const rows = report.paths.map(
    ({ connections, bare, proxy, rateRatio, cpuRatio }) =>
      `${String(connections).padStart(5)} connections  ${Math.round(proxy.sharesPerSecond)} shares/s (bare ${Math.round(bare.sharesPerSecond)}, ratio ${rateRatio.toFixed(2)})` +
      `  ${proxy.cpuMicrosPerShare.toFixed(1)} µs CPU/share (bare ${bare.cpuMicrosPerShare.toFixed(1)}, ratio ${cpuRatio.toFixed(1)})` +
      `  reply p50 ${proxy.replyP50Ms.toFixed(1)} ms p99 ${proxy.replyP99Ms.toFixed(1)} ms  connects ${Math.round(proxy.connectsPerSecond)}/s  refused ${proxy.refused}`,
  );
  return [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; fdatasync p50 ${disk.p50Ms.toFixed(2)} ms p99 ${disk.p99Ms.toFixed(2)} ms`,
    `kernel ${kernel.kernelMicros.toFixed(1)} µs a share, bitcoinjs-lib ${kernel.referenceMicros.toFixed(1)} µs, ratio ${kernel.ratio.toFixed(1)}`,
    ...rows,
    `idle: ${idle.bytesPerConnection} B a connection at ${idle.connections} (bare ${idle.bareBytesPerConnection}); new block first→last ${idle.notifyFirstToLastMs?.toFixed(1) ?? '–'} ms`,
    '',
  ].join('\n');
}

await main();
