/** The terms of a lease as they are journaled, digested and printed: configuration with the parties it names. */
import { createHash } from 'node:crypto';
import type { LeaseConfig, PartyConfig, RentConfig } from '../../config/leases.ts';
import type { Config } from '../../config/schema.ts';
import type { LeaseTermsFact } from '../../proxy/session/facts.ts';

export interface LeaseTerms {
  readonly id: string;
  readonly lease: LeaseConfig;
  /** Those that the lease names, by id. */
  readonly parties: Readonly<Record<string, PartyConfig>>;
}

export type Component = 'fixed' | 'delivered' | 'revenueShare' | 'hosting';
const COMPONENTS: readonly Component[] = ['fixed', 'delivered', 'revenueShare', 'hosting'];

/** Which kind of payment it is; the configuration guarantees exactly one. */
export function componentOf(rent: RentConfig): Component {
  const found = COMPONENTS.find((component) => rent[component] !== undefined);
  if (found === undefined) throw new Error('a payment has no kind: configurations are checked before they come here');
  return found;
}

/** All leases of a configuration, in the order of their ids. */
export function leaseTerms(config: Pick<Config, 'leases' | 'parties'>): LeaseTerms[] {
  return Object.entries(config.leases ?? {})
    .map(([id, lease]) => ({ id, lease, parties: partiesOf(lease, config.parties ?? {}) }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** The terms of a configuration as the journal takes them; `nowMs` is wall clock. */
export function leaseTermsFacts(config: Pick<Config, 'leases' | 'parties'>, nowMs: number): LeaseTermsFact[] {
  return leaseTerms(config).map((terms) => {
    const { kind, machines, timezone, term } = terms.lease;
    return {
      type: 'lease-terms', lease: terms.id, kind, digest: digestOf(terms), terms: canonicalJson(terms), workers: machines.workers, sites: machines.sites, from: machines.from,
      timezone, fromMs: Math.max(0, term.fromMs), toMs: Math.max(0, term.toMs), atMs: nowMs,
    };
  });
}

/** Those of the parties that a lease names, by id. */
export function partiesOf(lease: LeaseConfig, known: Readonly<Record<string, PartyConfig>>): Record<string, PartyConfig> {
  const roles = [lease.lessor, lease.lessee, lease.performer, lease.residual, ...(lease.curtailment ? [lease.curtailment.creditTo] : [])];
  const ids = new Set([...roles, ...lease.rent.flatMap(({ payer, payee }) => [payer, payee])]);
  return Object.fromEntries([...ids].toSorted().flatMap((id) => (known[id] ? [[id, known[id]]] : [])));
}

/** Legal name of a party; its id where the configuration has no such party. */
export function partyName({ parties }: LeaseTerms, id: string): string {
  return parties[id]?.name ?? id;
}

/** JSON with the keys of every object in order, so that equal values have equal bytes. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, each]) => `${JSON.stringify(key)}:${canonicalJson(each)}`).join(',')}}`;
}

/** SHA-256 over the canonical JSON of a value, hex. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
