/**
 * The jobs machines may still answer, found by the id we sent, and the duplicate sets of the work behind them.
 * A refreshed job, a job the pool repeats and a job a reconnected link brings again share one work and so one duplicate set.
 */
import { DuplicateSets, workIdentity } from '../mining/duplicates.ts';
import { targetWords, type TargetWords, difficultyTarget, exponentFloor, nBitsTarget } from '../mining/difficulty.ts';
import type { Job } from '../mining/job.ts';
import { PreparedJob } from '../mining/kernel.ts';
import { grantableMask, type Convention } from '../mining/versions.ts';

/** A job under the id that machines know it by. */
export interface LiveJob {
  readonly number: number;
  /** At most 12 hex digits: boot tag and counter. */
  readonly id: string;
  readonly link: number;
  /** The number of the job as the pool sent it; equals `number` unless this is a refresh. */
  readonly original: number;
  readonly poolJobId: string;
  readonly clean: boolean;
  readonly content: Job;
  readonly paddingBytes: number;
  /** Bytes between coinb1 and coinb2: zeros ‖ prefix ‖ extranonce2, the zeros only for sessions with a smaller layout. */
  readonly slotBytes: number;
  readonly prepared: PreparedJob;
  readonly identity: string;
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
  readonly coinbaseSats: bigint;
  readonly height: number;
  readonly wallMs: number;
  readonly monoMs: number;
}

const RETIRED_MAX = 4096;

interface Work {
  readonly prevhash: string;
  jobs: number;
}

export class JobBook {
  private readonly byId = new Map<string, LiveJob>();
  private readonly byLink = new Map<number, LiveJob[]>();
  private readonly works = new Map<string, Work>();
  /** Identities whose duplicate set is gone: such work can no longer be proven fresh. Oldest first. */
  private readonly retired = new Set<string>();
  private readonly duplicates: DuplicateSets;
  private readonly jobsPerLinkMax: number;
  private readonly bootTag: string;
  private counter = 0;

  constructor(bootTag: string, jobsPerLinkMax: number, duplicatesMax: number) {
    this.bootTag = bootTag;
    this.jobsPerLinkMax = jobsPerLinkMax;
    this.duplicates = new DuplicateSets(duplicatesMax);
  }

  find(id: string): LiveJob | undefined {
    return this.byId.get(id);
  }

  /** Every job that a share or a pool verdict may still refer to, oldest first within its link. */
  *all(): Generator<LiveJob> {
    for (const jobs of this.byLink.values()) yield* jobs;
  }

  /** Whether a job is still kept, so that a refresh may refer to it. */
  holds(link: number, number: number): boolean {
    return this.byLink.get(link)?.some((job) => job.number === number) ?? false;
  }

  /** The newest job of a link that machines may work on. */
  current(link: number): LiveJob | undefined {
    return this.byLink.get(link)?.findLast((job) => !job.ended);
  }

  private nextId(): string {
    this.counter += 1;
    return this.bootTag + this.counter.toString(16).padStart(4, '0');
  }

  /** Adds a pool's job; undefined when its work was retired: a header of it might be counted a second time. */
  add(from: NewJob): LiveJob | undefined {
    const identity = workIdentity(from.content);
    if (this.retired.has(identity)) return undefined;
    if (from.clean) this.endAll(from.link);
    const id = this.nextId();
    const job: LiveJob = {
      number: this.counter,
      id,
      link: from.link,
      original: this.counter,
      poolJobId: from.poolJobId,
      clean: from.clean,
      content: from.content,
      paddingBytes: from.paddingBytes,
      slotBytes: from.slotBytes,
      prepared: new PreparedJob(from.content),
      identity,
      difficulty: from.difficulty,
      target: targetWords(difficultyTarget(from.difficulty)),
      ceiling: exponentFloor(from.difficulty),
      networkTarget: targetWords(nBitsTarget(from.content.nBits)),
      grantMask: grantableMask(from.convention, from.content.version, from.content.versionMask),
      coinbaseSats: from.coinbaseSats,
      height: from.height,
      poolNtime: from.content.ntime,
      receivedWall: from.wallMs,
      receivedMono: from.monoMs,
      ended: false,
    };
    this.keep(job);
    return job;
  }

  /** The same work under a new id with an advanced ntime and the mask now in force; difficulty changes only with a pool's own notify. */
  refresh(of: LiveJob, ntime: number, versionMask: number, convention: Convention | 'auto'): LiveJob {
    const id = this.nextId();
    const content: Job = { ...of.content, ntime, versionMask };
    const grantMask = grantableMask(convention, content.version, versionMask);
    const job: LiveJob = { ...of, number: this.counter, id, clean: false, content, grantMask };
    this.keep(job);
    return job;
  }

  private keep(job: LiveJob): void {
    this.byId.set(job.id, job);
    const jobs = this.byLink.get(job.link) ?? [];
    jobs.push(job);
    this.byLink.set(job.link, jobs);
    const work = this.works.get(job.identity) ?? { prevhash: Buffer.from(job.content.prevhash).toString('hex'), jobs: 0 };
    work.jobs += 1;
    this.works.set(job.identity, work);
    while (jobs.length > this.jobsPerLinkMax) this.forget(jobs.shift()!);
  }

  private forget(job: LiveJob): void {
    job.ended = true;
    this.byId.delete(job.id);
    const work = this.works.get(job.identity);
    if (work !== undefined) work.jobs -= 1;
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
      const outcome = this.duplicates.claim(job.identity, hash);
      if (outcome !== 'full') return outcome;
      const oldest = [...this.works].find(([identity, work]) => work.jobs === 0 && identity !== job.identity) ?? [...this.works][0]!;
      this.retire(oldest[0]);
      if (oldest[0] === job.identity) return 'retired';
    }
  }

  private retire(identity: string): void {
    for (const job of this.all()) if (job.identity === identity) job.ended = true;
    this.works.delete(identity);
    this.duplicates.drop(identity);
    this.retired.add(identity);
    if (this.retired.size > RETIRED_MAX) this.retired.delete(this.retired.values().next().value!);
  }

  /** Retires work without jobs whose previous block no given job builds on any more. Call now and then. */
  sweep(): void {
    const building = new Set<string>();
    for (const jobs of this.byLink.values()) {
      const current = jobs.findLast((job) => !job.ended) ?? jobs.at(-1);
      if (current !== undefined) building.add(Buffer.from(current.content.prevhash).toString('hex'));
    }
    for (const [identity, work] of this.works) {
      if (work.jobs === 0 && !building.has(work.prevhash)) this.retire(identity);
    }
  }
}
