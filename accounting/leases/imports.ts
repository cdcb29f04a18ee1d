/**
 * Files that a user imports row by row: rows that are on record stay as they are, in numbered CSV files of the data directory.
 * Importing a row again changes nothing; one that says otherwise under the same key is refused, and with it its whole file.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDate } from '../../config/calendar.ts';
import { readCsv, type CsvRow } from '../../config/csv.ts';
import { textDigest, writeOnce } from './files.ts';

/** What kind of rows. */
export interface Importable<Row> {
  /** Folder of the data directory, and kind of the documents in the journal. */
  readonly folder: 'earnings' | 'payments' | 'meters';
  readonly columns: readonly string[];
  /** The row, or what is wrong with it and in which column. */
  readonly read: (row: CsvRow) => Row | readonly Fault[];
  /** Cells in the order of the columns, in one form for equal rows. */
  readonly cells: (row: Row) => readonly string[];
  /** Rows with one key are the same row. */
  readonly key: (row: Row) => string;
  /** How a row is called in a sentence: "payout 17". */
  readonly name: (row: Row) => string;
}

export interface Fault {
  readonly column: string;
  readonly message: string;
}

export interface Placed<Row> {
  readonly row: Row;
  /** "line 3", or "line 3 of earnings/000001.csv". */
  readonly where: string;
}

/** Problems of one file that are shown. */
const PROBLEMS_MAX = 20;

/** Rows of a text, or what is wrong in it: sentences without their subject. */
export function parseImport<Row extends object>(kind: Importable<Row>, text: string): { readonly rows: readonly Placed<Row>[] } | { readonly problems: readonly string[] } {
  const read = readCsv(text, kind.columns);
  if ('problem' in read) return { problems: [read.problem] };
  const problems: string[] = [];
  const rows = read.rows.flatMap((csvRow): Placed<Row>[] => {
    const found = kind.read(csvRow);
    if (!isFaults(found)) return [{ row: found, where: `line ${csvRow.line}` }];
    problems.push(...found.map(({ column, message }) => `has in line ${csvRow.line}, column ${column}, ${message}`));
    return [];
  });
  return problems.length > 0 ? { problems: problems.slice(0, PROBLEMS_MAX) } : { rows };
}

function isFaults<Row>(found: Row | readonly Fault[]): found is readonly Fault[] {
  return Array.isArray(found);
}

function filesOf(dataDir: string, folder: string): string[] {
  try {
    return readdirSync(join(dataDir, folder)).filter((name) => /^\d{6}\.csv$/.test(name)).toSorted();
  } catch {
    return [];
  }
}

/** Everything that was imported, in the order of the files. Throws a sentence when a file was damaged. */
export function importedRows<Row extends object>(dataDir: string, kind: Importable<Row>): Placed<Row>[] {
  return filesOf(dataDir, kind.folder).flatMap((name) => {
    const path = join(dataDir, kind.folder, name);
    const parsed = parseImport(kind, readFileSync(path, 'utf8'));
    if ('problems' in parsed) throw new Error(`${path} ${parsed.problems[0]}: it was changed after it was imported; restore it from a copy`);
    return parsed.rows.map(({ row, where }) => ({ row, where: `${where} of ${kind.folder}/${name}` }));
  });
}

export interface Import<Row> {
  /** Rows that are not on record yet. */
  readonly fresh: readonly Placed<Row>[];
  readonly known: number;
  /** Sentences without their subject; nothing is imported when there is one. */
  readonly problems: readonly string[];
}

/** What importing these rows would add to those on record. */
export function planImport<Row>(kind: Importable<Row>, before: readonly Placed<Row>[], rows: readonly Placed<Row>[]): Import<Row> {
  const known = new Map(before.map((placed) => [kind.key(placed.row), placed]));
  const fresh: Placed<Row>[] = [];
  const problems: string[] = [];
  for (const placed of rows) {
    const key = kind.key(placed.row);
    const same = known.get(key);
    if (same === undefined) {
      known.set(key, placed);
      fresh.push(placed);
      continue;
    }
    const [was, is] = [kind.cells(same.row), kind.cells(placed.row)];
    const unlike = kind.columns.find((_, index) => was[index] !== is[index]);
    if (unlike !== undefined) problems.push(`has in ${placed.where} the ${kind.name(placed.row)}, which ${same.where} has with another ${unlike}: what was imported stays; remove the row, or give what corrects it a name of its own`);
  }
  return { fresh, known: rows.length - fresh.length - problems.length, problems: problems.slice(0, PROBLEMS_MAX) };
}

/** The file that new rows go to: its digest is journaled first, then `keepImport` writes it. */
export function importFile<Row>(dataDir: string, kind: Importable<Row>, fresh: readonly Placed<Row>[]): { readonly name: string; readonly text: string; readonly digest: string } {
  const number = Number(filesOf(dataDir, kind.folder).at(-1)?.slice(0, 6) ?? 0) + 1;
  const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const text = `${[kind.columns.join(','), ...fresh.map(({ row }) => kind.cells(row).map(cell).join(','))].join('\n')}\n`;
  return { name: `${kind.folder}/${String(number).padStart(6, '0')}.csv`, text, digest: textDigest(text) };
}

export function keepImport(dataDir: string, { name, text }: { readonly name: string; readonly text: string }): void {
  mkdirSync(join(dataDir, name, '..'), { recursive: true, mode: 0o700 });
  writeOnce(join(dataDir, name), text, 0o600);
}

const DATE_LENGTH = 'yyyy-mm-dd'.length;
const INSTANT = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,3})?Z?)?$/;

/** Milliseconds of a time in UTC; a date alone is its midnight. Undefined for anything else: another offset, a day that no calendar has. */
export function utcMs(text: string): number | undefined {
  if (!INSTANT.test(text) || !isDate(text.slice(0, DATE_LENGTH))) return undefined;
  const ms = Date.parse(text.length === DATE_LENGTH ? text : `${text.replace(' ', 'T').replace(/Z$/, '')}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
