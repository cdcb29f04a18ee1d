/** Which route a name takes: first match wins; a worker pattern is a glob of `*` and `?`. */
import type { Config } from '../../config/schema.ts';

export interface Route {
  readonly index: number;
  readonly site: string | undefined;
  /** A glob over the worker name; undefined takes every name. */
  readonly worker: string | undefined;
  /** '' when the route names none. */
  readonly lessee: string;
  /** In order of failover. */
  readonly pools: readonly string[];
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

/** The configured routes, in order. */
export function compileRoutes(routes: Config['routes']): Route[] {
  return routes.map(({ match, lessee, pools }, index) => ({ index, site: match.site, worker: match.worker, lessee, pools }));
}

/** The first route that takes this worker name at this site; undefined when none does. */
export function findRoute(routes: readonly Route[], site: string, worker: string): Route | undefined {
  return routes.find(
    (route) => (route.site === undefined || route.site === site) && (route.worker === undefined || globMatches(route.worker, worker)),
  );
}

/** Names of all pools a session of this site could be routed to, in order of first mention. */
export function reachablePools(routes: readonly Route[], site: string): string[] {
  const pools = routes.filter((route) => route.site === undefined || route.site === site).flatMap((route) => route.pools);
  return [...new Set(pools)];
}
