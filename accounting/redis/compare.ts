/** Compares the shared ledger with an embedded one, unit by unit and row by row: for audits. */
import type { Differences } from '../audit-report.ts';
import type { UnitBook, UnitSum } from '../unit-book.ts';
import { BUCKET_TABLES, groupValues, LAYOUTS, SHARD_BITS } from '../units.ts';
import type { SharedRedis } from './client.ts';
import { encodeRow, indexKey, ownerText, rowsKey, VERSION_FIELD } from './keys.ts';
import { firstKept, type Retention } from './retention.ts';

export interface CompareOptions {
  readonly redis: SharedRedis;
  readonly prefix: string;
  readonly retention: Retention;
  readonly nowMs: number;
  /** Only buckets wholly inside. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The version that some ledger of these hosts has of a unit by now: the audit's copies may be older than Redis. */
  readonly currentVersion: (table: UnitSum['table'], bucket: number, run: string, group: string) => number;
}

const UNITS_PER_TURN = 200;

export class SharedComparison {
  readonly #options: CompareOptions;
  readonly #differences: Differences;
  readonly figures = { compared: 0, underWay: 0, expired: 0 };

  constructor(options: CompareOptions, differences: Differences) {
    this.#options = options;
    this.#differences = differences;
  }

  /** Compares everything that the ledger has published. Rejects when Redis does not answer. */
  async run(units: UnitBook): Promise<void> {
    const { fromMs, toMs, retention, nowMs } = this.#options;
    for (const table of BUCKET_TABLES) {
      const { bucketMs } = LAYOUTS[table];
      const first = firstKept(table, retention, nowMs);
      for (let turn = units.units(table, undefined, UNITS_PER_TURN); turn.length > 0; turn = units.units(table, turn.at(-1), UNITS_PER_TURN)) {
        const inRange = turn.filter(({ bucket }) => bucket * bucketMs >= fromMs && (bucket + 1) * bucketMs <= toMs);
        // A minute's grace: the bucket at the border lapses while it is looked at.
        const kept = inRange.filter(({ bucket }) => bucket > first);
        this.figures.expired += inRange.length - kept.length;
        await Promise.all(kept.map((unit) => this.#unit(units, unit)));
      }
    }
  }

  async #unit(units: UnitBook, unit: UnitSum): Promise<void> {
    const run = units.text(unit.run);
    const group = units.text(unit.group);
    const { version, rows } = await this.#shared(unit, ownerText(group, run));
    const where = `${unit.table} ${indexKey('', unit).slice(1)} ${ownerText(group, run)}`;
    if (version > BigInt(unit.version)) {
      const current = this.#options.currentVersion(unit.table, unit.bucket, run, group);
      if (BigInt(current) >= version) this.figures.underWay += 1;
      else this.#differences.add('shared-row', where, `the shared ledger holds version ${version}, the ledgers of these hosts only ${current}: it counts what their journals do not show`);
      return;
    }
    if (version < BigInt(unit.published)) {
      this.#differences.add('shared-row', where, `the shared ledger holds version ${version}, and ${unit.published} was published: it has lost what a comparison will publish again`);
    } else if (version < BigInt(unit.version)) {
      this.figures.underWay += 1;
    } else {
      this.#rows(units, unit, groupValues(LAYOUTS[unit.table], group), rows, where);
    }
  }

  /** An owner's rows from all its hashes, and the sum of their versions. */
  async #shared(unit: UnitSum, owner: string): Promise<{ readonly version: bigint; readonly rows: Map<string, string> }> {
    const { redis, prefix } = this.#options;
    const index = indexKey(prefix, unit);
    const parts = Number((await redis.field(index, owner)) ?? 0);
    const hashes = await Promise.all(Array.from({ length: parts }, (_, part) => redis.fields(rowsKey(index, owner, parts, part))));
    let version = 0n;
    const rows = new Map<string, string>();
    for (const hash of hashes) {
      for (const [field, value] of Object.entries(hash)) {
        if (field === VERSION_FIELD) version += BigInt(value);
        else rows.set(field, value);
      }
    }
    return { version, rows };
  }

  #rows(units: UnitBook, unit: UnitSum, group: Readonly<Record<string, string>>, shared: Map<string, string>, where: string): void {
    this.figures.compared += 1;
    const layout = LAYOUTS[unit.table];
    for (const row of units.rows(unit, group, 0, (1 << SHARD_BITS) - 1)) {
      const [field, value] = encodeRow(layout, row);
      const found = shared.get(field);
      shared.delete(field);
      if (found !== value) this.#differences.add('shared-row', where, `${field}: the shared ledger has ${found ?? 'no such row'}, this host's has ${value}`);
    }
    for (const [field, value] of shared) this.#differences.add('shared-row', where, `${field}: the shared ledger has ${value}, this host's has no such row`);
  }
}
