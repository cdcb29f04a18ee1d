/** One downstream connection from accept to close: who it is, what it was granted, which jobs it was sent at which k. */
import type { RejectVerdict } from '../mining/verdict.ts';
import type { Convention } from '../mining/versions.ts';
import type { Vardiff } from '../mining/vardiff.ts';
import type { LeaseStretch } from './leases.ts';
import type { Link } from './link.ts';
import type { Route } from './routes.ts';
import { ShareWindow } from './share-window.ts';
import type { SessionState } from './states.ts';

/** An authorised name of a session. */
export interface Bind {
  /** Number for the journal; 0 until the session has subscribed. */
  readonly number: number;
  readonly worker: string;
  readonly lessee: string;
  /** When the binding was written down; 0 until then. */
  readonly atMs: number;
}

/** All broadcast jobs of `link` numbered from..to were sent to this session with credit 2^exponent; or one job sent to few. */
interface Span {
  readonly link: number;
  readonly from: number;
  to: number;
  readonly exponent: number;
  readonly exclusive: boolean;
}

/** What of a job decides at which k a session has it. */
export interface SentJob {
  readonly link: number;
  readonly number: number;
  readonly exclusive: boolean;
}

/** Rejects counted and not yet journaled. */
export interface Uncounted {
  readonly bind: number;
  readonly verdict: RejectVerdict;
  count: number;
}

const SPANS_MAX = 32;
const EMPTY = new Uint8Array(0);
const NO_REJECTS: ReadonlyMap<RejectVerdict, number> = new Map();

export class Session {
  /** Number for the journal; a new one when the prefix changes in mid-connection. */
  number: number;
  state: SessionState = 'fresh';
  readonly site: string;
  /** `host:port` it connected to, as configured. */
  readonly listener: string;
  readonly address: string;
  readonly openedMono: number;
  sessionId = '';
  subscribedWall = 0;
  userAgent = '';
  prefix: Uint8Array = EMPTY;
  /** Of its prefix: another session may have the same on another plane, and is never on the same link. */
  plane = 0;
  extranonce2Bytes = 0;
  /** In order of authorisation; nearly always one. */
  readonly binds: Bind[] = [];
  route: Route | undefined;
  /** Ids of the leases that its first name is under now. */
  leases: readonly string[] = [];
  /** What its latest share was under, so that the next one need not ask. */
  claimed: { readonly worker: string; readonly revision: number; readonly stretch: LeaseStretch } | undefined;
  /** The one of these that has links of its own; '' for none. */
  lease = '';
  /** Of the session that this one resumes: on the same route it keeps its part. */
  resumedRoute: Route | undefined;
  /** Index of its part where its route is a split; 0 elsewhere. */
  part = 0;
  partMovedMono: number | undefined;
  link: Link | undefined;
  vardiff: Vardiff | undefined;
  /** k that the machine was last told; undefined before its first job. */
  exponent: number | undefined;
  /** Wishes of the machine within policy: a floor (minimum-difficulty, md=), and a fixed value (d=). */
  floorExponent: number | undefined;
  fixedExponent: number | undefined;
  suggestedExponent: number | undefined;
  /** Version bits granted for life; undefined without mining.configure. */
  grantedMask: number | undefined;
  /** The mask last told, by configure or set_version_mask. */
  toldMask: number | undefined;
  convention: Convention | undefined;
  takesExtranonce = false;
  /** The next job sent must end all earlier ones. */
  cleanNext = true;
  /** Set when its extranonce layout fits no live link of its route, with the moment it was. */
  homelessMono: number | undefined;
  /** Since when no pool of its route lives, as last seen. */
  poollessMono: number | undefined;
  /** The configuration has no place for it any more. */
  leaving = false;
  lastInputMono: number;
  lastShareMs: number | undefined;
  acceptedTotal = 0;
  journaledRejects = 0;
  refusedNames = 0;
  /** Replies waiting for the journal or the pool. */
  pendingReplies = 0;
  /** Forwarded shares the pool has not answered. */
  pendingPool = 0;
  window: ShareWindow | undefined;
  private spans: Span[] | undefined;
  /** Jobs may have been broadcast on its link that were not sent to it: the next one begins a new span. */
  private missedJobs = false;
  /** Both only once there is something in them: most sessions never see a reject. */
  private rejectCounts: Map<RejectVerdict, number> | undefined;
  private uncounted: Uncounted[] | undefined;

