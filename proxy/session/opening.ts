/** What is written down when a session has its extranonce and when it has a name. */
import { bindFact, sessionFact } from './live-facts.ts';
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

/** Gives a name of a subscribed session its number. */
export function bindInJournal(state: FarmState, session: Session, bind: Bind): Bind {
  const numbered: Bind = { ...bind, number: state.nextBind(), atMs: state.now.wallMs };
  state.journal(bindFact(session, numbered));
  return numbered;
}
