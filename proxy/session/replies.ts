/**
 * Answers that wait until the journal holds what they claim. A share whose record could not be written is answered
 * all the same (mining goes on) and counted as unjournaled.
 */
import { Timing } from '../../config/timing.ts';
import { formatError, formatTrue, type Id } from '../protocol/downstream.ts';
import type { Admission, Fact, Unadmitted } from './facts.ts';
import type { Session } from './session.ts';
import type { Counters, Sink } from './sink.ts';

export interface WaitingReply {
  /** What must be durable before; 0 for all that was appended so far. */
  readonly sequence: number;
  readonly session: Session;
  /** Undefined when somebody else answers (the pool): then only the claim is watched. */
  readonly id: Id | undefined;
  /** What to say; a pool's reject is relayed with its own code and text. */
  readonly refusal: { readonly code: number; readonly text: string } | undefined;
  /** What an unjournaled share is counted under; undefined when its own record was durable before. */
  readonly claim: (Claim & { readonly atMs: number }) | undefined;
  readonly sinceMono: number;
}

type Claim = Pick<Unadmitted, 'site' | 'lessee' | 'leases' | 'exponent' | 'verdict'>;

export class Replies {
  readonly latency = new Timing('reply');
  private waiting: WaitingReply[] = [];
  private head = 0;
  private lastSequence = 0;
  /** Admissions not yet durable, by site, lessee, leases, exponent and verdict. */
  private unjournaled = new Map<string, Unadmitted>();
  private admitting: (Admission & { readonly sequence: number }) | undefined;
  private lastAdmissionMs = 0;
  private readonly sink: Sink;
  private readonly counters: Counters;
  private readonly journal: (fact: Fact) => number;

  constructor(sink: Sink, counters: Counters, journal: (fact: Fact) => number) {
    this.sink = sink;
    this.counters = counters;
    this.journal = journal;
  }

  /** First in, first out: a reply waits for everything that was appended before it. */
  wait(reply: WaitingReply): void {
    if (reply.id !== undefined) reply.session.pendingReplies += 1;
    this.lastSequence = Math.max(this.lastSequence, reply.sequence);
    this.waiting.push(reply.sequence === this.lastSequence ? reply : { ...reply, sequence: this.lastSequence });
  }

  /** Everything up to `sequence` is on the disk. */
  durable(sequence: number, monoMs: number): void {
    if (this.admitting !== undefined && this.admitting.sequence <= sequence) {
      this.admitting = undefined;
      this.keep();
    }
    this.release(sequence, monoMs, false);
  }

  /** Nothing from the oldest waiting one up to `sequence` could be written. */
  lost(sequence: number, monoMs: number): void {
    const { admitting } = this;
    const before = this.counters.unjournaledShares;
    if (admitting !== undefined && admitting.sequence <= sequence) {
      this.admitting = undefined;
      for (const entry of admitting.entries) this.count(entry, entry.count, entry.fromMs);
    }
    this.release(sequence, monoMs, true);
    if (this.admitting !== admitting || this.counters.unjournaledShares !== before) this.keep();
  }

  /** Shares that a process which is gone had still to admit. */
  owe(entries: readonly Unadmitted[]): void {
    for (const entry of entries) this.count(entry, entry.count, entry.fromMs);
    this.keep();
  }

  private keep(): void {
    this.sink.keepUnadmitted([...this.unjournaled.values()], this.admitting);
  }

  private release(sequence: number, monoMs: number, unjournaled: boolean): void {
    while (this.head < this.waiting.length && this.waiting[this.head]!.sequence <= sequence) {
      const reply = this.waiting[this.head]!;
      this.head += 1;
      if (unjournaled && reply.claim !== undefined) {
        this.counters.unjournaledShares += 1;
        this.count(reply.claim, 1, reply.claim.atMs);
      }
      this.send(reply, monoMs);
    }
    if (this.head > 1024 && this.head * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.head);
      this.head = 0;
    }
  }

  private send(reply: WaitingReply, monoMs: number): void {
    const { session, refusal, id } = reply;
    if (id === undefined) return;
    session.pendingReplies -= 1;
    this.latency.observe((monoMs - reply.sinceMono) / 1000);
    if (session.state === 'closed') return;
    if (refusal === undefined) this.counters.sharesAnsweredTrue += 1;
    this.sink.toSession(session, refusal === undefined ? formatTrue(id) : formatError(id, refusal.code, refusal.text));
  }

  private count(of: Claim, count: number, fromMs: number): void {
    const { site, lessee, leases, exponent, verdict } = of;
    const key = `${site}\t${lessee}\t${leases}\t${exponent}\t${verdict}`;
    const entry = this.unjournaled.get(key);
    this.unjournaled.set(key, { site, lessee, leases, exponent, verdict, count: count + (entry?.count ?? 0), fromMs: Math.min(fromMs, entry?.fromMs ?? fromMs) });
  }

  /** Writes the admissions down once the journal takes records again. Call now and then. */
  admit(wallMs: number): void {
    if (this.unjournaled.size === 0 || this.admitting !== undefined) return;
    const entries = [...this.unjournaled.values()];
    const atMs = Math.max(wallMs, this.lastAdmissionMs + 1);
    this.lastAdmissionMs = atMs;
    this.unjournaled = new Map();
    // Kept as under way before it is: whoever inherits it knows where to look.
    this.admitting = { atMs, entries, sequence: Infinity };
    this.keep();
    let sequence = 0;
    for (const entry of entries) sequence = this.journal({ type: 'unjournaled', ...entry, atMs });
    this.admitting = { atMs, entries, sequence };
  }
}
