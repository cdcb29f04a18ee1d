/**
 * The ledger's all-time counts in the groups that metrics show, kept up with every commit so that a scrape costs next to
 * nothing. Sums are exact; only what leaves is a double, as Prometheus' own values are.
 */
import type { Rational } from '../proxy/mining/difficulty.ts';
import type { OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import { leaseIds } from '../proxy/session/leases.ts';
import type { CreditedTotalRow, PoolAnswer, TotalRow } from './rows.ts';
import { rationalOf } from './worth.ts';

/** Rows as arrays, because there may be tens of thousands and each scrape carries them from process to process. */
export interface LedgerSeries {
  /** `work` is null where no share had a known job. */
  readonly delivered: readonly (readonly [site: string, lessee: string, verdict: OwnVerdict, shares: number, work: number | null])[];
  /** Of accepted shares: their expected worth, and when the last of them came. */
  readonly worth: readonly (readonly [site: string, lessee: string, satoshis: number, lastMs: number])[];
  /** The same for each lease; a share may belong to several. */
  readonly leaseDelivered: readonly (readonly [lease: string, site: string, verdict: OwnVerdict, shares: number, work: number | null])[];
  readonly leaseWorth: readonly (readonly [lease: string, satoshis: number, lastMs: number])[];
  readonly credited: readonly (readonly [pool: string, verdict: PoolAnswer, reason: PoolReason, shares: number, work: number])[];
}

/** Sums under two names and, for each verdict, the shares. */
class Groups {
  readonly #delivered = new Map<string, { readonly names: readonly [string, string]; readonly verdict: OwnVerdict; shares: number; credit: bigint; hasJob: boolean; work?: number | undefined }>();

  add(names: readonly [string, string], { pool, verdict, exponent, n }: TotalRow): void {
    const key = `${names[0]}\0${names[1]}\0${verdict}`;
    let group = this.#delivered.get(key);
    if (group === undefined) {
      group = { names, verdict, shares: 0, credit: 0n, hasJob: false };
      this.#delivered.set(key, group);
    }
    group.shares += n;
    // Without a job there was no difficulty to credit: the exponent of such a row means nothing.
    if (pool === '') return;
    // In 2^−32 of difficulty 1, so that the credit of any exponent is whole.
    group.credit += BigInt(n) << BigInt(exponent + CREDIT_EXPONENT);
    group.hasJob = true;
    group.work = undefined;
  }

  read(): LedgerSeries['delivered'] {
    return [...this.#delivered.values()].map((group) => {
      const { names: [one, other], verdict, shares, credit, hasJob } = group;
      // Most groups have nothing new from one scrape to the next.
      return [one, other, verdict, shares, hasJob ? (group.work ??= Number(credit) / 2 ** CREDIT_EXPONENT) : null];
    });
  }
}
const CREDIT_EXPONENT = 32;
/** Worth is counted in units of 10^-18 satoshi. */
const WORTH_PER_SAT = 1e18;

class Worth<N extends readonly string[]> {
  readonly #sums = new Map<string, { readonly names: N; worth: bigint; lastMs: number }>();

  add(names: N, { verdict, worth, last_ms }: TotalRow): void {
    if (verdict !== 'accepted') return;
    const key = names.join('\0');
    const sum = this.#sums.get(key) ?? { names, worth: 0n, lastMs: 0 };
    sum.worth += worth;
    sum.lastMs = Math.max(sum.lastMs, last_ms);
    this.#sums.set(key, sum);
  }

  read(): (readonly [...N, number, number])[] {
    return [...this.#sums.values()].map(({ names, worth, lastMs }) => [...names, Number(worth) / WORTH_PER_SAT, lastMs] as const);
  }
}

interface Credited {
  readonly pool: string;
  readonly verdict: PoolAnswer;
  readonly reason: PoolReason;
  shares: number;
  work: Rational;
}

export class SeriesBook {
  readonly #delivered = new Groups();
  readonly #worth = new Worth<readonly [string, string]>();
  readonly #leases = new Groups();
  readonly #leaseWorth = new Worth<readonly [string]>();
  readonly #credited = new Map<string, Credited>();

  delivered(row: TotalRow): void {
    const { site, lessee } = row;
    this.#delivered.add([site, lessee], row);
    this.#worth.add([site, lessee], row);
    for (const lease of leaseIds(row.leases)) {
      this.#leases.add([lease, site], row);
      this.#leaseWorth.add([lease], row);
    }
  }

  credited({ pool, verdict, reason, difficulty, n }: CreditedTotalRow): void {
    const key = `${pool}\0${verdict}\0${reason}`;
    let group = this.#credited.get(key);
    if (group === undefined) {
      group = { pool, verdict, reason, shares: 0, work: { numerator: 0n, denominator: 1n } };
      this.#credited.set(key, group);
    }
    group.shares += n;
    group.work = plus(group.work, rationalOf(difficulty), n);
  }

  read(): LedgerSeries {
    return {
      delivered: this.#delivered.read(),
      worth: this.#worth.read(),
      leaseDelivered: this.#leases.read(),
      leaseWorth: this.#leaseWorth.read(),
      credited: [...this.#credited.values()].map(({ pool, verdict, reason, shares, work }) => [pool, verdict, reason, shares, nearestNumber(work)]),
    };
  }
}

/** sum + count·each. Denominators are powers of ten, so the larger one serves both. */
function plus(sum: Rational, each: Rational, count: number): Rational {
  const denominator = sum.denominator > each.denominator ? sum.denominator : each.denominator;
  const numerator = sum.numerator * (denominator / sum.denominator) + BigInt(count) * each.numerator * (denominator / each.denominator);
  return { numerator, denominator };
}

/** Exact to a double's precision for anything above 2^-32. */
function nearestNumber({ numerator, denominator }: Rational): number {
  return Number((numerator << 96n) / denominator) / 2 ** 96;
}
