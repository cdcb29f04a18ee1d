/** What debug lines an instance writes now, kept by the supervisor so that a proxy process that starts anew goes on with them. */
import type { World } from '../../config/world.ts';
import type { DebugOrder } from './messages.ts';

export class Debugging {
  readonly #world: World;
  #worker = '';
  #untilMono = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** As it was asked for: '' ends it. */
  take({ worker, forMs }: DebugOrder): void {
    this.#worker = worker;
    this.#untilMono = this.#world.monoMs() + forMs;
  }

  /** What is left of it; undefined when there is nothing to be written. */
  get order(): DebugOrder | undefined {
    const forMs = Math.round(this.#untilMono - this.#world.monoMs());
    return this.#worker === '' || forMs <= 0 ? undefined : { type: 'debug', worker: this.#worker, forMs };
  }
}
