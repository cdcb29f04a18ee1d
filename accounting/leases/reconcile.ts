/**
 * Holds what a pool says and pays against our records. Three comparisons, and nothing is claimed beyond them: counts of
 * shares sent and answered must agree exactly; the pool's work must be ours; and both must be the delivered work as far as
 * chance allows, because only one share in D/d reaches the pool.
 */
import { decimal, decimalText, exact, greatest, least, minus, over, squareRoot, times, ZERO, type Exact } from './exact.ts';
import type { Earning } from './earnings.ts';
import type { Flow } from './flow.ts';

/** 2.6 standard deviations, as with the noise of a lease. */
const SIGMAS_TENTHS = 26n;
/** Pools round their figures: a part in 100,000 is no difference. */
const ROUNDING = exact(1n, 100_000n);
/** Decimals of work in a report. */
const PLACES = 3;

/** Work is Σ difficulty as decimal text. */
export interface Reconciliation {
  readonly forwarded: number;
  readonly accepted: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly unanswered: number;
  /** Forwarded shares of which no answer is on record, not even that none came; negative: answers without their shares. */
  readonly unaccounted: number;
  readonly deliveredWork: string;
  readonly creditedWork: string;
  readonly refusedWork: string;
  /** How far credited and refused work may differ from delivered work by chance. */
  readonly band: string;
  readonly insideBand: boolean;
  /** As the pool states it; '' where it does not. */
  readonly poolWork: string;
  /** The pool's work less our credited work; '' without the pool's. */
  readonly difference: string;
  readonly findings: readonly string[];
}

/**
 * Variance of Σ D over those shares that happen to meet the pool's target, given the delivered ones: a share of d meets D
 * with chance d/D, so it adds d·(D − d). D is the mean by work of what was answered.
 */
function bandOf(flow: Flow): Exact {
  if (flow.answered.numerator === 0n) return flow.delivered;
  const mean = over(flow.answeredSquares, flow.answered);
  const variance = greatest(ZERO, minus(times(mean, flow.delivered), flow.deliveredSquares));
  // To the thousandth of a difficulty.
  const scaled = (variance.numerator * (SIGMAS_TENTHS * 100n) ** 2n) / variance.denominator;
  return exact(squareRoot(scaled) + 1n, 1000n);
}

function absolute(value: Exact): Exact {
  return value.numerator < 0n ? minus(ZERO, value) : value;
}

/** Σ difficulty that the pool states for an earning; undefined where it does not. */
export function statedWork({ poolWork }: Earning): Exact | undefined {
  return poolWork === '' ? undefined : decimal(poolWork);
}

export function reconcile(flow: Flow, poolWork: Exact | undefined): Reconciliation {
  const rejectedCount = [...flow.rejected.values()].reduce((sum, n) => sum + n, 0);
  const unaccounted = flow.sent - flow.accepted - rejectedCount - flow.unanswered;
  const band = bandOf(flow);
  const insideBand = !exceeds(absolute(minus(flow.answered, flow.delivered)), band);
  const text = (work: Exact): string => decimalText(work, PLACES);
  return {
    forwarded: flow.sent, accepted: flow.accepted, rejected: Object.fromEntries([...flow.rejected].toSorted(([a], [b]) => (a < b ? -1 : 1))), unanswered: flow.unanswered,
    unaccounted,
    deliveredWork: text(flow.delivered), creditedWork: text(flow.credited), refusedWork: text(flow.refused),
    band: text(band), insideBand,
    poolWork: poolWork === undefined ? '' : text(poolWork),
    difference: poolWork === undefined ? '' : text(minus(poolWork, flow.credited)),
    findings: [...countFindings(unaccounted), ...(insideBand ? [] : [chanceFinding(flow, band)]), ...(poolWork === undefined ? [] : workFindings(flow, poolWork, band))],
  };
}

function exceeds(a: Exact, b: Exact): boolean {
  return least(a, b) === b && (a.numerator * b.denominator !== b.numerator * a.denominator);
}

function countFindings(unaccounted: number): string[] {
  if (unaccounted > 0) return [`${unaccounted} forwarded shares have no answer on record, not even that none came: a proxy process ended before one did, or it is still under way.`];
  return unaccounted < 0 ? [`${-unaccounted} answers are to shares that are not on record as forwarded in this interval: journals before it may be missing.`] : [];
}

function chanceFinding(flow: Flow, band: Exact): string {
  const [less, more] = [minus(flow.delivered, flow.answered), minus(flow.answered, flow.delivered)];
  return less.numerator > 0n
    ? `Answered work is ${decimalText(less, 0)} less than was delivered, and chance allows ${decimalText(band, 0)}: work did not reach the pool, or its difficulty was not what it said.`
    : `Answered work is ${decimalText(more, 0)} more than was delivered, and chance allows ${decimalText(band, 0)}: machines found more than they were credited for.`;
}

/** What the pool states against what its own answers add up to, and against the delivered work. */
function workFindings(flow: Flow, poolWork: Exact, band: Exact): string[] {
  const short = minus(flow.credited, poolWork);
  const tolerance = times(flow.credited, ROUNDING);
  const findings: string[] = [];
  if (exceeds(short, tolerance)) findings.push(`Missing credit: the pool states ${decimalText(short, 0)} less work than the shares that it accepted add up to.`);
  if (exceeds(minus(ZERO, short), tolerance)) findings.push(`The pool states ${decimalText(minus(ZERO, short), 0)} more work than the shares that it accepted add up to: others mine under this account, or journals are missing.`);
  const skimmed = minus(minus(flow.delivered, flow.refused), poolWork);
  if (exceeds(skimmed, band)) findings.push(`Skimming: the pool states ${decimalText(skimmed, 0)} less work than was delivered and not refused, and chance allows ${decimalText(band, 0)}.`);
  return findings;
}
