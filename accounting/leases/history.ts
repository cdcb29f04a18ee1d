/** What the journals tell of leases: their terms over time, and what was stated. From the ledger, and from what commands have just written. */
import { existsSync } from 'node:fs';
import type { LeaseConfig } from '../../config/leases.ts';
import type { Config } from '../../config/schema.ts';
import type { LeaseEventFact } from '../../proxy/session/facts.ts';
import { commandFacts } from '../journal/note.ts';
import type { LeaseEventRow, LeaseTermsRow } from '../rows.ts';
import { journalDirectory, ledgerFile, Store } from '../store.ts';
import type { Statement as Stated } from './excused.ts';

/** Ordered by when they were recorded. */
export interface LeaseHistory {
  readonly terms: readonly LeaseTermsRow[];
  readonly events: readonly LeaseEvent[];
}

export type LeaseEvent = Omit<LeaseEventRow, 'n'>;

/** Of one data directory, or of several together. Empty where there is no ledger yet, or one of another version that the instance will fold anew. */
export function leaseHistory(...dataDirs: readonly string[]): LeaseHistory {
  const found = dataDirs.map((dataDir) => {
    const { terms, events, finished } = folded(dataDir);
    return { terms, events: [...events, ...pending(dataDir, finished)] };
  });
  const events = new Map(found.flatMap((each) => each.events).map((event) => [keyOf(event), event]));
  return { terms: found.flatMap(({ terms }) => terms).toSorted(byTime), events: [...events.values()].toSorted(byTime) };
}

/** As it was at a moment. */
export function knownAt({ terms, events }: LeaseHistory, ms: number): LeaseHistory {
  return { terms: terms.filter(({ recorded_ms }) => recorded_ms <= ms), events: events.filter(({ recorded_ms }) => recorded_ms <= ms) };
}

/** What was stated of one lease. */
export function eventsOf({ events }: LeaseHistory, lease: string): LeaseEvent[] {
  return events.filter((event) => event.lease === lease);
}

/** Whether it takes effect before it was recorded: an amendment of the past. */
export function isRetroactive({ from_ms, recorded_ms }: LeaseEvent): boolean {
  return from_ms < recorded_ms;
}

const STATED: Partial<Readonly<Record<LeaseEvent['event'], Stated['what']>>> = { curtailment: 'curtailed', suspension: 'suspended', 'grid-payment': 'paid' };

/** Curtailment, suspension and what grids paid, as statements take them. */
export function statedTimes(events: readonly LeaseEvent[]): Stated[] {
  return events.flatMap((event, index): Stated[] => {
    const what = STATED[event.event];
    // What the same party states later of the same hours takes the place of what it said first.
    const replaced = what === 'paid' && events.some((later, place) => place > index && isOfSameHours(event, later));
    if (what === undefined || replaced) return [];
    const { from_ms: fromMs, to_ms: toMs, party: by, reason, document, terms } = event;
    return [{ fromMs, toMs, what, by, reason, document, amount: what === 'paid' ? terms : '' }];
  });
}

function isOfSameHours(event: LeaseEvent, later: LeaseEvent): boolean {
  return later.event === event.event && later.party === event.party && later.from_ms === event.from_ms && later.to_ms === event.to_ms;
}

/** The lease with its term cut where it was terminated. */
export function withTermination(lease: LeaseConfig, events: readonly LeaseEvent[]): LeaseConfig {
  const ends = events.filter(({ event }) => event === 'termination').map(({ from_ms }) => from_ms);
  const toMs = Math.min(lease.term.toMs, ...ends);
  return toMs === lease.term.toMs ? lease : { ...lease, term: { ...lease.term, toMs: Math.max(lease.term.fromMs, toMs) } };
}

/** Lease → when it was terminated, by the records in a data directory. */
export function terminations(dataDir: string): ReadonlyMap<string, number> {
  const ends = new Map<string, number>();
  for (const { event, lease, from_ms } of leaseHistory(dataDir).events) if (event === 'termination') ends.set(lease, Math.min(from_ms, ends.get(lease) ?? from_ms));
  return ends;
}

/** A configuration whose leases end where they were terminated. */
export function withTerminations(config: Config, history: LeaseHistory): Config {
  if (config.leases === undefined) return config;
  return { ...config, leases: Object.fromEntries(Object.entries(config.leases).map(([id, lease]) => [id, withTermination(lease, eventsOf(history, id))])) };
}

function folded(dataDir: string): { terms: LeaseTermsRow[]; events: LeaseEvent[]; finished: Set<string> } {
  const nothing = { terms: [], events: [], finished: new Set<string>() };
  if (!existsSync(ledgerFile(dataDir))) return nothing;
  let store: Store;
  try {
    store = Store.open(dataDir, { readonly: true });
  } catch {
    return nothing;
  }
  try {
    return store.consistently(() => ({
      terms: [...store.rows('lease_terms')],
      events: [...store.rows('lease_event')].map(({ n: _times, ...event }) => event),
      finished: new Set(store.positions().filter(({ finished }) => finished).map(({ segment }) => segment)),
    }));
  } finally {
    store.close();
  }
}

/** What short segments tell that the ledger has not folded to their end: a stopped instance folds them when it starts. */
function pending(dataDir: string, finished: ReadonlySet<string>): LeaseEvent[] {
  return [...commandFacts(journalDirectory(dataDir), finished)].flatMap((fact) => (fact.type === 'lease-event' ? [eventOf(fact)] : []));
}

function eventOf(fact: LeaseEventFact): LeaseEvent {
  const { lease, event, reason, document, terms } = fact;
  return { lease, recorded_ms: fact.atMs, event, from_ms: fact.fromMs, to_ms: fact.toMs, party: fact.by, reason, document, terms };
}

function keyOf({ lease, recorded_ms, event, from_ms, to_ms, party, reason, document, terms }: LeaseEvent): string {
  return JSON.stringify([lease, recorded_ms, event, from_ms, to_ms, party, reason, document, terms]);
}

function byTime(a: { readonly recorded_ms: number }, b: { readonly recorded_ms: number }): number {
  return a.recorded_ms - b.recorded_ms;
}
