/** The quantities of a lease per day: contracted, owed, delivered, credited, and what counts after losses are borne. All exact. */
import type { LeaseConfig } from '../../config/leases.ts';
import { HASHES_PER_DIFFICULTY } from '../../proxy/mining/difficulty.ts';
import { DAY_MS } from '../rows.ts';
import { powerOfTwo } from '../worth.ts';
import { decimal, exact, floor, greatest, least, minus, ONE, over, percentage, plus, squareRoot, times, total, ZERO, type Exact } from './exact.ts';
import { msWithin, type ExcusedTime } from './excused.ts';

export const LOSS_CAUSES = ['poolStale', 'poolOther', 'noPool', 'unjournaled'] as const;
export type LossCause = (typeof LOSS_CAUSES)[number];

export interface Answers {
  readonly forwarded: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly unanswered: number;
}

/** Over several days. */
export function answersOf(days: readonly LeaseDay[]): Answers {
  const sum = (key: keyof Answers): number => days.reduce((n, { answers }) => n + (answers?.[key] ?? 0), 0);
  return { forwarded: sum('forwarded'), accepted: sum('accepted'), rejected: sum('rejected'), unanswered: sum('unanswered') };
}

/** What the ledger holds of one lease and local day. */
export interface LeaseDay {
  readonly date: string;
  /** [from, to), milliseconds since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Exponent k → accepted shares. */
  readonly shares: ReadonlyMap<number, number>;
  /** Expected worth of those shares, in units of 10^-18 satoshi. */
  readonly worth: bigint;
  /** What pools credited: Σ upstream difficulty, and its expected worth. */
  readonly credited: { readonly difficulty: Exact; readonly worth: bigint };
  /** Σ difficulty of work that did not reach the pool, by cause; `unjournaled` is not part of `shares`. */
  readonly losses: Readonly<Record<LossCause, Exact>>;
  /** Σ difficulty² of the same, by which chance makes them vary. Left out: nothing was credited or lost. */
  readonly squares?: { readonly credited: Exact; readonly losses: Readonly<Record<LossCause, Exact>> };
  /** Time in which at least one proxy process observed. */
  readonly observedMs: number;
  /** Time that lies in a gap in which nobody observed, and is neither curtailed nor suspended. Left out: none. */
  readonly unmeasuredMs?: number;
  /** By the inventory; undefined without one. */
  readonly installed: Exact | undefined;
  /** Shares that were sent to pools, and what those answered. */
  readonly answers?: Answers;
  /** Pools that answered. */
  readonly pools?: ReadonlySet<string>;
  /** Meter → kWh of the day. */
  readonly metered?: ReadonlyMap<string, Exact>;
  /** What pools paid for the lease's work, nano-satoshi; undefined where it is not asked for. */
  readonly earned?: bigint;
}

/** All in TH·day: 1 TH/s for 86,400 seconds. */
export interface DayQuantities {
  readonly date: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly contracted: Exact;
  /** Contracted less curtailed and suspended time, and less unmeasured time where that is excused. */
  readonly owed: Exact;
  /** What fixed rent is due for. */
  readonly due: Exact;
  readonly installed: Exact | undefined;
  readonly delivered: Exact;
  readonly credited: Exact;
  readonly losses: Readonly<Record<LossCause, Exact>>;
  /** Delivered or credited, by the basis, after losses: what the performer gets credit for. */
  readonly settled: Exact;
  /** By what chance makes `settled` vary: its variance, in (TH·day)². */
  readonly variance: Exact;
  /** Part of `settled` that delivered rent is due for. */
  readonly billable: Exact;
  /** Expected worth that shares of the value are taken from, units of 10^-18 satoshi. */
  readonly worth: bigint;
  readonly curtailedMs: number;
  readonly suspendedMs: number;
  /** Unmeasured time that is not owed; 0 where the performer bears it. */
  readonly unmeasuredMs: number;
  readonly observedMs: number;
  readonly metered: ReadonlyMap<string, Exact>;
}

const NO_METERS: ReadonlyMap<string, Exact> = new Map();
const NO_SQUARES: NonNullable<LeaseDay['squares']> = { credited: ZERO, losses: { poolStale: ZERO, poolOther: ZERO, noPool: ZERO, unjournaled: ZERO } };
const TERAHASH_DAYS_PER_DIFFICULTY = exact(HASHES_PER_DIFFICULTY.numerator, HASHES_PER_DIFFICULTY.denominator * 86_400n * 10n ** 12n);

