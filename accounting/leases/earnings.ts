/** What pools say they paid, from files the user imports. */
import type { CsvRow } from '../../config/csv.ts';
import { minorText } from './exact.ts';
import { importedRows, utcMs, type Fault, type Importable, type Placed } from './imports.ts';

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

const COLUMNS = ['pool', 'account', 'scheme', 'earned_from', 'earned_to', 'pool_work', 'gross_sat', 'fee_sat', 'net_sat', 'paid_at', 'txid', 'payout_id'] as const;
type Column = (typeof COLUMNS)[number];

const SATS = /^\d{1,16}(?:\.\d{1,9})?$/;
const WORK = /^\d{1,30}(?:\.\d{1,20})?$/;

/** @param users Name of each pool in the configuration → the user that it is mined under; undefined: any pool will do. */
export function earningsImport(users: ReadonlyMap<string, string> | undefined): Importable<Earning> {
  return {
    folder: 'earnings',
    columns: COLUMNS,
    read: (row) => earningOf(row, users),
    cells: cellsOf,
    // A payout may pay for several intervals and schemes; of each it has one row.
    key: ({ pool, account, payoutId, scheme, fromMs }) => JSON.stringify([pool, account, payoutId, scheme, fromMs]),
    name: ({ payoutId }) => `payout ${payoutId}`,
  };
}

function earningOf({ cells }: CsvRow, users: ReadonlyMap<string, string> | undefined): Earning | readonly Fault[] {
  const cell = (column: Column): string => cells[column] ?? '';
  const faults: Fault[] = [];
  const fault = (column: Column, message: string): void => void faults.push({ column, message });
  const moment = (column: Column): number => {
    const ms = utcMs(cell(column));
    if (ms === undefined) fault(column, `${JSON.stringify(cell(column))}, which is no time in UTC: write 2026-11-01 or 2026-11-01T06:30Z`);
    return ms ?? 0;
  };
  const sats = (column: Column): bigint => {
    if (SATS.test(cell(column))) return nano(cell(column));
    fault(column, `${JSON.stringify(cell(column))}, which is no amount in satoshi: write 1234567 or 1234567.25`);
    return 0n;
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

/** Decimal satoshi in nano-satoshi. */
function nano(sats: string): bigint {
  const [units = '', decimals = ''] = sats.split('.');
  return BigInt(`${units}${decimals.padEnd(9, '0')}`);
}

function satsText(amount: bigint): string {
  return minorText(amount, 9).replace(/\.?0+$/, '');
}

function cellsOf(earning: Earning): string[] {
  const { pool, account, scheme, fromMs, toMs, poolWork, gross, fee, net, paidAt, txid, payoutId } = earning;
  return [pool, account, scheme, new Date(fromMs).toISOString(), new Date(toMs).toISOString(), poolWork, satsText(gross), satsText(fee), satsText(net), paidAt, txid, payoutId];
}

/** Everything that was imported, by interval; the configuration may have lost a pool since, what it paid stays. Throws a sentence when a file was damaged. */
export function importedEarnings(dataDir: string): Earning[] {
  return earningsInOrder(importedRows(dataDir, earningsImport(undefined)).map(({ row }) => row));
}

/** By interval. */
export function earningsInOrder(rows: readonly Earning[]): Earning[] {
  const { key } = earningsImport(undefined);
  return rows.toSorted((a, b) => a.fromMs - b.fromMs || (key(a) < key(b) ? -1 : 1));
}

/** Sentences about new rows whose intervals overlap with another of the same account and scheme: they would be earned twice. */
export function overlapProblems(before: readonly Placed<Earning>[], fresh: readonly Placed<Earning>[]): string[] {
  const spans = new Map<string, Placed<Earning>[]>();
  const spansOf = ({ pool, account, scheme }: Earning): Placed<Earning>[] => {
    const key = JSON.stringify([pool, account, scheme]);
    const found = spans.get(key) ?? [];
    spans.set(key, found);
    return found;
  };
  for (const placed of before) spansOf(placed.row).push(placed);
  return fresh.flatMap((placed) => {
    const { row, where } = placed;
    const others = spansOf(row);
    const overlapping = others.find((other) => row.fromMs < other.row.toMs && other.row.fromMs < row.toMs);
    others.push(placed);
    return overlapping === undefined ? [] : [`has in ${where} an interval of ${row.pool}, account ${row.account}, scheme ${row.scheme}, that overlaps with ${overlapping.where}: it would be earned twice`];
  });
}
