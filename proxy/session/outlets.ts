/** Where work is delivered: a pool under an account, over as many links as its sessions need; and which of those links live. */
import type { PoolConfig } from '../../config/schema.ts';
import type { Link } from './link.ts';

/** Links of one outlet are alike: a session may be on any of them. */
export interface Outlet {
  /** Unique; the pool's name where the outlet is everybody's. */
  readonly key: string;
  readonly pool: string;
  readonly config: PoolConfig;
  readonly user: string;
  readonly password: string;
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
