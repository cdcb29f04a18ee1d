/**
 * What the state machines report for the journal. Each fact is written once, in this order of dependence:
 * lease-terms, link → job (→ refresh) and session → bind → share → pool-verdict. Numbers (`link`, `job`, `session`, `bind`, `share`)
 * are unique within one run of a proxy process, start at 1 and are never reused in it. `atMs` is wall-clock milliseconds.
 */
import type { LeaseKind } from '../../config/leases.ts';
import type { Job } from '../mining/job.ts';
import type { Forwarding, GoodVerdict, OwnVerdict, PoolReason, ReplySource } from '../mining/verdict.ts';

export interface LinkFact {
  readonly type: 'link';
  readonly link: number;
  readonly pool: string;
  /** scheme://host:port, never with credentials. */
  readonly url: string;
  readonly user: string;
  readonly extranonce1: Uint8Array;
  readonly extranonce2Bytes: number;
  readonly atMs: number;
}

export interface LinkEndFact {
  readonly type: 'link-end';
  readonly link: number;
  readonly reason: string;
  readonly atMs: number;
}

export interface JobFact {
  readonly type: 'job';
  readonly job: number;
  readonly link: number;
  /** The pool's own job id, verbatim. */
  readonly poolJobId: string;
  readonly clean: boolean;
  readonly content: Job;
  /** Zero bytes at the end of content.coinb1 after the link's extranonce1 (pools with more than 8 bytes of extranonce2). */
  readonly paddingBytes: number;
  /** Upstream difficulty in force, as the text received. */
  readonly difficulty: string;
  /** Sum of the coinbase outputs in satoshi (R); 0 when the coinbase could not be parsed. */
  readonly coinbaseSats: bigint;
  /** BIP 34 height, 0 when absent. */
  readonly height: number;
  readonly atMs: number;
}

/** The work of an earlier job under a new number with an advanced ntime. All else is as in job `of`, which is never itself a refresh. */
export interface RefreshFact {
  readonly type: 'refresh';
  readonly job: number;
  readonly of: number;
  readonly ntime: number;
  /** Upstream difficulty in force when it was refreshed, as the text received. */
  readonly difficulty: string;
  readonly versionMask: number;
  readonly atMs: number;
}

export interface SessionFact {
  readonly type: 'session';
  readonly session: number;
  /** 128-bit random, hex. */
  readonly sessionId: string;
  readonly site: string;
  /** Remote ip:port. */
  readonly address: string;
  /** P: the session's extranonce1 as its machine knows it. */
  readonly prefix: Uint8Array;
  readonly extranonce2Bytes: number;
  readonly userAgent: string;
  readonly atMs: number;
}

/** Binds an authorised name of a session to its lessee before the session's first job under that name. */
export interface BindFact {
  readonly type: 'bind';
  readonly bind: number;
  readonly session: number;
  /** Worker name, verbatim. */
  readonly worker: string;
  /** '' when the route names none. */
  readonly lessee: string;
  readonly atMs: number;
}

/** From now on jobs are sent to this session with credit 2^exponent. */
export interface DifficultyFact {
  readonly type: 'difficulty';
  readonly session: number;
  readonly exponent: number;
  readonly atMs: number;
}

export interface SessionEndFact {
  readonly type: 'session-end';
  readonly session: number;
  readonly reason: string;
  readonly atMs: number;
}

export interface ShareFact {
  readonly type: 'share';
  readonly share: number;
  readonly bind: number;
  /** The job it was sent for; 0 when unknown (verdict unknown-job, malformed, unauthorised). */
  readonly job: number;
  /** k of that job in that session; credit is 2^k when the verdict is accepted. 0 when job is 0. */
  readonly exponent: number;
  readonly verdict: OwnVerdict;
  readonly forwarding: Forwarding;
  /** Meets the network target. */
  readonly block: boolean;
  /** 0 bytes when it could not be parsed. */
  readonly extranonce2: Uint8Array;
  readonly ntime: number;
  readonly nonce: number;
  /** The full header version that was hashed (not the sixth parameter). */
  readonly version: number;
  readonly atMs: number;
}

/** Rejects counted but not journaled one by one (limit per session), or submits without any bound name (bind 0). */
export interface RejectsFact {
  readonly type: 'rejects';
  readonly session: number;
  readonly bind: number;
  readonly verdict: OwnVerdict;
  readonly count: number;
  readonly atMs: number;
}

