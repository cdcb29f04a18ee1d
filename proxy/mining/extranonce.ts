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
  /** Offset of the next value never handed out. */
  #fresh = 0;

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

  /** A free prefix, or undefined when all are in use or quarantined. */
  allocate(nowMs: number): Uint8Array | undefined {
    const value = this.#rested(nowMs) ?? this.#unused();
    if (value === undefined) return undefined;
    this.#quarantined.delete(value);
    this.#inUse.add(value);
    return this.#bytes(value);
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

  /** The value longest in quarantine, if its time is over. Preferred to fresh ones, so that the quarantine stays small. */
  #rested(nowMs: number): number | undefined {
    for (const [value, freeAtMs] of this.#quarantined) return freeAtMs <= nowMs ? value : undefined;
    return undefined;
  }

  #unused(): number | undefined {
    while (this.#fresh < this.#count) {
      const value = this.#first + this.#fresh++;
      // A reservation may have been ahead of us.
      if (!this.#inUse.has(value) && !this.#quarantined.has(value)) return value;
    }
    return undefined;
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
