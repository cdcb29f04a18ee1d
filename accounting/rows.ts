/** The ledger's tables as types and as one description that the store, the fold and the audit share. */
import type { Forwarding, GoodVerdict, OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import type { LeaseEventKind } from '../proxy/session/facts.ts';

/** Buckets are whole numbers of minutes, hours or days since 1970-01-01T00:00Z. Every `n` is a count. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export interface DeliveredMinuteRow {
  readonly minute: number;
  readonly site: string;
  readonly lessee: string;
  /** Ids of the leases that it belongs to, in order, joined by commas; '' for none. */
  readonly leases: string;
  readonly pool: string;
  /** First 8 hex digits of the proxy process's uuid, a dot, the link's number; '' when the job is unknown. */
  readonly link: string;
  readonly verdict: OwnVerdict;
  readonly forwarding: Forwarding;
  /** k: the credit of each of these shares is 2^k. */
  readonly exponent: number;
  readonly nbits: number;
  /** R of the job in satoshi; 0 when unknown. */
  readonly value: number;
  n: number;
}

export interface CreditedMinuteRow {
  readonly minute: number;
  readonly site: string;
  readonly lessee: string;
  readonly leases: string;
  readonly pool: string;
  readonly link: string;
  readonly verdict: PoolAnswer;
  readonly reason: PoolReason;
  /** The pool's own code and nothing else of its words: texts may hold anything, so they stay in the journal. */
  readonly code: string;
  /** Upstream difficulty as the text received. */
  readonly difficulty: string;
  readonly nbits: number;
  readonly value: number;
  n: number;
}

export type PoolAnswer = 'accepted' | 'rejected' | 'unanswered';

interface DeliveredRoll {
  readonly site: string;
  readonly lessee: string;
  readonly leases: string;
  readonly pool: string;
  readonly verdict: OwnVerdict;
  readonly forwarding: Forwarding;
  readonly exponent: number;
  n: number;
  /** Expected worth in units of 10^-18 satoshi: n times each share's own rounded-down worth. */
  worth: bigint;
}
interface CreditedRoll {
  readonly site: string;
  readonly lessee: string;
  readonly leases: string;
  readonly pool: string;
  readonly verdict: PoolAnswer;
  readonly reason: PoolReason;
  readonly difficulty: string;
  n: number;
  worth: bigint;
}
export type DeliveredHourRow = DeliveredRoll & { readonly hour: number };
export type DeliveredDayRow = DeliveredRoll & { readonly day: number };
export type CreditedHourRow = CreditedRoll & { readonly hour: number };
export type CreditedDayRow = CreditedRoll & { readonly day: number };

export interface WorkerHourRow {
  readonly hour: number;
  readonly site: string;
  readonly lessee: string;
  readonly leases: string;
  readonly pool: string;
  readonly worker: string;
  readonly verdict: OwnVerdict;
  readonly exponent: number;
  n: number;
  /** Wall clock of the latest of these shares. */
  last_ms: number;
}

/** Machine time: two machines of one name connected for the whole hour make 7,200,000 ms. */
export interface WorkerConnectedRow {
  readonly hour: number;
  readonly site: string;
  readonly lessee: string;
  readonly leases: string;
  readonly worker: string;
  connected_ms: number;
}

/** What one proxy process observed of a minute, by its monotonic clock. */
export interface ObservedMinuteRow {
  readonly minute: number;
  /** First 8 hex digits of the process's uuid. */
  readonly process: string;
  observed_ms: number;
  /** Wall-clock span of those observations, so that processes side by side are not added up. */
  first_ms: number;
  last_ms: number;
}

/** What one worker name delivered under a lease on a day of the lease's own zone, in shares of one difficulty. */
export interface LeaseDayRow {
  /** Days from 1970-01-01 to the local date. */
  readonly day: number;
  readonly lease: string;
  readonly worker: string;
  readonly exponent: number;
  /** Accepted shares. */
  n: number;
  /** Wall clock of the first and the latest of them. */
  first_ms: number;
  last_ms: number;
  /** The same shares by the hour since local midnight in which they were found, hour h in bits 32·h to 32·h + 31. */
  slots: bigint;
}

