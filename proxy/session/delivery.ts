/**
 * Sends jobs to sessions: difficulty and notify in one write, one serialised notify line for all sessions of a link and layout.
 *
 * A session has one k for one work, however often the work is sent again: the ntime ranges of a job and its refresh overlap,
 * so a machine could otherwise find headers under the lower k and name the lucky ones under the higher, and earn twice.
 */
import type { Link } from './link.ts';
import type { LiveJob } from './book.ts';
import { ceilingOf } from './lease-terms.ts';
import { jobFact } from './live-facts.ts';
import type { Session } from './session.ts';
import type { FarmState } from './state.ts';
import { formatNotify, notifyWire } from '../protocol/notify.ts';
import { formatSetDifficulty } from '../protocol/set-difficulty.ts';
import { formatSetVersionMask } from '../protocol/set-version-mask.ts';

/** Work sent again to a few sessions takes a place among a link's jobs: no more often than this. */
const EXCLUSIVE_MS_MIN = 1000;

/** A raised ceiling is lowered once expected submits would fill less than this part of the cap. */
const SETTLED_SHARE = 0.7;

/** Lines of the job sent last, by layout and clean flag. */
interface Lines {
  job: number;
  readonly byVariant: Map<number, string>;
}

export class Delivery {
  private readonly state: FarmState;
  /** Exponents by which each link's ceiling is raised, by link number, so that neither pool nor proxy is flooded. */
  private readonly boosts = new Map<number, number>();
  /** Sessions that have had their link's newest job and are to be sent its work again. */
  private readonly awaiting = new Map<Link, Set<Session>>();
  private readonly lines: Lines = { job: 0, byVariant: new Map() };

  constructor(state: FarmState) {
    this.state = state;
  }

  /** The notify line for sessions whose layout leaves `zeros` bytes of the slot to us. */
  private notifyLine(job: LiveJob, zeros: number, clean: boolean): string {
    const { lines } = this;
    if (lines.job !== job.number) {
      lines.job = job.number;
      lines.byVariant.clear();
    }
    const variant = 2 * zeros + (clean ? 1 : 0);
    let text = lines.byVariant.get(variant);
    if (text === undefined) {
      const wire = notifyWire(job.content);
      text = formatNotify(job.id, { ...wire, coinb1: wire.coinb1 + '00'.repeat(zeros) }, job.content.ntime, clean);
      lines.byVariant.set(variant, text);
    }
    return text;
  }

  /** What vardiff and the machine's wishes ask for, within policy and before the pool's ceiling. */
  wish(session: Session): number {
    const { minExponent, maxExponent, startExponent } = this.state.config.difficulty;
    const wanted = session.fixedExponent ?? session.vardiff?.exponent ?? session.suggestedExponent ?? startExponent;
    const allowed = Math.max(minExponent, Math.min(maxExponent, ceilingOf(this.state, session) ?? maxExponent));
    return Math.min(Math.max(wanted, session.floorExponent ?? minExponent, minExponent), allowed);
  }

  private exponentFor(session: Session, link: Link, job: LiveJob): number {
    const { jobs } = job.work;
    for (let index = jobs.length - 1; index >= 0; index -= 1) {
      const settled = session.exponentOf(jobs[index]!);
      if (settled !== undefined) return settled;
    }
    return Math.min(this.wish(session), job.ceiling + this.boostOf(link));
  }

  /** Sends `job` to one session, with whatever must precede it. */
  private send(session: Session, link: Link, job: LiveJob, jobClean: boolean): void {
    const { sink, now } = this.state;
    const zeros = job.slotBytes - session.prefix.length - session.extranonce2Bytes;
    // The pool has just given less room: the session is about to be moved.
    if (zeros < 0) return;
    const clean = jobClean || session.cleanNext;
    session.cleanNext = false;
    let lines = '';
    if (session.grantedMask !== undefined) {
      const mask = (session.grantedMask & job.grantMask) >>> 0;
      if (mask !== session.toldMask) {
        lines += formatSetVersionMask(mask);
        session.toldMask = mask;
      }
    }
    const exponent = this.exponentFor(session, link, job);
    if (exponent !== session.exponent) {
      session.exponent = exponent;
      lines += formatSetDifficulty(exponent);
      this.state.journal({ type: 'difficulty', session: session.number, exponent, atMs: now.wallMs });
    }
    job.work.given = true;
    session.sent(job, exponent, now.monoMs);
    session.vardiff?.told(exponent, now.monoMs);
    sink.toSession(session, lines + this.notifyLine(job, zeros, clean));
  }

