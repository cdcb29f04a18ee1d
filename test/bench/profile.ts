/** `npm run profile`: a CPU profile of the proxy process under the closed loop, left as a file, and where the time of a share goes. */
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { realWorld } from '../../config/world.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { ended, load, startProxy } from './children.ts';

const CONNECTIONS = 100;
const DEPTH = 4;
const SECONDS = 6;
const SHOWN = 30;
const FILE = 'weighbridge.cpuprofile';

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number } }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Microseconds on the main thread by function, most first; waiting is left out. */
function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): [name: string, micros: number][] {
  const names = new Map(nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [id, `${functionName} ${basename(url)}${url === '' ? '' : `:${lineNumber + 1}`}`.trim()]));
  const times = new Map<string, number>();
  samples.forEach((sample, index) => {
    const name = names.get(sample) ?? '';
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + timeDeltas[index]!);
  });
  return [...times].toSorted((a, b) => b[1] - a[1]);
}

const scratch = mkdtempSync(join(tmpdir(), 'weighbridge-profile-'));
const pool = await SimulatedPool.listen({ world: realWorld, difficulty: '1', jobIntervalMs: 3_600_000, blockIntervalMs: 3_600_000, seed: 1 });
const proxy = await startProxy({ data: join(scratch, 'data'), poolPort: pool.port, execArgv: ['--cpu-prof', `--cpu-prof-dir=${scratch}`] });
const { answered, seconds } = await load({ port: proxy.port, connections: CONNECTIONS, depth: DEPTH, seconds: SECONDS });
await ended(proxy);
await pool.stop();
const written = readdirSync(scratch).find((name) => name.endsWith('.cpuprofile'));
if (written === undefined) throw new Error('node left no CPU profile');
renameSync(join(scratch, written), FILE);
rmSync(scratch, { recursive: true, force: true });

const times = selfTimes(JSON.parse(readFileSync(FILE, 'utf8')) as CpuProfile);
const total = times.reduce((sum, [, micros]) => sum + micros, 0);
const lines = times.slice(0, SHOWN).map(([name, micros]) => `${(micros / answered).toFixed(2).padStart(7)} µs  ${((100 * micros) / total).toFixed(1).padStart(5)} %  ${name}`);
process.stdout.write(
  `${answered} shares in ${seconds.toFixed(1)} s over ${CONNECTIONS} connections; main thread ${(total / answered).toFixed(1)} µs a share:\n${lines.join('\n')}\n\nThe profile is in ${FILE}: open it with the developer tools of Chromium or with VS Code.\n`,
);
