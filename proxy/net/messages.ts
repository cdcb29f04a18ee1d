/** What the supervisor, the proxy processes and the accountant say to each other over Node's own IPC channel (JSON, so no bigint). */
import type { Config } from '../../config/schema.ts';
import type { HistogramSnapshot } from '../../config/timing.ts';
import type { VitalsSnapshot } from '../../config/vitals.ts';
import type { LeaseFigures } from '../../accounting/leases/watched.ts';
import type { LedgerSeries } from '../../accounting/series.ts';
import type { PackedSeries, SeriesKnown } from '../../accounting/series-wire.ts';
import type { OwnVerdict, PoolReason } from '../mining/verdict.ts';
import type { Reconfigured } from '../session/reconfigure.ts';
import type { Trouble } from '../session/trust.ts';
import type { CounterName } from '../session/sink.ts';
import type { SplitMemory } from '../session/splits.ts';
import type { LinkState } from '../session/states.ts';

export interface LinkSnapshot {
  /** 0: the pool has no link and waits to be dialled. */
  readonly link: number;
  readonly pool: string;
  readonly url: string;
  readonly state: LinkState;
  readonly sessions: number;
  /** Upstream difficulty in force as the text received; '' before the first. */
  readonly difficulty: string;
  readonly extranonce1: string;
  /** Milliseconds since the last notify from the pool; undefined before the first. */
  readonly jobAgeMs: number | undefined;
  /** What keeps machines from it though it lives; '' when nothing does. */
  readonly trouble: Trouble | '';
  /** The same in words. */
  readonly troubleWhy: string;
  /** Shares sent and not yet answered. */
  readonly pending: number;
  readonly reconnects: number;
  /** Why the last link of this pool ended, '' when it never did. */
  readonly lastError: string;
}

/** How a route's work was divided so far. */
export interface SplitSnapshot {
  /** Place of the route in the configuration, from 0. */
  readonly route: number;
  /** `work`: delivered by this part since the split began, difficulty. `forgiven`: what it missed and is not made good; below 0 where it has had it. */
  readonly parts: readonly { readonly pools: readonly string[]; readonly weight: number; readonly work: number; readonly forgiven: number }[];
  /** Machines moved to keep it, in all its time. */
  readonly moves: number;
}

export interface ProxySnapshot {
  readonly process: string;
  readonly pid: number;
  /** Of the build that runs. */
  readonly version: string;
  readonly startedMs: number;
  readonly sessions: number;
  /** `${site}\t${lessee}` → sessions. */
  readonly sessionsByGroup: Readonly<Record<string, number>>;
  readonly links: readonly LinkSnapshot[];
  readonly splits: readonly SplitSnapshot[];
  /** Monotone within this process: name → value. Names are listed in COUNTERS. */
  readonly counters: Readonly<Record<CounterName, number>>;
  /** Sessions closed, by reason; lines refused, by reason. Monotone within this process. */
  readonly closes: Readonly<Record<string, number>>;
  readonly fsync: HistogramSnapshot;
  readonly replies: HistogramSnapshot;
  readonly measures: {
    /** Time from forwarding a share to the pool's verdict, by pool. */
    readonly roundTrips: Readonly<Record<string, HistogramSnapshot>>;
    /** Time from reading a job to having written it to the last session. */
    readonly fanout: HistogramSnapshot;
    /** By pool, monotone within this process. */
    readonly reconnects: Readonly<Record<string, number>>;
    /** Sessions on a pool that is not the first of their route, by pool. */
    readonly failover: Readonly<Record<string, number>>;
    /** Hashes of counted shares kept to find duplicates. */
    readonly duplicateHashes: number;
    /** Planes of short prefixes above the first, each with links of its own. */
    readonly furtherPlanes: number;
  };
  readonly vitals: VitalsSnapshot;
  readonly journal: {
    readonly state: 'open' | 'failed';
    readonly segment: string;
    readonly writtenBytes: number;
    readonly waitingShares: number;
    readonly freeBytes: number;
  };
}

