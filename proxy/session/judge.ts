/** One share judged against the job it was sent for: cheap checks first, then the hash (reference §8.1). */
import { exponentTarget, meets, targetWords, type TargetWords } from '../mining/difficulty.ts';
import { hashShare } from '../mining/kernel.ts';
import type { OwnVerdict } from '../mining/verdict.ts';
import { candidateVersions, type Convention } from '../mining/versions.ts';
import type { DownstreamMessage } from '../protocol/downstream.ts';
import type { JobBook, LiveJob } from './book.ts';
import type { Session } from './session.ts';
import type { Now } from './sink.ts';

export type SubmitMessage = Extract<DownstreamMessage, { kind: 'submit' }>;

/** Widest window any server takes, after the job's own ntime and after our clock (reference §9). */
export const NTIME_ROLL_MAX_S = 7000;
const NTIME_AHEAD_MAX_S = 7200;

export interface Judgement {
  readonly verdict: OwnVerdict;
  /** Undefined when the job is not known to this session. */
  readonly job: LiveJob | undefined;
  /** k of the job in this session; 0 without a job. */
  readonly exponent: number;
  /** The header version that was hashed; the job's own before hashing. */
  readonly version: number;
  /** Meets the pool's target for that job. */
  readonly upstream: boolean;
  readonly block: boolean;
}

/** Scratch space shared by all calls: judging allocates nothing but its result. */
const extranonce = new Uint8Array(64);
/** The header hash of the last judged share, digest byte order; valid until the next call. */
export const lastHash = new Uint8Array(32);
/** zeros ‖ prefix ‖ extranonce2 of the last judged share; valid until the next call. */
export const lastExtranonce = (slotBytes: number): Uint8Array => extranonce.subarray(0, slotBytes);

const targets = new Map<number, TargetWords>();
function wordsOfExponent(exponent: number): TargetWords {
  let words = targets.get(exponent);
  if (words === undefined) {
    words = targetWords(exponentTarget(exponent));
    targets.set(exponent, words);
  }
  return words;
}

function hexDigit(code: number): number {
  return code <= 57 ? code - 48 : code - 87;
}

/** Writes zeros ‖ P ‖ extranonce2 into the scratch space; lower-case hex as the parser leaves it. */
function assemble(slotBytes: number, prefix: Uint8Array, extranonce2: string): Uint8Array {
  const bytes = extranonce2.length >>> 1;
  const from = slotBytes - bytes;
  extranonce.fill(0, 0, from - prefix.length);
  extranonce.set(prefix, from - prefix.length);
  for (let index = 0; index < bytes; index += 1) {
    extranonce[from + index] = (hexDigit(extranonce2.charCodeAt(2 * index)) << 4) | hexDigit(extranonce2.charCodeAt(2 * index + 1));
  }
  return extranonce.subarray(0, slotBytes);
}

function refused(verdict: OwnVerdict, job: LiveJob | undefined, exponent: number, version = 0): Judgement {
  return { verdict, job, exponent, version, upstream: false, block: false };
}

interface Fit {
  readonly version: number;
  readonly convention: Convention | undefined;
}

/** Hashes candidate versions until one meets the easier target; `lastHash` then holds its hash. */
function firstFit(session: Session, job: LiveJob, message: SubmitMessage, full: Uint8Array, easier: TargetWords): Fit | 'none' | 'bad-version' {
  const mask = session.grantedMask === undefined ? job.grantMask : (job.grantMask & session.grantedMask) >>> 0;
  const candidates = candidateVersions(job.content.version, mask, message.versionBits, session.convention);
  if (candidates.length === 0) return 'bad-version';
  for (const candidate of candidates) {
    hashShare(job.prepared, full, message.ntime, message.nonce, candidate.version, lastHash);
    if (meets(lastHash, easier)) return candidate;
  }
  return 'none';
}

/** Judges a share of an authorised name. Claims its hash, so a share must be judged once only. */
export function judge(book: JobBook, session: Session, message: SubmitMessage, ntimeRollS: number, now: Now): Judgement {
  const job = book.find(message.jobId);
  const exponent = job === undefined ? undefined : session.exponentOf(job.link, job.number);
  if (job === undefined || exponent === undefined) return refused('unknown-job', undefined, 0);
  const { version } = job.content;
  if (job.ended) return refused('stale', job, exponent, version);
  if (message.extranonce2.length !== 2 * session.extranonce2Bytes) return refused('malformed', job, exponent, version);
  const latest = Math.min(job.poolNtime + Math.min(ntimeRollS, NTIME_ROLL_MAX_S), Math.floor(now.wallMs / 1000) + NTIME_AHEAD_MAX_S);
  if (message.ntime < job.content.ntime || message.ntime > latest) return refused('bad-time', job, exponent, version);

  const full = assemble(job.slotBytes, session.prefix, message.extranonce2);
  const own = wordsOfExponent(exponent);
  const newer = session.exponent ?? exponent;
  const fit = firstFit(session, job, message, full, newer < exponent ? wordsOfExponent(newer) : own);
  if (fit === 'bad-version') return refused('bad-version', job, exponent, version);
  if (fit === 'none') return refused('low-difficulty', job, exponent, version);
  if (fit.convention !== undefined) session.convention = fit.convention;

  const claim = book.claim(job, lastHash);
  if (claim === 'duplicate') return refused('duplicate', job, exponent, fit.version);
  if (claim === 'retired') return refused('stale', job, exponent, fit.version);
  return {
    verdict: meets(lastHash, own) ? 'accepted' : 'courtesy',
    job,
    exponent,
    version: fit.version,
    upstream: meets(lastHash, job.target),
    block: meets(lastHash, job.networkTarget),
  };
}
