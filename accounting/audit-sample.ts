/** Draws shares at random from a stream of unknown length, each with the same chance (reservoir sampling). */
import type { Random } from '../config/world.ts';

export class Sampler {
  readonly #limit: number;
  readonly #random: Random;
  readonly #drawn: { segment: number; share: number }[] = [];
  #offered = 0;

  constructor(limit: number, random: Random) {
    this.#limit = limit;
    this.#random = random;
  }

  offer(segment: number, share: number): void {
    this.#offered += 1;
    if (this.#drawn.length < this.#limit) {
      this.#drawn.push({ segment, share });
      return;
    }
    const at = Math.floor(this.#random.fraction() * this.#offered);
    if (at < this.#limit) this.#drawn[at] = { segment, share };
  }

  /** How many were drawn: all, when there were not more. */
  get size(): number {
    return this.#drawn.length;
  }

  /** Numbers of the shares drawn from a segment. */
  chosenOf(segment: number): number[] {
    return this.#drawn.filter((each) => each.segment === segment).map(({ share }) => share);
  }
}
