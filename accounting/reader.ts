/** What every store of the ledger offers to whoever reads it; test/conformance holds the suite that each must pass. */
import type { Rows, TableName } from './rows.ts';

export interface LedgerReader {
  /**
   * Rows of a table in the order of their keys (texts by code point). With `from` and `to`, only those whose bucket, the
   * table's first column, is in [from, to); without, all of them. The two totals have no bucket and take no range.
   */
  rows<T extends TableName>(table: T, from?: number, to?: number): Iterable<Rows[T]>;
  /** Runs `read` on one moment of the ledger, whatever is committed meanwhile. */
  consistently<V>(read: () => V): V;
  close(): void;
}
