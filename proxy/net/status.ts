/** What an instance tells the command line over its control socket. Field names are a published interface (docs/cli.md). */
import type { AccountantSnapshot, DebugOrder, MachineSnapshot, ProxySnapshot } from './messages.ts';
import type { ProcessStatus, Replaced } from './slots.ts';
import type { Totals } from './totals.ts';

export interface InstanceStatus {
  readonly version: string;
  /** Absolute data directory. */
  readonly data: string;
  readonly host: string;
  readonly pid: number;
  readonly startedMs: number;
  readonly nowMs: number;
  /** `host:port` of /metrics as it was bound. */
  readonly http: string;
  readonly listening: readonly { readonly site: string; readonly address: string }[];
  /** What is wrong now, one sentence each. */
  readonly problems: readonly string[];
  /** Machines about which debug lines are written now, as a glob; '' for none. */
  readonly debug: string;
  readonly restarts: { readonly proxy: number; readonly accountant: number };
  /** All proxy processes as one. */
  readonly proxy: ProxySnapshot | undefined;
  readonly processes: readonly ProcessStatus[];
  readonly totals: Totals;
  readonly accountant: AccountantSnapshot | undefined;
}

/** What a new configuration has changed. */
export interface Reloaded {
  /** `now`: it holds; otherwise it will in processes that start from now on. */
  readonly changes: readonly { readonly path: string; readonly sentence: string; readonly now: boolean }[];
  /** The accountant was started again for it. */
  readonly accountant: boolean;
  /** Machines that work by another route than before, and those that have to leave. */
  readonly rerouted: number;
  readonly leaving: number;
}

export type ControlRequest =
  | { readonly type: 'status' }
  | { readonly type: 'machines' }
  | DebugOrder
  | { readonly type: 'reload' }
  /** Ends leases where they were terminated, and reads no file. */
  | { readonly type: 'terminations' }
  /** Replaces processes one by one; all of them without `process`. */
  | { readonly type: 'restart'; readonly process: number | undefined; readonly overMs: number }
  /** Empties and ends one process, or without `process` the instance. */
  | { readonly type: 'drain'; readonly process: number | undefined; readonly overMs: number }
  | { readonly type: 'stop' };

export interface ControlAnswers {
  readonly status: InstanceStatus;
  readonly machines: readonly MachineSnapshot[];
  readonly debug: { readonly worker: string };
  readonly reload: Reloaded;
  readonly terminations: Reloaded;
  /** When all are replaced. */
  readonly restart: readonly Replaced[];
  /** When no machine is left; the connection ends when the instance has, if that was meant. */
  readonly drain: { readonly pid: number; readonly sessions: number };
  /** The stop has begun; the connection ends when the instance has. */
  readonly stop: { readonly pid: number };
}

export type ControlReply =
  | { readonly ok: true; readonly value: ControlAnswers[ControlRequest['type']] }
  | { readonly ok: false; readonly sentence: string };
