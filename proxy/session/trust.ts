/**
 * Whether a pool that lives deserves its machines: one that refuses shares, sends work on an old block while another pool has
 * moved on, or goes back to a lower height is left for the next, and returned to when it has been well for a while.
 */
import type { Link } from './link.ts';
import type { FarmState } from './state.ts';

/** The block that a job builds on, as far as it tells. */
export interface JobHead {
  /** Hex. */
  readonly prevhash: string;
  /** 0 when the coinbase does not say. */
  readonly height: number;
  readonly nBits: number;
}

export type Trouble = 'refusing' | 'behind' | 'height';

/** Verdicts are counted over the running minute and the one before. */
const WINDOW_MS = 60_000;
/** Fewer shares say nothing about a pool. */
const SHARES_MIN = 20;
/** Each time it refuses again a pool is left for twice as long, this often. */
const DOUBLINGS_MAX = 4;
/** A pool that was well for so long begins anew. */
const FORGIVEN_MS = 3_600_000;
/** Blocks remembered of each outlet. */
const HEADS_MAX = 8;

interface Verdicts {
  answered: number;
  refused: number;
}

interface Standing {
  readonly pool: string;
  trouble: Trouble | undefined;
  /** A sentence's end: what is wrong. */
  why: string;
  untilMono: number;
  /** When the last trouble ended; undefined when there was none. */
  wellSinceMono: number | undefined;
  strikes: number;
  window: Verdicts;
  before: Verdicts;
  windowMono: number;
  /** Blocks that its jobs built on, the newest last, with when the first job on each came. */
  readonly heads: (JobHead & { readonly sinceMono: number })[];
}

export class Trust {
  /** By outlet. */
  private readonly records = new Map<string, Standing>();
  private readonly state: FarmState;
  private troubled = 0;

  constructor(state: FarmState) {
    this.state = state;
  }

  private of(link: Link): Standing {
    const { key, pool } = link.outlet;
    let record = this.records.get(key);
    if (record === undefined) {
      const none = { answered: 0, refused: 0 };
      record = { pool, trouble: undefined, why: '', untilMono: 0, wellSinceMono: undefined, strikes: 0, window: { ...none }, before: none, windowMono: this.state.now.monoMs, heads: [] };
      this.records.set(key, record);
    }
    return record;
  }

  /** Nothing is wrong anywhere, so that nobody need ask for each. */
  get allWell(): boolean {
    return this.troubled === 0;
  }

  troubleOf(link: Link): { readonly trouble: Trouble; readonly why: string } | undefined {
    const record = this.records.get(link.outlet.key);
    return record?.trouble === undefined ? undefined : { trouble: record.trouble, why: record.why };
  }

  /** Since when a link may be returned to. */
  goodSince(link: Link): number {
    return Math.max(link.liveSinceMono ?? this.state.now.monoMs, this.records.get(link.outlet.key)?.wellSinceMono ?? 0);
  }

  /** A pool's verdict of a share, or that there was none; true when it has just lost its machines by it. */
  judged(link: Link, accepted: boolean): boolean {
    const { now, config } = this.state;
    const record = this.of(link);
    if (now.monoMs - record.windowMono >= WINDOW_MS) {
      record.before = now.monoMs - record.windowMono < 2 * WINDOW_MS ? record.window : { answered: 0, refused: 0 };
      record.window = { answered: 0, refused: 0 };
      record.windowMono = now.monoMs;
    }
    record.window.answered += 1;
    if (!accepted) record.window.refused += 1;
    const answered = record.window.answered + record.before.answered;
    const refused = record.window.refused + record.before.refused;
    if (answered < SHARES_MIN) return false;
    const limit = (answered * config.failover.refusedPercentMax) / 100;
    // Where there was no other pool its machines stayed: it can show that it is well again.
    if (record.trouble === 'refusing' && refused <= limit / 2) this.well(record);
    if (record.trouble !== undefined || refused <= limit) return false;
    if (now.monoMs - (record.wellSinceMono ?? now.monoMs) >= FORGIVEN_MS) record.strikes = 0;
    this.trouble(record, 'refusing', `it refused ${refused} of its last ${answered} shares`, config.failover.retryMs * 2 ** record.strikes);
    record.strikes = Math.min(record.strikes + 1, DOUBLINGS_MAX);
    record.window = { answered: 0, refused: 0 };
    record.before = { answered: 0, refused: 0 };
    return true;
  }

  /** A pool's job; true when it has just lost its machines by it. */
  job(link: Link, head: JobHead): boolean {
    const record = this.of(link);
    const { heads } = record;
    const last = heads.at(-1);
    if (last?.prevhash === head.prevhash) return false;
    const highest = Math.max(0, ...heads.map(({ height }) => height));
    heads.push({ ...head, sinceMono: this.state.now.monoMs });
    if (heads.length > HEADS_MAX) heads.shift();
    if (record.trouble === 'height' && head.height >= highest) this.well(record);
    if (record.trouble !== undefined || head.height === 0 || head.height >= highest) return false;
    this.trouble(record, 'height', `it went back from height ${highest} to ${head.height}`, this.state.config.failover.retryMs);
    return true;
  }

  /** Ends what has lasted long enough and finds who is behind; returns the links that have just lost their machines by it. */
  tick(): Link[] {
    const { now, links } = this.state;
    for (const record of this.records.values()) {
      if (record.trouble === 'behind' ? !this.isBehind(record) : record.trouble !== undefined && now.monoMs >= record.untilMono) this.well(record);
    }
    const left: Link[] = [];
    for (const link of links.values()) {
      if (link.state !== 'live') continue;
      const record = this.of(link);
      if (record.trouble !== undefined || !this.isBehind(record)) continue;
      this.trouble(record, 'behind', `it works on height ${record.heads.at(-1)!.height} while another pool has moved on`, Number.POSITIVE_INFINITY);
      left.push(link);
    }
    return left;
  }

  /** Whether a well pool on the same chain has long been on a later block. */
  private isBehind({ pool, heads }: Standing): boolean {
    const own = heads.at(-1);
    if (own === undefined) return false;
    const { now, config, liveLinks } = this.state;
    for (const [key, other] of this.records) {
      if (other.pool === pool || other.trouble !== undefined || liveLinks.of(key).length === 0) continue;
      const next = laterHead(own, other.heads);
      if (next !== undefined && now.monoMs - Math.max(next.sinceMono, own.sinceMono) >= config.failover.behindMs) return true;
    }
    return false;
  }

  private trouble(record: Standing, trouble: Trouble, why: string, forMs: number): void {
    const { now, sink } = this.state;
    record.trouble = trouble;
    record.why = why;
    record.untilMono = now.monoMs + forMs;
    this.troubled += 1;
    sink.log('pool in trouble', { pool: record.pool, trouble, why });
  }

  private well(record: Standing): void {
    record.trouble = undefined;
    record.wellSinceMono = this.state.now.monoMs;
    this.troubled -= 1;
    this.state.sink.log('pool well again', { pool: record.pool, why: record.why });
  }
}

/** The first block of `heads` after `own`: known to follow it, or higher under the same target and so on the same chain. */
function laterHead<H extends JobHead>(own: JobHead, heads: readonly H[]): H | undefined {
  const at = heads.findLastIndex(({ prevhash }) => prevhash === own.prevhash);
  if (at >= 0) return heads[at + 1];
  if (own.height === 0) return undefined;
  return heads.find(({ height, nBits }) => nBits === own.nBits && height > own.height);
}