  /** A new or refreshed job goes to every session of its link. */
  broadcast(link: Link, job: LiveJob, clean: boolean): void {
    this.awaiting.delete(link);
    link.lastBroadcastMono = this.state.now.monoMs;
    if (link.sessions.size > 0) this.state.measures.broadcast(this.state.now.monoMs);
    for (const session of link.sessions) this.send(session, link, job, clean);
  }

  /** Puts sessions on a link; whoever has had its newest job before is sent its work again. */
  join(link: Link, sessions: readonly Session[]): void {
    const job = this.state.book.current(link.number);
    for (const session of sessions) {
      const before = session.link;
      if (before === link) continue;
      const last = before === undefined || before.state === 'ended' ? undefined : this.state.book.current(before.number);
      // Jobs of a pool that lives stay valid as long as they build on the same block.
      if (last === undefined || job === undefined || !sameBlock(last, job)) session.cleanNext = true;
      session.leaveLink();
      session.link = link;
      session.homelessMono = undefined;
      link.sessions.add(session);
      for (const { worker } of session.binds) link.names?.introduce(worker);
    }
    // With every tick all links are looked at; here it matters when many come at once.
    if (sessions.length * 8 >= link.sessions.size) this.rebalance([link]);
    for (const session of sessions) this.again(session);
  }

  /** Sends a session its link's newest job; when it has had that one, its work with a later ntime, soon. */
  again(session: Session): void {
    const { link } = session;
    if (link === undefined) return;
    const job = this.state.book.current(link.number);
    if (job === undefined) return;
    if (session.exponentOf(job) === undefined) {
      this.send(session, link, job, false);
      return;
    }
    const awaiting = this.awaiting.get(link) ?? new Set();
    awaiting.add(session);
    this.awaiting.set(link, awaiting);
    this.serveAwaiting(link);
  }

  /** Spaced so that a link's jobs are not pushed out before machines have had time to work on them. */
  private exclusiveSpacingMs(): number {
    const { limits, timeouts } = this.state.config;
    return Math.max(EXCLUSIVE_MS_MIN, (2 * timeouts.refreshMs) / limits.jobsPerLinkMax);
  }

  private serveAwaiting(link: Link): void {
    const awaiting = this.awaiting.get(link);
    const { now, book } = this.state;
    if (awaiting === undefined || now.monoMs - link.lastExclusiveMono < this.exclusiveSpacingMs()) return;
    this.awaiting.delete(link);
    const sessions = [...awaiting].filter((session) => session.link === link && session.state === 'mining');
    if (sessions.length === 0) return;
    const current = book.current(link.number);
    const unseen = current !== undefined && sessions.every((session) => session.exponentOf(current) === undefined);
    const job = unseen ? current : this.refreshed(link, true);
    if (job === undefined) return;
    if (!unseen) link.lastExclusiveMono = now.monoMs;
    for (const session of sessions) this.send(session, link, job, false);
  }

  /** The link's work under a new number with an advanced ntime; undefined when its pool takes no later one. */
  private refreshed(link: Link, exclusive: boolean): LiveJob | undefined {
    const { book, now } = this.state;
    const job = book.current(link.number);
    if (job === undefined) return undefined;
    const elapsedS = Math.floor((now.monoMs - job.receivedMono) / 1000);
    const ntime = Math.max(job.work.ntime + 1, job.poolNtime + elapsedS);
    if (ntime > job.poolNtime + job.ntimeRollS) return undefined;
    const mask = (job.content.versionMask & link.versionMask) >>> 0;
    const refreshed = book.refresh(job, ntime, mask, link.config.convention, exclusive);
    if (book.holds(link.number, job.original)) {
      this.state.journal({
        type: 'refresh',
        job: refreshed.number,
        of: job.original,
        ntime,
        difficulty: refreshed.difficulty,
        versionMask: refreshed.content.versionMask,
        atMs: now.wallMs,
      });
    } else {
      this.state.journal(jobFact(refreshed));
    }
    return refreshed;
  }

