/** A histogram of how long commits take, in plain counters that the metrics exporter can read. */

/** Upper bounds in seconds; the last bucket is what exceeds them all. */
const TIMING_BOUNDS_SECONDS = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5, 10] as const;

/** A copy: `counts[i]` fell in (bounds[i-1], bounds[i]]; one more entry than bounds. Not cumulative. */
export interface TimingSnapshot {
  readonly boundsSeconds: readonly number[];
  readonly counts: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

export class Timing {
  private readonly counts: number[] = Array.from({ length: TIMING_BOUNDS_SECONDS.length + 1 }, () => 0);
  private count = 0;
  private sumSeconds = 0;

  observe(seconds: number): void {
    const index = TIMING_BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
    const bucket = index < 0 ? TIMING_BOUNDS_SECONDS.length : index;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.count += 1;
    this.sumSeconds += seconds;
  }

  snapshot(): TimingSnapshot {
    return { boundsSeconds: TIMING_BOUNDS_SECONDS, counts: [...this.counts], count: this.count, sumSeconds: this.sumSeconds };
  }
}
