/**
 * Time, from pulses: what a process observed of each minute, and how long each bound name was connected, by the
 * monotonic clock. Whole minutes are flushed at the pulse that passes their end, so a flush never depends on batches.
 */
import type { PulseFact } from '../proxy/session/facts.ts';
import type { BindContext } from './context.ts';
import { HOUR_MS, MINUTE_MS, type ObservedMinuteRow } from './rows.ts';

/** A session that ends between two pulses gets the time since the last one, but no more than this. */
const PARTIAL_MAX_MS = 2_000;

interface Running {
  /** The observed clock when this name's unflushed time began. */
  sinceMs: number;
  /** Wall clock of the bind until the first pulse after it. */
  freshAtMs: number | undefined;
}

/** Time that one name was connected in one hour under the same leases. */
export interface ConnectedCell {
  readonly hour: number;
  readonly leases: string;
  ms: number;
}

export class ConnectedClock {
  readonly #process: string;
  readonly #startMs: number;
  readonly #leasesOf: (bind: BindContext, atMs: number) => string;
  readonly #onCell: () => void;
  /** Not yet taken; the latest last, nearly always one. A whole fleet is flushed in one go, so this must be cheap. */
  #cells = new Map<BindContext, ConnectedCell[]>();
  readonly #running = new Map<BindContext, Running>();
  readonly #fresh = new Set<BindContext>();
  /** Milliseconds observed in this segment so far. */
  #clockMs = 0;
  #lastPulseMs: number | undefined;

  /**
   * @param process First 8 hex digits of the process's uuid.
   * @param leasesOf The leases that a bind's time belongs to.
   * @param startMs When the segment was begun, wall clock: time before it belongs to the segment before.
   * @param onCell There is one more cell to `take`.
   */
  constructor(process: string, startMs: number, leasesOf: (bind: BindContext, atMs: number) => string, onCell: () => void) {
    this.#process = process;
    this.#startMs = startMs;
    this.#leasesOf = leasesOf;
    this.#onCell = onCell;
  }

  /** What was counted since the last call. */
  take(): Map<BindContext, ConnectedCell[]> {
    const taken = this.#cells;
    this.#cells = new Map();
    return taken;
  }

  bind(bind: BindContext, atMs: number): void {
    if (this.#running.has(bind)) return;
    this.#running.set(bind, { sinceMs: this.#clockMs, freshAtMs: atMs });
    this.#fresh.add(bind);
  }

  /** `counts`: whether the time is counted here, or was before. */
  pulse(fact: PulseFact, counts: boolean, observed: (row: ObservedMinuteRow) => void): void {
    if (fact.observedMs <= 0) return;
    this.#settleFresh(fact);
    let fromMs = fact.atMs - fact.observedMs;
    while (fromMs < fact.atMs) {
      const minute = Math.floor(fromMs / MINUTE_MS);
      const toMs = Math.min(fact.atMs, (minute + 1) * MINUTE_MS);
      this.#clockMs += toMs - fromMs;
      if (counts) observed({ minute, process: this.#process, observed_ms: toMs - fromMs, first_ms: fromMs, last_ms: toMs });
      if (toMs === (minute + 1) * MINUTE_MS) this.#flushAll(fromMs, counts);
      fromMs = toMs;
    }
    this.#lastPulseMs = fact.atMs;
  }

  /** The name's session ended. */
  unbind(bind: BindContext, atMs: number, counts: boolean): void {
    const running = this.#running.get(bind);
    if (running === undefined) return;
    this.#running.delete(bind);
    this.#fresh.delete(bind);
    const partialFromMs = Math.max(this.#startMs, running.freshAtMs ?? this.#lastPulseMs ?? atMs);
    const partialMs = Math.min(PARTIAL_MAX_MS, Math.max(0, atMs - partialFromMs));
    if (counts) this.#count(bind, atMs, this.#clockMs - running.sinceMs + partialMs);
  }

  /** The segment's end: what is still running goes on in the next segment, from its head. */
  end(): void {
    if (this.#lastPulseMs !== undefined) this.#flushAll(this.#lastPulseMs - 1, true);
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

  #flushAll(atMs: number, counts: boolean): void {
    for (const [bind, running] of this.#running) {
      const ms = this.#clockMs - running.sinceMs;
      if (ms <= 0) continue;
      running.sinceMs = this.#clockMs;
      if (counts) this.#count(bind, atMs, ms);
    }
  }

  #count(bind: BindContext, atMs: number, ms: number): void {
    if (ms <= 0) return;
    const hour = Math.floor(atMs / HOUR_MS);
    const leases = this.#leasesOf(bind, atMs);
    const cells = this.#cells.get(bind);
    const last = cells?.at(-1);
    if (last !== undefined && last.hour === hour && last.leases === leases) {
      last.ms += ms;
      return;
    }
    if (cells === undefined) this.#cells.set(bind, [{ hour, leases, ms }]);
    else cells.push({ hour, leases, ms });
    this.#onCell();
  }
}
