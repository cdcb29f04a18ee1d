/** What the parts of the farm share: who is connected, what is known, and the numbers given so far. */
import type { Config } from '../../config/schema.ts';
import type { Random } from '../../config/world.ts';
import { JobBook, type LiveJob } from './book.ts';
import { Departed } from './departed.ts';
import type { Fact, LeaseTermsFact } from './facts.ts';
import type { Layout } from './layouts.ts';
import { LeaseBook } from './leases.ts';
import type { Link } from './link.ts';
import { jobFact, jobWithLink } from './live-facts.ts';
import { Measures } from './measures.ts';
import { Prefixes } from './prefixes.ts';
import { Replies } from './replies.ts';
import { LiveLinks, Outlets } from './outlets.ts';
import { NO_RUN_ELSEWHERE, type RunsElsewhere } from './repeats.ts';
import { compileRoutes, type Route } from './routes.ts';
import type { Run } from './run.ts';
import type { Session } from './session.ts';
import { Splitting } from './splitting.ts';
import type { SplitMemory } from './splits.ts';
import { Trust } from './trust.ts';
import { Successors } from './successors.ts';
import { zeroCounters, type Counters, type Learnt, type Now, type Sink } from './sink.ts';

export interface FarmOptions {
  readonly config: Config;
  readonly random: Random;
  readonly sink: Sink;
  readonly run: Run;
  /** What pools gave in earlier runs. */
  readonly learnt: ReadonlyMap<string, Learnt>;
  /** How far splits had come in earlier runs. */
  readonly splits?: ReadonlyMap<string, SplitMemory> | undefined;
  /** What other runs of the instance have had of pools; none unless given. */
  readonly elsewhere?: RunsElsewhere | undefined;
}

/** An ended session whose machine may come back. */
export interface Resumable {
  readonly session: Session;
  readonly untilMono: number;
}

/** Machines of one address and firmware that are expected back. */
export interface ExpectedReturns {
  readonly layout: Layout;
  count: number;
  readonly untilMono: number;
}

export class FarmState {
  /** In force now; a new one replaces it whole. */
  config: Config;
  readonly random: Random;
  readonly run: Run;
  readonly sink: Sink;
  readonly counters: Counters;
  routes: readonly Route[];
  readonly book: JobBook;
  readonly replies: Replies;
  readonly prefixes: Prefixes;
  readonly sessions = new Set<Session>();
  /** Sessions that ended, by session id, for as long as their machine may resume. Oldest first. */
  readonly resumable = new Map<string, Resumable>();
  readonly successors = new Successors(this);
  /** By session id, while the connection lives. */
  readonly bySessionId = new Map<string, Session>();
  /** Connections per remote address. */
  readonly byHost = new Map<string, number>();
  /** Connections per remote address at the other processes, as of a moment ago. */
  hostsElsewhere: ReadonlyMap<string, number> = new Map();
  /** What other runs have had. */
  readonly elsewhere: RunsElsewhere;
  /** Last wish of vardiff per worker name, so that a reconnecting machine does not start over. Oldest first. */
  readonly wishes = new Map<string, number>();
  /** Links by number: the live ones and the dead whose jobs may still be answered. */
  readonly links = new Map<number, Link>();
  readonly liveLinks = new LiveLinks();
  readonly outlets: Outlets;
  readonly learnt: Map<string, Learnt>;
  /** Machines that were closed to come back with a smaller layout: how many, by address and firmware. Oldest first. */
  readonly returns = new Map<string, ExpectedReturns>();
  /** Terms of leases as last journaled, by id, and who they claim. */
  readonly terms = new Map<string, LeaseTermsFact>();
  readonly leases = new LeaseBook();
  /** Largest k that machines of a lease are given, so that it stays measurable. */
  readonly ceilings = new Map<string, number>();
  readonly departed = new Departed();
  readonly measures = new Measures();
  splitting: Splitting;
  /** Bytes that the widest layout there has been needs. */
  slotBytes = 8;
  readonly trust = new Trust(this);
  /** The instant of the event being handled. */
  now: Now;
  /** Sequence of the last fact appended to the journal. */
  lastSequence = 0;
  durableSequence = 0;
  private sessionCount = 0;
  private bindCount = 0;
  private shareCount = 0;

  constructor(options: FarmOptions, now: Now) {
    const { config, random, sink } = options;
    this.config = config;
    this.random = random;
    this.sink = sink;
    this.counters = zeroCounters();
    this.routes = compileRoutes(config.routes);
    this.outlets = new Outlets(this);
    const departed = (job: LiveJob): void => this.jobDeparted(job);
    this.run = options.run;
    this.book = new JobBook(options.run.bootTag, config.limits.jobsPerLinkMax, config.limits.duplicatesMax, departed);
    this.replies = new Replies(sink, this.counters, (fact) => this.journal(fact));
    this.prefixes = new Prefixes(options.run.prefixes, { quarantineMs: config.timeouts.prefixQuarantineMs, oldestWorkMs: () => this.book.oldestWorkMono });
    this.elsewhere = options.elsewhere ?? NO_RUN_ELSEWHERE;
    this.learnt = new Map(options.learnt);
    this.now = now;
    this.splitting = new Splitting(this, options.splits ?? new Map());
  }

  /** Appends a fact to the journal and returns its sequence. */
  journal(fact: Fact): number {
    const sequence = this.sink.journal(fact);
    if (sequence > this.lastSequence) this.lastSequence = sequence;
    return sequence;
  }

  nextSession(): number {
    this.sessionCount += 1;
    return this.sessionCount;
  }

  nextBind(): number {
    this.bindCount += 1;
    return this.bindCount;
  }

  nextShare(): number {
    this.shareCount += 1;
    return this.shareCount;
  }

  private jobDeparted(job: LiveJob): void {
    const link = this.links.get(job.link);
    const facts = link === undefined ? [jobFact(job)] : [...jobWithLink(job, link)];
    this.departed.add(facts, this.lastSequence, () => link !== undefined && link.pending.size > 0 && link.outbox.awaits(job.number));
  }
}
