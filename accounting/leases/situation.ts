/** What holds of a lease for a period: its contract and the stated times; and what would hold without amendments that nobody has signed. */
import { agreedTerms, type Agreed } from './agreed.ts';
import { countersignatures } from './agreement.ts';
import type { Statement as Stated } from './excused.ts';
import { eventsOf, isRetroactive, statedTimes, withTermination, type LeaseEvent, type LeaseHistory } from './history.ts';
import type { IssuedFile } from './issue.ts';
import type { LeaseTerms } from './terms.ts';

export interface Situation {
  readonly terms: LeaseTerms;
  /** All that was stated of the lease. */
  readonly stated: readonly Stated[];
  /** The record that the terms rest on; undefined where there is none. */
  readonly agreed: Agreed | undefined;
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
 * By what is on record alone; undefined where no terms of the lease are.
 *
 * @param toMs End of the period, before the term cuts it.
 * @param leftOut Events that are taken not to have been.
 */
export function situationOf(history: LeaseHistory, lease: string, toMs: number, leftOut: readonly LeaseEvent[] = []): Situation | undefined {
  const agreed = agreedTerms(history, lease, toMs - 1, leftOut);
  return agreed === undefined ? undefined : { ...situationBy(agreed.terms, history, leftOut), agreed };
}

/** The same with terms that come from elsewhere. */
export function situationBy(terms: LeaseTerms, history: LeaseHistory, leftOut: readonly LeaseEvent[] = []): Situation {
  const events = eventsOf(history, terms.id).filter((event) => !leftOut.includes(event));
  return { terms: { ...terms, lease: withTermination(terms.lease, events) }, stated: statedTimes(events), agreed: undefined };
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
