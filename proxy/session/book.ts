/**
 * The jobs machines may still answer, found by the id we sent, and the duplicate sets of the work behind them.
 * A refreshed job, a job the pool repeats and a job a reconnected link brings again share one work and so one duplicate set.
 *
 * Life of a work: known → idle (all its jobs have ended, and nobody builds on its block) → retired (its duplicate set is gone, its
 * identity remembered: it is refused) → forgotten (of such work only ntimes are taken that none of its jobs had). So its shares
 * are late for as long as it is remembered, and afterwards its headers cannot be found again: docs/decisions, 012.
 */
import { DuplicateSets, workIdentity } from '../mining/duplicates.ts';
import { targetWords, type TargetWords, difficultyTarget, exponentFloor, nBitsTarget } from '../mining/difficulty.ts';
import type { Job } from '../mining/job.ts';
import { PreparedJob } from '../mining/kernel.ts';
import { grantableMask, type Convention } from '../mining/versions.ts';

/** What a header is made of besides ntime, version and nonce. A header can be found once for it, under whichever of its jobs. */
export interface Work {
  readonly identity: string;
  /** Hex. */
  readonly prevhash: string;
  /** Its jobs that shares may still name, oldest first, on whatever link. */
  readonly jobs: LiveJob[];
  /** When it was first known. */
  readonly bornMono: number;
  /** The latest ntime any of its jobs was sent with. */
  ntime: number;
  /** The latest ntime that a share of any of its jobs may carry. */
  lastNtime: number;
  /** A machine was sent it: were it new again, a share could count twice, or at another k. */
  given: boolean;
  /** A share of it was counted. */
  claimed: boolean;
  /** At the last sweep no share of it could be good, and nobody built on its block. */
  idle: boolean;
}

/** A job under the id that machines know it by. */
export interface LiveJob {
  readonly number: number;
  /** At most 12 hex digits: boot tag and counter. */
  readonly id: string;
  readonly link: number;
  /** The number of the job as the pool sent it; equals `number` unless this is a refresh. */
  readonly original: number;
  /** Sent to a few sessions by name, not to all of its link. */
  readonly exclusive: boolean;
  readonly poolJobId: string;
  readonly clean: boolean;
  readonly content: Job;
  readonly paddingBytes: number;
  /** Bytes between coinb1 and coinb2: zeros ‖ prefix ‖ extranonce2, the zeros only for sessions with a smaller layout. */
  readonly slotBytes: number;
  readonly prepared: PreparedJob;
  readonly work: Work;
  /** Upstream difficulty as the text received, its target and the largest 2^k below it. */
  readonly difficulty: string;
  readonly target: TargetWords;
  readonly ceiling: number;
  readonly networkTarget: TargetWords;
  /** Version bits that may be granted for it: the link's, less those an "or" pool's own version occupies. */
  readonly grantMask: number;
  readonly coinbaseSats: bigint;
  readonly height: number;
  /** ntime as the pool sent it: its window for shares starts here, also for a refresh. */
  readonly poolNtime: number;
  /** Seconds after `poolNtime` that a share may carry. */
  readonly ntimeRollS: number;
  readonly receivedWall: number;
  readonly receivedMono: number;
  ended: boolean;
}

export interface NewJob {
  readonly link: number;
  readonly poolJobId: string;
  readonly clean: boolean;
  readonly content: Job;
  readonly paddingBytes: number;
  readonly slotBytes: number;
  readonly difficulty: string;
  readonly convention: Convention | 'auto';
  readonly ntimeRollS: number;
  /** It is to have a later ntime than this: up to it others may have found shares of it. */
  readonly ntimeAfter: number;
  readonly coinbaseSats: bigint;
  readonly height: number;
  readonly wallMs: number;
  readonly monoMs: number;
}

/** Retired works remembered, at 100 bytes: of 100 links with two jobs a minute those of five hours, longer than any ntime is taken. */
const RETIRED_MAX = 65_536;

