/**
 * Time, from pulses: what a process observed of each minute, and how long each bound name was connected, by the
 * monotonic clock. Whole minutes are flushed at the pulse that passes their end, so a flush never depends on batches.
 */
import type { PulseFact } from '../proxy/session/facts.ts';
import type { BindContext } from './context.ts';
import { HOUR_MS, MINUTE_MS, type ObservedMinuteRow, type WorkerConnectedRow } from './rows.ts';

/** A session that ends between two pulses gets the time since the last one, but no more than this. */
const PARTIAL_MAX_MS = 2_000;

interface Running {
  /** The observed clock when this name's unflushed time began. */
  sinceMs: number;
  /** Wall clock of the bind until the first pulse after it. */
  freshAtMs: number | undefined;
}

export class ConnectedClock {
  readonly #process: string;
  readonly #startMs: number;
  readonly #leasesOf: (bind: BindContext, atMs: number) => string;
  readonly #running = new Map<BindContext, Running>();
  readonly #fresh = new Set<BindContext>();
  /** Milliseconds observed in this segment so far. */
  #clockMs = 0;
  #lastPulseMs: number | undefined;

  /**
   * @param process First 8 hex digits of the process's uuid.
   * @param leasesOf The leases that a bind's time belongs to.
   * @param startMs When the segment was begun, wall clock: time before it belongs to the segment before.
   */
  constructor(process: string, startMs: number, leasesOf: (bind: BindContext, atMs: number) => string) {
    this.#process = process;
    this.#startMs = startMs;
    this.#leasesOf = leasesOf;
  }

  bind(bind: BindContext, atMs: number): void {
    if (this.#running.has(bind)) return;
    this.#running.set(bind, { sinceMs: this.#clockMs, freshAtMs: atMs });
    this.#fresh.add(bind);
  }

  pulse(fact: PulseFact, observed: (row: ObservedMinuteRow) => void, connected: (row: WorkerConnectedRow) => void): void {
    if (fact.observedMs <= 0) return;
    this.#settleFresh(fact);
    let fromMs = fact.atMs - fact.observedMs;
    while (fromMs < fact.atMs) {
      const minute = Math.floor(fromMs / MINUTE_MS);
      const toMs = Math.min(fact.atMs, (minute + 1) * MINUTE_MS);
      this.#clockMs += toMs - fromMs;
      observed({ minute, process: this.#process, observed_ms: toMs - fromMs, first_ms: fromMs, last_ms: toMs });
      if (toMs === (minute + 1) * MINUTE_MS) this.#flushAll(fromMs, connected);
      fromMs = toMs;
    }
    this.#lastPulseMs = fact.atMs;
  }

  /** The name's session ended. */
  unbind(bind: BindContext, atMs: number, connected: (row: WorkerConnectedRow) => void): void {
    const running = this.#running.get(bind);
    if (running === undefined) return;
    this.#running.delete(bind);
    this.#fresh.delete(bind);
    const partialFromMs = Math.max(this.#startMs, running.freshAtMs ?? this.#lastPulseMs ?? atMs);
    const partialMs = Math.min(PARTIAL_MAX_MS, Math.max(0, atMs - partialFromMs));
    this.#emit(bind, atMs, this.#clockMs - running.sinceMs + partialMs, connected);
  }

  /** The segment's end: what is still running goes on in the next segment, from its head. */
  end(connected: (row: WorkerConnectedRow) => void): void {
    if (this.#lastPulseMs !== undefined) this.#flushAll(this.#lastPulseMs - 1, connected);
  }

  /** A name bound since the last pulse is not owed the part of this pulse before its bind. */
  #settleFresh(fact: PulseFact): void {
    for (const bind of this.#fresh) {
      const running = this.#running.get(bind);
      if (running?.freshAtMs === undefined) continue;
      const ownMs = Math.min(fact.observedMs, Math.max(0, fact.atMs - running.freshAtMs));
      running.sinceMs += fact.observedMs - ownMs;
      // A head may name binds that the journal itself comes to a little later.
      if (running.freshAtMs > fact.atMs) continue;
      running.freshAtMs = undefined;
      this.#fresh.delete(bind);
    }
  }

  #flushAll(atMs: number, connected: (row: WorkerConnectedRow) => void): void {
    for (const [bind, running] of this.#running) {
      const ms = this.#clockMs - running.sinceMs;
      if (ms <= 0) continue;
      running.sinceMs = this.#clockMs;
      this.#emit(bind, atMs, ms, connected);
    }
  }

  #emit(bind: BindContext, atMs: number, ms: number, connected: (row: WorkerConnectedRow) => void): void {
    if (ms <= 0) return;
    const { site, lessee, worker } = bind;
    connected({ hour: Math.floor(atMs / HOUR_MS), site, lessee, leases: this.#leasesOf(bind, atMs), worker, connected_ms: ms });
  }
}
