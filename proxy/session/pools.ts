/** What pools say and how links live and die: dialling, failover in order and return, jobs and verdicts. */
import { inspectJob } from '../mining/reference.ts';
import type { Job } from '../mining/job.ts';
import { rejectReply } from '../protocol/downstream.ts';
import { Delivery } from './delivery.ts';
import type { FarmState } from './farm.ts';
import { Link, type LinkOwner, type NotifyMessage, type PendingShare, type PoolAnswer } from './link.ts';
import { jobFact, linkFact } from './live-facts.ts';
import { reachablePools } from './routes.ts';
import type { Session } from './session.ts';

export interface Layout {
  readonly prefixBytes: number;
  readonly extranonce2Bytes: number;
}

const DEFAULT_LAYOUT: Layout = { prefixBytes: 4, extranonce2Bytes: 4 };
/** How long after its last session left a dead link's jobs may still be answered. */
const DEAD_LINK_GRACE_MS = 30_000;
/** Seconds' worth of submits that may go at once. */
const BURST_S = 10;
/** A link must have lived this long for its pool's back-off to start over. */
const STABLE_MS = 30_000;

interface Pool {
  readonly name: string;
  link: Link | undefined;
  attempts: number;
  nextDialMono: number;
  dials: number;
  lastError: string;
  target: { host: string; port: number };
}

/** The layout for a pool that leaves `room` bytes: four for the machine if it can be, the rest for the prefix. */
function layoutOfRoom(room: number): Layout | undefined {
  if (room >= 8) return DEFAULT_LAYOUT;
  if (room >= 5) return { prefixBytes: room - 4, extranonce2Bytes: 4 };
  if (room >= 2) return { prefixBytes: 1, extranonce2Bytes: room - 1 };
  return undefined;
}

export class Pools implements LinkOwner {
  private readonly state: FarmState;
  private readonly delivery: Delivery;
  private readonly pools: Map<string, Pool>;
  /** Links by number: the live ones and the dead whose jobs may still be answered. */
  private readonly links = new Map<number, Link>();
  private readonly emptySince = new Map<number, number>();
  private readonly budgets = new Map<number, { tokens: number; atMono: number }>();
  private readonly slotMax: number;
  private nextLink = 1;

  constructor(state: FarmState, delivery: Delivery) {
    this.state = state;
    this.delivery = delivery;
    const { config, now } = state;
    const routed = new Set(config.routes.flatMap((route) => route.pools));
    this.pools = new Map(
      [...routed].map((name) => {
        const { host, port } = config.pools[name]!;
        return [name, { name, link: undefined, attempts: 0, nextDialMono: now.monoMs, dials: 0, lastError: '', target: { host, port } }];
      }),
    );
    const layouts = Object.values(config.sites).map((site) => site.extranonce ?? DEFAULT_LAYOUT);
    this.slotMax = Math.max(8, ...layouts.map((layout) => layout.prefixBytes + layout.extranonce2Bytes));
  }

  all(): Link[] {
    return [...this.links.values()];
  }

  linkOf(number: number): Link | undefined {
    return this.links.get(number);
  }

  status(name: string): { reconnects: number; lastError: string } {
    const pool = this.pools.get(name);
    return { reconnects: Math.max(0, (pool?.dials ?? 0) - 1), lastError: pool?.lastError ?? '' };
  }

  /** Seconds after a job's ntime that its pool takes; undefined for an unknown job. */
  ntimeRollS(jobId: string): number | undefined {
    const job = this.state.book.find(jobId);
    const link = job === undefined ? undefined : this.links.get(job.link);
    return link === undefined ? undefined : Math.floor(link.config.ntimeRollMs / 1000);
  }

  /** Takes a token of the link's cap on submits; false when it is used up. */
  maySubmit(link: Link): boolean {
    const rate = link.config.submitsPerSecondMax;
    const { monoMs } = this.state.now;
    const budget = this.budgets.get(link.number) ?? { tokens: rate * BURST_S, atMono: monoMs };
    budget.tokens = Math.min(rate * BURST_S, budget.tokens + ((monoMs - budget.atMono) / 1000) * rate);
    budget.atMono = monoMs;
    this.budgets.set(link.number, budget);
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
  }

  // What machines need to know at subscribe and configure

