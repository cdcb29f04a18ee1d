/** What a link and its owner tell each other: jobs, shares under way, and what the pool says of them. */
import type { PoolReason, ReplySource } from '../mining/verdict.ts';
import type { Convention } from '../mining/versions.ts';
import type { Id } from '../protocol/downstream.ts';
import type { UpstreamMessage } from '../protocol/upstream.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

export type NotifyMessage = Extract<UpstreamMessage, { kind: 'notify' }>;

/** A share sent upstream and not yet answered. */
export interface PendingShare {
  readonly share: number;
  readonly bind: number;
  readonly job: number;
  readonly difficulty: string;
  readonly atMs: number;
  readonly sentMono: number;
  readonly session: Session;
  /** The name it was submitted under. */
  readonly user: string;
  /** With `reply: pool`: the machine's own request id, while it waits for the pool's verdict. */
  replyId: Id | undefined;
  /** How its version bits were written, where conventions differ for its job. */
  readonly convention: Convention | undefined;
  /** What the machine was told at the deadline. */
  replied: { readonly value: boolean; readonly source: ReplySource } | undefined;
}

export interface PoolAnswer {
  readonly verdict: 'accepted' | 'rejected' | 'unanswered';
  readonly reason: PoolReason;
  readonly code: string;
  readonly text: string;
}

/** What a link tells its owner. */
export interface LinkOwner {
  /** Extranonce and mask are known: before the first job, and again when the pool changes them. */
  linkSubscribed(link: Link): void;
  linkJob(link: Link, job: NotifyMessage): void;
  /** The pool narrowed or widened the version mask in mid-job. */
  linkMask(link: Link): void;
  /** The pool does not take a worker name that was passed on to it. */
  linkRefusedName(link: Link, worker: string, why: string): void;
  linkAnswer(link: Link, share: PendingShare, answer: PoolAnswer): void;
  /** A share gives way to later ones, because the pool does not read or answer: there will be no verdict. */
  linkShed(link: Link, share: PendingShare): void;
  /** The link has ended, with whatever is still pending on it. */
  linkEnded(link: Link, reason: string): void;
}
