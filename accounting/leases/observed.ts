/** How long this host observed, minute by minute: the basis of every rate of a lease, and of how many shares were to be expected. */
import { exposures } from '../exposure.ts';
import { MINUTE_MS, type ObservedMinuteRow } from '../rows.ts';

/** Minutes kept by process. */
const OPEN_MINUTES = 10;
/** Minutes kept one by one; what is older is known to the hour. */
const RECENT_MINUTES = 180;
/** Sums remembered: a few for each lease. */
const SUMS_MAX = 10_000;

export class Observed {
  readonly #open = new Map<number, Map<string, ObservedMinuteRow>>();
  readonly #byMinute = new Map<number, number>();
  readonly #keptHours: number;
  readonly #byHour = new Map<number, number>();
  #lastMs = 0;
  /** Asked for by every lease, and the same for most, until more is observed. */
  readonly #sums = new Map<string, number>();

  /** @param keptHours How far back `between` can tell. */
  constructor(keptHours: number) {
    this.#keptHours = keptHours;
  }

  /** Wall clock of the latest observation. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Adds rows of some minutes; returns for each of them by how many milliseconds its exposure has grown, in order of time. */
  add(rows: Iterable<ObservedMinuteRow>): Map<number, number> {
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
    const grown = new Map<number, number>();
    for (const minute of [...touched].toSorted((a, b) => a - b)) {
      const ms = exposures([...(this.#open.get(minute)?.values() ?? [])], 1).get(minute) ?? 0;
      const more = Math.max(0, ms - (this.#byMinute.get(minute) ?? 0));
      const hour = Math.floor(minute / 60);
      grown.set(minute, more);
      this.#byMinute.set(minute, (this.#byMinute.get(minute) ?? 0) + more);
      this.#byHour.set(hour, (this.#byHour.get(hour) ?? 0) + more);
    }
    this.#forget();
    return grown;
  }

  /** Milliseconds observed in the minutes [from, to): of the last three hours, or of whole hours. */
  between(from: number, to: number): number {
    const key = `${from} ${to}`;
    if (this.#sums.size >= SUMS_MAX) this.#sums.clear();
    const ms = this.#sums.get(key) ?? this.#sum(from, to);
    this.#sums.set(key, ms);
    return ms;
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

  #forget(): void {
    const last = Math.floor(this.#lastMs / MINUTE_MS);
    for (const minute of this.#open.keys()) if (minute < last - OPEN_MINUTES) this.#open.delete(minute);
    forgetBelow(this.#byMinute, last - RECENT_MINUTES);
    forgetBelow(this.#byHour, Math.floor(last / 60) - this.#keptHours);
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
