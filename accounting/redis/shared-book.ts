/** The ledger of all hosts: reads buckets from Redis and adds up what each run counted. */
import { isOfLease, type Book, type LedgerRange, type LedgerReader } from '../reader.ts';
import { TABLES, type BucketTable, type ColumnKind, type Rows } from '../rows.ts';
import { mergeMeasure } from '../store-sql.ts';
import { groupValues, LAYOUTS, readGroup } from '../units.ts';
import type { SharedRedis } from './client.ts';
import { decodeRow, indexKey, readOwner, rowsKey, VERSION_FIELD } from './keys.ts';

/** Hashes asked for at a time: enough to fill a pipeline, not so many that their answers fill memory. */
const HASHES_PER_TURN = 500;

interface Part {
  readonly bucket: number;
  readonly group: string;
  readonly key: string;
}

export class SharedBook implements Book {
  readonly #redis: SharedRedis;
  readonly #prefix: string;
  readonly #onClose: () => void;

  constructor(redis: SharedRedis, prefix: string, onClose: () => void = () => undefined) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#onClose = onClose;
  }

  async read<V>(ranges: readonly LedgerRange[], use: (reader: LedgerReader) => V): Promise<V> {
    const snapshot = new Snapshot();
    for (const range of ranges) snapshot.add(range, await this.#load(range));
    return use(snapshot);
  }

  close(): void {
    this.#onClose();
  }

  async #load({ table, from, to, lease }: LedgerRange): Promise<object[]> {
    const found = new Map<string, object>();
    for (let first = from; first < to; first += HASHES_PER_TURN) {
      const parts = await this.#parts(table, first, Math.min(to, first + HASHES_PER_TURN), lease);
      for (let at = 0; at < parts.length; at += HASHES_PER_TURN) {
        const turn = parts.slice(at, at + HASHES_PER_TURN);
        const hashes = await Promise.all(turn.map(({ key }) => this.#redis.fields(key)));
        turn.forEach((part, index) => merge(found, table, part, hashes[index] ?? {}));
      }
    }
    return inOrder(table, [...found.values()]);
  }

  /** All hashes of rows of some buckets, as their indexes announce them. */
  async #parts(table: BucketTable, from: number, to: number, lease: string | undefined): Promise<Part[]> {
    const buckets = Array.from({ length: to - from }, (_, index) => from + index);
    const indexes = await Promise.all(buckets.map((bucket) => this.#redis.fields(indexKey(this.#prefix, { table, bucket }))));
    return buckets.flatMap((bucket, index) =>
      Object.entries(indexes[index] ?? {}).flatMap(([owner, count]) => {
        const { group } = readOwner(owner);
        if (!wanted(table, group, lease)) return [];
        const key = indexKey(this.#prefix, { table, bucket });
        return Array.from({ length: Number(count) }, (_, part): Part => ({ bucket, group, key: rowsKey(key, owner, Number(count), part) }));
      }),
    );
  }
}

/** What a host of an earlier version has published stays out: it publishes all of it again once it is of this version. */
function wanted(table: BucketTable, group: string, lease: string | undefined): boolean {
  const values = readGroup(LAYOUTS[table], group);
  return values !== undefined && (lease === undefined || isOfLease(values, lease));
}

function merge(found: Map<string, object>, table: BucketTable, { bucket, group }: Part, hash: Readonly<Record<string, string>>): void {
  const layout = LAYOUTS[table];
  const values = groupValues(layout, group);
  for (const [field, value] of Object.entries(hash)) {
    if (field === VERSION_FIELD) continue;
    const key = `${bucket} ${group} ${field}`;
    const row = decodeRow(table, bucket, values, field, value);
    const known = found.get(key) as Record<string, number | bigint> | undefined;
    if (known === undefined) {
      found.set(key, row);
      continue;
    }
    const other = row as unknown as Readonly<Record<string, number | bigint>>;
    for (const [name, kind] of layout.measures) {
      if (kind === 'int' || kind === 'text') continue;
      const sum = mergeMeasure(kind, BigInt(known[name] ?? 0), BigInt(other[name] ?? 0));
      known[name] = kind === 'big' ? sum : Number(sum);
    }
  }
}

/** By key columns, texts by code point as SQLite has them. */
function inOrder(table: BucketTable, rows: object[]): object[] {
  const keys = Object.entries<ColumnKind>(TABLES[table]).filter(([, kind]) => kind === 'int' || kind === 'text');
  const compare = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): number => {
    for (const [name, kind] of keys) {
      const order = kind === 'int' ? Number(a[name]) - Number(b[name]) : byCodePoint(String(a[name]), String(b[name]));
      if (order !== 0) return order;
    }
    return 0;
  };
  return rows.sort((a, b) => compare(a as Record<string, unknown>, b as Record<string, unknown>));
}

function byCodePoint(a: string, b: string): number {
  if (a === b) return 0;
  // UTF-16 orders like code points unless surrogates meet the private use area: rare enough to go by bytes.
  return /[\ud800-\uffff]/.test(a + b) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : a < b ? -1 : 1;
}

/** What was read, standing still. */
class Snapshot implements LedgerReader {
  readonly #loaded: { readonly range: LedgerRange; readonly rows: readonly object[] }[] = [];

  add(range: LedgerRange, rows: readonly object[]): void {
    this.#loaded.push({ range, rows });
  }

  rows<T extends BucketTable>(table: T, from: number, to: number, lease?: string): Iterable<Rows[T]> {
    if (from >= to) return [];
    const found = this.#loaded.find(({ range }) => range.table === table && range.from <= from && range.to >= to && (range.lease === undefined || range.lease === lease));
    if (found === undefined) throw new Error(`buckets ${from} to ${to} of ${table} are used without having been read from the shared ledger`);
    const { resolution } = LAYOUTS[table];
    return found.rows.filter((row) => {
      const bucket = Number((row as Readonly<Record<string, unknown>>)[resolution]);
      return bucket >= from && bucket < to && (lease === undefined || isOfLease(row, lease));
    }) as unknown as Rows[T][];
  }
}
