/**
 * The classic mistakes in assembling a header, one entry each. Firmware, proxies and pool software have made all of
 * them; an entry changes the correct assembly of a share into what the mistake makes of it.
 */
import { createHash } from 'node:crypto';
import { sha256d } from './kernel.ts';
import { combine } from './versions.ts';

/** All that a header is made of. Integers are u32 and end up little-endian in the header. */
export interface Assembly {
  /** 32 bytes as they go into the header. */
  readonly prevhash: Uint8Array;
  readonly coinb1: Uint8Array;
  readonly extranonce1: Uint8Array;
  readonly extranonce2: Uint8Array;
  readonly coinb2: Uint8Array;
  readonly branches: readonly Uint8Array[];
  readonly version: number;
  readonly ntime: number;
  readonly nBits: number;
  readonly nonce: number;
  readonly hashCoinbase: (coinbase: Uint8Array) => Uint8Array;
  readonly joinBranch: (root: Uint8Array, branch: Uint8Array) => Uint8Array;
  readonly finishRoot: (root: Uint8Array) => Uint8Array;
  readonly finishHeader: (header: Uint8Array) => Uint8Array;
}

/** What the mistakes need to know beside the correct assembly. */
export interface ShareContext {
  readonly jobVersion: number;
  readonly jobNtime: number;
  readonly versionMask: number;
  readonly versionBits: number | undefined;
  /** The nonce as submitted, 1–8 hex digits. */
  readonly nonceText: string;
}

export interface Mistake {
  readonly mistake: string;
  /** Two mistakes about the same field are not combined. */
  readonly field: keyof Assembly;
  readonly change: (a: Assembly, share: ShareContext) => Partial<Assembly>;
}

const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const reversed = (bytes: Uint8Array): Uint8Array => bytes.slice().reverse();
const wordsSwapped = (bytes: Uint8Array): Uint8Array => Uint8Array.from(Buffer.from(bytes).swap32());
const sha256 = (bytes: Uint8Array): Uint8Array => Uint8Array.from(createHash('sha256').update(bytes).digest());

function swapU32(value: number): number {
  return Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]).readUInt32LE(0);
}

/** The bytes cut or filled with zeros to a length; `left` cuts and fills before them, as for a big-endian number. */
function resized(bytes: Uint8Array, length: number, side: 'left' | 'right'): Uint8Array {
  const zeros = new Uint8Array(Math.max(0, length - bytes.length));
  const kept = side === 'left' ? bytes.slice(Math.max(0, bytes.length - length)) : bytes.slice(0, length);
  return side === 'left' ? concat(zeros, kept) : concat(kept, zeros);
}

/** The correct way to assemble what is not a plain field. */
export const CORRECT_STEPS = {
  hashCoinbase: sha256d,
  joinBranch: (root: Uint8Array, branch: Uint8Array) => sha256d(concat(root, branch)),
  finishRoot: (root: Uint8Array) => root,
  finishHeader: (header: Uint8Array) => header,
} as const;

/** The 80-byte header of an assembly. */
export function assembleHeader(a: Assembly): Uint8Array {
  const coinbase = concat(a.coinb1, a.extranonce1, a.extranonce2, a.coinb2);
  const root = a.finishRoot(a.branches.reduce(a.joinBranch, a.hashCoinbase(coinbase)));
  const header = new Uint8Array(80);
  const view = new DataView(header.buffer);
  view.setUint32(0, a.version, true);
  header.set(a.prevhash, 4);
  header.set(root, 36);
  view.setUint32(68, a.ntime, true);
  view.setUint32(72, a.nBits, true);
  view.setUint32(76, a.nonce, true);
  return a.finishHeader(header);
}

const HASHES: readonly Mistake[] = [
  { mistake: 'prevhash used as sent, words not swapped', field: 'prevhash', change: (a) => ({ prevhash: wordsSwapped(a.prevhash) }) },
  { mistake: 'prevhash fully byte-reversed', field: 'prevhash', change: (a) => ({ prevhash: reversed(wordsSwapped(a.prevhash)) }) },
  {
    mistake: 'prevhash converted to display order then used unreversed (words swapped + full reverse)',
    field: 'prevhash',
    change: (a) => ({ prevhash: reversed(a.prevhash) }),
  },
  { mistake: 'each merkle branch byte-reversed', field: 'branches', change: (a) => ({ branches: a.branches.map(reversed) }) },
  { mistake: 'each merkle branch word-swapped', field: 'branches', change: (a) => ({ branches: a.branches.map(wordsSwapped) }) },
  { mistake: 'merkle branches in reverse order', field: 'branches', change: (a) => ({ branches: a.branches.toReversed() }) },
  { mistake: 'merkle branches ignored (root is the coinbase txid)', field: 'branches', change: () => ({ branches: [] }) },
  { mistake: 'last merkle branch left out', field: 'branches', change: (a) => ({ branches: a.branches.slice(0, -1) }) },
  {
    mistake: 'merkle branch put on the left side',
    field: 'joinBranch',
    change: () => ({ joinBranch: (root, branch) => sha256d(concat(branch, root)) }),
  },
  {
    mistake: 'merkle nodes hashed once instead of twice',
    field: 'joinBranch',
    change: () => ({ joinBranch: (root, branch) => sha256(concat(root, branch)) }),
  },
  { mistake: 'merkle root byte-reversed', field: 'finishRoot', change: () => ({ finishRoot: reversed }) },
  { mistake: 'merkle root word-swapped', field: 'finishRoot', change: () => ({ finishRoot: wordsSwapped }) },
  { mistake: 'coinbase hashed once instead of twice', field: 'hashCoinbase', change: () => ({ hashCoinbase: sha256 }) },
  {
    mistake: 'coinbase txid byte-reversed before the branches',
    field: 'hashCoinbase',
    change: () => ({ hashCoinbase: (coinbase) => reversed(sha256d(coinbase)) }),
  },
  { mistake: 'whole header with the bytes of each word reversed', field: 'finishHeader', change: () => ({ finishHeader: wordsSwapped }) },
];

