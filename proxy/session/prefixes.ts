/**
 * The prefixes of one run by length: a range of its own, that no other living run hands out from, and those of other runs
 * that machines brought back with them.
 */
import { PrefixAllocator } from '../mining/extranonce.ts';

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
  /** In use here and of no range of this run. */
  private readonly brought = new Set<string>();

  /** `ranges`: this run's own, by length (1–4 bytes). */
  constructor(ranges: Readonly<Record<number, PrefixRange>>, quarantineMs: number) {
    this.own = new Map(Object.entries(ranges).map(([bytes, { first, count }]) => [Number(bytes), new PrefixAllocator(Number(bytes), first, count, quarantineMs)]));
  }

  /** A prefix nobody has had since its quarantine; undefined when there is none. */
  allocate(prefixBytes: number, monoMs: number): Uint8Array | undefined {
    return this.own.get(prefixBytes)?.allocate(monoMs);
  }

  private rangeOf(prefix: Uint8Array): PrefixAllocator | undefined {
    const range = this.own.get(prefix.length);
    return range?.owns(prefix) === true ? range : undefined;
  }

  /** Gives a resumed session its prefix back; false when somebody has it. */
  reserve(prefix: Uint8Array): boolean {
    const range = this.rangeOf(prefix);
    if (range !== undefined) return range.reserve(prefix);
    const text = textOf(prefix);
    if (this.brought.has(text)) return false;
    this.brought.add(text);
    return true;
  }

  /** Ends the use of a prefix that `allocate` or `reserve` gave. */
  release(prefix: Uint8Array, monoMs: number): void {
    const range = this.rangeOf(prefix);
    if (range !== undefined) range.release(prefix, monoMs);
    else this.brought.delete(textOf(prefix));
  }
}
