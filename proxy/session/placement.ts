/** Which link a session works on: failover in order and return, and what is done when its extranonce layout fits none. */
import { formatSetExtranonce } from '../protocol/downstream.ts';
import type { Delivery } from './delivery.ts';
import { closeSession } from './ending.ts';
import { expectReturn, fits, layoutOf, layoutOfRoom } from './layouts.ts';
import type { Link } from './link.ts';
import { sessionFacts } from './live-facts.ts';
import { endInJournal, openInJournal } from './opening.ts';
import { holderKey, type Outlet } from './outlets.ts';
import { isRepeated, suits } from './repeats.ts';
import type { Session } from './session.ts';
import type { FarmState } from './state.ts';

/** Sessions about to join links. */
type Moves = Map<Link, Session[]>;

/** Of an outlet's links the fullest below its cap, so that they stay few; where all are full the least full. */
function roomiest(session: Session, links: readonly Link[], moves: Moves | undefined): Link {
  const loadOf = (link: Link): number => link.sessions.size + (moves?.get(link)?.length ?? 0);
  let chosen = links[0]!;
  for (const link of links) {
    const cap = link.config.aggregation;
    if (link === session.link && link.sessions.size <= cap) return link;
    const [load, least] = [loadOf(link), loadOf(chosen)];
    if (load < cap ? least >= cap || load > least : load < least) chosen = link;
  }
  return chosen;
}

export class Placement {
  private readonly state: FarmState;
  private readonly delivery: Delivery;
  private closeBudget = 0;

  constructor(state: FarmState, delivery: Delivery) {
    this.state = state;
    this.delivery = delivery;
  }

  /** A live link of the first pool of the session's route that has one which `takes` accepts. */
  private firstLive(session: Session, takes: (link: Link) => boolean, moves?: Moves): Link | undefined {
    const { trust, liveLinks, outlets } = this.state;
    const order = session.route?.orders[session.part] ?? [];
    const first = (accepts: (link: Link) => boolean): Link | undefined => {
      for (const pool of order) {
        const links = liveLinks.of(outlets.need(pool, session)).filter(accepts);
        if (links.length > 0) return roomiest(session, links, moves);
      }
      return undefined;
    };
    if (trust.allWell) return first(takes);
    // A pool in trouble is better than none.
    return first((link) => trust.troubleOf(link) === undefined && takes(link)) ?? first(takes);
  }

  /** The first live link of its route that suits it. */
  private bestLink(session: Session, moves?: Moves): Link | undefined {
    return this.firstLive(session, (link) => suits(this.state, session, link), moves);
  }

  /** Nothing can be better: every session is asked each second. */
  private isFirstChoice(session: Session, link: Link): boolean {
    const first = session.route?.orders[session.part]?.[0];
    return first !== undefined && this.state.outlets.keyOf(first, session) === link.outlet.key && link.sessions.size <= link.config.aggregation;
  }

  /** Where a session should move to: to any live link from a dead one, up its order only to a pool that has lived a while. */
  private betterLink(session: Session, moves: Moves): Link | undefined {
    const { now, config, trust, outlets } = this.state;
    const { link: present } = session;
    // A link that its route does not lead to any more is as good as a dead one, and one of a lease is for its machines alone.
    const allowed = present !== undefined && session.route?.pools.includes(present.pool) === true && outlets.keyOf(present.pool, session) === present.outlet.key;
    const onLive = allowed && present.state === 'live' && trust.troubleOf(present) === undefined;
    if (onLive && this.isFirstChoice(session, present)) return undefined;
    const takes = (link: Link): boolean => {
      if (link === session.link) return true;
      if (!suits(this.state, session, link)) return false;
      return !onLive || now.monoMs - trust.goodSince(link) >= config.timeouts.returnStableMs;
    };
    const better = this.firstLive(session, takes, moves);
    return better === session.link ? undefined : better;
  }

  /** Puts a session that is ready to mine on the best link it fits; without any it waits, connected. */
  settle(session: Session): void {
    if (session.state !== 'mining') return;
    const link = this.bestLink(session);
    if (link !== undefined) {
      if (link !== session.link) this.delivery.join(link, [session]);
      return;
    }
    const other = this.firstLive(session, (live) => layoutOfRoom(live.extranonce2Bytes) !== undefined);
    if (other === undefined) session.homelessMono = undefined;
    else if (session.takesExtranonce && this.relayout(session, other)) session.homelessMono = undefined;
    else session.homelessMono ??= this.state.now.monoMs;
  }

  /** Gives a session another layout by set_extranonce: for the journal it is a new session, its old jobs end. */
  private relayout(session: Session, link: Link): boolean {
    const { state } = this;
    const layout = layoutOfRoom(link.extranonce2Bytes);
    const placed = layout && state.prefixes.allocate(layout.prefixBytes, state.now.monoMs);
    if (layout === undefined || placed === undefined) return false;
    const { prefix, plane } = placed;
    state.prefixes.release(session, state.now.monoMs, session.hadWork ? session.sessionId : undefined);
    const facts = [...sessionFacts(session, state.now.wallMs)];
    endInJournal(state, session, facts, 'extranonce changed');
    session.leaveLink();
    session.number = state.nextSession();
    session.prefix = prefix;
    session.plane = plane;
    session.extranonce2Bytes = layout.extranonce2Bytes;
    session.forgetJobs();
    session.exponent = undefined;
    openInJournal(state, session);
    state.sink.toSession(session, formatSetExtranonce(Buffer.from(prefix).toString('hex'), layout.extranonce2Bytes));
    session.cleanNext = true;
    // On another plane than before there may be no link yet: it waits for one.
    const next = this.bestLink(session);
    if (next !== undefined) this.delivery.join(next, [session]);
    return true;
  }

