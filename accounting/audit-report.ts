/** What an audit found, as plain JSON; docs/ledger.md says what each field proves. */

export type DifferenceKind =
  | 'low-hash'
  | 'unknown-job'
  | 'unknown-name'
  | 'bad-length'
  | 'bad-time'
  | 'bad-version'
  | 'unannounced-difficulty'
  | 'duplicate'
  | 'pool-verdict-twice'
  | 'table-row'
  | 'shared-row'
  | 'missing-segment'
  | 'unreadable-segment';

export interface Difference {
  readonly kind: DifferenceKind;
  /** Segment and share number, or table. */
  readonly where: string;
  readonly message: string;
}

export interface CorruptRange {
  readonly file: string;
  readonly offset: number;
  readonly end: number;
  /** Share numbers that are missing across the range; undefined when no share follows or precedes it. */
  readonly sharesMissing: number | undefined;
}

export interface AuditProgress {
  readonly phase: 'fold' | 'validate' | 'duplicates' | 'compare';
  /** Bytes, shares, partitions or tables. */
  readonly done: number;
  readonly total: number;
  /** Remaining time of this phase; undefined until it can be told. */
  readonly etaMs: number | undefined;
}

/** What was found of these hosts' units in Redis. */
export interface SharedFigures {
  /** Units whose rows were compared one by one. */
  readonly compared: number;
  /** Units that are not published yet in full, or were changed while the audit ran: no difference. */
  readonly underWay: number;
  /** Units past their retention, which Redis has forgotten. */
  readonly expired: number;
}

export interface AuditReport {
  /** No difference, no damage: everything that was looked at agrees. */
  readonly ok: boolean;
  /** The first of them; `differencesTotal` counts all. */
  readonly differences: readonly Difference[];
  readonly differencesTotal: number;
  /** Accepted shares in the journals (and range), and how many of them were validated with bitcoinjs-lib. */
  readonly shares: number;
  readonly validated: number;
  /** Accepted shares whose announced difficulty lies in a segment before their own and is taken from the record alone. */
  readonly unproven: number;
  /** Headers counted more than once; null when not looked for (`sample`). */
  readonly duplicates: number | null;
  readonly corrupt: readonly CorruptRange[];
  readonly corruptBytes: number;
  readonly segments: number;
  readonly records: number;
  /** Durable accepted shares that the ledger has not folded yet: no difference. */
  readonly notFolded: number;
  /** Rows compared exactly, and rows of a time whose journals were deleted by retention: those are only checked as "at least". */
  readonly rowsCompared: number;
  readonly rowsBounded: number;
  /** The shared ledger, where there is one. */
  readonly shared: SharedFigures | null;
  readonly notes: readonly string[];
  /** Only with `sample`: chance to have met a fault if that fraction of all shares were faulty. */
  readonly sample: { readonly size: number; readonly confidenceOnePercent: number; readonly confidenceOnePerMille: number } | null;
  readonly seconds: number;
}

/** Differences listed one by one; the rest are counted. */
const DIFFERENCES_MAX = 1_000;

/** Collects differences up to a bound. */
export class Differences {
  readonly list: Difference[] = [];
  total = 0;

  add(kind: DifferenceKind, where: string, message: string): void {
    this.total += 1;
    if (this.list.length < DIFFERENCES_MAX) this.list.push({ kind, where, message });
  }

  merge(list: readonly Difference[], total: number): void {
    this.total += total;
    this.list.push(...list.slice(0, DIFFERENCES_MAX - this.list.length));
  }
}
