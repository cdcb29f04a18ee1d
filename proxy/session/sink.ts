/** The effects of the state machines: all they can do to the world. `proxy/net` performs them; a simulation records them. */
import type { LogEvent } from '../../config/log-events.ts';
import type { Admission, Fact, Unadmitted } from './facts.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

export const COUNTERS = [
  'connects',
  'resumptions',
  'downstreamMessages',
  'upstreamMessages',
  'sharesAnsweredTrue',
  'unjournaledShares',
  'validationSamples',
  'validationMismatches',
  'cappedShares',
  'shedShares',
  'blockCandidates',
  'jobs',
  'jobsRefused',
  'poolLinesRefused',
  'namesRefused',
] as const;
export type CounterName = (typeof COUNTERS)[number];
export type Counters = Record<CounterName, number>;

/** All counters at zero. */
export function zeroCounters(): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Counters;
}

/** The instant of the event being handled. */
export interface Now {
  /** Wall clock, integer milliseconds: what is written down. */
  readonly wallMs: number;
  /** Monotonic milliseconds: what is measured with. */
  readonly monoMs: number;
}

export interface Learnt {
  readonly extranonce2Bytes: number;
  readonly versionMask: number;
}

export interface Sink {
  /** Whole lines, each ending in \n; lines of one call leave in one write. */
  toSession(session: Session, lines: string): void;
  /** Ends the session's connection; `reason` is counted. The driver does not report it back. */
  closeSession(session: Session, reason: string): void;
  /** Opens a connection for the link; the driver answers with `linkOpened` or `linkClosed`. */
  dial(link: Link): void;
  toLink(link: Link, lines: string): void;
  closeLink(link: Link): void;
  /** Appends to the journal; returns the sequence that `durable` or `unjournaled` will report. */
  journal(fact: Fact): number;
  /** All that is unjournaled and not durably admitted, whenever that changes: it must outlive this process. */
  keepUnadmitted(waiting: readonly Unadmitted[], admitting: Admission | undefined): void;
  /** What a pool turned out to give; kept over restarts, because machines subscribe before the pool has answered. */
  remember(pool: string, learnt: Learnt): void;
  /** A machine came back here with a session of another run; should its old connection still stand there, it is to end. */
  broughtHere(sessionId: string): void;
  log(event: LogEvent, fields: Readonly<Record<string, unknown>>): void;
}
