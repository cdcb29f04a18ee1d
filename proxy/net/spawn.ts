/** How child processes are started, and how they are given their configuration. */
import { fork, type SendHandle } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/schema.ts';
import type { ChildEvents, ChildHandle } from './child.ts';
import { sentenceOf } from './instance.ts';
import type { Identity } from './proxy-process.ts';

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

/** Which of the proxy processes a child is. */
export function identityEnvironment(identity: Identity): Record<string, string> {
  return { WEIGHBRIDGE_IDENTITY: JSON.stringify(identity) };
}

/** The configuration without the pools' passwords, for the process that never dials. */
export function withoutPasswords(config: Config): Config {
  const pools = Object.entries(config.pools).map(([name, pool]) => [name, { ...pool, password: '' }]);
  return { ...config, pools: Object.fromEntries(pools) };
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
    send: (message, handle) => {
      if (!child.connected) return false;
      // A bound socket travels as servers do; the published types know only servers.
      child.send(message, handle as SendHandle | undefined, ignoreSendError);
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
