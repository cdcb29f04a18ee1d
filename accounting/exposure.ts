/** How long this host observed a bucket: the basis of every rate. */
import type { ObservedMinuteRow } from './rows.ts';

/**
 * Milliseconds observed in each bucket of `bucketMinutes`. What one process observed counts in full: where the clock was set
 * back, a minute has more than 60 s. Processes that ran side by side are not added up: of a minute they count for the time at least one of them observed.
 */
export function exposures(rows: Iterable<ObservedMinuteRow>, bucketMinutes: number): Map<number, number> {
  const byMinute = new Map<number, ObservedMinuteRow[]>();
  for (const row of rows) {
    const others = byMinute.get(row.minute);
    if (others === undefined) byMinute.set(row.minute, [row]);
    else others.push(row);
  }
  const buckets = new Map<number, number>();
  for (const [minute, observed] of byMinute) {
    const bucket = Math.floor(minute / bucketMinutes);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + minuteExposure(observed));
  }
  return buckets;
}

function minuteExposure(rows: ObservedMinuteRow[]): number {
  const sum = rows.reduce((ms, row) => ms + row.observed_ms, 0);
  const longest = Math.max(...rows.map((row) => row.observed_ms));
  let union = 0;
  let reachedMs = -Infinity;
  for (const row of rows.toSorted((a, b) => a.first_ms - b.first_ms)) {
    union += Math.max(0, row.last_ms - Math.max(reachedMs, row.first_ms));
    reachedMs = Math.max(reachedMs, row.last_ms);
  }
  return Math.max(longest, Math.min(sum, union));
}
