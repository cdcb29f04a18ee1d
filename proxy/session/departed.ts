/**
 * What has gone but is still referred to by facts that are not durable yet, or by pool verdicts still due. A new journal
 * segment may begin at any moment, with facts appended before it: all they refer to must stand at its head.
 */
import type { Fact } from './facts.ts';

interface Entry {
  readonly facts: readonly Fact[];
  /** The last fact that can refer to it, as far as known. */
  sequence: number;
  /** Whether pool verdicts that refer to it are still due. */
  readonly due: (() => boolean) | undefined;
  awaited: boolean;
}

export class Departed {
  private entries: Entry[] = [];

  /** Keeps facts until `sequence` (the last appended so far) is durable and `due` says no. */
  add(facts: readonly Fact[], sequence: number, due?: () => boolean): void {
    if (facts.length > 0) this.entries.push({ facts, sequence, due, awaited: due !== undefined });
  }

  /** Drops what nothing refers to any more. `lastSequence`: the last fact appended. */
  sweep(durableSequence: number, lastSequence: number): void {
    if (this.entries.length === 0) return;
    this.entries = this.entries.filter((entry) => {
      if (entry.awaited) {
        // The verdict that ends the wait is itself to become durable.
        entry.awaited = entry.due?.() ?? false;
        entry.sequence = lastSequence;
        return true;
      }
      return entry.sequence > durableSequence;
    });
  }

  get size(): number {
    return this.entries.length;
  }

  /** In the order in which it went. */
  *facts(): Generator<Fact> {
    for (const { facts } of this.entries) yield* facts;
  }
}
