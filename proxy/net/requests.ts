/** Questions to a child process by number, each with a time limit of its own. */
import type { Timer, World } from '../../config/world.ts';

interface Waiting<T> {
  readonly timer: Timer;
  readonly resolve: (answer: T | undefined) => void;
}

/** Numbers the questions and hands each answer to whoever asked. */
export class Requests<T> {
  readonly #world: World;
  readonly #limitMs: number;
  readonly #waiting = new Map<number, Waiting<T>>();
  #last = 0;

  constructor(world: World, limitMs: number) {
    this.#world = world;
    this.#limitMs = limitMs;
  }

  /** Sends by `send(number)`; undefined when that is not possible, the process ends, or no answer comes in time. */
  ask(send: (request: number) => boolean): Promise<T | undefined> {
    const request = ++this.#last;
    return new Promise((resolve) => {
      const timer = this.#world.after(this.#limitMs, () => this.#settle(request, undefined));
      this.#waiting.set(request, { timer, resolve });
      if (!send(request)) this.#settle(request, undefined);
    });
  }

  answer(request: number, answer: T): void {
    this.#settle(request, answer);
  }

  /** The process is gone: nobody will answer. */
  abandon(): void {
    for (const request of [...this.#waiting.keys()]) this.#settle(request, undefined);
  }

  #settle(request: number, answer: T | undefined): void {
    const waiting = this.#waiting.get(request);
    if (waiting === undefined) return;
    this.#waiting.delete(request);
    waiting.timer.cancel();
    waiting.resolve(answer);
  }
}
