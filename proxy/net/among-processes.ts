/** What proxy processes are told because of each other: how many sessions they may take, and how many an address has elsewhere. */
import type { Slot } from './slot.ts';

/** A crashed process that is not back by then is not waited for. */
export const AWAIT_MS = 1_000;
/** A process may be ahead of the least one by so many sessions, and by this part of what that one has. */
export const AHEAD_MIN = 16;
const AHEAD_RATIO = 0.05;
/** More sessions than a process can have. */
const ROOM_MAX = 2 ** 31;
/** Addresses with fewer sessions in a process are not told to the others. */
const HOSTS_LEAST_MAX = 16;

/**
 * The system gives a connection to whichever process asks first, and that is nearly always the same one. So each may only get
 * so far ahead of the one with the fewest sessions, and leaves what comes then to it. One that has just crashed is waited for,
 * because it is back in a moment and its machines should be its own again; until then they wait in the system's queue.
 * Returns whether one is waited for: then this is to be done again when its time is over.
 */
export function giveRoom(slots: readonly Slot[]): boolean {
  const serving = slots.filter(({ state }) => state === 'serving');
  const awaited = slots.filter(({ state, child }) => (state === 'down' || state === 'starting') && !child.looping && child.sinceMs < AWAIT_MS);
  const least = awaited.length > 0 ? 0 : Math.min(...serving.map(({ sessions }) => sessions));
  const ahead = Math.ceil(AHEAD_MIN + least * AHEAD_RATIO);
  const alone = serving.length + awaited.length < 2;
  for (const slot of serving) slot.makeRoom(alone ? ROOM_MAX : least + ahead, ahead / 2);
  return awaited.length > 0;
}

/** Each process is to count the sessions an address has at the others towards its limit. */
export function shareHosts(slots: readonly Slot[], sessionsPerAddressMax: number): void {
  const least = Math.min(HOSTS_LEAST_MAX, Math.max(1, Math.floor(sessionsPerAddressMax / (4 * slots.length))));
  for (const slot of slots) {
    const elsewhere: Record<string, number> = {};
    for (const { hosts } of slots.filter((other) => other !== slot)) {
      for (const [host, sessions] of Object.entries(hosts)) elsewhere[host] = (elsewhere[host] ?? 0) + sessions;
    }
    slot.send({ type: 'hosts', least, elsewhere });
  }
}
