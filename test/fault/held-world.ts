/**
 * The world of a supervisor under test. It can be told that half a minute has passed, so that ten crashes in a row are ten
 * single ones and not a crash loop, and its timers can be held, so that nothing is started again before a file is replaced.
 */
import { realWorld, type Timer, type World } from '../../config/world.ts';

export class HeldWorld implements World {
  readonly random = realWorld.random;
  #skippedMs = 0;
  #waiting: (() => void)[] | undefined;

  wallMs(): number {
    return realWorld.wallMs();
  }

  monoMs(): number {
    return realWorld.monoMs() + this.#skippedMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    let cancelled = false;
    const timer = realWorld.after(delayMs, () => {
      if (this.#waiting === undefined) return fire();
      this.#waiting.push(() => {
        if (!cancelled) fire();
      });
      return undefined;
    });
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  every(periodMs: number, fire: () => void): Timer {
    return realWorld.every(periodMs, fire);
  }

  /** Its clock, not its timers. */
  skip(ms: number): void {
    this.#skippedMs += ms;
  }

  /** From now on timers wait for `release`. */
  hold(): void {
    this.#waiting ??= [];
  }

  release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const fire of waiting) fire();
  }
}
