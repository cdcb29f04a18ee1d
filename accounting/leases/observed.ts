/** How long this host observed, minute by minute: the basis of every rate of a lease, and of how many shares were to be expected. */
import { exposures } from '../exposure.ts';
import { MINUTE_MS, type ObservedMinuteRow } from '../rows.ts';
import { KEPT_MINUTES } from './minutes.ts';

/** Minutes kept by process. */
const OPEN_MINUTES = 10;
/** What is older than the minutes kept one by one is known to the hour: of a month of 31 days and the hour that autumn adds. */
export const KEPT_HOURS = 31 * 24 + 1;
/** Sums remembered: a few for each lease. */
const SUMS_MAX = 10_000;

export class Observed {
  readonly #open = new Map<number, Map<string, ObservedMinuteRow>>();
  readonly #byMinute = new Map<number, number>();
  readonly #byHour = new Map<number, number>();
  #lastMs = 0;
  /** Asked for by every lease, and the same for most, until more is observed. */
  readonly #sums = new Map<string, number>();

  /** Wall clock of the latest observation. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Adds rows of some minutes; returns the first of them whose exposure has grown. */
  add(rows: Iterable<ObservedMinuteRow>): number | undefined {
    this.#sums.clear();
    const touched = new Set<number>();
    for (const row of rows) {
      const processes = this.#open.get(row.minute) ?? new Map<string, ObservedMinuteRow>();
      this.#open.set(row.minute, processes);
      const known = processes.get(row.process);
      processes.set(row.process, known === undefined ? { ...row } : joined(known, row));
      touched.add(row.minute);
      this.#lastMs = Math.max(this.#lastMs, row.last_ms);
    }
    let first: number | undefined;
    for (const minute of [...touched].toSorted((a, b) => a - b)) {
      const ms = exposures([...(this.#open.get(minute)?.values() ?? [])], 1).get(minute) ?? 0;
      const more = Math.max(0, ms - (this.#byMinute.get(minute) ?? 0));
      const hour = Math.floor(minute / 60);
      this.#byMinute.set(minute, (this.#byMinute.get(minute) ?? 0) + more);
      this.#byHour.set(hour, (this.#byHour.get(hour) ?? 0) + more);
      if (more > 0) first ??= minute;
    }
    this.#forget();
    return first;
  }

  /** Milliseconds observed in the minutes [from, to): of the last days, or of whole hours. */
  between(from: number, to: number): number {
    const key = `${from} ${to}`;
    if (this.#sums.size >= SUMS_MAX) this.#sums.clear();
    const ms = this.#sums.get(key) ?? this.#sum(from, to);
    this.#sums.set(key, ms);
    return ms;
  }

  /** Milliseconds observed in a minute of the last days. */
  minute(minute: number): number {
    return this.#byMinute.get(minute) ?? 0;
  }

  #sum(from: number, to: number): number {
    let ms = 0;
    for (let minute = from; minute < to; ) {
      const wholeHour = minute % 60 === 0 && minute + 60 <= to;
      ms += (wholeHour ? this.#byHour.get(minute / 60) : this.#byMinute.get(minute)) ?? 0;
      minute += wholeHour ? 60 : 1;
    }
    return ms;
  }

  /** Milliseconds observed from a moment on. */
  since(fromMs: number): number {
    const minute = Math.floor(fromMs / MINUTE_MS);
    const end = Math.floor(this.#lastMs / MINUTE_MS) + 1;
    return this.#rest(minute, fromMs) + this.between(Math.max(minute + 1, end - 60 * KEPT_HOURS), end);
  }

  /** Of the minute in which a moment lies, what was observed after it. */
  #rest(minute: number, fromMs: number): number {
    const rows = this.#open.get(minute);
    if (rows === undefined) return Math.min(this.#byMinute.get(minute) ?? 0, (minute + 1) * MINUTE_MS - fromMs);
    const after = [...rows.values()].filter(({ last_ms }) => last_ms > fromMs).map((row): ObservedMinuteRow => {
      const firstMs = Math.max(row.first_ms, fromMs);
      return { ...row, first_ms: firstMs, observed_ms: Math.min(row.observed_ms, row.last_ms - firstMs) };
    });
    return exposures(after, 1).get(minute) ?? 0;
  }

  #forget(): void {
    const last = Math.floor(this.#lastMs / MINUTE_MS);
    for (const minute of this.#open.keys()) if (minute < last - OPEN_MINUTES) this.#open.delete(minute);
    forgetBelow(this.#byMinute, last - KEPT_MINUTES);
    forgetBelow(this.#byHour, Math.floor(last / 60) - KEPT_HOURS);
  }
}

/** Keys are in order of time. */
function forgetBelow(kept: Map<number, number>, oldest: number): void {
  for (const key of kept.keys()) {
    if (key >= oldest) break;
    kept.delete(key);
  }
}

function joined(a: ObservedMinuteRow, b: ObservedMinuteRow): ObservedMinuteRow {
  return { ...a, observed_ms: a.observed_ms + b.observed_ms, first_ms: Math.min(a.first_ms, b.first_ms), last_ms: Math.max(a.last_ms, b.last_ms) };
}
