/** What the configuration says that metrics show beside what was measured: leases in their term, and what power costs. */
import { readFileSync, statSync } from 'node:fs';
import { parsePrices } from '../../accounting/leases/prices.ts';
import type { Config } from '../../config/schema.ts';
import type { LeaseContract, SitePower } from '../../metrics/ledger.ts';

const SATS_PER_BITCOIN = 100_000_000;
const JOULES_PER_KILOWATT_HOUR = 3_600_000;
/** A price older than this says nothing of today's income. */
const PRICE_AGE_MS_MAX = 7 * 86_400_000;

interface PriceRow {
  readonly atMs: number;
  readonly pair: string;
  readonly price: string;
}

export class Contracts {
  readonly #config: Pick<Config, 'leases' | 'sites' | 'prices'>;
  #prices: { readonly changedMs: number; readonly rows: readonly PriceRow[] } | undefined;

  constructor(config: Pick<Config, 'leases' | 'sites' | 'prices'>) {
    this.#config = config;
  }

  leases(nowMs: number): LeaseContract[] {
    return Object.entries(this.#config.leases ?? {}).map(([lease, { kind, lessor, lessee, performer, term, contracted }]) => ({
      lease, kind, lessor, lessee, performer, contracted: term.fromMs <= nowMs && nowMs < term.toMs ? Number(contracted) : 0,
    }));
  }

  power(nowMs: number): SitePower[] {
    return Object.entries(this.#config.sites).flatMap(([site, { power }]) => {
      if (power === undefined) return [];
      const { watts, price } = power;
      const bitcoin = price.currency === 'BTC' ? 1 : this.#price(`BTC/${price.currency}`, nowMs);
      const perSecond = (watts / JOULES_PER_KILOWATT_HOUR) * Number(price.amount);
      return [{ site, watts, satoshisPerSecond: bitcoin === undefined ? undefined : (perSecond / bitcoin) * SATS_PER_BITCOIN }];
    });
  }

  /** The latest price up to now; undefined where the file has none of the last week or cannot be read. */
  #price(pair: string, nowMs: number): number | undefined {
    const row = this.#rows().findLast((each) => each.pair === pair && each.atMs <= nowMs);
    return row === undefined || nowMs - row.atMs > PRICE_AGE_MS_MAX ? undefined : Number(row.price);
  }

  /** Read again when the file has changed: its user adds a row a day. */
  #rows(): readonly PriceRow[] {
    const file = this.#config.prices?.file;
    if (file === undefined) return [];
    try {
      const changedMs = statSync(file).mtimeMs;
      if (this.#prices?.changedMs !== changedMs) {
        const read = parsePrices(readFileSync(file, 'utf8'));
        this.#prices = { changedMs, rows: 'rows' in read ? read.rows : [] };
      }
      return this.#prices.rows;
    } catch {
      return [];
    }
  }
}
