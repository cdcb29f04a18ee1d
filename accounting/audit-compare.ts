/** Compares a copy of the ledger with what its journals fold to, row by row, inside SQLite. */
import type { Differences } from './audit-report.ts';
import { DAY_MS, HOUR_MS, keptColumns, MINUTE_MS, type ColumnKind, type Position, type TableName } from './rows.ts';
import type { Store } from './store.ts';

export interface CompareRange {
  readonly fromMs: number;
  readonly toMs: number;
  /** The audit has no bounds in time: totals are compared too. */
  readonly whole: boolean;
}

export interface CompareFigures {
  compared: number;
  bounded: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

const ZONE_MS = 14 * HOUR_MS;

/** Buckets, [from, to). */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

/**
 * @param ledger The copy of the ledger, with the refold attached under the name `refold`.
 * @param gone Folded segments without files: in their time the ledger may hold more than the journals, never less.
 */
export function compareTable(ledger: Store, table: TableName, range: CompareRange, gone: readonly Position[], differences: Differences, figures: CompareFigures): void {
  const columns = keptColumns(table);
  const bucket = columns[0]?.[0] ?? '';
  const unitMs = UNIT_MS[bucket];
  if (unitMs === undefined) {
    if (!range.whole) return;
    const condition = gone.length === 0 ? 'true' : 'false';
    compareExactly(ledger, table, columns, condition, differences, figures);
    if (gone.length > 0) compareBound(ledger, table, columns, 'true', differences, figures);
    return;
  }
  // Days of a lease are those of its own zone: by up to 14 hours earlier or later than those of UTC.
  const widenMs = table === 'lease_day' ? ZONE_MS : 0;
  const inRange = `${bucket} >= ${Math.ceil((range.fromMs + widenMs) / unitMs)} AND ${bucket} < ${Math.floor((range.toMs - widenMs) / unitMs)}`;
  const lost = stretches(gone, unitMs, widenMs).map(({ from, to }) => `(${bucket} >= ${from} AND ${bucket} < ${to})`);
  const inLost = lost.length === 0 ? 'false' : `(${lost.join(' OR ')})`;
  compareExactly(ledger, table, columns, `${inRange} AND NOT ${inLost}`, differences, figures);
  if (lost.length > 0) compareBound(ledger, table, columns, `${inRange} AND ${inLost}`, differences, figures);
}

/** The times that segments without files cover, as disjoint stretches of buckets. */
function stretches(gone: readonly Position[], unitMs: number, widenMs: number): Stretch[] {
  const found = gone
    .filter((position) => position.firstMs !== undefined)
    .map(({ firstMs = 0, lastMs = 0 }) => ({ from: Math.floor((firstMs - widenMs) / unitMs), to: Math.floor((lastMs + widenMs) / unitMs) + 1 }))
    .toSorted((a, b) => a.from - b.from);
  const merged: Stretch[] = [];
  for (const stretch of found) {
    const last = merged.at(-1);
    if (last !== undefined && stretch.from <= last.to) merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, stretch.to) };
    else merged.push(stretch);
  }
  return merged;
}

type Columns = readonly (readonly [string, ColumnKind])[];

function isKey([, kind]: readonly [string, ColumnKind]): boolean {
  return kind === 'int' || kind === 'text';
}

/** Rows that only one side has, each shown with what the other side says of the same key. */
function compareExactly(ledger: Store, table: TableName, columns: Columns, condition: string, differences: Differences, figures: CompareFigures): void {
  const names = columns.map(([name]) => name).join(', ');
  figures.compared += counted(ledger, `SELECT count(*) FROM main.${table} WHERE ${condition}`);
  const one = (schema: string): string => `SELECT ${names} FROM ${schema}.${table}_text WHERE ${condition}`;
  const keys = columns.filter(isKey).length;
  const odd = new Map<string, { ledger?: string; journals?: string }>();
  const gather = (side: 'ledger' | 'journals', sql: string): void => {
    for (const row of ledger.iterate(sql)) {
      const key = row.slice(0, keys).map(String).join(' ');
      odd.set(key, { ...odd.get(key), [side]: measures(columns, row, keys) });
    }
  };
  gather('ledger', `${one('main')} EXCEPT ${one('refold')}`);
  gather('journals', `${one('refold')} EXCEPT ${one('main')}`);
  for (const [key, sides] of odd) {
    differences.add('table-row', table, `${keyText(columns, key)}: the ledger has ${sides.ledger ?? 'no such row'}, the journals give ${sides.journals ?? 'no such row'}`);
  }
}

/** Where journals are gone: the ledger must hold at least what those that are left give. */
function compareBound(ledger: Store, table: TableName, columns: Columns, condition: string, differences: Differences, figures: CompareFigures): void {
  const keys = columns.filter(isKey).map(([name]) => name);
  const [sum] = columns.find(([, kind]) => kind === 'sum') ?? [''];
  figures.bounded += counted(ledger, `SELECT count(*) FROM main.${table} WHERE ${condition}`);
  const sql = `SELECT ${keys.map((key) => `r.${key}`).join(', ')}, l.${sum}, r.${sum}
    FROM (SELECT * FROM refold.${table}_text WHERE ${condition}) r LEFT JOIN main.${table}_text l USING (${keys.join(', ')})
    WHERE l.${sum} IS NULL OR l.${sum} < r.${sum}`;
  for (const row of ledger.iterate(sql)) {
    const [held, given] = row.slice(keys.length).map(String);
    differences.add('table-row', table, `${row.slice(0, keys.length).map(String).join(' ')}: the ledger has ${held ?? ''} and the journals that are left give ${given ?? ''}, which is more`);
  }
}

function counted(ledger: Store, sql: string): number {
  return Number(ledger.all(sql)[0]?.[0] ?? 0);
}

function measures(columns: Columns, row: readonly unknown[], keys: number): string {
  return columns.slice(keys).map(([name], index) => `${name} ${String(row[keys + index])}`).join(', ');
}

function keyText(columns: Columns, key: string): string {
  return `${columns.filter(isKey).map(([name]) => name).join(' ')} = ${key}`;
}
