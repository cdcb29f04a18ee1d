/**
 * Prefixes: the part of the extranonce that tells sessions apart.
 *
 *   coinbase = pool's coinb1 ‖ link's extranonce1 ‖ zero padding ‖ P ‖ extranonce2 ‖ pool's coinb2
 *              └──────────── coinb1 we send ─────────────────────┘   └ machine's   └ coinb2 we send
 *                                                 P = the session's extranonce1, given once, kept for life
 *
 * Life of a prefix: free → in use → quarantined → free. In quarantine a job made under it may still produce a share;
 * only a resumed session takes it back from there.
 */

/** Hands out prefixes `first … first + count − 1` as big-endian bytes, never the same one twice at a time. */
export class PrefixAllocator {
  readonly #prefixBytes: number;
  readonly #first: number;
  readonly #count: number;
  readonly #quarantineMs: number;
  readonly #inUse = new Set<number>();
  /** Value → when it is free again; in order of release, because every quarantine lasts equally long. */
  readonly #quarantined = new Map<number, number>();
  /** Where the search for a free value goes on, round and round: a prefix returns to use as late as it can. */
  #next = 0;

  constructor(prefixBytes: number, first: number, count: number, quarantineMs: number) {
    if (!Number.isInteger(prefixBytes) || prefixBytes < 1 || prefixBytes > 6) {
      throw new Error(`prefix of ${prefixBytes} bytes; choose 1 to 6`);
    }
    if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 1 || first + count > 256 ** prefixBytes) {
      throw new Error(`prefixes ${first} + ${count} do not fit in ${prefixBytes} bytes; choose a smaller range or a longer prefix`);
    }
    this.#prefixBytes = prefixBytes;
    this.#first = first;
    this.#count = count;
    this.#quarantineMs = quarantineMs;
  }

  get inUse(): number {
    return this.#inUse.size;
  }

  /** The free prefix that has been unused longest, or undefined when all are in use or quarantined. */
  allocate(nowMs: number): Uint8Array | undefined {
    for (const [value, freeAtMs] of this.#quarantined) {
      if (freeAtMs > nowMs) break;
      this.#quarantined.delete(value);
    }
    if (this.#inUse.size + this.#quarantined.size >= this.#count) return undefined;
    for (;;) {
      const value = this.#first + this.#next;
      this.#next = (this.#next + 1) % this.#count;
      if (this.#inUse.has(value) || this.#quarantined.has(value)) continue;
      this.#inUse.add(value);
      return this.#bytes(value);
    }
  }

  /** Whether a prefix is of this range. */
  owns(prefix: Uint8Array): boolean {
    return this.#value(prefix) !== undefined;
  }

  /** Ends the use of a prefix and starts its quarantine. */
  release(prefix: Uint8Array, nowMs: number): void {
    const value = this.#value(prefix);
    if (value === undefined || !this.#inUse.delete(value)) {
      throw new Error(`prefix ${Buffer.from(prefix).toString('hex')} is released but not in use; release it once, where it was allocated`);
    }
    this.#quarantined.set(value, nowMs + this.#quarantineMs);
  }

  /** Takes a certain prefix for a resumed session, also out of quarantine; false when it is in use or not of this range. */
  reserve(prefix: Uint8Array): boolean {
    const value = this.#value(prefix);
    if (value === undefined || this.#inUse.has(value)) return false;
    this.#quarantined.delete(value);
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
