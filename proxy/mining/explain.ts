/** Explains one share to an operator: what it hashes to and, when it is no share, which classic mistake makes it one. */
import { z } from 'zod';
import { hexToBytes, hexToU32 } from '../protocol/hex.ts';
import { parseNotify, type NotifyMessage } from '../protocol/notify.ts';
import { difficultyOfHash, difficultyTarget, exponentTarget, meets, nBitsTarget, parseDifficultyText, targetWords, type TargetWords } from './difficulty.ts';
import { sha256d } from './kernel.ts';
import { assembleHeader, CORRECT_STEPS, MISTAKES, type Assembly, type Mistake, type ShareContext } from './mistakes.ts';
import { candidateVersions, combine } from './versions.ts';

/** Widest window after the job's ntime that any common pool takes (ckpool). */
const NTIME_WINDOW_SECONDS = 7000;
const BIP320_MASK = 0x1fffe000;
const DEFAULT_DIFFICULTY = '1';
/** Below this difficulty a wrong pair fits by chance too often (some 900 pairs against 2^24 hashes). */
const PAIRS_EXPONENT_MIN = -8;

const hexBytes = z.string('must be hex digits in quotes').refine((text) => hexToBytes(text) !== undefined, 'is not hex of even length');
const hex32 = z.string('must be 1 to 8 hex digits in quotes').refine((text) => hexToU32(text) !== undefined, 'is not 1 to 8 hex digits');
const decimal = z
  .union([z.number(), z.string()], 'must be a positive decimal number')
  .transform(String)
  .refine((text) => parseDifficultyText(text) !== undefined, 'is not a positive decimal number');

const inputSchema = z.looseObject(
  {
    notifyParams: z.array(z.unknown(), 'must be the list of params of the mining.notify the share was found for'),
    extranonce1: hexBytes,
    extranonce2: hexBytes,
    extranonce2Size: z.int('must be a whole number').nullish(),
    ntime: hex32,
    nonce: hex32,
    versionBits: hex32.nullish(),
    versionMask: hex32.nullish(),
    difficulty: decimal.nullish(),
    poolDifficultyAtCapture: decimal.nullish(),
  },
  'must be one JSON object with notifyParams, extranonce1, extranonce2, ntime and nonce',
);
type ShareInput = z.output<typeof inputSchema>;

/** A header and what it hashes to. */
export interface Assembled {
  /** 160 hex digits. */
  readonly headerHex: string;
  /** 64 hex digits, big-endian as explorers show it. */
  readonly hashBE: string;
  /** Difficulty reached, for display. */
  readonly difficulty: number;
}

export interface FittingMistake extends Assembled {
  readonly mistake: string;
}

export interface ShareExplanation extends Assembled {
  /** The verdict on the share as it was submitted, with BIP 310's way of combining the version bits. */
  readonly verdict: 'accepted' | 'low-difficulty' | 'bad-time' | 'bad-version' | 'malformed';
  readonly meetsNetworkTarget: boolean;
  /** Each mistake, or pair of mistakes, that makes the share meet its difficulty; empty when it does so by itself. */
  readonly mistakes: readonly FittingMistake[];
}

export type Explanation = ShareExplanation | { readonly problems: readonly string[] };

function contextOf(share: ShareInput, job: NotifyMessage): ShareContext {
  const bits = typeof share.versionBits === 'string' ? hexToU32(share.versionBits) : undefined;
  const mask = typeof share.versionMask === 'string' ? hexToU32(share.versionMask) : undefined;
  return {
    jobVersion: job.version,
    jobNtime: job.ntime,
    versionMask: mask ?? (bits === undefined ? 0 : BIP320_MASK),
    versionBits: bits,
    nonceText: share.nonce,
  };
}

function assemblyOf(share: ShareInput, job: NotifyMessage, context: ShareContext): Assembly {
  const empty = new Uint8Array(0);
  const branches: Uint8Array[] = [];
  for (let at = 0; at < job.branches.length; at += 32) branches.push(job.branches.slice(at, at + 32));
  return {
    ...CORRECT_STEPS,
    prevhash: job.prevhash,
    coinb1: job.coinb1,
    extranonce1: hexToBytes(share.extranonce1) ?? empty,
    extranonce2: hexToBytes(share.extranonce2) ?? empty,
    coinb2: job.coinb2,
    branches,
    version: combine('replace', job.version, context.versionMask, context.versionBits ?? job.version),
    ntime: hexToU32(share.ntime) ?? 0,
    nBits: job.nBits,
    nonce: hexToU32(share.nonce) ?? 0,
  };
}

