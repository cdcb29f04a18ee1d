/**
 * The routing between machines and pools: events in, effects out through the `Sink`. One instance per proxy process.
 * Shared state lives here; `miners.ts` handles what machines say, `pools.ts` what pools say, `delivery.ts` sends jobs.
 */
import type { Config } from '../../config/schema.ts';
import type { Random } from '../../config/world.ts';
import { PrefixAllocator } from '../mining/extranonce.ts';
import type { DownstreamMessage } from '../protocol/downstream.ts';
import type { UpstreamMessage } from '../protocol/upstream.ts';
import { JobBook } from './book.ts';
import { Delivery } from './delivery.ts';
import type { Fact } from './facts.ts';
import type { Link } from './link.ts';
import { liveFacts } from './live-facts.ts';
import { Miners } from './miners.ts';
import { Pools } from './pools.ts';
import { Replies } from './replies.ts';
import { compileRoutes, type Route } from './routes.ts';
import type { Session } from './session.ts';
import { zeroCounters, type Counters, type Learnt, type Now, type Sink } from './sink.ts';

export interface FarmOptions {
  readonly config: Config;
  readonly random: Random;
  readonly sink: Sink;
  /** Where allocation of prefixes of each length (1–4 bytes) begins in this run; no earlier run used what follows. */
  readonly prefixStart: Readonly<Record<number, number>>;
  /** What pools gave in earlier runs. */
  readonly learnt: ReadonlyMap<string, Learnt>;
}

/** What the parts of the farm share. */
export interface FarmState {
  readonly config: Config;
  readonly random: Random;
  readonly sink: Sink;
  readonly counters: Counters;
  readonly routes: readonly Route[];
  readonly book: JobBook;
  readonly replies: Replies;
  readonly sessions: Set<Session>;
  /** Sessions that ended, by session id, for as long as their machine may resume. */
  readonly resumable: Map<string, { readonly session: Session; readonly untilMono: number }>;
  /** By session id, while the connection lives. */
  readonly bySessionId: Map<string, Session>;
  /** Ended sessions → sequence of their last fact: they stay in the live facts until it is durable and no pool owes them answers. */
  readonly lingering: Map<Session, number>;
  readonly prefixes: Map<number, PrefixAllocator>;
  readonly learnt: Map<string, Learnt>;
  /** The instant of the event being handled. */
  now: Now;
  nextSession: number;
  nextBind: number;
  nextShare: number;
}

const PULSE_MS = 1000;

/** First bytes of prefixes are never zero, so that layouts of different length padded with zeros cannot overlap. */
function allocator(prefixBytes: number, start: number, quarantineMs: number): PrefixAllocator {
  const lowest = 2 ** (8 * (prefixBytes - 1));
  const end = 2 ** (8 * prefixBytes);
  const first = start >= lowest && start < end ? start : lowest;
  return new PrefixAllocator(prefixBytes, first, end - first, quarantineMs);
}

export class Farm {
  readonly state: FarmState;
  private readonly delivery: Delivery;
  private readonly miners: Miners;
  private readonly pools: Pools;
  private lastPulseMono: number;
  private lastSweepMono = 0;
  private durableSequence = 0;

  constructor(options: FarmOptions, now: Now) {
    const { config, random, sink } = options;
    const counters = zeroCounters();
    const bootTag = random.u32().toString(16).padStart(8, '0').slice(0, 4);
    const lengths = [1, 2, 3, 4];
    this.state = {
      config,
      random,
      sink,
      counters,
      routes: compileRoutes(config.routes),
      book: new JobBook(bootTag, config.limits.jobsPerLinkMax, config.limits.duplicatesMax),
      replies: new Replies(sink, counters),
      sessions: new Set(),
      resumable: new Map(),
      bySessionId: new Map(),
      lingering: new Map(),
      prefixes: new Map(
        lengths.map((bytes) => [bytes, allocator(bytes, options.prefixStart[bytes] ?? 0, config.timeouts.prefixQuarantineMs)]),
      ),
      learnt: new Map(options.learnt),
      now,
      nextSession: 1,
      nextBind: 1,
      nextShare: 1,
    };
    this.lastPulseMono = now.monoMs;
    this.delivery = new Delivery(this.state);
    this.pools = new Pools(this.state, this.delivery);
    this.miners = new Miners(this.state, this.delivery, this.pools);
  }

  /** Begins dialling the pools. */
  start(now: Now): void {
    this.state.now = now;
    this.pools.dialDue();
  }

  /** Whether subscribing machines can be granted the right layout and mask: some pool of every site is known. */
  get knowsPools(): boolean {
    return this.pools.knowsEverySite();
  }

  connected(site: string, address: string, now: Now): Session | undefined {
    this.state.now = now;
    return this.miners.connected(site, address);
  }

  message(session: Session, message: DownstreamMessage, now: Now): void {
    this.state.now = now;
    this.miners.message(session, message);
  }

  disconnected(session: Session, reason: string, now: Now): void {
    this.state.now = now;
    this.miners.ended(session, reason);
  }

  linkOpened(link: Link, now: Now): void {
    this.state.now = now;
    link.opened(now);
  }

  linkMessage(link: Link, message: UpstreamMessage, now: Now): void {
    this.state.now = now;
    this.state.counters.upstreamMessages += 1;
    link.message(message, now);
  }

  linkClosed(link: Link, reason: string, now: Now): void {
    this.state.now = now;
    link.closed(reason);
  }

  durable(sequence: number, now: Now): void {
    this.durableSequence = sequence;
    this.state.replies.durable(sequence, now.monoMs);
  }

  unjournaled(toSequence: number, now: Now): void {
    this.state.replies.lost(toSequence, now.monoMs);
  }

  /** To be called every second or so. */
  tick(now: Now): void {
    this.state.now = now;
    this.pools.tick();
    this.miners.tick();
    this.delivery.tick(this.pools.all());
    this.state.replies.admit(now.wallMs);
    for (const [session, sequence] of this.state.lingering) {
      if (sequence <= this.durableSequence && session.pendingPool === 0) this.state.lingering.delete(session);
    }
    if (now.monoMs - this.lastSweepMono >= 30 * PULSE_MS) {
      this.lastSweepMono = now.monoMs;
      this.state.book.sweep();
    }
    this.pulse();
  }

  private pulse(): void {
    const { now, sink, sessions } = this.state;
    const observedMs = Math.round(now.monoMs - this.lastPulseMono);
    this.lastPulseMono += observedMs;
    sink.journal({ type: 'pulse', observedMs, sessions: sessions.size, atMs: now.wallMs });
  }

  /** All that a new journal segment must begin with. */
  liveFacts(): Iterable<Fact> {
    return liveFacts(this.state, this.pools.all());
  }

  /** Links as they are, for `status` and metrics. */
  links(): Link[] {
    return this.pools.all();
  }

  poolStatus(pool: string): { reconnects: number; lastError: string } {
    return this.pools.status(pool);
  }

  /** Last facts before the process ends: the counts and the time not yet written down. */
  stop(now: Now): void {
    this.state.now = now;
    this.miners.flushRejects();
    this.state.replies.admit(now.wallMs);
    this.pulse();
  }
}