/** One live session's name as `machines` shows it. Counts are over `windowMs`. */
export interface MachineSnapshot {
  readonly worker: string;
  readonly site: string;
  readonly lessee: string;
  /** Ids of the leases it belongs to now. */
  readonly leases: readonly string[];
  readonly address: string;
  /** The machine's own user agent. */
  readonly firmware: string;
  readonly exponent: number;
  readonly pool: string;
  readonly link: number;
  /** Number of the proxy process it is connected to. */
  readonly process: number;
  readonly connectedMs: number;
  readonly lastShareMs: number | undefined;
  /** Monotonic exposure of the counts below, at most 10 minutes, from the first job sent. */
  readonly windowMs: number;
  /** Accepted shares in the window by exponent: [k, n]. */
  readonly accepted: readonly (readonly [number, number])[];
  /** Rejected shares since connect, by verdict. */
  readonly rejects: Readonly<Partial<Record<OwnVerdict, number>>>;
  readonly acceptedTotal: number;
}

/** Debug lines for machines whose name matches `worker`, for `forMs`; '' ends them. */
export interface DebugOrder {
  readonly type: 'debug';
  readonly worker: string;
  readonly forMs: number;
}

/** Splits by what they are remembered by. */
export type SplitsAdded = readonly (readonly [key: string, memory: SplitMemory])[];

export type ToProxy =
  | { readonly type: 'machines'; readonly request: number }
  | DebugOrder
  /** Comes with a bound socket to take connections from; `key` as `doorsOf` names it. */
  | { readonly type: 'door'; readonly key: string; readonly port: number }
  /** Take connections until there are so many sessions, then leave the next ones to the other processes. */
  | { readonly type: 'room'; readonly room: number }
  /** Sessions at the other processes by remote address; to be answered with those here. Addresses with fewer than `least` are left out. */
  | { readonly type: 'hosts'; readonly least: number; readonly elsewhere: Readonly<Record<string, number>> }
  /** Put this configuration in force; doors follow. */
  | { readonly type: 'configure'; readonly config: Config }
  /** Say what became of the sessions by the last configuration; all doors have come. */
  | { readonly type: 'outcome'; readonly request: number }
  /** Difficulties that machines were found to need where they were, by worker name. */
  | { readonly type: 'wishes'; readonly wishes: readonly (readonly [worker: string, exponent: number])[] }
  /** Another process is about to take this one's place (`on`), or could not: how far splits have come is to be in their file, which is confirmed. */
  | { readonly type: 'hand-over'; readonly request: number; readonly on: boolean }
  /** The process that this one follows has delivered so much since that file was read. */
  | { readonly type: 'splits'; readonly added: SplitsAdded }
  /** This session's machine came to another process at that wall time. It may have come back here since. */
  | { readonly type: 'taken'; readonly sessionId: string; readonly atMs: number }
  /** Take no more connections, close those that are open evenly over `overMs`, then say so. */
  | { readonly type: 'drain'; readonly overMs: number }
  /** Stop listening, flush the journal, close, exit 0. */
  | { readonly type: 'stop' };

export type FromProxy =
  | { readonly type: 'listening'; readonly addresses: readonly { readonly site: string; readonly address: string }[] }
  /** Sent every second. */
  | { readonly type: 'snapshot'; readonly snapshot: ProxySnapshot }
  | { readonly type: 'machines'; readonly request: number; readonly machines: readonly MachineSnapshot[] }
  /** Connections at present, and whether more are taken: whenever that has changed, many times a second. */
  | { readonly type: 'sessions'; readonly sessions: number; readonly accepts: boolean }
  | { readonly type: 'hosts'; readonly hosts: Readonly<Record<string, number>> }
  | { readonly type: 'configured'; readonly request: number; readonly outcome: Reconfigured }
  | { readonly type: 'handed-over'; readonly request: number }
  /** While its machines are taken away, for its successor. */
  | { readonly type: 'splits'; readonly added: SplitsAdded }
  /** A machine came here with a session of another run, at that wall time. */
  | { readonly type: 'brought'; readonly sessionId: string; readonly atMs: number }
  /** At the begin of a drain: for those that take its machines. */
  | { readonly type: 'wishes'; readonly wishes: readonly (readonly [worker: string, exponent: number])[] }
  /** No session is left, and no pool owes a verdict. */
  | { readonly type: 'drained' }
  /** A start that cannot succeed (port taken, data directory not writable): one sentence. */
  | { readonly type: 'fatal'; readonly sentence: string };

