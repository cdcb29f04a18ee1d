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

  /** Its key, where it need not be there. */
  keyOf(pool: string, lease: string): string {
    const terms = lease === '' ? undefined : this.holder.config.leases?.[lease];
    const own = terms?.link === 'exclusive' || terms?.accounts?.[pool] !== undefined;
    return own ? `${pool}\t${lease}` : pool;
  }

  /** The outlet of a pool for the machines of a lease ('' for those of none that has links of its own). */
  of(pool: string, lease: string): Outlet {
    const terms = lease === '' ? undefined : this.holder.config.leases?.[lease];
    const account = terms?.accounts?.[pool];
    const key = this.keyOf(pool, lease);
    let outlet = this.known.get(key);
    if (outlet === undefined) {
      const config = this.holder.config.pools[pool]!;
      outlet = { key, pool, config, user: account ?? config.user, password: config.password, lease: key === pool ? '' : lease };
      this.known.set(key, outlet);
    }
    return outlet;
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