  constructor(number: number, site: string, listener: string, address: string, monoMs: number) {
    this.number = number;
    this.site = site;
    this.listener = listener;
    this.address = address;
    this.openedMono = monoMs;
    this.lastInputMono = monoMs;
  }

  /** The remote address without its port. */
  get host(): string {
    return this.address.slice(0, this.address.lastIndexOf(':'));
  }

  /** Its extranonce layout fits no live link of its route. */
  get homeless(): boolean {
    return this.homelessMono !== undefined;
  }

  /** It leaves its link: what is broadcast there from now on is not sent to it. */
  leaveLink(): void {
    this.link?.sessions.delete(this);
    this.link = undefined;
    this.missedJobs = true;
  }

  /** Notes that `job` is being sent at 2^exponent. */
  sent(job: SentJob, exponent: number, monoMs: number): void {
    this.window ??= new ShareWindow(monoMs);
    this.spans ??= [];
    const last = this.spans.at(-1);
    const continues = last !== undefined && last.link === job.link && last.exponent === exponent && !last.exclusive;
    if (continues && !job.exclusive && !this.missedJobs) {
      last.to = job.number;
      return;
    }
    // A job for few says nothing about the broadcasts before the next one.
    this.missedJobs = this.missedJobs && job.exclusive;
    this.spans.push({ link: job.link, from: job.number, to: job.number, exponent, exclusive: job.exclusive });
    if (this.spans.length > SPANS_MAX) this.spans.shift();
  }

  /** k of a job as it was sent to this session; undefined when it never was. */
  exponentOf(job: SentJob): number | undefined {
    const { spans } = this;
    if (spans === undefined) return undefined;
    for (let index = spans.length - 1; index >= 0; index -= 1) {
      const span = spans[index]!;
      if (span.exclusive !== job.exclusive || span.link !== job.link) continue;
      if (job.number >= span.from && job.number <= span.to) return span.exponent;
    }
    return undefined;
  }

  /** It was sent a job under its present prefix. */
  get hadWork(): boolean {
    return this.spans !== undefined;
  }

  /** Every k at which shares of it may still count, the one told last at the end. */
  get announced(): number[] {
    const exponents = new Set(this.spans?.map(({ exponent }) => exponent));
    if (this.exponent !== undefined) {
      exponents.delete(this.exponent);
      exponents.add(this.exponent);
    }
    return [...exponents];
  }

  /** A returning machine keeps the jobs it was sent: late shares of them count. */
  inherit(earlier: Session): void {
    this.spans = earlier.spans?.map((span) => ({ ...span }));
    this.missedJobs = true;
    this.part = earlier.part;
    this.partMovedMono = earlier.partMovedMono;
    this.resumedRoute = earlier.route;
    this.convention = earlier.convention;
  }

  /** The old prefix's jobs end: a share of theirs would be assembled with the new prefix. */
  forgetJobs(): void {
    this.spans = undefined;
  }

  bindOf(worker: string): Bind | undefined {
    for (const bind of this.binds) if (bind.worker === worker) return bind;
    return undefined;
  }

  /** Rejects of the whole session by verdict. */
  get rejects(): ReadonlyMap<RejectVerdict, number> {
    return this.rejectCounts ?? NO_REJECTS;
  }

  rejected(verdict: RejectVerdict): void {
    this.rejectCounts ??= new Map();
    this.rejectCounts.set(verdict, (this.rejectCounts.get(verdict) ?? 0) + 1);
  }

  /** Counts a reject that is not journaled one by one. `bind` 0: under no bound name. */
  countReject(bind: number, verdict: RejectVerdict): void {
    this.uncounted ??= [];
    const entry = this.uncounted.find((one) => one.bind === bind && one.verdict === verdict);
    if (entry === undefined) this.uncounted.push({ bind, verdict, count: 1 });
    else entry.count += 1;
  }

  /** The rejects counted since the last call. */
  takeUncounted(): readonly Uncounted[] {
    const taken = this.uncounted ?? [];
    this.uncounted = undefined;
    return taken;
  }
}
