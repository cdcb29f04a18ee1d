/** The local days of a lease out of the ledger: hour rows, and minute rows where a day begins or ends within an hour. */
import type { LocalDay } from '../../config/calendar.ts';
import type { LedgerRange, LedgerReader } from '../reader.ts';
import { DAY_MS, MINUTE_MS, type CreditedHourRow, type CreditedMinuteRow, type DeliveredHourRow, type DeliveredMinuteRow, type ObservedMinuteRow } from '../rows.ts';
import { powerOfTwo, rationalOf, shareWorth } from '../worth.ts';
import type { InventoryRow } from '../../config/inventory.ts';
import { exact, times, total, type Exact } from './exact.ts';
import { textSquares } from './flow.ts';
import { difficultyOf, squaresOf, type LeaseDay, type LossCause } from './quantities.ts';

/** What a day adds up while rows are read. */
class DaySums {
  readonly shares = new Map<number, number>();
  readonly noPool = new Map<number, number>();
  readonly unjournaled = new Map<number, number>();
  /** Difficulty as text → count: thousands of rows share a handful of difficulties. */
  readonly credited = new Map<string, number>();
  readonly refused: Record<'poolStale' | 'poolOther', Map<string, number>> = { poolStale: new Map(), poolOther: new Map() };
  readonly pools = new Set<string>();
  readonly answers = { forwarded: 0, accepted: 0, rejected: 0, unanswered: 0 };
  readonly worth = { delivered: 0n, credited: 0n };
}

function bump<K>(counts: Map<K, number>, key: K, n: number): void {
  counts.set(key, (counts.get(key) ?? 0) + n);
}

/** Which buckets belong to which day. A minute in which a day begins or ends belongs to the earlier day. */
class Calendar {
  readonly ranges: readonly LedgerRange[];
  readonly hours: LedgerRange;
  readonly minutes: readonly LedgerRange[];
  readonly all: { readonly from: number; readonly to: number };
  readonly #hourDays = new Map<number, number>();
  readonly #minuteDays = new Map<number, number>();

