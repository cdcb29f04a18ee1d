/** Totals of the proxy process's counters that do not go backwards when the process is replaced. */
import { COUNTERS, type CounterName } from '../session/sink.ts';
import type { HistogramSnapshot, ProxySnapshot } from './messages.ts';

export interface Totals {
  readonly counters: Readonly<Record<CounterName, number>>;
  readonly closes: Readonly<Record<string, number>>;
  /** Undefined before the first snapshot. */
  readonly fsync: HistogramSnapshot | undefined;
  readonly replies: HistogramSnapshot | undefined;
}

/** Adds what ended processes had reached to what the present one reports. At most the last second of a killed process is lost. */
export class CounterTotals {
  #ended: Totals = { counters: zeroCounters(), closes: {}, fsync: undefined, replies: undefined };
  #current: ProxySnapshot | undefined;

  observe(snapshot: ProxySnapshot): void {
    if (this.#current !== undefined && this.#current.process !== snapshot.process) this.#ended = this.totals();
    this.#current = snapshot;
  }

  totals(): Totals {
    const now = this.#current;
    if (now === undefined) return this.#ended;
    return {
      counters: addCounters(this.#ended.counters, now.counters),
      closes: addRecords(this.#ended.closes, now.closes),
      fsync: addHistograms(this.#ended.fsync, now.fsync),
      replies: addHistograms(this.#ended.replies, now.replies),
    };
  }
}

function zeroCounters(): Record<CounterName, number> {
  return mapCounters(() => 0);
}

function mapCounters(value: (name: CounterName) => number): Record<CounterName, number> {
  // Every name of the closed list gets a value, which fromEntries cannot express.
  return Object.fromEntries(COUNTERS.map((name) => [name, value(name)])) as Record<CounterName, number>;
}

function addCounters(a: Readonly<Record<CounterName, number>>, b: Readonly<Record<CounterName, number>>): Record<CounterName, number> {
  // A process of another version may not know every name.
  return mapCounters((name) => a[name] + (b[name] ?? 0));
}

function addRecords(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sum: Record<string, number> = { ...a };
  for (const [key, value] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + value;
  return sum;
}

/** Buckets can only be added when their bounds agree; after a change of bounds the newer process counts alone. */
function addHistograms(a: HistogramSnapshot | undefined, b: HistogramSnapshot): HistogramSnapshot {
  if (a === undefined || a.bounds.length !== b.bounds.length || a.bounds.some((bound, i) => bound !== b.bounds[i])) return b;
  return {
    bounds: b.bounds,
    counts: b.counts.map((count, i) => count + (a.counts[i] ?? 0)),
    sumSeconds: a.sumSeconds + b.sumSeconds,
  };
}
