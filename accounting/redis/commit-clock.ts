/** Which commits of the ledger are how old, by the monotonic clock: a stepped wall clock must not hold up publication. */
import type { World } from '../../config/world.ts';
import type { UnitBook } from '../unit-book.ts';

/** Older commits are all alike. */
const KEPT_MS = 60_000;

export class CommitClock {
  readonly #world: Pick<World, 'monoMs'>;
  #units: UnitBook | undefined;
  #seen: { readonly seq: number; readonly atMs: number }[] = [];
  #old = 0;

  constructor(world: Pick<World, 'monoMs'>) {
    this.#world = world;
  }

  /** Takes note of commits since the last look. Those from before the first look count as old. */
  look(units: UnitBook): void {
    const seq = units.seq - 1;
    const nowMs = this.#world.monoMs();
    if (units !== this.#units) {
      this.#units = units;
      this.#seen = [];
      this.#old = seq;
    }
    if (seq > (this.#seen.at(-1)?.seq ?? this.#old)) this.#seen.push({ seq, atMs: nowMs });
    for (let [first] = this.#seen; first !== undefined && nowMs - first.atMs > KEPT_MS; [first] = this.#seen) {
      this.#old = first.seq;
      this.#seen.shift();
    }
  }

  /** The latest commit that is at least so old. */
  before(ageMs: number): number {
    const limitMs = this.#world.monoMs() - ageMs;
    return this.#seen.findLast(({ atMs }) => atMs <= limitMs)?.seq ?? this.#old;
  }
}
