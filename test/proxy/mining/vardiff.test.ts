/** Vardiff against simulated machines: Poisson shares from a seed, no clock. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import { Vardiff, type VardiffPolicy } from '../../../proxy/mining/vardiff.ts';

const POLICY: VardiffPolicy = { sharesPerMinute: 6, minExponent: -32, maxExponent: 62 };
const HOUR_MS = 3_600_000;
const TICK_MS = 5_000;
/** At this k a machine of "rate r" finds r shares a minute. */
const HOME = 20;

interface Run {
  readonly changes: { readonly atMs: number; readonly exponent: number }[];
  /** The k of every share. */
  readonly exponents: readonly number[];
  readonly sharesPerMinuteAfter: (fromMs: number) => number;
}

/** One whose machine has work. */
function working(startExponent: number, nowMs = 0): Vardiff {
  const vardiff = new Vardiff(startExponent, nowMs);
  vardiff.told(startExponent, nowMs);
  return vardiff;
}

/** Asked again; the machine has what was asked for at once. */
function retargeted(vardiff: Vardiff, nowMs: number, policy = POLICY): number | undefined {
  const exponent = vardiff.retarget(policy, 62, nowMs);
  if (exponent !== undefined) vardiff.told(exponent, nowMs);
  return exponent;
}

/** A machine of constant hash rate, asked at each share and every 5 s. */
function simulate(seed: number, rate: number, startExponent: number, endMs: number): Run {
  const random = seededRandom(seed);
  const vardiff = working(startExponent);
  const changes: { atMs: number; exponent: number }[] = [];
  const shareTimes: number[] = [];
  const exponents: number[] = [];
  const gapMs = (): number => (-Math.log(1 - random.fraction()) * 60_000) / (rate * 2 ** (HOME - vardiff.exponent));
  let nextShareMs = gapMs();
  let nextTickMs = TICK_MS;
  while (Math.min(nextShareMs, nextTickMs) < endMs) {
    const isShare = nextShareMs < nextTickMs;
    const nowMs = isShare ? nextShareMs : nextTickMs;
    if (isShare) {
      vardiff.share(vardiff.exponent, nowMs);
      shareTimes.push(nowMs);
      exponents.push(vardiff.exponent);
    } else nextTickMs += TICK_MS;
    const exponent = retargeted(vardiff, nowMs);
    if (exponent !== undefined) changes.push({ atMs: nowMs, exponent });
    // Poisson processes have no memory, so the next gap may be drawn afresh whenever the difficulty changes.
    if (isShare || exponent !== undefined) nextShareMs = nowMs + gapMs();
  }
  return {
    changes,
    exponents,
    sharesPerMinuteAfter: (fromMs) => shareTimes.filter((atMs) => atMs >= fromMs).length / ((endMs - fromMs) / 60_000),
  };
}

/** Rates spread evenly (in logarithm) over one power of two, so that every remainder of rounding occurs. */
const RATES = Array.from({ length: 100 }, (_, index) => 6 * 2 ** (index / 100 - 0.5));

function exponentAt(run: Run, startExponent: number, atMs: number): number {
  return run.changes.findLast((change) => change.atMs <= atMs)?.exponent ?? startExponent;
}