/** Sessions and links that ended. */
export interface EndedHourRow {
  readonly hour: number;
  /** Of a session; '' of a link. */
  readonly site: string;
  readonly leases: string;
  /** Of a link; '' of a session. */
  readonly pool: string;
  readonly what: 'session' | 'link';
  /** As it was journaled, cut at 80 characters. */
  readonly reason: string;
  n: number;
  first_ms: number;
  last_ms: number;
}

export interface UnjournaledMinuteRow {
  readonly minute: number;
  readonly site: string;
  readonly lessee: string;
  readonly leases: string;
  readonly verdict: GoodVerdict;
  readonly exponent: number;
  n: number;
}

export interface TotalRow {
  readonly site: string;
  readonly lessee: string;
  readonly leases: string;
  readonly pool: string;
  readonly verdict: OwnVerdict;
  readonly exponent: number;
  n: number;
  /** Wall clock of the latest of these shares. */
  last_ms: number;
  /** Expected worth in units of 10^-18 satoshi. */
  worth: bigint;
}

export interface CreditedTotalRow {
  readonly pool: string;
  readonly verdict: PoolAnswer;
  readonly reason: PoolReason;
  readonly difficulty: string;
  n: number;
}

/** The terms of a lease as they were written down at a moment: by each start, and by each change. */
export interface LeaseTermsRow {
  readonly lease: string;
  /** Wall clock. */
  readonly recorded_ms: number;
  readonly digest: string;
  /** Canonical JSON. */
  readonly terms: string;
  readonly from_ms: number;
  readonly to_ms: number;
  /** How often it is in the journals. */
  n: number;
}

/** What was stated of a lease: proxy/session/facts.ts describes the fields. */
export interface LeaseEventRow {
  readonly lease: string;
  readonly recorded_ms: number;
  readonly event: LeaseEventKind;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly party: string;
  readonly reason: string;
  readonly document: string;
  readonly terms: string;
  n: number;
}

export interface Rows {
  delivered_minute: DeliveredMinuteRow;
  credited_minute: CreditedMinuteRow;
  worker_hour: WorkerHourRow;
  worker_connected: WorkerConnectedRow;
  delivered_hour: DeliveredHourRow;
  delivered_day: DeliveredDayRow;
  credited_hour: CreditedHourRow;
  credited_day: CreditedDayRow;
  observed_minute: ObservedMinuteRow;
  unjournaled_minute: UnjournaledMinuteRow;
  lease_day: LeaseDayRow;
  ended_hour: EndedHourRow;
  total: TotalRow;
  credited_total: CreditedTotalRow;
  lease_terms: LeaseTermsRow;
  lease_event: LeaseEventRow;
}
export type TableName = keyof Rows;

/**
 * How a column is kept. `int` and `text` are the row's key (texts are interned); `sum`, `min`, `max` are integers merged
 * in SQL; `big` is a decimal string added in BigInt, the last column of its table.
 */
export type ColumnKind = 'int' | 'text' | 'sum' | 'min' | 'max' | 'big';
export type TableSpec<R> = { readonly [C in keyof R & string]: ColumnKind };

const deliveredRoll = {
  site: 'text', lessee: 'text', leases: 'text', pool: 'text', verdict: 'text', forwarding: 'text', exponent: 'int', n: 'sum', worth: 'big',
} as const;
const creditedRoll = {
  site: 'text', lessee: 'text', leases: 'text', pool: 'text', verdict: 'text', reason: 'text', difficulty: 'text', n: 'sum', worth: 'big',
} as const;

