/**
 * Names of keys, fields and values in the shared ledger; docs/redis.md describes them for people.
 * All keys of one bucket of one table carry the same tag in braces, so they lie in one slot of a Cluster.
 */
import type { BucketTable, ColumnKind } from '../rows.ts';
import { LAYOUTS, escapePart, unescapePart, type Layout } from '../units.ts';

/** The version's field in a hash of rows: no row's field can begin with it. */
export const VERSION_FIELD = '#';

/** One bucket of one table. */
export interface Bucket {
  readonly table: BucketTable;
  readonly bucket: number;
}

/** Start of the bucket in UTC as people write it: `2026-01-31T12:05`, `2026-01-31T12`, `2026-01-31`. */
function bucketText({ bucketMs, resolution }: Layout, bucket: number): string {
  const length = { minute: 16, hour: 13, day: 10 }[resolution];
  return new Date(bucket * bucketMs).toISOString().slice(0, length);
}

/** Owner (`group:run`) → number of hashes its rows are spread over. */
export function indexKey(prefix: string, { table, bucket }: Bucket): string {
  return `${prefix}:{${table}:${bucketText(LAYOUTS[table], bucket)}}`;
}

/** An owner's field in the index. */
export function ownerText(group: string, run: string): string {
  return group === '' ? run : `${group}:${run}`;
}

/** The reverse of `ownerText`. */
export function readOwner(owner: string): { readonly group: string; readonly run: string } {
  const cut = owner.lastIndexOf(':');
  return cut < 0 ? { group: '', run: owner } : { group: owner.slice(0, cut), run: owner.slice(cut + 1) };
}

/** The hash of an owner's rows; of those in part `part` of `parts` where they are spread over several. */
export function rowsKey(index: string, owner: string, parts: number, part: number): string {
  return parts === 1 ? `${index}:${owner}` : `${index}:${owner}:${part}of${parts}`;
}

/** Where a running instance says that it is this host. */
export function hostKey(prefix: string, host: string): string {
  return `${prefix}:host:${host}`;
}

/** When a bucket's keys expire: seconds since 1970, `retainMs` after the bucket's end. */
export function expiresAt({ table, bucket }: Bucket, retainMs: number): number {
  return Math.ceil(((bucket + 1) * LAYOUTS[table].bucketMs + retainMs) / 1000);
}

function isMoment(kind: ColumnKind): boolean {
  return kind === 'min' || kind === 'max';
}

/** The row's own columns as a field, `rig7|accepted|16`, and its measures as a value; moments count from the bucket's start. */
export function encodeRow(layout: Layout, row: object): readonly [field: string, value: string] {
  const values = row as Readonly<Record<string, string | number | bigint>>;
  const startMs = Number(values[layout.resolution]) * layout.bucketMs;
  const field = layout.key.map(([name, kind]) => (kind === 'text' ? escapePart(String(values[name])) : String(values[name]))).join('|');
  const value = layout.measures.map(([name, kind]) => (isMoment(kind) ? String(Number(values[name]) - startMs) : String(values[name]))).join(' ');
  return [field, value];
}

/** Column → value of the columns that a field names. Throws a sentence when `encodeRow` did not write it. */
export function readField({ table, key }: Layout, field: string): Readonly<Record<string, string | number>> {
  const names = field.split('|');
  if (names.length !== key.length) throw foreign(table, `the field ${JSON.stringify(field)}`);
  return Object.fromEntries(key.map(([name, kind], index) => [name, kind === 'text' ? unescapePart(names[index] ?? '') : whole(names[index])]));
}

/**
 * The row of a bucket whose own columns are `columns`, those of its group and of its field, and whose measures are `value`.
 * Throws a sentence when `encodeRow` did not write it.
 */
export function decodeRow({ table, resolution, bucketMs, measures }: Layout, bucket: number, columns: Readonly<Record<string, string | number>>, value: string): object {
  const figures = value.split(' ');
  if (figures.length !== measures.length) throw foreign(table, `the value ${JSON.stringify(value)}`);
  const row: Record<string, string | number | bigint> = { [resolution]: bucket, ...columns };
  measures.forEach(([name, kind], index) => {
    const figure = figures[index];
    if (kind === 'big') row[name] = BigInt(figure ?? '');
    else row[name] = whole(figure) + (isMoment(kind) ? bucket * bucketMs : 0);
  });
  return row;
}

function foreign(table: BucketTable, what: string): Error {
  return new Error(`the shared ledger holds ${what} in ${table}, which this program did not write`);
}

function whole(text: string | undefined): number {
  const number = Number(text);
  if (text === undefined || text === '' || !Number.isSafeInteger(number)) throw new Error(`the shared ledger holds ${JSON.stringify(text)} where a whole number below 2^53 belongs`);
  return number;
}

