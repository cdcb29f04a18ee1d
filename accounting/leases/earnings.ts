/**
 * What pools say they paid, from files the user imports. Rows that were imported stay as they are, in numbered files of the
 * data directory; importing them again changes nothing, and a row that says otherwise of the same payout is refused.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCsv, type CsvRow } from '../../config/csv.ts';
import { minorText } from './exact.ts';
import { writeOnce } from './files.ts';

/** One earning: what one account of one pool earned in one interval under one scheme. */
export interface Earning {
  /** Name of the pool in the configuration. */
  readonly pool: string;
  readonly account: string;
  /** `FPPS`, `PPLNS` and so on, as the user writes it. */
  readonly scheme: string;
  /** [from, to), milliseconds since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Σ difficulty that the pool credited, decimal text; '' when the pool does not say. */
  readonly poolWork: string;
  /** Nano-satoshi; gross less fee is net. */
  readonly gross: bigint;
  readonly fee: bigint;
  readonly net: bigint;
  /** ISO 8601, UTC; '' while it is not paid. */
  readonly paidAt: string;
  readonly txid: string;
  readonly payoutId: string;
}

const EARNING_COLUMNS = ['pool', 'account', 'scheme', 'earned_from', 'earned_to', 'pool_work', 'gross_sat', 'fee_sat', 'net_sat', 'paid_at', 'txid', 'payout_id'] as const;
type Column = (typeof EARNING_COLUMNS)[number];

const INSTANT = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,3})?Z?)?$/;
const SATS = /^\d{1,16}(?:\.\d{1,9})?$/;
const WORK = /^\d{1,30}(?:\.\d{1,20})?$/;
/** Problems of one file that are shown. */
const PROBLEMS_MAX = 20;

interface Placed {
  readonly earning: Earning;
  /** "line 3", or "line 3 of earnings/000001.csv". */
  readonly where: string;
}

/**
 * Rows of a file, or what is wrong in it: sentences without their subject.
 *
 * @param users Name of each pool in the configuration → the user that it is mined under; undefined: any pool will do.
 */
export function parseEarnings(text: string, users: ReadonlyMap<string, string> | undefined): { readonly earnings: readonly Placed[] } | { readonly problems: readonly string[] } {
  const read = readCsv(text, EARNING_COLUMNS);
  if ('problem' in read) return { problems: [read.problem] };
  const problems: string[] = [];
  const earnings = read.rows.flatMap((row): Placed[] => {
    const found = earningOf(row, users);
    if (!Array.isArray(found)) return [{ earning: found, where: `line ${row.line}` }];
    problems.push(...found.map(({ column, message }) => `has in line ${row.line}, column ${column}, ${message}`));
    return [];
  });
  return problems.length > 0 ? { problems: problems.slice(0, PROBLEMS_MAX) } : { earnings };
}

interface Fault {
  readonly column: Column;
  readonly message: string;
}

function earningOf({ cells }: CsvRow, users: ReadonlyMap<string, string> | undefined): Earning | Fault[] {
  const cell = (column: Column): string => cells[column] ?? '';
  const faults: Fault[] = [];
  const fault = (column: Column, message: string): void => void faults.push({ column, message });
  const moment = (column: Column): number => {
    const ms = momentMs(cell(column));
    if (ms === undefined) fault(column, `${JSON.stringify(cell(column))}, which is no time in UTC: write 2026-11-01 or 2026-11-01T06:30Z`);
    return ms ?? 0;
  };
  const sats = (column: Column): bigint => {
    if (!SATS.test(cell(column))) fault(column, `${JSON.stringify(cell(column))}, which is no amount in satoshi: write 1234567 or 1234567.25`);
    return SATS.test(cell(column)) ? nano(cell(column)) : 0n;
  };
  const user = users?.get(cell('pool'));
  if (users !== undefined && user === undefined) fault('pool', `${JSON.stringify(cell('pool'))}, which is no pool of the configuration: there is ${[...users.keys()].join(', ')}`);
  if (user !== undefined && cell('account') !== '' && !isAccountOf(cell('account'), user)) fault('account', `${JSON.stringify(cell('account'))}, but pool ${cell('pool')} is mined under ${user}: name the pool of the configuration that has this account`);
  for (const column of ['account', 'scheme', 'payout_id'] as const) if (cell(column) === '') fault(column, 'nothing: every payout needs one');
  const [fromMs, toMs] = [moment('earned_from'), moment('earned_to')];
  if (faults.length === 0 && fromMs >= toMs) fault('earned_to', `${JSON.stringify(cell('earned_to'))}, which is not after earned_from ${cell('earned_from')}`);
  if (cell('pool_work') !== '' && !WORK.test(cell('pool_work'))) fault('pool_work', `${JSON.stringify(cell('pool_work'))}, which is no sum of difficulties: write 123456789, or nothing where the pool does not say`);
  const [gross, fee, net] = [sats('gross_sat'), sats('fee_sat'), sats('net_sat')];
  if (faults.length === 0 && gross - fee !== net) fault('net_sat', `${cell('net_sat')}, but gross_sat less fee_sat is ${minorText(gross - fee, 9)}`);
  const paidMs = cell('paid_at') === '' ? undefined : moment('paid_at');
  if (faults.length > 0) return faults;
  return {
    pool: cell('pool'), account: cell('account'), scheme: cell('scheme'), fromMs, toMs, poolWork: cell('pool_work'), gross, fee, net,
    paidAt: paidMs === undefined ? '' : new Date(paidMs).toISOString(), txid: cell('txid'), payoutId: cell('payout_id'),
  };
}