describe('Vardiff', () => {
  it.each([
    ['20× too low', -Math.log2(20)],
    ['20× too high', Math.log2(20)],
    ['1000× too low', -Math.log2(1000)],
  ])('converges within 3 minutes from a start %s', (_, offset) => {
    let within2 = 0;
    let within4 = 0;
    for (const [index, rate] of RATES.entries()) {
      const start = HOME + Math.round(offset);
      const run = simulate(1000 + index, rate, start, 200_000);
      const off = Math.abs(Math.log2((rate * 2 ** (HOME - exponentAt(run, start, 180_000))) / 6));
      if (off <= 1) within2++;
      if (off <= 2) within4++;
    }
    expect(within2).toBeGreaterThanOrEqual(85);
    expect(within4).toBeGreaterThanOrEqual(98);
  });

  it('changes less than once an hour in steady state, at 5 to 8 shares a minute on average', () => {
    let changes = 0;
    let rateSum = 0;
    let worst = 0;
    for (const [index, rate] of RATES.entries()) {
      const run = simulate(5000 + index, rate, HOME + (index % 9) - 4, 6 * HOUR_MS);
      const steady = run.changes.filter((change) => change.atMs > 600_000).length;
      changes += steady;
      worst = Math.max(worst, steady);
      rateSum += run.sharesPerMinuteAfter(600_000);
    }
    expect(changes / (RATES.length * 5.83)).toBeLessThan(0.1);
    expect(worst).toBeLessThanOrEqual(5);
    expect(rateSum / RATES.length).toBeGreaterThan(5);
    expect(rateSum / RATES.length).toBeLessThan(8);
  });

  it('does not bias the sum of credits, though it reacts to them', () => {
    const minutes = 10;
    let credits = 0;
    for (let seed = 0; seed < 2000; seed++) {
      const run = simulate(90_000 + seed, 6, HOME + (seed % 7) - 3, minutes * 60_000);
      for (const exponent of run.exponents) credits += 2 ** (exponent - HOME);
    }
    // Relative standard error about 0.6 %.
    expect(credits / (2000 * 6 * minutes)).toBeGreaterThan(0.98);
    expect(credits / (2000 * 6 * minutes)).toBeLessThan(1.02);
  });

  it('follows a machine that loses three quarters of its boards', () => {
    const vardiff = working(HOME);
    const random = seededRandom(3);
    let nowMs = 0;
    const runFor = (untilMs: number, rate: number): void => {
      while (nowMs < untilMs) {
        nowMs += (-Math.log(1 - random.fraction()) * 60_000) / (rate * 2 ** (HOME - vardiff.exponent));
        vardiff.share(vardiff.exponent, nowMs);
        retargeted(vardiff, nowMs);
      }
    };
    runFor(2 * HOUR_MS, 6);
    expect(vardiff.exponent).toBe(HOME);
    runFor(2.5 * HOUR_MS, 1.5);
    expect(vardiff.exponent).toBe(HOME - 2);
  });

  it('goes down in silence, but at most 64-fold below what shares have shown', () => {
    const vardiff = working(HOME);
    for (let nowMs = 0; nowMs <= 600_000; nowMs += 10_000) {
      vardiff.share(HOME, nowMs);
      retargeted(vardiff, nowMs);
    }
    const lows: number[] = [];
    for (let nowMs = 600_000; nowMs <= 24 * HOUR_MS; nowMs += TICK_MS) {
      const exponent = retargeted(vardiff, nowMs);
      if (exponent !== undefined) lows.push(exponent);
    }
    expect(lows.at(-1)).toBe(HOME - 6);
    expect(lows.toSorted((a, b) => b - a)).toEqual(lows);
  });

  it('goes down without end for a machine that never found a share', () => {
    const vardiff = working(16);
    for (let nowMs = 0; nowMs <= HOUR_MS; nowMs += TICK_MS) retargeted(vardiff, nowMs, { ...POLICY, minExponent: -20 });
    expect(vardiff.exponent).toBe(-20);
  });

  it('stays where it is while the machine has no work', () => {
    const vardiff = new Vardiff(16, 0);
    for (let nowMs = 0; nowMs <= HOUR_MS; nowMs += TICK_MS) expect(vardiff.retarget(POLICY, 62, nowMs)).toBeUndefined();
    vardiff.told(16, HOUR_MS);
    expect(vardiff.retarget(POLICY, 62, HOUR_MS + 10_000)).toBeUndefined();
    vardiff.idle(2 * HOUR_MS);
    expect(vardiff.retarget(POLICY, 62, 2 * HOUR_MS + 10_000)).toBeUndefined();
  });

  it.each([[-5], [-3], [-1], [0], [2], [5]])('is not led astray by work that lasts for minutes, when its start is off by 2^%i', (offset) => {
    const start = HOME - offset;
    let low = 0;
    let shares = 0;
    const RUNS = 200;
    const WORK_MS = 180_000;
    for (let seed = 0; seed < RUNS; seed += 1) {
      const random = seededRandom(7000 + seed);
      const vardiff = working(start);
      let inForce = start;
      for (let nowMs = TICK_MS; nowMs <= 4 * WORK_MS; nowMs += TICK_MS) {
        let elapsedMs = 0;
        for (;;) {
          elapsedMs += (-Math.log(1 - random.fraction()) * 60_000) / (6 * 2 ** (HOME - inForce));
          if (elapsedMs > TICK_MS) break;
          vardiff.share(inForce, nowMs);
          if (nowMs > WORK_MS) shares += 1;
        }
        vardiff.retarget({ ...POLICY, minExponent: HOME - 10 }, 62, nowMs);
        if (nowMs % WORK_MS !== 0) continue;
        inForce = vardiff.exponent;
        vardiff.told(inForce, nowMs);
        if (inForce < HOME - 2) low += 1;
      }
    }
    // Were silence counted against the k asked for, some of these would come to a thousandth of what they need.
    expect(low / (4 * RUNS)).toBeLessThan(0.05);
    expect(shares / RUNS / ((3 * WORK_MS) / 60_000)).toBeLessThan(12);
  });

  it('obeys the ceiling and the policy at once', () => {
    const vardiff = working(20);
    expect(vardiff.retarget(POLICY, 13, 1)).toBe(13);
    expect(vardiff.retarget({ ...POLICY, minExponent: 15 }, 18, 2)).toBe(15);
    expect(vardiff.retarget({ ...POLICY, maxExponent: 10 }, 18, 3)).toBe(10);
    // A pool easier than the policy's least: the least wins, and fewer shares can be forwarded than accepted.
    expect(vardiff.retarget({ ...POLICY, minExponent: 12 }, 5, 4)).toBe(12);
    expect(vardiff.retarget({ ...POLICY, minExponent: 12 }, 5, 5)).toBeUndefined();
  });

  it('is not thrown by a clock that steps back or by stragglers from another k', () => {
    const vardiff = working(10, 1_000_000);
    expect(vardiff.retarget(POLICY, 62, 0)).toBeUndefined();
    vardiff.share(30, 1_010_000);
    vardiff.share(2, 1_010_000);
    expect(vardiff.retarget(POLICY, 62, 1_010_000)).toBeUndefined();
  });
});
