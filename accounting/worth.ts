/** What a share is expected to be worth, from its own job's nBits and coinbase value, in exact integers. */
import { exponentTarget, nBitsTarget, parseDifficultyText, type Rational } from '../proxy/mining/difficulty.ts';

/** Worth is counted in units of 10^-18 satoshi. */
const WORTH_PER_SAT = 10n ** 18n;

/** A difficulty as a pool wrote it; text that is no difficulty is worth nothing: 0/1. */
export function rationalOf(text: string): Rational {
  return parseDifficultyText(text) ?? { numerator: 0n, denominator: 1n };
}

/** 2^k as a rational, k from -32 to 62. */
export function powerOfTwo(exponent: number): Rational {
  return exponent >= 0
    ? { numerator: 1n << BigInt(exponent), denominator: 1n }
    : { numerator: 1n, denominator: 1n << BigInt(-exponent) };
}

/**
 * Worth of one share of difficulty d on a job: ⌊d·R·10^18·target/(0xFFFF·2^208)⌋ units of 10^-18 satoshi. Rounded down
 * per share, so that sums do not depend on how shares are grouped. 0 when R is 0 or nBits encodes no target.
 *
 * @param sats R, the sum of the coinbase outputs in satoshi.
 */
export function shareWorth(difficulty: Rational, nbits: number, sats: number): bigint {
  if (sats === 0 || difficulty.numerator === 0n) return 0n;
  let target: bigint;
  try {
    target = nBitsTarget(nbits);
  } catch {
    return 0n;
  }
  return (difficulty.numerator * BigInt(sats) * WORTH_PER_SAT * target) / (difficulty.denominator * exponentTarget(0));
}

/** Units of 10^-18 satoshi as satoshi with nine decimals, rounded down: "1306.500000001". */
export function satsText(worth: bigint): string {
  const nano = worth / 10n ** 9n;
  return `${nano / 10n ** 9n}.${String(nano % 10n ** 9n).padStart(9, '0')}`;
}