/** Σ difficulty as TH·day. */
export function terahashDays(difficulty: Exact): Exact {
  return times(difficulty, TERAHASH_DAYS_PER_DIFFICULTY);
}

/** A rate in H/s, decimal text, over some milliseconds, as TH·day. */
export function rateTerahashDays(hashesPerSecond: string, ms: number): Exact {
  return times(decimal(hashesPerSecond), exact(BigInt(ms), 10n ** 12n * BigInt(DAY_MS)));
}

/** Σ n·2^k, exactly. */
export function difficultyOf(shares: Iterable<readonly [exponent: number, n: number]>): Exact {
  return total([...shares].map(([exponent, n]) => times(powerOfTwo(exponent), exact(BigInt(n)))));
}

/** Σ n·4^k, exactly. */
export function squaresOf(shares: Iterable<readonly [exponent: number, n: number]>): Exact {
  return total([...shares].map(([exponent, n]) => times(times(powerOfTwo(exponent), powerOfTwo(exponent)), exact(BigInt(n)))));
}

/** Whether the performer bears a loss of this cause. */
function performerBears(lease: LeaseConfig, cause: LossCause): boolean {
  const role = lease.lossBorneBy[cause];
  return lease[role] === lease.performer;
}

/** Whether who keeps the value bears it: then the value shared out does not shrink. */
function residualBears(lease: LeaseConfig, cause: LossCause): boolean {
  return lease[lease.lossBorneBy[cause]] === lease.residual;
}

/**
 * On the basis `delivered`, what did not reach the pool is taken off where the performer bears it; on `credited`, it is
 * added where somebody else does. Unjournaled work is in neither and is added where somebody else bears it.
 */
function settledDifficulty(lease: LeaseConfig, day: LeaseDay, delivered: Exact): Exact {
  let settled = lease.basis === 'delivered' ? delivered : day.credited.difficulty;
  for (const cause of LOSS_CAUSES) {
    const lost = day.losses[cause];
    const counted = lease.basis === 'delivered' && cause !== 'unjournaled';
    if (counted && performerBears(lease, cause)) settled = minus(settled, lost);
    if (!counted && !performerBears(lease, cause)) settled = plus(settled, lost);
  }
  return greatest(settled, ZERO);
}

/**
 * Σ difficulty² of what `settledDifficulty` adds up. A pool counts at its own difficulty, of which there are few: work that is
 * credited, or taken off because a pool refused it, varies by more than the machines' shares do. Work that found no pool is left out share by share.
 */
function settledSquares(lease: LeaseConfig, { shares, squares = NO_SQUARES }: LeaseDay): Exact {
  let sum = lease.basis === 'delivered' ? squaresOf(shares) : squares.credited;
  for (const cause of LOSS_CAUSES) {
    const counted = lease.basis === 'delivered' && cause !== 'unjournaled';
    if (counted !== performerBears(lease, cause)) continue;
    sum = counted && cause === 'noPool' ? minus(sum, squares.losses[cause]) : plus(sum, squares.losses[cause]);
  }
  return greatest(sum, ZERO);
}

/**
 * Expected worth that shares of the value are taken from. Lost work is worth what the day's delivered work was on average,
 * and is left out unless who keeps the value bears the loss. Pools count losses at their own difficulty, so on a bad day
 * chance may make them more than all that was delivered.
 */
function sharedWorth(lease: LeaseConfig, day: LeaseDay, delivered: Exact): bigint {
  const counted = lease.basis === 'delivered';
  let worth = exact(counted ? day.worth : day.credited.worth);
  if (delivered.numerator === 0n) return floor(worth);
  const each = over(exact(day.worth), delivered);
  for (const cause of LOSS_CAUSES) {
    if (cause === 'unjournaled') continue;
    const lost = times(each, day.losses[cause]);
    if (counted && !residualBears(lease, cause)) worth = minus(worth, lost);
    if (!counted && residualBears(lease, cause)) worth = plus(worth, lost);
  }
  return floor(greatest(worth, ZERO));
}

