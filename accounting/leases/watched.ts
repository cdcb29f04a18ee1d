/** One lease of those that are watched: its shares by minute and hour, its alarm, its silence, and the state that comes of them. */
import type { InventoryRow } from '../../config/inventory.ts';
import { leaseCeiling } from '../../proxy/session/lease-terms.ts';
import { estimate } from '../estimate.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../rows.ts';
import { isDark, type Alarm } from './alarm.ts';
import { excusedBy, isUnder } from './draft.ts';
import type { OtherHost } from './elsewhere.ts';
import { Evidence, firstMinute } from './evidence.ts';
import { msWithin, type Span } from './excused.ts';
import { statedTimes, withTermination, type LeaseEvent } from './history.ts';
import { MinuteCounts, type Counts } from './minutes.ts';
import type { MonthStarts } from './months.ts';
import { KEPT_HOURS, type Observed } from './observed.ts';
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
  /** Names of other hosts with machines of it that have not said for a while how they stand: what they measure is missing here. */
  readonly waitsFor: readonly string[];
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

/** Nobody observed for so long: nothing can be said. */
const UNMEASURED_MS = 30_000;
/** Another host that has not said anything for so long is not waited for. What it should have measured is then not known. */
const LAG_MS = 2 * MINUTE_MS;
/** A host has machines of a lease if it had a share of them in that time. */
const SHARER_MS = DAY_MS;
/** Machine time is written down once a minute. */
const SEEN_MS = 150_000;
/** Work above contract by less is chance or habit, where the lease does not say how much is paid. */
const OVER_PERCENT = 5;
const HASHES_PER_SHARE = 2 ** 48 / 65_535;
const NONE: Counts = new Map();

export class WatchedLease {
  readonly terms: LeaseTerms;
  readonly #budget: number;
  readonly #minutes = new MinuteCounts();
  /** Hour → exponent → accepted shares. */
  readonly #hours = new Map<number, Map<number, number>>();
  /** Sums from some hours on, of the hours before `until`. */
  #past = { until: 0, sums: new Map<number, Counts>() };
  readonly #workers = new Map<string, number>();
  #excused: readonly Span[] = [];
  #toMs: number;
  /** The contracted rate is what it is since then. */
  #rateSinceMs = -Infinity;
  #evidence: Evidence | undefined;
  /** It was fed everything before this minute; and that is no longer what it was fed. */
  #fedMinute = 0;
  #stale = false;
  #base = { hour: 0, exponent: 0 };
  #others: readonly OtherHost[] = [];
  lastShareMs: number | undefined;

  constructor(terms: LeaseTerms, budget: number) {
    this.terms = terms;
    this.#budget = budget;
    this.#toMs = terms.lease.term.toMs;
  }

  told(events: readonly LeaseEvent[]): void {
    const { curtailed, suspended } = excusedBy(this.terms.lease, statedTimes(events));
    this.#excused = [...curtailed, ...suspended];
    this.#toMs = withTermination(this.terms.lease, events).term.toMs;
    this.#stale = true;
  }

  /** Shares of before say nothing of it. */
  rateSince(atMs: number): void {
    this.#rateSinceMs = atMs;
    this.#stale = true;
  }

  isOwed(atMs: number): boolean {
    return this.inTerm(atMs) && !this.#excused.some((span) => span.fromMs <= atMs && atMs < span.toMs);
  }

  inTerm(atMs: number): boolean {
    return this.terms.lease.term.fromMs <= atMs && atMs < this.#toMs;
  }

  count(minute: number, exponent: number, n: number): void {
    this.#minutes.add(minute, exponent, n);
    this.changed(minute);
  }

