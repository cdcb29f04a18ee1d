/**
 * A new configuration for sessions that are connected. Whoever still has a route keeps the connection, its prefix and its jobs;
 * what its shares count for changes with the next one. Only a session without a route, or whose site is gone, has to leave,
 * at the pace of all closes that we cause.
 */
import type { Config } from '../../config/schema.ts';
import { slotBytesMax } from './layouts.ts';
import { rebind } from './opening.ts';
import { compileRoutes, type Route } from './routes.ts';
import type { Session } from './session.ts';
import { Splitting } from './splitting.ts';
import type { FarmState } from './state.ts';
import { leasesOf, routeOf, travel } from './travel.ts';

/** What became of the sessions. */
export interface Reconfigured {
  /** They work by another route than before. */
  readonly rerouted: number;
  /** They must leave. */
  readonly leaving: number;
}

/** Routes as they are to be; one that has not changed stays the very same, and with it all that refers to it. */
function routesAfter(before: readonly Route[], config: Config): Route[] {
  const contentOf = (route: Route): string => JSON.stringify({ ...route, index: 0 });
  const known = new Map(before.map((route) => [contentOf(route), route]));
  return compileRoutes(config.routes).map((route) => {
    const same = known.get(contentOf(route));
    if (same === undefined) return route;
    same.index = route.index;
    return same;
  });
}

/** Puts `config` in force for all that is decided from now on. Links are the pools' affair. */
export function reconfigure(state: FarmState, config: Config): Reconfigured {
  const { routes, splitting } = state;
  // Machines keep the layouts that were granted until now.
  slotBytesMax(state);
  state.config = config;
  state.book.jobsPerLinkMax = config.limits.jobsPerLinkMax;
  state.outlets.reconfigure();
  state.routes = routesAfter(routes, config);
  if (state.routes.length !== routes.length || state.routes.some((route, index) => route !== routes[index])) {
    state.splitting = new Splitting(state, splitting.memory());
  }
  let rerouted = 0;
  let leaving = 0;
  for (const session of state.sessions) {
    const outcome = settleAnew(state, session);
    if (outcome === 'rerouted') rerouted += 1;
    if (outcome === 'leaves') leaving += 1;
  }
  return { rerouted, leaving };
}

function settleAnew(state: FarmState, session: Session): 'stays' | 'rerouted' | 'leaves' {
  session.leaving = state.config.sites[session.site] === undefined;
  const [first] = session.binds;
  if (first === undefined || session.leaving) return session.leaving ? 'leaves' : 'stays';
  const leases = leasesOf(state, session, first.worker);
  const route = routeOf(state, session, first.worker, leases);
  // All names of a connection take one route.
  if (route === undefined || session.binds.some(({ worker }) => routeOf(state, session, worker, leasesOf(state, session, worker)) !== route)) {
    session.leaving = true;
    return 'leaves';
  }
  const rerouted = route !== session.route;
  travel(state, session, route, leases);
  if (!rerouted) return 'stays';
  rebind(state, session, route.lessee);
  return 'rerouted';
}
