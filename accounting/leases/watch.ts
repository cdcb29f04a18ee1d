/**
 * The leases of a running instance, followed as their work is committed: delivered rate over several windows, the alarm that
 * does not punish luck, and the state that comes of both. It decides nothing that is billed.
 */
import { dateAt, midnightMs } from '../../config/calendar.ts';
import type { InventoryRow } from '../../config/inventory.ts';
import { leaseIds } from '../../proxy/session/leases.ts';
import { leaseCeiling } from '../../proxy/session/lease-terms.ts';
import { estimate } from '../estimate.ts';
import { HOUR_MS, MINUTE_MS, type Deltas, type DeliveredMinuteRow, type ObservedMinuteRow } from '../rows.ts';
import { isDark, ShortfallAlarm, type Alarm } from './alarm.ts';
import { excusedBy, isUnder } from './draft.ts';
import { msWithin, type Span } from './excused.ts';
import { statedTimes, withTermination, type LeaseEvent } from './history.ts';
import { Observed } from './observed.ts';
import type { LeaseTerms } from './terms.ts';

type LeaseState = 'ok' | 'low' | 'dark' | 'curtailed' | 'over' | 'unmeasured';
type LeaseWindow = '5m' | '1h' | '24h' | 'period';

/** What is known of a lease now. Rates are hashes per second; docs/leases.md describes the states. */
export interface LeaseFigures {
  readonly lease: string;
  readonly state: LeaseState;
  readonly contracted: number;
  /** 0 while curtailed or suspended. */
  readonly owed: number;
  /** By the inventory's plates; undefined without one. */
  readonly installed: number | undefined;
  /** Plates of those machines that are connected. */
  readonly seen: number | undefined;
  readonly lastShareMs: number | undefined;
  /** What the alarm has found: since `sinceMs` only `count` of `expected` shares of its difficulty came. */
  readonly shortfall: Alarm | undefined;
  readonly windows: readonly {
    readonly window: LeaseWindow;
    readonly rate: number;
    readonly low: number;
    readonly high: number | undefined;
    /** Delivered over owed; undefined while nothing was owed. */
    readonly ratio: number | undefined;
  }[];
}

/** Probability of a false alarm within a day, of all leases together. */
const DAILY_BUDGET = 0.01;
/** Minutes whose shares are kept one by one: for the two short windows. The long ones are told to the hour. */
const RECENT_MINUTES = 65;
/** A month of 31 days and the hour that autumn adds. */
export const KEPT_HOURS = 31 * 24 + 1;
/** Nobody observed for so long: nothing can be said. */
const UNMEASURED_MS = 30_000;
/** Machine time is written down once a minute. */
const SEEN_MS = 150_000;
/** Work above contract by less is chance or habit, where the lease does not say how much is paid. */
const OVER_PERCENT = 5;
const HASHES_PER_SHARE = 2 ** 48 / 65_535;

/** One lease: its shares by minute, its alarm, its silence. */
class WatchedLease {
  readonly terms: LeaseTerms;
  readonly #budget: number;
  /** Minute, and hour → exponent → accepted shares. */
  readonly #minutes = new Map<number, Map<number, number>>();
  readonly #hours = new Map<number, Map<number, number>>();
  /** Sums from some hours on, of the hours before `until`. */
  #past = { until: 0, sums: new Map<number, ReadonlyMap<number, number>>() };
  readonly #workers = new Map<string, number>();
  #excused: readonly Span[] = [];
  #toMs: number;
  #alarm: ShortfallAlarm | undefined;
  #found: Alarm | undefined;
  /** k that counts are stated at: the largest in force before each slice of time, anew every hour. */
  #exponent: number;
  #hourLargest: number | undefined;
  #hour = 0;
  #silentMs = 0;
  lastShareMs: number | undefined;

  constructor(terms: LeaseTerms, budget: number) {
    this.terms = terms;
    this.#budget = budget;
    this.#toMs = terms.lease.term.toMs;
    this.#exponent = leaseCeiling(terms.lease);
  }

  told(events: readonly LeaseEvent[]): void {
    const { curtailed, suspended } = excusedBy(this.terms.lease, statedTimes(events));
    this.#excused = [...curtailed, ...suspended];
    this.#toMs = withTermination(this.terms.lease, events).term.toMs;
  }

  isOwed(atMs: number): boolean {
    const { fromMs } = this.terms.lease.term;
    return fromMs <= atMs && atMs < this.#toMs && !this.#excused.some((span) => span.fromMs <= atMs && atMs < span.toMs);
  }

