/** Makes a simulated pool's jobs: a coinbase of realistic size and shape (BIP 34 height, P2PKH, witness commitment) and random branches. */
import type { Random } from '../../config/world.ts';
import type { RigJob } from './work.ts';

export interface JobShape {
  /** Whole coinbase including both extranonces; 260 is what large pools send. */
  readonly coinbaseBytes: number;
  readonly branchCount: number;
  /** Both parts together. */
  readonly extranonceBytes: number;
  readonly height: number;
  /** Subsidy and fees. */
  readonly coinbaseSats: bigint;
  readonly version: number;
  readonly nBits: number;
}

const TAG = Buffer.from('/Simulated/', 'ascii');

/** A length as Bitcoin's compact size; up to 65535. */
function compactSize(length: number): Buffer {
  return length < 0xfd ? Buffer.from([length]) : Buffer.from([0xfd, length & 0xff, length >> 8]);
}

/** value ‖ script length ‖ script. */
function output(sats: bigint, script: Buffer): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(sats);
  return Buffer.concat([value, compactSize(script.length), script]);
}

/** An OP_RETURN output of `bytes` bytes in all, at least 12; exact but for 262 and 263, which have no such encoding. */
function filler(bytes: number, random: Random): Buffer {
  if (bytes <= 86) return output(0n, Buffer.concat([Buffer.from([0x6a, bytes - 11]), random.bytes(bytes - 11)]));
  if (bytes <= 261) return output(0n, Buffer.concat([Buffer.from([0x6a, 0x4c, bytes - 12]), random.bytes(bytes - 12)]));
  const data = bytes - 15;
  return output(0n, Buffer.concat([Buffer.from([0x6a, 0x4d, data & 0xff, data >> 8]), random.bytes(data)]));
}

/** The two halves of a coinbase around the extranonce. */
function coinbaseParts(shape: JobShape, random: Random): { coinb1: Buffer; coinb2: Buffer } {
  const heightPush = Buffer.from([3, shape.height & 0xff, (shape.height >> 8) & 0xff, (shape.height >> 16) & 0xff]);
  const scriptStart = Buffer.concat([heightPush, Buffer.from([4]), random.bytes(4)]);
  const scriptBytes = scriptStart.length + shape.extranonceBytes + TAG.length;
  const coinb1 = Buffer.concat([
    Buffer.from('0200000001', 'hex'),
    Buffer.alloc(32),
    Buffer.from('ffffffff', 'hex'),
    Buffer.from([scriptBytes]),
    scriptStart,
  ]);
  const pay = output(shape.coinbaseSats, Buffer.concat([Buffer.from('76a914', 'hex'), random.bytes(20), Buffer.from('88ac', 'hex')]));
  const commitment = output(0n, Buffer.concat([Buffer.from('6a24aa21a9ed', 'hex'), random.bytes(32)]));
  const fixed = coinb1.length + shape.extranonceBytes + TAG.length + 4 + 1 + pay.length + commitment.length + 4;
  const spare = shape.coinbaseBytes - fixed;
  const outputs = spare >= 12 ? [pay, commitment, filler(spare, random)] : [pay, commitment];
  const coinb2 = Buffer.concat([TAG, Buffer.from('ffffffff', 'hex'), Buffer.from([outputs.length]), ...outputs, Buffer.alloc(4)]);
  return { coinb1, coinb2 };
}

/** A job no other call returns: coinbase and branches are drawn anew. `ntime` in seconds. */
export function makeJob(shape: JobShape, id: string, prevhash: Buffer, ntime: number, clean: boolean, random: Random): RigJob {
  const branches = Array.from({ length: shape.branchCount }, () => Buffer.from(random.bytes(32)));
  return { id, prevhash, ...coinbaseParts(shape, random), branches, version: shape.version, nBits: shape.nBits, ntime, clean };
}

/** A previous block's hash such as mainnet has: its last bytes (the first of the display form) are zero. */
export function makePrevhash(random: Random): Buffer {
  return Buffer.concat([random.bytes(24), Buffer.alloc(8)]);
}
