/** Which leases a share belongs to: a pure matcher from worker, site, address and time, by the terms that were journaled. */
import { readHostPort } from '../../config/fields.ts';
import type { LeaseKind } from '../../config/leases.ts';
import { type AddressRange, overlap, readRange } from '../../config/networks.ts';
import type { LeaseTermsFact } from './facts.ts';
import { workerMatches } from './routes.ts';

/** What of a lease's journaled terms decides which shares are its own. */
export type LeaseClaim = Pick<LeaseTermsFact, 'lease' | 'kind' | 'workers' | 'sites' | 'from' | 'timezone' | 'fromMs' | 'toMs' | 'atMs'>;

interface Version extends LeaseClaim {
  readonly ranges: readonly AddressRange[];
}

/** A time within which the answer is the same, [from, to), milliseconds since 1970. */
export interface LeaseStretch {
  /** Ids of the leases in order, joined by commas; '' for none. */
  readonly leases: string;
  /** The same leases, with the zones that their days are counted in. */
  readonly claims: readonly { readonly lease: string; readonly timezone: string }[];
  /** Tells claims apart, as part of a row's key. */
  readonly key: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Answers remembered, one for each worker name, site and address; beyond it the memory starts anew. */
const REMEMBERED_MAX = 100_000;

/**
 * The leases as the journal tells of them. In force at a moment is the latest version that was recorded before it; at a moment
 * before all versions (a clock that was set back) it is the earliest, because there was never another.
 */
export class LeaseBook {
  readonly #versions = new Map<string, Version[]>();
  #remembered = new Map<string, readonly LeaseStretch[]>();
  #revision = 0;

  /** Grows with every change of terms: a stretch found before may not hold any more. */
  get revision(): number {
    return this.#revision;
  }

  /** From here on these are the lease's terms. A lease that ends at its own beginning claims nothing. */
  apply(claim: LeaseClaim): void {
    const version = { ...claim, ranges: claim.from.flatMap((text) => readRange(text) ?? []) };
    const earlier = this.#versions.get(claim.lease) ?? [];
    this.#versions.set(claim.lease, [...earlier.filter(({ atMs }) => atMs < claim.atMs), version]);
    this.#remembered = new Map();
    this.#revision += 1;
  }

  /**
   * The leases that a share belongs to, at most one of each kind: of two of one kind, which `check` refuses, the one whose term
   * began later.
   *
   * @param address Remote ip:port of the session, IPv6 in brackets or not.
   */
  inForce(worker: string, site: string, address: string, atMs: number): LeaseStretch {
    const stretches = this.#stretches(worker, site, hostOf(address));
    const found = stretches.find(({ toMs }) => atMs < toMs);
    if (found === undefined) throw new Error('the last stretch has no end');
    return found;
  }

  #stretches(worker: string, site: string, host: string): readonly LeaseStretch[] {
    const key = `${worker.length} ${worker} ${site.length} ${site} ${host}`;
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const address = readRange(host);
    const leases = [...this.#versions.values()].filter((versions) => versions.some((version) => claims(version, worker, site, address)));
    const found = stretchesOf(leases, (version) => claims(version, worker, site, address));
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered = new Map();
    this.#remembered.set(key, found);
    return found;
  }
}

/** All time, cut where a version was recorded or a term begins or ends. */
function stretchesOf(leases: readonly (readonly Version[])[], ours: (version: Version) => boolean): LeaseStretch[] {
  const edges = new Set(leases.flatMap((versions) => versions.flatMap(({ atMs, fromMs, toMs }) => [atMs, fromMs, toMs])));
  const starts = [-Infinity, ...[...edges].toSorted((a, b) => a - b)];
  return starts.map((fromMs, index) => ({ ...claimedAt(leases, ours, fromMs), fromMs, toMs: starts[index + 1] ?? Infinity }));
}

function claimedAt(leases: readonly (readonly Version[])[], ours: (version: Version) => boolean, atMs: number): Pick<LeaseStretch, 'leases' | 'claims' | 'key'> {
  const claimed = leases
    .flatMap((versions) => versions.findLast((version) => version.atMs <= atMs) ?? versions[0] ?? [])
    .filter((version) => ours(version) && version.fromMs <= atMs && atMs < version.toMs)
    .toSorted((a, b) => a.fromMs - b.fromMs || (a.lease < b.lease ? -1 : 1));
  const byKind = new Map<LeaseKind, Version>();
  for (const version of claimed) byKind.set(version.kind, version);
  const claims = [...byKind.values()].map(({ lease, timezone }) => ({ lease, timezone })).toSorted((a, b) => (a.lease < b.lease ? -1 : 1));
  return { leases: claims.map(({ lease }) => lease).join(','), claims, key: claims.map(({ lease, timezone }) => `${lease}@${timezone}`).join(',') };
}

function claims({ workers, sites, from, ranges }: Version, worker: string, site: string, address: AddressRange | undefined): boolean {
  if (workers.length > 0 && !workers.some((glob) => workerMatches(glob, worker))) return false;
  if (sites.length > 0 && !sites.includes(site)) return false;
  return from.length === 0 || (address !== undefined && ranges.some((range) => overlap(range, address)));
}

/** The address of `10.1.2.3:4028`, `[2001:db8::1]:4028` or `2001:db8::1:4028`; IPv4 in IPv6 form as IPv4. */
function hostOf(address: string): string {
  const parsed = readHostPort(address)?.host ?? address.slice(0, Math.max(0, address.lastIndexOf(':')));
  return parsed.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** The lease ids in one text of a ledger row: names of leases hold no comma. */
export function leaseIds(text: string): string[] {
  return text === '' ? [] : text.split(',');
}
