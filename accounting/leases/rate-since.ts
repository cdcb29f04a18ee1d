/** Since when a lease's contracted rate has been what it is, by the terms that were journaled. */
import type { LeaseTermsRow } from '../rows.ts';
import type { LeaseTerms } from './terms.ts';

/**
 * @param written Terms on record, in any order.
 * @param nowMs Where the present rate is not on record yet, it holds from now on.
 */
export function rateSinceMs({ id, lease }: LeaseTerms, written: readonly LeaseTermsRow[], nowMs: number): number {
  const ours = written.filter((row) => row.lease === id && row.from_ms < row.to_ms).toSorted((a, b) => a.recorded_ms - b.recorded_ms);
  const rates = ours.flatMap((row) => {
    const { lease: terms } = JSON.parse(row.terms) as Partial<LeaseTerms>;
    return terms === undefined ? [] : [{ atMs: row.recorded_ms, isPresent: terms.contracted === lease.contracted }];
  });
  const other = rates.findLastIndex(({ isPresent }) => !isPresent);
  // What was never recorded otherwise has always been so.
  return other < 0 ? -Infinity : (rates[other + 1]?.atMs ?? nowMs);
}
