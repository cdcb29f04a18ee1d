/** How sessions end, by themselves or by us, and what is written down of them then. */
import { sessionFacts } from './live-facts.ts';
import { endInJournal } from './opening.ts';
import type { Session } from './session.ts';
import type { FarmState } from './state.ts';

const WISHES_MAX = 100_000;
/** Longer names are strangers': they are not worth remembering. */
const WISH_NAME_CHARACTERS_MAX = 128;

/** Closes a session's connection from our side. */
export function closeSession(state: FarmState, session: Session, reason: string): void {
  if (session.state === 'closed') return;
  state.sink.closeSession(session, reason);
  endSession(state, session, reason);
}

/** Forgets a session whose connection is gone; its prefix rests, and its machine may resume it for a while. */
export function endSession(state: FarmState, session: Session, reason: string): void {
  if (!state.sessions.delete(session)) return;
  const mined = session.state === 'mining';
  session.state = 'closed';
  session.link?.sessions.delete(session);
  const left = (state.byHost.get(session.host) ?? 1) - 1;
  if (left === 0) state.byHost.delete(session.host);
  else state.byHost.set(session.host, left);
  flushRejects(state, session);
  rememberWish(state, session);
  if (session.sessionId === '') return;
  state.bySessionId.delete(session.sessionId);
  state.prefixes.release(session, state.now.monoMs, session.hadWork ? session.sessionId : undefined);
  const facts = [...sessionFacts(session, state.now.wallMs)];
  endInJournal(state, session, facts, reason);
  if (!mined) return;
  state.resumable.set(session.sessionId, { session, untilMono: state.now.monoMs + state.config.timeouts.resumeMs });
  state.successors.add(session);
  // A whole farm may be away at once.
  if (state.resumable.size > 2 * state.config.limits.sessionsMax) state.resumable.delete(state.resumable.keys().next().value!);
}

/** Only of machines that have shown shares: anybody can name anything. */
function rememberWish(state: FarmState, session: Session): void {
  const worker = session.binds[0]?.worker;
  if (worker === undefined || session.vardiff === undefined || session.acceptedTotal === 0) return;
  if (worker.length > WISH_NAME_CHARACTERS_MAX) return;
  state.wishes.delete(worker);
  state.wishes.set(worker, session.vardiff.exponent);
  if (state.wishes.size > WISHES_MAX) state.wishes.delete(state.wishes.keys().next().value!);
}

/** What vardiff has found for each name that has shown shares: of those connected and those that left. */
export function knownWishes(state: FarmState): [worker: string, exponent: number][] {
  for (const session of state.sessions) rememberWish(state, session);
  return [...state.wishes];
}

/** Wishes of machines that another process has served. */
export function learnWishes(state: FarmState, wishes: readonly (readonly [worker: string, exponent: number])[]): void {
  for (const [worker, exponent] of wishes) {
    if (state.wishes.size >= WISHES_MAX) return;
    if (!state.wishes.has(worker)) state.wishes.set(worker, exponent);
  }
}

/** Writes down the rejects that were only counted. */
export function flushRejects(state: FarmState, session: Session): void {
  for (const { bind, verdict, count } of session.takeUncounted()) {
    state.journal({ type: 'rejects', session: session.number, bind, verdict, count, atMs: state.now.wallMs });
  }
}
