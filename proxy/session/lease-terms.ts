/** Writes down the terms of leases, at the start and whenever they change; and how difficult work may be made for their machines. */
import type { LeaseTermsFact } from './facts.ts';
import { leaseIds } from './leases.ts';
import type { Session } from './session.ts';
import type { FarmState } from './state.ts';

/** A pool's verdict on a share counts under the terms of the share: until it can come no more, heads repeat what they were. */
const VERDICTS_DUE_MS = 600_000;

const HASHES_PER_DIFFICULTY = 2 ** 48 / 65_535;

/** The largest k at which the contracted rate still gives the shares a minute that are promised as a measure. */
export function leaseCeiling({ contracted, minSharesPerMinute }: { readonly contracted: string; readonly minSharesPerMinute: number }): number {
  return Math.floor(Math.log2((Number(contracted) * 60) / (HASHES_PER_DIFFICULTY * minSharesPerMinute)));
}

/** That of a lease as it is journaled; undefined where its terms do not say. */
function ceilingIn(terms: string): number | undefined {
  const { lease } = JSON.parse(terms) as { readonly lease?: Parameters<typeof leaseCeiling>[0] };
  const ceiling = lease === undefined ? Number.NaN : leaseCeiling(lease);
  return Number.isFinite(ceiling) ? ceiling : undefined;
}

/** The most that vardiff and the wishes of a session's machine may come to; undefined without a lease. */
export function ceilingOf(state: FarmState, session: Session): number | undefined {
  if (state.ceilings.size === 0) return undefined;
  const leases = session.binds.flatMap(({ worker }) => leaseIds(state.leases.inForce(worker, session.site, session.address, state.now.wallMs).leases));
  const ceilings = leases.flatMap((lease) => state.ceilings.get(lease) ?? []);
  return ceilings.length === 0 ? undefined : Math.min(...ceilings);
}

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

/** Whether shares may have arrived whose verdicts are still to come, or that are not counted yet. */
function hasShares(state: FarmState): boolean {
  return state.sessions.size > 0 || [...state.links.values()].some((link) => link.pending.size > 0);
}

function change(state: FarmState, fact: LeaseTermsFact): void {
  const { now } = state;
  // Shares that arrived before a lease was known are not its own, though their verdicts come later.
  if (!state.terms.has(fact.lease) && hasShares(state)) write(state, { ...fact, toMs: fact.fromMs, atMs: now.wallMs - 1 });
  const before = state.terms.get(fact.lease);
  if (before !== undefined) state.departed.add([before], state.lastSequence, () => state.now.monoMs < now.monoMs + VERDICTS_DUE_MS);
  write(state, fact);
}

function write(state: FarmState, fact: LeaseTermsFact): void {
  state.terms.set(fact.lease, fact);
  const ceiling = ceilingIn(fact.terms);
  if (ceiling !== undefined) state.ceilings.set(fact.lease, ceiling);
  state.leases.apply(fact);
  state.journal(fact);
}
