/** Compares what was published with what the shared ledger holds, from the newest bucket down, and finds what is missing. */
import type { World } from '../../config/world.ts';
import { fineShards, type Line, type UnitBook } from '../unit-book.ts';
import { BUCKET_TABLES, LAYOUTS, SHARD_BITS } from '../units.ts';
import type { Batches } from './batch.ts';
import type { SharedRedis } from './client.ts';
import { rowsKey, VERSION_FIELD } from './keys.ts';
import { firstKept, type Retention } from './retention.ts';

const LINES_PER_STEP = 500;

interface Check {
  readonly key: string;
  readonly index: string;
  readonly owner: string;
  readonly parts: number;
  /** The hash should have at least this version. */
  readonly published: number;
  readonly lines: readonly Line[];
}

export class Scrub {
  readonly #batches: Batches;
  readonly #retention: Retention;
  readonly #world: World;
  #table = BUCKET_TABLES.length;
  #after: Line | undefined;

  constructor(batches: Batches, retention: Retention, world: World) {
    this.#batches = batches;
    this.#retention = retention;
    this.#world = world;
  }

  /** A pass is under way. */
  get active(): boolean {
    return this.#table < BUCKET_TABLES.length;
  }

  /** Begins a pass from the newest buckets, whatever was under way. */
  begin(): void {
    this.#table = 0;
    this.#after = undefined;
  }

  /** Takes the next lines to compare out of the embedded ledger. */
  take(units: UnitBook): Check[] {
    const table = BUCKET_TABLES[this.#table];
    if (table === undefined) return [];
    const lines = units.older(table, this.#after, LINES_PER_STEP);
    const first = firstKept(table, this.#retention, this.#world.wallMs());
    const kept = lines.filter(({ bucket }) => bucket >= first);
    this.#after = kept.at(-1);
    if (kept.length < LINES_PER_STEP) {
      this.#table += 1;
      this.#after = undefined;
    }
    const checks = new Map<string, Check>();
    // What is due will be published without being looked for.
    for (const line of kept.filter(({ published, version }) => published >= version)) {
      const check = this.#check(units, line);
      checks.set(check.key, check);
    }
    return [...checks.values()];
  }

  /** Asks Redis; returns the lines that it lacks. Rejects when it does not answer. */
  async compare(redis: SharedRedis, checks: readonly Check[]): Promise<Line[]> {
    const found = await Promise.all(
      checks.map(async (check) => {
        const [version, parts] = await Promise.all([redis.field(check.key, VERSION_FIELD), redis.field(check.index, check.owner)]);
        const whole = version !== null && BigInt(version) >= BigInt(check.published) && parts !== null && Number(parts) >= check.parts;
        return whole ? [] : check.lines;
      }),
    );
    return found.flat();
  }

  #check(units: UnitBook, line: Line): Check {
    const { index, owner } = this.#batches.place(units, line);
    if (!LAYOUTS[line.table].sharded) return { key: rowsKey(index, owner, 1, 0), index, owner, parts: 1, published: line.published, lines: [line] };
    const depth = units.depth(line);
    // Never announced, as far as is known here: no version suffices.
    if (depth === undefined) return { key: rowsKey(index, owner, 1, 0), index, owner, parts: Infinity, published: 0, lines: [line] };
    const part = line.shard >>> (SHARD_BITS - depth);
    const lines = units.shards(line, ...fineShards(depth, part));
    const published = lines.reduce((sum, shard) => sum + shard.published, 0);
    return { key: rowsKey(index, owner, 1 << depth, part), index, owner, parts: 1 << depth, published, lines };
  }
}
