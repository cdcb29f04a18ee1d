/** Everything that a statement takes from the ledger, read as of one moment: work by day, machines by hour, what ended, what pools paid. */
import type { LocalDay } from '../../config/calendar.ts';
import type { InventoryRow } from '../../config/inventory.ts';
import { exposures } from '../exposure.ts';
import { leaseIds } from '../../proxy/session/leases.ts';
import type { Book, LedgerRange, LedgerReader } from '../reader.ts';
import { HOUR_MS, MINUTE_MS, type EndedHourRow } from '../rows.ts';
import { unobserved } from './downtime.ts';
import { earnedByDay, earnedParts, earnedRanges, type EarnedPart } from './earned.ts';
import type { Earning } from './earnings.ts';
import { msWithin, without, type ExcusedTime, type Span } from './excused.ts';
import { dayNumberOf, machinesOf, type Machines } from './machines.ts';
import { installedOn, measureDays, measureRanges, observedRows } from './measure.ts';
import { energyOf, type Reading } from './meters.ts';
import type { LeaseDay } from './quantities.ts';

export interface Gathered {
  readonly days: readonly LeaseDay[];
  readonly earned: readonly EarnedPart[];
  readonly machines: Machines;
  readonly readings: readonly Reading[];
  /** Times in which nobody observed. */
  readonly gaps: readonly Span[];
  /** Sessions of the lease, and links of the pools that its work went to. */
  readonly ended: readonly EndedHourRow[];
}

export interface GatherQuery {
  readonly days: readonly LocalDay[];
  readonly timezone: string;
  readonly excused: ExcusedTime;
  /** Rows of the inventory under the lease; undefined without one. */
  readonly inventory: readonly InventoryRow[] | undefined;
  readonly earnings: readonly Earning[];
  /** Of the meters that the lease pays by, those that touch the days. */
  readonly readings: readonly Reading[];
}

/** @param lease Its id, which the ledger's rows name. */
export function gatherLease(book: Book, lease: string, query: GatherQuery): Promise<Gathered> {
  const { days, earnings } = query;
  return book.read([...measureRanges(days, lease), ...earnedRanges(days, earnings), ...otherRanges(days, lease)], (reader) => gather(reader, lease, query));
}

function otherRanges(days: readonly LocalDay[], lease: string): LedgerRange[] {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [
    { table: 'lease_day', lease, from: dayNumberOf(first.date), to: dayNumberOf(last.date) + 1 },
    { table: 'ended_hour', from: Math.floor(first.fromMs / HOUR_MS), to: Math.ceil(last.toMs / HOUR_MS) },
  ];
}

function gather(reader: LedgerReader, lease: string, { days, timezone, excused, inventory, earnings, readings }: GatherQuery): Gathered {
  const observed = observedRows(reader, days, lease);
  const minutes = exposures(observed, 1);
  const measured = measureDays(reader, days, lease, days.map((day) => inventory && installedOn(day, inventory)), minutes);
  const earned = earnedParts(reader, days, earnings, lease);
  const byDay = earnedByDay(days.length, earned);
  const excuses = [...excused.curtailed, ...excused.suspended];
  const gaps = unobserved(observed, { fromMs: days[0]?.fromMs ?? 0, toMs: days.at(-1)?.toMs ?? 0 });
  const unmeasured = without(gaps, excuses);
  const [machineDays, endings] = otherRanges(days, lease);
  const rows = machineDays === undefined ? [] : reader.rows('lease_day', machineDays.from, machineDays.to, lease);
  const machines = machinesOf(rows, days, timezone, inventory, {
    isObserved: (fromMs, toMs) => missingMs(minutes, fromMs, toMs) < MINUTE_MS,
    isExcused: (fromMs, toMs) => msWithin(excuses, fromMs, toMs) > 0,
  });
  return {
    days: measured.map((day, index) => ({ ...day, unmeasuredMs: msWithin(unmeasured, day.fromMs, day.toMs), earned: byDay[index] ?? 0n, metered: energyOf(day, readings) })),
    earned, readings, machines, gaps,
    ended: endings === undefined ? [] : endedOf([...reader.rows('ended_hour', endings.from, endings.to)], lease, new Set(measured.flatMap(({ pools }) => [...(pools ?? [])]))),
  };
}

function missingMs(minutes: ReadonlyMap<number, number>, fromMs: number, toMs: number): number {
  let missing = 0;
  for (let minute = Math.floor(fromMs / MINUTE_MS); minute * MINUTE_MS < toMs; minute += 1) missing += Math.max(0, MINUTE_MS - (minutes.get(minute) ?? 0));
  return missing;
}

function endedOf(rows: readonly EndedHourRow[], lease: string, pools: ReadonlySet<string>): EndedHourRow[] {
  return rows.filter(({ what, leases, pool }) => (what === 'link' ? pools.has(pool) : leaseIds(leases).includes(lease)));
}
