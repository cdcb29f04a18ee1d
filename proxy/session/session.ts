/** One downstream connection from accept to close: who it is, what it was granted, which jobs it was sent at which k. */
import type { RejectVerdict } from '../mining/verdict.ts';
import type { Convention } from '../mining/versions.ts';
import type { Vardiff } from '../mining/vardiff.ts';
import type { Link } from './link.ts';
import type { Route } from './routes.ts';
import { ShareWindow } from './share-window.ts';
import type { SessionState } from './states.ts';

/** An authorised name of a session. */
export interface Bind {
  /** Number for the journal; 0 until the session has subscribed. */
  number: number;
  readonly worker: string;
  readonly lessee: string;
}

/** All jobs of `link` numbered from..to were sent to this session with credit 2^exponent. */
interface Span {
  readonly link: number;
  readonly from: number;
  to: number;
  readonly exponent: number;
}

const SPANS_MAX = 32;

export class Session {
  /** Number for the journal; a new one when the prefix changes in mid-connection. */
  number: number;
  state: SessionState = 'fresh';
  readonly site: string;
  readonly address: string;
  readonly openedMono: number;
  sessionId = '';
  subscribedWall = 0;
  userAgent = '';
  prefix: Uint8Array = new Uint8Array(0);
  extranonce2Bytes = 0;
  /** In order of authorisation; nearly always one. */
  readonly binds: Bind[] = [];
  route: Route | undefined;
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
  /** Set when its extranonce layout fits no live link of its route. */
  homeless = false;
  lastInputMono: number;
  lastShareMs: number | undefined;
  acceptedTotal = 0;
  readonly rejects = new Map<RejectVerdict, number>();
  /** Rejects counted and not yet journaled, by name and verdict. */
  readonly uncounted = new Map<string, { bind: number; verdict: RejectVerdict; count: number }>();
  journaledRejects = 0;
  /** Replies waiting for the journal or the pool. */
  pendingReplies = 0;
  /** Forwarded shares the pool has not answered. */
  pendingPool = 0;
  window: ShareWindow | undefined;
  private spans: Span[] = [];
  /** It left its link since the last job: jobs broadcast meanwhile were not sent to it. */
  moved = false;

  constructor(number: number, site: string, address: string, monoMs: number) {
    this.number = number;
    this.site = site;
    this.address = address;
    this.openedMono = monoMs;
    this.lastInputMono = monoMs;
  }

  /** Notes that job `number` of `link` is being sent at 2^exponent; every job of the link since the span began was sent too. */
  sent(link: number, number: number, exponent: number, monoMs: number): void {
    this.window ??= new ShareWindow(monoMs);
    const last = this.spans.at(-1);
    if (last !== undefined && last.link === link && last.exponent === exponent && !this.moved) {
      last.to = number;
      return;
    }
    this.moved = false;
    this.spans.push({ link, from: number, to: number, exponent });
    if (this.spans.length > SPANS_MAX) this.spans.shift();
  }

  /** k of a job as it was sent to this session; undefined when it never was. */
  exponentOf(link: number, number: number): number | undefined {
    for (let index = this.spans.length - 1; index >= 0; index -= 1) {
      const span = this.spans[index]!;
      if (span.link === link && number >= span.from && number <= span.to) return span.exponent;
    }
    return undefined;
  }

  /** A returning machine keeps the jobs it was sent: late shares of them count. */
  inherit(earlier: Session): void {
    this.spans = earlier.spans;
    this.convention = earlier.convention;
  }

  /** The old prefix's jobs end: a share of theirs would be assembled with the new prefix. */
  forgetJobs(): void {
    this.spans = [];
  }

  bindOf(worker: string): Bind | undefined {
    for (const bind of this.binds) if (bind.worker === worker) return bind;
    return undefined;
  }
}
