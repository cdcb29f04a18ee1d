/**
 * The alarm of a lease: a test of "at least the contracted rate" that may be looked at after every share and still is wrong
 * by chance no more often than its budget (measurement.md §2.2). A test that began a day ago is blind for hours after an
 * over-delivery, so a fresh one begins every hour and lives a day; and what was honest within the last hour must not hide a
 * fire, so there are short-lived ones that begin every five minutes. They share the day's budget, for great losses are found early with little of it.
 */
import { logGamma, lowerGamma } from '../chi-square.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../rows.ts';

interface Bank {
  readonly everyMs: number;
  /** Tests alive at once. */
  readonly alive: number;
  /** Of the day's budget. */
  readonly part: number;
}
const BANKS: readonly Bank[] = [
  { everyMs: HOUR_MS, alive: 24, part: 0.8 },
  { everyMs: 5 * MINUTE_MS, alive: 12, part: 0.2 },
];

/**
 * Shapes of the mixtures, averaged: the first finds great losses within minutes, the others shortfalls of a tenth and less.
 * About the number of shares after which each is at its best.
 */
const SHAPES = [4, 30, 150] as const;

/**
 * Gamma–Poisson mixture of one shape over rates below the contracted one: aᵃ·Γ(a+c)/(Γ(a)·(a+μ)^(a+c))·e^μ times the mass of
 * its posterior below 1 over that of its prior. Its expectation stays 1 while shares come at the expected rate or faster, so
 * it ever exceeds 1/α with a probability of at most α (Ville). Natural logarithm, without the mass of the posterior.
 */
function logCeiling(shape: Shape, count: number, expected: number): number {
  const { a } = shape;
  return shape.constant + logGamma(a + count) - (a + count) * Math.log(a + expected) + expected;
}

interface Shape {
  readonly a: number;
  readonly constant: number;
}
const MIXTURE: readonly Shape[] = SHAPES.map((a) => ({ a, constant: a * Math.log(a) - logGamma(a) - Math.log(lowerGamma(a, a)) - Math.log(SHAPES.length) }));

/**
 * Whether the average of the mixtures has reached e^threshold.
 *
 * @param count Shares found. @param expected Their number at the contracted rate.
 */
function hasReached(threshold: number, count: number, expected: number): boolean {
  const ceilings = MIXTURE.map((shape) => logCeiling(shape, count, expected));
  const largest = Math.max(...ceilings);
  // The mass of the posterior takes long to compute and is at most 1: most looks end here.
  if (largest + Math.log(SHAPES.length) < threshold) return false;
  const sum = MIXTURE.reduce((total, { a }, index) => total + Math.exp((ceilings[index] ?? 0) - largest) * lowerGamma(a + count, a + expected), 0);
  return largest + Math.log(sum) >= threshold;
}

interface Running {
  readonly startedMs: number;
  count: number;
  expected: number;
  alarmed: boolean;
}

export interface Alarm {
  /** When the test that found it began: since then shares are missing. */
  readonly sinceMs: number;
  readonly count: number;
  readonly expected: number;
}

/** Tests of one period of beginning. All those that begin within a day share the budget. */
class TestBank {
  readonly #bank: Bank;
  readonly #threshold: number;
  #running: Running[] = [];
  #nextMs: number;

  constructor(bank: Bank, dailyBudget: number, startMs: number) {
    this.#bank = bank;
    this.#threshold = Math.log(DAY_MS / bank.everyMs / dailyBudget);
    this.#nextMs = startMs;
  }

  observe(nowMs: number, count: number, expected: number): Alarm | undefined {
    const { everyMs, alive } = this.#bank;
    if (nowMs >= this.#nextMs) {
      this.#running = [...this.#running.slice(-(alive - 1)), { startedMs: nowMs, count: 0, expected: 0, alarmed: false }];
      this.#nextMs = nowMs - ((nowMs - this.#nextMs) % everyMs) + everyMs;
    }
    let found: Alarm | undefined;
    for (const test of this.#running) {
      test.count += count;
      test.expected += expected;
      if (test.alarmed || test.count >= test.expected || !hasReached(this.#threshold, test.count, test.expected)) continue;
      test.alarmed = true;
      found ??= { sinceMs: test.startedMs, count: test.count, expected: test.expected };
    }
    return found;
  }
}

/** One lease's alarm. Time and shares come from outside; it never looks at a clock. */
export class ShortfallAlarm {
  readonly #budget: number;
  #banks: readonly TestBank[] = [];

  /** @param budget α: probability of a false alarm within a day, of this lease; the leases of a fleet share the fleet's. */
  constructor(budget: number, startMs: number) {
    this.#budget = budget;
    this.restart(startMs);
  }

  /**
   * Counts a stretch of time that ends at `nowMs`, no longer than a minute or so: shares found of one fixed difficulty, and
   * how many were to be expected of the contracted rate while it was observed. Returns an alarm when a test now says so.
   */
  observe(nowMs: number, count: number, expected: number): Alarm | undefined {
    const found = this.#banks.map((bank) => bank.observe(nowMs, count, expected));
    return found.find((alarm) => alarm !== undefined);
  }

  /** At curtailment and at a change of rate or difficulty: what was counted says nothing of what is owed from here on. */
  restart(nowMs: number): void {
    this.#banks = BANKS.map((bank) => new TestBank(bank, this.#budget * bank.part, nowMs));
  }
}

/**
 * Whether a lease went dark: no share for so long that chance alone would be silent with a probability of e^-18, once in
 * tens of millions of looks. At 20 shares a minute that is 54 s.
 */
const DARK_EXPECTED = 18;
export function isDark(silentMs: number, sharesPerMinute: number): boolean {
  return (silentMs / 60_000) * sharesPerMinute >= DARK_EXPECTED;
}
