/** Which route a session takes: the first that matches wins; worker and software are globs of `*` and `?`. */
import { levelsOf, poolsNamed, type Part } from '../../config/route-pools.ts';
import type { Config } from '../../config/schema.ts';

export interface Route {
  /** Its place in the configuration, which may change while it stays the same route. */
  index: number;
  readonly site: string | undefined;
  /** `host:port` as a site's `listen` has it. */
  readonly listener: string | undefined;
  /** Globs; undefined takes everything. */
  readonly worker: string | undefined;
  readonly userAgent: string | undefined;
  /** Id of a lease; undefined takes machines of any and of none. */
  readonly lease: string | undefined;
  /** '' when the route names none. */
  readonly lessee: string;
  /** Every pool, in order of first mention. */
  readonly pools: readonly string[];
  /** Of its split; none where all its work goes one way. */
  readonly parts: readonly Part[];
  /** Pools in order of failover for the sessions of each part; one order where there is no split. */
  readonly orders: readonly (readonly string[])[];
}

/** What of a session decides its route. */
export interface Traveller {
  readonly site: string;
  readonly listener: string;
  readonly userAgent: string;
  /** Ids of the leases it is under now. */
  readonly leases: readonly string[];
}

/**
 * Whether a glob matches the whole of `text`: `*` is any run of characters, `?` is one. Names come from strangers, so there
 * is no backtracking over earlier stars: a later star takes over, which bounds the work by the product of the two lengths.
 */
export function globMatches(glob: string, text: string): boolean {
  let at = 0;
  let from = 0;
  let star = -1;
  let starFrom = 0;
  while (from < text.length) {
    const wanted = glob[at];
    if (wanted === '*') {
      star = at;
      starFrom = from;
      at += 1;
    } else if (wanted === '?' || (wanted !== undefined && wanted === text[from])) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      starFrom += 1;
      from = starFrom;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (glob[at] === '*') at += 1;
  return at === glob.length;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Whether a glob matches a worker name as it was sent, or as its owner typed it: some firmware percent-encodes that. */
export function workerMatches(glob: string, worker: string): boolean {
  return globMatches(glob, worker) || (worker.includes('%') && globMatches(glob, decoded(worker)));
}

/** The configured routes, in order. */
export function compileRoutes(routes: Config['routes']): Route[] {
  return routes.map(({ match, lessee, pools }, index) => {
    const levels = levelsOf(pools);
    const parts = levels.flatMap((level) => (level.kind === 'split' ? level.parts : []));
    // Where the pools of its own part are all dead, a session helps out with the other parts before it goes down a level.
    const orderOf = (own: number): string[] => {
      const turned = [...parts.slice(own), ...parts.slice(0, own)].flatMap((part) => part.pools);
      return [...new Set(levels.flatMap((level) => (level.kind === 'split' ? turned : level.pool)))];
    };
    const orders = parts.length === 0 ? [orderOf(0)] : parts.map((_, own) => orderOf(own));
    const listener = match.listener && `${match.listener.host}:${match.listener.port}`;
    return { index, site: match.site, listener, worker: match.worker, userAgent: match.userAgent, lease: match.lease, lessee, pools: poolsNamed(pools), parts, orders };
  });
}

function takes(route: Route, { site, listener, userAgent, leases }: Traveller, worker: string): boolean {
  if (route.site !== undefined && route.site !== site) return false;
  if (route.listener !== undefined && route.listener !== listener) return false;
  if (route.lease !== undefined && !leases.includes(route.lease)) return false;
  if (route.worker !== undefined && !workerMatches(route.worker, worker)) return false;
  return route.userAgent === undefined || globMatches(route.userAgent, userAgent);
}

/** The first route that takes this worker name of a session; undefined when none does. */
export function findRoute(routes: readonly Route[], session: Traveller, worker: string): Route | undefined {
  return routes.find((route) => takes(route, session, worker));
}

/** Names of all pools a session of this site could be routed to, in order of first mention. */
export function reachablePools(routes: readonly Route[], site: string): string[] {
  const pools = routes.filter((route) => route.site === undefined || route.site === site).flatMap((route) => route.pools);
  return [...new Set(pools)];
}
