/** How the two kinds of child process are started: the proxy through node:cluster (shared listeners), the accountant by fork. */
import { fork } from 'node:child_process';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/schema.ts';
import type { ChildEvents, ChildHandle } from './child.ts';
import { sentenceOf } from './instance.ts';

export interface SpawnOptions {
  /** Compiled module to run. */
  readonly module: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The product's own compiled modules. */
export function ownModules(): { proxy: string; accountant: string } {
  const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
  return { proxy: path('./proxy-main.js'), accountant: path('../../accounting/main.js') };
}

/** The configuration as the children take it: an environment only its owner can read, unlike arguments, which `ps` shows to all. */
export function configEnvironment(config: Config): Record<string, string> {
  return { WEIGHBRIDGE_CONFIG: JSON.stringify(config) };
}

/** The configuration without the pools' passwords, for the process that never dials. */
export function withoutPasswords(config: Config): Config {
  const pools = Object.entries(config.pools).map(([name, pool]) => [name, { ...pool, password: '' }]);
  return { ...config, pools: Object.fromEntries(pools) };
}

/** Starts a cluster worker. Each worker accepts by itself (SCHED_NONE): a supervisor busy elsewhere delays no connection. */
export function spawnClusterWorker(options: SpawnOptions, events: ChildEvents): ChildHandle {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: options.module, args: [], execArgv: [], serialization: 'json' });
  const worker = cluster.fork(options.env);
  worker.on('message', (message: unknown) => events.onMessage(message));
  worker.on('exit', (code: number | null, signal: string | null) => events.onExit(howEnded(code, signal)));
  worker.on('error', (error) => {
    if (worker.process.pid === undefined) events.onExit(`could not be started: ${sentenceOf(error)}`);
  });
  return {
    pid: worker.process.pid,
    send: (message) => {
      if (!worker.isConnected()) return false;
      worker.send(message, ignoreSendError);
      return true;
    },
    kill: () => worker.process.kill('SIGKILL'),
  };
}

/** Starts a plain child with an IPC channel. */
export function spawnFork(options: SpawnOptions, events: ChildEvents): ChildHandle {
  const child = fork(options.module, [], {
    execArgv: [],
    env: { ...process.env, ...options.env },
    serialization: 'json',
  });
  child.on('message', (message: unknown) => events.onMessage(message));
  child.on('exit', (code, signal) => events.onExit(howEnded(code, signal)));
  child.on('error', (error) => {
    if (child.pid === undefined) events.onExit(`could not be started: ${sentenceOf(error)}`);
  });
  return {
    pid: child.pid,
    send: (message) => {
      if (!child.connected) return false;
      child.send(message, ignoreSendError);
      return true;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/** A message that found the process gone is not news: its exit is reported by its own event. */
function ignoreSendError(): void {}

function howEnded(code: number | null, signal: string | null): string {
  return signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
}
