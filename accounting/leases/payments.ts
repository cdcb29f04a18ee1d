/** What parties paid each other, from files the user imports: a statement's account is charged and settled. */
import type { CsvRow } from '../../config/csv.ts';
import { accountProblem, type Payers } from './accounts.ts';
import { decimal, exact, floor, times } from './exact.ts';
import { importedRows, utcMs, type Fault, type Importable } from './imports.ts';
import { placesOf } from './valuation.ts';

export interface Payment {
  readonly lease: string;
  readonly payer: string;
  readonly payee: string;
  readonly paidMs: number;
  /** Decimal text as imported, above zero. */
  readonly amount: string;
  readonly currency: string;
  /** Unique within the lease: a bank's reference or a transaction id. */
  readonly reference: string;
}

const COLUMNS = ['lease', 'payer', 'payee', 'paid_at', 'amount', 'currency', 'reference'] as const;
type Column = (typeof COLUMNS)[number];

/** What rows are held against when they are imported. */
export interface PaymentRules {
  readonly leases: ReadonlyMap<string, Payers>;
  readonly nowMs: number;
}

/** @param rules Undefined for rows that were imported: they stay as they are. */
export function paymentsImport(rules: PaymentRules | undefined): Importable<Payment> {
  return {
    folder: 'payments',
    columns: COLUMNS,
    read: (row) => paymentOf(row, rules),
    cells: ({ lease, payer, payee, paidMs, amount, currency, reference }) => [lease, payer, payee, new Date(paidMs).toISOString(), amount, currency, reference],
    key: ({ lease, reference }) => JSON.stringify([lease, reference]),
    name: ({ reference }) => `payment ${reference}`,
  };
}

function paymentOf({ cells }: CsvRow, rules: PaymentRules | undefined): Payment | readonly Fault[] {
  const cell = (column: Column): string => cells[column] ?? '';
  const faults: Fault[] = [];
  const fault = (column: Column, message: string): void => void faults.push({ column, message });
  const known = rules?.leases.get(cell('lease'));
  if (rules !== undefined && known === undefined) fault('lease', `${JSON.stringify(cell('lease'))}, which is no lease of the configuration: there is ${[...rules.leases.keys()].join(', ')}`);
  for (const column of ['payer', 'payee'] as const) {
    if (known !== undefined && !known.parties.includes(cell(column))) fault(column, `${JSON.stringify(cell(column))}, which is no party of ${cell('lease')}: there is ${known.parties.join(', ')}`);
  }
  if (cell('payer') === cell('payee')) fault('payee', `${JSON.stringify(cell('payee'))}, who is the payer too: nobody pays himself`);
  const paidMs = utcMs(cell('paid_at'));
  if (paidMs === undefined) fault('paid_at', `${JSON.stringify(cell('paid_at'))}, which is no time in UTC: write 2026-12-05 or 2026-12-05T14:30Z`);
  if (paidMs !== undefined && rules !== undefined && paidMs > rules.nowMs) fault('paid_at', `${JSON.stringify(cell('paid_at'))}, which is still to come: import a payment when it has been made`);
  if (!/^[A-Z]{3}$/.test(cell('currency'))) fault('currency', `${JSON.stringify(cell('currency'))}, which is none: write USD or BTC`);
  const places = placesOf(cell('currency'));
  if (!new RegExp(`^\\d{1,15}(?:\\.\\d{1,${places}})?$`).test(cell('amount')) || !/[1-9]/.test(cell('amount'))) {
    fault('amount', `${JSON.stringify(cell('amount'))}, which is no amount above zero with at most ${places} decimals: write 15771.88`);
  }
  if (cell('reference') === '') fault('reference', 'nothing: a payment is told from others by it');
  if (faults.length > 0) return faults;
  const problem = known && accountProblem(known, cell('payer'), cell('payee'), cell('currency'));
  if (problem !== undefined) return [{ column: 'currency', message: `${cell('currency')}, ${problem}` }];
  return { lease: cell('lease'), payer: cell('payer'), payee: cell('payee'), paidMs: paidMs ?? 0, amount: cell('amount'), currency: cell('currency'), reference: cell('reference') };
}

/** Payments under a lease before `toMs`, except those whose references were counted before. */
export function paymentsOf(all: readonly Payment[], lease: string, toMs: number, counted: ReadonlySet<string>): Payment[] {
  return all.filter((each) => each.lease === lease && each.paidMs < toMs && !counted.has(each.reference));
}

/** Everything that was imported, by time. Throws a sentence when a file was damaged. */
export function importedPayments(dataDir: string): Payment[] {
  return paymentsInOrder(importedRows(dataDir, paymentsImport(undefined)).map(({ row }) => row));
}

/** By time. */
export function paymentsInOrder(rows: readonly Payment[]): Payment[] {
  return rows.toSorted((a, b) => a.paidMs - b.paidMs || (a.reference < b.reference ? -1 : 1));
}

/** In whole smallest units. */
export function minorOf({ amount, currency }: Pick<Payment, 'amount' | 'currency'>): bigint {
  return floor(times(decimal(amount), exact(10n ** BigInt(placesOf(currency)))));
}
