/** What becomes of a submitted share: judged, forwarded, written down, answered – in this order. */
import { referenceHeader } from '../mining/reference.ts';
import { bitsFor } from '../mining/versions.ts';
import type { Forwarding, OwnVerdict, RejectVerdict } from '../mining/verdict.ts';
import { formatError, rejectReply, type DownstreamMessage } from '../protocol/downstream.ts';
import { formatSubmit } from '../protocol/upstream.ts';
import type { LiveJob } from './book.ts';
import type { FarmState } from './farm.ts';
import { judge, lastExtranonce, lastHash, NTIME_ROLL_MAX_S, type Judgement, type SubmitMessage } from './judge.ts';
import type { PendingShare } from './link.ts';
import type { Pools } from './pools.ts';
import type { Bind, Session } from './session.ts';

/** One accepted share in so many is judged again by bitcoinjs-lib while it is fresh. */
const SAMPLE_EVERY = 256;
const EMPTY = new Uint8Array(0);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class Shares {
  private readonly state: FarmState;
  private readonly pools: Pools;

  constructor(state: FarmState, pools: Pools) {
    this.state = state;
    this.pools = pools;
  }

  submit(session: Session, message: SubmitMessage): void {
    const bind = session.bindOf(message.username);
    if (bind === undefined) {
      this.refuse(session, undefined, message, 'unauthorised');
      return;
    }
    if (session.pendingReplies >= this.state.config.limits.pendingRepliesMax) {
      this.refuse(session, bind, message, 'other');
      return;
    }
    const judgement = judge(this.state.book, session, message, this.pools.ntimeRollS(message.jobId) ?? NTIME_ROLL_MAX_S, this.state.now);
    if (judgement.verdict !== 'accepted' && judgement.verdict !== 'courtesy') {
      this.refuse(session, bind, message, judgement.verdict, judgement);
      return;
    }
    this.good(session, bind, message, judgement, judgement.job!);
  }

  /** An accepted or courtesy share. */
  private good(session: Session, bind: Bind, message: SubmitMessage, judgement: Judgement, job: LiveJob): void {
    const { state } = this;
    const { now, sink } = state;
    const share = state.nextShare;
    state.nextShare += 1;
    const pending: PendingShare = {
      share,
      bind: bind.number,
      job: job.number,
      difficulty: job.difficulty,
      atMs: now.wallMs,
      sentMono: now.monoMs,
      session,
      replyId: undefined,
      replied: undefined,
    };
    const forwarding = judgement.upstream || judgement.block ? this.forward(job, message, judgement, pending) : 'below-target';
    if (judgement.block) this.block(job, message, judgement, share);
    const sequence = sink.journal({
      type: 'share',
      share,
      bind: bind.number,
      job: job.number,
      exponent: judgement.exponent,
      verdict: judgement.verdict,
      forwarding,
      block: judgement.block,
      extranonce2: lastExtranonce(job.slotBytes).slice(job.slotBytes - session.extranonce2Bytes),
      ntime: message.ntime,
      nonce: message.nonce,
      version: judgement.version,
      atMs: now.wallMs,
    });
    this.weigh(session, bind, judgement, job, message);
    const poolAnswers = forwarding === 'forwarded' && state.config.reply === 'pool';
    if (poolAnswers) {
      pending.replyId = message.id;
      session.pendingReplies += 1;
    }
    const { site } = session;
    const claim = judgement.verdict === 'accepted' ? { site, lessee: bind.lessee, exponent: judgement.exponent, atMs: now.wallMs } : undefined;
    const id = poolAnswers ? undefined : message.id;
    state.replies.wait({ sequence, session, id, refusal: undefined, claim, sinceMono: now.monoMs });
  }

  private weigh(session: Session, bind: Bind, judgement: Judgement, job: LiveJob, message: SubmitMessage): void {
    const { state } = this;
    if (judgement.verdict !== 'accepted') return;
    session.vardiff?.share(judgement.exponent, state.now.monoMs);
    session.window?.accepted(judgement.exponent, state.now.monoMs);
    session.lastShareMs = state.now.wallMs;
    session.acceptedTotal += 1;
    if (state.nextShare % SAMPLE_EVERY !== 0) return;
    state.counters.validationSamples += 1;
    const reference = referenceHeader(job.content, lastExtranonce(job.slotBytes), message.ntime, message.nonce, judgement.version);
    if (Buffer.compare(reference.hash, lastHash) === 0) return;
    state.counters.validationMismatches += 1;
    state.sink.log('error', 'validation mismatch: the fast kernel and bitcoinjs-lib disagree', {
      worker: bind.worker,
      header: hex(reference.header),
      kernel: hex(lastHash),
      reference: hex(reference.hash),
    });
  }

  /** Sends a share upstream if its link lives and its cap allows; a block candidate always goes. */
  private forward(job: LiveJob, message: SubmitMessage, judgement: Judgement, pending: PendingShare): Forwarding {
    const link = this.pools.linkOf(job.link);
    if (link === undefined || link.state !== 'live') return 'no-link';
    if (!judgement.block && !this.pools.maySubmit(link)) return 'capped';
    const mask = job.content.versionMask;
    const bits = mask === 0 ? undefined : bitsFor(link.convention, job.content.version, mask, judgement.version);
    if (mask !== 0 && bits === undefined) return 'capped';
    const extranonce2 = '00'.repeat(job.paddingBytes) + hex(lastExtranonce(job.slotBytes));
    if (judgement.exponent > job.ceiling) this.state.counters.cappedShares += 1;
    pending.session.pendingPool += 1;
    link.submit((id) => formatSubmit(id, link.config.user, job.poolJobId, extranonce2, message.ntime, message.nonce, bits), pending);
    return 'forwarded';
  }

  /** The share is already on its way upstream; here the whole header and coinbase are kept. */
  private block(job: LiveJob, message: SubmitMessage, judgement: Judgement, share: number): void {
    const { now, sink, counters } = this.state;
    counters.blockCandidates += 1;
    const { header, hash, coinbase } = referenceHeader(job.content, lastExtranonce(job.slotBytes), message.ntime, message.nonce, judgement.version);
    sink.journal({ type: 'block', share, job: job.number, header, coinbase, atMs: now.wallMs });
    sink.log('warn', 'block candidate', { height: job.height, hash: hex(hash.slice().reverse()), header: hex(header), coinbase: hex(coinbase) });
  }

  /** A reject is answered at once; the journal has it one by one up to a limit per session, then as counts. */
  refuse(
    session: Session,
    bind: Bind | undefined,
    message: Extract<DownstreamMessage, { kind: 'submit' | 'bad-submit' }>,
    verdict: RejectVerdict,
    judgement?: Judgement,
    text?: string,
  ): void {
    const { state } = this;
    const said = rejectReply(verdict);
    state.sink.toSession(session, formatError(message.id, said.code, text ?? said.text));
    session.rejects.set(verdict, (session.rejects.get(verdict) ?? 0) + 1);
    if (bind === undefined || message.kind !== 'submit' || session.journaledRejects >= state.config.limits.journaledRejectsMax) {
      countReject(session, bind?.number ?? 0, verdict);
      return;
    }
    session.journaledRejects += 1;
    const share = state.nextShare;
    state.nextShare += 1;
    const whole = message.extranonce2.length === 2 * session.extranonce2Bytes;
    state.sink.journal({
      type: 'share',
      share,
      bind: bind.number,
      job: judgement?.job?.number ?? 0,
      exponent: judgement?.exponent ?? 0,
      verdict,
      forwarding: 'below-target',
      block: false,
      extranonce2: whole ? Buffer.from(message.extranonce2, 'hex') : EMPTY,
      ntime: message.ntime,
      nonce: message.nonce,
      version: judgement?.version ?? 0,
      atMs: state.now.wallMs,
    });
  }
}

function countReject(session: Session, bind: number, verdict: OwnVerdict): void {
  const key = `${bind} ${verdict}`;
  const entry = session.uncounted.get(key);
  if (entry === undefined) session.uncounted.set(key, { bind, verdict: verdict as RejectVerdict, count: 1 });
  else entry.count += 1;
}
