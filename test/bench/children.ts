/** The processes a bench starts, and what the system says of them. */
import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { realWorld } from '../../config/world.ts';
import { Doors, type OpenDoor } from '../../proxy/net/doors.ts';
import type { ToProxy } from '../../proxy/net/messages.ts';
import { Runs } from '../../proxy/net/runs.ts';
import { configEnvironment, identityEnvironment, ownModules } from '../../proxy/net/spawn.ts';
import type { LoadRequest, LoadResult } from './load.ts';

const CLOCK_TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const median = <T>(rows: readonly T[], of: (row: T) => number): number => rows.map(of).sort((a, b) => a - b)[rows.length >> 1]!;

/** User and system CPU seconds of a process so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
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

/** Runs a load to its end; `whenReady` is called when every connection has its first job. */
export async function load(request: LoadRequest, whenReady: () => void = () => {}): Promise<LoadResult> {
  const child = fork(here('./load.js'));
  child.once('message', whenReady);
  child.send(request);
  const { result } = await message<{ result: LoadResult }>(child, 'result');
  child.disconnect();
  return result;
}

/** A process under measurement, and the port machines connect to. */
export interface Served {
  readonly child: ChildProcess;
  readonly port: number;
}

export interface ProxyOptions {
  readonly data: string;
  readonly poolPort: number;
  readonly durability?: 'fsync' | 'os';
  readonly execArgv?: readonly string[];
}

/** Every hash is a share at 2^-32: what is measured is reading, judging, journaling, answering. */
function configured({ data, poolPort, durability = 'fsync' }: ProxyOptions): Config {
  mkdirSync(data, { recursive: true });
  const text = `
data: ${data}
http: 127.0.0.1:0
sites: { bench: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:${poolPort}", user: bench } }
routes: [ { pools: [ main ] } ]
difficulty: { start: "2^-32", min: "2^-32", max: "2^-32", sharesPerMinute: 6 }
limits: { duplicatesMax: 20000000, sessionsPerAddressMax: 20000 }
durability: ${durability}
`;
  const { config, problems } = parseConfig(text, 'bench');
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}

/** One proxy process, started and handed its socket as the supervisor does. */
export async function startProxy(options: ProxyOptions): Promise<Served> {
  const config = configured(options);
  const run = new Runs(config.data, realWorld.random, () => 1).take();
  const doors = new Doors();
  await doors.open(config.sites);
  const child = fork(ownModules().proxy, {
    execArgv: [...(options.execArgv ?? [])],
    env: { ...process.env, ...configEnvironment(config), ...identityEnvironment({ process: 1, run, waitsForPools: true }) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const listening = message(child, 'listening');
  const [{ door, handle, port }] = doors.list() as [OpenDoor];
  child.send({ type: 'door', key: door.key, port } satisfies ToProxy, handle as unknown as SendHandle);
  await listening;
  doors.close();
  return { child, port };
}

/** The yardstick of responder.ts. */
export async function startResponder(execArgv: readonly string[] = []): Promise<Served> {
  const child = fork(here('./responder.js'), { execArgv: [...execArgv] });
  const { port } = await message<{ port: number }>(child, 'listening');
  return { child, port };
}

/** Resolves when the process has ended by itself. */
export function ended({ child }: Served): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.disconnect();
  });
}
