/** What pools say of shares: written down with all that is needed to fold it alone, then told to machines that wait for it. */
import { rejectReply } from '../protocol/downstream.ts';
import type { Link } from './link.ts';
import type { PendingShare, PoolAnswer } from './link-owner.ts';
import type { FarmState } from './state.ts';

/** A pool's code as it is relayed; firmware expects a small integer. */
const RELAYED_CODE = /^-?\d{1,5}$/;

const UNANSWERED: PoolAnswer = { verdict: 'unanswered', reason: 'none', code: '', text: '' };

export class Verdicts {
  private readonly state: FarmState;

  constructor(state: FarmState) {
    this.state = state;
  }

  /** The pool's verdict, or that there will be none. */
  answered(link: Link, share: PendingShare, answer: PoolAnswer): void {
    const { state } = this;
    const { session } = share;
    session.pendingPool -= 1;
    const waiting = share.replyId;
    const value = answer.verdict !== 'rejected';
    const source = answer.verdict === 'unanswered' ? 'proxy' : 'pool';
    const sequence = state.journal({
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
      reply: waiting === undefined ? share.replied : { value, source },
      atMs: state.now.wallMs,
    });
    this.learnConvention(link, share, answer);
    if (waiting === undefined) return;
    session.pendingReplies -= 1;
    const refusal = value ? undefined : relayed(answer);
    state.replies.wait({ sequence, session, id: waiting, refusal, claim: undefined, sinceMono: share.sentMono });
  }

  /**
   * Where a job's own version has bits inside the mask, conventions differ on the wire. A pool that refuses work sent in one
   * way is tried in the other, once for all shares that were under way; one that accepts has shown its convention.
   */
  private learnConvention(link: Link, share: PendingShare, answer: PoolAnswer): void {
    if (share.convention === undefined || share.convention !== link.convention || link.conventionShown) return;
    if (answer.verdict === 'accepted') {
      link.conventionShown = true;
    } else if (answer.reason === 'low-difficulty' || answer.reason === 'bad-version') {
      link.convention = link.convention === 'replace' ? 'xor' : 'replace';
      this.state.sink.log('version convention of pool', { pool: link.pool, convention: link.convention, share: share.share });
    }
  }

  /** Shares a pool has not answered for long: machines are told our verdict, and at last it counts as unanswered. */
  tick(link: Link): void {
    const { now, config } = this.state;
    const { poolReplyMs, poolSilentMs } = config.timeouts;
    let deaf = false;
    for (const [id, share] of link.pending) {
      const ageMs = now.monoMs - share.sentMono;
      if (ageMs < Math.min(poolReplyMs, poolSilentMs)) break;
      if (ageMs >= poolReplyMs && share.replyId !== undefined) this.deadline(share);
      if (ageMs < poolSilentMs) continue;
      link.pending.delete(id);
      this.answered(link, share, UNANSWERED);
      deaf ||= link.lastAnswerMono < share.sentMono;
    }
    // It may send jobs all the same: on another connection it may hear again, another pool may hear better.
    if (deaf) link.end(`the pool has answered no share for ${poolSilentMs / 1000} s`);
  }

  private deadline(share: PendingShare): void {
    const { session, replyId, sentMono } = share;
    share.replyId = undefined;
    share.replied = { value: true, source: 'deadline' };
    session.pendingReplies -= 1;
    this.state.replies.wait({ sequence: 0, session, id: replyId, refusal: undefined, claim: undefined, sinceMono: sentMono });
  }

  /** The link is gone, or we are: nobody will answer what is under way. */
  abandon(link: Link): void {
    const unanswered = [...link.pending.values()];
    link.pending.clear();
    for (const share of unanswered) this.answered(link, share, UNANSWERED);
  }
}

/** The pool's own code and text, as far as firmware can read them. */
function relayed(answer: PoolAnswer): { code: number; text: string } {
  const own = rejectReply(answer.reason === 'none' ? 'other' : answer.reason);
  const code = RELAYED_CODE.test(answer.code) ? Number(answer.code) : own.code;
  return { code, text: answer.text === '' ? own.text : answer.text };
}
