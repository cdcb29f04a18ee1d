/** Remembers the hashes of accepted shares for as long as their work lives, so that no header counts twice. */
import { createHash } from 'node:crypto';
import type { Job } from './job.ts';

/**
 * What makes two jobs the same work: all that goes into the header except ntime, version and nonce, which are in the
 * hash anyway. Equal across sessions, refreshes and reconnects. Hex text.
 *
 * @param paddingBytes Zeros at the end of coinb1 that belong to the slot: how wide we make that is no part of the work.
 */
export function workIdentity(job: Job, paddingBytes = 0): string {
  const coinb1 = job.coinb1.subarray(0, job.coinb1.length - paddingBytes);
  const lengths = Buffer.alloc(16);
  lengths.writeUInt32LE(coinb1.length, 0);
  lengths.writeUInt32LE(job.coinb2.length, 4);
  lengths.writeUInt32LE(job.branches.length, 8);
  lengths.writeUInt32LE(job.nBits >>> 0, 12);
  const hash = createHash('sha256').update(lengths).update(job.prevhash);
  return hash.update(coinb1).update(job.coinb2).update(job.branches).digest('hex').slice(0, 32);
}

/** The 16 low-order bytes of a digest as one-byte characters: V8 keeps such a key in 32 bytes. The top bytes are mostly zero. */
function keyOf(h: Uint8Array): string {
  // Spelled out: an array to spread would be allocated for every share.
  return String.fromCharCode(
    h[0] ?? 0, h[1] ?? 0, h[2] ?? 0, h[3] ?? 0, h[4] ?? 0, h[5] ?? 0, h[6] ?? 0, h[7] ?? 0,
    h[8] ?? 0, h[9] ?? 0, h[10] ?? 0, h[11] ?? 0, h[12] ?? 0, h[13] ?? 0, h[14] ?? 0, h[15] ?? 0,
  );
}

/** One set of hashes per work identity, bounded in total. */
export class DuplicateSets {
  readonly #entriesMax: number;
  readonly #sets = new Map<string, Set<string>>();
  #entries = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** Hashes remembered in all sets. */
  get entries(): number {
    return this.#entries;
  }

  /** Claims a digest of 32 bytes for a work. `full`: it is not known, and there is no room to remember it. */
  claim(identity: string, hash: Uint8Array): 'new' | 'duplicate' | 'full' {
    const key = keyOf(hash);
    let set = this.#sets.get(identity);
    if (set?.has(key) === true) return 'duplicate';
    if (this.#entries >= this.#entriesMax) return 'full';
    if (set === undefined) {
      set = new Set();
      this.#sets.set(identity, set);
    }
    set.add(key);
    this.#entries++;
    return 'new';
  }

  /** Forgets a work, when the last job of it is gone. */
  drop(identity: string): void {
    this.#entries -= this.#sets.get(identity)?.size ?? 0;
    this.#sets.delete(identity);
  }
}
