/**
 * The leases of a running instance, followed as their work is committed: delivered rate over several windows, the alarm that
 * does not punish luck, and the state that comes of both. It decides nothing that is billed.
 */
import type { InventoryRow } from '../../config/inventory.ts';
import { leaseIds } from '../../proxy/session/leases.ts';
import { MINUTE_MS, type Deltas, type ObservedMinuteRow } from '../rows.ts';
import { OtherHost, type HourStanding, type Standing } from './elsewhere.ts';
import type { LeaseEvent } from './history.ts';
import { MonthStarts } from './months.ts';
import { Observed } from './observed.ts';
import type { LeaseTerms } from './terms.ts';
import { WatchedLease, type LeaseFigures } from './watched.ts';

/** False alarms a day, of all leases together. */
const DAILY_BUDGET = 0.005;

/** Accepted shares of a bucket with the leases they belong to. */
interface LeaseShares {
  readonly leases: string;
  readonly exponent: number;
  readonly n: number;
}

/** All leases that are in their term or will be. */
export class LeaseWatch {
  readonly #leases: ReadonlyMap<string, WatchedLease>;
  readonly #observed = new Observed();
  readonly #months = new MonthStarts();
  #inventory: readonly InventoryRow[] | undefined;
  readonly #shared: boolean;
  #events: readonly LeaseEvent[] = [];
  #recalledFrom = -Infinity;
  #completeMs: number | undefined;
  /** By their ids; undefined until they are known. */
  #others: Map<string, OtherHost> | undefined;

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

  /** Since when the contracted rate of a lease has been what it is. */
  rateSince(lease: string, atMs: number): void {
    this.#leases.get(lease)?.rateSince(atMs);
  }

  /** What the ledger has of the time before: shares by hour, and what was observed. */
  begin(hours: Iterable<LeaseShares & { readonly hour: number }>, observed: Iterable<ObservedMinuteRow>): void {
    for (const { hour, leases, exponent, n } of hours) for (const lease of this.#of(leases)) lease.countHour(hour, exponent, n);
    this.#observed.add(observed);
  }

  /** Accepted shares of a minute, of an hour that `begin` did not tell of. */
  count({ minute, leases, exponent, n }: LeaseShares & { readonly minute: number }): void {
    for (const lease of this.#of(leases)) {
      lease.countHour(Math.floor(minute / 60), exponent, n);
      if (minute >= this.#recalledFrom) lease.count(minute, exponent, n);
    }
  }

  /** Accepted shares of a minute of an hour that `begin` told of. */
  recall(minute: number, leases: string, exponent: number, n: number): void {
    for (const lease of this.#of(leases)) lease.count(minute, exponent, n);
  }

  /** Only minutes from this one on are known; the alarm waits for the others. */
  recallFrom(minute: number): void {
    this.#recalledFrom = minute;
  }

  /** What was committed. */
  committed(deltas: Pick<Deltas, 'delivered_minute' | 'observed_minute' | 'worker_hour' | 'worker_connected'> & Partial<Pick<Deltas, 'lease_event'>>, nowMs: number): void {
    if ((deltas.lease_event?.size ?? 0) > 0) this.told([...this.#events, ...(deltas.lease_event?.values() ?? [])]);
    for (const row of deltas.delivered_minute.values()) if (row.verdict === 'accepted') this.count(row);
    const grown = this.#observed.add(deltas.observed_minute.values());
    if (grown !== undefined) for (const lease of this.#leases.values()) lease.changed(grown);
    for (const { leases, verdict, last_ms } of deltas.worker_hour.values()) if (verdict === 'accepted') this.lastShare(leases, last_ms);
    for (const { leases, worker } of deltas.worker_connected.values()) this.saw(leases, worker, nowMs);
  }

  /** Everything of before `untilMs` was committed. The alarm looks at whole minutes. */
  complete(untilMs: number): void {
    if (this.#recalledFrom > -Infinity) return;
    this.#completeMs = untilMs;
    if (!this.#isKnown) return;
    for (const lease of this.#leases.values()) lease.feed(Math.floor(untilMs / MINUTE_MS), this.#observed);
  }

  /** Whose machines there may be elsewhere is known. */
  get #isKnown(): boolean {
    return !this.#shared || this.#others !== undefined;
  }

  /** How this host stands, once it has looked at its ledger. */
  standing(name: string): Standing | undefined {
    if (this.#completeMs === undefined) return undefined;
    const atMs = Math.min(this.#completeMs, this.#observed.lastMs);
    const leases = [...this.#leases].flatMap(([id, lease]) => (lease.lastShareMs === undefined ? [] : [[id, { lastMs: lease.lastShareMs, silentMs: lease.silentMs(atMs, this.#observed) }]]));
    return { name, atMs, toMinute: Math.floor(this.#completeMs / MINUTE_MS), leases: Object.fromEntries(leases) as Standing['leases'] };
  }

  /** What was counted here in an hour, before a minute. */
  hourStanding(hour: number, toMinute: number): HourStanding {
    const [from, to] = [hour * 60, Math.min((hour + 1) * 60, toMinute)];
    const observed = Array.from({ length: Math.max(0, to - from) }, (_, index) => [from + index, this.#observed.minute(from + index)] as const);
    const leases = [...this.#leases].map(([id, lease]) => [id, lease.minutes(from, Math.max(from, to))] as const).filter(([, rows]) => rows.length > 0);
    return { observed: observed.filter(([, ms]) => ms > 0), leases: Object.fromEntries(leases) };
  }

  /** Everything before that minute is known of another host. */
  knownTo(id: string): number {
    return this.#others?.get(id)?.toMinute ?? 0;
  }

  /** How all other hosts stand that have said so, and what they have said of minutes that were not known. */
  others(standings: ReadonlyMap<string, Standing>, hours: ReadonlyMap<string, readonly HourStanding[]>): void {
    const known = this.#others ?? new Map<string, OtherHost>();
    for (const id of known.keys()) if (!standings.has(id)) known.delete(id);
    for (const [id, standing] of standings) {
      const host = known.get(id) ?? new OtherHost(standing);
      known.set(id, host);
      const from = host.toMinute;
      host.standing = standing;
      host.take(hours.get(id) ?? [], standing.toMinute);
      if (host.toMinute > from) for (const lease of Object.keys(standing.leases)) this.#leases.get(lease)?.changed(from);
    }
    this.#others = known;
    for (const lease of this.#leases.values()) lease.elsewhere([...known.values()]);
  }

  /** An accepted share under a set of leases came then. */
  lastShare(leases: string, lastMs: number): void {
    for (const lease of this.#of(leases)) lease.lastShareMs = Math.max(lease.lastShareMs ?? 0, lastMs);
  }

  /** A machine of that name was connected. */
  saw(leases: string, worker: string, nowMs: number): void {
    for (const lease of this.#of(leases)) lease.saw(worker, nowMs);
  }

  /** Of those whose term has begun and not ended. */
  figures(nowMs: number): LeaseFigures[] {
    return [...this.#leases.values()].filter((lease) => lease.inTerm(nowMs)).map((lease) => lease.figures(nowMs, this.#observed, this.#months, this.#inventory, this.#shared, this.#isKnown));
  }

  #of(leases: string): WatchedLease[] {
    return leases === '' ? [] : leaseIds(leases).flatMap((id) => this.#leases.get(id) ?? []);
  }
}
