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

/** Consensus takes no block further ahead of our clock (reference §9). */
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

/** Layouts of machines reach 4 + 8; no slot of ours is wider. */
const EXTRANONCE_BYTES_MAX = 64;

/** Scratch space shared by all calls: judging allocates nothing but its result. */
const extranonce = new Uint8Array(EXTRANONCE_BYTES_MAX);
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

/** Header versions worth hashing; nearly always one, because jobs rarely have bits inside the mask. */
function versionsOf(session: Session, job: LiveJob, sent: number | undefined): readonly Fit[] {
  const { version, versionMask } = job.content;
  const granted = session.grantedMask ?? versionMask;
  const mask = (job.grantMask & granted) >>> 0;
  if (sent === undefined) return candidateVersions(version, mask, sent, session.convention);
  const outside = sent & ~mask;
  // A machine that still rolls the wider mask it was granted leaves the job's own bits there as they are: harmless.
  const bits = outside !== 0 && outside === (version & ~mask & granted) ? (sent & mask) >>> 0 : sent;
  return candidateVersions(version, mask, bits, session.convention);
}

/** Hashes candidate versions until one meets the easier target; `lastHash` then holds its hash. */
function firstFit(session: Session, job: LiveJob, message: SubmitMessage, full: Uint8Array, easier: TargetWords): Fit | 'none' | 'bad-version' {
  const candidates = versionsOf(session, job, message.versionBits);
  if (candidates.length === 0) return 'bad-version';
  for (const candidate of candidates) {
    hashShare(job.prepared, full, message.ntime, message.nonce, candidate.version, lastHash);
    if (meets(lastHash, easier)) return candidate;
  }
  return 'none';
}

/** Judges a share of an authorised name. Claims its hash, so a share must be judged once only. */
export function judge(book: JobBook, session: Session, message: SubmitMessage, now: Now): Judgement {
  const job = book.find(message.jobId);
  const exponent = job === undefined ? undefined : session.exponentOf(job);
  if (job === undefined || exponent === undefined) return refused('unknown-job', undefined, 0);
  const { version } = job.content;
  if (job.ended) return refused('stale', job, exponent, version);
  if (message.extranonce2.length !== 2 * session.extranonce2Bytes) return refused('malformed', job, exponent, version);
  const latest = Math.min(job.poolNtime + job.ntimeRollS, Math.floor(now.wallMs / 1000) + NTIME_AHEAD_MAX_S);
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
