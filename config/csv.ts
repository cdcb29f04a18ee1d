/** Reads comma-separated values (RFC 4180) with a head line into rows that know their line. */

export interface CsvRow {
  /** Line in the file, from 1; the head is line 1. */
  readonly line: number;
  readonly cells: Readonly<Record<string, string>>;
}

/** Most rows of one file: a farm of a hundred thousand machines with ten dated rows each. */
const ROWS_MAX = 1_000_000;

/**
 * Rows of a text whose head names every column of `columns`, in any order; other columns are kept too. A cell is trimmed;
 * empty lines are left out. `problem` is one sentence without its subject ("has no column …"), when it cannot be read.
 */
export function readCsv(text: string, columns: readonly string[]): { readonly rows: readonly CsvRow[] } | { readonly problem: string } {
  const records = split(text.replace(/^\uFEFF/, ''));
  if (typeof records === 'string') return { problem: records };
  const [head, ...body] = records;
  const names = head?.cells ?? [];
  const missing = columns.filter((column) => !names.includes(column));
  if (missing.length > 0) return { problem: `has no column ${missing.join(', ')} in its first line: it begins with ${columns.join(',')}` };
  if (body.length > ROWS_MAX) return { problem: `has more than ${ROWS_MAX} rows: split it` };
  const uneven = body.find(({ cells }) => cells.length !== names.length);
  if (uneven !== undefined) return { problem: `has ${uneven.cells.length} cells in line ${uneven.line}, and ${names.length} in its first line` };
  return { rows: body.map(({ line, cells }) => ({ line, cells: Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])) })) };
}

interface Cells {
  readonly line: number;
  readonly cells: string[];
}

function split(text: string): Cells[] | string {
  const records: Cells[] = [];
  let line = 1;
  let record: Cells = { line, cells: [] };
  const token = /"((?:[^"]|"")*)"[ \t]*(,|\r?\n|$)|([^",\r\n]*)(,|\r?\n|$)/gy;
  while (token.lastIndex < text.length || record.cells.length > 0) {
    const found = token.exec(text);
    if (found === null) return `has a quote in line ${line} that does not enclose a whole cell`;
    const [whole, quoted, quotedEnd, plain = '', plainEnd] = found;
    const end = quotedEnd ?? plainEnd ?? '';
    record.cells.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
    line += whole.split('\n').length - 1;
    if (end === ',') continue;
    if (record.cells.length > 1 || record.cells[0] !== '') records.push(record);
    record = { line, cells: [] };
    if (end === '') break;
  }
  return records;
}
