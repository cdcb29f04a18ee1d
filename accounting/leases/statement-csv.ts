/** A statement's lines as rows for a spreadsheet or a bookkeeping program. Column names are published: append only. */
import type { StatementDraft } from './statement.ts';

export const STATEMENT_CSV_HEAD = [
  'statement_no', 'revision', 'lease', 'contract_ref', 'period_from', 'period_to', 'day', 'payer', 'payee', 'component', 'quantity', 'unit', 'unit_price',
  'currency', 'amount', 'price_instant', 'price_source',
] as const;

/** One row for each line; a credit over the whole period has no day. */
export function statementCsvRows(statement: Pick<StatementDraft, 'number' | 'revision' | 'lease' | 'contractRef' | 'period' | 'lines'>): (string | number)[][] {
  const { number, revision, lease, contractRef, period } = statement;
  return statement.lines.map((line) => [
    number, revision, lease, contractRef, period.from, period.to, line.date, line.payer, line.payee, line.component, line.quantity, line.unit, line.unitPrice,
    line.currency, line.amount, line.priceInstant, line.priceSource,
  ]);
}
