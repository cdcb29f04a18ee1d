/** Sends jobs to sessions: difficulty and notify in one write, one serialised notify line for all sessions of a link and layout. */
import type { Link } from './link.ts';
import type { LiveJob } from './book.ts';
import type { FarmState } from './farm.ts';
import { jobFact } from './live-facts.ts';
import { NTIME_ROLL_MAX_S } from './judge.ts';
import type { Session } from './session.ts';
import { formatNotify, notifyWire, type NotifyWire } from '../protocol/notify.ts';
import { formatSetDifficulty } from '../protocol/set-difficulty.ts';
import { formatSetVersionMask } from '../protocol/set-version-mask.ts';

/** A refresh of its own accord for sessions whose difficulty is far too low comes no more often than this. */
const HURRY_MS = 5000;
/** Steps of 2 by which a session must be below its wish to hurry a refresh. */
const HURRY_EXPONENTS = 3;

/** The wire form of a job for sessions whose layout leaves `zeros` bytes of the slot to us. */
function wireOf(job: LiveJob, zeros: number): NotifyWire {
  const wire = notifyWire(job.content);
  return { ...wire, coinb1: wire.coinb1 + '00'.repeat(zeros) };
}

export class Delivery {
  private readonly state: FarmState;
  /** Exponents by which each link's ceiling is raised, by link number, so that neither pool nor proxy is flooded. */
  private readonly boosts = new Map<number, number>();
  private line = { job: 0, clean: false, zeros: 0, text: '' };

  constructor(state: FarmState) {
    this.state = state;
  }

  /** Whether the session's layout fits what the link leaves. */
  static fits(session: Session, link: Link): boolean {
    return session.prefix.length + session.extranonce2Bytes <= link.extranonce2Bytes;
  }

  private notifyLine(job: LiveJob, zeros: number, clean: boolean): string {
    const cached = this.line;
    if (cached.job === job.number && cached.clean === clean && cached.zeros === zeros) return cached.text;
    const text = formatNotify(job.id, wireOf(job, zeros), job.content.ntime, clean);
    this.line = { job: job.number, clean, zeros, text };
    return text;
  }

  /** What vardiff and the machine's wishes ask for, within policy and before the pool's ceiling. */
  wish(session: Session): number {
    const { minExponent, maxExponent, startExponent } = this.state.config.difficulty;
    const wanted = session.fixedExponent ?? session.vardiff?.exponent ?? session.suggestedExponent ?? startExponent;
    return Math.min(Math.max(wanted, session.floorExponent ?? minExponent, minExponent), maxExponent);
  }

  private exponentFor(session: Session, link: Link, job: LiveJob): number {
    return Math.min(this.wish(session), job.ceiling + (this.boosts.get(link.number) ?? 0));
  }

