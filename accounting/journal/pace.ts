/**
 * When a commit of the journal begins. One costs some 0.2 ms of CPU whatever it holds, machines wait for no answer, and the pool
 * has a share long before its commit: so commits keep their distance, unless a group is large. An idle process begins at once.
 */
import type { World } from '../../config/world.ts';

/** Commits begin at least so far apart. Without a flush nobody expects to wait for one: a turn of the clock is enough. */
const COMMIT_EVERY_MS = { fsync: 8, os: 1 };
/** So many facts are a large group: the commit costs little beside what judging them did. */
const GROUP_FACTS = 64;
/** A busy process gathers at most this long before a commit begins. */
const GATHER_MS_MAX = 2;

export class Pace {
  private readonly world: World;
  private readonly everyMs: number;
  /** When the latest commit began, monotonic. */
  private begunMs = -Infinity;
  /** Ends the rest between two commits; undefined while there is none. */
  private endRest: (() => void) | undefined;

  constructor(world: World, durability: 'fsync' | 'os') {
    this.world = world;
    this.everyMs = COMMIT_EVERY_MS[durability];
  }

  /** The group that waits for the next commit has grown to so many facts. */
  grown(facts: number): void {
    if (facts >= GROUP_FACTS) this.hurry();
  }

  /** The next commit is to begin without rest. */
  hurry(): void {
    this.endRest?.();
  }

  /**
   * Resolves when the next commit is to begin: after the rest, and then after one more turn of the event loop, or several while
   * turns bring more. `sequence` tells what has been appended.
   */
  async next(sequence: () => number): Promise<void> {
    const { world } = this;
    const restMs = this.begunMs + this.everyMs - world.monoMs();
    if (restMs > 0) await this.rest(restMs);
    this.begunMs = world.monoMs();
    const untilMs = this.begunMs + GATHER_MS_MAX;
    let seen: number;
    do {
      seen = sequence();
      await new Promise((resolve) => setImmediate(resolve));
    } while (sequence() > seen && world.monoMs() < untilMs);
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.world.after(ms, () => this.hurry());
      this.endRest = () => {
        this.endRest = undefined;
        timer.cancel();
        resolve();
      };
    });
  }
}
