/** Work and its interval against published tables, closed forms and a seeded simulation. */
import { describe, expect, it } from 'vitest';
import { chiSquareQuantile, logGamma, lowerGamma } from '../../accounting/chi-square.ts';
import { estimate, hashesOf, hashesOfDifficulty } from '../../accounting/estimate.ts';
import { rationalOf } from '../../accounting/worth.ts';
import { seededRandom } from '../../config/world.ts';

describe('the χ² distribution', () => {
  it.each([
    // Published percentage points.
    [0.025, 1, 0.000982069], [0.025, 2, 0.0506356], [0.025, 10, 3.24697], [0.025, 30, 16.7908], [0.025, 100, 74.2219],
    [0.975, 1, 5.02389], [0.975, 2, 7.37776], [0.975, 10, 20.4832], [0.975, 30, 46.9792], [0.975, 100, 129.561],
    [0.95, 5, 11.0705], [0.5, 4, 3.35669], [0.01, 20, 8.2604], [0.99, 60, 88.3794],
  ])('has its %f quantile at %i degrees at %f', (probability, degrees, expected) => {
    expect(chiSquareQuantile(probability, degrees) / expected).toBeCloseTo(1, 5);
  });

  it('inverts its own distribution function up to large and fractional degrees', () => {
    for (const degrees of [0.7, 2, 3.3, 41.5, 999, 14_402, 40_002]) {
      for (const probability of [0.0005, 0.025, 0.5, 0.975, 0.9995]) {
        expect(lowerGamma(degrees / 2, chiSquareQuantile(probability, degrees) / 2)).toBeCloseTo(probability, 9);
      }
    }
  });

  it('knows ln Γ', () => {
    expect(logGamma(1)).toBeCloseTo(0, 13);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 13);
    expect(logGamma(11)).toBeCloseTo(Math.log(3_628_800), 12);
  });
});

const C = 2 ** 48 / 65535;

