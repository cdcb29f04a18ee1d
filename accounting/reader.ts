/** What every store of the ledger offers to whoever reads it; test/conformance holds the suite that each must pass. */
import { leaseIds } from '../proxy/session/leases.ts';
import type { BucketTable, Rows } from './rows.ts';

/** Buckets of a table, [from, to). */
export interface LedgerRange {
  readonly table: BucketTable;
  readonly from: number;
  readonly to: number;
  /** Only rows of this lease. */
  readonly lease?: string;
}

export interface LedgerReader {
  /**
   * Rows of a table in the order of their keys (texts by code point), whose bucket, the table's first column, is in
   * [from, to); with `lease`, of those only the rows that belong to it. Counts of all runs are added up.
   */
  rows<T extends BucketTable>(table: T, from: number, to: number, lease?: string): Iterable<Rows[T]>;
}

/** Whether a row, or the group it is in, belongs to a lease: as one of its `leases`, or by `lease`. */
export function isOfLease(row: { readonly leases?: string; readonly lease?: string }, lease: string): boolean {
  return row.lease === lease || (row.leases !== undefined && leaseIds(row.leases).includes(lease));
}

/** A ledger, here or shared. */
export interface Book {
  /** Reads `ranges`, and nothing else, as they are at one moment: `use` sees no change. Rejects with a sentence when it cannot. */
  read<V>(ranges: readonly LedgerRange[], use: (reader: LedgerReader) => V): Promise<V>;
  close(): void;
}
