/** What machines say, and what follows from it. */
import { exponentFloor } from '../mining/difficulty.ts';
import { Vardiff } from '../mining/vardiff.ts';
import {
  formatConfigureResult,
  formatError,
  formatResult,
  formatSetExtranonce,
  formatSubscribeResult,
  type DownstreamMessage,
} from '../protocol/downstream.ts';
import { passwordOptions } from '../protocol/password.ts';
import type { Delivery } from './delivery.ts';
import type { FarmState } from './farm.ts';
import type { Link } from './link.ts';
import { bindFact, sessionFact } from './live-facts.ts';
import type { Pools } from './pools.ts';
import { findRoute } from './routes.ts';
import { Session } from './session.ts';
import { Shares } from './shares.ts';
import { SESSION_TABLE } from './states.ts';

type Of<K extends DownstreamMessage['kind']> = Extract<DownstreamMessage, { kind: K }>;

const SWEEP_MS = 5000;
const REJECTS_FLUSH_MS = 10_000;
const REMEMBERED_MAX = 300_000;
const RESUMABLE_MAX = 100_000;

export class Miners {
  private readonly state: FarmState;
  private readonly delivery: Delivery;
  private readonly pools: Pools;
  private readonly shares: Shares;
  private readonly byAddress = new Map<string, number>();
  /** Last wish per worker name, so that a reconnecting machine does not start over. */
  private readonly remembered = new Map<string, number>();
  private lastSweepMono = 0;
  private lastFlushMono = 0;
  private closeBudget = 0;

  constructor(state: FarmState, delivery: Delivery, pools: Pools) {
    this.state = state;
    this.delivery = delivery;
    this.pools = pools;
    this.shares = new Shares(state, pools);
  }

  /** Undefined when a limit forbids it; the driver then closes the socket. */
  connected(site: string, address: string): Session | undefined {
    const { state } = this;
    const host = address.slice(0, address.lastIndexOf(':'));
    const fromHost = this.byAddress.get(host) ?? 0;
    if (state.sessions.size >= state.config.limits.sessionsMax || fromHost >= state.config.limits.sessionsPerAddressMax) return undefined;
    this.byAddress.set(host, fromHost + 1);
    state.counters.connects += 1;
    const session = new Session(state.nextSession, site, address, state.now.monoMs);
    state.nextSession += 1;
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
        this.configure(session, message as Of<'configure'>);
        return;
      case 'subscribe':
        this.subscribe(session, message as Of<'subscribe'>);
        return;
      case 'repeat-subscribe':
        this.say(session, this.subscribeResult(session, message as Of<'subscribe'>));
        return;
      case 'authorize':
        this.authorize(session, message as Of<'authorize'>);
        return;
      case 'suggest':
        this.suggest(session, message as Of<'suggest-difficulty' | 'suggest-target'>);
        return;
      case 'close':
        this.close(session, `not Stratum: ${(message as Of<'garbage'>).reason}`);
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
        action satisfies never;
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
        if (session.homeless) this.settle(session);
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
    this.shares.refuse(session, bind, message, bind === undefined ? 'unauthorised' : 'malformed', undefined, bind === undefined ? undefined : message.reason);
  }

  private configure(session: Session, message: Of<'configure'>): void {
    if (message.extensions.includes('version-rolling')) {
      session.grantedMask ??= this.pools.siteMask(session.site);
      session.grantedMask = (session.grantedMask & message.versionMask) >>> 0;
      session.toldMask = session.grantedMask;
    }
    if (message.extensions.includes('subscribe-extranonce')) session.takesExtranonce = true;
    const minimum = message.minimumDifficulty;
    if (message.extensions.includes('minimum-difficulty') && minimum !== undefined) session.floorExponent = ceilExponent(minimum);
    const grant = { versionMask: session.grantedMask ?? 0, minimumDifficulty: minimum !== undefined, subscribeExtranonce: true };
    this.say(session, formatConfigureResult(message.id, message.extensions, grant));
  }

  private subscribe(session: Session, message: Of<'subscribe'>): void {
    const { state } = this;
    session.userAgent = message.userAgent;
    if (!this.resume(session, message.sessionId) && !this.givePrefix(session, this.pools.layoutFor(session.site))) {
      this.say(session, formatError(message.id, 20, 'No extranonce left'));
      this.close(session, 'no prefix left');
      return;
    }
    if (session.sessionId === '') session.sessionId = Buffer.from(state.random.bytes(16)).toString('hex');
    state.bySessionId.set(session.sessionId, session);
    this.openInJournal(session);
    session.state = session.state === 'authorised' ? 'mining' : 'subscribed';
    this.say(session, this.subscribeResult(session, message));
    if (session.state === 'mining') this.settle(session);
  }

  private subscribeResult(session: Session, message: Of<'subscribe'>): string {
    return formatSubscribeResult(message.id, session.sessionId, Buffer.from(session.prefix).toString('hex'), session.extranonce2Bytes);
  }

