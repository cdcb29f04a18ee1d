/** Statements of the embedded ledger, made from the description of its tables, and what their answers are turned into. */
import { keptColumns, TABLE_NAMES, TABLES, type ColumnKind, type Rows, type TableName } from './rows.ts';
import { storedColumns } from './units.ts';

export type Value = string | number | bigint;
type Columns = readonly (readonly [name: string, kind: ColumnKind])[];

function isKey([, kind]: Columns[number]): boolean {
  return kind === 'int' || kind === 'text';
}

function upsert(table: TableName): string {
  const columns = storedColumns(table);
  const measures = columns.filter((column) => !isKey(column));
  const updates = measures.map(([name, kind]) => {
    if (kind === 'sum') return `${name} = ${name} + excluded.${name}`;
    if (kind === 'big') return `${name} = excluded.${name}`;
    return `${name} = ${kind}(${name}, excluded.${name})`;
  });
  // Keys before measures, in which order their values are gathered.
  const names = [...columns.filter(isKey), ...measures].map(([name]) => name);
  return `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ON CONFLICT DO UPDATE SET ${updates.join(', ')}`;
}

/** The decimal string of a row, of which a table has at most one. */
function selectBig(table: TableName): string {
  const [big] = storedColumns(table).find(([, kind]) => kind === 'big') ?? ['NULL'];
  return `SELECT ${big} FROM ${table} WHERE ${storedColumns(table).filter(isKey).map(([name]) => `${name} = ?`).join(' AND ')}`;
}

function perTable<V>(make: (table: TableName) => V): Readonly<Record<TableName, V>> {
  return Object.fromEntries(TABLE_NAMES.map((table) => [table, make(table)])) as Record<TableName, V>;
}
export const UPSERTS = perTable(upsert);
export const SELECT_BIG = perTable(selectBig);
export const STORED = perTable(storedColumns);
const ROW_COLUMNS = perTable((table): Columns => Object.entries<ColumnKind>(TABLES[table]));

/** Selects a table's rows in the order of their keys, those of several runs side by side: of a range of buckets, of one lease. */
export function selectRows(table: TableName, ranged: boolean, leased: boolean): string {
  const columns = ROW_COLUMNS[table];
  const bucket = columns[0]?.[0] ?? '';
  const order = columns.filter(isKey).map(([name]) => name);
  const runs = keptColumns(table).length > columns.length ? ['run'] : [];
  const ofLease = columns.some(([name]) => name === 'leases') ? `instr(',' || leases || ',', ',' || ? || ',') > 0` : 'lease = ?';
  const conditions = [...(ranged ? [`${bucket} >= ? AND ${bucket} < ?`] : []), ...(leased ? [ofLease] : [])];
  return `SELECT ${columns.map(([name]) => name).join(', ')} FROM ${table}_text${conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''} ORDER BY ${[...order, ...runs].join(', ')}`;
}

/** Rows from what `selectRows` gives, added up over runs. */
export function* mergedRows<T extends TableName>(table: T, selected: Iterable<unknown[]>): Generator<Rows[T]> {
  const columns = ROW_COLUMNS[table];
  const keys = columns.filter(isKey).length;
  let last: unknown[] | undefined;
  for (const values of selected) {
    if (last !== undefined && sameKey(last, values, keys)) {
      last = mergeValues(columns, last, values);
    } else {
      if (last !== undefined) yield rowOf<T>(columns, last);
      last = values;
    }
  }
  if (last !== undefined) yield rowOf<T>(columns, last);
}

function sameKey(a: readonly unknown[], b: readonly unknown[], keys: number): boolean {
  // From the back: the first columns rarely differ.
  for (let index = keys - 1; index >= 0; index -= 1) if (a[index] !== b[index]) return false;
  return true;
}

function mergeValues(columns: Columns, a: readonly unknown[], b: readonly unknown[]): unknown[] {
  return columns.map(([, kind], index) => {
    if (kind === 'int' || kind === 'text') return a[index];
    return mergeMeasure(kind, BigInt(a[index] as bigint), BigInt(b[index] as bigint));
  });
}

/** The sum, or the extreme, of a measure of one row in two places. */
export function mergeMeasure(kind: Exclude<ColumnKind, 'int' | 'text'>, a: bigint, b: bigint): bigint {
  if (kind === 'min') return a < b ? a : b;
  if (kind === 'max') return a > b ? a : b;
  return a + b;
}

/** A row object from its columns. Counts beyond 2^53 would not be exact as numbers and throw. */
export function rowOf<T extends TableName>(columns: Columns, values: readonly unknown[]): Rows[T] {
  const row: Record<string, Value> = {};
  columns.forEach(([name, kind], index) => {
    if (kind === 'text') row[name] = textOf(values[index]);
    else row[name] = kind === 'big' ? BigInt(String(values[index])) : countOf(values[index]);
  });
  return row as unknown as Rows[T];
}

export function countOf(value: unknown): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw new Error(`the ledger holds ${String(value)} where a count below 2^53 belongs`);
  return number;
}

export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`the ledger holds ${String(value)} where a text belongs`);
  return value;
}
