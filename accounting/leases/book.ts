/** Which leases a share belongs to: a pure matcher from worker, site, address and time to at most one lease of each kind. */
import { type AddressRange, overlap, readRange } from '../../config/networks.ts';
import type { LeaseKind } from '../../config/leases.ts';
import { readHostPort } from '../../config/fields.ts';
import { globMatches } from '../../proxy/session/routes.ts';

/** What of a lease's terms decides which shares are its own, as journaled. Moments are milliseconds since 1970, [from, to). */
export interface LeaseClaim {
  readonly lease: string;
  readonly kind: LeaseKind;
  readonly machines: { readonly workers: readonly string[]; readonly sites: readonly string[]; readonly from: readonly string[] };
  readonly fromMs: number;
  readonly toMs: number;
}

interface Claim extends LeaseClaim {
  readonly ranges: readonly AddressRange[];
}

/** Answers remembered, one for each worker name, site and address; beyond it the memory starts anew. */
const REMEMBERED_MAX = 100_000;

/** The leases of one moment of the journal. `apply` follows the journal; what was asked before it is not changed by it. */
export class LeaseBook {
  readonly #claims = new Map<string, Claim>();
  #remembered = new Map<string, readonly Claim[]>();

  /** From here on these are the lease's terms. A lease that ends at its own beginning claims nothing. */
  apply(claim: LeaseClaim): void {
    const ranges = claim.machines.from.flatMap((text) => readRange(text) ?? []);
    this.#claims.set(claim.lease, { ...claim, ranges });
    this.#remembered = new Map();
  }

  /**
   * Ids of the leases that a share belongs to, in order, at most one of each kind: of two of one kind, which `check` refuses,
   * the one whose term began later.
   *
   * @param address Remote ip:port of the session, IPv6 in brackets or not.
   */
  inForce(worker: string, site: string, address: string, atMs: number): readonly string[] {
    const claims = this.#matching(worker, site, hostOf(address)).filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
    if (claims.length === 0) return [];
    const byKind = new Map<LeaseKind, Claim>();
    for (const claim of claims) byKind.set(claim.kind, claim);
    return [...byKind.values()].map(({ lease }) => lease).toSorted();
  }

  /** In the order in which a later one of the same kind takes precedence. */
  #matching(worker: string, site: string, host: string): readonly Claim[] {
    const key = `${worker.length} ${worker} ${site.length} ${site} ${host}`;
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const address = readRange(host);
    const found = [...this.#claims.values()]
      .filter((claim) => claims(claim, worker, site, address))
      .toSorted((a, b) => a.fromMs - b.fromMs || (a.lease < b.lease ? -1 : 1));
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered = new Map();
    this.#remembered.set(key, found);
    return found;
  }
}

function claims({ machines, ranges }: Claim, worker: string, site: string, address: AddressRange | undefined): boolean {
  if (machines.workers.length > 0 && !machines.workers.some((glob) => globMatches(glob, worker))) return false;
  if (machines.sites.length > 0 && !machines.sites.includes(site)) return false;
  return machines.from.length === 0 || (address !== undefined && ranges.some((range) => overlap(range, address)));
}

/** The address of `10.1.2.3:4028`, `[2001:db8::1]:4028` or `2001:db8::1:4028`; IPv4 in IPv6 form as IPv4. */
function hostOf(address: string): string {
  const parsed = readHostPort(address)?.host ?? address.slice(0, Math.max(0, address.lastIndexOf(':')));
  return parsed.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Lease ids as one text of a ledger row, and back: names of leases hold no comma. */
export function leasesText(ids: readonly string[]): string {
  return ids.toSorted().join(',');
}

export function leaseIds(text: string): string[] {
  return text === '' ? [] : text.split(',');
}