  countHour(hour: number, exponent: number, n: number): void {
    if (hour < this.#past.until) this.#past = { until: 0, sums: new Map() };
    if (hour < this.#base.hour) this.#base = { hour: 0, exponent: 0 };
    bump(this.#hours, hour, exponent, n, hour - KEPT_HOURS);
  }

  /** Something of a minute has become known. What came too late for the alarm, it hears from the beginning. */
  changed(minute: number): void {
    if (minute < this.#fedMinute) this.#stale = true;
  }

  saw(worker: string, nowMs: number): void {
    this.#workers.set(worker, nowMs);
  }

  seen(nowMs: number): ReadonlySet<string> {
    for (const [worker, atMs] of this.#workers) if (nowMs - atMs > SEEN_MS) this.#workers.delete(worker);
    return new Set(this.#workers.keys());
  }

  /** How other hosts stand that share the ledger. */
  elsewhere(others: readonly OtherHost[]): void {
    this.#others = others;
  }

  /** Other hosts that have machines of it, if any; and whether this one has, or would be the only one to. */
  #sharers(nowMs: number): { readonly others: readonly OtherHost[]; readonly here: boolean } {
    const others = this.#others.filter((host) => host.has(this.terms.id, nowMs - SHARER_MS));
    return { others, here: others.length === 0 || (this.lastShareMs ?? -Infinity) >= nowMs - SHARER_MS };
  }

  /** Everything before a minute is known here: the alarm looks at it once the other hosts have said what they measured, or late. */
  feed(completeMinute: number, observed: Observed): void {
    const { others, here } = this.#sharers(completeMinute * MINUTE_MS);
    const late = completeMinute - LAG_MS / MINUTE_MS;
    // Any host may have had its first share of the lease.
    const waited = this.#others.filter((host) => host.toMinute >= late || others.includes(host));
    const end = Math.min(completeMinute, ...waited.map(({ toMinute }) => Math.max(toMinute, late)));
    if (end <= this.#fedMinute) return;
    if (this.#stale || this.#evidence === undefined) {
      this.#evidence = new Evidence(this.#budget, (exponent) => this.#sharesPerMinute(exponent));
      this.#fedMinute = 0;
      this.#stale = false;
    }
    const evidence = this.#evidence;
    for (let minute = Math.max(this.#fedMinute, firstMinute(end * MINUTE_MS)); minute < end; minute += 1) {
      const exponent = this.#baseExponent(Math.floor(minute / 60), others);
      const isWhole = (): boolean => {
        const [counts, hourMs] = this.#measured(minute - 59, minute + 1, observed, others, here);
        counts.set(exponent, counts.get(exponent) ?? 0);
        const { high = 0 } = estimate(counts, hourMs);
        return high >= Number(this.terms.lease.contracted);
      };
      const [counts, observedMs] = this.#measured(minute, minute + 1, observed, others, here);
      evidence.take({ minute, counts, observedMs, owed: this.#isOwedAll(minute), exponent }, isWhole);
    }
    this.#fedMinute = end;
  }

  /** Shares and time of the minutes [from, to) in which all hosts that have machines of it observed; of the others nothing is known. */
  #measured(from: number, to: number, observed: Observed, others: readonly OtherHost[], here: boolean): [Map<number, number>, number] {
    if (others.length === 0) return [this.#minutes.sum(from, to), to - from === 1 ? observed.minute(from) : observed.between(from, to)];
    const counts = new Map<number, number>();
    let observedMs = 0;
    for (let minute = from; minute < to; minute += 1) {
      const ms = Math.min(here ? observed.minute(minute) : MINUTE_MS, ...others.map((host) => host.observedMs(minute)));
      if (ms === 0) continue;
      observedMs += ms;
      for (const part of [this.#minutes.sum(minute, minute + 1), ...others.map((host) => host.counts(this.terms.id, minute, minute + 1))]) {
        for (const [exponent, n] of part) counts.set(exponent, (counts.get(exponent) ?? 0) + n);
      }
    }
    return [counts, observedMs];
  }

  /** Accepted shares here, for the other hosts. */
  minutes(from: number, to: number): (readonly [minute: number, exponent: number, n: number])[] {
    return Array.from({ length: to - from }, (_, index) => from + index).flatMap((minute) => [...this.#minutes.sum(minute, minute + 1)].map(([exponent, n]) => [minute, exponent, n] as const));
  }

  #isOwedAll(minute: number): boolean {
    const [fromMs, toMs] = [minute * MINUTE_MS, (minute + 1) * MINUTE_MS];
    return fromMs >= this.#rateSinceMs && this.#owedMs(fromMs, toMs) === toMs - fromMs;
  }

  /** Largest k in the last hour before `hour` that had shares: difficulties that counts are stated at are fixed with the hour. */
  #baseExponent(hour: number, others: readonly OtherHost[]): number {
    const theirs = others.flatMap((host) => [...host.counts(this.terms.id, (hour - 1) * 60, hour * 60).keys()]);
    return Math.max(this.#ownExponent(hour), ...theirs);
  }

  #ownExponent(hour: number): number {
    if (this.#base.hour === hour) return this.#base.exponent;
    let before = hour - 1;
    while (before >= hour - KEPT_HOURS && !this.#hours.has(before)) before -= 1;
    const counts = this.#hours.get(before);
    this.#base = { hour, exponent: counts === undefined ? leaseCeiling(this.terms.lease) : Math.max(...counts.keys()) };
    return this.#base.exponent;
  }

  /** k in force now. */
  #exponentAt(nowMs: number): number {
    const hour = Math.floor(nowMs / HOUR_MS);
    const { others } = this.#sharers(nowMs);
    const theirs = others.flatMap((host) => [...host.counts(this.terms.id, hour * 60, (hour + 1) * 60).keys()]);
    return Math.max(this.#baseExponent(hour, others), ...theirs, ...(this.#hours.get(hour)?.keys() ?? []));
  }

  #sharesPerMinute(exponent: number): number {
    return (Number(this.terms.lease.contracted) * 60) / (HASHES_PER_SHARE * 2 ** exponent);
  }

  /** @param known Whether it is known which other hosts there are. */
  figures(nowMs: number, observed: Observed, months: MonthStarts, inventory: readonly InventoryRow[] | undefined, shared: boolean, known: boolean): LeaseFigures {
    const contracted = Number(this.terms.lease.contracted);
    const windows = this.#windows(nowMs, observed, Math.max(months.of(this.terms.lease.timezone, nowMs), this.terms.lease.term.fromMs));
    const owed = this.isOwed(nowMs) ? contracted : 0;
    const machines = inventory?.filter((row) => row.fromMs <= nowMs && nowMs < row.toMs && isUnder(this.terms.lease, row));
    const names = this.seen(nowMs);
    const plates = (rows: readonly InventoryRow[] | undefined): number | undefined => rows && Number(rows.reduce((sum, row) => sum + row.nameplateHashes, 0n));
    return {
      lease: this.terms.id, contracted, owed, windows, installed: plates(machines), seen: plates(machines?.filter(({ worker }) => names.has(worker))),
      lastShareMs: this.#lastShareMs(nowMs), waitsFor: this.#waitsFor(nowMs), shortfall: this.#evidence?.found,
      // Where no host has a machine of it that worked for days, it is nobody's to watch.
      state: !known || (shared && this.#lastShareMs(nowMs) === undefined && this.#workers.size === 0) ? 'unmeasured' : this.#state(nowMs, observed, windows),
    };
  }

  #windows(nowMs: number, observed: Observed, periodMs: number): LeaseFigures['windows'] {
    const end = Math.floor(nowMs / MINUTE_MS) + 1;
    const hour = Math.floor(nowMs / HOUR_MS);
    const exponent = this.#exponentAt(nowMs);
    const starts: readonly [LeaseWindow, number][] = [['5m', end - 5], ['1h', end - 60], ['24h', (hour - 23) * 60], ['period', Math.floor(periodMs / HOUR_MS) * 60]];
    return starts.map(([window, start]) => {
      const short = window === '5m' || window === '1h';
      // Where the clock was set back, there are minutes after the present one. The long windows are told to the hour.
      const stop = short ? end : (hour + 1) * 60;
      const counts = short ? this.#minutes.sum(start, stop) : this.#sinceHour(start / 60, hour);
      counts.set(exponent, counts.get(exponent) ?? 0);
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

  #lastShareMs(nowMs: number): number | undefined {
    const all = [this.lastShareMs, ...this.#sharers(nowMs).others.map(({ standing }) => standing.leases[this.terms.id]?.lastMs)].filter((each) => each !== undefined);
    return all.length === 0 ? undefined : Math.max(...all);
  }

  #waitsFor(nowMs: number): string[] {
    return this.#sharers(nowMs).others.filter(({ standing }) => nowMs - standing.atMs > LAG_MS).map(({ standing }) => standing.name);
  }

  /** Everywhere, for as long as it is known: also of hosts that had no machine of it until now. */
  #isDark(nowMs: number, observed: Observed): boolean {
    const { others, here } = this.#sharers(nowMs);
    const lastMs = this.#lastShareMs(nowMs) ?? -Infinity;
    const heard = this.#others.filter(({ standing }) => nowMs - standing.atMs <= LAG_MS).map(({ standing }) => standing.atMs - lastMs);
    const silent = [...(here ? [this.silentMs(nowMs, observed)] : []), ...others.map(({ standing }) => standing.leases[this.terms.id]?.silentMs ?? 0), ...heard];
    return isDark(Math.min(...silent), this.#sharesPerMinute(this.#exponentAt(nowMs)));
  }

  /** Time observed here since the last share here, and not before something was owed. */
  silentMs(nowMs: number, observed: Observed): number {
    const ends = this.#excused.map(({ toMs }) => toMs).filter((toMs) => toMs <= nowMs);
    return observed.since(Math.max(this.lastShareMs ?? 0, this.terms.lease.term.fromMs, ...ends));
  }

  #state(nowMs: number, observed: Observed, windows: LeaseFigures['windows']): LeaseState {
    if (this.#sharers(nowMs).here && nowMs - observed.lastMs > UNMEASURED_MS) return 'unmeasured';
    if (!this.isOwed(nowMs)) return 'curtailed';
    const isWaiting = this.#waitsFor(nowMs).length > 0;
    if (!isWaiting && this.#isDark(nowMs, observed)) return 'dark';
    // What was found before stays found.
    if (this.#evidence?.found !== undefined) return 'low';
    if (isWaiting) return 'unmeasured';
    const day = windows[2];
    const upTo = Number(this.terms.lease.overDelivery?.upTo ?? OVER_PERCENT);
    // Looked at all the time, an interval of minutes would be above it by chance now and then.
    const dayMs = observed.between((Math.floor(nowMs / HOUR_MS) - 23) * 60, Math.floor(nowMs / MINUTE_MS) + 1);
    return dayMs >= HOUR_MS && (day?.low ?? 0) > Number(this.terms.lease.contracted) * (1 + upTo / 100) ? 'over' : 'ok';
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
function summed(buckets: ReadonlyMap<number, Counts>, from: number, to: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [bucket, found] of buckets) if (bucket >= from && bucket < to) for (const [exponent, n] of found) counts.set(exponent, (counts.get(exponent) ?? 0) + n);
  return counts;
}
