/** A `Sink` that keeps everything: lines go to whoever plays the peer, facts become durable or are lost when the test says so. */
import type { LogEvent } from '../../config/log-events.ts';
import type { Admission, Fact, Unadmitted } from '../../proxy/session/facts.ts';
import type { Farm } from '../../proxy/session/farm.ts';
import type { Link } from '../../proxy/session/link.ts';
import type { Session } from '../../proxy/session/session.ts';
import type { Learnt, Now, Sink } from '../../proxy/session/sink.ts';

/** What peers hear. */
export interface Peers {
  toMachine(session: Session, line: string): void;
  closed(session: Session, reason: string): void;
  dialled(link: Link): void;
  toPool(link: Link, line: string): void;
  hungUp(link: Link): void;
}

export interface Logged {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const DEAF: Peers = { toMachine: () => {}, closed: () => {}, dialled: () => {}, toPool: () => {}, hungUp: () => {} };

export class Recorder implements Sink {
  peers: Peers = DEAF;
  /** All facts; that of sequence n at n − 1. */
  readonly facts: Fact[] = [];
  /** Sequences up to here are durable or lost. */
  settled = 0;
  /** Sequences that were lost. */
  readonly lost = new Set<number>();
  /** As kept for a successor: not admitted, and under way. */
  unadmitted: { readonly waiting: readonly Unadmitted[]; readonly entries: readonly Unadmitted[] } = { waiting: [], entries: [] };
  readonly learnt = new Map<string, Learnt>();
  readonly logs: Logged[] = [];
  /** Session ids that came from other runs. */
  readonly brought: string[] = [];

  toSession(session: Session, lines: string): void {
    if (!lines.endsWith('\n')) throw new Error(`lines to a session do not end in a line feed: ${lines}`);
    for (const line of lines.slice(0, -1).split('\n')) this.peers.toMachine(session, line);
  }

  closeSession(session: Session, reason: string): void {
    this.peers.closed(session, reason);
  }

  dial(link: Link): void {
    this.peers.dialled(link);
  }

  toLink(link: Link, lines: string): void {
    if (!lines.endsWith('\n')) throw new Error(`lines to a link do not end in a line feed: ${lines}`);
    for (const line of lines.slice(0, -1).split('\n')) this.peers.toPool(link, line);
  }

  closeLink(link: Link): void {
    this.peers.hungUp(link);
  }

  journal(fact: Fact): number {
    this.facts.push(structuredClone(fact));
    return this.facts.length;
  }

  keepUnadmitted(waiting: readonly Unadmitted[], admitting: Admission | undefined): void {
    this.unadmitted = structuredClone({ waiting, entries: admitting?.entries ?? [] });
  }

  remember(pool: string, learnt: Learnt): void {
    this.learnt.set(pool, learnt);
  }

  broughtHere(sessionId: string): void {
    this.brought.push(sessionId);
  }

  log(event: LogEvent, fields: Readonly<Record<string, unknown>>): void {
    this.logs.push({ event, fields });
  }

  /** Makes everything appended so far durable. */
  commit(farm: Farm, now: Now): void {
    if (this.settled === this.facts.length) return;
    this.settled = this.facts.length;
    farm.durable(this.settled, now);
  }

  /** Loses everything appended since the last commit. */
  fail(farm: Farm, now: Now): void {
    if (this.settled === this.facts.length) return;
    for (let sequence = this.settled + 1; sequence <= this.facts.length; sequence += 1) this.lost.add(sequence);
    this.settled = this.facts.length;
    farm.unjournaled(this.settled, now);
  }

  /** Facts of one type, in order. */
  of<T extends Fact['type']>(type: T): Extract<Fact, { type: T }>[] {
    return this.facts.filter((fact): fact is Extract<Fact, { type: T }> => fact.type === type);
  }
}