  private givePrefix(session: Session, layout: { prefixBytes: number; extranonce2Bytes: number }): boolean {
    const prefix = this.state.prefixes.get(layout.prefixBytes)?.allocate(this.state.now.monoMs);
    if (prefix === undefined) return false;
    session.prefix = prefix;
    session.extranonce2Bytes = layout.extranonce2Bytes;
    return true;
  }

  /** A machine that comes back with its session id keeps its prefix and its jobs; its old socket is closed first. */
  private resume(session: Session, sessionId: string | undefined): boolean {
    const { state } = this;
    if (sessionId === undefined || sessionId.length !== 32) return false;
    const other = state.bySessionId.get(sessionId);
    if (other !== undefined) this.close(other, 'resumed on a new connection');
    const kept = state.resumable.get(sessionId);
    if (kept === undefined || kept.session.site !== session.site || kept.untilMono < state.now.monoMs) return false;
    const earlier = kept.session;
    if (state.prefixes.get(earlier.prefix.length)?.reserve(earlier.prefix) !== true) return false;
    state.resumable.delete(sessionId);
    state.counters.resumptions += 1;
    session.sessionId = sessionId;
    session.prefix = earlier.prefix;
    session.extranonce2Bytes = earlier.extranonce2Bytes;
    session.grantedMask ??= earlier.grantedMask;
    session.inherit(earlier);
    return true;
  }

  private openInJournal(session: Session): void {
    const { state } = this;
    session.subscribedWall = state.now.wallMs;
    state.sink.journal(sessionFact(session, state.now.wallMs));
    for (const bind of session.binds) this.bindInJournal(session, bind);
  }

  private bindInJournal(session: Session, bind: Session['binds'][number]): void {
    bind.number = this.state.nextBind;
    this.state.nextBind += 1;
    this.state.sink.journal(bindFact(session, bind, this.state.now.wallMs));
  }

  private authorize(session: Session, message: Of<'authorize'>): void {
    const { state } = this;
    const { username: worker } = message;
    if (session.bindOf(worker) !== undefined) {
      this.say(session, formatResult(message.id, true));
      return;
    }
    const route = findRoute(state.routes, session.site, worker);
    const refusal = this.whyNot(session, route);
    if (refusal !== undefined || route === undefined) {
      this.say(session, formatError(message.id, 24, refusal ?? 'Unauthorized worker'));
      state.sink.log('info', 'name refused', { worker, site: session.site, why: refusal });
      return;
    }
    const bind = { number: 0, worker, lessee: route.lessee };
    session.binds.push(bind);
    if (session.state === 'subscribed' || session.state === 'mining') this.bindInJournal(session, bind);
    const first = session.route === undefined;
    if (first) this.firstName(session, route, worker, message.password);
    this.say(session, formatResult(message.id, true));
    if (!first) return;
    session.state = session.state === 'subscribed' ? 'mining' : 'authorised';
    if (session.state === 'mining') this.settle(session);
  }

  private whyNot(session: Session, route: Session['route']): string | undefined {
    if (route === undefined) return 'Unauthorized worker: no route for this name';
    if (session.route !== undefined && session.route !== route) return 'Unauthorized worker: this connection works for another route';
    if (session.binds.length >= this.state.config.limits.workersPerSessionMax) return 'Unauthorized worker: too many names';
    return undefined;
  }

  private firstName(session: Session, route: NonNullable<Session['route']>, worker: string, password: string): void {
    session.route = route;
    const asked = passwordOptions(password);
    if (asked.difficulty !== undefined) session.fixedExponent = exponentFloor(asked.difficulty);
    if (asked.minimumDifficulty !== undefined) session.floorExponent = ceilExponent(asked.minimumDifficulty);
    const start = session.suggestedExponent ?? this.remembered.get(worker) ?? this.state.config.difficulty.startExponent;
    const { minExponent, maxExponent } = this.state.config.difficulty;
    session.vardiff = new Vardiff(Math.min(Math.max(start, minExponent), maxExponent), this.state.now.monoMs);
  }

  /** A hint for the start; some firmware repeats it every 30 s as its keep-alive, which must change nothing. */
  private suggest(session: Session, message: Of<'suggest-difficulty' | 'suggest-target'>): void {
    const exponent = exponentFloor(message.difficulty);
    if (session.suggestedExponent !== exponent) {
      session.suggestedExponent = exponent;
      const { minExponent, maxExponent } = this.state.config.difficulty;
      if (session.vardiff !== undefined && session.exponent === undefined) {
        session.vardiff = new Vardiff(Math.min(Math.max(exponent, minExponent), maxExponent), this.state.now.monoMs);
      }
    }
    if (message.id !== null) this.say(session, formatResult(message.id, true));
  }

