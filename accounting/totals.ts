/** All-time counts of this host's ledger, kept in memory beside the tables they come from, for the metrics. */
import type { OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import { SeriesBook } from './series.ts';
import type { Store } from './store.ts';
import type { CreditedTotalRow, Deltas, PoolAnswer, TotalRow } from './rows.ts';

export interface DeliveredTotal {
  readonly site: string;
  readonly lessee: string;
  /** Ids of leases joined by commas. */
  readonly leases: string;
  readonly pool: string;
  readonly verdict: OwnVerdict;
  readonly exponent: number;
  readonly count: number;
}

export interface CreditedTotal {
  readonly pool: string;
  readonly verdict: PoolAnswer;
  readonly reason: PoolReason;
  /** Upstream difficulty as the text received. */
  readonly difficulty: string;
  readonly count: number;
}

export class Totals {
  readonly #delivered = new Map<string, TotalRow>();
  readonly #credited = new Map<string, CreditedTotalRow>();
  readonly series = new SeriesBook();
  #unjournaled = 0;

  /** The totals as the ledger has them. */
  static read(reader: Store): Totals {
    const totals = new Totals();
    for (const row of reader.rows('total')) {
      totals.#delivered.set(deliveredKey(row), row);
      totals.series.delivered(row);
    }
    for (const row of reader.rows('credited_total')) {
      totals.#credited.set(creditedKey(row), row);
      totals.series.credited(row);
    }
    for (const row of reader.rows('unjournaled_minute')) totals.#unjournaled += row.n;
    return totals;
  }

  /** Adds what was committed. */
  add(deltas: Deltas): void {
    for (const row of deltas.total.values()) {
      this.series.delivered(row);
      const known = this.#delivered.get(deliveredKey(row));
      // What comes later in value and time is in the series.
      if (known === undefined) this.#delivered.set(deliveredKey(row), { ...row });
      else known.n += row.n;
    }
    for (const row of deltas.credited_total.values()) {
      this.series.credited(row);
      const known = this.#credited.get(creditedKey(row));
      if (known === undefined) this.#credited.set(creditedKey(row), { ...row });
      else known.n += row.n;
    }
    for (const row of deltas.unjournaled_minute.values()) this.#unjournaled += row.n;
  }

  get unjournaledShares(): number {
    return this.#unjournaled;
  }

  delivered(): DeliveredTotal[] {
    return [...this.#delivered.values()].map(({ site, lessee, leases, pool, verdict, exponent, n }) => ({ site, lessee, leases, pool, verdict, exponent, count: n }));
  }

  credited(): CreditedTotal[] {
    return [...this.#credited.values()].map(({ n, ...row }) => ({ ...row, count: n }));
  }
}

function deliveredKey(row: TotalRow): string {
  return JSON.stringify([row.site, row.lessee, row.leases, row.pool, row.verdict, row.exponent]);
}

function creditedKey(row: CreditedTotalRow): string {
  return JSON.stringify([row.pool, row.verdict, row.reason, row.difficulty]);
}