  constructor(days: readonly LocalDay[], lease: string) {
    const minutes: { from: number; to: number }[] = [];
    days.forEach((day, index) => {
      const first = index === 0 ? Math.floor(day.fromMs / MINUTE_MS) : Math.ceil(day.fromMs / MINUTE_MS);
      const end = Math.ceil(day.toMs / MINUTE_MS);
      const [firstHour, endHour] = [Math.ceil(first / 60), Math.floor(end / 60)];
      for (let hour = firstHour; hour < endHour; hour += 1) this.#hourDays.set(hour, index);
      const edges = firstHour >= endHour ? [[first, end]] : [[first, firstHour * 60], [endHour * 60, end]];
      for (const [from = 0, to = 0] of edges) {
        for (let minute = from; minute < to; minute += 1) this.#minuteDays.set(minute, index);
        if (from < to) minutes.push({ from, to });
      }
    });
    const hours = [...this.#hourDays.keys()];
    this.hours = { table: 'delivered_hour', lease, from: hours[0] ?? 0, to: (hours.at(-1) ?? -1) + 1 };
    this.minutes = minutes.map((range) => ({ table: 'delivered_minute', lease, ...range }));
    this.all = { from: Math.floor((days[0]?.fromMs ?? 0) / MINUTE_MS), to: Math.ceil((days.at(-1)?.toMs ?? 0) / MINUTE_MS) };
    this.ranges = [
      this.hours,
      { ...this.hours, table: 'credited_hour' },
      ...this.minutes.flatMap((range): LedgerRange[] => [range, { ...range, table: 'credited_minute' }]),
      { table: 'unjournaled_minute', lease, ...this.all },
      { table: 'observed_minute', ...this.all },
    ];
  }

  hourDay(hour: number): number | undefined {
    return this.#hourDays.get(hour);
  }

  minuteDay(minute: number): number | undefined {
    return this.#hourDays.get(Math.floor(minute / 60)) ?? this.#minuteDays.get(minute);
  }
}

/** What `measureDays` reads. */
export function measureRanges(days: readonly LocalDay[], lease: string): readonly LedgerRange[] {
  return new Calendar(days, lease).ranges;
}

/** What each proxy process observed of the minutes of the days. */
export function observedRows(reader: LedgerReader, days: readonly LocalDay[], lease: string): ObservedMinuteRow[] {
  const { all } = new Calendar(days, lease);
  return [...reader.rows('observed_minute', all.from, all.to)];
}

/**
 * Measures contiguous local days of a lease, in order.
 *
 * @param installed TH·day of each by the inventory.
 * @param minutes Minute → milliseconds of it in which at least one proxy process observed.
 */
export function measureDays(reader: LedgerReader, days: readonly LocalDay[], lease: string, installed: readonly (Exact | undefined)[], minutes: ReadonlyMap<number, number>): LeaseDay[] {
  const calendar = new Calendar(days, lease);
  const sums = days.map(() => new DaySums());
  const { from, to } = calendar.hours;
  for (const row of reader.rows('delivered_hour', from, to, lease)) addDelivered(sums[calendar.hourDay(row.hour) ?? -1], row);
  for (const row of reader.rows('credited_hour', from, to, lease)) addCredited(sums[calendar.hourDay(row.hour) ?? -1], row);
  for (const range of calendar.minutes) {
    for (const row of reader.rows('delivered_minute', range.from, range.to, lease)) addDelivered(sums[calendar.minuteDay(row.minute) ?? -1], row);
    for (const row of reader.rows('credited_minute', range.from, range.to, lease)) addCredited(sums[calendar.minuteDay(row.minute) ?? -1], row);
  }
  for (const row of reader.rows('unjournaled_minute', calendar.all.from, calendar.all.to, lease)) {
    const sum = sums[calendar.minuteDay(row.minute) ?? -1];
    // A courtesy share would have had no credit either.
    if (sum !== undefined && row.verdict === 'accepted') bump(sum.unjournaled, row.exponent, row.n);
  }
  const observed = observedMs(minutes, calendar, days.length);
  return days.map((day, index) => leaseDay(day, sums[index] ?? new DaySums(), observed[index] ?? 0, installed[index]));
}

function addDelivered(sum: DaySums | undefined, row: DeliveredHourRow | DeliveredMinuteRow): void {
  if (sum === undefined) return;
  if (row.forwarding === 'forwarded') sum.answers.forwarded += row.n;
  if (row.verdict !== 'accepted') return;
  bump(sum.shares, row.exponent, row.n);
  sum.worth.delivered += 'worth' in row ? row.worth : BigInt(row.n) * shareWorth(powerOfTwo(row.exponent), row.nbits, row.value);
  if (row.forwarding === 'no-link' || row.forwarding === 'capped') bump(sum.noPool, row.exponent, row.n);
}

function addCredited(sum: DaySums | undefined, row: CreditedHourRow | CreditedMinuteRow): void {
  if (sum === undefined) return;
  sum.pools.add(row.pool);
  sum.answers[row.verdict] += row.n;
  if (row.verdict === 'accepted') {
    bump(sum.credited, row.difficulty, row.n);
    sum.worth.credited += 'worth' in row ? row.worth : BigInt(row.n) * shareWorth(rationalOf(row.difficulty), row.nbits, row.value);
  } else {
    bump(sum.refused[row.reason === 'stale' ? 'poolStale' : 'poolOther'], row.difficulty, row.n);
  }
}

/** Milliseconds of each day. */
function observedMs(minutes: ReadonlyMap<number, number>, calendar: Calendar, days: number): number[] {
  const result = Array.from({ length: days }, () => 0);
  for (const [minute, ms] of minutes) {
    const day = calendar.minuteDay(minute);
    if (day !== undefined) result[day] = (result[day] ?? 0) + Math.min(ms, MINUTE_MS);
  }
  return result;
}

function leaseDay(day: LocalDay, sums: DaySums, observed: number, installed: Exact | undefined): LeaseDay {
  const byText = (counts: ReadonlyMap<string, number>): Exact => total([...counts].map(([text, n]) => times(rationalOf(text), exact(BigInt(n)))));
  const losses: Record<LossCause, Exact> = {
    poolStale: byText(sums.refused.poolStale),
    poolOther: byText(sums.refused.poolOther),
    noPool: difficultyOf(sums.noPool),
    unjournaled: difficultyOf(sums.unjournaled),
  };
  return {
    ...day,
    shares: sums.shares,
    worth: sums.worth.delivered,
    credited: { difficulty: byText(sums.credited), worth: sums.worth.credited },
    losses,
    squares: {
      credited: textSquares(sums.credited),
      losses: { poolStale: textSquares(sums.refused.poolStale), poolOther: textSquares(sums.refused.poolOther), noPool: squaresOf(sums.noPool), unjournaled: squaresOf(sums.unjournaled) },
    },
    answers: sums.answers,
    pools: sums.pools,
    observedMs: Math.min(observed, day.toMs - day.fromMs),
    installed,
  };
}

/** TH·day that the machines of an inventory would make of a day at their nameplate. */
export function installedOn(day: LocalDay, rows: readonly InventoryRow[]): Exact {
  let hashMs = 0n;
  for (const { fromMs, toMs, nameplateHashes } of rows) {
    const ms = Math.min(toMs, day.toMs) - Math.max(fromMs, day.fromMs);
    if (ms > 0) hashMs += nameplateHashes * BigInt(ms);
  }
  return exact(hashMs, 10n ** 12n * BigInt(DAY_MS));
}
