/** What the rents of leases come to in a day at the present rates: for a dashboard, never for a bill. */
import type { LeaseConfig, RentConfig } from '../../config/leases.ts';
import type { LeaseRent } from '../../metrics/ledger.ts';
import type { AccountantMetrics } from './messages.ts';

const HASHES_PER_TERAHASH = 1e12;
const SECONDS_PER_DAY = 86_400;
const JOULES_PER_KILOWATT_HOUR = 3_600_000;
const SATS_PER_BITCOIN = 1e8;
/** Value is taken over the last ten to twenty minutes. */
const VALUE_MS = 600_000;

interface Sample {
  readonly atMs: number;
  readonly satoshis: number;
}

/** Present rates of a lease: hashes per second, satoshi a day. */
interface Rates {
  readonly contracted: number;
  readonly delivered: number | undefined;
  readonly valuePerDay: number | undefined;
}

export class Rents {
  readonly #leases: Readonly<Record<string, LeaseConfig>>;
  /** The value delivered by then: at the last ten minutes' beginning, and at the beginning of those before. */
  readonly #values = new Map<string, readonly [older: Sample, newer: Sample]>();

  constructor(leases: Readonly<Record<string, LeaseConfig>>) {
    this.#leases = leases;
  }

  /** Of the leases in their term. `nowMs` is monotonic. */
  read({ leases, series }: Pick<AccountantMetrics, 'leases' | 'series'>, nowMs: number): LeaseRent[] {
    const worth = new Map(series.leaseWorth.map(([lease, satoshis]) => [lease, satoshis]));
    return leases.flatMap(({ lease, contracted, windows }) => {
      const config = this.#leases[lease];
      if (config === undefined) return [];
      const delivered = windows.find(({ window }) => window === '1h')?.rate;
      const rates = { contracted, delivered, valuePerDay: this.#valuePerDay(lease, { atMs: nowMs, satoshis: worth.get(lease) ?? 0 }) };
      return rentsOf(lease, config, rates);
    });
  }

  #valuePerDay(lease: string, now: Sample): number | undefined {
    const [older, newer] = this.#values.get(lease) ?? [now, now];
    if (now.satoshis < older.satoshis || older === now) this.#values.set(lease, [now, now]);
    else if (now.atMs - newer.atMs >= VALUE_MS) this.#values.set(lease, [newer, now]);
    const seconds = (now.atMs - older.atMs) / 1000;
    return seconds > 0 && now.satoshis >= older.satoshis ? ((now.satoshis - older.satoshis) / seconds) * SECONDS_PER_DAY : undefined;
  }
}

/** Several payments of one kind and currency add up, whoever pays them. */
function rentsOf(lease: string, { rent }: LeaseConfig, rates: Rates): LeaseRent[] {
  const sums = new Map<string, LeaseRent>();
  for (const each of rent) {
    const found = amountOf(each, rates);
    if (found === undefined) continue;
    const key = `${found.component} ${found.currency}`;
    sums.set(key, { lease, ...found, perDay: found.perDay + (sums.get(key)?.perDay ?? 0) });
  }
  return [...sums.values()];
}

function amountOf(rent: RentConfig, { contracted, delivered, valuePerDay }: Rates): Omit<LeaseRent, 'lease'> | undefined {
  const { fixed, delivered: perDelivered, hosting, revenueShare } = rent;
  if (fixed !== undefined) return { component: 'fixed', currency: fixed.currency, perDay: (contracted / HASHES_PER_TERAHASH) * Number(fixed.amount) };
  if (perDelivered !== undefined && delivered !== undefined) {
    return { component: 'delivered', currency: perDelivered.currency, perDay: (delivered / HASHES_PER_TERAHASH) * Number(perDelivered.amount) };
  }
  // What a meter counts is known when its readings are imported, and not before.
  if (hosting !== undefined && delivered !== undefined && rent.efficiency !== undefined) {
    const joulesPerDay = (delivered / HASHES_PER_TERAHASH) * Number(rent.efficiency) * SECONDS_PER_DAY;
    return { component: 'hosting', currency: hosting.currency, perDay: (joulesPerDay / JOULES_PER_KILOWATT_HOUR) * Number(hosting.amount) };
  }
  if (revenueShare === undefined || valuePerDay === undefined) return undefined;
  const afterFee = 1 - Number(rent.poolFee ?? 0) / 100;
  return { component: 'revenueShare', currency: 'BTC', perDay: (valuePerDay / SATS_PER_BITCOIN) * afterFee * (Number(revenueShare) / 100) };
}
