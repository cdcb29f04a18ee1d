/** How long the shared ledger keeps buckets of each resolution after their end. */
import type { RedisConfig } from '../../config/schema.ts';
import type { BucketTable } from '../rows.ts';
import { LAYOUTS, type Resolution } from '../units.ts';

/** Milliseconds. */
export type Retention = Readonly<Record<Resolution, number>>;

export function retentionOf({ retention }: Pick<RedisConfig, 'retention'>): Retention {
  return { minute: retention.minuteMs, hour: retention.hourMs, day: retention.dayMs };
}

/** The first bucket of a table that has not expired. */
export function firstKept(table: BucketTable, retention: Retention, nowMs: number): number {
  const { bucketMs, resolution } = LAYOUTS[table];
  return Math.floor((nowMs - retention[resolution]) / bucketMs);
}