  /** A link that has just come alive takes the sessions that have no live link, and what is above the cap on its like. */
  gather(link: Link): void {
    const idle = [...this.state.sessions].filter(
      (session) => session.state === 'mining' && session.link?.state !== 'live' && this.bestLink(session) === link,
    );
    this.move(link, idle);
    const { aggregation } = link.config;
    for (const other of this.state.liveLinks.of(link.outlet.key)) {
      const above = Math.min(other.sessions.size - aggregation, aggregation - link.sessions.size);
      if (other !== link && above > 0) this.move(link, [...other.sessions].filter((session) => suits(this.state, session, link)).slice(-above));
    }
  }

  /** Sessions of a dead link move at once to the next live one; without any they keep its last work. */
  failOver(dead: Link): void {
    const moves: Moves = new Map();
    for (const session of dead.sessions) this.plan(moves, session, this.bestLink(session, moves));
    for (const [link, sessions] of moves) this.move(link, sessions);
  }

  /** Sessions leave a pool that lives and has lost its trust, where there is a better one. */
  leave(outlet: Outlet): void {
    const moves: Moves = new Map();
    for (const link of this.state.liveLinks.of(outlet.key)) {
      for (const session of link.sessions) {
        const best = this.bestLink(session, moves);
        if (best !== link) this.plan(moves, session, best);
      }
    }
    for (const [better, sessions] of moves) this.move(better, sessions);
  }

  private plan(moves: Moves, session: Session, link: Link | undefined): void {
    if (link === undefined) return;
    const sessions = moves.get(link);
    if (sessions === undefined) moves.set(link, [session]);
    else sessions.push(session);
  }

  private move(link: Link, sessions: readonly Session[]): void {
    if (sessions.length === 0) return;
    this.delivery.join(link, sessions);
    this.state.sink.log('sessions moved', { pool: link.pool, link: link.number, sessions: sessions.length });
  }

  /** Takes the sessions off a link whose pool leaves less room than they need, or has given it an extranonce1 that does not suit them. */
  evict(link: Link): Session[] {
    const { prefixes } = this.state;
    const repeated = isRepeated(this.state, link);
    const evicted = [...link.sessions].filter((session) => !fits(layoutOf(session), link) || (repeated && prefixes.isStray(session.prefix)));
    for (const session of evicted) session.leaveLink();
    return evicted;
  }

  /** Whether an outage of all its pools has lasted so long that its machine had better look elsewhere. */
  private outlasted(session: Session): boolean {
    const { now, config } = this.state;
    const living = session.link?.state === 'live' || this.firstLive(session, () => true) !== undefined;
    session.poollessMono = living ? undefined : (session.poollessMono ?? now.monoMs);
    return session.poollessMono !== undefined && now.monoMs - session.poollessMono >= config.timeouts.outageMs;
  }

  /**
   * Moves sessions to better links, and finds those that have none a place. Paces the closes that this needs. Returns whose
   * links, besides everybody's, there are sessions for: `holderKey` of each.
   */
  tick(): ReadonlySet<string> {
    const { state } = this;
    const { closesPerSecond, returnStableMs } = state.config.timeouts;
    this.closeBudget = closesPerSecond;
    const moves: Moves = new Map();
    const holders = new Set<string>();
    for (const session of state.sessions) {
      if (session.leaving && this.closeBudget > 0) {
        this.closeBudget -= 1;
        closeSession(state, session, 'the configuration has no place for it');
      }
      if (session.state !== 'mining') continue;
      // Links of a lease's own need not be to each pool.
      if (session.lease !== '') holders.add(holderKey(session));
      if (session.plane > 0) holders.add(holderKey({ lease: '', plane: session.plane }));
      const better = this.betterLink(session, moves);
      if (better !== undefined) this.plan(moves, session, better);
      else if (session.link?.state !== 'live') this.settle(session);
      if (this.outlasted(session) && this.closeBudget > 0) {
        this.closeBudget -= 1;
        closeSession(state, session, 'no pool for too long');
        continue;
      }
      if (session.homelessMono === undefined || this.closeBudget === 0) continue;
      // With the work of a dead link in hand a machine may as well wait: its pool may be back in a moment.
      const graceMs = session.link === undefined ? 0 : returnStableMs;
      if (state.now.monoMs - session.homelessMono < graceMs) continue;
      this.closeBudget -= 1;
      expectReturn(state, session);
      closeSession(state, session, 'its extranonce does not fit the pools left');
    }
    for (const [link, sessions] of moves) this.move(link, sessions);
    return holders;
  }
}
