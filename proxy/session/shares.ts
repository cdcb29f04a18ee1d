/** What becomes of a submitted share: judged, forwarded, written down, answered – in this order. */
import { coinbaseBytesMax } from '../mining/coinbase-limits.ts';
import { referenceHeader } from '../mining/reference.ts';
import { bitsFor } from '../mining/versions.ts';
import type { Forwarding, RejectVerdict } from '../mining/verdict.ts';
import { formatError, rejectReply, type DownstreamMessage, type Id } from '../protocol/downstream.ts';
import { formatSubmit } from '../protocol/upstream.ts';
import type { LiveJob } from './book.ts';
import { judge, lastExtranonce, lastHash, type Judgement, type SubmitMessage } from './judge.ts';
import type { Link } from './link.ts';
import type { PendingShare } from './link-owner.ts';
import type { WaitingReply } from './replies.ts';
import type { Bind, Session } from './session.ts';
import type { FarmState } from './state.ts';

/** One accepted share in so many is judged again by bitcoinjs-lib while it is fresh. */
const SAMPLE_EVERY = 256;
/** So many shares below their target before any good one are no chance. */
const MISSES_TOLD = 20;
const EMPTY = new Uint8Array(0);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The name under which a share is submitted. */
function userFor(link: Link | undefined, worker: string): string {
  return link?.names?.isGranted(worker) === true ? worker : (link?.outlet.user ?? '');
}

export class Shares {
  private readonly state: FarmState;

  constructor(state: FarmState) {
    this.state = state;
  }

  submit(session: Session, message: SubmitMessage): void {
    const bind = session.bindOf(message.username);
    if (bind === undefined) {
      this.refuse(session, undefined, message, 'unauthorised');
      return;
    }
    if (session.pendingReplies >= this.state.config.limits.pendingRepliesMax) {
      this.refuse(session, bind, message, 'other', undefined, 'Too many unanswered shares');
      return;
    }
    const judgement = judge(this.state.book, session, message, this.state.now);
    if (judgement.verdict !== 'accepted' && judgement.verdict !== 'courtesy') {
      // Of a submit that could be read only the size of extranonce2 is wrong in form; the text is ckpool's.
      this.refuse(session, bind, message, judgement.verdict, judgement, judgement.verdict === 'malformed' ? 'Invalid nonce2 length' : undefined);
      return;
    }
    this.good(session, bind, message, judgement, judgement.job!);
  }

