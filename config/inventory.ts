/** The inventory: which machines are installed where, from dated rows of a CSV file. Swaps and returns are new rows. */
import { readFileSync } from 'node:fs';
import { isDate } from './calendar.ts';
import { readCsv, type CsvRow } from './csv.ts';

export interface InventoryRow {
  /** Line in the file. */
  readonly line: number;
  readonly serial: string;
  readonly mac: string;
  readonly worker: string;
  readonly site: string;
  readonly model: string;
  /** Hash rate by the maker's plate, hashes a second. */
  readonly nameplateHashes: bigint;
  readonly watts: number;
  readonly owner: string;
  readonly status: string;
  /** [from, to), milliseconds since 1970; `to` is Infinity while it lasts. Dates are midnights UTC. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Inventory {
  readonly rows: readonly InventoryRow[];
  /** Sentences without their subject: "has in line 3 …". The rows they are about are left out. */
  readonly problems: readonly string[];
}

/** Reads the inventory at a path; undefined where it is not to be looked at. */
export type InventoryReader = (path: string) => Inventory | undefined;

const COLUMNS = ['serial', 'mac', 'worker', 'site', 'model', 'nameplate_th', 'watts', 'owner', 'status', 'from', 'to'] as const;
const MOMENT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?$/;
/** Problems of one file that are shown. */
const PROBLEMS_MAX = 20;

/** Reads an inventory. */
export function parseInventory(text: string): Inventory {
  const read = readCsv(text, COLUMNS);
  if ('problem' in read) return { rows: [], problems: [read.problem] };
  const problems: string[] = [];
  const rows = read.rows.flatMap((row) => {
    const found = inventoryRow(row);
    if (typeof found !== 'string') return [found];
    problems.push(`has in line ${row.line} ${found}`);
    return [];
  });
  return { rows, problems: [...problems, ...twice(rows)].slice(0, PROBLEMS_MAX) };
}

/** Reads the file at `path` in the same way. */
export function readInventory(path: string): Inventory {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return { rows: [], problems: [`names a file that cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}): ${path}`] };
  }
  return parseInventory(text);
}

function inventoryRow({ line, cells }: CsvRow): InventoryRow | string {
  const { serial = '', mac = '', worker = '', site = '', model = '', nameplate_th: plate = '', watts = '', owner = '', status = '', from = '', to = '' } = cells;
  if (serial === '') return 'no serial number';
  if (worker === '') return `no worker for ${serial}`;
  if (!/^\d{1,6}(\.\d{1,12})?$/.test(plate)) return `the nameplate_th ${JSON.stringify(plate)}, which is no figure such as 234 or 104.5`;
  if (watts !== '' && !/^\d{1,6}$/.test(watts)) return `the watts ${JSON.stringify(watts)}, which is no whole number`;
  const fromMs = momentMs(from);
  const toMs = to === '' ? Number.POSITIVE_INFINITY : momentMs(to);
  if (fromMs === undefined || toMs === undefined) return `the dates ${JSON.stringify(from)} and ${JSON.stringify(to)}, of which one is none: write 2026-11-01`;
  if (!(fromMs < toMs)) return `from ${from}, which is not before to ${to}`;
  const [units = '', decimals = ''] = plate.split('.');
  const nameplateHashes = BigInt(`${units}${decimals.padEnd(12, '0')}`);
  return { line, serial, mac, worker, site, model, nameplateHashes, watts: Number(watts), owner, status, fromMs, toMs };
}

function momentMs(text: string): number | undefined {
  const ms = MOMENT.test(text) && isDate(text.slice(0, 'yyyy-mm-dd'.length)) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** A machine cannot be in two rows at one time. */
function twice(rows: readonly InventoryRow[]): string[] {
  const bySerial = new Map<string, InventoryRow[]>();
  for (const row of rows) {
    const others = bySerial.get(row.serial);
    if (others === undefined) bySerial.set(row.serial, [row]);
    else others.push(row);
  }
  return [...bySerial.values()].flatMap((dated) => {
    const ordered = dated.toSorted((a, b) => a.fromMs - b.fromMs);
    return ordered.flatMap((row, index) => {
      const before = ordered[index - 1];
      if (before === undefined || before.toMs <= row.fromMs) return [];
      return [`has ${row.serial} in lines ${before.line} and ${row.line} at one time: end the first row where the second begins`];
    });
  });
}
