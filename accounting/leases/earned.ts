/** A lease's part of what pools paid: each earning is divided by the credited work of its interval, to the nano-satoshi. */
import type { LocalDay } from '../../config/calendar.ts';
import { leaseIds } from '../../proxy/session/leases.ts';
import type { LedgerRange, LedgerReader } from '../reader.ts';
import { decimalText, exact, largestRemainder, over, times, total, type Exact } from './exact.ts';
import type { Earning } from './earnings.ts';
import { flowOf, flowRanges, type Flow } from './flow.ts';
import { reconcile, statedWork, type Reconciliation } from './reconcile.ts';
import { someOf } from './some-of.ts';

export interface EarnedPart {
  readonly earning: Earning;
  /** Index of the local day in which the interval ends: an earning belongs to one day, and to one statement. */
  readonly day: number;
  /** Σ difficulty that the pool credited in the interval: the lease's and all. */
  readonly ourWork: Exact;
  readonly allWork: Exact;
  /** Nano-satoshi of `net`. */
  readonly share: bigint;
  readonly reconciliation: Reconciliation;
}

/** Earnings whose interval ends within the days. */
function earningsOf(days: readonly LocalDay[], all: readonly Earning[]): { readonly earning: Earning; readonly day: number }[] {
  return all.flatMap((earning) => {
    const day = days.findIndex(({ fromMs, toMs }) => fromMs < earning.toMs && earning.toMs <= toMs);
    return day < 0 ? [] : [{ earning, day }];
  });
}

/** What `earnedParts` reads. */
export function earnedRanges(days: readonly LocalDay[], all: readonly Earning[]): LedgerRange[] {
  const spans = new Map(earningsOf(days, all).map(({ earning: { fromMs, toMs } }) => [`${fromMs} ${toMs}`, { fromMs, toMs }]));
  return [...spans.values()].flatMap(flowRanges);
}

/**
 * The lease's parts, in the order of the earnings. An earning in whose interval nothing was credited cannot be divided and
 * is left out, as is one of which the lease has nothing.
 */
export function earnedParts(reader: LedgerReader, days: readonly LocalDay[], all: readonly Earning[], lease: string): EarnedPart[] {
  const flows = new Map<string, Flow>();
  return earningsOf(days, all).flatMap(({ earning, day }) => {
    const { pool, fromMs, toMs, net } = earning;
    const key = JSON.stringify([pool, fromMs, toMs]);
    const flow = flows.get(key) ?? flowOf(reader, { fromMs, toMs }, pool, (row) => row.leases);
    flows.set(key, flow);
    const mine = [...flow.creditedOf.keys()].map((leases) => leaseIds(leases).includes(lease));
    const ourWork = total([...flow.creditedOf.values()].filter((_, index) => mine[index]));
    if (ourWork.numerator === 0n) return [];
    const share = divided(net, flow).reduce((sum, part, index) => (mine[index] === true ? sum + part : sum), 0n);
    return [{ earning, day, ourWork, allWork: flow.credited, share, reconciliation: reconcile(flow, statedWork(earning)) }];
  });
}

/** Parts of `net`, one for each whose work was credited. */
function divided(net: bigint, { creditedOf, credited }: Flow): bigint[] {
  return largestRemainder(net, [...creditedOf.values()].map((work) => over(times(work, exact(net)), credited)));
}

/** Nano-satoshi of each day. */
export function earnedByDay(days: number, parts: readonly Pick<EarnedPart, 'day' | 'share'>[]): bigint[] {
  const result = Array.from({ length: days }, () => 0n);
  for (const { day, share } of parts) result[day] = (result[day] ?? 0n) + share;
  return result;
}

/** Sentences about days that no earning covers, as far as the earnings' intervals tell. */
export function uncovered(days: readonly LocalDay[], earnings: readonly Earning[]): string[] {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return [];
  const spans = earnings.filter(({ fromMs, toMs }) => fromMs < last.toMs && toMs > first.fromMs).toSorted((a, b) => a.fromMs - b.fromMs);
  let reachedMs = first.fromMs;
  const gaps: string[] = [];
  const gap = (fromMs: number, toMs: number): void => void gaps.push(`${new Date(fromMs).toISOString().slice(0, 16)}Z to ${new Date(toMs).toISOString().slice(0, 16)}Z (${decimalText(exact(BigInt(toMs - fromMs), 3_600_000n), 1)} h)`);
  for (const { fromMs, toMs } of spans) {
    if (fromMs > reachedMs) gap(reachedMs, fromMs);
    reachedMs = Math.max(reachedMs, toMs);
  }
  if (reachedMs < last.toMs) gap(reachedMs, last.toMs);
  return gaps.length === 0 ? [] : [`No earnings were imported for ${someOf(gaps, 'times')}: shares of earnings lack them.`];
}
