/** What a pool was sent in an interval and what it answered, from the ledger: the records that its payments are held against. */
import type { LedgerRange, LedgerReader } from '../reader.ts';
import { MINUTE_MS, type CreditedHourRow, type CreditedMinuteRow, type DeliveredHourRow, type DeliveredMinuteRow } from '../rows.ts';
import { rationalOf } from '../worth.ts';
import { exact, plus, times, total, ZERO, type Exact } from './exact.ts';
import type { Span } from './excused.ts';
import { difficultyOf, squaresOf } from './quantities.ts';

/** Work is Σ difficulty, exactly. */
export interface Flow {
  /** Shares that were sent to the pool, and its answers to them. */
  readonly sent: number;
  readonly accepted: number;
  readonly rejected: ReadonlyMap<string, number>;
  readonly unanswered: number;
  /** Work found for the pool's jobs that it was able to credit: all but what found no link, or a link at its cap. */
  readonly delivered: Exact;
  /** Σ d² of those shares, and Σ D and Σ D² of what was answered. */
  readonly deliveredSquares: Exact;
  readonly answered: Exact;
  readonly answeredSquares: Exact;
  readonly refused: Exact;
  readonly credited: Exact;
  /** Credited work by whose it is. */
  readonly creditedOf: ReadonlyMap<string, Exact>;
}

interface Buckets {
  readonly hours: { readonly from: number; readonly to: number };
  readonly minutes: readonly { readonly from: number; readonly to: number }[];
}

/** Minutes belong to the interval that they begin in, so that intervals side by side share none. */
function bucketsOf({ fromMs, toMs }: Span): Buckets {
  const [first, end] = [Math.ceil(fromMs / MINUTE_MS), Math.ceil(toMs / MINUTE_MS)];
  const [firstHour, endHour] = [Math.ceil(first / 60), Math.floor(end / 60)];
  if (firstHour >= endHour) return { hours: { from: 0, to: 0 }, minutes: [{ from: first, to: end }] };
  const edges = [{ from: first, to: firstHour * 60 }, { from: endHour * 60, to: end }];
  return { hours: { from: firstHour, to: endHour }, minutes: edges.filter(({ from, to }) => from < to) };
}

/** What `flowOf` reads. */
export function flowRanges(span: Span): LedgerRange[] {
  const { hours, minutes } = bucketsOf(span);
  return [
    ...(hours.from < hours.to ? (['delivered_hour', 'credited_hour'] as const).map((table) => ({ table, ...hours })) : []),
    ...minutes.flatMap((range) => (['delivered_minute', 'credited_minute'] as const).map((table) => ({ table, ...range }))),
  ];
}

class Sums {
  sent = 0;
  accepted = 0;
  unanswered = 0;
  readonly rejected = new Map<string, number>();
  readonly delivered = new Map<number, number>();
  /** Difficulty as text → count. */
  readonly refused = new Map<string, number>();
  readonly credited = new Map<string, Map<string, number>>();

  addDelivered(row: DeliveredHourRow | DeliveredMinuteRow): void {
    if (row.forwarding === 'forwarded') this.sent += row.n;
    if (row.verdict === 'accepted' && row.forwarding !== 'no-link' && row.forwarding !== 'capped') bump(this.delivered, row.exponent, row.n);
  }

  addCredited(row: CreditedHourRow | CreditedMinuteRow, whose: string): void {
    if (row.verdict === 'accepted') {
      this.accepted += row.n;
      const own = this.credited.get(whose) ?? new Map<string, number>();
      this.credited.set(whose, own);
      bump(own, row.difficulty, row.n);
      return;
    }
    if (row.verdict === 'unanswered') this.unanswered += row.n;
    else bump(this.rejected, row.reason, row.n);
    bump(this.refused, row.difficulty, row.n);
  }
}

function bump<K>(counts: Map<K, number>, key: K, n: number): void {
  counts.set(key, (counts.get(key) ?? 0) + n);
}

/** What `pool` was sent in an interval. Credited work is divided by `whose`. */
export function flowOf(reader: LedgerReader, span: Span, pool: string, whose: (row: CreditedHourRow | CreditedMinuteRow) => string): Flow {
  const { hours, minutes } = bucketsOf(span);
  const sums = new Sums();
  if (hours.from < hours.to) {
    for (const row of reader.rows('delivered_hour', hours.from, hours.to)) if (row.pool === pool) sums.addDelivered(row);
    for (const row of reader.rows('credited_hour', hours.from, hours.to)) if (row.pool === pool) sums.addCredited(row, whose(row));
  }
  for (const { from, to } of minutes) {
    for (const row of reader.rows('delivered_minute', from, to)) if (row.pool === pool) sums.addDelivered(row);
    for (const row of reader.rows('credited_minute', from, to)) if (row.pool === pool) sums.addCredited(row, whose(row));
  }
  return flow(sums);
}

function flow(sums: Sums): Flow {
  const creditedOf = new Map([...sums.credited].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([whose, counts]) => [whose, workOf(counts)]));
  const credited = total(creditedOf.values());
  const refused = workOf(sums.refused);
  return {
    sent: sums.sent, accepted: sums.accepted, rejected: sums.rejected, unanswered: sums.unanswered,
    delivered: difficultyOf(sums.delivered),
    deliveredSquares: squaresOf(sums.delivered),
    answered: plus(credited, refused),
    answeredSquares: [...sums.credited.values(), sums.refused].map(textSquares).reduce(plus, ZERO),
    refused, credited, creditedOf,
  };
}

function workOf(counts: ReadonlyMap<string, number>): Exact {
  return total([...counts].map(([text, n]) => times(rationalOf(text), exact(BigInt(n)))));
}

/** Σ D² of difficulties as text. */
export function textSquares(counts: ReadonlyMap<string, number>): Exact {
  return total([...counts].map(([text, n]) => times(times(rationalOf(text), rationalOf(text)), exact(BigInt(n)))));
}
