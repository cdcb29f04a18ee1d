/** What holds of a lease for a period: its contract and the stated times; and what would hold without amendments that nobody has signed. */
import type { LocalDay } from '../../config/calendar.ts';
import { agreedTerms, type Agreed } from './agreed.ts';
import { countersignatures } from './agreement.ts';
import type { Span, Statement as Stated } from './excused.ts';
import { eventsOf, isRetroactive, statedTimes, withTermination, type LeaseEvent, type LeaseHistory } from './history.ts';
import type { IssuedBody, IssuedFile } from './issue.ts';
import { canonicalJson, type LeaseTerms } from './terms.ts';

/** Terms that hold from a local midnight on, to the next part or the end of the period. */
export interface TermsPart {
  readonly fromMs: number;
  readonly terms: LeaseTerms;
}

export interface Situation {
  /** Those at the end of the period. */
  readonly terms: LeaseTerms;
  /** All that hold in the period, in order; mostly one. */
  readonly parts: readonly TermsPart[];
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
 * @param period Before the term cuts it.
 * @param leftOut Events that are taken not to have been.
 */
export function situationOf(history: LeaseHistory, lease: string, { fromMs, toMs }: Span, leftOut: readonly LeaseEvent[] = []): Situation | undefined {
  const agreed = agreedTerms(history, lease, toMs - 1, leftOut);
  if (agreed === undefined) return undefined;
  const changes = eventsOf(history, lease).filter((event) => event.event === 'amendment' && !leftOut.includes(event) && event.from_ms > fromMs && event.from_ms < toMs);
  const starts = [fromMs, ...new Set(changes.map(({ from_ms }) => from_ms).toSorted((a, b) => a - b))];
  const all = starts.map((startMs, index): TermsPart => {
    const { terms } = agreedTerms(history, lease, (starts[index + 1] ?? toMs) - 1, leftOut) ?? agreed;
    return { fromMs: startMs, terms: situationBy(terms, history, leftOut).terms };
  });
  const parts = all.filter(({ terms }, index) => index === 0 || canonicalJson(terms) !== canonicalJson(all[index - 1]?.terms));
  return { ...situationBy(agreed.terms, history, leftOut), parts, agreed };
}

/** The parts that hold for some of the days, with how many. */
export function partsOf(parts: readonly TermsPart[], days: readonly LocalDay[]): (TermsPart & { readonly days: number })[] {
  const counted = parts.map((part, index) => ({ ...part, days: days.filter(({ fromMs }) => (index === 0 || fromMs >= part.fromMs) && fromMs < (parts[index + 1]?.fromMs ?? Infinity)).length }));
  return counted.filter(({ days: count }) => count > 0);
}

/** The same with terms that come from elsewhere. */
export function situationBy(terms: LeaseTerms, history: LeaseHistory, leftOut: readonly LeaseEvent[] = []): Situation {
  const events = eventsOf(history, terms.id).filter((event) => !leftOut.includes(event));
  const cut = { ...terms, lease: withTermination(terms.lease, events) };
  return { terms: cut, parts: [{ fromMs: 0, terms: cut }], stated: statedTimes(events), agreed: undefined };
}

/** Amendments of the past that touch [fromMs, toMs). */
export function amendmentsWithin(events: readonly LeaseEvent[], fromMs: number, toMs: number): LeaseEvent[] {
  return events.filter((event) => isRetroactive(event) && event.from_ms < toMs && (event.to_ms > fromMs || event.to_ms === event.from_ms) && event.recorded_ms > fromMs);
}

/** Whether a counterparty has signed a statement that shows it; whoever made an amendment does not sign it for the other side. */
export function isSigned(event: LeaseEvent, issued: readonly IssuedFile[]): boolean {
  const note = noteOf(event, false);
  return issued.some((each) => shows(each.issued.statement, note) && countersignatures(each).some(({ party }) => party !== event.party));
}

/** Whether a statement shows an amendment, signed or not. */
export function shows({ amendments }: Pick<IssuedBody, 'amendments'>, note: AmendmentNote): boolean {
  return amendments?.some((each) => keyOf(each) === keyOf(note)) === true;
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