describe('the estimate', () => {
  it('of a whole count that was asked for before is the same', () => {
    for (const n of [0, 1, 99, 100, 20_000]) {
      const high = (chiSquareQuantile(0.975, 2 * n + 2) / 2) * 2 ** 4 * C;
      expect([estimate([[4, n]], 1000).high, estimate([[4, n]], 1000).high]).toEqual([high, high]);
    }
  });

  it.each([
    // measurement.md §2.1: shares, and the exact 95 % interval in per cent.
    [50, -25.8, 31.8], [60, -23.7, 28.7], [200, -13.4, 14.9], [300, -11.0, 12.0], [1200, -5.6, 5.8], [1440, -5.1, 5.3], [1800, -4.57, 4.73],
    [7200, -2.3, 2.34], [14_400, -1.64, 1.64], [28_800, -1.15, 1.15], [50_400, -0.87, 0.87], [216_000, -0.42, 0.42],
  ])('of %i shares is off by %f to %f per cent', (n, low, high) => {
    const found = estimate([[19, n]], 3_600_000);
    const rate = found.rate ?? NaN;
    expect(rate / ((n * 2 ** 19 * C) / 3600)).toBeCloseTo(1, 12);
    expect(((found.low ?? NaN) / rate - 1) * 100).toBeCloseTo(low, Math.abs(low) < 5 ? 1 : 0);
    expect(((found.high ?? NaN) / rate - 1) * 100).toBeCloseTo(high, Math.abs(high) < 5 ? 1 : 0);
  });

  it('bounds what found nothing by the difficulty in force, and by nothing else', () => {
    const silent = estimate([[10, 0]], 60_000);
    expect(silent).toMatchObject({ hashes: 0n, rate: 0, low: 0, shares: 0 });
    // −ln 0.025 shares.
    expect(silent.high).toBeCloseTo((3.688879454113936 * 1024 * C) / 60, 0);
    expect(estimate([], 60_000)).toEqual({ hashes: 0n, rate: 0, low: 0, high: undefined, shares: 0 });
    expect(estimate([[10, 4]], 0)).toMatchObject({ rate: undefined, low: undefined, high: undefined, shares: 4 });
  });

  it('adds work exactly, rounding down once', () => {
    expect(hashesOf([[0, 65535]])).toBe(1n << 48n);
    expect(hashesOf([[0, 1]])).toBe(4_295_032_833n);
    expect(hashesOf([[-32, 1]])).toBe(1n);
    expect(hashesOf([[62, 3]])).toBe((3n << 110n) / 65535n);
    expect(hashesOf([[-1, 1], [-1, 1]])).toBe(hashesOf([[0, 1]]));
    expect(hashesOfDifficulty(rationalOf('65535'))).toBe(1n << 48n);
    expect(hashesOfDifficulty(rationalOf('0.001'))).toBe(4_295_032n);
    expect(hashesOfDifficulty(rationalOf('nonsense'))).toBe(0n);
  });

  it('uses the effective count for mixed difficulties', () => {
    const mixed = estimate([[0, 500], [6, 10]], 1000);
    const sum = 500 + 640;
    const squares = 500 + 10 * 4096;
    const effective = (sum * sum) / squares;
    expect(effective).toBeLessThan(100);
    expect(mixed.low).toBeCloseTo((chiSquareQuantile(0.025, 2 * effective) / 2) * (squares / sum) * C, -3);
    const many = estimate([[0, 5000], [1, 5000]], 1000);
    expect(many.high ?? NaN).toBeCloseTo((15_000 + 1.959963984540054 * Math.sqrt(25_000)) * C, -4);
  });

  it.each([
    [[0, 2], [3, 0.25]], [[0, 4], [3, 0.5]], [[0, 10], [1, 5]], [[0, 10], [3, 1]], [[0, 40], [5, 1]], [[0, 50], [4, 3]], [[0, 100], [6, 1.5]], [[0, 120], [6, 0.5]],
  ] as const)('covers the truth at least 95 times in a hundred where a difficulty finds few or no shares: %j and %j', ([low, many], [high, few]) => {
    const truth = (many * 2 ** low + few * 2 ** high) * C;
    const chances = (mean: number): number[] => {
      const found = [Math.exp(-mean)];
      while (found.length < mean + 12 * Math.sqrt(mean) + 12) found.push(((found.at(-1) ?? 0) * mean) / found.length);
      return found;
    };
    let covered = 0;
    // Every outcome, by its probability: nothing is simulated.
    for (const [i, likely] of chances(many).entries()) {
      for (const [j, chance] of chances(few).entries()) {
        const found = estimate([[low, i], [high, j]], 1000);
        if ((found.low ?? NaN) <= truth && truth <= (found.high ?? NaN)) covered += likely * chance;
      }
    }
    expect(covered).toBeGreaterThanOrEqual(0.95);
  });

  it('covers the truth in about 95 % of simulated intervals', () => {
    const random = seededRandom(20_260_101);
    const poisson = (mean: number): number => {
      let n = 0;
      for (let product = random.fraction(); product > Math.exp(-mean); product *= random.fraction()) n += 1;
      return n;
    };
    const covered = (means: readonly (readonly [number, number])[]): number => {
      const truth = means.reduce((sum, [exponent, mean]) => sum + mean * 2 ** exponent, 0) * C;
      let hits = 0;
      for (let run = 0; run < 2000; run += 1) {
        const found = estimate(means.map(([exponent, mean]) => [exponent, poisson(mean)] as const), 1000);
        if ((found.low ?? NaN) <= truth && truth <= (found.high ?? NaN)) hits += 1;
      }
      return hits / 2000;
    };
    for (const mean of [0.5, 3, 12, 60]) {
      expect(covered([[5, mean]])).toBeGreaterThanOrEqual(0.945);
    }
    for (const means of [[[0, 20], [1, 20]], [[0, 300], [2, 100]], [[0, 40], [3, 8]]] as const) {
      expect(covered(means)).toBeGreaterThan(0.925);
      expect(covered(means)).toBeLessThan(0.985);
    }
  });
});
