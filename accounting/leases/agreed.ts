/** The terms of a lease over time, by what is on record alone: terms journaled at starts and changes, and amendments. The configuration has no say in it. */
import { midnightMs } from '../../config/calendar.ts';
import type { LeaseConfig } from '../../config/leases.ts';
import type { LeaseEvent, LeaseHistory } from './history.ts';
import { canonicalJson, partiesOf, type LeaseTerms } from './terms.ts';

/** Terms that hold at a moment, before terminations cut them, and the record that they rest on. */
export interface Agreed {
  readonly terms: LeaseTerms;
  /** The amendment that made them; undefined where they were journaled by a start. */
  readonly amendment: LeaseEvent | undefined;
  /** When they were written down, wall clock. */
  readonly recordedMs: number;
}

interface TermsRecord extends Agreed {
  /** From when an amendment holds; undefined for terms journaled by a start, which hold from when they are recorded. */
  readonly effectiveMs: number | undefined;
}

/** Terms that say nothing of what is owed; `machines` decides of each share when it arrives, so a change reaches forward only. */
const FORWARD = new Set<keyof LeaseConfig>(['contractRef', 'machines']);

/**
 * What holds at `atMs`; undefined where no terms of the lease are on record.
 *
 * The terms journaled first hold from the beginning. An amendment holds from its effect on, until another that was recorded later.
 * Later starts add what reaches forward only: what else they journaled was never agreed. A lease that has not begun is what was journaled last.
 *
 * @param leftOut Events that are taken not to have been.
 */
export function agreedTerms({ terms: written, events }: LeaseHistory, lease: string, atMs: number, leftOut: readonly LeaseEvent[] = []): Agreed | undefined {
  const ours = events.filter((event) => event.lease === lease && !leftOut.includes(event));
  const amendments = ours.filter(({ event }) => event === 'amendment').flatMap((event) => recordOf(event.terms, event.recorded_ms, event));
  // One that ends where it begins says that the lease was taken out of the configuration.
  const journaled = written.filter((row) => row.lease === lease && row.from_ms < row.to_ms).flatMap((row) => recordOf(row.terms, row.recorded_ms));
  const ended = Math.min(...ours.filter(({ event }) => event === 'termination').map(({ from_ms }) => from_ms));
  let held: Agreed | undefined;
  for (const record of [...amendments, ...journaled].toSorted((a, b) => a.recordedMs - b.recordedMs)) {
    if (record.effectiveMs !== undefined) held = record.effectiveMs <= atMs ? record : held;
    else if (held === undefined || notBegun(held.terms, record.terms, record.recordedMs)) held = record;
    else if (record.recordedMs <= atMs) held = { ...held, terms: carriedOn(held.terms, record, ended) };
  }
  return held;
}

/** All terms of a lease that are on record: journaled by starts, and by amendments. */
export function recordedTerms({ terms, events }: LeaseHistory, lease: string): LeaseTerms[] {
  const rows = [...terms, ...events.filter(({ event }) => event === 'amendment')].filter((row) => row.lease === lease);
  return rows.flatMap((row) => recordOf(row.terms, row.recorded_ms).map(({ terms: found }) => found));
}

/** None where the text is no terms: journals of before they were kept in full. */
function recordOf(text: string, recordedMs: number, amendment?: LeaseEvent): TermsRecord[] {
  const terms = JSON.parse(text) as Partial<LeaseTerms>;
  if (terms.id === undefined || terms.lease === undefined || terms.parties === undefined) return [];
  const { id, lease, parties } = terms;
  // As agreed: a start after a termination journals the term cut by it.
  const term = { ...lease.term, fromMs: midnightMs(lease.term.from, lease.timezone), toMs: midnightMs(lease.term.to, lease.timezone) };
  return [{ terms: { id, lease: { ...lease, term }, parties }, amendment, recordedMs, effectiveMs: amendment?.from_ms }];
}

/** The terms with what a later start journaled and what reaches forward only. */
function carriedOn({ id, lease, parties }: LeaseTerms, { terms: later, recordedMs }: TermsRecord, endedMs: number): LeaseTerms {
  const { contractRef, machines } = later.lease;
  const term = isForward(lease.term, later.lease.term, recordedMs, endedMs) ? later.lease.term : lease.term;
  const merged = { ...lease, contractRef, machines, term };
  return { id, lease: merged, parties: partiesOf(merged, { ...parties, ...later.parties }) };
}

function notBegun(before: LeaseTerms, after: LeaseTerms, nowMs: number): boolean {
  return before.lease.term.fromMs > nowMs && after.lease.term.fromMs > nowMs;
}

/**
 * Compared by date, for a termination moves the moment alone. An end that is still to come, then and now, has not reached the change.
 * One that was terminated may be written down to end where it did, so that other leases can follow.
 */
function isForward(old: LeaseConfig['term'], now: LeaseConfig['term'], nowMs: number, endedMs: number): boolean {
  return old.from === now.from && (old.to === now.to || Math.min(old.toMs, now.toMs) > nowMs || now.toMs >= endedMs);
}

/** Names of the terms of a lease that has begun which differ in what was owed already. `endedMs`: when it was terminated. */
export function changedTerms(before: LeaseTerms, after: LeaseTerms, nowMs: number, endedMs = Number.POSITIVE_INFINITY): string[] {
  if (notBegun(before, after, nowMs)) return [];
  const keys = [...new Set([...Object.keys(before.lease), ...Object.keys(after.lease)])].toSorted() as (keyof LeaseConfig)[];
  return keys.filter((key) => {
    if (FORWARD.has(key) || canonicalJson(before.lease[key] ?? null) === canonicalJson(after.lease[key] ?? null)) return false;
    return key !== 'term' || !isForward(before.lease.term, after.lease.term, nowMs, endedMs);
  });
}
