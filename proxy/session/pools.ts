/** How links live and die: dialling with back-off, time limits, and burying the dead once nobody can ask for their jobs. */
import { isDeepStrictEqual } from 'node:util';
import { formatUrl } from '../protocol/upstream.ts';
import type { Delivery } from './delivery.ts';
import type { Jobs } from './jobs.ts';
import { layoutOfRoom } from './layouts.ts';
import { Link } from './link.ts';
import type { LinkOwner, NotifyMessage, PendingShare, PoolAnswer } from './link-owner.ts';
import { linkFact } from './live-facts.ts';
import { EVERYBODY, holderKey, type Outlet } from './outlets.ts';
import type { Placement } from './placement.ts';
import { noteExtranonce } from './repeats.ts';
import type { FarmState } from './state.ts';
import type { Verdicts } from './verdicts.ts';

/** How long after its last session left a dead link's jobs may still be answered. */
const DEAD_LINK_GRACE_MS = 30_000;
/** A link must have lived this long for the back-off to start over. */
const STABLE_MS = 30_000;

/** A link above the first of its outlet that nobody has needed for so long is closed. */
const SPARE_MS = 600_000;

/** A pool that has not read 256 KiB in this time is too slow for what is sent to it. */
const BLOCKED_MS_MAX = 30_000;
/** How the journal tells of a share that gave way. */
const SHED: PoolAnswer = { verdict: 'unanswered', reason: 'none', code: '', text: 'shed: the pool did not read or answer' };

/** Refused names that are logged; all are counted. */
const NAMES_LOGGED_MAX = 20;

/** A place for one link of an outlet, which is dialled again whenever it ends. */
interface Slot {
  outlet: Outlet;
  /** Reached as the configuration says no more: kept only until another link of its outlet lives. */
  outdated: boolean;
  link: Link | undefined;
  attempts: number;
  nextDialMono: number;
  dials: number;
  lastError: string;
  target: { host: string; port: number };
  /** When its link was last seen with sessions, or needed for others. */
  neededMono: number;
}

/** What of a pool's options a connection is made with. */
function reachOf({ user, password, config }: Outlet): unknown[] {
  const { url, difficulty, passwordDifficulty, versionMask, identity } = config;
  return [url, user, password, difficulty, passwordDifficulty, versionMask, identity];
}

