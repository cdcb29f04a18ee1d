/** What is told of leases, their terms and events: kept as it is, counted only so that a journal read twice shows. */
import type { LeaseEventFact, LeaseTermsFact } from '../proxy/session/facts.ts';
import { tidy } from './context.ts';
import type { Deltas } from './rows.ts';

export type ToldFact = LeaseTermsFact | LeaseEventFact;

export function addTold(deltas: Deltas, fact: ToldFact): void {
  const common = { lease: tidy(fact.lease), recorded_ms: fact.atMs, from_ms: fact.fromMs, to_ms: fact.toMs, terms: tidy(fact.terms), n: 1 };
  if (fact.type === 'lease-terms') {
    add(deltas.lease_terms, { ...common, digest: tidy(fact.digest) });
  } else {
    add(deltas.lease_event, { ...common, event: fact.event, party: tidy(fact.by), reason: tidy(fact.reason), document: tidy(fact.document) });
  }
}

function add<R extends { n: number }>(rows: Map<string, R>, row: R): void {
  const key = JSON.stringify({ ...row, n: 0 });
  const known = rows.get(key);
  if (known === undefined) rows.set(key, row);
  else known.n += row.n;
}
