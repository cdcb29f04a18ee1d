/** Work and hash rate with their 95 % interval from counts per exponent (measurement.md §2). */
import { chiSquareQuantile } from './chi-square.ts';
import { HASHES_PER_DIFFICULTY, type Rational } from '../proxy/mining/difficulty.ts';

export interface Estimate {
  /** ⌊c·Σd⌋ with c = 2^48/65535 exactly. */
  readonly hashes: bigint;
  /** Hashes per second; undefined without exposure. For display. */
  readonly rate: number | undefined;
  /** 95 % interval of the rate; undefined without exposure, `high` also when no share and no difficulty is known. */
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly shares: number;
}

/** Standard normal quantile at 97.5 %. */
const Z = 1.959963984540054;
/** Below this effective count the normal interval is too short. */
const EFFECTIVE_MIN = 100;
/** With one difficulty Garwood's is exact at any count; beyond this it differs from the normal one by under 0.02 %. */
const EXACT_MAX = 20_000;
/** Exponents start at -32: sums of 2^(k+32) are integers. */
const SHIFT = 32;

/** Σ n·2^k of counts, in hashes, rounded down. */
export function hashesOf(counts: Iterable<readonly [exponent: number, n: number]>): bigint {
  let scaled = 0n;
  for (const [exponent, n] of counts) scaled += BigInt(n) << BigInt(exponent + SHIFT);
  return (scaled * (HASHES_PER_DIFFICULTY.numerator >> BigInt(SHIFT))) / HASHES_PER_DIFFICULTY.denominator;
}

/** c·d in hashes, rounded down. */
export function hashesOfDifficulty(sum: Rational): bigint {
  return (sum.numerator * HASHES_PER_DIFFICULTY.numerator) / (sum.denominator * HASHES_PER_DIFFICULTY.denominator);
}

/**
 * @param counts Accepted shares per exponent k (credit 2^k each). A pair with n = 0 says that this difficulty was in
 *   force: the upper bound allows for work under it that found nothing.
 * @param exposureMs The full time of the interval, fixed beforehand; never from the first to the last share.
 */
export function estimate(counts: Iterable<readonly [exponent: number, n: number]>, exposureMs: number): Estimate {
  const pairs = [...counts];
  const hashes = hashesOf(pairs);
  let shares = 0;
  let sum = 0;
  let squares = 0;
  let largest = -Infinity;
  // Floats serve here: they never leave as counts, and powers of two lose nothing but range that is not used.
  for (const [exponent, n] of pairs) {
    shares += n;
    sum += n * 2 ** exponent;
    squares += n * 4 ** exponent;
    if (exponent > largest) largest = exponent;
  }
  if (!(exposureMs > 0)) return { hashes, rate: undefined, low: undefined, high: undefined, shares };
  const perSecond = Number(HASHES_PER_DIFFICULTY.numerator) / Number(HASHES_PER_DIFFICULTY.denominator) / (exposureMs / 1000);
  const [low, high] = largest === -Infinity ? [0, undefined] : interval(sum, squares, 2 ** largest, shares === 0 || sum === shares * 2 ** largest);
  return {
    hashes,
    rate: Number(hashes) / (exposureMs / 1000),
    low: low * perSecond,
    high: high === undefined ? undefined : high * perSecond,
    shares,
  };
}

/**
 * Bounds of Σd by Fay and Feuer's gamma interval (Statistics in Medicine 16, 1997, 791–801). The upper one has one share
 * more, of the largest difficulty in force: that it found nothing may be chance. With one difficulty this is Garwood's exact interval.
 */
function interval(sum: number, squares: number, largest: number, single: boolean): [number, number] {
  const [above, aboveSquares] = [sum + largest, squares + largest * largest];
  const effective = sum === 0 ? 0 : (sum * sum) / squares;
  const effectiveAbove = (above * above) / aboveSquares;
  if (Math.min(effective, effectiveAbove - 1) < EFFECTIVE_MIN || (single && effective <= EXACT_MAX)) {
    const low = effective === 0 ? 0 : gammaBound(LOWER, effective) * (squares / sum);
    return [low, gammaBound(UPPER, effectiveAbove) * (aboveSquares / above)];
  }
  const half = Z * Math.sqrt(squares);
  return [sum - half, sum + half];
}

/** By whole shape, 0 where it was not asked for yet: counts come again and again, of hundreds of leases over several windows, and a bound costs 10 µs. */
const LOWER = { probability: 0.025, bounds: new Float64Array(EXACT_MAX + 2) } as const;
const UPPER = { probability: 0.975, bounds: new Float64Array(EXACT_MAX + 2) } as const;

/** Quantile of the gamma distribution of this shape and scale 1. */
function gammaBound({ probability, bounds }: typeof LOWER | typeof UPPER, shape: number): number {
  const known = bounds[shape];
  if (known !== undefined && known > 0) return known;
  const bound = chiSquareQuantile(probability, 2 * shape) / 2;
  if (Number.isInteger(shape) && shape < bounds.length) bounds[shape] = bound;
  return bound;
}
