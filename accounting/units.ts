/**
 * How ledger rows are owned and grouped: a unit is what one run of a proxy process counted in one bucket of one table for
 * one group (site, lessee, leases, pool). Its rows are replaced only together, and its version is the sum of all its counts.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS, TABLES, TABLE_NAMES, type BucketTable, type ColumnKind, type TableName } from './rows.ts';

export type Resolution = 'minute' | 'hour' | 'day';
type Column = readonly [name: string, kind: ColumnKind];

const GROUPED_BY = ['site', 'lessee', 'leases', 'pool', 'lease'] as const;
const RESOLUTION_MS: Readonly<Record<Resolution, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

/** A table as units see it. */
export interface Layout {
  readonly table: BucketTable;
  readonly resolution: Resolution;
  readonly bucketMs: number;
  /** Columns that all rows of a unit have in common, beside bucket and run. */
  readonly group: readonly string[];
  /** Columns that tell the rows of a unit apart. */
  readonly key: readonly Column[];
  readonly measures: readonly Column[];
  /** One row per worker and more: a large unit is spread by worker name. */
  readonly sharded: boolean;
}

function isResolution(name: string): name is Resolution {
  return Object.hasOwn(RESOLUTION_MS, name);
}

export function isBucketTable(table: TableName): table is BucketTable {
  return isResolution(Object.keys(TABLES[table])[0] ?? '');
}

function layoutOf(table: BucketTable): Layout {
  const [first, ...columns] = Object.entries<ColumnKind>(TABLES[table]);
  const resolution = first?.[0] ?? '';
  if (!isResolution(resolution)) throw new Error(`the first column of ${table} is ${resolution}, which is no bucket`);
  const grouped: readonly string[] = GROUPED_BY;
  const isKey = ([, kind]: Column): boolean => kind === 'int' || kind === 'text';
  return {
    table,
    resolution,
    bucketMs: RESOLUTION_MS[resolution],
    group: grouped.filter((name) => columns.some(([column]) => column === name)),
    key: columns.filter((column) => isKey(column) && !grouped.includes(column[0])),
    measures: columns.filter((column) => !isKey(column)),
    sharded: columns.some(([name]) => name === 'worker'),
  };
}

export const BUCKET_TABLES: readonly BucketTable[] = TABLE_NAMES.filter(isBucketTable);
export const LAYOUTS = Object.fromEntries(BUCKET_TABLES.map((table) => [table, layoutOf(table)])) as Readonly<Record<BucketTable, Layout>>;

/**
 * Columns of a table in the order of its file: a unit's rows lie side by side, and those of a fine shard within them.
 * `shard` is kept for sharded tables only.
 */
export function storedColumns(table: TableName): Column[] {
  if (!isBucketTable(table)) return Object.entries<ColumnKind>(TABLES[table]);
  const { resolution, group, sharded, key, measures } = LAYOUTS[table];
  const grouped = group.map((name): Column => [name, 'text']);
  return [[resolution, 'int'], ['run', 'text'], ...grouped, ...(sharded ? [['shard', 'int'] as const] : []), ...key, ...measures];
}

/** The run of a proxy process: the first 12 hex digits of its uuid. */
export function runOf(process: string): string {
  return process.replaceAll('-', '').slice(0, 12);
}

const SEPARATORS = /[%:|#{}\s\p{Cc}]/u;
const EACH_SEPARATOR = new RegExp(SEPARATORS.source, 'gu');

/** Percent-encodes what separates the parts of keys and fields, blanks and control characters; all else stays readable. */
export function escapePart(text: string): string {
  return SEPARATORS.test(text) ? text.replace(EACH_SEPARATOR, encodeURIComponent) : text;
}

export function unescapePart(text: string): string {
  return text.includes('%') ? decodeURIComponent(text) : text;
}

/** The group columns of a row as one text, `north:acme:acme-leaseback:main`; '' where a table has none. */
export function groupText(layout: Layout, row: object): string {
  const values = row as Readonly<Record<string, unknown>>;
  return layout.group.map((name) => escapePart(String(values[name]))).join(':');
}

/** The reverse of `groupText`: column → value; undefined when another version of the ledger has written it. */
export function readGroup(layout: Layout, text: string): Record<string, string> | undefined {
  const parts = text === '' ? [] : text.split(':');
  // A single empty name is an empty text too.
  const foreign = parts.length !== layout.group.length && !(layout.group.length === 1 && text === '');
  return foreign ? undefined : groupValues(layout, text);
}

/** The same for a group of this ledger's own. */
export function groupValues(layout: Layout, text: string): Record<string, string> {
  const parts = text.split(':');
  return Object.fromEntries(layout.group.map((name, index) => [name, unescapePart(parts[index] ?? '')]));
}

/** Workers fall into 2^14 fine shards, which are joined to as few hashes as hold them: 25 a hash for up to 400,000. */
export const SHARD_BITS = 14;

/** A worker's fine shard: the upper bits of a mixed FNV-1a over the name's UTF-16 units. */
export function shardOf(worker: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < worker.length; index += 1) hash = Math.imul(hash ^ worker.charCodeAt(index), 0x01000193);
  // FNV's upper bits barely see the last characters, where names of one farm differ.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> (32 - SHARD_BITS);
}

/**
 * Into how many hashes (2^depth) a unit of so many rows is spread: at most 64 rows a hash on average, so that chance keeps
 * nearly all below the 128 up to which Redis packs a hash. A unit never loses rows, so its depth never falls.
 */
const ROWS_PER_SHARD = 64;
export function depthOf(rows: number): number {
  const depth = Math.ceil(Math.log2(Math.max(1, rows / ROWS_PER_SHARD)));
  return Math.min(SHARD_BITS, depth);
}

/** What a row adds to its unit's version. It only grows, and equal content has an equal version on any host. */
export function versionOf(layout: Layout, row: object): number {
  const values = row as Readonly<Record<string, unknown>>;
  return layout.measures.reduce((sum, [name, kind]) => (kind === 'sum' ? sum + Number(values[name]) : sum), 0);
}