function statusOf({ dials, lastError }: Slot): { reconnects: number; lastError: string } {
  return { reconnects: Math.max(0, dials - 1), lastError };
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
  /** By outlet; each has one at least. */
  private readonly slots = new Map<string, Slot[]>();
  readonly reconnects = new Map<string, number>();
  private readonly emptySince = new Map<number, number>();
  private nextLink = 1;

  constructor(state: FarmState, parts: PoolParts) {
    this.state = state;
    this.parts = parts;
    for (const pool of new Set(state.routes.flatMap((route) => route.pools))) this.open(state.outlets.of(pool, EVERYBODY));
  }

  /** One more place for a link: the last of its outlet, or the first. */
  private open(outlet: Outlet, where: 'push' | 'unshift' = 'push'): void {
    const { host, port } = outlet.config;
    const { monoMs } = this.state.now;
    const slot: Slot = { outlet, outdated: false, link: undefined, attempts: 0, nextDialMono: monoMs, dials: 0, lastError: '', target: { host, port }, neededMono: monoMs };
    const slots = this.slots.get(outlet.key);
    if (slots === undefined) this.slots.set(outlet.key, [slot]);
    else slots[where](slot);
  }

  /**
   * The configuration has changed. Links of pools that no route names end when their machines have found other work; where a pool
   * is reached in another way, links of the new kind are made beside the old ones, which end when one of those lives: until then
   * nobody is without work.
   */
  reconfigure(): void {
    const { outlets, routes } = this.state;
    const named = new Set(routes.flatMap((route) => route.pools));
    for (const [key, slots] of this.slots) {
      const { outlet } = slots[0]!;
      if (!named.has(outlet.pool)) {
        for (const slot of slots) slot.outdated = true;
        continue;
      }
      const next = outlets.of(outlet.pool, outlet);
      // A lease that has lost its links keeps these until its machines have left them.
      if (next.key === key && (slots[0]!.outdated || !isDeepStrictEqual(next, outlet))) this.change(slots, next);
    }
    for (const pool of named) if (!this.slots.has(pool)) this.open(outlets.of(pool, EVERYBODY));
    this.dialDue();
  }

  private change(slots: readonly Slot[], outlet: Outlet): void {
    const [newest] = slots;
    if (!newest!.outdated && isDeepStrictEqual(reachOf(outlet), reachOf(newest!.outlet))) {
      for (const slot of slots.filter(({ outdated }) => !outdated)) {
        slot.outlet = outlet;
        slot.link?.adjust(outlet);
      }
      return;
    }
    for (const slot of slots) slot.outdated = true;
    this.open(outlet, 'unshift');
  }

  /** Links of the old kind end when one of the new kind lives, or no machine works on them where there is to be none, or by themselves. */
  private closeOutdated(): void {
    for (const [key, slots] of this.slots) {
      const replaced = slots.some(({ outdated, link }) => !outdated && link?.state === 'live');
      const gone = slots.every(({ outdated }) => outdated);
      const isOver = ({ outdated, link }: Slot): boolean => outdated && (replaced || link === undefined || (gone && link.sessions.size === 0));
      for (const slot of slots.filter(isOver)) this.close(slots, slots.indexOf(slot));
      if (slots.length === 0) this.slots.delete(key);
    }
  }

  private slotOf(link: Link): Slot | undefined {
    return this.slots.get(link.outlet.key)?.find((slot) => slot.link === link);
  }

  /** Of the place a link has; nothing of one that has lost it. */
  status(link: Link): { reconnects: number; lastError: string } {
    const slot = this.slotOf(link);
    return slot === undefined ? { reconnects: 0, lastError: '' } : statusOf(slot);
  }

  /** Places without a link: they wait to be dialled again. */
  waiting(): { pool: string; url: string; reconnects: number; lastError: string }[] {
    const empty = [...this.slots.values()].flat().filter(({ link }) => link === undefined);
    return empty.map((slot) => ({ pool: slot.outlet.pool, url: formatUrl(slot.outlet.config.tls, slot.target), ...statusOf(slot) }));
  }

  /** Dials every link whose time has come. */
  dialDue(): void {
    const { now, sink, links } = this.state;
    for (const slot of [...this.slots.values()].flat()) {
      if (slot.link !== undefined || slot.outdated || now.monoMs < slot.nextDialMono) continue;
      const link = new Link(this.nextLink, slot.outlet, slot.target, sink, this);
      this.nextLink += 1;
      slot.link = link;
      slot.dials += 1;
      if (slot.dials > 1) this.reconnects.set(link.pool, (this.reconnects.get(link.pool) ?? 0) + 1);
      links.set(link.number, link);
      link.dial(now);
    }
  }

  /** As many links as the sessions of each outlet need under its cap; what has long been spare is closed. */
  private fitToSessions(): void {
    const { now, liveLinks } = this.state;
    for (const [key, slots] of this.slots) {
      const { outlet, outdated } = slots[0]!;
      if (outdated) continue;
      const sessions = liveLinks.of(key).reduce((sum, link) => sum + link.sessions.size, 0);
      const needed = Math.max(1, Math.ceil(sessions / outlet.config.aggregation));
      if (slots.length < needed) this.open(outlet);
      for (const [index, slot] of slots.entries()) {
        // Whether the first is needed is for its outlet to say.
        if (index > 0 && (index < needed || (slot.link?.sessions.size ?? 0) > 0)) slot.neededMono = now.monoMs;
      }
      const spare = slots.findLastIndex((slot, index) => index > 0 && now.monoMs - slot.neededMono >= SPARE_MS);
      if (spare > 0) this.close(slots, spare);
    }
  }

  /** Links of a lease or a further plane are opened when its first machine comes, and closed when it has long had none. */
  private keepOutlets(holders: ReadonlySet<string>): void {
    const { now, outlets } = this.state;
    for (const outlet of outlets.all()) if (!this.slots.has(outlet.key)) this.open(outlet);
    for (const [key, slots] of this.slots) {
      const { outlet } = slots[0]!;
      if (outlet.lease === '' && outlet.plane === 0) continue;
      if (holders.has(holderKey(outlet))) slots[0]!.neededMono = now.monoMs;
      if (now.monoMs - slots[0]!.neededMono < SPARE_MS) continue;
      while (slots.length > 0) this.close(slots, 0);
      this.slots.delete(key);
      outlets.forget(outlet);
    }
  }

  private close(slots: Slot[], index: number): void {
    const [slot] = slots.splice(index, 1);
    slot?.link?.end(slot.outdated ? 'the pool is reached in another way now' : 'no machine needs this link any more');
  }

  tick(): void {
    this.fitToSessions();
    this.closeOutdated();
    for (const link of [...this.state.links.values()]) {
      const overdue = this.overdue(link);
      if (overdue !== undefined) link.end(overdue);
      else if (link.state === 'live') {
        this.parts.verdicts.tick(link);
        link.tick(this.state.now);
      } else if (link.state === 'ended') this.bury(link);
    }
    for (const link of this.state.trust.tick()) this.parts.placement.leave(link.outlet);
    this.keepOutlets(this.parts.placement.tick());
    this.dialDue();
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
        if (now.monoMs - (link.outbox.blockedSinceMono ?? Infinity) >= BLOCKED_MS_MAX) return `the pool has left what it was sent unread for ${BLOCKED_MS_MAX / 1000} s`;
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
    noteExtranonce(state, link);
    state.journal(linkFact(link));
    this.learn(link);
    state.sink.log('link open', { pool: link.pool, link: link.number, url: link.url, extranonce2Bytes: link.extranonce2Bytes });
  }

  private learn(link: Link): void {
    const learnt = { extranonce2Bytes: link.extranonce2Bytes, versionMask: link.versionMask };
    this.state.learnt.set(link.pool, learnt);
    this.state.sink.remember(link.pool, learnt);
  }

  linkMask(link: Link): void {
    if (link.subscribedWall === 0) return;
    this.learn(link);
    if (link.state === 'live') this.parts.delivery.remask(link);
  }

  linkJob(link: Link, message: NotifyMessage): void {
    this.parts.jobs.received(link, message);
  }

  linkRefusedName(link: Link, worker: string, why: string): void {
    const { counters, sink } = this.state;
    counters.namesRefused += 1;
    if (counters.namesRefused <= NAMES_LOGGED_MAX) sink.log('worker name refused by pool', { pool: link.pool, worker, why });
  }

  linkAnswer(link: Link, share: PendingShare, answer: PoolAnswer): void {
    this.state.measures.answered(link.pool, this.state.now.monoMs - share.sentMono);
    this.parts.verdicts.answered(link, share, answer);
    if (this.state.trust.judged(link, answer.verdict === 'accepted')) this.parts.placement.leave(link.outlet);
  }

  linkShed(link: Link, share: PendingShare): void {
    this.state.counters.shedShares += 1;
    this.parts.verdicts.answered(link, share, SHED);
  }

  linkEnded(link: Link, reason: string): void {
    const { state } = this;
    state.liveLinks.delete(link);
    this.parts.verdicts.abandon(link);
    const slot = this.slotOf(link);
    if (slot !== undefined) this.retryLater(slot, link, reason);
    if (link.subscribedWall > 0) state.journal({ type: 'link-end', link: link.number, reason, atMs: state.now.wallMs });
    const retryMs = slot && Math.round(slot.nextDialMono - state.now.monoMs);
    state.sink.log(slot === undefined ? 'link closed' : 'link ended', { pool: link.pool, link: link.number, reason, retryMs });
    this.parts.placement.failOver(link);
  }

  private retryLater(slot: Slot, link: Link, reason: string): void {
    const { now, config, random } = this.state;
    const { backoffMinMs, backoffMaxMs } = config.timeouts;
    const lived = link.liveSinceMono === undefined ? 0 : now.monoMs - link.liveSinceMono;
    slot.attempts = lived >= STABLE_MS ? 0 : slot.attempts + 1;
    const backoffMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(30, Math.max(0, slot.attempts - 1)));
    const { host, port } = link.config;
    slot.link = undefined;
    slot.lastError = reason;
    slot.target = link.reconnectTo ?? { host, port };
    slot.nextDialMono = now.monoMs + Math.max(backoffMs * (0.5 + random.fraction() / 2), link.reconnectTo?.waitMs ?? 0);
  }
}
