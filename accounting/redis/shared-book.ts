/** The ledger of all hosts: reads buckets from Redis and adds up what each run counted. */
import { isOfLease, type Book, type LedgerRange, type LedgerReader } from '../reader.ts';
import { TABLES, type BucketTable, type ColumnKind, type Rows } from '../rows.ts';
import { mergeMeasure } from '../store-sql.ts';
import { groupValues, LAYOUTS, readGroup } from '../units.ts';
import type { SharedRedis } from './client.ts';
import { decodeRow, indexKey, readField, readOwner, rowsKey, VERSION_FIELD } from './keys.ts';

/** Hashes asked for at a time, and indexes, which are small: enough to keep both sides at work, not so many that their answers fill memory. */
const HASHES_PER_TURN = 500;
const INDEXES_PER_TURN = 5_000;

/** Where a hash of rows is, and whose they are. */
interface Part {
  readonly bucket: number;
  readonly group: string;
  readonly key: string;
  /** Several runs have counted for the group in this bucket: their rows may be the same ones. */
  readonly shared: boolean;
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
    const gathered = new Gathered(table);
    for (let first = from; first < to; first += INDEXES_PER_TURN) {
      const parts = await this.#parts(table, first, Math.min(to, first + INDEXES_PER_TURN), lease);
      const ask = (at: number): Promise<string[][]> => this.#redis.hashes(parts.slice(at, at + HASHES_PER_TURN).map(({ key }) => key));
      let asked = ask(0);
      for (let at = 0; at < parts.length; at += HASHES_PER_TURN) {
        const hashes = await asked;
        asked = ask(at + HASHES_PER_TURN);
        // Redis reads on meanwhile. Whether it fails is asked in the next turn, unless this one does.
        asked.catch(() => undefined);
        hashes.forEach((hash, index) => {
          const part = parts[at + index];
          if (part !== undefined) gathered.add(part, hash);
        });
      }
    }
    return gathered.inOrder();
  }

  /** All hashes of rows of some buckets, as their indexes announce them, in the order of the buckets. */
  async #parts(table: BucketTable, from: number, to: number, lease: string | undefined): Promise<Part[]> {
    const keys = Array.from({ length: to - from }, (_, index) => indexKey(this.#prefix, { table, bucket: from + index }));
    const indexes = await this.#redis.hashes(keys);
    const isWanted = remembered((group: string) => wanted(table, group, lease));
    return indexes.flatMap((index, place) => {
      const owners = pairs(index).map(([owner, count]) => ({ owner, parts: Number(count), ...readOwner(owner) })).filter(({ group }) => isWanted(group));
      return owners.flatMap(({ owner, parts, group }) => {
        const shared = owners.some((other) => other.group === group && other.owner !== owner);
        return Array.from({ length: parts }, (_, part): Part => ({ bucket: from + place, group, key: rowsKey(keys[place] ?? '', owner, parts, part), shared }));
      });
    });
  }
}

function pairs(hash: readonly string[]): (readonly [field: string, value: string])[] {
  return Array.from({ length: hash.length / 2 }, (_, index) => [hash[2 * index] ?? '', hash[2 * index + 1] ?? ''] as const);
}

/** The same function, asked once for each text: thousands of buckets have a handful of owners. */
function remembered<V>(of: (text: string) => V): (text: string) => V {
  const known = new Map<string, V>();
  return (text) => {
    const found = known.get(text) ?? of(text);
    known.set(text, found);
    return found;
  };
}

/** What a host of an earlier version has published stays out: it publishes all of it again once it is of this version. */
function wanted(table: BucketTable, group: string, lease: string | undefined): boolean {
  const values = readGroup(LAYOUTS[table], group);
  return values !== undefined && (lease === undefined || isOfLease(values, lease));
}

/** Rows of one table as they come in, bucket by bucket. */
class Gathered {
  readonly #table: BucketTable;
  readonly #rows: object[] = [];
  /** Of groups that several runs have counted for, the rows of the bucket that comes in, by group and field. */
  readonly #shared = new Map<string, object>();
  /** Columns that a row's group and field say, by both: most rows come again in other buckets. */
  readonly #columnsOf: (groupAndField: string) => Readonly<Record<string, string | number>>;
  #bucket = Number.NaN;

  constructor(table: BucketTable) {
    this.#table = table;
    const layout = LAYOUTS[table];
    const valuesOf = remembered((group) => groupValues(layout, group));
    this.#columnsOf = remembered((text) => {
      const cut = text.indexOf(' ');
      return { ...valuesOf(text.slice(0, cut)), ...readField(layout, text.slice(cut + 1)) };
    });
  }

  add({ bucket, group, shared }: Part, hash: readonly string[]): void {
    if (bucket !== this.#bucket) this.#shared.clear();
    this.#bucket = bucket;
    for (let at = 0; at < hash.length; at += 2) {
      const [field = '', value = ''] = [hash[at], hash[at + 1]];
      if (field === VERSION_FIELD) continue;
      // Neither has a blank: names are percent-encoded.
      const own = `${group} ${field}`;
      const row = decodeRow(LAYOUTS[this.#table], bucket, this.#columnsOf(own), value);
      const known = shared ? this.#shared.get(own) : undefined;
      if (known !== undefined) {
        merge(this.#table, known, row);
        continue;
      }
      if (shared) this.#shared.set(own, row);
      this.#rows.push(row);
    }
  }

  /** By key columns, texts by code point as SQLite has them. */
  inOrder(): object[] {
    const keys = Object.entries<ColumnKind>(TABLES[this.#table]).filter(([, kind]) => kind === 'int' || kind === 'text').map(([name]) => name);
    const rows = this.#rows as Readonly<Record<string, string | number>>[];
    // UTF-16 orders like code points unless surrogates meet the private use area: rare enough to go by bytes.
    const rare = rows.some((row) => keys.some((name) => typeof row[name] === 'string' && /[\ud800-\uffff]/.test(row[name])));
    return this.#rows.sort((a, b) => compared(a as (typeof rows)[number], b as (typeof rows)[number], keys, rare));
  }
}

function merge(table: BucketTable, into: object, row: object): void {
  const [known, other] = [into as Record<string, number | bigint>, row as Readonly<Record<string, number | bigint>>];
  for (const [name, kind] of LAYOUTS[table].measures) {
    if (kind === 'int' || kind === 'text') continue;
    const sum = mergeMeasure(kind, BigInt(known[name] ?? 0), BigInt(other[name] ?? 0));
    known[name] = kind === 'big' ? sum : Number(sum);
  }
}

type Keys = Readonly<Record<string, string | number>>;

function compared(a: Keys, b: Keys, keys: readonly string[], byBytes: boolean): number {
  for (const name of keys) {
    const [left, right] = [a[name] ?? 0, b[name] ?? 0];
    if (left === right) continue;
    if (byBytes && typeof left === 'string' && typeof right === 'string') return Buffer.compare(Buffer.from(left), Buffer.from(right));
    return left < right ? -1 : 1;
  }
  return 0;
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
    // What was read whole need not be looked through row by row.
    if (found.range.from === from && found.range.to === to && found.range.lease === lease) return found.rows as Rows[T][];
    const { resolution } = LAYOUTS[table];
    return found.rows.filter((row) => {
      const bucket = Number((row as Readonly<Record<string, unknown>>)[resolution]);
      return bucket >= from && bucket < to && (lease === undefined || isOfLease(row, lease));
    }) as unknown as Rows[T][];
  }
}
