/** Redis is away for hours: whatever the backlog, the accountant's memory stays what it was, and all of it is published afterwards. */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Store } from '../../accounting/store.ts';
import { seededRandom } from '../../config/world.ts';
import { fillBacklog } from '../bench/backlog.ts';
import { RedisRig } from '../rig/redis.ts';
import { configurationOf, makeDirectory, writeConfiguration } from './instance.ts';
import { Processes } from './processes.ts';
import { differences } from './shared-books.ts';
import { Cleanup, until } from './waiting.ts';

const ACCOUNTANT = fileURLToPath(new URL('../../dist/accounting/main.js', import.meta.url));
/** Little enough that a backlog held in memory would not fit, and that garbage is collected soon. */
const HEAP_ARGUMENTS = ['--max-semi-space-size=2', '--max-old-space-size=40'];
/** What a process of Node may need more because it works longer. */
const GARBAGE_MIB = 40;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

interface Figures {
  readonly lagRows: number;
  readonly lagSeconds: number;
  readonly problem: string;
}

interface Backlog {
  readonly rows: number;
  /** The most that the accountant ever had in memory, before Redis came and until all was published. */
  readonly awayMiB: number;
  readonly peakMiB: number;
}

function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
}

/** Lets an accountant find `hours` of so many machines unpublished and Redis away, then lets Redis come. */
async function catchUp(machines: number, hours: number): Promise<Backlog> {
  const rig = await RedisRig.single();
  cleanup.add(() => rig.dispose());
  await rig.first.stop();
  const dataDir = makeDirectory(cleanup);
  const store = Store.open(dataDir);
  fillBacklog(store, machines, hours, seededRandom(1));
  store.close();
  writeConfiguration({ dataDir, port: 3333, poolUrl: 'stratum+tcp://127.0.0.1:3333', redisUrl: rig.url });
  const child = fork(ACCOUNTANT, { execArgv: HEAP_ARGUMENTS, env: { ...process.env, WEIGHBRIDGE_CONFIG: JSON.stringify(configurationOf(dataDir)) } });
  const processes = new Processes();
  cleanup.add(() => processes.endAll());
  const pid = processes.note(child.pid ?? 0);
  let figures: Figures | undefined;
  child.on('message', (message: { readonly snapshot?: { readonly redis: Figures } }) => (figures = message.snapshot?.redis ?? figures));
  const asked = async (holds: (found: Figures) => boolean, what: string): Promise<Figures> => {
    await until(what, () => {
      child.send({ type: 'snapshot', request: 1 });
      return figures !== undefined && holds(figures);
    }, 120_000);
    if (figures === undefined) throw new Error('the accountant says nothing');
    return figures;
  };
  const { lagRows, lagSeconds } = await asked(({ lagRows: rows, problem }) => rows > 0 && /^Redis cannot be reached/.test(problem), 'the lag is said');
  expect(lagSeconds).toBeGreaterThan(0);
  const awayMiB = peakOf(pid);
  await rig.first.start();
  await asked(({ lagRows: rows }) => rows === 0, 'everything is published');
  const peakMiB = peakOf(pid);
  child.disconnect();
  await until('the accountant has ended', () => !processes.lives(pid));
  expect(await differences(rig, [dataDir])).toEqual([]);
  return { rows: lagRows, awayMiB, peakMiB };
}

describe('a Redis that was away for hours', () => {
  it('costs the accountant no memory, however long the backlog', async () => {
    const small = await catchUp(4000, 1);
    const large = await catchUp(4000, 12);
    expect(large.rows).toBeGreaterThan(8 * small.rows);
    expect(large.awayMiB).toBeLessThan(small.awayMiB + GARBAGE_MIB);
    expect(large.peakMiB).toBeLessThan(small.peakMiB + GARBAGE_MIB);
  }, 180_000);
});
