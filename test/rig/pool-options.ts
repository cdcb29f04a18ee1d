/** What a simulated pool can be told to be, with what real pools do as the default (reference §2–§14). */
import type { World } from '../../config/world.ts';

/** How a pool combines the sixth parameter with its job's version (reference §11). */
export type Convention = 'replace' | 'xor' | 'or';

/** How a reject looks on the wire (reference §1, §13.1). */
export type RejectFormat = 'array' | 'string' | 'object' | 'reject-reason' | 'false';

/** A captured job, served verbatim to every connection with the captured extranonce1. */
export interface CapturedJob {
  readonly notifyParams: readonly unknown[];
  /** Hex. */
  readonly extranonce1: string;
  readonly extranonce2Bytes: number;
}

export interface PoolOptions {
  readonly world: World;
  /** Same seed, same extranonces and jobs. */
  readonly seed: number;
  /** 0 or absent: any free port of 127.0.0.1. */
  readonly port?: number;
  readonly extranonce1Bytes?: number;
  readonly extranonce2Bytes?: number;
  /** What version-rolling requests are cut to; 0 refuses the extension. */
  readonly versionMask?: number;
  readonly convention?: Convention;
  /** Job version. */
  readonly version?: number;
  /** Decimal text, sent on the wire as it stands. */
  readonly difficulty?: string;
  /** Whether mining.suggest_difficulty sets the connection's difficulty; default false (answered true all the same). */
  readonly honourSuggestions?: boolean;
  readonly jobIntervalMs?: number;
  /** 0: no block comes by itself. */
  readonly blockIntervalMs?: number;
  readonly nBits?: number;
  readonly coinbaseBytes?: number;
  readonly branchCount?: number;
  readonly height?: number;
  readonly coinbaseSats?: bigint;
  readonly ntimeWindowSeconds?: number;
  readonly replyDelayMs?: number;
  /** Every n-th good share is rejected as stale; 0 never. */
  readonly rejectEvery?: number;
  readonly rejectFormat?: RejectFormat;
  /** Pads short nonces and cuts full header versions down to the granted bits; strict pools refuse both with code 20. */
  readonly lenient?: boolean;
  /** btcpool: error 25 unless subscribe came first. */
  readonly subscribeFirst?: boolean;
  /** Braiins: the first member of the subscribe result is an empty list. */
  readonly emptySubscriptions?: boolean;
  /** AntPool: refuses mining.suggest_difficulty with code 40. */
  readonly refuseSuggestions?: boolean;
  /** Names whose authorisation is refused. */
  readonly refusedUsers?: readonly string[];
  readonly captured?: CapturedJob;
}

/** Options with every default in place. */
export type FullPoolOptions = Required<Omit<PoolOptions, 'captured'>> & Pick<PoolOptions, 'captured'>;

const DEFAULTS: Omit<FullPoolOptions, 'world' | 'seed'> = {
  port: 0,
  extranonce1Bytes: 4,
  extranonce2Bytes: 8,
  versionMask: 0x1fffe000,
  convention: 'replace',
  version: 0x20000000,
  difficulty: '0.00000095367431640625',
  honourSuggestions: false,
  jobIntervalMs: 10_000,
  blockIntervalMs: 0,
  nBits: 0x1d00ffff,
  coinbaseBytes: 260,
  branchCount: 12,
  height: 900_000,
  coinbaseSats: 314_500_000n,
  ntimeWindowSeconds: 7000,
  replyDelayMs: 0,
  rejectEvery: 0,
  rejectFormat: 'array',
  lenient: true,
  subscribeFirst: false,
  emptySubscriptions: false,
  refuseSuggestions: false,
  refusedUsers: [],
};

export function fillOptions(options: PoolOptions): FullPoolOptions {
  return { ...DEFAULTS, ...options };
}

/** The header version a pool of this convention arrives at (reference §11). */
export function combineVersion(convention: Convention, jobVersion: number, mask: number, bits: number): number {
  switch (convention) {
    case 'replace':
      return ((jobVersion & ~mask) | (bits & mask)) >>> 0;
    case 'xor':
      return (jobVersion ^ bits) >>> 0;
    case 'or':
      return (jobVersion | bits) >>> 0;
    default:
      return convention satisfies never;
  }
}