/** Column order is key order. The first column is the bucket, except in the totals and in what is told of leases. */
export const TABLES: { readonly [T in TableName]: TableSpec<Rows[T]> } = {
  delivered_minute: {
    minute: 'int', site: 'text', lessee: 'text', leases: 'text', pool: 'text', link: 'text', verdict: 'text', forwarding: 'text',
    exponent: 'int', nbits: 'int', value: 'int', n: 'sum',
  },
  credited_minute: {
    minute: 'int', site: 'text', lessee: 'text', leases: 'text', pool: 'text', link: 'text', verdict: 'text', reason: 'text', code: 'text',
    difficulty: 'text', nbits: 'int', value: 'int', n: 'sum',
  },
  worker_hour: {
    hour: 'int', site: 'text', lessee: 'text', leases: 'text', pool: 'text', worker: 'text', verdict: 'text', exponent: 'int', n: 'sum',
    last_ms: 'max',
  },
  worker_connected: { hour: 'int', site: 'text', lessee: 'text', leases: 'text', worker: 'text', connected_ms: 'sum' },
  delivered_hour: { hour: 'int', ...deliveredRoll },
  delivered_day: { day: 'int', ...deliveredRoll },
  credited_hour: { hour: 'int', ...creditedRoll },
  credited_day: { day: 'int', ...creditedRoll },
  observed_minute: { minute: 'int', process: 'text', observed_ms: 'sum', first_ms: 'min', last_ms: 'max' },
  unjournaled_minute: { minute: 'int', site: 'text', lessee: 'text', leases: 'text', verdict: 'text', exponent: 'int', n: 'sum' },
  lease_day: { day: 'int', lease: 'text', worker: 'text', exponent: 'int', n: 'sum', first_ms: 'min', last_ms: 'max', slots: 'big' },
  ended_hour: { hour: 'int', site: 'text', leases: 'text', pool: 'text', what: 'text', reason: 'text', n: 'sum', first_ms: 'min', last_ms: 'max' },
  total: { site: 'text', lessee: 'text', leases: 'text', pool: 'text', verdict: 'text', exponent: 'int', n: 'sum', last_ms: 'max', worth: 'big' },
  credited_total: { pool: 'text', verdict: 'text', reason: 'text', difficulty: 'text', n: 'sum' },
  lease_terms: { lease: 'text', recorded_ms: 'int', digest: 'text', terms: 'text', from_ms: 'int', to_ms: 'int', n: 'sum' },
  lease_event: {
    lease: 'text', recorded_ms: 'int', event: 'text', from_ms: 'int', to_ms: 'int', party: 'text', reason: 'text', document: 'text', terms: 'text', n: 'sum',
  },
};
export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];

/** Tables whose first column is a bucket. The others are a host's own. */
export type BucketTable = Exclude<TableName, OwnTable>;
const OWN_TABLES = ['total', 'credited_total', 'lease_terms', 'lease_event'] as const satisfies readonly TableName[];
type OwnTable = (typeof OWN_TABLES)[number];

/**
 * A row as it is kept: in bucket tables with the run that counted it. A run is one life of a proxy process, named by the
 * first 12 hex digits of its uuid; its counts follow from its own journal segments alone.
 */
export type KeptRow<T extends TableName> = T extends BucketTable ? Rows[T] & { readonly run: string } : Rows[T];

/** Columns of a table as it is kept: those of its rows, with the run after the bucket. */
export function keptColumns(table: TableName): (readonly [name: string, kind: ColumnKind])[] {
  const [first, ...others] = Object.entries<ColumnKind>(TABLES[table]);
  if (first === undefined) return [];
  return OWN_TABLES.some((own) => own === table) ? [first, ...others] : [first, ['run', 'text'], ...others];
}

/** What a fold adds to each table. The map's key names the row within this set of deltas and means nothing elsewhere. */
export type Deltas = { readonly [T in TableName]: Map<string, KeptRow<T>> };

export function emptyDeltas(): Deltas {
  return {
    delivered_minute: new Map(), credited_minute: new Map(), worker_hour: new Map(), worker_connected: new Map(),
    delivered_hour: new Map(), delivered_day: new Map(), credited_hour: new Map(), credited_day: new Map(),
    observed_minute: new Map(), unjournaled_minute: new Map(), lease_day: new Map(), ended_hour: new Map(), total: new Map(), credited_total: new Map(),
    lease_terms: new Map(), lease_event: new Map(),
  };
}

/** How far a segment is folded. Committed in the same transaction as the counts it stands for. */
export interface Position {
  /** The segment's uuid. */
  readonly segment: string;
  /** The writer's uuid and the segment's number in it. */
  readonly process: string;
  readonly sequence: number;
  /** Everything before this byte is folded. */
  readonly offset: number;
  /** Read to its end after it was sealed: nothing more can come. */
  readonly finished: boolean;
  readonly records: number;
  readonly corruptRanges: number;
  readonly corruptBytes: number;
  /** Records whose session, bind, job or link the segment does not hold; counted under empty names. */
  readonly orphans: number;
  /** Earliest and latest moment any of its counts was put under; undefined while there are none. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
}
