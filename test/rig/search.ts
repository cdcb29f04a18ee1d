/**
 * How a machine walks its space for one job: nonces, then version bits, then extranonce2, each from 0 on every notify as
 * firmware does. Every hash is really computed.
 */
import { Grinder } from '../../proxy/mining/kernel.ts';
import { headerOf, hashNumber, hex8, merkleRoot, type RigJob } from './work.ts';

/** Nonces tried under one header prefix. Firmware tries 2^32; fewer here so that a slow machine rolls all the other fields too. */
const NONCES_PER_VERSION = 256;
/** Version values tried under one extranonce2. */
const VERSIONS_PER_EXTRANONCE2 = 16;

/** One found share, as its submit names it. */
export interface Found {
  readonly jobId: string;
  /** Hex. */
  readonly extranonce2: string;
  readonly ntime: number;
  readonly nonce: number;
  /** Full header version. */
  readonly version: number;
  readonly headerHex: string;
}

export interface SearchSpace {
  readonly job: RigJob;
  readonly extranonce1: Buffer;
  readonly extranonce2Bytes: number;
  /** Bits that may be rolled; 0 none. */
  readonly versionMask: number;
  /** A hash at or below it is a share. */
  readonly target: bigint;
}

export class Search {
  readonly space: SearchSpace;
  readonly #topWord: number;
  readonly #header: Buffer;
  readonly #digest = Buffer.alloc(32);
  #grinder: Grinder;
  #nonce = 0;
  #versionIndex = 0;
  #counter: bigint;
  #extranonce2: Buffer;
  #version: number;

  /** `counter`: the first extranonce2. */
  constructor(space: SearchSpace, counter = 0n) {
    this.space = space;
    this.#topWord = Number(space.target >> 224n);
    this.#counter = counter;
    this.#extranonce2 = littleEndian(counter, space.extranonce2Bytes);
    this.#version = space.job.version;
    this.#header = headerOf(space.job, this.#root(), space.job.ntime, 0, this.#version);
    this.#grinder = new Grinder(this.#header);
  }

  /** Tries up to `hashes` headers and reports each share; returns how many were tried, fewer only when `found` returned false to stop. */
  run(hashes: number, found: (share: Found) => boolean): number {
    for (let tried = 1; tried <= hashes; tried += 1) {
      if (this.#nonce === NONCES_PER_VERSION) this.#nextPrefix();
      this.#grinder.hash(this.#nonce, this.#digest);
      this.#nonce += 1;
      if (this.#digest.readUInt32LE(28) > this.#topWord || hashNumber(this.#digest) > this.space.target) continue;
      if (!found(this.#describe())) return tried;
    }
    return hashes;
  }

  /** The rest of this job's space under another version mask. */
  remasked(versionMask: number): Search {
    return new Search({ ...this.space, versionMask }, this.#counter + 1n);
  }

  /** What another job's share would stand for under this one. */
  elsewhere(found: Found): { jobId: string; headerHex: string } {
    const { job, extranonce1 } = this.space;
    const root = merkleRoot(job, Buffer.concat([extranonce1, Buffer.from(found.extranonce2, 'hex')]));
    return { jobId: job.id, headerHex: headerOf(job, root, found.ntime, found.nonce, found.version).toString('hex') };
  }

  #describe(): Found {
    this.#header.writeUInt32LE(this.#nonce - 1, 76);
    return {
      jobId: this.space.job.id,
      extranonce2: this.#extranonce2.toString('hex'),
      ntime: this.space.job.ntime,
      nonce: this.#nonce - 1,
      version: this.#version,
      headerHex: this.#header.toString('hex'),
    };
  }

  #nextPrefix(): void {
    this.#nonce = 0;
    this.#versionIndex += 1;
    if (this.space.versionMask === 0 || this.#versionIndex === VERSIONS_PER_EXTRANONCE2) {
      this.#versionIndex = 0;
      this.#counter += 1n;
      this.#extranonce2 = littleEndian(this.#counter, this.space.extranonce2Bytes);
      this.#header.set(this.#root(), 36);
    }
    this.#version = rolled(this.space.job.version, this.space.versionMask, this.#versionIndex);
    this.#header.writeUInt32LE(this.#version, 0);
    this.#grinder = new Grinder(this.#header);
  }

  #root(): Buffer {
    return merkleRoot(this.space.job, Buffer.concat([this.space.extranonce1, this.#extranonce2]));
  }
}

/** Firmware counts extranonce2 as little-endian (reference §5). */
function littleEndian(counter: bigint, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => Number((counter >> BigInt(8 * index)) & 0xffn)));
}

/** The `index`-th value of the bits under `mask`, laid into `version`; index 0 leaves the version as it is. */
function rolled(version: number, mask: number, index: number): number {
  let bits = 0;
  let rest = index;
  for (let bit = 31; bit >= 0 && rest !== 0; bit -= 1) {
    const flag = (1 << bit) >>> 0;
    if ((mask & flag) === 0) continue;
    if ((rest & 1) !== 0) bits |= flag;
    rest >>>= 1;
  }
  return (version ^ bits) >>> 0;
}

/** The sixth parameter of mining.submit under a client's convention (reference §11). */
export function versionBits(how: 'masked' | 'xor' | 'full', version: number, jobVersion: number, mask: number): string {
  switch (how) {
    case 'masked':
      return hex8(version & mask);
    case 'xor':
      return hex8(version ^ jobVersion);
    case 'full':
      return hex8(version);
    default:
      return how satisfies never;
  }
}
