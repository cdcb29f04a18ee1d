/** Difficulty arithmetic: exact targets, exact rounding down, and the published difficulties of the vectors. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  difficultyOfHash,
  difficultyTarget,
  exponentFloor,
  exponentTarget,
  HASHES_PER_DIFFICULTY,
  hashToNumber,
  meets,
  nBitsTarget,
  parseDifficultyText,
  targetWords,
} from '../../../proxy/mining/difficulty.ts';
import { MISTAKEN, SHARES, u32, unhex } from './fixtures.ts';

const ONE = 0xffffn << 208n;
const digest = (value: bigint): Uint8Array => unhex(value.toString(16).padStart(64, '0')).reverse();

describe('targets', () => {
  it('difficulty 1 is 0xFFFF·2^208', () => {
    expect(difficultyTarget('1')).toBe(26959535291011309493156476344723991336010898738574164086137773096960n);
    expect(exponentTarget(0)).toBe(ONE);
    expect(nBitsTarget(0x1d00ffff)).toBe(ONE);
    expect((HASHES_PER_DIFFICULTY.numerator * 100000n) / HASHES_PER_DIFFICULTY.denominator).toBe(429503283300001n);
  });

  it('an exponent and the text of the same power of two agree', () => {
    for (let exponent = 0; exponent <= 62; exponent++) {
      expect(difficultyTarget((1n << BigInt(exponent)).toString())).toBe(exponentTarget(exponent));
    }
    expect(difficultyTarget('0.00000095367431640625')).toBe(exponentTarget(-20));
    expect(exponentTarget(-32)).toBeLessThan(1n << 256n);
  });

  it.each(['16383.75', '0.087273', '1e-3', '8192', '100000', '9.5367431640625e-7'])('%s is an exact rational', (text) => {
    const value = parseDifficultyText(text);
    if (value === undefined) throw new Error('not read');
    expect(Number(value.numerator) / Number(value.denominator)).toBe(Number(text));
    expect(difficultyTarget(text)).toBe((ONE * value.denominator) / value.numerator);
  });

  it.each(['0', '0.0', '-1', '', 'x', '1e999', 'NaN', 'Infinity', '1,5', '0x10', ' 1'])('%j is refused', (text) => {
    expect(parseDifficultyText(text)).toBeUndefined();
    expect(() => difficultyTarget(text)).toThrow('not a positive decimal');
    expect(() => exponentFloor(text)).toThrow('not a positive decimal');
  });

  it('a target never exceeds 256 bits', () => {
    expect(difficultyTarget('1e-40')).toBe((1n << 256n) - 1n);
  });

  it.each([0x1d80ffff, 0x1d000000, 0])('nBits %i encodes no target', (nBits) => {
    expect(() => nBitsTarget(nBits)).toThrow('encodes no target');
  });
});

describe('meets', () => {
  it('holds at the target and fails one above it', () => {
    for (const target of [ONE, exponentTarget(40), 1n, (1n << 255n) + 12345n]) {
      expect(meets(digest(target), targetWords(target))).toBe(true);
      expect(meets(digest(target - 1n), targetWords(target))).toBe(true);
      expect(meets(digest(target + 1n), targetWords(target))).toBe(false);
    }
  });

  it('agrees with BigInt on any pair', () => {
    const word256 = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n });
    fc.assert(
      fc.property(word256, word256, (hash, target) => {
        expect(meets(digest(hash), targetWords(target))).toBe(hash <= target);
        expect(hashToNumber(digest(hash))).toBe(hash);
      }),
      { seed: 1 },
    );
  });
});

describe('exponentFloor', () => {
  it.each([
    [1, 0],
    [1.999999, 0],
    [2, 1],
    [1000, 9],
    [262144, 18],
    [2 ** -20, -20],
    [0.00015, -13],
    [2 ** 62, 62],
    [2 ** 70, 62],
    [2 ** -40, -32],
  ])('%d rounds down to 2^%i', (difficulty, exponent) => {
    expect(exponentFloor(difficulty)).toBe(exponent);
  });

  it.each([
    ['16383.75', 13],
    ['0.087273', -4],
    ['8192', 13],
    ['8191.9999999999999999999999', 12],
    ['1e-40', -32],
    ['4611686018427387904', 62],
    ['4611686018427387903', 61],
  ])('%s rounds down to 2^%i', (difficulty, exponent) => {
    expect(exponentFloor(difficulty)).toBe(exponent);
  });

  it('never demands more than the difficulty: its target is at least as wide', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 0, max: 999999 }), (whole, fraction) => {
        const text = `${whole}.${String(fraction).padStart(6, '0')}`;
        expect(exponentTarget(exponentFloor(text))).toBeGreaterThanOrEqual(difficultyTarget(text));
        expect(exponentTarget(exponentFloor(text) + 1)).toBeLessThan(difficultyTarget(text) + 1n);
      }),
      { seed: 2 },
    );
  });

  it('refuses what is not positive', () => {
    for (const bad of [0, -1, Number.NaN]) expect(() => exponentFloor(bad)).toThrow('not positive');
  });
});

describe('published difficulties', () => {
  it.each(SHARES)('$name', (share) => {
    const hash = unhex(share.expectedHashBE).reverse();
    expect(difficultyOfHash(hash)).toBe(share.expectedDifficulty);
    const target = targetWords(nBitsTarget(u32(share.notifyParams[6])));
    expect(meets(hash, target)).toBe(share.meetsNetworkTarget);
    const poolDifficulty = String(share.poolDifficultyAtCapture ?? '1e-9');
    expect(meets(hash, targetWords(difficultyTarget(poolDifficulty)))).toBe(true);
  });

  it('of the mistaken hashes too', () => {
    for (const { hashBE, difficulty } of [...MISTAKEN.diagnostics, ...MISTAKEN.conventions]) {
      expect(difficultyOfHash(unhex(hashBE).reverse())).toBe(difficulty);
    }
  });

  it('of a hash of zeros is infinite', () => {
    expect(difficultyOfHash(new Uint8Array(32))).toBe(Number.POSITIVE_INFINITY);
  });
});
