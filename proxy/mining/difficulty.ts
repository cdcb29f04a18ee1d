/**
 * Difficulty and targets, relative to bdiff 1 (target 0xFFFF·2^208, nBits 1d00ffff) everywhere. Decisions are made on
 * integers only; numbers of type `number` are for display.
 */
import { Block } from 'bitcoinjs-lib';
import { DIFFICULTY_TEXT } from '../protocol/set-difficulty.ts';

/** A 256-bit target as eight u32 words, most significant first. */
export type TargetWords = Uint32Array;

const EXPONENT_MIN = -32;
const EXPONENT_MAX = 62;

const DIFFICULTY_ONE_TARGET = 0xffffn << 208n;
const TARGET_MAX = (1n << 256n) - 1n;

/** Expected hashes per unit of difficulty: 2^256 / (0xFFFF·2^208). */
export const HASHES_PER_DIFFICULTY = { numerator: 1n << 48n, denominator: 65535n } as const;

/** An exact positive rational. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The exact value of a decimal text such as `16383.75` or `1e-3`; undefined unless it is positive and of sane length. */
export function parseDifficultyText(text: string): Rational | undefined {
  const parts = DIFFICULTY_TEXT.exec(text);
  if (parts === null) return undefined;
  const fraction = parts[2] ?? '';
  const digits = BigInt(`${parts[1] ?? ''}${fraction}`);
  if (digits === 0n) return undefined;
  const power = Number(parts[3] ?? 0) - fraction.length;
  return power >= 0
    ? { numerator: digits * 10n ** BigInt(power), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-power) };
}

function exactDifficulty(text: string): Rational {
  const value = parseDifficultyText(text);
  if (value === undefined) {
    throw new Error(`difficulty ${JSON.stringify(text.slice(0, 40))} is not a positive decimal number; check it before asking for its target`);
  }
  return value;
}

/** Target of difficulty 2^exponent, rounded down; exponent is an integer in [-32, 62]. */
export function exponentTarget(exponent: number): bigint {
  const shift = BigInt(exponent);
  return shift >= 0n ? DIFFICULTY_ONE_TARGET >> shift : DIFFICULTY_ONE_TARGET << -shift;
}

/** Target of a difficulty given as decimal text, exact and rounded down, at most 2^256 − 1. Throws unless it is positive. */
export function difficultyTarget(text: string): bigint {
  const { numerator, denominator } = exactDifficulty(text);
  const target = (DIFFICULTY_ONE_TARGET * denominator) / numerator;
  return target > TARGET_MAX ? TARGET_MAX : target;
}

/** A target as words for `meets`. */
export function targetWords(target: bigint): TargetWords {
  const words = new Uint32Array(8);
  for (let index = 0; index < 8; index++) {
    words[index] = Number((target >> BigInt(32 * (7 - index))) & 0xffffffffn);
  }
  return words;
}

/** Whether a digest (32 bytes as hashed, read as a little-endian number) is at most the target. */
export function meets(hash: Uint8Array, target: TargetWords): boolean {
  for (let index = 0; index < 8; index++) {
    const at = 28 - 4 * index;
    const word =
      (((hash[at + 3] ?? 0) << 24) | ((hash[at + 2] ?? 0) << 16) | ((hash[at + 1] ?? 0) << 8) | (hash[at] ?? 0)) >>> 0;
    const bound = target[index] ?? 0;
    if (word !== bound) return word < bound;
  }
  return true;
}

/**
 * The largest k in [-32, 62] with 2^k ≤ difficulty, exactly; -32 for anything smaller still.
 * A number stands for its exact binary value. Throws unless the difficulty is positive.
 */
export function exponentFloor(difficulty: string | number): number {
  if (typeof difficulty === 'number') {
    if (!(difficulty > 0)) throw new Error(`difficulty ${difficulty} is not positive; check it before rounding it`);
    for (let exponent = EXPONENT_MAX; exponent > EXPONENT_MIN; exponent--) {
      if (2 ** exponent <= difficulty) return exponent;
    }
    return EXPONENT_MIN;
  }
  const { numerator, denominator } = exactDifficulty(difficulty);
  for (let exponent = EXPONENT_MAX; exponent > EXPONENT_MIN; exponent--) {
    const shift = BigInt(Math.abs(exponent));
    if (exponent >= 0 ? denominator << shift <= numerator : denominator <= numerator << shift) return exponent;
  }
  return EXPONENT_MIN;
}

/** A digest as the number it stands for. */
export function hashToNumber(hash: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(hash).reverse().toString('hex')}`);
}

/** Difficulty that a digest reached, correctly rounded, for display only. Infinity for a digest of zeros. */
export function difficultyOfHash(hash: Uint8Array): number {
  const value = hashToNumber(hash);
  if (value === 0n) return Number.POSITIVE_INFINITY;
  // At least 68 bits of quotient, the last one sticky, so that the conversion to 53 bits rounds as the exact value would.
  const scaled = DIFFICULTY_ONE_TARGET << 100n;
  const quotient = scaled / value;
  const sticky = quotient * value === scaled ? 0n : 1n;
  return Number(quotient | sticky) * 2 ** -100;
}

/** Network target of a compact nBits value, by bitcoinjs-lib. Throws when it does not encode a positive target. */
export function nBitsTarget(nBits: number): bigint {
  if ((nBits & 0x00800000) !== 0) throw new Error(`nBits ${(nBits >>> 0).toString(16)} is negative; it encodes no target`);
  const target = BigInt(`0x${Buffer.from(Block.calculateTarget(nBits)).toString('hex')}`);
  if (target === 0n) throw new Error(`nBits ${(nBits >>> 0).toString(16)} is zero; it encodes no target`);
  return target;
}
