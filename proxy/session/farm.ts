/**
 * The routing between machines and pools: events in, effects out through the `Sink`. One instance per proxy process.
 * `miners.ts` handles what machines say, `pools.ts` what pools say; they share the state in `state.ts`.
 */
import type { Config } from '../../config/schema.ts';
import type { DownstreamMessage } from '../protocol/downstream.ts';
import type { UpstreamMessage } from '../protocol/upstream.ts';
import { Delivery } from './delivery.ts';
import { Drain } from './drain.ts';
import { closeSession, endSession, knownWishes, learnWishes } from './ending.ts';
import type { Fact, LeaseTermsFact, Unadmitted } from './facts.ts';
import { Jobs } from './jobs.ts';
import { knowsEverySite } from './layouts.ts';
import { journalTerms } from './lease-terms.ts';
import type { Link } from './link.ts';
import { liveFacts } from './live-facts.ts';
import { Miners } from './miners.ts';
import { Placement } from './placement.ts';
import { Pools } from './pools.ts';
import { reconfigure, type Reconfigured } from './reconfigure.ts';
import { prefixIn } from './run.ts';
import type { Session } from './session.ts';
import type { Now } from './sink.ts';
import type { Splitting } from './splitting.ts';
import { FarmState, type FarmOptions } from './state.ts';
import { Verdicts } from './verdicts.ts';

const BOOK_SWEEP_MS = 30_000;

export class Farm {
  readonly state: FarmState;
  private readonly delivery: Delivery;
  private readonly verdicts: Verdicts;
  private readonly miners: Miners;
  private readonly pools: Pools;
  private lastPulseMono: number;
  private lastSweepMono = 0;
  private stopped = false;

  constructor(options: FarmOptions, now: Now) {
    this.state = new FarmState(options, now);
    this.lastPulseMono = now.monoMs;
    this.delivery = new Delivery(this.state);
    this.verdicts = new Verdicts(this.state);
    const placement = new Placement(this.state, this.delivery);
    const jobs = new Jobs(this.state, this.delivery, placement);
    this.pools = new Pools(this.state, { delivery: this.delivery, jobs, placement, verdicts: this.verdicts });
    this.miners = new Miners(this.state, this.delivery, placement);
  }

  /** Writes down which leases there are, and begins dialling the pools. */
  start(now: Now, leases: readonly LeaseTermsFact[] = []): void {
    this.leases(leases, now);
    this.pools.dialDue();
  }

  /** From now on these are all the leases there are. */
  leases(leases: readonly LeaseTermsFact[], now: Now): void {
    this.state.now = now;
    journalTerms(this.state, leases);
  }

  /** Another configuration, and the leases it has, from this moment on. */
  reconfigure(config: Config, leases: readonly LeaseTermsFact[], now: Now): Reconfigured {
    this.state.now = now;
    // Routes may be by leases that come with them.
    this.leases(leases, now);
    const outcome = reconfigure(this.state, config);
    this.pools.reconfigure();
    return outcome;
  }

  /** Whether subscribing machines can be granted the right layout and mask: some pool of every site is known. */
  get knowsPools(): boolean {
    return knowsEverySite(this.state);
  }

  get splits(): Splitting {
    return this.state.splitting;
  }

  /** `listener`: the `host:port` it came to, as configured. Undefined when a limit forbids one more session; the driver then closes the socket. */
  connected(site: string, address: string, now: Now, listener = ''): Session | undefined {
    this.state.now = now;
    return this.stopped ? undefined : this.miners.connected(site, listener, address);
  }

  message(session: Session, message: DownstreamMessage, now: Now): void {
    if (this.stopped) return;
    this.state.now = now;
    this.miners.message(session, message);
  }

  disconnected(session: Session, reason: string, now: Now): void {
    if (this.stopped) return;
    this.state.now = now;
    endSession(this.state, session, reason);
  }

  /**
   * A machine of ours came to another run at `atMs`: its old connection, should it still stand, is nobody's. The word may be late,
   * and the machine here again: that connection is its own.
   */
  takenElsewhere(sessionId: string, atMs: number, now: Now): void {
    this.state.now = now;
    this.state.prefixes.strayed(prefixIn(sessionId));
    const session = this.state.bySessionId.get(sessionId);
    if (session !== undefined && session.subscribedWall <= atMs && !this.stopped) closeSession(this.state, session, 'resumed on a new connection');
  }

