/** Names and wishes of machines: which route a session takes, and the difficulty it would like. */
import { exponentFloor } from '../mining/difficulty.ts';
import { Vardiff } from '../mining/vardiff.ts';
import { formatError, formatResult, type DownstreamMessage } from '../protocol/downstream.ts';
import { passwordOptions } from '../protocol/password.ts';
import { bindInJournal, rebind } from './opening.ts';
import type { Placement } from './placement.ts';
import type { Route } from './routes.ts';
import type { Bind, Session } from './session.ts';
import type { FarmState } from './state.ts';
import { leasesOf, routeOf, travel } from './travel.ts';

type Of<K extends DownstreamMessage['kind']> = Extract<DownstreamMessage, { kind: K }>;

/** Far above what any pool or firmware takes (reference §15). */
const NAME_CHARACTERS_MAX = 1024;
/** Refused names of one session that are logged; a stranger may try for ever. */
const REFUSALS_LOGGED_MAX = 3;

/** The smallest k with 2^k ≥ difficulty: a floor must not be undercut. */
export function ceilExponent(difficulty: number): number {
  const floor = exponentFloor(difficulty);
  return 2 ** floor < difficulty ? floor + 1 : floor;
}

export class Names {
  private readonly state: FarmState;
  private readonly placement: Placement;

  constructor(state: FarmState, placement: Placement) {
    this.state = state;
    this.placement = placement;
  }

  authorize(session: Session, message: Of<'authorize'>): void {
    const { sink } = this.state;
    const { username: worker } = message;
    if (session.bindOf(worker) !== undefined) {
      sink.toSession(session, formatResult(message.id, true));
      return;
    }
    const known = worker.length <= NAME_CHARACTERS_MAX;
    const leases = known ? leasesOf(this.state, session, worker) : [];
    const route = known ? routeOf(this.state, session, worker, leases) : undefined;
    const refusal = this.whyNot(session, route);
    if (refusal !== undefined || route === undefined) {
      sink.toSession(session, formatError(message.id, 24, refusal ?? 'Unauthorized worker'));
      session.refusedNames += 1;
      const name = worker.slice(0, NAME_CHARACTERS_MAX);
      if (session.refusedNames <= REFUSALS_LOGGED_MAX) sink.log('name refused', { worker: name, site: session.site, why: refusal });
      return;
    }
    this.bind(session, { number: 0, worker, lessee: route.lessee, atMs: 0 });
    const first = session.route === undefined;
    if (first) {
      this.firstName(session, worker, message.password);
      travel(this.state, session, route, leases);
    }
    sink.toSession(session, formatResult(message.id, true));
    if (!first) return;
    session.state = session.state === 'subscribed' ? 'mining' : 'authorised';
    this.placement.settle(session);
  }

  /** A lease may have begun or ended for a session's machine: another route, links of a lease, or no longer. */
  reconsider(session: Session): void {
    const [first] = session.binds;
    if (first === undefined || session.route === undefined) return;
    const leases = leasesOf(this.state, session, first.worker);
    if (leases.length === session.leases.length && leases.every((lease, index) => lease === session.leases[index])) return;
    const route = routeOf(this.state, session, first.worker, leases) ?? session.route;
    rebind(this.state, session, route.lessee);
    travel(this.state, session, route, leases);
    this.placement.settle(session);
  }

  private bind(session: Session, bind: Bind): void {
    const open = session.state === 'subscribed' || session.state === 'mining';
    session.binds.push(open ? bindInJournal(this.state, session, bind) : bind);
    session.link?.names?.introduce(bind.worker);
  }

  private whyNot(session: Session, route: Route | undefined): string | undefined {
    if (route === undefined) return 'Unauthorized worker: no route for this name';
    if (session.route !== undefined && session.route !== route) return 'Unauthorized worker: this connection works for another route';
    if (session.binds.length >= this.state.config.limits.workersPerSessionMax) return 'Unauthorized worker: too many names';
    return undefined;
  }

  private firstName(session: Session, worker: string, password: string): void {
    const asked = passwordOptions(password);
    if (asked.difficulty !== undefined) session.fixedExponent = exponentFloor(asked.difficulty);
    if (asked.minimumDifficulty !== undefined) session.floorExponent = ceilExponent(asked.minimumDifficulty);
    // What was measured of it is better known than where its owner would have it start.
    const start = asked.startDifficulty === undefined ? this.state.config.difficulty.startExponent : exponentFloor(asked.startDifficulty);
    this.begin(session, session.suggestedExponent ?? this.state.wishes.get(worker) ?? start);
  }

  private begin(session: Session, exponent: number): void {
    const { config, now } = this.state;
    const { minExponent, maxExponent } = config.difficulty;
    session.vardiff = new Vardiff(Math.min(Math.max(exponent, minExponent), maxExponent), now.monoMs);
    if (session.exponent !== undefined) session.vardiff.told(session.exponent, now.monoMs);
  }

  /**
   * A hint for the start. It often comes just after authorize, when the first job is already on its way; then it counts from
   * the next work on. Some firmware repeats it every 30 s as its keep-alive, which must change nothing.
   */
  suggest(session: Session, message: Of<'suggest-difficulty' | 'suggest-target'>): void {
    const exponent = exponentFloor(message.difficulty);
    if (session.suggestedExponent !== exponent) {
      session.suggestedExponent = exponent;
      if (session.vardiff !== undefined && session.acceptedTotal === 0) this.begin(session, exponent);
    }
    if (message.id !== null) this.state.sink.toSession(session, formatResult(message.id, true));
  }
}