/** Pools pay accounts, and take a worker's name after a dot behind them. */
function isAccountOf(account: string, user: string): boolean {
  return user === account || user.startsWith(`${account}.`);
}

function momentMs(text: string): number | undefined {
  if (!INSTANT.test(text)) return undefined;
  const ms = Date.parse(text.length === 10 ? text : `${text.replace(' ', 'T').replace(/Z$/, '')}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Decimal satoshi in nano-satoshi. */
function nano(sats: string): bigint {
  const [units = '', decimals = ''] = sats.split('.');
  return BigInt(`${units}${decimals.padEnd(9, '0')}`);
}

function satsText(amount: bigint): string {
  return minorText(amount, 9).replace(/\.?0+$/, '');
}

/** A payout may pay for several intervals and schemes; of each it has one row. */
function keyOf({ pool, account, payoutId, scheme, fromMs }: Earning): string {
  return JSON.stringify([pool, account, payoutId, scheme, fromMs]);
}

function cellsOf(earning: Earning): string[] {
  const { pool, account, scheme, fromMs, toMs, poolWork, gross, fee, net, paidAt, txid, payoutId } = earning;
  return [pool, account, scheme, new Date(fromMs).toISOString(), new Date(toMs).toISOString(), poolWork, satsText(gross), satsText(fee), satsText(net), paidAt, txid, payoutId];
}

function csvText(earnings: readonly Earning[]): string {
  const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return `${[EARNING_COLUMNS.join(','), ...earnings.map((earning) => cellsOf(earning).map(cell).join(','))].join('\n')}\n`;
}

function folderOf(dataDir: string): string {
  return join(dataDir, 'earnings');
}

function importedFiles(dataDir: string): string[] {
  try {
    return readdirSync(folderOf(dataDir)).filter((name) => /^\d{6}\.csv$/.test(name)).toSorted();
  } catch {
    return [];
  }
}

/** Everything that was imported, by interval. Throws a sentence when a file was damaged. */
export function importedEarnings(dataDir: string): Earning[] {
  return placedEarnings(dataDir).map(({ earning }) => earning).toSorted((a, b) => a.fromMs - b.fromMs || (keyOf(a) < keyOf(b) ? -1 : 1));
}

function placedEarnings(dataDir: string): Placed[] {
  return importedFiles(dataDir).flatMap((name) => {
    const text = readFileSync(join(folderOf(dataDir), name), 'utf8');
    // The configuration may have lost a pool since; what it paid stays.
    const parsed = parseEarnings(text, undefined);
    if ('problems' in parsed) throw new Error(`${join(folderOf(dataDir), name)} ${parsed.problems[0]}: it was changed after it was imported; restore it from a copy`);
    return parsed.earnings.map(({ earning, where }) => ({ earning, where: `${where} of earnings/${name}` }));
  });
}

export interface Import {
  /** Rows that are not on record yet. */
  readonly fresh: readonly Earning[];
  readonly known: number;
  /** Sentences without their subject; nothing is imported when there is one. */
  readonly problems: readonly string[];
}

/** What importing these rows would add. */
export function planImport(dataDir: string, rows: readonly Placed[]): Import {
  const before = placedEarnings(dataDir);
  const known = new Map(before.map((placed) => [keyOf(placed.earning), placed]));
  const spans = new Map<string, Placed[]>();
  for (const placed of before) spansOf(spans, placed.earning).push(placed);
  const fresh: Earning[] = [];
  const problems: string[] = [];
  for (const placed of rows) {
    const { earning, where } = placed;
    const same = known.get(keyOf(earning));
    if (same !== undefined) {
      const unlike = EARNING_COLUMNS.find((_, index) => cellsOf(same.earning)[index] !== cellsOf(earning)[index]);
      if (unlike !== undefined) problems.push(`has in ${where} a payout ${earning.payoutId} that ${same.where} has with another ${unlike}: what was imported stays; remove the row, or give the pool's correction a payout_id and a scheme of its own`);
      continue;
    }
    const overlapping = spansOf(spans, earning).find((other) => earning.fromMs < other.earning.toMs && other.earning.fromMs < earning.toMs);
    if (overlapping !== undefined) problems.push(`has in ${where} an interval of ${earning.pool}, account ${earning.account}, scheme ${earning.scheme}, that overlaps with ${overlapping.where}: it would be earned twice`);
    spansOf(spans, earning).push(placed);
    known.set(keyOf(earning), placed);
    fresh.push(earning);
  }
  return { fresh, known: rows.length - fresh.length, problems: problems.slice(0, PROBLEMS_MAX) };
}

function spansOf(spans: Map<string, Placed[]>, { pool, account, scheme }: Earning): Placed[] {
  const key = JSON.stringify([pool, account, scheme]);
  let found = spans.get(key);
  if (found === undefined) spans.set(key, (found = []));
  return found;
}

/** The file that new rows go to: its digest is journaled first, then `keepImport` writes it. */
export function importFile(dataDir: string, fresh: readonly Earning[]): { readonly name: string; readonly text: string; readonly digest: string } {
  const number = Number(importedFiles(dataDir).at(-1)?.slice(0, 6) ?? 0) + 1;
  const text = csvText(fresh);
  return { name: `earnings/${String(number).padStart(6, '0')}.csv`, text, digest: createHash('sha256').update(text).digest('hex') };
}

export function keepImport(dataDir: string, { name, text }: { readonly name: string; readonly text: string }): void {
  mkdirSync(folderOf(dataDir), { recursive: true, mode: 0o700 });
  writeOnce(join(dataDir, name), text, 0o600);
}
