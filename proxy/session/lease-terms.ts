/** Writes down the terms of leases: at the start, and whenever they change. */
import type { LeaseTermsFact } from './facts.ts';
import type { FarmState } from './state.ts';

/** A pool's verdict on a share counts under the terms of the share: until it can come no more, heads repeat what they were. */
const VERDICTS_DUE_MS = 600_000;

/** Journals what is not yet journaled so, and ends what is not among `leases`. */
export function journalTerms(state: FarmState, leases: readonly LeaseTermsFact[]): void {
  const named = new Set(leases.map(({ lease }) => lease));
  const gone = [...state.terms.values()].filter(({ lease, fromMs, toMs }) => !named.has(lease) && fromMs < toMs);
  const changed = leases.filter((fact) => !isSame(state.terms.get(fact.lease), fact));
  for (const fact of [...changed, ...gone.map((each) => ({ ...each, toMs: each.fromMs }))]) change(state, { ...fact, atMs: state.now.wallMs });
}

function isSame(known: LeaseTermsFact | undefined, fact: LeaseTermsFact): boolean {
  return known !== undefined && known.digest === fact.digest && known.fromMs === fact.fromMs && known.toMs === fact.toMs;
}

function change(state: FarmState, fact: LeaseTermsFact): void {
  const { now } = state;
  // Shares that arrived before a lease was known are not its own, though their verdicts come later.
  if (!state.terms.has(fact.lease) && state.sessions.size > 0) write(state, { ...fact, toMs: fact.fromMs, atMs: now.wallMs - 1 });
  const before = state.terms.get(fact.lease);
  if (before !== undefined) state.departed.add([before], state.lastSequence, () => state.now.monoMs < now.monoMs + VERDICTS_DUE_MS);
  write(state, fact);
}

function write(state: FarmState, fact: LeaseTermsFact): void {
  state.terms.set(fact.lease, fact);
  state.leases.apply(fact);
  state.journal(fact);
}
