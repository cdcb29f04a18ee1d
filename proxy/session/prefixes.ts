/**
 * The prefixes of one run by length: a range of its own, that no other living run hands out from, and those of other runs
 * that machines brought back with them.
 */
import { isOver, PrefixAllocator, type Rest, type RestRule } from '../mining/extranonce.ts';

/** Prefixes `first … first + count − 1`. */
export interface PrefixRange {
  readonly first: number;
  readonly count: number;
}

/** Lowest prefix of a length. First bytes are never zero, so that layouts of different length padded with zeros cannot overlap. */
export function lowestPrefix(prefixBytes: number): number {
  return 2 ** (8 * (prefixBytes - 1));
}

/** Every prefix of a length. */
export function allPrefixes(prefixBytes: number): PrefixRange {
  const first = lowestPrefix(prefixBytes);
  return { first, count: 2 ** (8 * prefixBytes) - first };
}

function textOf(prefix: Uint8Array): string {
  return Buffer.from(prefix).toString('hex');
}

export class Prefixes {
  private readonly own: ReadonlyMap<number, PrefixAllocator>;
  private readonly rule: RestRule;
  /** Of no range of this run: in use here, and at rest in order of release. */
  private readonly brought = new Set<string>();
  private readonly resting = new Map<string, Rest>();

  /** `ranges`: this run's own, by length (1–4 bytes). */
  constructor(ranges: Readonly<Record<number, PrefixRange>>, rule: RestRule) {
    this.rule = rule;
    this.own = new Map(Object.entries(ranges).map(([bytes, { first, count }]) => [Number(bytes), new PrefixAllocator(Number(bytes), first, count, rule)]));
  }

  /** A prefix whose rest is over; undefined when there is none. */
  allocate(prefixBytes: number, monoMs: number): Uint8Array | undefined {
    return this.own.get(prefixBytes)?.allocate(monoMs);
  }

  private rangeOf(prefix: Uint8Array): PrefixAllocator | undefined {
    const range = this.own.get(prefix.length);
    return range?.owns(prefix) === true ? range : undefined;
  }

  /** Gives a resumed session its prefix back; false when somebody has it, or had it since. */
  reserve(prefix: Uint8Array, sessionId: string): boolean {
    const range = this.rangeOf(prefix);
    if (range !== undefined) return range.reserve(prefix, sessionId);
    return this.take(textOf(prefix), (rest) => rest.owner === sessionId);
  }

  /** Gives a session that was with another run its prefix; false when somebody has it, or it rests from its last use here. */
  bring(prefix: Uint8Array, monoMs: number): boolean {
    const range = this.rangeOf(prefix);
    if (range !== undefined) return range.bring(prefix, monoMs);
    return this.take(textOf(prefix), (rest) => isOver(rest, this.rule, monoMs));
  }

  private take(text: string, may: (rest: Rest) => boolean): boolean {
    const rest = this.resting.get(text);
    if (this.brought.has(text) || (rest !== undefined && !may(rest))) return false;
    this.resting.delete(text);
    this.brought.add(text);
    return true;
  }

  /** Ends the use of a prefix. `sessionId`: of the session that may have it back; undefined when no job was sent under it. */
  release(prefix: Uint8Array, monoMs: number, sessionId: string | undefined): void {
    const range = this.rangeOf(prefix);
    if (range !== undefined) {
      range.release(prefix, monoMs, sessionId);
      return;
    }
    for (const [text, rest] of this.resting) {
      if (!isOver(rest, this.rule, monoMs)) break;
      this.resting.delete(text);
    }
    this.brought.delete(textOf(prefix));
    if (sessionId !== undefined) this.resting.set(textOf(prefix), { owner: sessionId, releasedMs: monoMs });
  }
}
