/** `npm run soak [-- --minutes M]`: the whole product at 5,000 shares a second; prints the slope of each process's memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { realWorld } from '../../config/world.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { load, pause, residentBytes } from './children.ts';
import { startProduct } from './product.ts';

const SHARES_PER_SECOND = 5000;
const CONNECTIONS = 1000;
const SAMPLE_MS = 5000;
/** Caches, heaps and duplicate sets fill first. */
const WARM_UP_FRACTION = 0.3;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const seconds = Number(values.minutes) * 60;
if (!(seconds >= 30 && seconds <= 36_000)) throw new Error(`--minutes ${values.minutes}: give 0.5 to 600`);

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
const product = await startProduct(scratch, pool, 1);
try {
  const samples = new Map<string, [number, number][]>();
  const loading = load({ port: product.port, connections: CONNECTIONS, depth: 0, seconds, sharesPerSecond: SHARES_PER_SECOND });
  const fromMs = realWorld.monoMs();
  const endMs = fromMs + seconds * 1000;
  while (realWorld.monoMs() < endMs) {
    await pause(SAMPLE_MS);
    if (realWorld.monoMs() < fromMs + WARM_UP_FRACTION * seconds * 1000) continue;
    for (const [name, pid] of product.pids()) {
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
  await product.stop();
  await pool.stop();
  rmSync(scratch, { recursive: true, force: true });
}
