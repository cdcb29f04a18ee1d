/** Jobs and shares by bitcoinjs-lib alone: the check of every new job, and what the fast kernel is measured against. */
import { Block, Transaction, crypto } from 'bitcoinjs-lib';
import { nBitsTarget } from './difficulty.ts';
import type { Job } from './job.ts';

const HASH_BYTES = 32;
const BRANCHES_MAX = 32;
const COINBASE_SCRIPT_BYTES_MIN = 2;
const COINBASE_SCRIPT_BYTES_MAX = 100;
/** Consensus takes at most two hours ahead of network-adjusted time; a job further off in either direction is nonsense. */
const NTIME_OFFSET_MAX_MS = 2 * 3600 * 1000;
/** BIP 34 heights are far below; larger "heights" are other data at the start of an old script. */
const HEIGHT_MAX = 50_000_000;

function coinbaseOf(job: Job, extranonce: Uint8Array): Uint8Array {
  return Uint8Array.from(Buffer.concat([job.coinb1, extranonce, job.coinb2]));
}

/**
 * Assembles and hashes a share. `extranonce` is everything between coinb1 and coinb2. Returns the 80-byte header, its
 * digest as hashed (little-endian number) and the coinbase without witness.
 */
export function referenceHeader(
  job: Job,
  extranonce: Uint8Array,
  ntime: number,
  nonce: number,
  version: number,
): { header: Uint8Array; hash: Uint8Array; coinbase: Uint8Array } {
  const coinbase = coinbaseOf(job, extranonce);
  let root = crypto.hash256(coinbase);
  for (let at = 0; at < job.branches.length; at += HASH_BYTES) {
    root = crypto.hash256(Buffer.concat([root, job.branches.subarray(at, at + HASH_BYTES)]));
  }
  const block = new Block();
  // bitcoinjs-lib treats a block's version as signed.
  block.version = version | 0;
  block.prevHash = job.prevhash;
  block.merkleRoot = root;
  block.timestamp = ntime;
  block.bits = job.nBits;
  block.nonce = nonce;
  return { header: block.toBuffer(true), hash: block.getHash(), coinbase };
}

export interface CoinbaseOutput {
  readonly script: Uint8Array;
  readonly sats: bigint;
}

export type JobInspection =
  | {
      readonly ok: true;
      /** Sum of the outputs in satoshi. */
      readonly coinbaseSats: bigint;
      /** BIP 34 height, 0 when absent. */
      readonly height: number;
      readonly outputs: readonly CoinbaseOutput[];
      readonly networkTarget: bigint;
    }
  | { readonly ok: false; readonly reason: string };

/** The height pushed first in a coinbase script; 0 when there is none (blocks of version 1). */
function heightOf(script: Uint8Array, version: number): number {
  const opcode = script[0] ?? 0;
  if (version < 2 || opcode < 1) return 0;
  // Heights 1–16 are single opcodes, met on test networks.
  if (opcode >= 0x51 && opcode <= 0x60) return opcode - 0x50;
  if (opcode > 4 || script.length <= opcode) return 0;
  let height = 0;
  for (let at = opcode; at >= 1; at--) height = height * 256 + (script[at] ?? 0);
  return height <= HEIGHT_MAX ? height : 0;
}

/** Checks a new job before machines work on it. `extranonceBytes` is the length of everything between coinb1 and coinb2. */
export function inspectJob(job: Job, extranonceBytes: number, nowMs: number): JobInspection {
  if (job.branches.length % HASH_BYTES !== 0 || job.branches.length > BRANCHES_MAX * HASH_BYTES) {
    return { ok: false, reason: `merkle branch of ${job.branches.length} bytes` };
  }
  if (Math.abs(job.ntime * 1000 - nowMs) > NTIME_OFFSET_MAX_MS) {
    return { ok: false, reason: `ntime ${job.ntime} is more than 2 h from the local clock` };
  }
  try {
    const networkTarget = nBitsTarget(job.nBits);
    const transaction = Transaction.fromBuffer(coinbaseOf(job, new Uint8Array(extranonceBytes)));
    if (!transaction.isCoinbase()) return { ok: false, reason: 'the coinbase transaction does not spend the null outpoint' };
    const script = transaction.ins[0]?.script ?? new Uint8Array(0);
    if (script.length < COINBASE_SCRIPT_BYTES_MIN || script.length > COINBASE_SCRIPT_BYTES_MAX) {
      return { ok: false, reason: `coinbase script of ${script.length} bytes, allowed are 2 to 100` };
    }
    const outputs = transaction.outs.map((output) => ({ script: output.script, sats: output.value }));
    const coinbaseSats = outputs.reduce((sum, output) => sum + output.sats, 0n);
    return { ok: true, coinbaseSats, height: heightOf(script, job.version), outputs, networkTarget };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