export class JobBook {
  private readonly byId = new Map<string, LiveJob>();
  private readonly byLink = new Map<number, LiveJob[]>();
  private readonly works = new Map<string, Work>();
  /** Identities whose duplicate set is gone, with the latest ntime of their shares: such work can no longer be proven fresh. Oldest first. */
  private readonly retired = new Map<string, number>();
  /** Of retired works that are not remembered the latest ntime: none of them can be told from new work that stays above it. */
  private forgottenNtime = 0;
  private readonly duplicates: DuplicateSets;
  /** What is above it goes with the next job of the link. */
  jobsPerLinkMax: number;
  private readonly retiredMax: number;
  private readonly bootTag: string;
  private readonly departed: (job: LiveJob) => void;
  private counter = 0;

  /** `departed` is told of each job that no share can name any more. */
  constructor(bootTag: string, jobsPerLinkMax: number, duplicatesMax: number, departed: (job: LiveJob) => void, retiredMax = RETIRED_MAX) {
    this.retiredMax = retiredMax;
    this.bootTag = bootTag;
    this.jobsPerLinkMax = jobsPerLinkMax;
    this.duplicates = new DuplicateSets(duplicatesMax);
    this.departed = departed;
  }

  find(id: string): LiveJob | undefined {
    return this.byId.get(id);
  }

  /** Hashes kept to find duplicates. */
  get hashes(): number {
    return this.duplicates.entries;
  }

  /** When the oldest work that machines have and that a share may still count for was first known; Infinity when there is none. */
  get oldestWorkMono(): number {
    for (const { given, bornMono } of this.works.values()) if (given) return bornMono;
    return Infinity;
  }

  /** Every job that a share may still name, oldest first within its link. */
  *all(): Generator<LiveJob> {
    for (const jobs of this.byLink.values()) yield* jobs;
  }

  /** Whether a job is still kept, so that a refresh may refer to it. */
  holds(link: number, number: number): boolean {
    return this.byLink.get(link)?.some((job) => job.number === number) ?? false;
  }

  /** The newest job of a link that machines may work on. */
  current(link: number): LiveJob | undefined {
    const jobs = this.byLink.get(link);
    const newest = jobs?.at(-1);
    return newest?.ended === true ? jobs?.findLast((job) => !job.ended) : newest;
  }

  private nextId(): string {
    this.counter += 1;
    return this.bootTag + this.counter.toString(16).padStart(4, '0');
  }

  private workOf({ content, paddingBytes, ntimeRollS, ntimeAfter, monoMs }: NewJob): Work | undefined {
    const identity = workIdentity(content, paddingBytes);
    // Nothing is left of the time that nobody else has had.
    if (this.retired.has(identity) || content.ntime + ntimeRollS <= ntimeAfter) return undefined;
    const known = this.works.get(identity);
    if (known !== undefined) return known;
    // It may have been retired and forgotten: then it has no ntime left.
    if (content.ntime + ntimeRollS <= this.forgottenNtime) return undefined;
    const prevhash = Buffer.from(content.prevhash).toString('hex');
    const work: Work = { identity, prevhash, jobs: [], bornMono: monoMs, ntime: this.forgottenNtime, lastNtime: 0, given: false, claimed: false, idle: false };
    this.works.set(identity, work);
    return work;
  }

  /**
   * Adds a pool's job; undefined when its work was retired: a header of it might be counted a second time. Work that was
   * sent before gets a later ntime, because firmware would search the same space again.
   */
  add(from: NewJob): LiveJob | undefined {
    const work = this.workOf(from);
    if (work === undefined) return undefined;
    if (from.clean) this.endAll(from.link);
    const id = this.nextId();
    const poolNtime = from.content.ntime;
    const latest = poolNtime + from.ntimeRollS;
    const ntime = Math.min(Math.max(poolNtime, work.ntime + 1, from.ntimeAfter + 1), latest);
    work.lastNtime = Math.max(work.lastNtime, latest);
    work.idle = false;
    const content: Job = ntime === poolNtime ? from.content : { ...from.content, ntime };
    const job: LiveJob = {
      number: this.counter,
      id,
      link: from.link,
      original: this.counter,
      exclusive: false,
      poolJobId: from.poolJobId,
      clean: from.clean,
      content,
      paddingBytes: from.paddingBytes,
      slotBytes: from.slotBytes,
      prepared: new PreparedJob(content),
      work,
      difficulty: from.difficulty,
      target: targetWords(difficultyTarget(from.difficulty)),
      ceiling: exponentFloor(from.difficulty),
      networkTarget: targetWords(nBitsTarget(content.nBits)),
      grantMask: grantableMask(from.convention, content.version, content.versionMask),
      coinbaseSats: from.coinbaseSats,
      height: from.height,
      poolNtime,
      ntimeRollS: from.ntimeRollS,
      receivedWall: from.wallMs,
      receivedMono: from.monoMs,
      ended: false,
    };
    this.keep(job);
    return job;
  }