interface Attempt extends Assembled {
  readonly hash: Uint8Array;
}

function attempt(assembly: Assembly): Attempt {
  const header = assembleHeader(assembly);
  const hash = sha256d(header);
  return {
    headerHex: Buffer.from(header).toString('hex'),
    hashBE: Buffer.from(hash).reverse().toString('hex'),
    difficulty: difficultyOfHash(hash),
    hash,
  };
}

/** The mistakes, or else the pairs of mistakes, under which the hash meets the target. */
function fittingMistakes(correct: Assembly, context: ShareContext, target: TargetWords, pairs: boolean): FittingMistake[] {
  const fitting: FittingMistake[] = [];
  const known = attempt(correct).headerHex;
  const trial = (name: string, assembly: Assembly): void => {
    const { hash, headerHex, hashBE, difficulty } = attempt(assembly);
    if (headerHex !== known && meets(hash, target)) fitting.push({ mistake: name, headerHex, hashBE, difficulty });
  };
  const apply = (mistake: Mistake, to: Assembly): Assembly => ({ ...to, ...mistake.change(to, context) });
  for (const mistake of MISTAKES) trial(mistake.mistake, apply(mistake, correct));
  if (fitting.length > 0 || !pairs) return fitting;
  for (const [index, first] of MISTAKES.entries()) {
    const once = apply(first, correct);
    for (const second of MISTAKES.slice(index + 1)) {
      if (second.field !== first.field) trial(`${first.mistake}; ${second.mistake}`, apply(second, once));
    }
  }
  return fitting;
}

/** The network target; 0, which no hash meets, when nBits encodes none (it may be the very field that is wrong). */
function networkTargetOf(nBits: number): bigint {
  try {
    return nBitsTarget(nBits);
  } catch {
    return 0n;
  }
}

function verdictOf(share: ShareInput, assembly: Assembly, context: ShareContext, fits: boolean): ShareExplanation['verdict'] {
  const size = share.extranonce2Size;
  if (typeof size === 'number' && size !== assembly.extranonce2.length) return 'malformed';
  if (assembly.ntime < context.jobNtime || assembly.ntime > context.jobNtime + NTIME_WINDOW_SECONDS) return 'bad-time';
  const { jobVersion, versionMask, versionBits } = context;
  if (candidateVersions(jobVersion, versionMask, versionBits, 'replace').length === 0) return 'bad-version';
  return fits ? 'accepted' : 'low-difficulty';
}

/**
 * Explains a share given as a parsed JSON object: notifyParams (as in mining.notify), extranonce1, extranonce2, ntime,
 * nonce, versionBits, versionMask (hex text), optionally difficulty (or poolDifficultyAtCapture; 1 when neither is
 * given) and extranonce2Size. Other members are ignored. An input that cannot be read gives its problems.
 */
export function explainShare(input: unknown): Explanation {
  const parsed = inputSchema.safeParse(input);
  if (!parsed.success) {
    return { problems: parsed.error.issues.map((issue) => `${issue.path.join('.') || 'share'}: ${issue.message}`) };
  }
  const share = parsed.data;
  const job = parseNotify(share.notifyParams);
  if (typeof job === 'string') return { problems: [`notifyParams: ${job}`] };
  const context = contextOf(share, job);
  const assembly = assemblyOf(share, job, context);
  const { hash, headerHex, hashBE, difficulty } = attempt(assembly);
  const shareTarget = difficultyTarget(share.difficulty ?? share.poolDifficultyAtCapture ?? DEFAULT_DIFFICULTY);
  const target = targetWords(shareTarget);
  const fits = meets(hash, target);
  const pairs = shareTarget <= exponentTarget(PAIRS_EXPONENT_MIN);
  return {
    verdict: verdictOf(share, assembly, context, fits),
    headerHex,
    hashBE,
    difficulty,
    meetsNetworkTarget: meets(hash, targetWords(networkTargetOf(job.nBits))),
    mistakes: fits ? [] : fittingMistakes(assembly, context, target, pairs),
  };
}