  knowsEverySite(): boolean {
    return Object.keys(this.state.config.sites).every((site) =>
      reachablePools(this.state.routes, site).some((name) => this.state.learnt.has(name)),
    );
  }

  /** The intersection of the masks of all pools that a session of this site can reach: as learnt, else as configured. */
  siteMask(site: string): number {
    let mask = 0xffffffff;
    for (const name of reachablePools(this.state.routes, site)) {
      mask &= this.state.learnt.get(name)?.versionMask ?? this.state.config.pools[name]!.versionMask;
    }
    return mask >>> 0;
  }

  /** The roomiest layout that a live pool of this site takes; without a live one, that a known pool takes. */
  layoutFor(site: string): Layout {
    const configured = this.state.config.sites[site]?.extranonce;
    if (configured !== undefined) return configured;
    const names = reachablePools(this.state.routes, site);
    const live = names.flatMap((name) => this.liveLink(name)?.extranonce2Bytes ?? []);
    const known = names.flatMap((name) => this.state.learnt.get(name)?.extranonce2Bytes ?? []);
    const room = Math.max(0, ...(live.length > 0 ? live : known));
    return (room === 0 ? undefined : layoutOfRoom(room)) ?? DEFAULT_LAYOUT;
  }

  layoutOn(link: Link): Layout {
    return layoutOfRoom(link.extranonce2Bytes) ?? DEFAULT_LAYOUT;
  }

  private liveLink(name: string): Link | undefined {
    const link = this.pools.get(name)?.link;
    return link?.state === 'live' ? link : undefined;
  }

  /** The first live link of the session's route that its layout fits; with `anyLayout`, that some layout fits. */
  bestLink(session: Session, anyLayout = false): Link | undefined {
    for (const name of session.route?.pools ?? []) {
      const link = this.liveLink(name);
      if (link !== undefined && (anyLayout ? link.extranonce2Bytes >= 2 : Delivery.fits(session, link))) return link;
    }
    return undefined;
  }

  // Dialling

  dialDue(): void {
    const { now, sink } = this.state;
    for (const pool of this.pools.values()) {
      if (pool.link !== undefined || now.monoMs < pool.nextDialMono) continue;
      const link = new Link(this.nextLink, pool.name, this.state.config.pools[pool.name]!, pool.target, sink, this);
      this.nextLink += 1;
      pool.link = link;
      pool.dials += 1;
      this.links.set(link.number, link);
      link.dial(now);
    }
  }

  tick(): void {
    this.dialDue();
    const { now, config } = this.state;
    for (const link of this.all()) {
      if (link.state === 'dialling' || link.state === 'negotiating' || link.state === 'authorised') {
        if (now.monoMs - link.openedMono >= config.timeouts.dialMs) link.end(`no job ${config.timeouts.dialMs / 1000} s after dialling (${link.state})`);
      } else if (link.state === 'live' && now.monoMs - link.lastLineMono >= config.timeouts.poolSilentMs) {
        link.end(`the pool was silent for ${config.timeouts.poolSilentMs / 1000} s`);
      }
      if (link.state === 'live') this.deadlines(link);
    }
    this.returnToPreferred();
    this.buryDead();
  }

  /** Sessions return to a pool higher in their order once it has lived for a while. */
  private returnToPreferred(): void {
    const { now, config } = this.state;
    const moves = new Map<Link, Session[]>();
    for (const session of this.state.sessions) {
      if (session.state !== 'mining' || session.link === undefined || session.homeless) continue;
      const best = this.bestLink(session);
      if (best === undefined || best === session.link) continue;
      const stable = now.monoMs - (best.liveSinceMono ?? now.monoMs) >= config.timeouts.returnStableMs;
      if (session.link.state === 'live' && !stable) continue;
      const list = moves.get(best) ?? [];
      list.push(session);
      moves.set(best, list);
    }
    for (const [link, sessions] of moves) this.move(link, sessions);
  }

  private move(link: Link, sessions: readonly Session[]): void {
    const dead = sessions.filter((session) => session.link?.state === 'ended');
    const alive = sessions.filter((session) => session.link?.state !== 'ended');
    if (dead.length > 0) this.delivery.join(link, dead, true);
    if (alive.length > 0) this.delivery.join(link, alive, false);
    this.state.sink.log('info', 'sessions moved', { pool: link.pool, link: link.number, sessions: sessions.length });
  }

