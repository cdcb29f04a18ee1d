/** When the month of a lease began, where it is. */
import { dateAt, midnightMs } from '../../config/calendar.ts';
import { MINUTE_MS } from '../rows.ts';
import type { LeaseTerms } from './terms.ts';

/** First moment of the lease's month, or of its term if that is later. */
export function periodStartMs({ timezone, term }: LeaseTerms['lease'], nowMs: number): number {
  return Math.max(new MonthStarts().of(timezone, nowMs), term.fromMs);
}

/** Zones are slow to ask, hundreds of leases are in one, and a month begins on a whole minute. */
export class MonthStarts {
  #minute = 0;
  readonly #starts = new Map<string, number>();

  of(zone: string, nowMs: number): number {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute) this.#starts.clear();
    this.#minute = minute;
    const start = this.#starts.get(zone) ?? midnightMs(`${dateAt(nowMs, zone).slice(0, 7)}-01`, zone);
    this.#starts.set(zone, start);
    return start;
  }
}
