/** Histograms of how long things take, in plain counters that the metrics exporter can read. */

/** Upper bounds in seconds, ascending, chosen for what is measured; what exceeds them all falls in one more bucket. */
const TIMING_BOUNDS = {
  /** From a fast disk's tenth of a millisecond to one that is dying. */
  fsync: [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5, 10],
  /** A reply waits for a group commit; firmware gives up after seconds. */
  reply: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
  /** From a pool next door to one on the other side of the world that is busy. */
  roundTrip: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10],
  /** Until the last machine has a new block, the others' work is worth nothing. */
  fanout: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2],
  /** How long a process was busy with one thing. */
  loop: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
} as const satisfies Readonly<Record<string, readonly number[]>>;

/** A copy: `counts[i]` fell in (bounds[i-1], bounds[i]]; one more entry than bounds. Not cumulative. */
export interface HistogramSnapshot {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

export class Timing {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sumSeconds = 0;

  constructor(kind: keyof typeof TIMING_BOUNDS) {
    this.#bounds = TIMING_BOUNDS[kind];
    this.#counts = Array.from({ length: this.#bounds.length + 1 }, () => 0);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && seconds > this.#bounds[bucket]!) bucket += 1;
    this.#counts[bucket]! += 1;
    this.#sumSeconds += seconds;
  }

  snapshot(): HistogramSnapshot {
    return { bounds: this.#bounds, counts: [...this.#counts], sumSeconds: this.#sumSeconds };
  }
}