const EXTRANONCES: readonly Mistake[] = [
  { mistake: 'extranonce1 omitted', field: 'extranonce1', change: () => ({ extranonce1: new Uint8Array(0) }) },
  { mistake: 'extranonce1 inserted twice', field: 'extranonce1', change: (a) => ({ extranonce1: concat(a.extranonce1, a.extranonce1) }) },
  { mistake: 'extranonce1 byte-reversed', field: 'extranonce1', change: (a) => ({ extranonce1: reversed(a.extranonce1) }) },
  {
    mistake: 'extranonce2 put before extranonce1',
    field: 'extranonce1',
    change: (a) => ({ extranonce1: a.extranonce2, extranonce2: a.extranonce1 }),
  },
  { mistake: 'extranonce2 byte-reversed', field: 'extranonce2', change: (a) => ({ extranonce2: reversed(a.extranonce2) }) },
  { mistake: 'extranonce2 omitted', field: 'extranonce2', change: () => ({ extranonce2: new Uint8Array(0) }) },
  { mistake: 'extranonce2 all zero', field: 'extranonce2', change: (a) => ({ extranonce2: new Uint8Array(a.extranonce2.length) }) },
  {
    // The published name; what it means is that the first four bytes are kept.
    mistake: 'extranonce2 left-stripped/padded to 4 bytes',
    field: 'extranonce2',
    change: (a) => ({ extranonce2: resized(a.extranonce2, 4, 'right') }),
  },
  {
    mistake: 'extranonce2 read as a big-endian number of 4 bytes',
    field: 'extranonce2',
    change: (a) => ({ extranonce2: resized(a.extranonce2, 4, 'left') }),
  },
  { mistake: 'extranonce2 padded on the left to 8 bytes', field: 'extranonce2', change: (a) => ({ extranonce2: resized(a.extranonce2, 8, 'left') }) },
  { mistake: 'extranonce2 padded on the right to 8 bytes', field: 'extranonce2', change: (a) => ({ extranonce2: resized(a.extranonce2, 8, 'right') }) },
];

/** Changes the version by the sixth parameter; nothing to change when there is none. */
function byBits(make: (share: ShareContext, bits: number) => number): Mistake['change'] {
  return (_, share) => (share.versionBits === undefined ? {} : { version: make(share, share.versionBits) >>> 0 });
}

/** The mask of BIP 320, which software assumes when it does not look at the one granted. */
const BIP320_MASK = 0x1fffe000;

const INTEGERS: readonly Mistake[] = [
  { mistake: '6th parameter ignored (job version used)', field: 'version', change: (_, share) => ({ version: share.jobVersion }) },
  {
    mistake: '6th parameter combined by xor instead of replace',
    field: 'version',
    change: byBits((share, bits) => combine('xor', share.jobVersion, share.versionMask, bits)),
  },
  {
    mistake: '6th parameter combined by or instead of replace',
    field: 'version',
    change: byBits((share, bits) => combine('or', share.jobVersion, share.versionMask, bits)),
  },
  { mistake: '6th parameter used as the full version', field: 'version', change: byBits((_, bits) => bits) },
  { mistake: '6th parameter combined by xor without the mask', field: 'version', change: byBits((share, bits) => share.jobVersion ^ bits) },
  { mistake: '6th parameter combined by or without the mask', field: 'version', change: byBits((share, bits) => share.jobVersion | bits) },
  {
    mistake: '6th parameter combined under mask 1fffe000 instead of the one granted',
    field: 'version',
    change: byBits((share, bits) => combine('replace', share.jobVersion, BIP320_MASK, bits)),
  },
  {
    mistake: '6th parameter byte-reversed',
    field: 'version',
    change: byBits((share, bits) => combine('replace', share.jobVersion, share.versionMask, swapU32(bits))),
  },
  { mistake: 'version byte-reversed', field: 'version', change: (a) => ({ version: swapU32(a.version) }) },
  { mistake: "ntime of the share ignored (job's ntime used)", field: 'ntime', change: (_, share) => ({ ntime: share.jobNtime }) },
  { mistake: 'ntime byte-reversed', field: 'ntime', change: (a) => ({ ntime: swapU32(a.ntime) }) },
  { mistake: 'nbits byte-reversed', field: 'nBits', change: (a) => ({ nBits: swapU32(a.nBits) }) },
  { mistake: 'nbits and ntime in the wrong order', field: 'nBits', change: (a) => ({ nBits: a.ntime, ntime: a.nBits }) },
  { mistake: 'nonce byte-reversed', field: 'nonce', change: (a) => ({ nonce: swapU32(a.nonce) }) },
  {
    mistake: 'short nonce padded with zeros on the right instead of the left',
    field: 'nonce',
    change: (_, share) => ({ nonce: Number.parseInt(share.nonceText.padEnd(8, '0'), 16) }),
  },
  {
    mistake: 'nonce sent with 1 zero on the right instead of the left',
    field: 'nonce',
    change: (a, share) => {
      const text = share.nonceText.padStart(8, '0');
      return { nonce: text.endsWith('0') ? Number.parseInt(text.slice(0, -1), 16) : a.nonce };
    },
  },
];

export const MISTAKES: readonly Mistake[] = [...HASHES, ...EXTRANONCES, ...INTEGERS];
