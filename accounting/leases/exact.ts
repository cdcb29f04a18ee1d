/** Exact arithmetic for quantities and money: rationals of BigInt, rounded once, at the end, by a rule that is named. */
import type { Rational } from '../../proxy/mining/difficulty.ts';

/** A rational with a positive denominator; may be zero or negative, need not be in lowest terms. */
export type Exact = Rational;

export const ZERO: Exact = { numerator: 0n, denominator: 1n };
export const ONE: Exact = { numerator: 1n, denominator: 1n };

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** In lowest terms. Throws on a denominator of zero. */
export function exact(numerator: bigint, denominator = 1n): Exact {
  if (denominator === 0n) throw new Error(`${numerator}/0 is no number; check the divisor before dividing`);
  const sign = denominator < 0n ? -1n : 1n;
  const divisor = gcd(numerator, denominator * sign) || 1n;
  return { numerator: (sign * numerator) / divisor, denominator: (sign * denominator) / divisor };
}

/** The value of plain decimal text such as `0.042`; throws on anything else. */
export function decimal(text: string): Exact {
  const [, sign, units = '', decimals = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (units === '') throw new Error(`${JSON.stringify(text.slice(0, 40))} is not a decimal number; write 12 or 0.042`);
  return exact(BigInt(`${sign ?? ''}${units}${decimals}`), 10n ** BigInt(decimals.length));
}

/** A percentage as decimal text, `35`, as a fraction, 35/100. */
export function percentage(text: string): Exact {
  return over(decimal(text), exact(100n));
}

export function plus(a: Exact, b: Exact): Exact {
  if (a.denominator === b.denominator) return exact(a.numerator + b.numerator, a.denominator);
  return exact(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function minus(a: Exact, b: Exact): Exact {
  return plus(a, { numerator: -b.numerator, denominator: b.denominator });
}

export function times(a: Exact, b: Exact): Exact {
  return exact(a.numerator * b.numerator, a.denominator * b.denominator);
}

/** a/b; throws when b is zero. */
export function over(a: Exact, b: Exact): Exact {
  return exact(a.numerator * b.denominator, a.denominator * b.numerator);
}

function isLess(a: Exact, b: Exact): boolean {
  return a.numerator * b.denominator < b.numerator * a.denominator;
}

export function least(a: Exact, b: Exact): Exact {
  return isLess(a, b) ? a : b;
}

export function greatest(a: Exact, b: Exact): Exact {
  return isLess(a, b) ? b : a;
}

export function total(values: Iterable<Exact>): Exact {
  let sum = ZERO;
  for (const value of values) sum = plus(sum, value);
  return sum;
}

/** The greatest whole number that is not above the value. */
export function floor({ numerator, denominator }: Exact): bigint {
  const quotient = numerator / denominator;
  return numerator < 0n && quotient * denominator !== numerator ? quotient - 1n : quotient;
}

/** The nearest whole number, and of two as near the even one. */
export function halfEven(value: Exact): bigint {
  const down = floor(value);
  const twice = 2n * (value.numerator - down * value.denominator);
  if (twice < value.denominator) return down;
  if (twice > value.denominator) return down + 1n;
  return down % 2n === 0n ? down : down + 1n;
}

/** Whole minor units as text with `places` decimals: cents(123456, 2) is "1234.56". */
export function minorText(minor: bigint, places: number): string {
  const digits = String(minor < 0n ? -minor : minor).padStart(places + 1, '0');
  const sign = minor < 0n ? '-' : '';
  return places === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** A value as decimal text with `places` decimals, rounded half-even. */
export function decimalText(value: Exact, places: number): string {
  return minorText(halfEven(times(value, exact(10n ** BigInt(places)))), places);
}

/**
 * Whole numbers that add up to `whole` and differ from the exact parts by less than one: every part is rounded down, and
 * what is left goes to the largest remainders, the first of equal ones first. The parts must add up to `whole` exactly.
 */
export function largestRemainder(whole: bigint, parts: readonly Exact[]): bigint[] {
  const sum = total(parts);
  if (sum.numerator !== whole * sum.denominator) throw new Error(`the parts add up to ${sum.numerator}/${sum.denominator} and not to ${whole}; divide all of it`);
  const floors = parts.map(floor);
  const left = Number(whole - floors.reduce((a, b) => a + b, 0n));
  const order = parts
    .map((part, index) => ({ index, rest: minus(part, exact(floors[index] ?? 0n)) }))
    .toSorted((a, b) => (isLess(b.rest, a.rest) ? -1 : isLess(a.rest, b.rest) ? 1 : a.index - b.index));
  for (const { index } of order.slice(0, left)) floors[index] = (floors[index] ?? 0n) + 1n;
  return floors;
}

/** ⌊√n⌋ of a whole number that is not negative. */
export function squareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt(Math.ceil(n.toString(2).length / 2));
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
