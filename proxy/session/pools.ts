/** How links live and die: dialling with back-off, time limits, and burying the dead once nobody can ask for their jobs. */
import { formatUrl } from '../protocol/upstream.ts';
import type { Delivery } from './delivery.ts';
import type { Jobs } from './jobs.ts';
import { layoutOfRoom } from './layouts.ts';
import { Link, type LinkOwner, type NotifyMessage, type PendingShare, type PoolAnswer } from './link.ts';
import { linkFact } from './live-facts.ts';
import type { Placement } from './placement.ts';
import type { FarmState } from './state.ts';
import type { Verdicts } from './verdicts.ts';

/** How long after its last session left a dead link's jobs may still be answered. */
const DEAD_LINK_GRACE_MS = 30_000;
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

/** The parts of the farm that links report to. */
export interface PoolParts {
  readonly delivery: Delivery;
  readonly jobs: Jobs;
  readonly placement: Placement;
  readonly verdicts: Verdicts;
}

export class Pools implements LinkOwner {
  private readonly state: FarmState;
  private readonly parts: PoolParts;
  private readonly pools: Map<string, Pool>;
  private readonly emptySince = new Map<number, number>();
  private nextLink = 1;

  constructor(state: FarmState, parts: PoolParts) {
    this.state = state;
    this.parts = parts;
    const { config, now } = state;
    const routed = new Set(config.routes.flatMap((route) => route.pools));
    this.pools = new Map(
      [...routed].map((name) => {
        const { host, port } = config.pools[name]!;
        return [name, { name, link: undefined, attempts: 0, nextDialMono: now.monoMs, dials: 0, lastError: '', target: { host, port } }];
      }),
    );
  }

  status(name: string): { reconnects: number; lastError: string } {
    const pool = this.pools.get(name);
    return { reconnects: Math.max(0, (pool?.dials ?? 0) - 1), lastError: pool?.lastError ?? '' };
  }

  /** Pools without a link, alive or remembered: they wait to be dialled again. */
  waiting(): { pool: string; url: string }[] {
    const linked = new Set([...this.state.links.values()].map(({ pool }) => pool));
    const waiting = [...this.pools.values()].filter(({ name }) => !linked.has(name));
    return waiting.map(({ name, target }) => ({ pool: name, url: formatUrl(this.state.config.pools[name]!.tls, target) }));
  }

  /** Dials every pool whose time has come. */
  dialDue(): void {
    const { now, sink, config, links } = this.state;
    for (const pool of this.pools.values()) {
      if (pool.link !== undefined || now.monoMs < pool.nextDialMono) continue;
      const link = new Link(this.nextLink, pool.name, config.pools[pool.name]!, pool.target, sink, this);
      this.nextLink += 1;
      pool.link = link;
      pool.dials += 1;
      links.set(link.number, link);
      link.dial(now);
    }
  }

  tick(): void {
    this.dialDue();
    for (const link of [...this.state.links.values()]) {
      const overdue = this.overdue(link);
      if (overdue !== undefined) link.end(overdue);
      else if (link.state === 'live') this.parts.verdicts.tick(link);
      else if (link.state === 'ended') this.bury(link);
    }
    this.parts.placement.tick();
  }

  /** Why a link must be given up; undefined when it need not. */
  private overdue(link: Link): string | undefined {
    const { now, config } = this.state;
    const { dialMs, poolSilentMs } = config.timeouts;
    switch (link.state) {
      case 'dialling':
      case 'negotiating':
        return now.monoMs - link.openedMono >= dialMs ? `not authorised ${dialMs / 1000} s after dialling (${link.state})` : undefined;
      case 'authorised':
        return now.monoMs - link.openedMono >= poolSilentMs ? `no job ${poolSilentMs / 1000} s after dialling` : undefined;
      case 'live':
        if (now.monoMs - link.lastLineMono >= poolSilentMs) return `the pool was silent for ${poolSilentMs / 1000} s`;
        if (now.monoMs - (link.uselessSinceMono ?? Infinity) >= poolSilentMs) return `the pool has sent nothing for ${poolSilentMs / 1000} s that can be worked on`;
        return this.parts.delivery.exhausted(link) ? 'the pool has sent no job for as long as it takes shares of the last one' : undefined;
      case 'waiting':
      case 'ended':
        return undefined;
      default:
        return link.state satisfies never;
    }
  }

