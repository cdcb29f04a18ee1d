/** What is live, as facts, for the head of a journal segment: shares after it must be provable from that segment alone. */
import type { BindFact, Fact, JobFact, LinkFact, SessionFact } from './facts.ts';
import type { LiveJob } from './book.ts';
import type { FarmState } from './farm.ts';
import type { Link } from './link.ts';
import type { Bind, Session } from './session.ts';

export function linkFact(link: Link, atMs: number): LinkFact {
  return {
    type: 'link',
    link: link.number,
    pool: link.pool,
    url: link.url,
    user: link.config.user,
    extranonce1: link.extranonce1,
    extranonce2Bytes: link.extranonce2Bytes,
    atMs,
  };
}

export function jobFact(job: LiveJob): JobFact {
  return {
    type: 'job',
    job: job.number,
    link: job.link,
    poolJobId: job.poolJobId,
    clean: job.clean,
    content: job.content,
    paddingBytes: job.paddingBytes,
    difficulty: job.difficulty,
    coinbaseSats: job.coinbaseSats,
    height: job.height,
    atMs: job.receivedWall,
  };
}

export function sessionFact(session: Session, atMs: number): SessionFact {
  return {
    type: 'session',
    session: session.number,
    sessionId: session.sessionId,
    site: session.site,
    address: session.address,
    prefix: session.prefix,
    extranonce2Bytes: session.extranonce2Bytes,
    userAgent: session.userAgent,
    atMs,
  };
}

export function bindFact(session: Session, bind: Bind, atMs: number): BindFact {
  return { type: 'bind', bind: bind.number, session: session.number, worker: bind.worker, lessee: bind.lessee, atMs };
}

function* sessionFacts(session: Session, atMs: number): Generator<Fact> {
  if (session.sessionId === '') return;
  yield sessionFact(session, session.subscribedWall);
  for (const bind of session.binds) if (bind.number !== 0) yield bindFact(session, bind, session.subscribedWall);
  if (session.exponent !== undefined) yield { type: 'difficulty', session: session.number, exponent: session.exponent, atMs };
}

/** Links with jobs, their jobs (refreshes as jobs of their own), sessions, names and difficulties. */
export function* liveFacts(state: FarmState, links: readonly Link[]): Generator<Fact> {
  const atMs = state.now.wallMs;
  for (const link of links) if (link.extranonce2Bytes > 0) yield linkFact(link, atMs);
  for (const job of state.book.all()) yield jobFact(job);
  for (const session of state.sessions) yield* sessionFacts(session, atMs);
  for (const session of state.lingering.keys()) yield* sessionFacts(session, atMs);
}
