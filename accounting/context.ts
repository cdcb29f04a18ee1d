/** What the facts of one segment say that later facts refer to: sessions, binds, links and jobs. */
import { LeaseBook, type LeaseStretch } from '../proxy/session/leases.ts';
import type { BindFact, Fact, JobFact, LeaseTermsFact, LinkFact, RefreshFact } from '../proxy/session/facts.ts';
import { powerOfTwo, rationalOf, shareWorth } from './worth.ts';

/** The part of a segment's header that the fold uses. */
export interface SegmentIdentity {
  /** The segment's uuid. */
  readonly segment: string;
  /** The writer's uuid. */
  readonly process: string;
  readonly createdMs: number;
}

/** Whose share it is. `group` and `worker` are unambiguous as parts of a row's key. */
export interface BindContext {
  readonly site: string;
  readonly lessee: string;
  readonly worker: string;
  readonly address: string;
  readonly group: string;
}

/** What a share was found for, as far as the ledger values it. */
export interface JobContext {
  readonly pool: string;
  readonly link: string;
  readonly nbits: number;
  readonly sats: number;
  /** Unambiguous as part of a row's key. */
  readonly key: string;
  readonly poolKey: string;
  /** Worth of one share of 2^k, in units of 10^-18 satoshi. */
  worth(exponent: number): bigint;
  /** Worth of one share of the difficulty that a pool wrote as `text`. */
  creditedWorth(text: string): bigint;
}

/** SQLite's driver ends a text at its first NUL, so U+2400 stands for it; everything else is kept as it is. */
export function tidy(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\u2400') : text;
}

function bindContext(site: string, lessee: string, worker: string, address: string): BindContext {
  return { site, lessee, worker, address, group: `${site.length} ${site} ${lessee.length} ${lessee}` };
}

/** No more satoshi than can exist: a coinbase that claims more has no value we could state. */
const SATS_MAX = 21_000_000n * 100_000_000n;

class JobWorth implements JobContext {
  readonly pool: string;
  readonly link: string;
  readonly nbits: number;
  readonly sats: number;
  readonly key: string;
  readonly poolKey: string;
  readonly #byExponent = new Map<number, bigint>();
  readonly #byText = new Map<string, bigint>();

  constructor(pool: string, link: string, nbits: number, coinbaseSats: bigint) {
    this.pool = pool;
    this.link = link;
    this.nbits = nbits;
    this.sats = coinbaseSats > 0n && coinbaseSats <= SATS_MAX ? Number(coinbaseSats) : 0;
    this.poolKey = `${pool.length} ${pool}`;
    this.key = `${this.poolKey} ${link} ${nbits} ${this.sats}`;
  }

  worth(exponent: number): bigint {
    let worth = this.#byExponent.get(exponent);
    if (worth === undefined) {
      worth = shareWorth(powerOfTwo(exponent), this.nbits, this.sats);
      this.#byExponent.set(exponent, worth);
    }
    return worth;
  }

  creditedWorth(text: string): bigint {
    let worth = this.#byText.get(text);
    if (worth === undefined) {
      worth = shareWorth(rationalOf(text), this.nbits, this.sats);
      this.#byText.set(text, worth);
    }
    return worth;
  }
}

export const NO_BIND = bindContext('', '', '', '');
const UNCLAIMED: LeaseStretch = { leases: '', key: '', claims: [], fromMs: -Infinity, toMs: Infinity };
export const NO_JOB: JobContext = new JobWorth('', '', 0, 0n);

export class Context {
  readonly binds = new Map<number, BindContext>();
  readonly jobs = new Map<number, JobContext>();
  readonly #process: string;
  readonly #links = new Map<number, { readonly pool: string; readonly text: string }>();
  readonly #leases = new LeaseBook();
  #stretches = new Map<BindContext, LeaseStretch>();
  readonly #sessions = new Map<number, { readonly nameless: BindContext; readonly binds: Map<number, BindContext> }>();

  constructor(segment: SegmentIdentity) {
    this.#process = segment.process.slice(0, 8);
  }

  /** Any fact; those that nothing refers to are ignored. */
  learn(fact: Fact): void {
    if (fact.type === 'link') this.#link(fact);
    else if (fact.type === 'job') this.#job(fact);
    else if (fact.type === 'refresh') this.#refresh(fact);
    else if (fact.type === 'lease-terms') this.#terms(fact);
    else if (fact.type === 'session' && !this.#sessions.has(fact.session)) {
      this.#sessions.set(fact.session, { nameless: bindContext(tidy(fact.site), '', '', fact.address), binds: new Map() });
    }
  }

  /** The bind's context; a repeated fact gives the one it had. */
  bind(fact: BindFact): BindContext {
    const known = this.binds.get(fact.bind);
    if (known !== undefined) return known;
    const session = this.#sessions.get(fact.session);
    const bind = bindContext(session?.nameless.site ?? '', tidy(fact.lessee), tidy(fact.worker), session?.nameless.address ?? '');
    this.binds.set(fact.bind, bind);
    session?.binds.set(fact.bind, bind);
    return bind;
  }

  /** Whose binds end with this session. They stay known: verdicts for them still arrive. */
  endSession(session: number): Iterable<BindContext> {
    return [...(this.#sessions.get(session)?.binds.values() ?? [])];
  }

  /** Other binds of a name on its session, before and after this one: a name that goes to another lessee is bound anew. */
  others(fact: BindFact): { readonly earlier: readonly BindContext[]; readonly isLatest: boolean } {
    const worker = tidy(fact.worker);
    const others = [...(this.#sessions.get(fact.session)?.binds ?? [])].filter(([number, bind]) => number !== fact.bind && bind.worker === worker);
    return { earlier: others.flatMap(([number, bind]) => (number < fact.bind ? [bind] : [])), isLatest: others.every(([number]) => number < fact.bind) };
  }

  /** The leases that a share of this bind belongs to, by the terms journaled so far. */
  leases(bind: BindContext, atMs: number): LeaseStretch {
    const known = this.#stretches.get(bind);
    if (known !== undefined && known.fromMs <= atMs && atMs < known.toMs) return known;
    const found = bind === NO_BIND ? UNCLAIMED : this.#leases.inForce(bind.worker, bind.site, bind.address, atMs);
    this.#stretches.set(bind, found);
    return found;
  }

  /** For counts of a session that has named nobody: its site alone. */
  nameless(session: number): BindContext {
    return this.#sessions.get(session)?.nameless ?? NO_BIND;
  }

  /** For pool verdicts whose job is unknown: at least the pool, worth nothing. */
  jobless(link: number): JobContext {
    const known = this.#links.get(link);
    return known === undefined ? NO_JOB : new JobWorth(known.pool, known.text, 0, 0n);
  }

  #terms(fact: LeaseTermsFact): void {
    this.#leases.apply(fact);
    this.#stretches = new Map();
  }

  #link(fact: LinkFact): void {
    this.#links.set(fact.link, { pool: tidy(fact.pool), text: `${this.#process}.${fact.link}` });
  }

  #job(fact: JobFact): void {
    const link = this.#links.get(fact.link);
    this.jobs.set(fact.job, new JobWorth(link?.pool ?? '', link?.text ?? `${this.#process}.${fact.link}`, fact.content.nBits, fact.coinbaseSats));
  }

  #refresh(fact: RefreshFact): void {
    const original = this.jobs.get(fact.of);
    if (original !== undefined) this.jobs.set(fact.job, original);
  }
}
