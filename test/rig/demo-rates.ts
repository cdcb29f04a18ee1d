/** Hash rates of the last minute from the ledger's own totals: what was folded at two moments, and the time between them. */
import { estimate, type Estimate } from '../../accounting/estimate.ts';
import type { DeliveredTotal } from '../../proxy/net/messages.ts';

const WINDOW_MS = 60_000;

interface Sample {
  readonly atMs: number;
  readonly delivered: readonly DeliveredTotal[];
}

export class RateWindow {
  #samples: Sample[] = [];

  /** `atMs`: monotonic. `delivered`: the accountant's all-time totals at that moment. */
  add(atMs: number, delivered: readonly DeliveredTotal[]): void {
    this.#samples.push({ atMs, delivered });
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? atMs) <= atMs - WINDOW_MS) this.#samples.shift();
  }

  /** The window as it stands: at most a minute, and from the first sample. */
  get span(): { readonly fromMs: number; readonly toMs: number } {
    return { fromMs: this.#samples[0]?.atMs ?? 0, toMs: this.#samples.at(-1)?.atMs ?? 0 };
  }

  /** Rate and its 95 % interval over the totals that `belongs` picks. */
  rate(belongs: (total: DeliveredTotal) => boolean): Estimate {
    const counts = new Map<number, number>();
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    for (const { exponent, count, verdict } of (last?.delivered ?? []).filter(belongs)) {
      if (verdict === 'accepted') counts.set(exponent, (counts.get(exponent) ?? 0) + count);
    }
    for (const { exponent, count, verdict } of (first?.delivered ?? []).filter(belongs)) {
      if (verdict === 'accepted') counts.set(exponent, (counts.get(exponent) ?? 0) - count);
    }
    return estimate(counts, this.span.toMs - this.span.fromMs);
  }
}
