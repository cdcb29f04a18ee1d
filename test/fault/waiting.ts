/** Waiting for conditions, with a deadline and a sentence for when it passes; and what must be undone after each test. */
import { realWorld } from '../../config/world.ts';

const LOOK_MS = 10;

/** Resolves to the milliseconds it took until `ready` held; rejects after `limitMs`, naming `what`. */
export async function until(what: string, ready: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<number> {
  const beganMs = realWorld.monoMs();
  while (!(await ready())) {
    if (realWorld.monoMs() - beganMs > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise<void>((resolve) => realWorld.after(LOOK_MS, resolve));
  }
  return realWorld.monoMs() - beganMs;
}

/** Undoes in reverse order, whatever fails on the way; the first failure is thrown at the end. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
