/** `npm run soak [-- --minutes M]`: the whole product at 5,000 shares a second; prints the slope of each process's memory. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { realWorld } from '../../config/world.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { here, load, pause, residentBytes } from './children.ts';

const SHARES_PER_SECOND = 5000;
const CONNECTIONS = 1000;
const SAMPLE_MS = 5000;
/** Caches, heaps and duplicate sets fill first. */
const WARM_UP_FRACTION = 0.3;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const seconds = Number(values.minutes) * 60;
if (!(seconds >= 30 && seconds <= 36_000)) throw new Error(`--minutes ${values.minutes}: give 0.5 to 600`);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The processes below one, by what they run. */
function childrenOf(pid: number): Map<string, number> {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '').map(Number);
  return new Map(pids.map((child) => [`${/([\w-]+)\/[\w-]+\.js/.exec(readFileSync(`/proc/${child}/cmdline`, 'utf8'))?.[1] ?? 'process'} ${child}`, child]));
}

/** Least squares, MiB an hour. */
function slope(points: readonly (readonly [ms: number, bytes: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const up = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const down = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return ((up / down) * 3_600_000) / 2 ** 20;
}

const scratch = mkdtempSync(join(tmpdir(), 'weighbridge-soak-'));
const pool = await SimulatedPool.listen({ world: realWorld, difficulty: '1', jobIntervalMs: 15_000, blockIntervalMs: 60_000, seed: 1 });
const port = await freePort();
const file = join(scratch, 'weighbridge.yaml');
mkdirSync(join(scratch, 'data'));
writeFileSync(file, `
data: ${join(scratch, 'data')}
http: 127.0.0.1:0
sites: { soak: { listen: ["127.0.0.1:${port}"] } }
pools: { main: { url: "${pool.url}", user: soak } }
routes: [ { pools: [ main ] } ]
difficulty: { start: "2^-32", min: "2^-32", max: "2^-32", sharesPerMinute: 300 }
limits: { sessionsPerAddressMax: 20000 }
`);
const product = spawn(process.execPath, [here('../../../bin/weighbridge'), 'start', '--config', file], { stdio: ['ignore', 'ignore', 'inherit'] });
try {
  const listening = async (): Promise<void> => {
    for (let tries = 0; tries < 300; tries += 1) {
      if (childrenOf(product.pid!).size >= 2 && pool.connections.size > 0) return;
      await pause(100);
    }
    throw new Error('the product did not start');
  };
  await listening();
  await pause(2000);
  const samples = new Map<string, [number, number][]>();
  const loading = load({ port, connections: CONNECTIONS, depth: 0, seconds, sharesPerSecond: SHARES_PER_SECOND });
  const fromMs = realWorld.monoMs();
  const endMs = fromMs + seconds * 1000;
  while (realWorld.monoMs() < endMs) {
    await pause(SAMPLE_MS);
    if (realWorld.monoMs() < fromMs + WARM_UP_FRACTION * seconds * 1000) continue;
    for (const [name, pid] of childrenOf(product.pid!).set(`supervisor ${product.pid}`, product.pid!)) {
      const points = samples.get(name) ?? [];
      points.push([realWorld.monoMs(), residentBytes(pid)]);
      samples.set(name, points);
    }
  }
  const { answered, refused } = await loading;
  process.stdout.write(`${answered} shares answered true, ${refused} refused in ${seconds} s\n`);
  for (const [name, points] of samples) {
    const last = points.at(-1)![1] / 2 ** 20;
    process.stdout.write(`${name.padEnd(24)} ${last.toFixed(0).padStart(6)} MiB at the end, slope ${slope(points).toFixed(1).padStart(8)} MiB an hour over ${points.length} samples\n`);
  }
} finally {
  product.kill('SIGINT');
  await new Promise((resolve) => product.once('exit', resolve));
  await pool.stop();
  rmSync(scratch, { recursive: true, force: true });
}