/** Quantities of each day. `carriedIn` is work above contract that an earlier statement carried to this one, in TH·day. */
export function quantities(lease: LeaseConfig, days: readonly LeaseDay[], excused: ExcusedTime, carriedIn: Exact): { readonly days: readonly DayQuantities[]; readonly carriedOut: Exact } {
  const unpaid = joinedUnpaid(lease, excused);
  let settledSoFar = carriedIn;
  let billedSoFar = ZERO;
  let ceiling = ZERO;
  const result = days.map((day): DayQuantities => {
    const ms = day.toMs - day.fromMs;
    const curtailedMs = msWithin(excused.curtailed, day.fromMs, day.toMs);
    const suspendedMs = msWithin(excused.suspended, day.fromMs, day.toMs);
    const unmeasuredMs = lease.unmeasured === 'excused' ? (day.unmeasuredMs ?? 0) : 0;
    const delivered = difficultyOf(day.shares);
    const settled = terahashDays(settledDifficulty(lease, day, delivered));
    const owed = rateTerahashDays(lease.contracted, ms - curtailedMs - suspendedMs - unmeasuredMs);
    settledSoFar = plus(settledSoFar, settled);
    ceiling = plus(ceiling, times(owed, plus(ONE, percentage(lease.overDelivery?.upTo ?? '0'))));
    const billed = isPaid(lease) ? settledSoFar : least(settledSoFar, ceiling);
    const billable = minus(billed, billedSoFar);
    billedSoFar = billed;
    return {
      date: day.date, fromMs: day.fromMs, toMs: day.toMs,
      contracted: rateTerahashDays(lease.contracted, ms),
      owed,
      // Rent is paid for the rate that machines stand ready for; that nobody observed them says nothing of it.
      due: rateTerahashDays(lease.contracted, ms - msWithin(unpaid, day.fromMs, day.toMs)),
      installed: day.installed,
      delivered: terahashDays(delivered),
      credited: terahashDays(day.credited.difficulty),
      losses: lossesOf(day),
      settled, billable,
      variance: times(settledSquares(lease, day), times(TERAHASH_DAYS_PER_DIFFICULTY, TERAHASH_DAYS_PER_DIFFICULTY)),
      worth: sharedWorth(lease, day, delivered),
      curtailedMs, suspendedMs, unmeasuredMs, observedMs: day.observedMs, metered: day.metered ?? NO_METERS,
    };
  });
  const above = minus(settledSoFar, billedSoFar);
  return { days: result, carriedOut: lease.overDelivery?.then === 'carry' ? above : ZERO };
}

function isPaid({ overDelivery }: LeaseConfig): boolean {
  return overDelivery === undefined || overDelivery.then === 'paid';
}

function joinedUnpaid(lease: LeaseConfig, excused: ExcusedTime): ExcusedTime['curtailed'] {
  return lease.curtailment?.rent === 'due' ? excused.suspended : [...excused.curtailed, ...excused.suspended];
}

function lossesOf(day: LeaseDay): Record<LossCause, Exact> {
  const of = (cause: LossCause): Exact => terahashDays(day.losses[cause]);
  return { poolStale: of('poolStale'), poolOther: of('poolOther'), noPool: of('noPool'), unjournaled: of('unjournaled') };
}

/** Figures of chance are kept in parts per million, so that they are exact and the same everywhere. */
const MILLION = 1_000_000n;
/** 2.6 standard deviations: one honest measurement in two hundred is further below. */
const SIGMAS_TENTHS = 26n;

/**
 * What chance excuses, as a fraction of the settled work: 2.6·√variance/settled, but never more than the promised number of
 * shares would have: 2.6/√(minSharesPerMinute · minutes). Rounded down to a millionth.
 */
export function noise(settled: Exact, variance: Exact, minSharesPerMinute: number, ms: number): Exact {
  const capped = ms <= 0 ? ZERO : rootFraction(exact(60_000n, BigInt(minSharesPerMinute) * BigInt(ms)));
  return settled.numerator <= 0n ? capped : least(rootFraction(over(variance, times(settled, settled))), capped);
}

/** 2.6·√value in millionths. */
function rootFraction({ numerator, denominator }: Exact): Exact {
  const scaled = (numerator * (SIGMAS_TENTHS * MILLION) ** 2n) / (denominator * 100n);
  return exact(squareRoot(scaled), MILLION);
}