  /** Sends `job` to one session, with whatever must precede it. */
  private send(session: Session, link: Link, job: LiveJob, jobClean: boolean): void {
    const { sink, now } = this.state;
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
      sink.journal({ type: 'difficulty', session: session.number, exponent, atMs: now.wallMs });
    }
    session.sent(link.number, job.number, exponent, now.monoMs);
    const zeros = job.slotBytes - session.prefix.length - session.extranonce2Bytes;
    sink.toSession(session, lines + this.notifyLine(job, zeros, clean));
  }

  /** A new or refreshed job goes to every session of its link. */
  broadcast(link: Link, job: LiveJob, clean: boolean): void {
    link.lastBroadcastMono = this.state.now.monoMs;
    for (const session of link.sessions) this.send(session, link, job, clean);
  }

  /** Puts sessions on a link; whoever has had its job before is given a refreshed one, with all others. */
  join(link: Link, sessions: readonly Session[], oldLinkDead: boolean): void {
    const job = this.state.book.current(link.number);
    for (const session of sessions) {
      const before = session.link;
      if (before !== undefined && before !== link) {
        before.sessions.delete(session);
        const last = this.state.book.current(before.number);
        session.moved = true;
        session.cleanNext = oldLinkDead || last === undefined || job === undefined || !sameBlock(last, job);
      } else if (before === undefined) {
        session.cleanNext = true;
      }
      session.link = link;
      session.homeless = false;
      link.sessions.add(session);
    }
    if (job === undefined) return;
    this.rebalance([link]);
    const had = sessions.some((session) => session.exponentOf(link.number, job.number) !== undefined);
    if (had && this.refresh(link)) return;
    for (const session of sessions) {
      if (session.link !== link || session.exponentOf(link.number, job.number) !== undefined) continue;
      this.send(session, link, job, false);
    }
  }

  /** Sends the link's work again with an advanced ntime; false when it has none that is still worth anything. */
  refresh(link: Link): boolean {
    const { book, now, sink } = this.state;
    const job = book.current(link.number);
    if (job === undefined) return false;
    const elapsedS = Math.floor((now.monoMs - job.receivedMono) / 1000);
    const ntime = Math.max(job.content.ntime + 1, job.poolNtime + elapsedS);
    const rollS = Math.min(NTIME_ROLL_MAX_S, Math.floor(link.config.ntimeRollMs / 1000));
    if (ntime > job.poolNtime + rollS) return false;
    const refreshed = book.refresh(job, ntime, link.versionMask, link.config.convention);
    if (book.holds(link.number, job.original)) {
      sink.journal({
        type: 'refresh',
        job: refreshed.number,
        of: job.original,
        ntime,
        difficulty: refreshed.difficulty,
        versionMask: refreshed.content.versionMask,
        atMs: now.wallMs,
      });
    } else {
      sink.journal(jobFact(refreshed));
    }
    link.lastBroadcastMono = now.monoMs;
    for (const session of link.sessions) this.send(session, link, refreshed, false);
    return true;
  }

  /** Difficulty units per second that the sessions of a link are expected to bring. */
  private loadOf(link: Link): number {
    const perSecond = this.state.config.difficulty.sharesPerMinute / 60;
    let load = 0;
    for (const session of link.sessions) load += perSecond * 2 ** this.wish(session);
    return load;
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
      const load = this.loadOf(link);
      const submits = load / 2 ** job.ceiling;
      const fair = (config.limits.sharesPerSecondMax * Math.max(link.sessions.size, 1)) / Math.max(sessions.size, 1);
      const cap = Math.min(link.config.submitsPerSecondMax, Math.max(fair, link.sessions.size * perSecond));
      const boost = submits <= cap ? 0 : Math.ceil(Math.log2(submits / cap));
      this.boosts.set(link.number, boost);
    }
  }

  /** Whether the link's sessions are credited above what its pool can. */
  boostOf(link: Link): number {
    return this.boosts.get(link.number) ?? 0;
  }

  forget(link: Link): void {
    this.boosts.delete(link.number);
  }

  /** Refreshes links whose machines have heard nothing for a while, or whose sessions are flooding at a far too low difficulty. */
  tick(links: readonly Link[]): void {
    const { now, config, book } = this.state;
    this.rebalance(links);
    for (const link of links) {
      const job = book.current(link.number);
      if (job === undefined || link.sessions.size === 0) continue;
      const quietMs = now.monoMs - link.lastBroadcastMono;
      if (quietMs >= config.timeouts.refreshMs) this.refresh(link);
      else if (quietMs >= HURRY_MS && this.someoneFloods(link, job)) this.refresh(link);
    }
  }

  private someoneFloods(link: Link, job: LiveJob): boolean {
    for (const session of link.sessions) {
      if (session.exponent !== undefined && this.exponentFor(session, link, job) >= session.exponent + HURRY_EXPONENTS) return true;
    }
    return false;
  }
}

function sameBlock(a: LiveJob, b: LiveJob): boolean {
  return Buffer.compare(a.content.prevhash, b.content.prevhash) === 0;
}
