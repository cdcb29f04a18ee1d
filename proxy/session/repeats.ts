/**
 * A pool may give two connections one extranonce1. Within a run that is no harm, because both share one duplicate set; between two
 * runs, of which none knows the other's headers, a header could count twice. So every run notes what it has (docs/decisions, 014),
 * and where another run has had the same
 *
 *   - no session works there whose prefix that run may have used: it is given a prefix of this run;
 *   - and with prefixes so short that runs must use the same ones, work is sent with later ntimes than that run's shares can have.
 */
import type { Link } from './link.ts';
import type { Session } from './session.ts';
import { fits, layoutOf } from './layouts.ts';
import type { FarmState } from './state.ts';

/** What the runs of an instance know of each other. `extranonce1` is hex. */
export interface RunsElsewhere {
  /** Notes, before any of it is sent, that this run has work under an extranonce1 whose shares carry at most `lastNtime`; 0 where that does not matter. */
  note(extranonce1: string, lastNtime: number): void;
  /** The latest ntime that other runs have noted for it; undefined when none has had it. */
  lastNtime(extranonce1: string): number | undefined;
}

/** A run that never had another beside or before it. */
export const NO_RUN_ELSEWHERE: RunsElsewhere = { note: () => undefined, lastNtime: () => undefined };

/** Prefixes of this length are so many that every run has its own. */
const OWN_PREFIX_BYTES = 4;

function textOf(link: Link): string {
  return Buffer.from(link.extranonce1).toString('hex');
}

/** Whether another run has had the extranonce1 of a link. */
export function isRepeated({ elsewhere }: FarmState, link: Link): boolean {
  return elsewhere.lastNtime(textOf(link)) !== undefined;
}

/** Whether a session may work on a link. */
export function suits(state: FarmState, session: Session, link: Link): boolean {
  return fits(layoutOf(session), link) && !(state.prefixes.isStray(session.prefix) && isRepeated(state, link));
}

/** A link has an extranonce1, or another one. */
export function noteExtranonce({ elsewhere }: FarmState, link: Link): void {
  elsewhere.note(textOf(link), 0);
}

/** The latest ntime that the shares of other runs may carry for work like this of a link; 0 where prefixes tell them apart. */
export function ntimeElsewhere({ elsewhere }: FarmState, link: Link, slotBytes: number, lastNtime: number): number {
  // A machine needs four bytes for itself, where it can have them.
  if (slotBytes >= 2 * OWN_PREFIX_BYTES) return 0;
  // In this order: of two runs that do so at once at least one sees the other.
  elsewhere.note(textOf(link), lastNtime);
  return elsewhere.lastNtime(textOf(link)) ?? 0;
}
