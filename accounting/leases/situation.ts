/** What holds of a lease for a period: its contract and the stated times; and what would hold without amendments that nobody has signed. */
import { countersignatures } from './agreement.ts';
import type { Statement as Stated } from './excused.ts';
import { eventsOf, isRetroactive, statedTimes, withTermination, type LeaseEvent, type LeaseHistory } from './history.ts';
import type { IssuedFile } from './issue.ts';
import type { LeaseTerms } from './terms.ts';

export interface Situation {
  readonly terms: LeaseTerms;
  /** All that was stated of the lease. */
  readonly stated: readonly Stated[];
}

/** An amendment as a statement shows it. Times are ISO 8601, UTC. */
export interface AmendmentNote {
  readonly event: LeaseEvent['event'];
  readonly from: string;
  readonly to: string;
  readonly by: string;
  readonly reason: string;
  readonly document: string;
  readonly recorded: string;
  /** A counterparty has signed a statement that shows it. */
  readonly signed: boolean;
}

/**
 * @param configured The terms of the configuration, which are those of the latest amendment if there is one.
 * @param fromMs First moment of the period.
 * @param leftOut Events that are taken not to have been.
 */
export function situationAt(configured: LeaseTerms, history: LeaseHistory, fromMs: number, leftOut: readonly LeaseEvent[] = []): Situation {
  const all = eventsOf(history, configured.id);
  const events = all.filter((event) => !leftOut.includes(event));
  const terms = termsAt(configured, history, all, events, fromMs);
  return { terms: { ...terms, lease: withTermination(terms.lease, events) }, stated: statedTimes(events) };
}

function termsAt(configured: LeaseTerms, history: LeaseHistory, all: readonly LeaseEvent[], events: readonly LeaseEvent[], fromMs: number): LeaseTerms {
  const amendments = all.filter(({ event }) => event === 'amendment');
  const [first] = amendments;
  if (first === undefined) return configured;
  const inForce = events.findLast(({ event, from_ms }) => event === 'amendment' && from_ms <= fromMs);
  if (inForce !== undefined) return inForce === amendments.at(-1) ? configured : (JSON.parse(inForce.terms) as LeaseTerms);
  const before = history.terms.findLast(({ lease, recorded_ms }) => lease === configured.id && recorded_ms < first.recorded_ms);
  return before === undefined ? configured : (JSON.parse(before.terms) as LeaseTerms);
}

/** Amendments of the past that touch [fromMs, toMs). */
export function amendmentsWithin(events: readonly LeaseEvent[], fromMs: number, toMs: number): LeaseEvent[] {
  return events.filter((event) => isRetroactive(event) && event.from_ms < toMs && (event.to_ms > fromMs || event.to_ms === event.from_ms) && event.recorded_ms > fromMs);
}

export function isSigned(event: LeaseEvent, issued: readonly IssuedFile[]): boolean {
  const key = keyOf(noteOf(event, false));
  return issued.some((each) => each.issued.statement.amendments?.some((note) => keyOf(note) === key) === true && countersignatures(each).length > 0);
}

export function noteOf(event: LeaseEvent, signed: boolean): AmendmentNote {
  const { from_ms, to_ms, recorded_ms, party: by, reason, document } = event;
  return { event: event.event, from: iso(from_ms), to: iso(to_ms), by, reason, document, recorded: iso(recorded_ms), signed };
}

function keyOf({ event, from, to, recorded }: AmendmentNote): string {
  return [event, from, to, recorded].join(' ');
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
