/** Shares on their way to one pool: sent and not yet answered, or held back while the pool does not read. Bounded, the oldest gives way. */
import type { PendingShare } from './link-owner.ts';
import type { Now } from './sink.ts';

/** Ids below are the link's own requests. */
const FIRST_SUBMIT_ID = 16;
/** Shares held back from a pool that does not read. One that reads again can still use the last minutes. */
const HELD_MAX = 1000;
/** Shares that a pool may leave unanswered, some 200 bytes each. */
const PENDING_MAX = 65_536;

export class Outbox {
  /** By request id, oldest first. */
  readonly pending = new Map<number, PendingShare>();
  /** Since when the pool has not read what it was sent. */
  blockedSinceMono: number | undefined;
  /** Lines that wait until it does, by id, oldest first. */
  private readonly held = new Map<number, string>();
  private nextId = FIRST_SUBMIT_ID;
  private readonly send: (lines: string) => void;
  private readonly onShed: (share: PendingShare) => void;

  /** `onShed`: a share has given way to later ones, and nothing will be heard of it. */
  constructor(send: (lines: string) => void, onShed: (share: PendingShare) => void) {
    this.send = send;
    this.onShed = onShed;
  }

  /** An id for a request of its own. */
  giveId(): number {
    this.nextId += 1;
    return this.nextId - 1;
  }

  /** Submits a share by the line that `format` makes of its id. `urgent` never waits. */
  submit(share: PendingShare, format: (id: number) => string, urgent: boolean): void {
    const id = this.giveId();
    this.pending.set(id, share);
    if (this.blockedSinceMono === undefined || urgent) this.send(format(id));
    else this.held.set(id, format(id));
    if (this.held.size > HELD_MAX) this.shed(this.held.keys().next().value!);
    else if (this.pending.size > PENDING_MAX) this.shed(this.pending.keys().next().value!);
  }

  private shed(id: number): void {
    const share = this.pending.get(id);
    this.held.delete(id);
    this.pending.delete(id);
    if (share !== undefined) this.onShed(share);
  }

  /** The pool has left so much unread that no more is to be sent for now. */
  blocked(now: Now): void {
    this.blockedSinceMono ??= now.monoMs;
  }

  /** It has read everything: what was held back follows in order. */
  unblocked(): void {
    this.blockedSinceMono = undefined;
    const lines = [...this.held.values()].join('');
    this.held.clear();
    if (lines !== '') this.send(lines);
  }

  /** Nothing more is sent. */
  end(): void {
    this.held.clear();
  }

  /** Whether a share of this job is under way. */
  awaits(job: number): boolean {
    for (const share of this.pending.values()) if (share.job === job) return true;
    return false;
  }
}
