/**
 * Server → machine or proxy:
 *   {"id":null,"method":"mining.notify","params":[job_id, prevhash, coinb1, coinb2, [branch, …], version, nbits, ntime, clean_jobs]}
 * prevhash is eight 32-bit words, the bytes of each reversed relative to the header; branches are in internal order;
 * version, nbits and ntime are big-endian integers of 8 hex digits.
 */
import { bytesToHex, hexToBytes, hexToU32, u32ToHex } from './hex.ts';

/** A job's fields in wire form, hexed once for all sessions of a link. */
export interface NotifyWire {
  readonly prevhash: string;
  readonly coinb1: string;
  readonly coinb2: string;
  readonly branches: readonly string[];
  readonly version: string;
  readonly nBits: string;
}

/** The bytes a job consists of, in header order. */
export interface NotifyContent {
  readonly prevhash: Uint8Array;
  readonly coinb1: Uint8Array;
  readonly coinb2: Uint8Array;
  readonly branches: Uint8Array;
  readonly version: number;
  readonly nBits: number;
}

export interface NotifyMessage extends NotifyContent {
  readonly kind: 'notify';
  /** The pool's own job id, verbatim. */
  readonly poolJobId: string;
  readonly ntime: number;
  readonly clean: boolean;
}

/** A block of 2^32 transactions is not possible, so a longer branch is nonsense. */
const BRANCHES_MAX = 32;
const HASH_BYTES = 32;

/** 32 bytes with the bytes of each 4-byte word reversed; its own inverse. */
function swapWords(bytes: Uint8Array): Uint8Array {
  const swapped = Buffer.from(bytes).swap32();
  return new Uint8Array(swapped.buffer, swapped.byteOffset, swapped.length).slice();
}

/** Hexes a job for `formatNotify`. */
export function notifyWire(job: NotifyContent): NotifyWire {
  const branches: string[] = [];
  for (let at = 0; at < job.branches.length; at += HASH_BYTES) {
    branches.push(bytesToHex(job.branches.subarray(at, at + HASH_BYTES)));
  }
  return {
    prevhash: bytesToHex(swapWords(job.prevhash)),
    coinb1: bytesToHex(job.coinb1),
    coinb2: bytesToHex(job.coinb2),
    branches,
    version: u32ToHex(job.version),
    nBits: u32ToHex(job.nBits),
  };
}

/** The line sent to machines. `clean` stays the last member: ESP-Miner takes the last one, whatever their number. */
export function formatNotify(jobId: string, wire: NotifyWire, ntime: number, clean: boolean): string {
  const branches = wire.branches.length === 0 ? '' : `"${wire.branches.join('","')}"`;
  return (
    `{"id":null,"method":"mining.notify","params":["${jobId}","${wire.prevhash}","${wire.coinb1}","${wire.coinb2}",` +
    `[${branches}],"${wire.version}","${wire.nBits}","${u32ToHex(ntime)}",${clean}]}\n`
  );
}

function readBranches(value: unknown): Uint8Array | undefined {
  if (!Array.isArray(value) || value.length > BRANCHES_MAX) return undefined;
  const branches = new Uint8Array(value.length * HASH_BYTES);
  for (let index = 0; index < value.length; index++) {
    const branch = hexToBytes(value[index]);
    if (branch?.length !== HASH_BYTES) return undefined;
    branches.set(branch, index * HASH_BYTES);
  }
  return branches;
}

function readU32(value: unknown): number | undefined {
  return typeof value === 'string' ? hexToU32(value) : undefined;
}

/** Reads a pool's params; a string is the reason why they cannot be read. */
export function parseNotify(params: readonly unknown[]): NotifyMessage | string {
  if (params.length < 8) return `mining.notify has ${params.length} params instead of 9`;
  const jobId = params[0];
  if (typeof jobId !== 'string' && typeof jobId !== 'number') return 'mining.notify without a job id';
  const prevhash = hexToBytes(params[1]);
  if (prevhash?.length !== HASH_BYTES) return 'mining.notify: prevhash is not 64 hex digits';
  const coinb1 = hexToBytes(params[2]);
  const coinb2 = hexToBytes(params[3]);
  if (coinb1 === undefined || coinb2 === undefined) return 'mining.notify: coinb1 or coinb2 is not hex';
  const branches = readBranches(params[4]);
  if (branches === undefined) return `mining.notify: the merkle branch is not a list of at most ${BRANCHES_MAX} hashes`;
  const version = readU32(params[5]);
  const nBits = readU32(params[6]);
  const ntime = readU32(params[7]);
  if (version === undefined || nBits === undefined || ntime === undefined) {
    return 'mining.notify: version, nbits or ntime is not 8 hex digits';
  }
  const last = params.length > 8 ? params[params.length - 1] : false;
  return {
    kind: 'notify',
    poolJobId: String(jobId),
    prevhash: swapWords(prevhash),
    coinb1,
    coinb2,
    branches,
    version,
    nBits,
    ntime,
    clean: last === true || last === 1,
  };
}
