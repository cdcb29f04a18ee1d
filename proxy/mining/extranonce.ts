/**
 * Prefixes: the part of the extranonce that tells sessions apart.
 *
 *   coinbase = pool's coinb1 ‖ link's extranonce1 ‖ zero padding ‖ P ‖ extranonce2 ‖ pool's coinb2
 *              └──────────── coinb1 we send ─────────────────────┘   └ machine's   └ coinb2 we send
 *                                                 P = the session's extranonce1, given once, kept for life
 *
 * Life of a prefix: free → in use → at rest → free. It rests for the quarantine, and until no work is left that its last session
 * was sent: whoever had it next could choose another difficulty for headers that are already known. Only that session itself,
 * resumed with the jobs it had, takes it back from there. A prefix under which no job was ever sent need not rest.
 */

/** Who had a prefix last, and until when. */
export interface Rest {
  readonly owner: string;
  readonly releasedMs: number;
}

/** The rests of some prefixes, and when they are over. */
export interface RestRule {
  readonly quarantineMs: number;
  /** When the oldest work that a share may still count for was first known; Infinity when there is none. */
  readonly oldestWorkMs: () => number;
}

export function isOver({ releasedMs }: Rest, rule: RestRule, nowMs: number): boolean {
  return releasedMs + rule.quarantineMs <= nowMs && releasedMs < rule.oldestWorkMs();
}

/** Hands out prefixes `first … first + count − 1` as big-endian bytes, never the same one twice at a time. */
export class PrefixAllocator {
  readonly #prefixBytes: number;
  readonly #first: number;
  readonly #count: number;
  readonly #rule: RestRule;
  readonly #inUse = new Set<number>();
  /** By value, in order of release, in which rests end too. */
  readonly #resting = new Map<number, Rest>();
  /** Where the search for a free value goes on, round and round: a prefix returns to use as late as it can. */
  #next = 0;

  constructor(prefixBytes: number, first: number, count: number, rule: RestRule) {
    if (!Number.isInteger(prefixBytes) || prefixBytes < 1 || prefixBytes > 6) {
      throw new Error(`prefix of ${prefixBytes} bytes; choose 1 to 6`);
    }
    if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 1 || first + count > 256 ** prefixBytes) {
      throw new Error(`prefixes ${first} + ${count} do not fit in ${prefixBytes} bytes; choose a smaller range or a longer prefix`);
    }
    this.#prefixBytes = prefixBytes;
    this.#first = first;
    this.#count = count;
    this.#rule = rule;
  }

  get inUse(): number {
    return this.#inUse.size;
  }

  /** The free prefix that has been unused longest, or undefined when all are in use or at rest. */
  allocate(nowMs: number): Uint8Array | undefined {
    for (const [value, rest] of this.#resting) {
      if (!isOver(rest, this.#rule, nowMs)) break;
      this.#resting.delete(value);
    }
    if (this.#inUse.size + this.#resting.size >= this.#count) return undefined;
    for (;;) {
      const value = this.#first + this.#next;
      this.#next = (this.#next + 1) % this.#count;
      if (this.#inUse.has(value) || this.#resting.has(value)) continue;
      this.#inUse.add(value);
      return this.#bytes(value);
    }
  }

  /** Whether a prefix is of this range. */
  owns(prefix: Uint8Array): boolean {
    return this.#value(prefix) !== undefined;
  }

  /** Ends the use of a prefix. `owner`: who may take it back from its rest; undefined when no job was sent under it. */
  release(prefix: Uint8Array, nowMs: number, owner: string | undefined): void {
    const value = this.#value(prefix);
    if (value === undefined || !this.#inUse.delete(value)) {
      throw new Error(`prefix ${Buffer.from(prefix).toString('hex')} is released but not in use; release it once, where it was allocated`);
    }
    if (owner !== undefined) this.#resting.set(value, { owner, releasedMs: nowMs });
  }

  /** Takes a certain prefix for a resumed session, also out of its own rest; false when another has it or had it since. */
  reserve(prefix: Uint8Array, owner: string): boolean {
    return this.#take(prefix, (rest) => rest.owner === owner);
  }

  /** Takes a certain prefix for a session that has none of the jobs that were sent under it; false when it is in use or at rest. */
  bring(prefix: Uint8Array, nowMs: number): boolean {
    return this.#take(prefix, (rest) => isOver(rest, this.#rule, nowMs));
  }

  #take(prefix: Uint8Array, may: (rest: Rest) => boolean): boolean {
    const value = this.#value(prefix);
    if (value === undefined || this.#inUse.has(value)) return false;
    const rest = this.#resting.get(value);
    if (rest !== undefined && !may(rest)) return false;
    this.#resting.delete(value);
    this.#inUse.add(value);
    return true;
  }

  #bytes(value: number): Uint8Array {
    const bytes = new Uint8Array(this.#prefixBytes);
    let rest = value;
    for (let at = this.#prefixBytes - 1; at >= 0; at--) {
      bytes[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return bytes;
  }

  #value(prefix: Uint8Array): number | undefined {
    if (prefix.length !== this.#prefixBytes) return undefined;
    let value = 0;
    for (const byte of prefix) value = value * 256 + byte;
    return value >= this.#first && value < this.#first + this.#count ? value : undefined;
  }
}
