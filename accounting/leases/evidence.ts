/**
 * What a lease's alarm has found, as a function of the ledger's minutes alone: fed in order of time from the beginning of the
 * day before yesterday or of any earlier day, it comes to the same findings at the same minutes. So a restart loses nothing.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../rows.ts';
import { ALARM_DAYS, ShortfallAlarm, type Alarm } from './alarm.ts';
import type { Counts } from './minutes.ts';

/** A finding that no test repeats lapses: what would still be true is found anew. */
const LAPSE_MS = DAY_MS;

/** A minute of a lease. */
export interface LeaseMinute {
  readonly minute: number;
  readonly counts: Counts;
  readonly observedMs: number;
  /** In all of it. */
  readonly owed: boolean;
  /** k of the hour: largest in the last hour before it that had shares. */
  readonly exponent: number;
}

/** First minute that has a say in what is found at a moment. */
export function firstMinute(nowMs: number): number {
  return ((Math.floor(nowMs / DAY_MS) - ALARM_DAYS) * DAY_MS) / MINUTE_MS;
}

export class Evidence {
  readonly #alarm: ShortfallAlarm;
  readonly #sharesPerMinute: (exponent: number) => number;
  #found: { readonly alarm: Alarm; readonly atMs: number } | undefined;
  /** Largest k since the hour began. */
  #exponent = -Infinity;

  /** @param sharesPerMinute At the contracted rate and an exponent. */
  constructor(budget: number, sharesPerMinute: (exponent: number) => number) {
    this.#alarm = new ShortfallAlarm(budget);
    this.#sharesPerMinute = sharesPerMinute;
  }

  get found(): Alarm | undefined {
    return this.#found?.alarm;
  }

  /** @param isWhole Whether by the last hour's measurement the contract is reached; asked where something was found. */
  take({ minute, counts, observedMs, owed, exponent }: LeaseMinute, isWhole: () => boolean): void {
    const fromMs = minute * MINUTE_MS;
    const toMs = fromMs + MINUTE_MS;
    this.#exponent = Math.max(fromMs % HOUR_MS === 0 ? -Infinity : this.#exponent, exponent, ...counts.keys());
    if (!owed) {
      this.#alarm.restart();
      this.#found = undefined;
      return;
    }
    let count = 0;
    // Of less difficulty than was in force, a share counts as the part of one that it is worth.
    for (const [k, n] of counts) count += n * 2 ** (k - this.#exponent);
    const expected = (this.#sharesPerMinute(this.#exponent) * observedMs) / MINUTE_MS;
    const alarm = this.#alarm.observe(fromMs, toMs, count, expected);
    if (alarm !== undefined) this.#found = { alarm, atMs: toMs };
    else if (this.#found !== undefined && this.#isOver(this.#found, toMs, isWhole)) this.#found = undefined;
  }

  #isOver({ alarm, atMs }: { readonly alarm: Alarm; readonly atMs: number }, nowMs: number, isWhole: () => boolean): boolean {
    return nowMs - atMs >= LAPSE_MS || (nowMs - alarm.sinceMs > HOUR_MS && isWhole());
  }
}
