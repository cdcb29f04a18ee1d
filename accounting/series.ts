/**
 * The ledger's all-time counts in the groups that metrics show, kept up with every commit so that a scrape costs next to
 * nothing. Sums are exact; only what leaves is a double, as Prometheus' own values are.
 */
import type { Rational } from '../proxy/mining/difficulty.ts';
import type { OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import type { CreditedTotalRow, PoolAnswer, TotalRow } from './rows.ts';
import { rationalOf } from './worth.ts';

/** Rows as arrays, because there may be tens of thousands and each scrape carries them from process to process. */
export interface LedgerSeries {
  /** `work` is null where no share had a known job. */
  readonly delivered: readonly (readonly [site: string, lessee: string, verdict: OwnVerdict, shares: number, work: number | null])[];
  readonly credited: readonly (readonly [pool: string, verdict: PoolAnswer, reason: PoolReason, shares: number, work: number])[];
}

interface Delivered {
  readonly site: string;
  readonly lessee: string;
  readonly verdict: OwnVerdict;
  shares: number;
  /** In 2^−32 of difficulty 1, so that the credit of any exponent is whole. */
  credit: bigint;
  hasJob: boolean;
}

interface Credited {
  readonly pool: string;
  readonly verdict: PoolAnswer;
  readonly reason: PoolReason;
  shares: number;
  work: Rational;
}

const CREDIT_EXPONENT = 32;

export class SeriesBook {
  readonly #delivered = new Map<string, Delivered>();
  readonly #credited = new Map<string, Credited>();

  delivered({ site, lessee, pool, verdict, exponent, n }: TotalRow): void {
    const key = `${site}\0${lessee}\0${verdict}`;
    let group = this.#delivered.get(key);
    if (group === undefined) {
      group = { site, lessee, verdict, shares: 0, credit: 0n, hasJob: false };
      this.#delivered.set(key, group);
    }
    group.shares += n;
    // Without a job there was no difficulty to credit: the exponent of such a row means nothing.
    if (pool === '') return;
    group.credit += BigInt(n) << BigInt(exponent + CREDIT_EXPONENT);
    group.hasJob = true;
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
      delivered: [...this.#delivered.values()].map(({ site, lessee, verdict, shares, credit, hasJob }) => [
        site, lessee, verdict, shares, hasJob ? Number(credit) / 2 ** CREDIT_EXPONENT : null,
      ]),
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
