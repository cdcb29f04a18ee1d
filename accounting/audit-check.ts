/**
 * Checks accepted shares against the facts of their own segment with bitcoinjs-lib alone: nothing here is shared with the
 * code that judged them, except the definition of a job.
 */
import type { Job } from '../proxy/mining/job.ts';
import { referenceHeader } from '../proxy/mining/reference.ts';
import type { Fact, RefreshFact, ShareFact } from '../proxy/session/facts.ts';
import type { DifferenceKind } from './audit-report.ts';

/** Widest window after a job's ntime, and after the clock, in which a share may lie (reference §9). */
const NTIME_ROLL_MAX_S = 7000;
const NTIME_AHEAD_MAX_S = 7200;
const DIFFICULTY_ONE_TARGET = 0xffffn << 208n;

interface KnownSession {
  readonly prefix: Uint8Array;
  readonly extranonce2Bytes: number;
  readonly inHead: boolean;
  readonly exponents: Set<number>;
}

interface KnownJob {
  readonly content: Job;
  /** The pool's own ntime, from which the window counts. */
  readonly poolNtime: number;
  /** Bytes between coinb1 and coinb2; undefined when the link is unknown. */
  readonly slotBytes: number | undefined;
  readonly inHead: boolean;
}

export type ShareCheck =
  | { readonly ok: true; readonly hash: Uint8Array; readonly unproven: boolean }
  | { readonly ok: false; readonly kind: DifferenceKind; readonly message: string };

function fault(kind: DifferenceKind, message: string): ShareCheck {
  return { ok: false, kind, message };
}

export class ShareChecker {
  readonly #sessions = new Map<number, KnownSession>();
  readonly #binds = new Map<number, number>();
  readonly #links = new Map<number, number>();
  readonly #jobs = new Map<number, KnownJob>();

  /** Every fact of the segment in order; `live` when it is a head's repetition. */
  learn(fact: Fact, live: boolean): void {
    switch (fact.type) {
      case 'link':
        this.#links.set(fact.link, fact.extranonce2Bytes);
        return;
      case 'job': {
        const room = this.#links.get(fact.link);
        const slotBytes = room === undefined ? undefined : room - fact.paddingBytes;
        this.#jobs.set(fact.job, { content: fact.content, poolNtime: fact.content.ntime, slotBytes, inHead: live });
        return;
      }
      case 'refresh':
        return this.#refresh(fact, live);
      case 'session':
        if (this.#sessions.has(fact.session)) return;
        this.#sessions.set(fact.session, { prefix: fact.prefix, extranonce2Bytes: fact.extranonce2Bytes, inHead: live, exponents: new Set() });
        return;
      case 'bind':
        this.#binds.set(fact.bind, fact.session);
        return;
      case 'difficulty':
        this.#sessions.get(fact.session)?.exponents.add(fact.exponent);
        return;
      default:
    }
  }

  /** An accepted share: finds what is wrong with it, or its header hash. */
  check(share: ShareFact): ShareCheck {
    const number = this.#binds.get(share.bind);
    const session = number === undefined ? undefined : this.#sessions.get(number);
    if (session === undefined) return fault('unknown-name', `its bind ${share.bind} is not in the segment`);
    const job = this.#jobs.get(share.job);
    if (job === undefined) return fault('unknown-job', `its job ${share.job} is not in the segment`);
    const rules = rulesFault(share, job);
    if (rules !== undefined) return rules;
    const zeros = (job.slotBytes ?? session.prefix.length + session.extranonce2Bytes) - session.prefix.length - session.extranonce2Bytes;
    if (share.extranonce2.length !== session.extranonce2Bytes || zeros < 0) {
      return fault('bad-length', `extranonce2 of ${share.extranonce2.length} bytes after a prefix of ${session.prefix.length}, the session has ${session.extranonce2Bytes}, the job ${job.slotBytes ?? 'unknown'}`);
    }
    const extranonce = Buffer.concat([new Uint8Array(zeros), session.prefix, share.extranonce2]);
    const { hash } = referenceHeader(job.content, extranonce, share.ntime, share.nonce, share.version);
    if (!meetsExponent(hash, share.exponent)) return fault('low-hash', `its hash ${hex(hash)} does not reach difficulty 2^${share.exponent}`);
    const announced = session.exponents.has(share.exponent);
    // A job sent before this segment may carry a difficulty that the head does not repeat.
    const unproven = !announced && session.inHead && job.inHead;
    if (!announced && !unproven) return fault('unannounced-difficulty', `difficulty 2^${share.exponent} was never announced to its session`);
    return { ok: true, hash, unproven };
  }

  #refresh(fact: RefreshFact, live: boolean): void {
    const original = this.#jobs.get(fact.of);
    if (original === undefined) return;
    const content = { ...original.content, ntime: fact.ntime, versionMask: fact.versionMask };
    this.#jobs.set(fact.job, { ...original, content, inHead: live });
  }
}

function rulesFault(share: ShareFact, job: KnownJob): ShareCheck | undefined {
  const latest = Math.min(job.poolNtime + NTIME_ROLL_MAX_S, Math.floor(share.atMs / 1000) + NTIME_AHEAD_MAX_S);
  if (share.ntime < job.content.ntime || share.ntime > latest) {
    return fault('bad-time', `ntime ${share.ntime} is outside ${job.content.ntime} to ${latest}`);
  }
  const foreign = ((share.version ^ job.content.version) & ~job.content.versionMask) >>> 0;
  if (foreign !== 0) return fault('bad-version', `version ${word(share.version)} changes bits ${word(foreign)} that its job does not grant`);
  return undefined;
}

/** hash · 2^k ≤ 0xFFFF·2^208 for the digest as a little-endian number. */
function meetsExponent(hash: Uint8Array, exponent: number): boolean {
  const number = BigInt(`0x${hex(hash)}`);
  return exponent >= 0 ? number << BigInt(exponent) <= DIFFICULTY_ONE_TARGET : number <= DIFFICULTY_ONE_TARGET << BigInt(-exponent);
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).reverse().toString('hex');
}

function word(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
