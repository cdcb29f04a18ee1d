/** All prefixes of this run by length: each range begins where no earlier run of late has been, and wraps around. */
import { PrefixAllocator } from '../mining/extranonce.ts';

/** The upper part of a range is given out first, then the part below where this run began. */
function rangesOf(prefixBytes: number, start: number, quarantineMs: number): PrefixAllocator[] {
  // First bytes are never zero, so that layouts of different length padded with zeros cannot overlap.
  const lowest = 2 ** (8 * (prefixBytes - 1));
  const end = 2 ** (8 * prefixBytes);
  if (start <= lowest || start >= end) return [new PrefixAllocator(prefixBytes, lowest, end - lowest, quarantineMs)];
  return [
    new PrefixAllocator(prefixBytes, start, end - start, quarantineMs),
    new PrefixAllocator(prefixBytes, lowest, start - lowest, quarantineMs),
  ];
}

function valueOf(prefix: Uint8Array): number {
  let value = 0;
  for (const byte of prefix) value = value * 256 + byte;
  return value;
}

interface Length {
  readonly start: number;
  readonly ranges: readonly PrefixAllocator[];
}

export class Prefixes {
  private readonly lengths: ReadonlyMap<number, Length>;

  /** `start`: where each length (1–4 bytes) begins in this run. */
  constructor(start: Readonly<Record<number, number>>, quarantineMs: number) {
    this.lengths = new Map([1, 2, 3, 4].map((bytes) => [bytes, { start: start[bytes] ?? 0, ranges: rangesOf(bytes, start[bytes] ?? 0, quarantineMs) }]));
  }

  /** A prefix nobody has had since its quarantine; undefined when there is none. */
  allocate(prefixBytes: number, monoMs: number): Uint8Array | undefined {
    for (const range of this.lengths.get(prefixBytes)?.ranges ?? []) {
      const prefix = range.allocate(monoMs);
      if (prefix !== undefined) return prefix;
    }
    return undefined;
  }

  private rangeOf(prefix: Uint8Array): PrefixAllocator | undefined {
    const length = this.lengths.get(prefix.length);
    if (length === undefined) return undefined;
    const [upper, lower] = length.ranges;
    return lower !== undefined && valueOf(prefix) < length.start ? lower : upper;
  }

  /** Gives a resumed session its prefix back; false when somebody has it. */
  reserve(prefix: Uint8Array): boolean {
    return this.rangeOf(prefix)?.reserve(prefix) ?? false;
  }

  /** Ends the use of a prefix that `allocate` or `reserve` gave. */
  release(prefix: Uint8Array, monoMs: number): void {
    this.rangeOf(prefix)?.release(prefix, monoMs);
  }
}