  linkOpened(link: Link, now: Now): void {
    if (this.stopped) return;
    this.state.now = now;
    link.opened(now);
  }

  linkMessage(link: Link, message: UpstreamMessage, now: Now): void {
    if (this.stopped) return;
    this.state.now = now;
    this.state.counters.upstreamMessages += 1;
    if (message.kind === 'malformed') this.state.counters.poolLinesRefused += 1;
    link.message(message, now);
  }

  /** So much is unread by the pool that lines begin to pile up. */
  linkBlocked(link: Link, now: Now): void {
    link.outbox.blocked(now);
  }

  linkUnblocked(link: Link, now: Now): void {
    if (this.stopped) return;
    this.state.now = now;
    link.outbox.unblocked();
  }

  linkClosed(link: Link, reason: string, now: Now): void {
    if (this.stopped) return;
    this.state.now = now;
    link.closed(reason);
  }

  durable(sequence: number, now: Now): void {
    this.state.durableSequence = sequence;
    this.state.replies.durable(sequence, now.monoMs);
  }

  /** What was appended up to `toSequence` and is not durable will not be: it is answered all the same, and admitted. */
  unjournaled(toSequence: number, now: Now): void {
    this.state.durableSequence = toSequence;
    this.state.replies.lost(toSequence, now.monoMs);
  }

  /** Counts left behind by a process that is gone, to be admitted by this one. */
  inherit(entries: readonly Unadmitted[]): void {
    this.state.replies.owe(entries);
  }

  /** To be called every second or so. */
  tick(now: Now): void {
    if (this.stopped) return;
    const { state } = this;
    state.now = now;
    this.pools.tick();
    this.miners.tick();
    this.delivery.tick(this.links());
    state.replies.admit(now.wallMs);
    state.departed.sweep(state.durableSequence, state.lastSequence);
    if (now.monoMs - this.lastSweepMono >= BOOK_SWEEP_MS) {
      this.lastSweepMono = now.monoMs;
      state.book.sweep();
    }
    this.pulse();
  }

  private pulse(): void {
    const { now, sessions } = this.state;
    const observedMs = Math.round(now.monoMs - this.lastPulseMono);
    this.lastPulseMono += observedMs;
    this.state.journal({ type: 'pulse', observedMs, sessions: sessions.size, atMs: now.wallMs });
  }

  /** Begins to take the machines away over `overMs`; call the result every 50 ms or so, until it says that nothing is left to do. */
  beginDrain(overMs: number, now: Now): (now: Now) => boolean {
    const drain = new Drain(this.state, overMs, now);
    return (later) => {
      this.state.now = later;
      return this.stopped || drain.step();
    };
  }

  /** Difficulties that machines were found to need, by name, for the process that serves them next. */
  wishes(): [worker: string, exponent: number][] {
    return knownWishes(this.state);
  }

  learnWishes(wishes: readonly (readonly [worker: string, exponent: number])[]): void {
    learnWishes(this.state, wishes);
  }

  /** Notes sessions at other processes by remote address; returns those here, of addresses with at least `least`. */
  hosts(elsewhere: ReadonlyMap<string, number>, least: number): Record<string, number> {
    this.state.hostsElsewhere = elsewhere;
    return Object.fromEntries([...this.state.byHost].filter(([, sessions]) => sessions >= least));
  }

  /** All that a new journal segment must begin with. */
  liveFacts(): Iterable<Fact> {
    return liveFacts(this.state);
  }

  /** Links as they are, for `status` and metrics. */
  links(): Link[] {
    return [...this.state.links.values()];
  }

  /** Links that are to be dialled again. */
  waitingLinks(): { pool: string; url: string; reconnects: number; lastError: string }[] {
    return this.pools.waiting();
  }

  /** How often a link to this pool was made anew. */
  reconnects(pool: string): number {
    return this.pools.reconnects.get(pool) ?? 0;
  }

  linkStatus(link: Link): { reconnects: number; lastError: string } {
    return this.pools.status(link);
  }

  /**
   * Last facts before the process ends: verdicts that will not come any more, counts and time not yet written down. Whatever
   * arrives afterwards is not heard: it could not be journaled before it is answered.
   */
  stop(now: Now): void {
    const { state } = this;
    state.now = now;
    for (const link of state.links.values()) this.verdicts.abandon(link);
    this.miners.flushRejects();
    state.replies.admit(now.wallMs);
    this.pulse();
    this.stopped = true;
  }
}
