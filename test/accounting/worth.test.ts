/** What shares are worth, against the worked examples of the reference. */
import { describe, expect, it } from 'vitest';
import { powerOfTwo, rationalOf, satsText, shareWorth } from '../../accounting/worth.ts';

describe('the worth of a share', () => {
  it('agrees with the captured job of height 901,936', () => {
    // D = 126.411·10^12, R = 3.15012581 BTC: a share of 2^19 is worth 1.3065 sat.
    const worth = shareWorth(powerOfTwo(19), 0x17023a04, 315_012_581);
    expect(Number(satsText(worth))).toBeCloseTo(1.3065, 3);
  });

  it('is exact, rounded down per share, and nothing without a value', () => {
    expect(shareWorth(powerOfTwo(0), 0x1d00ffff, 5)).toBe(5n * 10n ** 18n);
    expect(shareWorth(powerOfTwo(-1), 0x1d00ffff, 1)).toBe(5n * 10n ** 17n);
    expect(shareWorth(rationalOf('0.1'), 0x1d00ffff, 1)).toBe(10n ** 17n);
    expect(shareWorth(rationalOf('1e-3'), 0x1d00ffff, 1)).toBe(10n ** 15n);
    expect(shareWorth(powerOfTwo(62), 0x1d00ffff, 21e14)).toBe((1n << 62n) * 21n * 10n ** 32n);
    expect(shareWorth(powerOfTwo(5), 0x1d00ffff, 0)).toBe(0n);
    expect(shareWorth(powerOfTwo(5), 0x1d80ffff, 1)).toBe(0n);
    expect(shareWorth(rationalOf(''), 0x1d00ffff, 1)).toBe(0n);
  });

  it('prints satoshi with nine decimals', () => {
    expect(satsText(0n)).toBe('0.000000000');
    expect(satsText(1_306_500_000_001_999_999_999n)).toBe('1306.500000001');
  });
});