  /** Puts a session that is ready to mine on the best link it fits; without any it waits, connected. */
  private settle(session: Session): void {
    const link = this.pools.bestLink(session);
    if (link === undefined) {
      const other = this.pools.bestLink(session, true);
      if (other === undefined) return;
      if (session.takesExtranonce) this.relayout(session, other);
      else session.homeless = true;
      return;
    }
    if (session.link !== link) this.delivery.join(link, [session], session.link?.state === 'ended');
  }

  /** Gives a session another layout by set_extranonce: for the journal it is a new session, its old jobs end. */
  private relayout(session: Session, link: Link): void {
    const { state } = this;
    const old = session.prefix;
    if (!this.givePrefix(session, this.pools.layoutOn(link))) return;
    state.prefixes.get(old.length)?.release(old, state.now.monoMs);
    state.sink.journal({ type: 'session-end', session: session.number, reason: 'extranonce changed', atMs: state.now.wallMs });
    session.number = state.nextSession;
    state.nextSession += 1;
    session.forgetJobs();
    session.exponent = undefined;
    session.cleanNext = true;
    this.openInJournal(session);
    this.say(session, formatSetExtranonce(Buffer.from(session.prefix).toString('hex'), session.extranonce2Bytes));
    this.delivery.join(link, [session], true);
    session.cleanNext = true;
  }

  private close(session: Session, reason: string): void {
    this.state.sink.closeSession(session, reason);
    this.ended(session, reason);
  }

  ended(session: Session, reason: string): void {
    const { state } = this;
    if (!state.sessions.delete(session)) return;
    session.state = 'closed';
    session.link?.sessions.delete(session);
    const host = session.address.slice(0, session.address.lastIndexOf(':'));
    const left = (this.byAddress.get(host) ?? 1) - 1;
    if (left === 0) this.byAddress.delete(host);
    else this.byAddress.set(host, left);
    this.flushRejectsOf(session);
    const [bind] = session.binds;
    if (bind !== undefined && session.vardiff !== undefined) this.remember(bind.worker, session.vardiff.exponent);
    if (session.sessionId === '') return;
    state.bySessionId.delete(session.sessionId);
    state.prefixes.get(session.prefix.length)?.release(session.prefix, state.now.monoMs);
    const sequence = state.sink.journal({ type: 'session-end', session: session.number, reason, atMs: state.now.wallMs });
    state.lingering.set(session, sequence);
    state.resumable.set(session.sessionId, { session, untilMono: state.now.monoMs + state.config.timeouts.resumeMs });
    if (state.resumable.size > RESUMABLE_MAX) state.resumable.delete(state.resumable.keys().next().value!);
  }

  private remember(worker: string, exponent: number): void {
    this.remembered.delete(worker);
    this.remembered.set(worker, exponent);
    if (this.remembered.size > REMEMBERED_MAX) this.remembered.delete(this.remembered.keys().next().value!);
  }

  private flushRejectsOf(session: Session): void {
    for (const { bind, verdict, count } of session.uncounted.values()) {
      this.state.sink.journal({ type: 'rejects', session: session.number, bind, verdict, count, atMs: this.state.now.wallMs });
    }
    session.uncounted.clear();
  }

  flushRejects(): void {
    for (const session of this.state.sessions) if (session.uncounted.size > 0) this.flushRejectsOf(session);
  }

  tick(): void {
    const { now, resumable, config } = this.state;
    this.closeBudget = Math.min(this.closeBudget + config.timeouts.closesPerSecond, config.timeouts.closesPerSecond);
    if (now.monoMs - this.lastFlushMono >= REJECTS_FLUSH_MS) {
      this.lastFlushMono = now.monoMs;
      this.flushRejects();
      for (const [id, kept] of resumable) {
        if (kept.untilMono >= now.monoMs) break;
        resumable.delete(id);
      }
    }
    if (now.monoMs - this.lastSweepMono < SWEEP_MS) return;
    this.lastSweepMono = now.monoMs;
    for (const session of this.state.sessions) this.sweep(session);
  }

  private sweep(session: Session): void {
    const { config, now } = this.state;
    const { timeouts, difficulty } = config;
    if (session.state !== 'mining') {
      if (now.monoMs - session.openedMono >= timeouts.unauthenticatedMs) this.close(session, 'not authorised in time');
      return;
    }
    if (now.monoMs - session.lastInputMono >= timeouts.idleMs) {
      this.close(session, 'idle');
      return;
    }
    if (session.fixedExponent === undefined) session.vardiff?.retarget(difficulty, difficulty.maxExponent, now.monoMs);
    if (session.link === undefined || session.homeless) this.settle(session);
    if (session.homeless && this.closeBudget > 0) {
      this.closeBudget -= 1;
      this.close(session, 'its extranonce does not fit the pools left');
    }
  }
}

/** The smallest k with 2^k ≥ difficulty: a floor must not be undercut. */
function ceilExponent(difficulty: number): number {
  const floor = exponentFloor(difficulty);
  return 2 ** floor < difficulty ? floor + 1 : floor;
}
