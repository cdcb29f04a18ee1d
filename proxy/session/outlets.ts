/** Where work is delivered: a pool under an account, over as many links as its sessions need; and which of those links live. */
import type { Config, PoolConfig } from '../../config/schema.ts';
import type { Link } from './link.ts';

/** Links of one outlet are alike: a session may be on any of them. */
export interface Outlet {
  /** Unique; the pool's name where the outlet is everybody's. */
  readonly key: string;
  readonly pool: string;
  readonly config: PoolConfig;
  readonly user: string;
  readonly password: string;
  /** The lease that has it to itself; '' where it is everybody's. */
  readonly lease: string;
  /** Of the sessions it is for (prefixes.ts). */
  readonly plane: number;
}

/** Whose outlet of a pool is meant. A session and an outlet say it of themselves. */
export interface Holder {
  /** '' for those of no lease that has links of its own. */
  readonly lease: string;
  readonly plane: number;
}

/** Machines of no such lease, on the first plane: nearly all. */
export const EVERYBODY: Holder = { lease: '', plane: 0 };

/** A holder as a text, so that sets can have it. */
export function holderKey({ lease, plane }: Holder): string {
  return `${lease}\t${plane}`;
}

/** All the places to deliver to that sessions have needed so far. */
export class Outlets {
  private readonly holder: { readonly config: Pick<Config, 'pools' | 'leases'> };
  private readonly known = new Map<string, Outlet>();

  /** `holder` has the configuration that is in force. */
  constructor(holder: { readonly config: Pick<Config, 'pools' | 'leases'> }) {
    this.holder = holder;
  }

  /** The configuration has changed: outlets are to be made anew as they are asked for. */
  reconfigure(): void {
    this.known.clear();
  }

  /** Whether a lease has links of its own, to any pool. */
  hasOwn(lease: string): boolean {
    const terms = this.holder.config.leases?.[lease];
    return terms !== undefined && (terms.link === 'exclusive' || terms.accounts !== undefined);
  }

  private isOwn(pool: string, lease: string): boolean {
    const terms = lease === '' ? undefined : this.holder.config.leases?.[lease];
    return terms?.link === 'exclusive' || terms?.accounts?.[pool] !== undefined;
  }

  /** Its key, where it need not be there. */
  keyOf(pool: string, { lease, plane }: Holder): string {
    const own = this.isOwn(pool, lease) ? lease : '';
    if (plane > 0) return `${pool}\t${own}\t${plane}`;
    return own === '' ? pool : `${pool}\t${own}`;
  }

  /** The outlet of a pool for the machines of a lease and plane. */
  of(pool: string, holder: Holder): Outlet {
    const key = this.keyOf(pool, holder);
    let outlet = this.known.get(key);
    if (outlet === undefined) {
      const { lease, plane } = holder;
      const own = this.isOwn(pool, lease);
      const account = own ? this.holder.config.leases?.[lease]?.accounts?.[pool] : undefined;
      const config = this.holder.config.pools[pool]!;
      outlet = { key, pool, config, user: account ?? config.user, password: config.password, lease: own ? lease : '', plane };
      this.known.set(key, outlet);
    }
    return outlet;
  }

  /** Its key; it is needed from now on, unless a reload has taken the pool away and its last machines are about to leave. */
  need(pool: string, holder: Holder): string {
    return this.holder.config.pools[pool] === undefined ? this.keyOf(pool, holder) : this.of(pool, holder).key;
  }

  /** Nobody needs it at present. */
  forget(outlet: Outlet): void {
    this.known.delete(outlet.key);
  }

  all(): readonly Outlet[] {
    return [...this.known.values()];
  }
}

const NONE: readonly Link[] = [];

/** Links that give work. */
export class LiveLinks {
  private readonly byOutlet = new Map<string, Link[]>();

  add(link: Link): void {
    const links = this.byOutlet.get(link.outlet.key);
    if (links === undefined) this.byOutlet.set(link.outlet.key, [link]);
    else links.push(link);
  }

  delete(link: Link): void {
    const left = this.of(link.outlet.key).filter((one) => one !== link);
    if (left.length === 0) this.byOutlet.delete(link.outlet.key);
    else this.byOutlet.set(link.outlet.key, left);
  }

  /** Of one outlet, the longest living first. */
  of(outlet: string): readonly Link[] {
    return this.byOutlet.get(outlet) ?? NONE;
  }

  ofPool(pool: string): Link[] {
    return [...this.byOutlet.values()].flat().filter((link) => link.pool === pool);
  }

  get size(): number {
    let size = 0;
    for (const links of this.byOutlet.values()) size += links.length;
    return size;
  }
}
