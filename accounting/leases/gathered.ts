/** Everything that a statement takes from the ledger, read as of one moment: the lease's days, and its part of what pools paid. */
import type { LocalDay } from '../../config/calendar.ts';
import type { Book } from '../reader.ts';
import { earnedByDay, earnedParts, earnedRanges, type EarnedPart } from './earned.ts';
import type { Earning } from './earnings.ts';
import type { Exact } from './exact.ts';
import { measureDays, measureRanges } from './measure.ts';
import type { LeaseDay } from './quantities.ts';

export interface Gathered {
  readonly days: readonly LeaseDay[];
  readonly earned: readonly EarnedPart[];
}

/**
 * @param lease Its id, which the ledger's rows name.
 * @param installed TH·day of each day by the inventory.
 */
export function gatherLease(book: Book, days: readonly LocalDay[], lease: string, installed: readonly (Exact | undefined)[], earnings: readonly Earning[]): Promise<Gathered> {
  return book.read([...measureRanges(days, lease), ...earnedRanges(days, earnings)], (reader) => {
    const measured = measureDays(reader, days, lease, installed);
    const earned = earnedParts(reader, days, earnings, lease);
    const byDay = earnedByDay(days.length, earned);
    return { days: measured.map((day, index) => ({ ...day, earned: byDay[index] ?? 0n })), earned };
  });
}