  private buryDead(): void {
    const { now, book } = this.state;
    for (const link of this.all()) {
      if (link.state !== 'ended') continue;
      if (link.sessions.size > 0) {
        this.emptySince.delete(link.number);
        continue;
      }
      const since = this.emptySince.get(link.number) ?? now.monoMs;
      this.emptySince.set(link.number, since);
      if (now.monoMs - since < DEAD_LINK_GRACE_MS) continue;
      book.forgetLink(link.number);
      this.links.delete(link.number);
      this.emptySince.delete(link.number);
      this.budgets.delete(link.number);
      this.delivery.forget(link);
    }
  }

  // LinkOwner

  linkSubscribed(link: Link): void {
    const { state } = this;
    state.sink.journal(linkFact(link, state.now.wallMs));
    const learnt = { extranonce2Bytes: link.extranonce2Bytes, versionMask: link.versionMask };
    state.learnt.set(link.pool, learnt);
    state.sink.remember(link.pool, learnt);
    if (layoutOfRoom(link.extranonce2Bytes) === undefined) {
      link.end(`extranonce2 of ${link.extranonce2Bytes} bytes leaves no room to tell machines apart`);
      return;
    }
    state.sink.log('info', 'link open', { pool: link.pool, link: link.number, url: link.url, extranonce2Bytes: link.extranonce2Bytes });
  }

  linkJob(link: Link, message: NotifyMessage): void {
    const { state } = this;
    const slotBytes = Math.min(this.slotMax, link.extranonce2Bytes);
    const paddingBytes = link.extranonce2Bytes - slotBytes;
    const content: Job = {
      prevhash: message.prevhash,
      coinb1: Buffer.concat([message.coinb1, link.extranonce1, new Uint8Array(paddingBytes)]),
      coinb2: message.coinb2,
      branches: message.branches,
      version: message.version,
      nBits: message.nBits,
      ntime: message.ntime,
      versionMask: link.versionMask,
    };
    // A pool whose clock is behind still pays; one that is ahead makes blocks nobody takes.
    const inspected = inspectJob(content, slotBytes, Math.min(state.now.wallMs, message.ntime * 1000));
    if (!inspected.ok) {
      this.refuseJob(link, message, inspected.reason);
      return;
    }
    const before = state.book.current(link.number);
    const newBlock = before !== undefined && Buffer.compare(before.content.prevhash, message.prevhash) !== 0;
    const clean = message.clean || newBlock;
    const { wallMs, monoMs } = state.now;
    const { difficulty, config } = link;
    const { coinbaseSats, height } = inspected;
    const { poolJobId } = message;
    const convention = config.convention;
    const job = state.book.add({
      link: link.number, poolJobId, clean, content, paddingBytes, slotBytes, difficulty, convention, coinbaseSats, height, wallMs, monoMs,
    });
    if (job === undefined) {
      this.refuseJob(link, message, 'the pool repeats work whose shares are no longer known');
      return;
    }
    state.counters.jobs += 1;
    state.sink.journal(jobFact(job));
    const first = link.state !== 'live';
    if (first) this.becameLive(link);
    this.delivery.broadcast(link, job, clean);
    if (first) this.gather(link);
  }

  private refuseJob(link: Link, message: NotifyMessage, reason: string): void {
    this.state.counters.jobsRefused += 1;
    this.state.sink.log('warn', 'job refused', { pool: link.pool, job: message.poolJobId, reason });
  }

  private becameLive(link: Link): void {
    link.state = 'live';
    link.liveSinceMono = this.state.now.monoMs;
    this.state.sink.log('info', 'pool live', { pool: link.pool, link: link.number, difficulty: link.difficulty });
  }

  /** A link that has just come alive takes the sessions that have no live link. */
  private gather(link: Link): void {
    const idle = [...this.state.sessions].filter(
      (session) => session.state === 'mining' && session.link?.state !== 'live' && this.bestLink(session) === link,
    );
    if (idle.length > 0) this.move(link, idle);
  }

  linkMask(link: Link): void {
    const { state } = this;
    state.learnt.set(link.pool, { extranonce2Bytes: link.extranonce2Bytes, versionMask: link.versionMask });
    if (link.extranonce2Bytes > 0) state.sink.remember(link.pool, state.learnt.get(link.pool)!);
    if (link.state === 'live') this.delivery.refresh(link);
  }

