/** Which way a session's work goes: by its names, where it stands, and the leases its machine is under at present. */
import { leaseIds } from './leases.ts';
import { findRoute, type Route } from './routes.ts';
import type { Session } from './session.ts';
import type { FarmState } from './state.ts';

/** Ids of the leases that a name of a session is under now. */
export function leasesOf(state: FarmState, session: Session, worker: string): readonly string[] {
  return leaseIds(state.leases.inForce(worker, session.site, session.address, state.now.wallMs).leases);
}

/** The route that a name of a session takes now; undefined when none does. */
export function routeOf(state: FarmState, { site, listener, userAgent }: Session, worker: string, leases: readonly string[]): Route | undefined {
  return findRoute(state.routes, { site, listener, userAgent, leases }, worker);
}

/** Its route from now on, and the lease whose links it is to be on. */
export function travel(state: FarmState, session: Session, route: Route, leases: readonly string[]): void {
  const { outlets, splitting } = state;
  const before = session.route;
  session.route = route;
  session.leases = leases;
  session.lease = leases.find((lease) => outlets.hasOwn(lease)) ?? '';
  // So that the ones that stand by are connected too.
  for (const pool of route.pools) outlets.of(pool, session);
  if (before !== route) splitting.placed(session, route, before ?? session.resumedRoute);
}
