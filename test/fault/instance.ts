/**
 * The compiled product in its own processes on a data directory of its own. Either its supervisor runs here (`Instance`), in a
 * world that the test can hold, or everything runs apart as `weighbridge start` (`ApartInstance`).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { realWorld } from '../../config/world.ts';
import { askInstance } from '../../proxy/net/control.ts';
import type { ControlAnswers, InstanceStatus } from '../../proxy/net/status.ts';
import { startSupervisor, type Supervisor } from '../../proxy/net/supervisor.ts';
import { HeldWorld } from './held-world.ts';
import { Processes } from './processes.ts';
import { Cleanup, until } from './waiting.ts';

/** Longer than a process must live for its crash not to count as one of a series. */
const HEALTHY_MS = 31_000;
const ASK_LIMIT_MS = 60_000;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What preload.mjs does to the product's processes. Files that are named without a directory lie in the data directory. */
export interface Faults {
  /** Wall time since `startMs` passes `speed` times as fast. */
  readonly clock?: { readonly startMs: number; readonly speed: number };
  /** The monotonic clock passes so many times as fast; timers do not. */
  readonly monoSpeed?: number;
  /** Added to each forced write of the journal. */
  readonly syncDelayMs?: number;
  /** The proxy process of this number dies at once when it starts while this file exists. */
  readonly dies?: { readonly process: number; readonly while: string };
  /** The journal's disk is full while this file exists. */
  readonly fullWhile?: string;
  /** File with the milliseconds by which the wall clock is wrong; looked at all the time. */
  readonly wallStep?: string;
}

export interface InstanceOptions {
  readonly dataDir: string;
  readonly port: number;
  readonly poolUrl: string;
  /** Pools, routes and all else in place of the usual ones, as YAML. */
  readonly farm?: string;
  /** Proxy processes; 1 by default. */
  readonly processes?: number;
  readonly faults?: Faults;
  /** Where machines connect; 127.0.0.1 unless given. */
  readonly host?: string;
  /** Name of the only site; `north` unless given. */
  readonly site?: string;
  /** Where the shared ledger is. Left out: there is none. */
  readonly redisUrl?: string;
}