  /**
   * The pool's mask has changed. Bits that it takes away are taken from machines at once. Bits that it adds come with its next
   * job: pools keep the mask with each job, and refuse on one that they sent before what they had not granted then.
   */
  remask(link: Link): void {
    const job = this.state.book.current(link.number);
    if (job !== undefined && (job.content.versionMask & ~link.versionMask) !== 0) this.refresh(link);
  }

  /** Sends the link's work to all its sessions again with an advanced ntime; false when no pool would take it any more. */
  refresh(link: Link): boolean {
    const job = this.refreshed(link, false);
    if (job === undefined) return false;
    this.broadcast(link, job, false);
    return true;
  }

  /**
   * Difficulty units per second that the sessions of a link are expected to bring: as measured, and for those that have
   * shown nothing yet never more than the start. What a machine asks for is no measure: one that asks for far too much
   * would raise k for all.
   */
  private loadOf(link: Link): number {
    const { startExponent, sharesPerMinute } = this.state.config.difficulty;
    let load = 0;
    for (const { vardiff, acceptedTotal } of link.sessions) {
      const exponent = vardiff?.exponent ?? startExponent;
      load += 2 ** (acceptedTotal > 0 ? exponent : Math.min(exponent, startExponent));
    }
    return (load * sharesPerMinute) / 60;
  }

  /**
   * Raises a link's ceiling above the pool's difficulty by as little as keeps expected submits under the link's cap and
   * expected shares under the process's. The pool then cannot credit all of a share's work: that is counted.
   */
  private rebalance(links: readonly Link[]): void {
    const { book, config, sessions } = this.state;
    const perSecond = config.difficulty.sharesPerMinute / 60;
    for (const link of links) {
      const job = book.current(link.number);
      if (job === undefined) continue;
      const submits = this.loadOf(link) / 2 ** job.ceiling;
      const fair = (config.limits.sharesPerSecondMax * Math.max(link.sessions.size, 1)) / Math.max(sessions.size, 1);
      const cap = Math.min(link.config.submitsPerSecondMax, Math.max(fair, link.sessions.size * perSecond));
      const needed = submits <= cap ? 0 : Math.ceil(Math.log2(submits / cap));
      const before = this.boostOf(link);
      // Near the border it stays as it is: a k that changes with every job costs machines more than it spares the pool.
      const settled = needed < before && submits > SETTLED_SHARE * cap * 2 ** (before - 1);
      this.boosts.set(link.number, settled ? before : needed);
    }
  }

  /** Powers of two by which the link's sessions are credited above what its pool can. */
  private boostOf(link: Link): number {
    return this.boosts.get(link.number) ?? 0;
  }

  forget(link: Link): void {
    this.boosts.delete(link.number);
    this.awaiting.delete(link);
  }

  /** Refreshes links whose machines have heard nothing for a while, and serves those that wait for work. */
  tick(links: readonly Link[]): void {
    const { now, config } = this.state;
    this.rebalance(links);
    for (const link of links) {
      if (link.sessions.size > 0 && now.monoMs - link.lastBroadcastMono >= config.timeouts.refreshMs) this.refresh(link);
      this.serveAwaiting(link);
    }
  }

  /** Whether its pool takes no later ntime of the link's work, so that machines cannot be kept busy with it. */
  exhausted(link: Link): boolean {
    const { book, now, config } = this.state;
    const job = book.current(link.number);
    // A pool that takes no rolled ntime at all is not dead between two jobs.
    return job !== undefined && now.monoMs - job.receivedMono > Math.max(job.ntimeRollS * 1000, config.timeouts.poolSilentMs);
  }
}

function sameBlock(a: LiveJob, b: LiveJob): boolean {
  return a.work.prevhash === b.work.prevhash;
}
