/** What is written down when a session has its extranonce and when it has a name. */
import type { Fact } from './facts.ts';
import { bindFact, sessionFact, sessionFacts } from './live-facts.ts';
import type { Bind, Session } from './session.ts';
import type { FarmState } from './state.ts';

/** A session with its prefix, and every name it has so far. */
export function openInJournal(state: FarmState, session: Session): void {
  session.subscribedWall = state.now.wallMs;
  state.journal(sessionFact(session));
  session.binds.forEach((bind, index) => {
    session.binds[index] = bindInJournal(state, session, bind);
  });
}

/** The end of a session with these facts. A head that still needs them says that it ended: nobody is connected by them any more. */
export function endInJournal(state: FarmState, session: Session, facts: readonly Fact[], reason: string): void {
  const end: Fact = { type: 'session-end', session: session.number, reason, atMs: state.now.wallMs };
  const sequence = state.journal(end);
  state.departed.add([...facts, end], sequence, () => session.pendingPool > 0);
}

/** Another lessee for all names of a session: what is under way refers to them as they were, what comes from now on is the new one's. */
export function rebind(state: FarmState, session: Session, lessee: string): void {
  if (session.binds.every((bind) => bind.lessee === lessee)) return;
  const facts = [...sessionFacts(session, state.now.wallMs)];
  session.binds.forEach((bind, index) => {
    const renamed = { ...bind, lessee };
    session.binds[index] = bind.number === 0 ? renamed : bindInJournal(state, session, renamed);
  });
  state.departed.add(facts, state.lastSequence, () => session.pendingPool > 0);
}

/** Gives a name of a subscribed session its number. */
export function bindInJournal(state: FarmState, session: Session, bind: Bind): Bind {
  const numbered: Bind = { ...bind, number: state.nextBind(), atMs: state.now.wallMs };
  state.journal(bindFact(session, numbered));
  return numbered;
}