/** A new directory below `parent`, the system's temporary one unless given; removed by `cleanup`. */
export function makeDirectory(cleanup: Cleanup, parent = tmpdir()): string {
  const directory = mkdtempSync(join(parent, 'weighbridge-fault-'));
  cleanup.add(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A port that is free now: a restarted proxy must come back where its machines look for it, so 0 will not do. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function configurationFile(dataDir: string): string {
  return join(dataDir, 'weighbridge.yaml');
}

function usualFarm(poolUrl: string): string {
  return `pools: { main: { url: "${poolUrl}", user: farm } }
routes: [ { match: { worker: "acme.*" }, lessee: acme, pools: [ main ] }, { lessee: cobalt, pools: [ main ] } ]
difficulty: { start: "2^-24", min: "2^-24", max: "2^-24", sharesPerMinute: 300 }`;
}

/** The configuration of an instance, in its data directory. */
export function writeConfiguration({ dataDir, port, poolUrl, farm = usualFarm(poolUrl), host = '127.0.0.1', site = 'north', redisUrl, processes = 1 }: InstanceOptions): string {
  const file = configurationFile(dataDir);
  const yaml = `
data: ${JSON.stringify(dataDir)}
http: 127.0.0.1:0
processes: ${processes}
sites: { ${site}: { listen: [ "${host}:${port}" ] } }
${farm}
${redisUrl === undefined ? '' : `redis: { url: "${redisUrl}", scrub: 1s, commandTimeout: 1s }`}
`;
  writeFileSync(file, yaml);
  return file;
}

/** The configuration that an instance in this directory was last started with. */
export function configurationOf(dataDir: string): Config {
  const { config, problems } = loadConfig(configurationFile(dataDir));
  if (config === undefined) throw new Error(problems.map(({ path, message }) => `${path} ${message}`).join('; '));
  return config;
}

/** Where the children of an `Instance` log: on the disk of the data directory, as an operator might have it. */
export function childrenLog(dataDir: string): string {
  return join(dataDir, 'children.log');
}

function compiled(path: string): string {
  return join(ROOT, 'dist', path);
}

/** Environment variables that load preload.mjs with `faults` into a process and all it starts. */
function environmentOf(faults: Faults | undefined): Record<string, string> {
  if (faults === undefined) return {};
  const preload = pathToFileURL(join(ROOT, 'test/fault/preload.mjs')).href;
  return { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${preload}`.trim(), WEIGHBRIDGE_FAULTS: JSON.stringify(faults) };
}

/** Children started from now on are given `faults`, until `cleanup` runs. */
function armFaults(faults: Faults | undefined, cleanup: Cleanup): void {
  for (const [name, value] of Object.entries(environmentOf(faults))) {
    const before = process.env[name];
    process.env[name] = value;
    cleanup.add(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

export class Instance {
  readonly dataDir: string;
  readonly world: HeldWorld;
  readonly processes = new Processes();
  readonly #supervisor: Supervisor;

  private constructor(dataDir: string, world: HeldWorld, supervisor: Supervisor) {
    this.dataDir = dataDir;
    this.world = world;
    this.#supervisor = supervisor;
  }

  /** Settles when machines can connect. */
  static async start(options: InstanceOptions, cleanup: Cleanup): Promise<Instance> {
    writeConfiguration(options);
    const config = configurationOf(options.dataDir);
    armFaults(options.faults, cleanup);
    const world = new HeldWorld();
    const supervisor = await startSupervisor({
      config,
      world,
      reread: () => loadConfig(configurationFile(options.dataDir)),
      log: pino({ level: 'silent' }),
      childLog: { kind: 'file', path: childrenLog(options.dataDir) },
      modules: { proxy: compiled('proxy/net/proxy-main.js'), accountant: compiled('accounting/main.js') },
    });
    const instance = new Instance(options.dataDir, world, supervisor);
    cleanup.add(() => instance.processes.endAll());
    cleanup.add(() => instance.stop());
    await instance.pids();
    return instance;
  }

  status(): Promise<InstanceStatus> {
    return this.#supervisor.status();
  }

  /** Of both children, as soon as both report. */
  async pids(): Promise<{ readonly proxy: number; readonly accountant: number }> {
    const found = { proxy: 0, accountant: 0 };
    await until('both processes report', async () => {
      const { proxy, accountant } = await this.status();
      found.proxy = proxy?.pid ?? 0;
      found.accountant = accountant?.pid ?? 0;
      return found.proxy > 0 && found.accountant > 0;
    });
    this.processes.note(found.proxy);
    this.processes.note(found.accountant);
    return found;
  }

  /** kill -9 of one process, that the supervisor takes for a single crash: of `pid` where there are several proxy processes. */
  async kill(which: 'proxy' | 'accountant', pid?: number): Promise<void> {
    const victim = pid ?? (await this.pids())[which];
    this.world.skip(HEALTHY_MS);
    await this.processes.kill(victim);
  }

  /** All proxy processes as the supervisor sees them, once every one of them serves. */
  async serving(): Promise<InstanceStatus['processes']> {
    let processes: InstanceStatus['processes'] = [];
    await until('every proxy process serves', async () => {
      processes = (await this.status()).processes;
      return processes.every(({ state, run }) => state === 'serving' && run !== undefined);
    });
    for (const { pid } of processes) this.processes.note(pid ?? 0);
    return processes;
  }

  /** Rewrites the configuration file and has it read again. */
  reload(edit: (yaml: string) => string): Promise<ControlAnswers['reload']> {
    const file = configurationFile(this.dataDir);
    writeFileSync(file, edit(readFileSync(file, 'utf8')));
    return this.#supervisor.reload();
  }

  /** As `weighbridge restart` and `weighbridge drain` ask it. */
  async ask<T extends 'restart' | 'drain'>(type: T, overMs: number, process?: number): Promise<ControlAnswers[T]> {
    const answer = await askInstance(this.dataDir, { type, overMs, process } as never, realWorld, ASK_LIMIT_MS);
    for (const { pid } of (await this.status()).processes) if (pid !== undefined) this.processes.note(pid);
    return answer as ControlAnswers[T];
  }

  /** kill -9 of everything at once; nothing is started again. */
  async killAll(): Promise<void> {
    const { accountant } = await this.pids();
    const pids = [accountant, ...(await this.serving()).map(({ pid }) => pid ?? 0)];
    this.#supervisor.kill();
    await until('all processes are gone', () => pids.every((pid) => !this.processes.lives(pid)));
  }

  /** An accountant answers that has folded what was durable when it started. */
  async foldedOnce(): Promise<void> {
    await until('the accountant has caught up', async () => (await this.status()).accountant?.caughtUp === true);
  }

  stop(): Promise<void> {
    this.world.release();
    return this.#supervisor.stop();
  }
}

/** `weighbridge start` in processes of its own; asked over its control socket. */
export class ApartInstance {
  readonly dataDir: string;
  readonly pid: number;
  readonly processes: Processes;
  /** What it and its children wrote so far. */
  output = '';
  readonly #child: ChildProcess;

  private constructor(dataDir: string, child: ChildProcess, processes: Processes) {
    this.dataDir = dataDir;
    this.#child = child;
    this.processes = processes;
    this.pid = processes.note(child.pid ?? 0);
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  /** Settles when machines can connect and both children report. */
  static async start(options: InstanceOptions, cleanup: Cleanup): Promise<ApartInstance> {
    const args = [join(ROOT, 'bin/weighbridge'), 'start', '--config', writeConfiguration(options)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environmentOf(options.faults) } });
    const processes = new Processes();
    const instance = new ApartInstance(options.dataDir, child, processes);
    cleanup.add(() => processes.endAll());
    await instance.children();
    return instance;
  }

  /** Pids of the proxy process and the accountant. */
  async children(): Promise<readonly [proxy: number, accountant: number]> {
    let found: readonly [number, number] = [0, 0];
    await until('the instance answers for both processes', async () => {
      if (this.#child.exitCode !== null) throw new Error(`the instance ended: ${this.output}`);
      const status = await askInstance(this.dataDir, 'status', realWorld, 2000).catch(() => undefined);
      if (status?.pid === this.pid && status.listening.length > 0) found = [status.proxy?.pid ?? 0, status.accountant?.pid ?? 0];
      return found.every((pid) => pid > 0);
    });
    for (const pid of found) this.processes.note(pid);
    return found;
  }

  async caughtUp(): Promise<void> {
    await until('the accountant has caught up', async () => {
      const { accountant } = await askInstance(this.dataDir, 'status', realWorld, 8000);
      return accountant !== undefined && accountant.caughtUp && accountant.lagMs === 0;
    });
  }

  /** Sends a signal to the supervisor and resolves to its exit code and the milliseconds it took. */
  async end(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly tookMs: number }> {
    const beganMs = realWorld.monoMs();
    const ended = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.processes.signal(this.pid, signal);
    const code = await ended;
    return { code, tookMs: realWorld.monoMs() - beganMs };
  }
}