/** Holds all that is needed to fold it without looking up its share. */
export interface PoolVerdictFact {
  readonly type: 'pool-verdict';
  readonly share: number;
  readonly bind: number;
  readonly job: number;
  readonly link: number;
  /** When the share was found: the pool verdict counts in the share's bucket. */
  readonly shareAtMs: number;
  /** Upstream difficulty the share was forwarded under, as the text received. */
  readonly difficulty: string;
  readonly verdict: 'accepted' | 'rejected' | 'unanswered';
  readonly reason: PoolReason;
  /** Verbatim; '' when there was none. */
  readonly code: string;
  readonly text: string;
  /** What the machine was told when `reply: pool` is set; undefined when it had its answer from us before. */
  readonly reply: { readonly value: boolean; readonly source: ReplySource } | undefined;
  readonly atMs: number;
}

/** Shares answered as good while the journal could not be written: an admission, never claimed. */
export interface UnjournaledFact {
  readonly type: 'unjournaled';
  /** Those that were answered as a courtesy would have had no credit either. */
  readonly verdict: GoodVerdict;
  readonly site: string;
  readonly lessee: string;
  /** Ids of the leases they belong to, joined by commas. */
  readonly leases: string;
  readonly exponent: number;
  readonly count: number;
  /** When the first of them was found. */
  readonly fromMs: number;
  readonly atMs: number;
}

/** Such shares of one kind, counted and not yet admitted. */
export type Unadmitted = Omit<UnjournaledFact, 'type' | 'atMs'>;

/** An admission handed to the journal and not yet durable: facts that are told from all others of their run by `atMs`. */
export interface Admission {
  readonly atMs: number;
  readonly entries: readonly Unadmitted[];
}

/** Once a second: the time this process observed, by the monotonic clock, since the previous pulse (or its start). */
export interface PulseFact {
  readonly type: 'pulse';
  readonly observedMs: number;
  readonly sessions: number;
  readonly atMs: number;
}

/** A header that meets the network target, whole, so that it can be completed by hand from the journal alone. */
export interface BlockFact {
  readonly type: 'block';
  readonly share: number;
  readonly job: number;
  readonly header: Uint8Array;
  readonly coinbase: Uint8Array;
  readonly atMs: number;
}

/** A file beside the journal that figures rest on, named by its digest: who changes it later is found out. Only accounting writes it. */
export interface DocumentFact {
  readonly type: 'document';
  /** `statement`, `countersignature`, `dispute`, `earnings`, `payments`. */
  readonly kind: string;
  /** The statement's number, or the file's path within the data directory. */
  readonly name: string;
  /** SHA-256, hex. */
  readonly digest: string;
  readonly atMs: number;
}

/** The terms of a lease as they are from `atMs` on; shares that arrived before keep the terms they arrived under. */
export interface LeaseTermsFact {
  readonly type: 'lease-terms';
  readonly lease: string;
  readonly kind: LeaseKind;
  /** SHA-256 over `terms`, hex. */
  readonly digest: string;
  /** Canonical JSON of the lease and the parties it names. */
  readonly terms: string;
  /** Globs over worker names, names of sites, address ranges in CIDR form; an empty list takes all. */
  readonly workers: readonly string[];
  readonly sites: readonly string[];
  readonly from: readonly string[];
  /** IANA name of the zone that the lease's days are counted in. */
  readonly timezone: string;
  /** The term, [from, to). A lease that was taken out of the configuration ends where it begins: it claims nothing. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly atMs: number;
}

/** What a lease's event is: time that is not owed, the end before the term's, terms that take the place of others, an inventory that does, what a grid paid for curtailed hours. */
export const LEASE_EVENTS = ['curtailment', 'suspension', 'termination', 'amendment', 'inventory', 'grid-payment'] as const;
export type LeaseEventKind = (typeof LEASE_EVENTS)[number];

/** Something that was stated of a lease, or an inventory that was found. With effect before `atMs` it is an amendment of the past. Only accounting writes it. */
export interface LeaseEventFact {
  readonly type: 'lease-event';
  /** '' for an inventory that holds for all leases. */
  readonly lease: string;
  readonly event: LeaseEventKind;
  /** When it takes effect, [from, to); a termination, an amendment and an inventory have no end: there `toMs` equals `fromMs`. */
  readonly fromMs: number;
  readonly toMs: number;
  /** A party of the lease; '' for what an instance found. */
  readonly by: string;
  readonly reason: string;
  /** Name and SHA-256 of a document; '' without one. */
  readonly document: string;
  /** Of an amendment: canonical JSON of the terms from then on; of an inventory: SHA-256 of its file, hex; of a grid's payment: the amount, such as `9500.00 USD`; else ''. */
  readonly terms: string;
  readonly atMs: number;
}

export type Fact =
  | LinkFact
  | LinkEndFact
  | JobFact
  | RefreshFact
  | SessionFact
  | BindFact
  | DifficultyFact
  | SessionEndFact
  | ShareFact
  | RejectsFact
  | PoolVerdictFact
  | UnjournaledFact
  | PulseFact
  | BlockFact
  | DocumentFact
  | LeaseTermsFact
  | LeaseEventFact;
