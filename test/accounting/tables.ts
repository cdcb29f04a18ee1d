/** All tables of a ledger as comparable text. */
import type { LedgerReader } from '../../accounting/reader.ts';
import { TABLE_NAMES, type TableName } from '../../accounting/rows.ts';

/** Row texts by table; `without` leaves tables out. */
export function dump(reader: LedgerReader, without: readonly TableName[] = []): Record<string, string[]> {
  return Object.fromEntries(
    TABLE_NAMES.filter((table) => !without.includes(table)).map((table) => [
      table,
      [...reader.rows(table)].map((row) => JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))),
    ]),
  );
}
