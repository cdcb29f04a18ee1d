/**
 * The rig's own arithmetic of work: targets, headers and coinbases from node:crypto alone, so that what the product
 * computes is judged by code that shares nothing with it. All integers are unsigned 32 bit; all byte strings are in header order.
 */
import { hash } from 'node:crypto';

/** 0xFFFF·2^208: the target of difficulty 1 (bdiff-1, reference §6.1). */
const DIFFICULTY_ONE_TARGET = 0xffffn << 208n;
const TARGET_MAX = (1n << 256n) - 1n;

/** A job as it stands on the wire, decoded. `branches` are 32 bytes each, internal order. */
export interface RigJob {
  readonly id: string;
  readonly prevhash: Buffer;
  readonly coinb1: Buffer;
  readonly coinb2: Buffer;
  readonly branches: readonly Buffer[];
  readonly version: number;
  readonly nBits: number;
  readonly ntime: number;
  readonly clean: boolean;
}

/** SHA-256 applied twice; 32 bytes as hashed. */
export function sha256d(bytes: Uint8Array): Buffer {
  return hash('sha256', hash('sha256', bytes, 'buffer'), 'buffer');
}

/** The number a digest stands for: its bytes read as little-endian. */
export function hashNumber(digest: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(digest).reverse().toString('hex')}`);
}

/**
 * ⌊0xFFFF·2^208 / d⌋ for a difficulty written in decimal (`16384`, `0.087273`, `9.5367431640625e-7`), exactly.
 * Throws on anything else and on zero.
 */
export function difficultyTarget(text: string): bigint {
  const match = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) throw new Error(`difficulty "${text}" is not a decimal number`);
  const fraction = match[2] ?? '';
  const digits = BigInt(`${match[1] ?? '0'}${fraction}`);
  if (digits === 0n) throw new Error(`difficulty "${text}" is zero`);
  const exponent = Number(match[3] ?? '0') - fraction.length;
  const numerator = exponent > 0 ? digits * 10n ** BigInt(exponent) : digits;
  const denominator = exponent < 0 ? 10n ** BigInt(-exponent) : 1n;
  const target = (DIFFICULTY_ONE_TARGET * denominator) / numerator;
  return target > TARGET_MAX ? TARGET_MAX : target;
}

/** The same for a double as it came out of JSON, whose binary value is taken exactly. */
export function difficultyNumberTarget(difficulty: number): bigint {
  if (!(difficulty > 0) || !Number.isFinite(difficulty)) throw new Error(`difficulty ${difficulty} is not positive`);
  let scaled = difficulty;
  let shift = 0n;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    shift += 1n;
  }
  const target = (DIFFICULTY_ONE_TARGET << shift) / BigInt(scaled);
  return target > TARGET_MAX ? TARGET_MAX : target;
}

/** 2^exponent as decimal text, exact, as a pool would print it. */
export function powerOfTwoText(exponent: number): string {
  if (exponent >= 0) return (1n << BigInt(exponent)).toString();
  const digits = (5n ** BigInt(-exponent)).toString().padStart(-exponent, '0');
  return `0.${digits}`;
}

/** Target of a compact nBits. */
export function compactTarget(nBits: number): bigint {
  const size = nBits >>> 24;
  const mantissa = BigInt(nBits & 0x007fffff);
  return size <= 3 ? mantissa >> BigInt(8 * (3 - size)) : mantissa << BigInt(8 * (size - 3));
}

/** Reads the nine params of a mining.notify. Throws when one is not what it should be. */
export function readNotify(params: readonly unknown[]): RigJob {
  const text = (index: number): string => {
    const value = params[index];
    if (typeof value !== 'string') throw new Error(`notify parameter ${index} is not a string`);
    return value;
  };
  const branches = params[4];
  if (!Array.isArray(branches)) throw new Error('notify parameter 4 is not a list');
  return {
    id: text(0),
    prevhash: Buffer.from(text(1), 'hex').swap32(),
    coinb1: Buffer.from(text(2), 'hex'),
    coinb2: Buffer.from(text(3), 'hex'),
    branches: branches.map((branch) => Buffer.from(String(branch), 'hex')),
    version: Number.parseInt(text(5), 16),
    nBits: Number.parseInt(text(6), 16),
    ntime: Number.parseInt(text(7), 16),
    clean: params[params.length - 1] === true,
  };
}

/** The nine params of a mining.notify for `job`. */
export function notifyParams(job: RigJob): unknown[] {
  return [
    job.id,
    Buffer.from(job.prevhash).swap32().toString('hex'),
    job.coinb1.toString('hex'),
    job.coinb2.toString('hex'),
    job.branches.map((branch) => branch.toString('hex')),
    hex8(job.version),
    hex8(job.nBits),
    hex8(job.ntime),
    job.clean,
  ];
}

/** Root over the coinbase coinb1 ‖ `extranonce` ‖ coinb2 and the job's branches; internal order. */
export function merkleRoot(job: RigJob, extranonce: Uint8Array): Buffer {
  let root = sha256d(Buffer.concat([job.coinb1, extranonce, job.coinb2]));
  for (const branch of job.branches) root = sha256d(Buffer.concat([root, branch]));
  return root;
}

/** The 80 bytes that are hashed. `version` is the full header version. */
export function headerOf(job: RigJob, root: Uint8Array, ntime: number, nonce: number, version: number): Buffer {
  const header = Buffer.allocUnsafe(80);
  header.writeUInt32LE(version, 0);
  header.set(job.prevhash, 4);
  header.set(root, 36);
  header.writeUInt32LE(ntime, 68);
  header.writeUInt32LE(job.nBits, 72);
  header.writeUInt32LE(nonce, 76);
  return header;
}

/** Eight lower-case hex digits. */
export function hex8(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
