/**
 * What another host says of the leases it has machines of: who is silent there, what its proxy processes observed and which
 * shares they accepted, minute by minute. What it has said of a minute stays; what it has not said yet is not known.
 */
import { MINUTE_MS } from '../rows.ts';
import { KEPT_MINUTES, MinuteCounts, type Counts } from './minutes.ts';

/** How a host stands. */
export interface Standing {
  readonly name: string;
  /** It knows and has said everything of before; moments are wall clock. */
  readonly atMs: number;
  readonly toMinute: number;
  /** Lease → its last share there, and for how long the host has observed since. */
  readonly leases: Readonly<Record<string, { readonly lastMs: number; readonly silentMs: number }>>;
}

/** What a host counted in the minutes of an hour that are over. */
export interface HourStanding {
  /** Minute → milliseconds observed. */
  readonly observed: readonly (readonly [minute: number, ms: number])[];
  /** Lease → accepted shares. */
  readonly leases: Readonly<Record<string, readonly (readonly [minute: number, exponent: number, n: number])[]>>;
}

const NONE: Counts = new Map();

export class OtherHost {
  standing: Standing;
  readonly #observed = new Map<number, number>();
  readonly #counts = new Map<string, MinuteCounts>();
  /** Everything before it is known. */
  #toMinute = 0;

  constructor(standing: Standing) {
    this.standing = standing;
  }

  get toMinute(): number {
    return this.#toMinute;
  }

  /** Takes the minutes before `toMinute` that are not known yet. */
  take(hours: Iterable<HourStanding>, toMinute: number): void {
    const isNew = (minute: number): boolean => minute >= this.#toMinute && minute < toMinute;
    for (const { observed, leases } of hours) {
      for (const [minute, ms] of observed) if (isNew(minute)) this.#observed.set(minute, ms);
      for (const [lease, rows] of Object.entries(leases)) {
        const counts = this.#counts.get(lease) ?? new MinuteCounts();
        this.#counts.set(lease, counts);
        for (const [minute, exponent, n] of rows) if (isNew(minute)) counts.add(minute, exponent, n);
      }
    }
    this.#toMinute = Math.max(this.#toMinute, toMinute);
    for (const minute of this.#observed.keys()) if (minute < toMinute - KEPT_MINUTES) this.#observed.delete(minute);
  }

  /** Whether a lease has had a share there since. */
  has(lease: string, sinceMs: number): boolean {
    return (this.standing.leases[lease]?.lastMs ?? -Infinity) >= sinceMs;
  }

  observedMs(minute: number): number {
    return Math.min(MINUTE_MS, this.#observed.get(minute) ?? 0);
  }

  counts(lease: string, from: number, to: number): Counts {
    return this.#counts.get(lease)?.sum(from, to) ?? NONE;
  }
}
