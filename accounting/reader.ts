/** What every store of the ledger offers to whoever reads it; test/conformance holds the suite that each must pass. */
import type { BucketTable, Rows } from './rows.ts';

/** Buckets of a table, [from, to). */
export interface LedgerRange {
  readonly table: BucketTable;
  readonly from: number;
  readonly to: number;
}

export interface LedgerReader {
  /**
   * Rows of a table in the order of their keys (texts by code point), whose bucket, the table's first column, is in
   * [from, to). Counts of all runs are added up.
   */
  rows<T extends BucketTable>(table: T, from: number, to: number): Iterable<Rows[T]>;
}

/** A ledger, here or shared. */
export interface Book {
  /** Reads `ranges`, and nothing else, as they are at one moment: `use` sees no change. Rejects with a sentence when it cannot. */
  read<V>(ranges: readonly LedgerRange[], use: (reader: LedgerReader) => V): Promise<V>;
  close(): void;
}
