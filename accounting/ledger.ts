/** The ledger as people and programs read it: rows per bucket and key, with their hash rate and its 95 % interval. */
import type { OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import { estimate, hashesOf, hashesOfDifficulty } from './estimate.ts';
import { exposures } from './exposure.ts';
import type { Book, LedgerRange, LedgerReader } from './reader.ts';
import { MINUTE_MS } from './rows.ts';
import { satsText } from './worth.ts';
import { gather, gatherRanges, type Sums } from './gather.ts';

export const LEDGER_KEYS = ['site', 'lessee', 'worker', 'pool', 'lease'] as const;
export type LedgerKey = (typeof LEDGER_KEYS)[number];
export const LEDGER_STEPS = ['1m', '1h', '1d'] as const;
export type LedgerStep = (typeof LEDGER_STEPS)[number];

export interface LedgerQuery {
  readonly by: LedgerKey;
  /** Wall-clock milliseconds, [from, to), widened to whole buckets. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly step: LedgerStep;
}

/** Plain JSON: big figures are decimal strings. docs/ledger.md describes every field. */
export interface LedgerRow {
  /** Start of the bucket, ISO 8601 in UTC; '' in totals. */
  readonly from: string;
  readonly key: string;
  readonly accepted: number;
  readonly courtesy: number;
  readonly rejected: Partial<Record<OwnVerdict, number>>;
  readonly rejectedTotal: number;
  /** Delivered work in hashes, ⌊c·Σd⌋. */
  readonly workHashes: string;
  readonly terahashDays: number;
  readonly exposureSeconds: number;
  /** Hashes per second over the exposure, and its 95 % interval; null where nothing can be said. */
  readonly rate: number | null;
  readonly rateLow: number | null;
  readonly rateHigh: number | null;
  /** What the delivered work is expected to be worth, in satoshi with nine decimals; null by worker. */
  readonly expectedSats: string | null;
  /** Accepted shares that no link could carry or whose link was at its cap: the pool cannot credit them; null by worker. */
  readonly uncreditable: number | null;
  readonly uncreditableHashes: string | null;
  /** Accepted shares that were answered and could not be journaled; not part of `accepted`. null by pool and worker. */
  readonly unjournaled: number | null;
  /** By worker only: machine time connected, and the latest accepted share, ISO 8601. */
  readonly connectedSeconds: number | null;
  readonly lastShare: string | null;
  /** What the pools credited of the shares found in the bucket; null by worker. */
  readonly credited: CreditedPart | null;
}

export interface CreditedPart {
  readonly accepted: number;
  readonly unanswered: number;
  readonly rejected: Partial<Record<PoolReason, number>>;
  readonly rejectedTotal: number;
  /** Σ upstream difficulty × c of accepted shares, in hashes, rounded down. */
  readonly workHashes: string;
  readonly terahashDays: number;
  readonly expectedSats: string;
}

export interface LedgerReport {
  readonly by: LedgerKey;
  readonly step: LedgerStep;
  /** The range after widening, ISO 8601. */
  readonly from: string;
  readonly to: string;
  /** By bucket, then key. A key has a row in each bucket that was observed, also when it delivered nothing there. */
  readonly rows: readonly LedgerRow[];
  /** One row per key over the whole range, and one over everything: work under two leases is in the rows of both and once in `total`. */
  readonly totals: readonly LedgerRow[];
  readonly total: LedgerRow;
}

/** Minutes in each step. */
export const STEP_MINUTES: Readonly<Record<LedgerStep, number>> = { '1m': 1, '1h': 60, '1d': 1440 };
/** A longer answer would fill memory before it helped anybody. */
const LEDGER_ROWS_MAX = 1_000_000;

/** Answers from a ledger, here or shared. A query that cannot be answered is refused with one sentence. */
export async function readLedger(book: Book, query: LedgerQuery): Promise<LedgerReport | { readonly refused: string }> {
  const refused = refusal(query);
  return refused === undefined ? book.read(ledgerRanges(query), (reader) => queryLedger(reader, query)) : { refused };
}

/** The same from a reader that stands still and has the ranges of the query. */
export function queryLedger(reader: LedgerReader, query: LedgerQuery): LedgerReport | { readonly refused: string } {
  const refused = refusal(query);
  if (refused !== undefined) return { refused };
  const { first, end, minutes } = bucketsOf(query);
  const observed = exposures(reader.rows('observed_minute', first * minutes, end * minutes), minutes);
  const gathered = gather(reader, query, first, end);
  const rowsExpected = new Set([...observed.keys(), ...gathered.buckets.keys()]).size * gathered.keys.size;
  if (rowsExpected > LEDGER_ROWS_MAX) {
    return { refused: `this would be ${rowsExpected} rows, more than ${LEDGER_ROWS_MAX}: take a longer --step or a shorter range` };
  }
  return report(query, first, end, gathered, observed);
}

/** What a query reads. */
function ledgerRanges(query: LedgerQuery): LedgerRange[] {
  const { first, end, minutes } = bucketsOf(query);
  return [{ table: 'observed_minute', from: first * minutes, to: end * minutes }, ...gatherRanges(query, first, end)];
}

function bucketsOf(query: LedgerQuery): { readonly first: number; readonly end: number; readonly minutes: number } {
  const minutes = STEP_MINUTES[query.step];
  const stepMs = minutes * MINUTE_MS;
  return { first: Math.floor(query.fromMs / stepMs), end: Math.ceil(query.toMs / stepMs), minutes };
}

function refusal(query: LedgerQuery): string | undefined {
  if (query.by === 'worker' && query.step === '1m') {
    return '--by worker is kept per hour, because a machine finds too few shares in a minute to say anything: use --step 1h or 1d';
  }
  if (!(query.fromMs < query.toMs)) return `--from (${iso(query.fromMs)}) must be before --to (${iso(query.toMs)})`;
  return undefined;
}

function report(query: LedgerQuery, first: number, end: number, gathered: ReturnType<typeof gather>, observed: ReadonlyMap<number, number>): LedgerReport {
  const stepMs = STEP_MINUTES[query.step] * MINUTE_MS;
  const buckets = [...new Set([...observed.keys(), ...gathered.buckets.keys()])].toSorted((a, b) => a - b);
  const keys = [...gathered.keys].toSorted();
  const inForce = inForceFirst(gathered, buckets);
  const bounds = new Map(inForce);
  const rows: LedgerRow[] = [];
  for (const bucket of buckets) {
    for (const key of keys) {
      const sums = gathered.buckets.get(bucket)?.get(key);
      rows.push(ledgerRow(query.by, iso(bucket * stepMs), key, sums ?? gathered.nothing(), observed.get(bucket) ?? 0, inForce.get(key)));
      if (sums?.largest !== undefined) inForce.set(key, sums.largest);
    }
  }
  const exposureMs = [...observed.values()].reduce((sum, ms) => sum + ms, 0);
  const totals = keys.map((key) => ledgerRow(query.by, '', key, gathered.total(key), exposureMs, bounds.get(key)));
  let largest: number | undefined;
  for (const exponent of bounds.values()) if (largest === undefined || exponent > largest) largest = exponent;
  const total = ledgerRow(query.by, '', 'total', gathered.total(undefined), exposureMs, largest);
  return { by: query.by, step: query.step, from: iso(first * stepMs), to: iso(end * stepMs), rows, totals, total };
}

/**
 * The difficulty that bounds what a key may have found before its first share in the range: the largest of its last bucket
 * before the range, else of its first one inside. Rows of one bucket tell nothing of their order, so only the largest is a bound.
 */
function inForceFirst(gathered: ReturnType<typeof gather>, buckets: readonly number[]): Map<string, number> {
  const exponents = new Map<string, number>();
  for (const bucket of buckets.toReversed()) {
    for (const [key, { largest }] of gathered.buckets.get(bucket) ?? []) if (largest !== undefined) exponents.set(key, largest);
  }
  for (const [key, { exponent }] of gathered.before) exponents.set(key, exponent);
  return exponents;
}

function ledgerRow(by: LedgerKey, from: string, key: string, sums: Sums, exposureMs: number, exponent: number | undefined): LedgerRow {
  const counts: [number, number][] = [...sums.accepted];
  if (exponent !== undefined) counts.push([exponent, 0]);
  const estimated = estimate(counts, exposureMs);
  const worker = by === 'worker';
  return {
    from,
    key,
    accepted: estimated.shares,
    courtesy: sums.courtesy,
    rejected: Object.fromEntries(sums.rejected),
    rejectedTotal: total(sums.rejected),
    workHashes: String(estimated.hashes),
    terahashDays: terahashDays(estimated.hashes),
    exposureSeconds: exposureMs / 1000,
    rate: estimated.rate ?? null,
    rateLow: estimated.low ?? null,
    rateHigh: estimated.high ?? null,
    expectedSats: worker ? null : satsText(sums.worth),
    uncreditable: worker ? null : total(sums.uncreditable),
    uncreditableHashes: worker ? null : String(hashesOf(sums.uncreditable)),
    unjournaled: by !== 'pool' && !worker ? sums.unjournaled : null,
    connectedSeconds: worker ? sums.connectedMs / 1000 : null,
    lastShare: worker && sums.lastMs > 0 ? iso(sums.lastMs) : null,
    credited: worker ? null : creditedPart(sums),
  };
}

function creditedPart(sums: Sums): CreditedPart {
  const hashes = hashesOfDifficulty(sums.creditedDifficulty);
  return {
    accepted: sums.creditedAccepted,
    unanswered: sums.unanswered,
    rejected: Object.fromEntries(sums.poolRejected),
    rejectedTotal: total(sums.poolRejected),
    workHashes: String(hashes),
    terahashDays: terahashDays(hashes),
    expectedSats: satsText(sums.creditedWorth),
  };
}

function total(counts: ReadonlyMap<unknown, number>): number {
  let sum = 0;
  for (const n of counts.values()) sum += n;
  return sum;
}

/** Hashes as terahash-days (8.64·10^16 hashes), for display. */
function terahashDays(hashes: bigint): number {
  // Milli-units in integers first, so that small and huge figures both keep their digits.
  const unit = 86_400n * 10n ** 12n;
  return Number(hashes / unit) + Number(hashes % unit) / Number(unit);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
