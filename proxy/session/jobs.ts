/** Jobs as pools send them: checked, numbered, written down and passed on. */
import type { Job } from '../mining/job.ts';
import { inspectJob } from '../mining/reference.ts';
import type { Delivery } from './delivery.ts';
import { slotBytesMax } from './layouts.ts';
import type { Link } from './link.ts';
import type { NotifyMessage } from './link-owner.ts';
import { jobFact } from './live-facts.ts';
import type { Placement } from './placement.ts';
import { ntimeElsewhere } from './repeats.ts';
import type { FarmState } from './state.ts';

/** A block has less than this without its witnesses; a coinbase beyond it is nonsense. */
const COINBASE_BYTES_MAX = 1_000_000;
const JOB_ID_CHARACTERS_MAX = 255;

export class Jobs {
  private readonly state: FarmState;
  private readonly delivery: Delivery;
  private readonly placement: Placement;

  constructor(state: FarmState, delivery: Delivery, placement: Placement) {
    this.state = state;
    this.delivery = delivery;
    this.placement = placement;
  }

  /** A link's first job makes it live; sessions without a live link come to it. */
  received(link: Link, message: NotifyMessage): void {
    const { state } = this;
    const slotBytes = Math.min(slotBytesMax(state), link.extranonce2Bytes);
    const paddingBytes = link.extranonce2Bytes - slotBytes;
    const content = contentOf(link, message, paddingBytes);
    const job = this.add(link, message, content, slotBytes, paddingBytes);
    if (job === undefined) return;
    link.useful();
    state.counters.jobs += 1;
    state.journal(jobFact(job));
    const first = link.state !== 'live';
    if (first) this.becameLive(link);
    const fellBack = state.trust.job(link, { prevhash: job.work.prevhash, height: job.height, nBits: content.nBits });
    const homeless = this.placement.evict(link);
    this.delivery.broadcast(link, job, job.clean);
    for (const session of homeless) this.placement.settle(session);
    if (first) this.placement.gather(link);
    this.delivery.join(link, state.splitting.arrivals(link));
    if (fellBack) this.placement.leave(link.outlet);
  }

  private add(link: Link, message: NotifyMessage, content: Job, slotBytes: number, paddingBytes: number) {
    const { book, now } = this.state;
    const { wallMs, monoMs } = now;
    const { poolJobId } = message;
    if (poolJobId.length > JOB_ID_CHARACTERS_MAX) return this.refuse(link, message, `a job id of ${poolJobId.length} characters`);
    if (content.coinb1.length + content.coinb2.length > COINBASE_BYTES_MAX) return this.refuse(link, message, 'a coinbase larger than a block');
    // A pool whose clock is behind still pays; one that is ahead makes blocks nobody takes.
    const inspected = inspectJob(content, slotBytes, Math.min(wallMs, message.ntime * 1000));
    if (!inspected.ok) return this.refuse(link, message, inspected.reason);
    const before = book.current(link.number);
    const newBlock = before !== undefined && Buffer.compare(before.content.prevhash, message.prevhash) !== 0;
    const { difficulty, ntimeRollS } = link;
    const job = book.add({
      link: link.number, poolJobId, clean: message.clean || newBlock, content, paddingBytes, slotBytes, difficulty, ntimeRollS, wallMs, monoMs,
      ntimeAfter: ntimeElsewhere(this.state, link, link.extranonce2Bytes, content.ntime + ntimeRollS),
      convention: link.config.convention, coinbaseSats: inspected.coinbaseSats, height: inspected.height,
    });
    return job ?? this.refuse(link, message, 'the pool repeats work whose shares are no longer known');
  }

  private refuse(link: Link, message: NotifyMessage, reason: string): undefined {
    this.state.counters.jobsRefused += 1;
    link.useless(`job ${message.poolJobId.slice(0, JOB_ID_CHARACTERS_MAX)} was refused: ${reason}`, this.state.now);
  }

  private becameLive(link: Link): void {
    const { state } = this;
    link.state = 'live';
    link.liveSinceMono = state.now.monoMs;
    state.liveLinks.add(link);
    state.sink.log('pool live', { pool: link.pool, link: link.number, difficulty: link.difficulty });
  }
}

function contentOf(link: Link, message: NotifyMessage, paddingBytes: number): Job {
  return {
    prevhash: message.prevhash,
    coinb1: Buffer.concat([message.coinb1, link.extranonce1, new Uint8Array(paddingBytes)]),
    coinb2: message.coinb2,
    branches: message.branches,
    version: message.version,
    nBits: message.nBits,
    ntime: message.ntime,
    versionMask: link.versionMask,
  };
}
