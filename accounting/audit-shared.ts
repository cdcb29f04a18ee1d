/** The audit's look at the shared ledger: every unit that these hosts have published is there, row by row. */
import type { RedisConfig } from '../config/schema.ts';
import type { World } from '../config/world.ts';
import type { PlannedDirectory } from './audit-plan.ts';
import type { Differences, SharedFigures } from './audit-report.ts';
import { SharedComparison } from './redis/compare.ts';
import { openRedis } from './redis/open.ts';
import { retentionOf } from './redis/retention.ts';
import { Store } from './store.ts';

/** Rejects with a sentence when Redis does not answer. */
export async function auditShared(
  config: RedisConfig, directories: readonly PlannedDirectory[], range: { readonly fromMs: number; readonly toMs: number }, world: World, differences: Differences,
): Promise<SharedFigures> {
  const redis = await openRedis(config, world);
  const withLedger = directories.filter(({ ledger }) => ledger !== undefined);
  const live = withLedger.map(({ dataDir }) => Store.open(dataDir, { readonly: true }));
  try {
    const comparison = new SharedComparison(
      {
        redis, prefix: config.prefix, retention: retentionOf(config), nowMs: world.wallMs(), ...range,
        currentVersion: (...unit) => Math.max(...live.map((store) => store.units.versionOf(...unit))),
      },
      differences,
    );
    for (const { ledger } of withLedger) {
      const copy = Store.openFile(ledger ?? '', { scratch: true });
      try {
        await comparison.run(copy.units);
      } finally {
        copy.close();
      }
    }
    return comparison.figures;
  } finally {
    for (const store of live) store.close();
    redis.close();
  }
}
