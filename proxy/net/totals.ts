/** Sums of what several processes count, one after the other and side by side, that never go back while processes come and go. */
import type { HistogramSnapshot } from '../../config/timing.ts';
import { COUNTERS, type CounterName } from '../session/sink.ts';
import type { AccountantMetrics, ProxySnapshot } from './messages.ts';

/** What only grows within the life of a process. */
export interface Totals {
  readonly counters: Readonly<Record<CounterName, number>>;
  readonly closes: Readonly<Record<string, number>>;
  /** By pool. */
  readonly reconnects: Readonly<Record<string, number>>;
  readonly roundTrips: Readonly<Record<string, HistogramSnapshot>>;
  readonly writtenBytes: number;
  /** Undefined before the first snapshot. */
  readonly fsync: HistogramSnapshot | undefined;
  readonly replies: HistogramSnapshot | undefined;
  readonly fanout: HistogramSnapshot | undefined;
  readonly redis: Readonly<Record<(typeof REDIS_COUNTS)[number], number>> | undefined;
  /** By process: `supervisor`, `accountant`, `proxy`. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  readonly loops: Readonly<Record<string, HistogramSnapshot>>;
  readonly restarts: Readonly<Record<string, number>>;
}

const REDIS_COUNTS = ['publishedRows', 'expiredRows', 'missingFound', 'errors'] as const;
/** Processes of which the last report is remembered: far more than live at once. */
const SOURCES_MAX = 1024;

/** Adds to the sums what each process has counted since it last reported. A killed process takes its last second with it. */
export class CounterTotals {
  #sum: unknown;
  /** Last report by process, the one longest silent first. */
  readonly #last = new Map<string, unknown>();

  /** `before`: sums to go on from, as an earlier supervisor exported them. */
  constructor(before?: unknown) {
    this.#sum = grown(NOTHING, undefined, before);
  }

  /** `process` is the name in metrics; a process that follows another under this name has another `source`. */
  proxy(process: string, snapshot: ProxySnapshot): void {
    const { counters, closes, fsync, replies, journal, measures, vitals } = snapshot;
    const { reconnects, roundTrips, fanout } = measures;
    const { writtenBytes } = journal;
    this.#observe(snapshot.process, { counters, closes, reconnects, roundTrips, writtenBytes, fsync, replies, fanout, ...ofProcess(process, vitals) });
  }

  accountant(snapshot: AccountantMetrics): void {
    const { redis } = snapshot;
    const counts = redis === undefined ? {} : { redis: Object.fromEntries(REDIS_COUNTS.map((name) => [name, redis[name]])) };
    this.#observe(`accountant ${snapshot.pid}`, { ...counts, ...ofProcess('accountant', snapshot.vitals) });
  }

  /** The supervisor itself, and how often it has started each child again. */
  supervisor(vitals: ProxySnapshot['vitals'], restarts: Readonly<Record<string, number>>): void {
    this.#observe('supervisor', { restarts, ...ofProcess('supervisor', vitals) });
  }

  totals(): Totals {
    return this.#sum as Totals; // NOTHING has its shape, and `grown` keeps it.
  }

  #observe(source: string, report: unknown): void {
    this.#sum = grown(this.#sum, this.#last.get(source), report);
    this.#last.delete(source);
    this.#last.set(source, report);
    const [oldest] = this.#last.keys();
    if (this.#last.size > SOURCES_MAX && oldest !== undefined) this.#last.delete(oldest);
  }
}

const NOTHING: Totals = {
  counters: Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<CounterName, number>, // Every name of the closed list.
  closes: {}, reconnects: {}, roundTrips: {}, writtenBytes: 0, fsync: undefined, replies: undefined, fanout: undefined, redis: undefined,
  cpuSeconds: {}, loops: {}, restarts: {},
};

function ofProcess(name: string, { cpuSeconds, loop }: ProxySnapshot['vitals']): Pick<Totals, 'cpuSeconds' | 'loops'> {
  return { cpuSeconds: { [name]: cpuSeconds }, loops: { [name]: loop } };
}

/** `sum` and, number by number, what `now` has above `before`. A number that fell back adds nothing. */
function grown(sum: unknown, before: unknown, now: unknown): unknown {
  if (typeof now === 'number') return numberOf(sum) + Math.max(0, now - numberOf(before));
  if (isHistogram(now)) return grownHistogram(sum, before, now);
  if (!isRecord(now)) return sum;
  const result: Record<string, unknown> = isRecord(sum) ? { ...sum } : {};
  for (const [key, value] of Object.entries(now)) result[key] = grown(result[key], isRecord(before) ? before[key] : undefined, value);
  return result;
}

/** Buckets can only be added when their bounds agree; after a change of bounds the newer process counts alone. */
function grownHistogram(sum: unknown, before: unknown, now: HistogramSnapshot): HistogramSnapshot {
  const [added, known] = [like(sum, now), like(before, now)];
  return {
    bounds: now.bounds,
    counts: now.counts.map((count, i) => numberOf(added?.counts[i]) + Math.max(0, count - numberOf(known?.counts[i]))),
    sumSeconds: numberOf(added?.sumSeconds) + Math.max(0, now.sumSeconds - numberOf(known?.sumSeconds)),
  };
}

function like(other: unknown, { bounds }: HistogramSnapshot): HistogramSnapshot | undefined {
  return isHistogram(other) && other.bounds.length === bounds.length && bounds.every((bound, i) => bound === other.bounds[i]) ? other : undefined;
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isHistogram(value: unknown): value is HistogramSnapshot {
  return isRecord(value) && Array.isArray(value['bounds']) && Array.isArray(value['counts']);
}
