/** Changes of a configuration that would reach back: refused, unless an amendment says from when they hold and why. */
import type { Config } from '../../config/schema.ts';
import { agreedTerms, changedTerms } from './agreed.ts';
import { eventsOf, type LeaseHistory } from './history.ts';
import { leaseTerms } from './terms.ts';

export interface RetroactiveChange {
  readonly lease: string;
  /** Without its subject: "has other terms …". */
  readonly message: string;
}

/** What of a configuration's leases would change what was owed before `nowMs`, by what is on record. Terms of an amendment that is still to take effect may stand there already. */
export function retroactiveChanges(config: Pick<Config, 'leases' | 'parties'>, history: LeaseHistory, nowMs: number): RetroactiveChange[] {
  return leaseTerms(config).flatMap((terms) => {
    const [held, coming] = [agreedTerms(history, terms.id, nowMs), agreedTerms(history, terms.id, Number.MAX_SAFE_INTEGER)];
    if (held === undefined || coming === undefined) return [];
    const ended = eventsOf(history, terms.id).find(({ event }) => event === 'termination')?.from_ms;
    const changed = changedTerms(held.terms, terms, nowMs, ended);
    if (changed.length === 0 || changedTerms(coming.terms, terms, nowMs, ended).length === 0) return [];
    const at = new Date(held.recordedMs).toISOString();
    return [{
      lease: terms.id,
      message: `has other terms (${changed.join(', ')}) than those ${held.amendment === undefined ? 'journaled' : 'of the amendment recorded'} at ${at}, and has begun: run \`weighbridge lease amend ${terms.id} --effective TIME --by PARTY --reason TEXT\` to say from when they hold, or put the old ones back`,
    }];
  });
}
