/**
 * The alarm of a lease: a test of "at least the contracted rate" that may be looked at as often as one likes and still is wrong
 * by chance no more often than its budget. A likelihood ratio against one lower rate that began a day ago is blind for hours
 * after an over-delivery; so one begins at every moment, each with its part of the day's budget, and what they add up to is
 * looked at (the statistic of Shiryaev and Roberts). Its expectation grows by no more than 1 a day while shares come at the
 * contracted rate or faster, so it reaches 1/α no more than α times a day on average, however long it goes on.
 */
import { DAY_MS, MINUTE_MS } from '../rows.ts';

/** Parts of the contracted rate that are tested against, with their parts of the budget: great losses within minutes, small ones within a day. */
const RATES: readonly (readonly [part: number, weight: number])[] = [
  [0.25, 0.08], [0.5, 0.14], [0.7, 0.1], [0.8, 0.1], [0.86, 0.14], [0.9, 0.2], [0.93, 0.1], [0.96, 0.08], [0.98, 0.06],
];
/** No stretch, however silent, says more than this, which is an alarm in any case; floats end not much later. */
const FACTOR_MAX = 1e200;

export interface Alarm {
  /** Since then shares are missing: the most likely moment. */
  readonly sinceMs: number;
  readonly count: number;
  readonly expected: number;
}

/** Tests against one rate. */
interface Against {
  readonly part: number;
  readonly log: number;
  readonly weight: number;
  /** Sum of the likelihood ratios, each with its weight. */
  sum: number;
  /** Logarithm of the largest of them, and since when it counts what. */
  largest: number;
  sinceMs: number;
  count: number;
  expected: number;
}

function beginAt(test: Against, atMs: number): void {
  test.largest = 0;
  test.sinceMs = atMs;
  test.count = 0;
  test.expected = 0;
}

/** The tests that begin on one day. They go on until the next day has ended. */
class Generation {
  readonly day: number;
  readonly #threshold: number;
  readonly #tests: Against[];

  constructor(day: number, budget: number) {
    this.day = day;
    this.#threshold = 1 / budget;
    this.#tests = RATES.map(([part, weight]) => ({ part, log: Math.log(part), weight, sum: 0, largest: 0, sinceMs: 0, count: 0, expected: 0 }));
  }

  observe(fromMs: number, toMs: number, count: number, expected: number): Alarm | undefined {
    const begins = Math.floor(fromMs / DAY_MS) === this.day ? (toMs - fromMs) / DAY_MS : 0;
    let total = 0;
    for (const test of this.#tests) {
      const log = count * test.log + expected * (1 - test.part);
      test.sum = (test.sum + begins * test.weight) * Math.min(FACTOR_MAX, Math.exp(log));
      if (test.largest <= 0) beginAt(test, fromMs);
      test.largest += log;
      test.count += count;
      test.expected += expected;
      total += test.sum;
    }
    return total >= this.#threshold ? this.#found() : undefined;
  }

  /** What was found is not found again: what begins from here on must show it anew. */
  #found(): Alarm {
    const { sinceMs, count, expected } = this.#tests.reduce((most, test) => (test.sum > most.sum ? test : most));
    for (const test of this.#tests) {
      test.sum = 0;
      test.largest = 0;
    }
    return { sinceMs, count, expected };
  }
}

/** Nothing that is older has a say in what the alarm finds: the days whose tests are alive, today's and yesterday's. */
export const ALARM_DAYS = 2;

/** One lease's alarm. Time and shares come from outside; it never looks at a clock. */
export class ShortfallAlarm {
  readonly #budget: number;
  #generations: readonly Generation[] = [];

  /** @param budget α: false alarms a day, of this lease; the leases of a fleet share the fleet's. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /**
   * Counts a stretch of time of a minute or less: shares found of one difficulty that was fixed before, and how many were to
   * be expected of the contracted rate while it was observed. Returns an alarm when the tests now say so.
   */
  observe(fromMs: number, toMs: number, count: number, expected: number): Alarm | undefined {
    const day = Math.floor(fromMs / DAY_MS);
    if (this.#generations.at(-1)?.day !== day) {
      this.#generations = [...this.#generations.filter((generation) => generation.day > day - ALARM_DAYS), new Generation(day, this.#budget)];
    }
    const found = this.#generations.map((generation) => generation.observe(fromMs, toMs, count, expected));
    return found.find((alarm) => alarm !== undefined);
  }

  /** At curtailment and at a change of rate: what was counted says nothing of what is owed from here on. */
  restart(): void {
    this.#generations = [];
  }
}

/**
 * Whether a lease went dark: no share for so long that chance alone would be silent with a probability of e^-18, once in
 * tens of millions of looks. At 20 shares a minute that is 54 s.
 */
const DARK_EXPECTED = 18;
export function isDark(silentMs: number, sharesPerMinute: number): boolean {
  return (silentMs / MINUTE_MS) * sharesPerMinute >= DARK_EXPECTED;
}
