/** All tables of a ledger as comparable text. */
import { TABLE_NAMES, type TableName } from '../../accounting/rows.ts';
import type { Store } from '../../accounting/store.ts';

/** Row texts by table; `without` leaves tables out. */
export function dump(store: Store, without: readonly TableName[] = []): Record<string, string[]> {
  return Object.fromEntries(
    TABLE_NAMES.filter((table) => !without.includes(table)).map((table) => [
      table,
      [...store.rows(table)].map((row) => JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))),
    ]),
  );
}
