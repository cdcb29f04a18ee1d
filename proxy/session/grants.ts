/** What machines are granted at configure and subscribe: version bits, a prefix, and their old session when they come back. */
import { ceilExponent } from './names.ts';
import { formatConfigureResult, formatError, formatSubscribeResult, type DownstreamMessage } from '../protocol/downstream.ts';
import type { Delivery } from './delivery.ts';
import { closeSession } from './ending.ts';
import { layoutFor, poolsOf, siteMask, type Layout } from './layouts.ts';
import { difficultyFacts } from './live-facts.ts';
import { openInJournal } from './opening.ts';
import type { Placement } from './placement.ts';
import type { Placed } from './prefixes.ts';
import { isRepeated } from './repeats.ts';
import { makeSessionId, readSessionId } from './run.ts';
import type { Session } from './session.ts';
import type { FarmState, Resumable } from './state.ts';

type Of<K extends DownstreamMessage['kind']> = Extract<DownstreamMessage, { kind: K }>;

/** The longest user agents seen are half of this; the rest of a line of 16 KiB is not worth keeping for every session. */
const USER_AGENT_CHARACTERS_MAX = 256;

export class Grants {
  private readonly state: FarmState;
  private readonly delivery: Delivery;
  private readonly placement: Placement;

  constructor(state: FarmState, delivery: Delivery, placement: Placement) {
    this.state = state;
    this.delivery = delivery;
    this.placement = placement;
  }

  configure(session: Session, message: Of<'configure'>): void {
    const { extensions, minimumDifficulty } = message;
    const rolls = extensions.includes('version-rolling');
    if (rolls) {
      session.grantedMask ??= siteMask(this.state, session.site);
      session.grantedMask = (session.grantedMask & message.versionMask) >>> 0;
      session.toldMask = session.grantedMask;
    }
    if (extensions.includes('subscribe-extranonce')) session.takesExtranonce = true;
    if (extensions.includes('minimum-difficulty') && minimumDifficulty !== undefined) {
      session.floorExponent = minimumDifficulty === 0 ? undefined : ceilExponent(minimumDifficulty);
    }
    const grant = { versionMask: session.grantedMask ?? 0, minimumDifficulty: minimumDifficulty !== undefined, subscribeExtranonce: true };
    this.state.sink.toSession(session, formatConfigureResult(message.id, extensions, grant));
    // Its link may grant less than was just told: that goes before the next job.
    if (rolls) this.delivery.again(session);
  }

  subscribe(session: Session, message: Of<'subscribe'>): void {
    const { state } = this;
    // Cut by way of bytes: a slice of a string keeps all of it alive.
    session.userAgent = Buffer.from(message.userAgent.slice(0, USER_AGENT_CHARACTERS_MAX)).toString();
    const resumed = this.resume(session, message.sessionId);
    const layout = resumed ? undefined : layoutFor(state, session);
    if (layout !== undefined && !this.bring(session, message.sessionId, layout) && !this.givePrefix(session, layout)) {
      state.sink.toSession(session, formatError(message.id, 20, 'No extranonce left'));
      closeSession(state, session, 'no prefix left');
      return;
    }
    state.bySessionId.set(session.sessionId, session);
    openInJournal(state, session);
    // Late shares of the jobs it had before count at the k they were sent with.
    if (session.hadWork) for (const fact of difficultyFacts(session, state.now.wallMs)) state.journal(fact);
    session.state = session.state === 'authorised' ? 'mining' : 'subscribed';
    this.subscribeResult(session, message);
    this.placement.settle(session);
  }

  /** The same answer again; a machine that asks twice is waiting for work. */
  repeat(session: Session, message: Of<'subscribe'>): void {
    this.subscribeResult(session, message);
    this.delivery.again(session);
  }

  private subscribeResult(session: Session, { id }: Of<'subscribe'>): void {
    const prefix = Buffer.from(session.prefix).toString('hex');
    this.state.sink.toSession(session, formatSubscribeResult(id, session.sessionId, prefix, session.extranonce2Bytes));
  }

