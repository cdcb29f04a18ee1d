/** Adds up ledger rows per bucket and key for a query. */
import type { OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import { leaseIds } from '../proxy/session/leases.ts';
import type { LedgerKey, LedgerQuery } from './ledger.ts';
import type { LedgerRange, LedgerReader } from './reader.ts';
import { DAY_MS, HOUR_MS, type CreditedDayRow, type CreditedHourRow, type CreditedMinuteRow, type DeliveredDayRow, type DeliveredHourRow, type DeliveredMinuteRow, type WorkerHourRow } from './rows.ts';
import type { Rational } from '../proxy/mining/difficulty.ts';
import { powerOfTwo, rationalOf, shareWorth } from './worth.ts';

/** What one bucket and key amount to. */
export interface Sums {
  /** Exponent → accepted shares. */
  readonly accepted: Map<number, number>;
  readonly uncreditable: Map<number, number>;
  readonly rejected: Map<OwnVerdict, number>;
  readonly poolRejected: Map<PoolReason, number>;
  courtesy: number;
  worth: bigint;
  creditedAccepted: number;
  unanswered: number;
  creditedDifficulty: Rational;
  creditedWorth: bigint;
  unjournaled: number;
  connectedMs: number;
  lastMs: number;
  /** Largest exponent of an accepted share. */
  largest: number | undefined;
}

function nothing(): Sums {
  return {
    accepted: new Map(), uncreditable: new Map(), rejected: new Map(), poolRejected: new Map(),
    courtesy: 0, worth: 0n, creditedAccepted: 0, unanswered: 0, creditedDifficulty: { numerator: 0n, denominator: 1n },
    creditedWorth: 0n, unjournaled: 0, connectedMs: 0, lastMs: 0, largest: undefined,
  };
}

class Gathered {
  #whole: Sums | undefined;
  readonly buckets = new Map<number, Map<string, Sums>>();
  /** Every key with a row in the range or on the day before it: one that fell silent must still show. */
  readonly keys = new Set<string>();
  /** Of each key the last bucket before the range's own that has accepted shares, and the largest exponent in it. */
  readonly before = new Map<string, { readonly bucket: number; readonly exponent: number }>();

  at(bucket: number, key: string): Sums {
    this.keys.add(key);
    let keys = this.buckets.get(bucket);
    if (keys === undefined) this.buckets.set(bucket, (keys = new Map()));
    let sums = keys.get(key);
    if (sums === undefined) keys.set(key, (sums = nothing()));
    return sums;
  }

  nothing(): Sums {
    return nothing();
  }

  noteBefore(key: string, bucket: number, exponent: number): void {
    const known = this.before.get(key);
    if (known === undefined || bucket > known.bucket || (bucket === known.bucket && exponent > known.exponent)) this.before.set(key, { bucket, exponent });
  }

  /** Under each lease of a set of them what was gathered under the set; the total stays what it was, for sets overlap. */
  byLease(): Gathered {
    const split = new Gathered();
    split.#whole = this.total(undefined);
    const ids = (set: string): string[] => (set === '' ? [''] : leaseIds(set));
    for (const set of this.keys) for (const id of ids(set)) split.keys.add(id);
    for (const [bucket, sets] of this.buckets) {
      for (const [set, sums] of sets) for (const id of ids(set)) merge(split.at(bucket, id), sums);
    }
    for (const [set, { bucket, exponent }] of this.before) for (const id of ids(set)) split.noteBefore(id, bucket, exponent);
    return split;
  }

  /** Over all buckets, of one key or of all. */
  total(key: string | undefined): Sums {
    if (key === undefined && this.#whole !== undefined) return this.#whole;
    const total = nothing();
    for (const keys of this.buckets.values()) {
      for (const [name, sums] of keys) if (key === undefined || name === key) merge(total, sums);
    }
    return total;
  }
}

const UNITS = { '1m': 'minute', '1h': 'hour', '1d': 'day' } as const;
const MINUTES = { '1m': 1, '1h': 60, '1d': 1440 } as const;

/** Every key of the day before, and of the day or hour in which the range begins, counts as one that may have fallen silent. */
function lookBackRange(query: LedgerQuery): LedgerRange {
  const hour = Math.ceil(query.fromMs / HOUR_MS);
  const day = Math.ceil(query.fromMs / DAY_MS);
  return query.by === 'worker' ? { table: 'worker_hour', from: hour - 24, to: hour } : { table: 'delivered_day', from: Math.floor(query.fromMs / DAY_MS) - 1, to: day };
}

/** What `gather` reads. */
export function gatherRanges(query: LedgerQuery, first: number, end: number): LedgerRange[] {
  const back = lookBackRange(query);
  if (query.by === 'worker') {
    const hours = query.step === '1d' ? 24 : 1;
    const range = { from: first * hours, to: end * hours };
    return [back, { table: 'worker_hour', ...range }, { table: 'worker_connected', ...range }];
  }
  const unit = UNITS[query.step];
  const minutes = MINUTES[query.step];
  const ranges: LedgerRange[] = [back, { table: `delivered_${unit}`, from: first, to: end }, { table: `credited_${unit}`, from: first, to: end }];
  return query.by === 'pool' ? ranges : [...ranges, { table: 'unjournaled_minute', from: first * minutes, to: end * minutes }];
}

/** Reads what a query needs; buckets are in units of its step, [first, end). */
export function gather(reader: LedgerReader, query: LedgerQuery, first: number, end: number): Gathered {
  const gathered = new Gathered();
  lookBack(reader, query, gathered);
  if (query.by === 'worker') gatherWorkers(reader, query, first, end, gathered);
  else gatherGroups(reader, query, query.by, first, end, gathered);
  return query.by === 'lease' ? gathered.byLease() : gathered;
}

/** The keys of the day before and their latest difficulty. */
function lookBack(reader: LedgerReader, query: LedgerQuery, gathered: Gathered): void {
  const { from, to } = lookBackRange(query);
  if (query.by === 'worker') {
    for (const row of reader.rows('worker_hour', from, to)) noteBefore(gathered, row.worker, row.hour, row);
    return;
  }
  for (const row of reader.rows('delivered_day', from, to)) noteBefore(gathered, row[columnOf(query.by)], row.day, row);
}

/** The column that tells keys apart: leases come as sets, which are taken apart in the end. */
function columnOf(by: Exclude<LedgerKey, 'worker'>): 'site' | 'lessee' | 'leases' | 'pool' {
  return by === 'lease' ? 'leases' : by;
}

function noteBefore(gathered: Gathered, key: string, bucket: number, row: { readonly verdict: OwnVerdict; readonly exponent: number }): void {
  if (row.verdict !== 'accepted') return;
  gathered.keys.add(key);
  gathered.noteBefore(key, bucket, row.exponent);
}

function gatherWorkers(reader: LedgerReader, query: LedgerQuery, first: number, end: number, gathered: Gathered): void {
  const hours = query.step === '1d' ? 24 : 1;
  for (const row of reader.rows('worker_hour', first * hours, end * hours)) {
    addShares(gathered, Math.floor(row.hour / hours), row.worker, row);
    const sums = gathered.at(Math.floor(row.hour / hours), row.worker);
    if (row.verdict === 'accepted') sums.lastMs = Math.max(sums.lastMs, row.last_ms);
  }
  for (const row of reader.rows('worker_connected', first * hours, end * hours)) {
    gathered.at(Math.floor(row.hour / hours), row.worker).connectedMs += row.connected_ms;
  }
}

type DeliveredRow = DeliveredMinuteRow | DeliveredHourRow | DeliveredDayRow;
type CreditedRow = CreditedMinuteRow | CreditedHourRow | CreditedDayRow;

function gatherGroups(reader: LedgerReader, query: LedgerQuery, by: Exclude<LedgerKey, 'worker'>, first: number, end: number, gathered: Gathered): void {
  const unit = UNITS[query.step];
  const column = columnOf(by);
  for (const row of reader.rows(`delivered_${unit}`, first, end)) addDelivered(gathered, bucketOf(row), row[column], row);
  for (const row of reader.rows(`credited_${unit}`, first, end)) addCredited(gathered.at(bucketOf(row), row[column]), row);
  if (column === 'pool') return;
  const minutes = MINUTES[query.step];
  for (const row of reader.rows('unjournaled_minute', first * minutes, end * minutes)) {
    gathered.at(Math.floor(row.minute / minutes), row[column]).unjournaled += row.n;
  }
}

function bucketOf(row: DeliveredRow | CreditedRow): number {
  if ('minute' in row) return row.minute;
  return 'hour' in row ? row.hour : row.day;
}

function addDelivered(gathered: Gathered, bucket: number, key: string, row: DeliveredRow): void {
  addShares(gathered, bucket, key, row);
  if (row.verdict !== 'accepted') return;
  const sums = gathered.at(bucket, key);
  sums.worth += 'worth' in row ? row.worth : BigInt(row.n) * shareWorth(powerOfTwo(row.exponent), row.nbits, row.value);
  if (row.forwarding === 'no-link' || row.forwarding === 'capped') bump(sums.uncreditable, row.exponent, row.n);
}

function addShares(gathered: Gathered, bucket: number, key: string, row: DeliveredRow | WorkerHourRow): void {
  const sums = gathered.at(bucket, key);
  if (row.verdict === 'courtesy') {
    sums.courtesy += row.n;
  } else if (row.verdict === 'accepted') {
    bump(sums.accepted, row.exponent, row.n);
    if (sums.largest === undefined || row.exponent > sums.largest) sums.largest = row.exponent;
  } else {
    bump(sums.rejected, row.verdict, row.n);
  }
}

function addCredited(sums: Sums, row: CreditedRow): void {
  if (row.verdict === 'unanswered') {
    sums.unanswered += row.n;
  } else if (row.verdict === 'rejected') {
    bump(sums.poolRejected, row.reason, row.n);
  } else {
    const difficulty = rationalOf(row.difficulty);
    sums.creditedAccepted += row.n;
    sums.creditedDifficulty = plus(sums.creditedDifficulty, { numerator: difficulty.numerator * BigInt(row.n), denominator: difficulty.denominator });
    sums.creditedWorth += 'worth' in row ? row.worth : BigInt(row.n) * shareWorth(difficulty, row.nbits, row.value);
  }
}

function bump<K>(counts: Map<K, number>, key: K, n: number): void {
  counts.set(key, (counts.get(key) ?? 0) + n);
}

function merge(into: Sums, from: Sums): void {
  for (const [key, n] of from.accepted) bump(into.accepted, key, n);
  for (const [key, n] of from.uncreditable) bump(into.uncreditable, key, n);
  for (const [key, n] of from.rejected) bump(into.rejected, key, n);
  for (const [key, n] of from.poolRejected) bump(into.poolRejected, key, n);
  into.courtesy += from.courtesy;
  into.worth += from.worth;
  into.creditedAccepted += from.creditedAccepted;
  into.unanswered += from.unanswered;
  into.creditedDifficulty = plus(into.creditedDifficulty, from.creditedDifficulty);
  into.creditedWorth += from.creditedWorth;
  into.unjournaled += from.unjournaled;
  into.connectedMs += from.connectedMs;
  into.lastMs = Math.max(into.lastMs, from.lastMs);
  if (from.largest !== undefined && (into.largest === undefined || from.largest > into.largest)) into.largest = from.largest;
}

/** Denominators are powers of ten, so the larger one is always a multiple of the smaller. */
function plus(a: Rational, b: Rational): Rational {
  if (a.denominator < b.denominator) return plus(b, a);
  return { numerator: a.numerator + b.numerator * (a.denominator / b.denominator), denominator: a.denominator };
}
