/**
 * Takes the machines away from a process, evenly over a time: each is closed at a moment when no answer is owed to it, comes
 * back within seconds and is taken by another process. Pools are then given a moment for the verdicts that they still owe.
 */
import { closeSession } from './ending.ts';
import type { FarmState } from './state.ts';

/** How long a session that owes answers may be passed over, and how long pools may take for their last verdicts. */
const GRACE_MS = 5000;

export class Drain {
  private readonly state: FarmState;
  private readonly overMs: number;
  private readonly beganMono: number;
  private readonly initially: number;
  private emptyMono: number | undefined;

  constructor(state: FarmState, overMs: number, now: { readonly monoMs: number }) {
    this.state = state;
    this.overMs = overMs;
    this.beganMono = now.monoMs;
    this.initially = state.sessions.size;
  }

  /** Closes those whose time has come; true when no session is left and no pool owes a verdict. */
  step(): boolean {
    const { state } = this;
    const elapsedMs = state.now.monoMs - this.beganMono;
    // The last ones leave a moment before the end rather than after it.
    const due = Math.ceil(this.initially * Math.min(1, elapsedMs / Math.max(1, this.overMs)));
    let toClose = state.sessions.size - (this.initially - due);
    const patient = elapsedMs < this.overMs + GRACE_MS;
    for (const session of state.sessions) {
      if (toClose <= 0) break;
      if (patient && session.pendingReplies > 0) continue;
      closeSession(state, session, 'moved to another process');
      toClose -= 1;
    }
    if (state.sessions.size > 0) return false;
    this.emptyMono ??= state.now.monoMs;
    const owed = [...state.links.values()].some((link) => link.pending.size > 0);
    return !owed || state.now.monoMs - this.emptyMono >= GRACE_MS;
  }
}
