/** What machines say, led to whoever handles it, and the time limits of their connections. */
import { formatError, formatResult, type DownstreamMessage } from '../protocol/downstream.ts';
import type { Delivery } from './delivery.ts';
import { closeSession, flushRejects } from './ending.ts';
import { Grants } from './grants.ts';
import { ceilingOf } from './lease-terms.ts';
import { Names } from './names.ts';
import type { Placement } from './placement.ts';
import { Session } from './session.ts';
import { Shares } from './shares.ts';
import type { FarmState } from './state.ts';
import { SESSION_TABLE } from './states.ts';

type Of<K extends DownstreamMessage['kind']> = Extract<DownstreamMessage, { kind: K }>;

const SWEEP_MS = 5000;
const REJECTS_FLUSH_MS = 10_000;

export class Miners {
  private readonly state: FarmState;
  private readonly placement: Placement;
  private readonly shares: Shares;
  private readonly grants: Grants;
  private readonly names: Names;
  private lastSweepMono = 0;
  private lastFlushMono = 0;

  constructor(state: FarmState, delivery: Delivery, placement: Placement) {
    this.state = state;
    this.placement = placement;
    this.shares = new Shares(state);
    this.grants = new Grants(state, delivery, placement);
    this.names = new Names(state, placement);
  }

  /** Undefined when a limit forbids it; the driver then closes the socket. */
  connected(site: string, listener: string, address: string): Session | undefined {
    const { state } = this;
    const { sessionsMax, sessionsPerAddressMax } = state.config.limits;
    const host = address.slice(0, address.lastIndexOf(':'));
    const fromHost = state.byHost.get(host) ?? 0;
    if (state.sessions.size >= sessionsMax || fromHost + (state.hostsElsewhere.get(host) ?? 0) >= sessionsPerAddressMax) return undefined;
    state.byHost.set(host, fromHost + 1);
    state.counters.connects += 1;
    const session = new Session(state.nextSession(), site, listener, address, state.now.monoMs);
    state.sessions.add(session);
    return session;
  }

  message(session: Session, message: DownstreamMessage): void {
    this.state.counters.downstreamMessages += 1;
    session.lastInputMono = this.state.now.monoMs;
    const action = SESSION_TABLE[session.state][message.kind];
    switch (action) {
      case 'judge':
        this.shares.submit(session, message as Of<'submit'>);
        return;
      case 'malformed-share':
        this.malformed(session, message as Of<'bad-submit'>);
        return;
      case 'not-subscribed':
        this.say(session, formatError((message as Of<'submit'>).id, 25, 'Not subscribed'));
        return;
      case 'not-authorised':
        this.shares.refuse(session, undefined, message as Of<'submit' | 'bad-submit'>, 'unauthorised');
        return;
      case 'grant':
        this.grants.configure(session, message as Of<'configure'>);
        return;
      case 'subscribe':
        this.grants.subscribe(session, message as Of<'subscribe'>);
        return;
      case 'repeat-subscribe':
        this.grants.repeat(session, message as Of<'subscribe'>);
        return;
      case 'authorize':
        this.names.authorize(session, message as Of<'authorize'>);
        return;
      case 'suggest':
        this.names.suggest(session, message as Of<'suggest-difficulty' | 'suggest-target'>);
        return;
      case 'close':
        closeSession(this.state, session, `not Stratum: ${(message as Of<'garbage'>).reason}`);
        return;
      case 'ignore':
        return;
      case 'extranonce':
      case 'transactions':
      case 'pong':
      case 'refuse-method':
      case 'refuse-malformed':
        this.service(session, message);
        return;
      default:
        return action satisfies never;
    }
  }

  private say(session: Session, lines: string): void {
    this.state.sink.toSession(session, lines);
  }

  private service(session: Session, message: DownstreamMessage): void {
    switch (message.kind) {
      case 'extranonce-subscribe':
        session.takesExtranonce = true;
        this.say(session, formatResult(message.id, true));
        if (session.homeless) this.placement.settle(session);
        return;
      case 'get-transactions':
        this.say(session, formatResult(message.id, []));
        return;
      case 'ping':
        this.say(session, formatResult(message.id, 'pong'));
        return;
      case 'unsupported':
        if (!message.silent) this.say(session, formatError(message.id, 20, 'Unsupported method'));
        return;
      case 'malformed':
        this.say(session, formatError(message.id, 20, message.reason));
        return;
      default:
    }
  }

  private malformed(session: Session, message: Of<'bad-submit'>): void {
    const bind = message.username === undefined ? session.binds[0] : session.bindOf(message.username);
    if (bind === undefined) this.shares.refuse(session, undefined, message, 'unauthorised');
    else this.shares.refuse(session, bind, message, 'malformed', undefined, message.reason);
  }

  /** Writes down all rejects that were only counted. */
  flushRejects(): void {
    for (const session of this.state.sessions) flushRejects(this.state, session);
  }

  tick(): void {
    const { now, resumable, sessions } = this.state;
    if (now.monoMs - this.lastFlushMono >= REJECTS_FLUSH_MS) {
      this.lastFlushMono = now.monoMs;
      this.flushRejects();
      for (const [id, kept] of resumable) {
        if (kept.untilMono >= now.monoMs) break;
        resumable.delete(id);
      }
      this.state.successors.sweep();
    }
    if (now.monoMs - this.lastSweepMono < SWEEP_MS) return;
    this.lastSweepMono = now.monoMs;
    for (const session of sessions) this.sweep(session);
  }

  private sweep(session: Session): void {
    const { config, now } = this.state;
    const { timeouts, difficulty } = config;
    if (session.state !== 'mining') {
      if (now.monoMs - session.openedMono >= timeouts.unauthenticatedMs) closeSession(this.state, session, 'not authorised in time');
      return;
    }
    this.names.reconsider(session);
    // A machine without work has nothing to say: its silence counts from when its pool lived.
    const { link } = session;
    const talksSince = link?.state === 'live' ? Math.max(session.lastInputMono, link.liveSinceMono ?? 0) : now.monoMs;
    if (now.monoMs - talksSince >= timeouts.idleMs) {
      closeSession(this.state, session, 'idle');
      return;
    }
    // A machine may rest on the last work of a dead pool: were its silence counted, a whole farm would come back as a flood.
    if (link?.state !== 'live') session.vardiff?.idle(now.monoMs);
    session.vardiff?.retarget(difficulty, ceilingOf(this.state, session) ?? difficulty.maxExponent, now.monoMs);
  }
}
