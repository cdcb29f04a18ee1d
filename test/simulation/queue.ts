/** Things to happen at simulated times, in order; what one peer sends arrives in the order it was sent. */
import type { Random } from '../../config/world.ts';

interface Event {
  readonly atMs: number;
  readonly fire: () => void;
}

export class EventQueue {
  private events: Event[] = [];
  private readonly lastOf = new Map<object, number>();
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** Lets something happen up to `delayMsMax` after `nowMs`, after everything that came from `from` before. */
  add(from: object, nowMs: number, delayMsMax: number, fire: () => void): void {
    const atMs = Math.max(nowMs + this.random.fraction() * delayMsMax, this.lastOf.get(from) ?? 0);
    this.lastOf.set(from, atMs);
    let at = this.events.length;
    while (at > 0 && this.events[at - 1]!.atMs > atMs) at -= 1;
    this.events.splice(at, 0, { atMs, fire });
  }

  /** The next thing due by `nowMs`; undefined when there is none. */
  next(nowMs: number): (() => void) | undefined {
    const first = this.events[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.events.shift();
    return first.fire;
  }
}
