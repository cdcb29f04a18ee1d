/** Draws shares at random from a stream of unknown length, each with the same chance (reservoir sampling). */
import type { Random } from '../config/world.ts';

export class Sampler {
  readonly #limit: number;
  readonly #random: Random;
  readonly #drawn: { segment: number; share: number }[] = [];
  #offered = 0;
  #bySegment: Map<number, number[]> | undefined;

  constructor(limit: number, random: Random) {
    this.#limit = limit;
    this.#random = random;
  }

  offer(segment: number, share: number): void {
    this.#offered += 1;
    this.#bySegment = undefined;
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
    this.#bySegment ??= this.#group();
    return this.#bySegment.get(segment) ?? [];
  }

  #group(): Map<number, number[]> {
    const groups = new Map<number, number[]>();
    for (const { segment, share } of this.#drawn) {
      const group = groups.get(segment);
      if (group === undefined) groups.set(segment, [share]);
      else group.push(share);
    }
    return groups;
  }
}