/** All-time counts of the delivered ledger of this host. */
export interface DeliveredTotal {
  readonly site: string;
  readonly lessee: string;
  /** Ids of leases joined by commas. */
  readonly leases: string;
  readonly pool: string;
  readonly verdict: OwnVerdict;
  readonly exponent: number;
  readonly count: number;
}

export interface CreditedTotal {
  readonly pool: string;
  readonly verdict: 'accepted' | 'rejected' | 'unanswered';
  readonly reason: PoolReason;
  /** Upstream difficulty as the text received. */
  readonly difficulty: string;
  readonly count: number;
}

interface AccountantState {
  readonly pid: number;
  /** Folded everything that was durable when this accountant opened the ledger: totals may be exported. */
  readonly caughtUp: boolean;
  /** How often it has opened the ledger: whatever it counted before may be counted anew. */
  readonly opens: number;
  readonly lagBytes: number;
  /** Age of the oldest record not folded; 0 when none. */
  readonly lagMs: number;
  readonly foldedRecords: number;
  readonly corruptRanges: number;
  readonly unjournaledShares: number;
  /** '' or what stops the fold (one sentence). */
  readonly problem: string;
  readonly vitals: VitalsSnapshot;
  /** Where the ledger is shared. */
  readonly redis?: RedisSnapshot | undefined;
}

export interface AccountantSnapshot extends AccountantState {
  /** Leases in their term. */
  readonly leases: readonly LeaseFigures[];
  readonly delivered: readonly DeliveredTotal[];
  readonly credited: readonly CreditedTotal[];
}

/** What a scrape takes of the accountant. */
export interface AccountantMetrics extends AccountantState {
  readonly leases: readonly LeaseFigures[];
  readonly series: LedgerSeries;
}
export type PackedMetrics = Omit<AccountantMetrics, 'series'> & { readonly series: PackedSeries };

/** Publication to the shared ledger. Counts are since the accountant started. */
export interface RedisSnapshot {
  /** Row changes of this host not yet published, and the age of the oldest. */
  readonly lagRows: number;
  readonly lagSeconds: number;
  readonly publishedRows: number;
  /** Publications that Redis had already, in the same or a newer version. */
  readonly keptPublications: number;
  /** Row changes never published because their bucket had expired. */
  readonly expiredRows: number;
  /** Hashes that Redis had lost, found by comparison. */
  readonly missingFound: number;
  readonly errors: number;
  /** '' or what keeps the shared ledger from being whole (one sentence). */
  readonly problem: string;
}

export type ToAccountant =
  /** Where the ledger is shared: this host's machines, for the others to see. */
  | { readonly type: 'machines'; readonly machines: readonly MachineSnapshot[] }
  | { readonly type: 'snapshot'; readonly request: number }
  | { readonly type: 'metrics'; readonly request: number; readonly known: SeriesKnown }
  | { readonly type: 'stop' };

export type FromAccountant =
  | { readonly type: 'snapshot'; readonly request: number; readonly snapshot: AccountantSnapshot }
  | { readonly type: 'metrics'; readonly request: number; readonly metrics: PackedMetrics }
  | { readonly type: 'ready' }
  | { readonly type: 'fatal'; readonly sentence: string };