  private bury(link: Link): void {
    const { now, book, departed, lastSequence } = this.state;
    if (link.sessions.size > 0) {
      this.emptySince.delete(link.number);
      return;
    }
    const since = this.emptySince.get(link.number) ?? now.monoMs;
    this.emptySince.set(link.number, since);
    if (link.liveSinceMono !== undefined && now.monoMs - since < DEAD_LINK_GRACE_MS) return;
    // Kept as long as its jobs, which go in the same way.
    if (link.subscribedWall > 0) departed.add([linkFact(link)], lastSequence, () => false);
    book.forgetLink(link.number);
    this.state.links.delete(link.number);
    this.emptySince.delete(link.number);
    this.parts.delivery.forget(link);
  }

  // LinkOwner

  linkSubscribed(link: Link): void {
    const { state } = this;
    if (layoutOfRoom(link.extranonce2Bytes) === undefined) {
      link.end(`extranonce2 of ${link.extranonce2Bytes} bytes leaves no room to tell machines apart`);
      return;
    }
    link.subscribedWall = state.now.wallMs;
    state.journal(linkFact(link));
    this.learn(link);
    state.sink.log('info', 'link open', { pool: link.pool, link: link.number, url: link.url, extranonce2Bytes: link.extranonce2Bytes });
  }

  private learn(link: Link): void {
    const learnt = { extranonce2Bytes: link.extranonce2Bytes, versionMask: link.versionMask };
    this.state.learnt.set(link.pool, learnt);
    this.state.sink.remember(link.pool, learnt);
  }

  linkMask(link: Link): void {
    if (link.subscribedWall === 0) return;
    this.learn(link);
    if (link.state === 'live') this.parts.delivery.refresh(link);
  }

  linkJob(link: Link, message: NotifyMessage): void {
    this.parts.jobs.received(link, message);
  }

  linkAnswer(link: Link, share: PendingShare, answer: PoolAnswer): void {
    this.state.measures.answered(link.pool, this.state.now.monoMs - share.sentMono);
    this.parts.verdicts.answered(link, share, answer);
  }

  linkEnded(link: Link, reason: string): void {
    const { state } = this;
    if (state.liveLinks.get(link.pool) === link) state.liveLinks.delete(link.pool);
    this.parts.verdicts.abandon(link);
    const pool = this.pools.get(link.pool)!;
    this.retryLater(pool, link, reason);
    if (link.subscribedWall > 0) state.journal({ type: 'link-end', link: link.number, reason, atMs: state.now.wallMs });
    const retryMs = Math.round(pool.nextDialMono - state.now.monoMs);
    state.sink.log('warn', 'link ended', { pool: link.pool, link: link.number, reason, retryMs });
    this.parts.placement.failOver(link);
  }

  private retryLater(pool: Pool, link: Link, reason: string): void {
    const { now, config, random } = this.state;
    const { backoffMinMs, backoffMaxMs } = config.timeouts;
    const lived = link.liveSinceMono === undefined ? 0 : now.monoMs - link.liveSinceMono;
    pool.attempts = lived >= STABLE_MS ? 0 : pool.attempts + 1;
    const backoffMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(30, Math.max(0, pool.attempts - 1)));
    const { host, port } = link.config;
    pool.link = undefined;
    pool.lastError = reason;
    pool.target = link.reconnectTo ?? { host, port };
    pool.nextDialMono = now.monoMs + Math.max(backoffMs * (0.5 + random.fraction() / 2), link.reconnectTo?.waitMs ?? 0);
  }
}
