/** A lease's shares minute by minute, of the days that its alarm has a say in. */
import { ALARM_DAYS } from './alarm.ts';

/** Whole days that the alarm's tests may have begun on, the present one, and an hour beside them. */
export const KEPT_MINUTES = (ALARM_DAYS + 1) * 1440 + 60;

/** Exponent → accepted shares. */
export type Counts = ReadonlyMap<number, number>;

/** A ring of minutes. A new minute takes the place of the oldest. */
export class MinuteCounts {
  readonly #byExponent = new Map<number, Uint32Array>();
  /** The minute after the newest. */
  #end = 0;

  /** Minutes that are too old are not kept. */
  add(minute: number, exponent: number, n: number): void {
    if (minute >= this.#end) this.#begin(minute + 1);
    if (minute < this.#end - KEPT_MINUTES) return;
    let counts = this.#byExponent.get(exponent);
    if (counts === undefined) this.#byExponent.set(exponent, (counts = new Uint32Array(KEPT_MINUTES)));
    const at = minute % KEPT_MINUTES;
    counts[at] = (counts[at] ?? 0) + n;
  }

  /** Of the minutes [from, to) that are kept. */
  sum(from: number, to: number): Map<number, number> {
    const sums = new Map<number, number>();
    const first = Math.max(from, this.#end - KEPT_MINUTES);
    for (const [exponent, counts] of this.#byExponent) {
      let sum = 0;
      for (let minute = first; minute < Math.min(to, this.#end); minute += 1) sum += counts[minute % KEPT_MINUTES] ?? 0;
      if (sum > 0) sums.set(exponent, sum);
    }
    return sums;
  }

  #begin(end: number): void {
    for (const counts of this.#byExponent.values()) {
      if (end - this.#end >= KEPT_MINUTES) counts.fill(0);
      else for (let minute = this.#end; minute < end; minute += 1) counts[minute % KEPT_MINUTES] = 0;
    }
    this.#end = end;
  }
}
