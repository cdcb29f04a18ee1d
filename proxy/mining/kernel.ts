/**
 * The fast path: hashes a share without allocating. What a job fixes is done once per job: the midstate over the whole
 * 64-byte blocks before the extranonce, the expanded schedules of the blocks after it and of the padding, the branches
 * as words. Proven equal to bitcoinjs-lib (reference.ts) by property tests, because nothing else would be believed.
 *
 *   coinbase:  │ coinb1 … │ … P ‖ extranonce2 … │ … coinb2 │ … padding │
 *                midstate    hashed per share     schedule    schedule
 */
import type { Job } from './job.ts';
import { compress, compressScheduled, INITIAL_STATE, schedule } from './sha256.ts';

const BLOCK_BYTES = 64;
const HEADER_BYTES = 80;
const HASH_BYTES = 32;
const BYTE_BITS = 8;

/** Scratch of the one share in hand: the process hashes one at a time. */
const state = new Int32Array(8);
const block = new Int32Array(16);
/** A first digest, and behind it the padding of its 32 bytes: the only block of the second half of a double hash. */
const digestBlock = new Int32Array(16);
digestBlock[8] = 0x80000000 | 0;
digestBlock[15] = HASH_BYTES * BYTE_BITS;
/** The second block of any 64-byte message: padding only. */
const pairPadding = new Int32Array(16);
pairPadding[0] = 0x80000000 | 0;
pairPadding[15] = 2 * HASH_BYTES * BYTE_BITS;
const PAIR_PADDING = schedule(pairPadding);

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function swap(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** Reads one block of a message into `into`. */
function loadBlock(bytes: Uint8Array, from: number, into: Int32Array): void {
  for (let index = 0; index < 16; index++) into[index] = wordAt(bytes, from + 4 * index);
}

function storeDigest(from: Int32Array, out: Uint8Array): void {
  for (let index = 0; index < 8; index++) {
    const word = from[index]!;
    const at = 4 * index;
    out[at] = word >>> 24;
    out[at + 1] = word >>> 16;
    out[at + 2] = word >>> 8;
    out[at + 3] = word;
  }
}

/** A message with SHA-256's padding and length behind it, whole blocks. */
function padded(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const message = new Uint8Array(Math.ceil((length + 9) / BLOCK_BYTES) * BLOCK_BYTES);
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  message[length] = 0x80;
  const view = new DataView(message.buffer);
  view.setUint32(message.length - 8, Math.floor((length * BYTE_BITS) / 2 ** 32));
  view.setUint32(message.length - 4, (length * BYTE_BITS) >>> 0);
  return message;
}

/** SHA-256 twice over any bytes; 32 bytes as hashed. Not for the path of a share. */
export function sha256d(bytes: Uint8Array): Uint8Array {
  const message = padded([bytes]);
  digestBlock.set(INITIAL_STATE);
  for (let from = 0; from < message.length; from += BLOCK_BYTES) {
    loadBlock(message, from, block);
    compress(digestBlock, block, digestBlock);
  }
  compress(INITIAL_STATE, digestBlock, state);
  const hash = new Uint8Array(HASH_BYTES);
  storeDigest(state, hash);
  return hash;
}

/** The coinbase of a job for one length of extranonce; a link's sessions all have the same. */
interface PreparedCoinbase {
  readonly extranonceBytes: number;
  /** State after the whole blocks of coinb1. */
  readonly midstate: Int32Array;
  /** The blocks the extranonce touches, with a gap for it. */
  readonly variable: Uint8Array;
  /** Where the extranonce begins in `variable`. */
  readonly gapAt: number;
  /** Schedules of the blocks after the last one the extranonce touches. */
  readonly constant: readonly Int32Array[];
}

function prepareCoinbase(job: Job, extranonceBytes: number): PreparedCoinbase {
  const message = padded([job.coinb1, new Uint8Array(extranonceBytes), job.coinb2]);
  const firstVariable = job.coinb1.length - (job.coinb1.length % BLOCK_BYTES);
  const gapEnd = job.coinb1.length + extranonceBytes;
  const firstConstant = Math.max(Math.ceil(gapEnd / BLOCK_BYTES) * BLOCK_BYTES, firstVariable);
  const midstate = INITIAL_STATE.slice();
  const words = new Int32Array(16);
  for (let from = 0; from < firstVariable; from += BLOCK_BYTES) {
    loadBlock(message, from, words);
    compress(midstate, words, midstate);
  }
  const constant: Int32Array[] = [];
  for (let from = firstConstant; from < message.length; from += BLOCK_BYTES) {
    loadBlock(message, from, words);
    constant.push(schedule(words));
  }
  const variable = message.slice(firstVariable, firstConstant);
  return { extranonceBytes, midstate, variable, gapAt: job.coinb1.length - firstVariable, constant };
}

/** A job made ready for hashing. Cheap to construct: the preparation waits for the first share. */
export class PreparedJob {
  readonly job: Job;
  #coinbase: PreparedCoinbase | undefined;
  #branches: Int32Array | undefined;
  #prevhash: Int32Array | undefined;

  constructor(job: Job) {
    this.job = job;
  }

  /** For the kernel. Prepared anew only when the extranonce's length changes. */
  coinbase(extranonceBytes: number): PreparedCoinbase {
    if (this.#coinbase?.extranonceBytes !== extranonceBytes) this.#coinbase = prepareCoinbase(this.job, extranonceBytes);
    return this.#coinbase;
  }

  /** For the kernel: eight words a branch. */
  branches(): Int32Array {
    this.#branches ??= Int32Array.from({ length: this.job.branches.length / 4 }, (_, at) => wordAt(this.job.branches, 4 * at));
    return this.#branches;
  }

  /** For the kernel: eight words. */
  prevhash(): Int32Array {
    this.#prevhash ??= Int32Array.from({ length: 8 }, (_, at) => wordAt(this.job.prevhash, 4 * at));
    return this.#prevhash;
  }
}

/** Leaves the merkle root of a share in the first half of `block`. */
function hashRoot(prepared: PreparedJob, extranonce: Uint8Array): void {
  const { midstate, variable, gapAt, constant } = prepared.coinbase(extranonce.length);
  for (let index = 0; index < extranonce.length; index++) variable[gapAt + index] = extranonce[index]!;
  let from = midstate;
  for (let at = 0; at < variable.length; at += BLOCK_BYTES) {
    loadBlock(variable, at, block);
    compress(from, block, digestBlock);
    from = digestBlock;
  }
  for (let index = 0; index < constant.length; index++) {
    compressScheduled(from, constant[index]!, digestBlock);
    from = digestBlock;
  }
  compress(INITIAL_STATE, digestBlock, block);
  const branches = prepared.branches();
  for (let at = 0; at < branches.length; at += 8) {
    for (let index = 0; index < 8; index++) block[8 + index] = branches[at + index]!;
    compress(INITIAL_STATE, block, state);
    compressScheduled(state, PAIR_PADDING, digestBlock);
    compress(INITIAL_STATE, digestBlock, block);
  }
}

/** Leaves the last three words of a header, and the padding of its 80 bytes, in `block`. */
function loadHeaderTail(ntime: number, nBits: number, nonce: number): void {
  block[1] = swap(ntime);
  block[2] = swap(nBits);
  block[3] = swap(nonce);
  block[4] = 0x80000000 | 0;
  block.fill(0, 5, 15);
  block[15] = HEADER_BYTES * BYTE_BITS;
}

/**
 * Hashes a share into `hash` (32 bytes as hashed, a little-endian number). `extranonce` is everything between coinb1
 * and coinb2: prefix ‖ extranonce2. `version` is the whole header version. Allocates nothing once the job is prepared.
 */
export function hashShare(
  prepared: PreparedJob,
  extranonce: Uint8Array,
  ntime: number,
  nonce: number,
  version: number,
  hash: Uint8Array,
): void {
  hashRoot(prepared, extranonce);
  const prevhash = prepared.prevhash();
  const rootEnd = block[7]!;
  for (let index = 6; index >= 0; index--) block[9 + index] = block[index]!;
  block[0] = swap(version);
  for (let index = 0; index < 8; index++) block[1 + index] = prevhash[index]!;
  compress(INITIAL_STATE, block, state);
  block[0] = rootEnd;
  loadHeaderTail(ntime, prepared.job.nBits, nonce);
  compress(state, block, digestBlock);
  compress(INITIAL_STATE, digestBlock, state);
  storeDigest(state, hash);
}

/** The 80-byte header of a share; arguments as for `hashShare`. */
export function headerOf(
  prepared: PreparedJob,
  extranonce: Uint8Array,
  ntime: number,
  nonce: number,
  version: number,
): Uint8Array {
  hashRoot(prepared, extranonce);
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, version, true);
  header.set(prepared.job.prevhash, 4);
  storeDigest(block, header.subarray(36, 68));
  view.setUint32(68, ntime, true);
  view.setUint32(72, prepared.job.nBits, true);
  view.setUint32(76, nonce, true);
  return header;
}

/** Tries nonces on one 80-byte header, of which the first 64 bytes are hashed once. The nonce in the header is ignored. */
export class Grinder {
  readonly #midstate = new Int32Array(8);
  readonly #rootEnd: number;
  readonly #ntime: number;
  readonly #nBits: number;

  constructor(header: Uint8Array) {
    if (header.length !== HEADER_BYTES) throw new Error(`header of ${header.length} bytes; give all ${HEADER_BYTES}`);
    loadBlock(header, 0, block);
    compress(INITIAL_STATE, block, this.#midstate);
    this.#rootEnd = wordAt(header, 64);
    this.#ntime = swap(wordAt(header, 68));
    this.#nBits = swap(wordAt(header, 72));
  }

  /** Hashes the header with `nonce` into `out` (32 bytes as hashed). */
  hash(nonce: number, out: Uint8Array): void {
    block[0] = this.#rootEnd;
    loadHeaderTail(this.#ntime, this.#nBits, nonce);
    compress(this.#midstate, block, digestBlock);
    compress(INITIAL_STATE, digestBlock, state);
    storeDigest(state, out);
  }
}
