/**
 * Where prefixes are few, a machine that reconnects without its session id would take another each time, and the ones before rest:
 * one client could so use up planes and have us open links (docs/decisions, 013). Before a further plane is begun for an address
 * it therefore succeeds the session of that address that ended first, with its prefix and the jobs and difficulties it had.
 */
import type { Layout } from './layouts.ts';
import { layoutOf } from './layouts.ts';
import type { Session } from './session.ts';
import type { FarmState } from './state.ts';

/** Of longer prefixes there are enough. */
const SHORT_BYTES_MAX = 3;

export class Successors {
  private readonly state: FarmState;
  /** Sessions that ended, by address, oldest first. */
  private readonly ended = new Map<string, Session[]>();

  constructor(state: FarmState) {
    this.state = state;
  }

  /** A session ended that can be resumed. One of a lease with links of its own is for that lease's machines alone. */
  add(session: Session): void {
    if (session.prefix.length > SHORT_BYTES_MAX || !session.hadWork || session.lease !== '' || session.homeless) return;
    const sessions = this.ended.get(session.host);
    if (sessions === undefined) this.ended.set(session.host, [session]);
    else sessions.push(session);
  }

  private mayBeResumed(session: Session): boolean {
    const kept = this.state.resumable.get(session.sessionId);
    return kept?.session === session && kept.untilMono >= this.state.now.monoMs;
  }

  /** The one that a new session of its address with this layout is to succeed; it is not given twice. */
  take(session: Session, layout: Layout): Session | undefined {
    const sessions = this.ended.get(session.host) ?? [];
    const at = sessions.findIndex((one) => {
      const { prefixBytes, extranonce2Bytes } = layoutOf(one);
      return one.site === session.site && prefixBytes === layout.prefixBytes && extranonce2Bytes === layout.extranonce2Bytes && this.mayBeResumed(one);
    });
    return at === -1 ? undefined : sessions.splice(at, 1)[0];
  }

  /** Forgets those that cannot be resumed any more. */
  sweep(): void {
    for (const [host, sessions] of this.ended) {
      const left = sessions.filter((session) => this.mayBeResumed(session));
      if (left.length === 0) this.ended.delete(host);
      else if (left.length < sessions.length) this.ended.set(host, left);
    }
  }
}
