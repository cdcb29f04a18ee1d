/** Rates by worker name for metrics, where the configuration allows it: at most so many names, asked of the proxy processes now and then. */
import { hashesOf } from '../../accounting/estimate.ts';
import type { World } from '../../config/world.ts';
import type { MachineSnapshot } from './messages.ts';

/** Asking costs a proxy process milliseconds for thousands of machines: not with every scrape. */
const REFRESH_MS = 15_000;

interface WorkerRate {
  readonly site: string;
  readonly worker: string;
  readonly hashesPerSecond: number;
}
export interface WorkerRates {
  readonly rates: readonly WorkerRate[];
  /** Names that are connected and not among them. */
  readonly dropped: number;
}

export class WorkerWatch {
  readonly #max: number;
  readonly #world: Pick<World, 'monoMs'>;
  readonly #ask: () => Promise<readonly MachineSnapshot[] | undefined>;
  #askedMs = -Infinity;
  #last: WorkerRates = { rates: [], dropped: 0 };

  constructor(max: number, world: Pick<World, 'monoMs'>, ask: () => Promise<readonly MachineSnapshot[] | undefined>) {
    this.#max = max;
    this.#world = world;
    this.#ask = ask;
  }

  /** Undefined where no name has a series. A scrape does not wait: it gets what was known before. */
  read(): WorkerRates | undefined {
    if (this.#max === 0) return undefined;
    const nowMs = this.#world.monoMs();
    if (nowMs - this.#askedMs >= REFRESH_MS) {
      this.#askedMs = nowMs;
      void this.#ask().then((machines) => {
        if (machines !== undefined) this.#last = workerRates(machines, this.#max);
      });
    }
    return this.#last;
  }
}

/** In the order of names, so that those who stay have a series without gaps. */
export function workerRates(machines: readonly MachineSnapshot[], max: number): WorkerRates {
  const sums = new Map<string, { site: string; worker: string; hashesPerSecond: number }>();
  for (const { site, worker, windowMs, accepted } of machines) {
    const key = `${worker}\0${site}`;
    const sum = sums.get(key) ?? { site, worker, hashesPerSecond: 0 };
    if (windowMs > 0) sum.hashesPerSecond += Number(hashesOf(accepted)) / (windowMs / 1000);
    sums.set(key, sum);
  }
  const rates = [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, rate]) => rate);
  return { rates: rates.slice(0, max), dropped: Math.max(0, rates.length - max) };
}
