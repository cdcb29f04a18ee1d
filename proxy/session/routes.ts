/** Which route a name takes: first match wins; a worker pattern is a glob of `*` and `?`. */
import type { Config } from '../../config/schema.ts';

export interface Route {
  readonly index: number;
  readonly site: string | undefined;
  readonly worker: RegExp | undefined;
  /** '' when the route names none. */
  readonly lessee: string;
  /** In order of failover. */
  readonly pools: readonly string[];
}

function globToRegExp(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
}

/** Compiles the configured routes, in order. */
export function compileRoutes(routes: Config['routes']): Route[] {
  return routes.map((route, index) => ({
    index,
    site: route.match.site,
    worker: route.match.worker === undefined ? undefined : globToRegExp(route.match.worker),
    lessee: route.lessee,
    pools: route.pools,
  }));
}

/** The first route that takes this worker name at this site; undefined when none does. */
export function findRoute(routes: readonly Route[], site: string, worker: string): Route | undefined {
  return routes.find(
    (route) => (route.site === undefined || route.site === site) && (route.worker === undefined || route.worker.test(worker)),
  );
}

/** Names of all pools a session of this site could be routed to, in order of first mention. */
export function reachablePools(routes: readonly Route[], site: string): string[] {
  const pools = routes.filter((route) => route.site === undefined || route.site === site).flatMap((route) => route.pools);
  return [...new Set(pools)];
}