  private givePrefix(session: Session, layout: Layout): boolean {
    const { state } = this;
    const { prefixBytes } = layout;
    const { monoMs } = state.now;
    const placed = state.prefixes.allocate(prefixBytes, monoMs, true) ?? this.succeed(session, layout) ?? state.prefixes.allocate(prefixBytes, monoMs);
    if (placed === undefined) return false;
    const { prefix, plane } = placed;
    session.prefix = prefix;
    session.plane = plane;
    session.extranonce2Bytes = layout.extranonce2Bytes;
    session.sessionId = makeSessionId(state.run, session.site, prefix, layout.extranonce2Bytes, (bytes) => state.random.bytes(bytes));
    return true;
  }

  /** The place of an ended session of its address, whose jobs it then has too. Under an id of its own: that machine may come back. */
  private succeed(session: Session, layout: Layout): Placed | undefined {
    const { state } = this;
    const earlier = state.successors.take(session, layout);
    if (earlier === undefined || !state.prefixes.reserve(earlier, earlier.sessionId)) return undefined;
    state.resumable.delete(earlier.sessionId);
    session.inherit(earlier);
    return earlier;
  }

  /**
   * A machine that was with another run keeps its prefix; jobs of that run are none of ours, so it gets new ones. Not so where
   * the prefix had work of ours that may still count: without that work's difficulties it could choose them anew (decision 006).
   */
  private bring(session: Session, sessionId: string | undefined, layout: Layout): boolean {
    const { state } = this;
    // One that was here gets a new prefix where it could not be resumed.
    if (sessionId === undefined || state.bySessionId.has(sessionId) || state.resumable.has(sessionId)) return false;
    const read = readSessionId(state.run, session.site, sessionId);
    if (read?.layout.prefixBytes !== layout.prefixBytes || read.layout.extranonce2Bytes !== layout.extranonce2Bytes) return false;
    if (this.meetsRepeated(session)) return false;
    if (!state.prefixes.bring(read.prefix, state.now.monoMs)) return false;
    session.prefix = read.prefix;
    session.extranonce2Bytes = layout.extranonce2Bytes;
    session.sessionId = sessionId;
    state.counters.resumptions += 1;
    state.sink.broughtHere(sessionId);
    return true;
  }

  /** A machine that comes back with its session id keeps its prefix and its jobs; its old socket is closed first. */
  private resume(session: Session, sessionId: string | undefined): boolean {
    const { state } = this;
    const earlier = this.resumable(session, sessionId);
    if (earlier === undefined || (state.prefixes.isStray(earlier.prefix) && this.meetsRepeated(session))) return false;
    if (!state.prefixes.reserve(earlier, earlier.sessionId)) return false;
    state.resumable.delete(earlier.sessionId);
    state.counters.resumptions += 1;
    session.sessionId = earlier.sessionId;
    session.prefix = earlier.prefix;
    session.plane = earlier.plane;
    session.extranonce2Bytes = earlier.extranonce2Bytes;
    session.grantedMask ??= earlier.grantedMask;
    session.inherit(earlier);
    return true;
  }

  /** One of its pools has given us the extranonce1 that another run has had: there it needs a prefix that no other run had. */
  private meetsRepeated(session: Session): boolean {
    const { state } = this;
    const pools = poolsOf(state, session);
    for (const link of state.links.values()) {
      if (link.subscribedWall > 0 && link.state !== 'ended' && pools.includes(link.pool) && isRepeated(state, link)) return true;
    }
    return false;
  }

  private resumable(session: Session, sessionId: string | undefined): Session | undefined {
    const { state } = this;
    if (sessionId === undefined) return undefined;
    const living = state.bySessionId.get(sessionId);
    if (living !== undefined && living.site !== session.site) return undefined;
    if (living !== undefined) closeSession(state, living, 'resumed on a new connection');
    const kept: Resumable | undefined = state.resumable.get(sessionId);
    if (kept === undefined || kept.session.site !== session.site || kept.untilMono < state.now.monoMs) return undefined;
    // It was closed to get another layout.
    return kept.session.homeless ? undefined : kept.session;
  }
}