  /**
   * The same work under a new id with an advanced ntime and what is left of its mask; difficulty changes only with a pool's
   * own notify. `exclusive`: it will be sent to some sessions only.
   */
  refresh(of: LiveJob, ntime: number, versionMask: number, convention: Convention | 'auto', exclusive: boolean): LiveJob {
    const id = this.nextId();
    const content: Job = { ...of.content, ntime, versionMask };
    const grantMask = grantableMask(convention, content.version, versionMask);
    const job: LiveJob = { ...of, number: this.counter, id, clean: false, content, grantMask, exclusive };
    this.keep(job);
    return job;
  }

  private keep(job: LiveJob): void {
    this.byId.set(job.id, job);
    const jobs = this.byLink.get(job.link) ?? [];
    jobs.push(job);
    this.byLink.set(job.link, jobs);
    job.work.jobs.push(job);
    job.work.ntime = Math.max(job.work.ntime, job.content.ntime);
    while (jobs.length > this.jobsPerLinkMax) this.forget(jobs.shift()!);
  }

  private forget(job: LiveJob): void {
    job.ended = true;
    this.byId.delete(job.id);
    const { jobs } = job.work;
    const at = jobs.indexOf(job);
    if (at >= 0) jobs.splice(at, 1);
    this.departed(job);
  }

  /** Ends the jobs of a link: their shares are stale from now on. */
  endAll(link: number): void {
    for (const job of this.byLink.get(link) ?? []) job.ended = true;
  }

  /** Forgets a dead link's jobs altogether. */
  forgetLink(link: number): void {
    for (const job of this.byLink.get(link) ?? []) this.forget(job);
    this.byLink.delete(link);
  }

  /**
   * Claims a header hash for its work. When the sets are full the oldest work without a live job is retired,
   * then the oldest of all, whose jobs end; `retired` says that it was this very work.
   */
  claim(job: LiveJob, hash: Uint8Array): 'new' | 'duplicate' | 'retired' {
    for (;;) {
      const outcome = this.duplicates.claim(job.work.identity, hash);
      if (outcome !== 'full') {
        job.work.claimed = true;
        return outcome;
      }
      const oldest = this.oldestWork(job.work);
      this.retire(oldest);
      if (oldest === job.work) return 'retired';
    }
  }

  private oldestWork(working: Work): Work {
    let oldest: Work | undefined;
    for (const work of this.works.values()) {
      if (!work.claimed) continue;
      if (hasEnded(work)) return work;
      oldest ??= work;
    }
    return oldest ?? working;
  }

  private retire(work: Work): void {
    for (const job of work.jobs) job.ended = true;
    this.works.delete(work.identity);
    if (!work.given && !work.claimed) return;
    this.duplicates.drop(work.identity);
    this.retired.set(work.identity, work.lastNtime);
    if (this.retired.size <= this.retiredMax) return;
    const [identity, lastNtime] = this.retired.entries().next().value!;
    this.retired.delete(identity);
    this.forgottenNtime = Math.max(this.forgottenNtime, lastNtime);
  }

  /**
   * Retires work all of whose jobs have ended and whose previous block no given job builds on any more: no share of it can be
   * good. Call every half a minute or so; it is kept from one call to the next, because a pool may waver between two blocks.
   */
  sweep(): void {
    const building = new Set<string>();
    for (const jobs of this.byLink.values()) {
      const current = jobs.findLast((job) => !job.ended) ?? jobs.at(-1);
      if (current !== undefined) building.add(current.work.prevhash);
    }
    for (const work of this.works.values()) {
      const idle = hasEnded(work) && !building.has(work.prevhash);
      if (idle && work.idle) this.retire(work);
      else work.idle = idle;
    }
  }
}

function hasEnded(work: Work): boolean {
  return work.jobs.every((job) => job.ended);
}
