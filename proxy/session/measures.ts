/** How long pools and jobs take, for the metrics. Nothing is decided by it. */
import { Timing, type HistogramSnapshot } from '../../config/timing.ts';

export class Measures {
  readonly #roundTrips = new Map<string, Timing>();
  readonly #fanout = new Timing('fanout');
  #broadcastMono: number | undefined;

  /** A pool has answered a share. */
  answered(pool: string, afterMs: number): void {
    let timing = this.#roundTrips.get(pool);
    if (timing === undefined) {
      timing = new Timing('roundTrip');
      this.#roundTrips.set(pool, timing);
    }
    timing.observe(afterMs / 1000);
  }

  /** A job goes to all sessions of a link, in an event that began at `monoMs`. */
  broadcast(monoMs: number): void {
    this.#broadcastMono ??= monoMs;
  }

  /** What the event caused has been written to the last session. */
  written(monoMs: () => number): void {
    if (this.#broadcastMono === undefined) return;
    this.#fanout.observe((monoMs() - this.#broadcastMono) / 1000);
    this.#broadcastMono = undefined;
  }

  snapshot(): { readonly roundTrips: Readonly<Record<string, HistogramSnapshot>>; readonly fanout: HistogramSnapshot } {
    const roundTrips = Object.fromEntries([...this.#roundTrips].map(([pool, timing]) => [pool, timing.snapshot()]));
    return { roundTrips, fanout: this.#fanout.snapshot() };
  }
}