  /** An accepted or courtesy share. */
  private good(session: Session, bind: Bind, message: SubmitMessage, judgement: Judgement, job: LiveJob): void {
    const { state } = this;
    const { now } = state;
    const share = state.nextShare();
    const pending = judgement.upstream || judgement.block ? this.pendingShare(session, bind, job, share) : undefined;
    const forwarding = pending === undefined ? 'below-target' : this.forward(job, message, judgement, pending);
    if (judgement.block) this.block(job, message, judgement, share);
    const sequence = state.journal({
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
    this.weigh(session, bind, judgement, job, message, share);
    let id: Id | undefined = message.id;
    if (pending !== undefined && forwarding === 'forwarded' && state.config.reply === 'pool') {
      pending.replyId = message.id;
      session.pendingReplies += 1;
      id = undefined;
    }
    const claim = this.claim(session, bind, judgement);
    state.replies.wait({ sequence, session, id, refusal: undefined, claim, sinceMono: now.monoMs });
  }

  /** What a good share is admitted under should it not become durable. */
  private claim(session: Session, bind: Bind, { verdict, exponent }: Judgement): WaitingReply['claim'] {
    const { now } = this.state;
    return { site: session.site, lessee: bind.lessee, leases: this.leasesOf(session, bind), exponent, verdict: verdict === 'courtesy' ? 'courtesy' : 'accepted', atMs: now.wallMs };
  }

  private leasesOf(session: Session, { worker }: Bind): string {
    const { now: { wallMs }, leases } = this.state;
    const { claimed, site, address } = session;
    if (claimed?.worker === worker && claimed.revision === leases.revision && claimed.stretch.fromMs <= wallMs && wallMs < claimed.stretch.toMs) return claimed.stretch.leases;
    const stretch = leases.inForce(worker, site, address, wallMs);
    session.claimed = { worker, revision: leases.revision, stretch };
    return stretch.leases;
  }

  private pendingShare(session: Session, bind: Bind, job: LiveJob, share: number): PendingShare {
    const { now, links } = this.state;
    const { content } = job;
    // Conventions differ only where the job's own version has bits inside the mask.
    const differs = (content.version & content.versionMask) !== 0;
    return {
      share,
      bind: bind.number,
      job: job.number,
      difficulty: job.difficulty,
      atMs: now.wallMs,
      sentMono: now.monoMs,
      session,
      user: userFor(links.get(job.link), bind.worker),
      convention: differs ? links.get(job.link)?.convention : undefined,
      replyId: undefined,
      replied: undefined,
    };
  }

  private weigh(session: Session, bind: Bind, judgement: Judgement, job: LiveJob, message: SubmitMessage, share: number): void {
    const { state } = this;
    if (judgement.verdict !== 'accepted') return;
    session.vardiff?.share(judgement.exponent, state.now.monoMs);
    session.window?.accepted(judgement.exponent, state.now.monoMs);
    const link = state.links.get(job.link);
    if (link !== undefined) state.splitting.delivered(session, link, judgement.exponent);
    session.lastShareMs = state.now.wallMs;
    session.acceptedTotal += 1;
    if (share % SAMPLE_EVERY !== 0) return;
    state.counters.validationSamples += 1;
    const reference = referenceHeader(job.content, lastExtranonce(job.slotBytes), message.ntime, message.nonce, judgement.version);
    if (Buffer.compare(reference.hash, lastHash) === 0) return;
    state.counters.validationMismatches += 1;
    state.sink.log('validation mismatch', {
      worker: bind.worker,
      header: hex(reference.header),
      kernel: hex(lastHash),
      reference: hex(reference.hash),
    });
  }

  /** Sends a share upstream if its link lives and its cap allows; a block candidate always goes. */
  private forward(job: LiveJob, message: SubmitMessage, judgement: Judgement, pending: PendingShare): Forwarding {
    const { state } = this;
    const link = state.links.get(job.link);
    if (link === undefined || link.state !== 'live') return 'no-link';
    const { version, versionMask } = job.content;
    const bits = versionMask === 0 ? undefined : bitsFor(link.convention, version, versionMask, judgement.version);
    if (versionMask !== 0 && bits === undefined) return 'no-link';
    const may = judgement.block || link.maySubmit(state.now);
    // Either way the pool cannot credit all of this share's work.
    if (judgement.verdict === 'accepted' && (!may || judgement.exponent > job.ceiling)) state.counters.cappedShares += 1;
    if (!may) return 'capped';
    const extranonce2 = '00'.repeat(job.paddingBytes) + hex(lastExtranonce(job.slotBytes));
    pending.session.pendingPool += 1;
    const { user } = pending;
    link.outbox.submit(pending, (id) => formatSubmit(id, user, job.poolJobId, extranonce2, message.ntime, message.nonce, bits), judgement.block);
    return 'forwarded';
  }

  /** The share is already on its way upstream; here the whole header and coinbase are kept. */
  private block(job: LiveJob, message: SubmitMessage, judgement: Judgement, share: number): void {
    const { state } = this;
    const { sink } = state;
    state.counters.blockCandidates += 1;
    const { header, hash, coinbase } = referenceHeader(job.content, lastExtranonce(job.slotBytes), message.ntime, message.nonce, judgement.version);
    state.journal({ type: 'block', share, job: job.number, header, coinbase, atMs: state.now.wallMs });
    sink.log('block candidate', { height: job.height, hash: hex(hash.slice().reverse()), header: hex(header), coinbase: hex(coinbase) });
  }

  /** A machine none of whose shares fits its job has been given what it cannot work on, or puts it together in another way. */
  private missed(session: Session, bind: Bind | undefined, { content, slotBytes }: LiveJob): void {
    if (session.acceptedTotal > 0 || session.rejects.get('low-difficulty') !== MISSES_TOLD) return;
    this.state.sink.log('machine refused throughout', {
      worker: bind?.worker,
      address: session.address,
      firmware: session.userAgent,
      pool: session.link?.pool,
      coinbaseBytes: content.coinb1.length + slotBytes + content.coinb2.length,
      coinbaseBytesMax: coinbaseBytesMax(session.userAgent),
    });
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
    session.rejected(verdict);
    if (verdict === 'low-difficulty' && judgement?.job !== undefined) this.missed(session, bind, judgement.job);
    if (bind === undefined || message.kind !== 'submit' || session.journaledRejects >= state.config.limits.journaledRejectsMax) {
      session.countReject(bind?.number ?? 0, verdict);
      return;
    }
    session.journaledRejects += 1;
    const whole = message.extranonce2.length === 2 * session.extranonce2Bytes;
    state.journal({
      type: 'share',
      share: state.nextShare(),
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
