/** What is live, as facts, for the head of a journal segment: shares after it must be provable from that segment alone. */
import type { BindFact, Fact, JobFact, LinkFact, SessionFact } from './facts.ts';
import type { LiveJob } from './book.ts';
import type { FarmState } from './state.ts';
import type { Link } from './link.ts';
import type { Bind, Session } from './session.ts';

export function linkFact(link: Link): LinkFact {
  return {
    type: 'link',
    link: link.number,
    pool: link.pool,
    url: link.url,
    user: link.outlet.user,
    extranonce1: link.extranonce1,
    extranonce2Bytes: link.extranonce2Bytes,
    atMs: link.subscribedWall,
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

export function sessionFact(session: Session): SessionFact {
  return {
    type: 'session',
    session: session.number,
    sessionId: session.sessionId,
    site: session.site,
    address: session.address,
    prefix: session.prefix,
    extranonce2Bytes: session.extranonce2Bytes,
    userAgent: session.userAgent,
    atMs: session.subscribedWall,
  };
}

export function bindFact(session: Session, bind: Bind): BindFact {
  return { type: 'bind', bind: bind.number, session: session.number, worker: bind.worker, lessee: bind.lessee, atMs: bind.atMs };
}

/** The difficulties under which a session has jobs, the one in force last. */
export function* difficultyFacts(session: Session, atMs: number): Generator<Fact> {
  for (const exponent of session.announced) yield { type: 'difficulty', session: session.number, exponent, atMs };
}

/** A session, its names and its difficulties; nothing before it subscribed. */
export function* sessionFacts(session: Session, atMs: number): Generator<Fact> {
  if (session.sessionId === '') return;
  yield sessionFact(session);
  for (const bind of session.binds) if (bind.number !== 0) yield bindFact(session, bind);
  yield* difficultyFacts(session, atMs);
}

/** A job with its link as it was then: how much room a pool leaves may change, and with it how shares are assembled. */
export function* jobWithLink(job: LiveJob, link: Link): Generator<Fact> {
  yield { ...linkFact(link), extranonce2Bytes: job.slotBytes + job.paddingBytes };
  yield jobFact(job);
}

function* linkFacts(state: FarmState): Generator<Fact> {
  const rooms = new Map<number, number>();
  for (const job of state.book.all()) {
    const link = state.links.get(job.link);
    const room = job.slotBytes + job.paddingBytes;
    if (link !== undefined && rooms.get(job.link) !== room) yield* jobWithLink(job, link);
    else yield jobFact(job);
    rooms.set(job.link, room);
  }
  // Last of all as they are now.
  for (const link of state.links.values()) {
    if (link.subscribedWall > 0 && rooms.get(link.number) !== link.extranonce2Bytes) yield linkFact(link);
  }
}

/** What has gone but is still referred to; terms of leases; links and jobs (refreshes as jobs of their own); sessions, names and difficulties. */
export function* liveFacts(state: FarmState): Generator<Fact> {
  yield* state.departed.facts();
  yield* state.terms.values();
  yield* linkFacts(state);
  for (const session of state.sessions) yield* sessionFacts(session, state.now.wallMs);
}
