/** Changes of a configuration that would reach back: refused, unless an amendment says from when they hold and why. */
import type { Config } from '../../config/schema.ts';
import type { LeaseEvent, LeaseHistory } from './history.ts';
import { canonicalJson, digestOf, leaseTerms, type LeaseTerms } from './terms.ts';

/** Terms that say nothing of what is owed; `machines` decides of each share when it arrives, so a change reaches forward only. */
const FORWARD = new Set<keyof LeaseTerms['lease']>(['contractRef', 'machines']);

export interface RetroactiveChange {
  readonly lease: string;
  /** Without its subject: "has other terms …". */
  readonly message: string;
}

/** What of a configuration's leases would change what was owed before `nowMs`, by the terms that were journaled last. */
export function retroactiveChanges(config: Pick<Config, 'leases' | 'parties'>, history: LeaseHistory, nowMs: number): RetroactiveChange[] {
  return leaseTerms(config).flatMap((terms) => {
    const known = history.terms.findLast(({ lease }) => lease === terms.id);
    if (known === undefined || known.digest === digestOf(terms) || isAmended(terms, history.events)) return [];
    const ended = history.events.find(({ lease, event }) => lease === terms.id && event === 'termination');
    const changed = changedTerms(JSON.parse(known.terms) as LeaseTerms, terms, nowMs, ended?.from_ms);
    if (changed.length === 0) return [];
    const at = new Date(known.recorded_ms).toISOString();
    return [{
      lease: terms.id,
      message: `has other terms (${changed.join(', ')}) than those journaled at ${at}, and has begun: run \`weighbridge lease amend ${terms.id} --effective TIME --reason TEXT\` to say from when they hold, or put the old ones back`,
    }];
  });
}

/** Names of the terms of a lease that has begun which differ in what was owed already. `endedMs`: when it was terminated. */
export function changedTerms(before: LeaseTerms, after: LeaseTerms, nowMs: number, endedMs = Number.POSITIVE_INFINITY): string[] {
  if (before.lease.term.fromMs > nowMs && after.lease.term.fromMs > nowMs) return [];
  const keys = [...new Set([...Object.keys(before.lease), ...Object.keys(after.lease)])].toSorted() as (keyof LeaseTerms['lease'])[];
  return keys.filter((key) => {
    if (FORWARD.has(key) || canonicalJson(before.lease[key] ?? null) === canonicalJson(after.lease[key] ?? null)) return false;
    if (key !== 'term') return true;
    const [old, now] = [before.lease.term, after.lease.term];
    // By date, for a termination moves the moment alone. An end that is still to come, then and now, has not reached the change.
    // One that was terminated may be written down to end where it did, so that other leases can follow.
    return old.from !== now.from || (old.to !== now.to && Math.min(old.toMs, now.toMs) <= nowMs && now.toMs < endedMs);
  });
}

/** Whether an amendment made exactly these terms. */
function isAmended(terms: LeaseTerms, events: readonly LeaseEvent[]): boolean {
  return events.some((event) => event.lease === terms.id && event.event === 'amendment' && event.terms === canonicalJson(terms));
}