  inTerm(atMs: number): boolean {
    return this.terms.lease.term.fromMs <= atMs && atMs < this.#toMs;
  }

  count({ minute, exponent, n }: Pick<DeliveredMinuteRow, 'minute' | 'exponent' | 'n'>): void {
    bump(this.#minutes, minute, exponent, n, minute - RECENT_MINUTES);
    this.countHour(Math.floor(minute / 60), exponent, n);
  }

  /** Of the time before what is followed minute by minute. */
  countHour(hour: number, exponent: number, n: number): void {
    if (hour < this.#past.until) this.#past = { until: 0, sums: new Map() };
    bump(this.#hours, hour, exponent, n, hour - KEPT_HOURS);
  }

  saw(worker: string, nowMs: number): void {
    this.#workers.set(worker, nowMs);
  }

  seen(nowMs: number): ReadonlySet<string> {
    for (const [worker, atMs] of this.#workers) if (nowMs - atMs > SEEN_MS) this.#workers.delete(worker);
    return new Set(this.#workers.keys());
  }

  /** A stretch of observed time that ends at `atMs`, with what was found in it: looks at alarm and silence. */
  slice(atMs: number, observedMs: number, found: ReadonlyMap<number, number>): void {
    this.#begin(atMs);
    let count = 0;
    let largest = this.#exponent;
    for (const [exponent, n] of found) {
      count += n * 2 ** (exponent - this.#exponent);
      largest = Math.max(largest, exponent);
      this.#hourLargest = Math.max(this.#hourLargest ?? exponent, exponent);
    }
    this.#silentMs = found.size > 0 ? 0 : this.#silentMs + observedMs;
    if (!this.isOwed(atMs)) {
      this.#alarm = undefined;
      this.#found = undefined;
      this.#silentMs = 0;
    } else {
      // What was counted before says nothing of what is owed from here on.
      this.#alarm ??= new ShortfallAlarm(this.#budget, atMs - observedMs);
      const expected = (this.#sharesPerMinute() * observedMs) / MINUTE_MS;
      this.#found = this.#alarm.observe(atMs, count, expected) ?? this.#found;
    }
    this.#exponent = largest;
  }

  /** With the hour, the difficulty that counts are stated at is what it was within the last one. */
  #begin(atMs: number): void {
    const hour = Math.floor(atMs / HOUR_MS);
    if (hour === this.#hour) return;
    if (this.#hourLargest !== undefined) this.#exponent = this.#hourLargest;
    this.#hourLargest = undefined;
    this.#hour = hour;
  }

  /** At the contracted rate and the difficulty in force. */
  #sharesPerMinute(): number {
    return (Number(this.terms.lease.contracted) * 60) / (HASHES_PER_SHARE * 2 ** this.#exponent);
  }

  /** No machine of it has worked here for days: where others publish into the same ledger it is theirs to watch. */
  get isElsewhere(): boolean {
    return this.lastShareMs === undefined && this.#workers.size === 0;
  }

  figures(nowMs: number, observed: Observed, months: MonthStarts, inventory: readonly InventoryRow[] | undefined, shared: boolean): LeaseFigures {
    const contracted = Number(this.terms.lease.contracted);
    const windows = this.#windows(nowMs, observed, Math.max(months.of(this.terms.lease.timezone, nowMs), this.terms.lease.term.fromMs));
    const owed = this.isOwed(nowMs) ? contracted : 0;
    const machines = inventory?.filter((row) => row.fromMs <= nowMs && nowMs < row.toMs && isUnder(this.terms.lease, row));
    const names = this.seen(nowMs);
    const plates = (rows: readonly InventoryRow[] | undefined): number | undefined => rows && Number(rows.reduce((sum, row) => sum + row.nameplateHashes, 0n));
    return {
      lease: this.terms.id, contracted, owed, windows, installed: plates(machines), seen: plates(machines?.filter(({ worker }) => names.has(worker))),
      lastShareMs: this.lastShareMs, shortfall: this.#found, state: shared && this.isElsewhere ? 'unmeasured' : this.#state(nowMs, observed, windows),
    };
  }

  #windows(nowMs: number, observed: Observed, periodMs: number): LeaseFigures['windows'] {
    const end = Math.floor(nowMs / MINUTE_MS) + 1;
    const hour = Math.floor(nowMs / HOUR_MS);
    const starts: readonly [LeaseWindow, number][] = [['5m', end - 5], ['1h', end - 60], ['24h', (hour - 23) * 60], ['period', Math.floor(periodMs / HOUR_MS) * 60]];
    return starts.map(([window, start]) => {
      const short = window === '5m' || window === '1h';
      // Where the clock was set back, there are minutes after the present one. The long windows are told to the hour.
      const stop = short ? end : (hour + 1) * 60;
      const counts = short ? summed(this.#minutes, start, stop) : this.#sinceHour(start / 60, hour);
      counts.set(this.#exponent, counts.get(this.#exponent) ?? 0);
      const exposureMs = observed.between(start, stop);
      const { rate = 0, low = 0, high } = estimate(counts, exposureMs);
      const owedMs = this.#owedMs(start * MINUTE_MS, nowMs);
      // Of the owed time as much as was observed.
      const observedPart = nowMs > start * MINUTE_MS ? Math.min(1, exposureMs / (nowMs - start * MINUTE_MS)) : 0;
      const owed = Number(this.terms.lease.contracted) * (owedMs / 1000) * observedPart;
      return { window, rate, low, high, ratio: owed > 0 ? (rate * exposureMs) / 1000 / owed : undefined };
    });
  }

  /** Of the hours from `start` on. Those before the present one hardly ever change. */
  #sinceHour(start: number, present: number): Map<number, number> {
    if (this.#past.until !== present) this.#past = { until: present, sums: new Map() };
    const past = this.#past.sums.get(start) ?? summed(this.#hours, start, present);
    this.#past.sums.set(start, past);
    const counts = new Map(past);
    for (const [exponent, n] of this.#hours.get(present) ?? NONE) counts.set(exponent, (counts.get(exponent) ?? 0) + n);
    return counts;
  }

  #owedMs(fromMs: number, toMs: number): number {
    const [from, to] = [Math.max(fromMs, this.terms.lease.term.fromMs), Math.min(toMs, this.#toMs)];
    return from >= to ? 0 : to - from - msWithin(this.#excused, from, to);
  }

  #state(nowMs: number, observed: Observed, windows: LeaseFigures['windows']): LeaseState {
    if (nowMs - observed.lastMs > UNMEASURED_MS) return 'unmeasured';
    if (!this.isOwed(nowMs)) return 'curtailed';
    if (isDark(this.#silentMs, this.#sharesPerMinute())) return 'dark';
    const contracted = Number(this.terms.lease.contracted);
    const [, hour, day] = windows;
    // Found short, it stays so until the last hour's measurement reaches the contract again.
    if (this.#found !== undefined && (hour?.high ?? 0) >= contracted && nowMs - this.#found.sinceMs > HOUR_MS) this.#found = undefined;
    if (this.#found !== undefined) return 'low';
    const upTo = Number(this.terms.lease.overDelivery?.upTo ?? OVER_PERCENT);
    // Looked at all the time, an interval of minutes would be above it by chance now and then.
    const dayMs = observed.between((Math.floor(nowMs / HOUR_MS) - 23) * 60, Math.floor(nowMs / MINUTE_MS) + 1);
    return dayMs >= HOUR_MS && (day?.low ?? 0) > contracted * (1 + upTo / 100) ? 'over' : 'ok';
  }
}

/** First moment of the lease's month, or of its term if that is later. */
export function periodStartMs({ timezone, term }: LeaseTerms['lease'], nowMs: number): number {
  return Math.max(new MonthStarts().of(timezone, nowMs), term.fromMs);
}

/** Zones are slow to ask, hundreds of leases are in one, and a month begins on a whole minute. */
class MonthStarts {
  #minute = 0;
  readonly #starts = new Map<string, number>();

  of(zone: string, nowMs: number): number {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute) this.#starts.clear();
    this.#minute = minute;
    const start = this.#starts.get(zone) ?? midnightMs(`${dateAt(nowMs, zone).slice(0, 7)}-01`, zone);
    this.#starts.set(zone, start);
    return start;
  }
}

function bump(buckets: Map<number, Map<number, number>>, bucket: number, exponent: number, n: number, oldest: number): void {
  const counts = buckets.get(bucket) ?? new Map<number, number>();
  counts.set(exponent, (counts.get(exponent) ?? 0) + n);
  buckets.set(bucket, counts);
  for (const old of buckets.keys()) {
    if (old >= oldest) break;
    buckets.delete(old);
  }
}

/** Exponent → shares of the buckets [from, to). */
function summed(buckets: ReadonlyMap<number, ReadonlyMap<number, number>>, from: number, to = Number.POSITIVE_INFINITY): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [bucket, found] of buckets) if (bucket >= from && bucket < to) for (const [exponent, n] of found) counts.set(exponent, (counts.get(exponent) ?? 0) + n);
  return counts;
}

/** All leases that are in their term or will be. */
export class LeaseWatch {
  readonly #leases: ReadonlyMap<string, WatchedLease>;
  readonly #observed = new Observed(KEPT_HOURS);
  readonly #months = new MonthStarts();
  #inventory: readonly InventoryRow[] | undefined;
  readonly #shared: boolean;
  #events: readonly LeaseEvent[] = [];

  /** @param shared Other hosts may have machines of these leases. */
  constructor(leases: readonly LeaseTerms[], inventory: readonly InventoryRow[] | undefined, shared = false) {
    const budget = DAILY_BUDGET / Math.max(1, leases.length);
    this.#leases = new Map(leases.map((terms) => [terms.id, new WatchedLease(terms, budget)]));
    this.#inventory = inventory;
    this.#shared = shared;
  }

  /** The inventory is another one now. */
  installed(rows: readonly InventoryRow[]): void {
    this.#inventory = rows;
  }

  /** What was stated so far, of all leases. */
  told(events: readonly LeaseEvent[]): void {
    this.#events = events;
    for (const [id, lease] of this.#leases) lease.told(events.filter((event) => event.lease === id));
  }

  /**
   * What the ledger has of the time before `committed` goes on: shares by hour, and what was observed.
   *
   * @param shares Accepted shares of an hour with the leases they belong to.
   */
  begin(shares: Iterable<{ readonly hour: number; readonly leases: string; readonly exponent: number; readonly n: number }>, observed: Iterable<ObservedMinuteRow>): void {
    for (const { hour, leases, exponent, n } of shares) for (const lease of this.#of(leases)) lease.countHour(hour, exponent, n);
    this.#observed.add(observed);
  }

  /** What was committed, or what the ledger has of the last hours. The alarm looks at it minute by minute. */
  committed(deltas: Pick<Deltas, 'delivered_minute' | 'observed_minute' | 'worker_hour' | 'worker_connected'> & Partial<Pick<Deltas, 'lease_event'>>, nowMs: number): void {
    if ((deltas.lease_event?.size ?? 0) > 0) this.told([...this.#events, ...(deltas.lease_event?.values() ?? [])]);
    const found = this.#shares(deltas.delivered_minute.values());
    const grown = this.#observed.add(deltas.observed_minute.values());
    for (const minute of [...new Set([...found.keys(), ...grown.keys()])].toSorted((a, b) => a - b)) {
      const ends = [...deltas.observed_minute.values()].filter((row) => row.minute === minute).map(({ last_ms }) => last_ms);
      const atMs = ends.length === 0 ? minute * MINUTE_MS : Math.max(...ends);
      for (const [id, lease] of this.#leases) lease.slice(atMs, grown.get(minute) ?? 0, found.get(minute)?.get(id) ?? NONE);
    }
    for (const { leases, verdict, last_ms } of deltas.worker_hour.values()) if (verdict === 'accepted') this.lastShare(leases, last_ms);
    for (const { leases, worker } of deltas.worker_connected.values()) for (const lease of this.#of(leases)) lease.saw(worker, nowMs);
  }

  /** An accepted share under a set of leases came then. */
  lastShare(leases: string, lastMs: number): void {
    for (const lease of this.#of(leases)) lease.lastShareMs = Math.max(lease.lastShareMs ?? 0, lastMs);
  }

  /** Of those whose term has begun and not ended. */
  figures(nowMs: number): LeaseFigures[] {
    return [...this.#leases.values()].filter((lease) => lease.inTerm(nowMs)).map((lease) => lease.figures(nowMs, this.#observed, this.#months, this.#inventory, this.#shared));
  }

  #of(leases: string): WatchedLease[] {
    return leases === '' ? [] : leaseIds(leases).flatMap((id) => this.#leases.get(id) ?? []);
  }

  /** Minute → lease → exponent → shares, counted on the way. */
  #shares(rows: Iterable<DeliveredMinuteRow>): Map<number, Map<string, Map<number, number>>> {
    const found = new Map<number, Map<string, Map<number, number>>>();
    for (const row of rows) {
      if (row.verdict !== 'accepted') continue;
      for (const lease of this.#of(row.leases)) {
        lease.count(row);
        const byLease = found.get(row.minute) ?? new Map<string, Map<number, number>>();
        found.set(row.minute, byLease);
        const counts = byLease.get(lease.terms.id) ?? new Map<number, number>();
        byLease.set(lease.terms.id, counts);
        counts.set(row.exponent, (counts.get(row.exponent) ?? 0) + row.n);
      }
    }
    return found;
  }
}

const NONE: ReadonlyMap<number, number> = new Map();