  linkAnswer(link: Link, share: PendingShare, answer: PoolAnswer): void {
    const { state } = this;
    const { session } = share;
    session.pendingPool -= 1;
    const waiting = share.replyId;
    const value = answer.verdict === 'unanswered' || answer.verdict === 'accepted';
    const source = answer.verdict === 'unanswered' ? 'proxy' : 'pool';
    const reply = waiting === undefined ? share.replied : ({ value, source } as const);
    const sequence = state.sink.journal({
      type: 'pool-verdict',
      share: share.share,
      bind: share.bind,
      job: share.job,
      link: link.number,
      shareAtMs: share.atMs,
      difficulty: share.difficulty,
      verdict: answer.verdict,
      reason: answer.reason,
      code: answer.code,
      text: answer.text,
      reply,
      atMs: state.now.wallMs,
    });
    this.learnConvention(link, share, answer);
    if (waiting === undefined) return;
    session.pendingReplies -= 1;
    const word = answer.reason === 'none' ? 'other' : answer.reason;
    const refusal = value ? undefined : { code: rejectReply(word).code, text: answer.text || rejectReply(word).text };
    state.replies.wait({ sequence, session, id: waiting, refusal, claim: undefined, sinceMono: share.sentMono });
  }

  /** A pool that refuses version-rolled work on a job whose own version has bits in the mask combines them otherwise. */
  private learnConvention(link: Link, share: PendingShare, answer: PoolAnswer): void {
    if (link.config.convention !== 'auto' || (answer.reason !== 'low-difficulty' && answer.reason !== 'bad-version')) return;
    const job = this.state.book.current(link.number);
    if (job === undefined || (job.content.version & job.content.versionMask) === 0) return;
    link.convention = link.convention === 'replace' ? 'xor' : 'replace';
    this.state.sink.log('info', 'version convention of pool', { pool: link.pool, convention: link.convention, share: share.share });
  }

  /** With `reply: pool`, a machine is not kept waiting for a slow pool: at the deadline it has our verdict. */
  private deadlines(link: Link): void {
    const { state } = this;
    const latest = state.now.monoMs - state.config.timeouts.poolReplyMs;
    for (const share of link.pending.values()) {
      if (share.sentMono > latest) break;
      if (share.replyId === undefined) continue;
      share.session.pendingReplies -= 1;
      state.replies.wait({ sequence: 0, session: share.session, id: share.replyId, refusal: undefined, claim: undefined, sinceMono: share.sentMono });
      share.replyId = undefined;
      share.replied = { value: true, source: 'deadline' };
    }
  }

  linkEnded(link: Link, reason: string): void {
    const { state } = this;
    const pool = this.pools.get(link.pool)!;
    const { timeouts } = state.config;
    const lived = link.liveSinceMono === undefined ? 0 : state.now.monoMs - link.liveSinceMono;
    pool.attempts = lived >= STABLE_MS || link.reconnectTo !== undefined ? 0 : pool.attempts + 1;
    const backoffMs = Math.min(timeouts.backoffMaxMs, timeouts.backoffMinMs * 2 ** Math.max(0, pool.attempts - 1));
    const { host, port } = link.config;
    pool.link = undefined;
    pool.lastError = reason;
    pool.target = link.reconnectTo ?? { host, port };
    pool.nextDialMono = state.now.monoMs + backoffMs * (0.5 + state.random.fraction() / 2);
    if (link.extranonce2Bytes > 0) state.sink.journal({ type: 'link-end', link: link.number, reason, atMs: state.now.wallMs });
    state.sink.log('warn', 'link ended', { pool: link.pool, link: link.number, reason, retryMs: Math.round(pool.nextDialMono - state.now.monoMs) });
    this.failOver(link);
  }

  /** Sessions of a dead link move at once to the next live one; without any they keep its last work. */
  private failOver(dead: Link): void {
    const moves = new Map<Link, Session[]>();
    for (const session of dead.sessions) {
      const best = this.bestLink(session);
      if (best === undefined) continue;
      const list = moves.get(best) ?? [];
      list.push(session);
      moves.set(best, list);
    }
    for (const [link, sessions] of moves) this.move(link, sessions);
  }
}

