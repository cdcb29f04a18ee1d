/**
 * A new configuration for sessions that are connected. Whoever still has a route keeps the connection, its prefix and its jobs;
 * what its shares count for changes with the next one. Only a session without a route, or whose site is gone, has to leave,
 * at the pace of all closes that we cause.
 */
import type { Config } from '../../config/schema.ts';
import { sessionFacts } from './live-facts.ts';
import { bindInJournal } from './opening.ts';
import { compileRoutes, findRoute, type Route } from './routes.ts';
import type { Session } from './session.ts';
import { Splitting } from './splitting.ts';
import type { FarmState } from './state.ts';

/** What became of the sessions. */
export interface Reconfigured {
  /** They work by another route than before. */
  readonly rerouted: number;
  /** They must leave. */
  readonly leaving: number;
}

/** Routes as they are to be; one that has not changed stays the very same, and with it all that refers to it. */
function routesAfter(before: readonly Route[], config: Config): Route[] {
  const known = new Map(before.map((route) => [JSON.stringify(route), route]));
  return compileRoutes(config.routes).map((route) => known.get(JSON.stringify(route)) ?? route);
}

/** Puts `config` in force for all that is decided from now on. Links are the pools' affair. */
export function reconfigure(state: FarmState, config: Config): Reconfigured {
  const { routes, splitting } = state;
  state.config = config;
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
  const route = findRoute(state.routes, session, first.worker);
  // All names of a connection take one route.
  if (route === undefined || session.binds.some(({ worker }) => findRoute(state.routes, session, worker) !== route)) {
    session.leaving = true;
    return 'leaves';
  }
  if (route === session.route) return 'stays';
  session.route = route;
  session.resumedRoute = undefined;
  state.splitting.placed(session, route);
  rebind(state, session, route.lessee);
  return 'rerouted';
}

/** What is under way refers to the names as they were; what comes from now on is the new lessee's. */
function rebind(state: FarmState, session: Session, lessee: string): void {
  if (session.binds.every((bind) => bind.lessee === lessee)) return;
  const facts = [...sessionFacts(session, state.now.wallMs)];
  session.binds.forEach((bind, index) => {
    const renamed = { ...bind, lessee };
    session.binds[index] = bind.number === 0 ? renamed : bindInJournal(state, session, renamed);
  });
  state.departed.add(facts, state.lastSequence, () => session.pendingPool > 0);
}
