/** A small farm as facts: seeded, with true proof of work at a tiny difficulty, so that journals of it can be folded and audited. */
import { JournalWriter } from '../../accounting/journal/writer.ts';
import { seededRandom, type Random, type World } from '../../config/world.ts';
import { exponentTarget, hashToNumber } from '../../proxy/mining/difficulty.ts';
import type { Job } from '../../proxy/mining/job.ts';
import { referenceHeader } from '../../proxy/mining/reference.ts';
import type { BindFact, Fact, JobFact, LeaseTermsFact, LinkFact, SessionFact, ShareFact } from '../../proxy/session/facts.ts';

/** 2026-01-01T00:59:30Z: half a minute before an hour ends. */
export const START_MS = 1_767_229_170_000;

/** A world whose clocks move only by `advance`, except that each look at the monotonic one takes a microsecond. */
export interface ManualWorld extends World {
  advance(ms: number): void;
}

export function manualWorld(seed: number): ManualWorld {
  let ms = 0;
  let looks = 0;
  return {
    wallMs: () => START_MS + Math.floor(ms),
    monoMs: () => ms + (looks += 1) / 1000,
    random: seededRandom(seed),
    after: () => ({ cancel: () => undefined }),
    every: () => ({ cancel: () => undefined }),
    advance: (by) => {
      ms += by;
    },
  };
}

interface LiveSession {
  readonly fact: SessionFact;
  readonly binds: BindFact[];
  exponent: number;
}

const WORKERS = ['acme.1', 'acme.2', 'bolt.1', 'bolt.2', 'ünï.☃', 'two words'];
const SITES = ['north', 'south'];
const REJECTS = ['stale', 'duplicate', 'low-difficulty'] as const;

/** A leaseback that begins within a minute, and a hosting contract over a site; their days are of zones with half hours too. */
const LEASES: readonly LeaseTermsFact[] = [
  {
    type: 'lease-terms', lease: 'acme-lb', kind: 'leaseback', digest: '00', terms: '{}', workers: ['acme.*'], sites: [], from: [], timezone: 'America/Chicago',
    fromMs: START_MS + 20_345, toMs: START_MS + 86_400_000, atMs: START_MS,
  },
  {
    type: 'lease-terms', lease: 'north-host', kind: 'hosting', digest: '01', terms: '{}', workers: [], sites: ['north'], from: ['10.0.0.0/24'], timezone: 'Asia/Kolkata',
    fromMs: 0, toMs: START_MS + 86_400_000, atMs: START_MS,
  },
];

/** Makes facts in order; `live` gives what a new segment repeats. */
class FactFarm {
  readonly #random: Random;
  /** Every version of every lease: verdicts on shares from before a change are still to come. */
  readonly #terms: LeaseTermsFact[] = [];
  readonly #links: LinkFact[] = [];
  readonly #jobs: JobFact[] = [];
  readonly #sessions = new Map<number, LiveSession>();
  readonly #ended: Fact[] = [];
  readonly #pending: ShareFact[] = [];
  #numbers = { link: 0, job: 0, session: 0, bind: 0, share: 0 };
  #atMs: number;
  #pulseMs: number;

  constructor(seed: number, startMs = START_MS) {
    this.#random = seededRandom(seed);
    this.#atMs = startMs;
    this.#pulseMs = startMs;
  }

  get atMs(): number {
    return this.#atMs;
  }

  live(): Fact[] {
    const sessions = [...this.#sessions.values()].flatMap(({ fact, binds, exponent }): Fact[] => [
      fact, ...binds, { type: 'difficulty', session: fact.session, exponent, atMs: this.#atMs },
    ]);
    return [...this.#terms, ...this.#links, ...this.#jobs, ...this.#ended, ...sessions];
  }

  /** About `count` facts, all that a farm says. */
  *facts(count: number): Generator<Fact> {
    for (const terms of LEASES) yield this.#leaseTerms({ ...terms, atMs: this.#atMs });
    yield this.#link('main');
    yield this.#link('backup');
    yield this.#job();
    yield* this.#session();
    for (let made = 0; made < count; made += 1) yield* this.#next();
  }

  *#next(): Generator<Fact> {
    this.#atMs += this.#random.u32() % 120;
    if (this.#atMs - this.#pulseMs >= 1000) yield this.#pulse();
    const draw = this.#random.u32() % 100;
    if (draw < 2) yield this.#job();
    else if (draw < 4) yield this.#refresh();
    else if (draw < 7) yield* this.#session();
    else if (draw < 8) yield* this.#endSession();
    else if (draw < 10) yield* this.#difficulty();
    else if (draw < 12) yield this.#rejects();
    else if (draw < 13) yield { type: 'unjournaled', site: 'north', lessee: 'acme', leases: 'acme-lb,north-host', verdict: 'accepted', exponent: -32, count: 3, fromMs: this.#atMs - 40, atMs: this.#atMs };
    else if (draw < 14) yield this.#leaseTerms({ ...this.#pick(LEASES), workers: this.#pick([['acme.*'], ['acme.1', 'two words'], ['*']]), atMs: this.#atMs });
    else if (draw < 30) yield* this.#verdict();
    else yield this.#share();
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[this.#random.u32() % from.length];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }

  #leaseTerms(fact: LeaseTermsFact): Fact {
    this.#terms.push(fact);
    return fact;
  }

  #link(pool: string): Fact {
    this.#numbers.link += 1;
    const fact: LinkFact = {
      type: 'link', link: this.#numbers.link, pool, url: `stratum+tcp://${pool}:3333`, user: 'u', extranonce1: this.#random.bytes(4), extranonce2Bytes: 8, atMs: this.#atMs,
    };
    this.#links.push(fact);
    return fact;
  }

  #job(): Fact {
    const link = this.#pick(this.#links);
    this.#numbers.job += 1;
    const content: Job = {
      prevhash: this.#random.bytes(32), coinb1: Buffer.concat([this.#random.bytes(40), link.extranonce1]), coinb2: this.#random.bytes(60),
      branches: this.#random.bytes(64), version: 0x20000000, nBits: 0x1d00ffff, ntime: Math.floor(this.#atMs / 1000), versionMask: 0x1fffe000,
    };
    const fact: JobFact = {
      type: 'job', job: this.#numbers.job, link: link.link, poolJobId: 'j', clean: true, content, paddingBytes: 0,
      difficulty: this.#pick(['0.001', '1e-3', '2']), coinbaseSats: this.#pick([312_500_000n, 313_000_001n]), height: 900_000, atMs: this.#atMs,
    };
    this.#jobs.push(fact);
    return fact;
  }

  #refresh(): Fact {
    const of = this.#pick(this.#jobs.filter(({ poolJobId }) => poolJobId === 'j'));
    this.#numbers.job += 1;
    const ntime = Math.max(of.content.ntime, Math.floor(this.#atMs / 1000));
    // A head repeats it as a job of its own.
    this.#jobs.push({ ...of, job: this.#numbers.job, poolJobId: 'refresh', content: { ...of.content, ntime } });
    return { type: 'refresh', job: this.#numbers.job, of: of.job, ntime, difficulty: of.difficulty, versionMask: of.content.versionMask, atMs: this.#atMs };
  }

  *#session(): Generator<Fact> {
    this.#numbers.session += 1;
    const fact: SessionFact = {
      type: 'session', session: this.#numbers.session, sessionId: Buffer.from(this.#random.bytes(16)).toString('hex'), site: this.#pick(SITES),
      address: '10.0.0.1:1', prefix: this.#random.bytes(4), extranonce2Bytes: 4, userAgent: 'test', atMs: this.#atMs,
    };
    const session: LiveSession = { fact, binds: [], exponent: -32 };
    this.#sessions.set(fact.session, session);
    yield fact;
    for (let names = 1 + (this.#random.u32() % 2); names > 0; names -= 1) {
      this.#numbers.bind += 1;
      const worker = this.#pick(WORKERS);
      const bind: BindFact = { type: 'bind', bind: this.#numbers.bind, session: fact.session, worker, lessee: worker.split('.')[0] ?? '', atMs: this.#atMs };
      session.binds.push(bind);
      yield bind;
    }
    yield { type: 'difficulty', session: fact.session, exponent: -32, atMs: this.#atMs };
  }

  *#endSession(): Generator<Fact> {
    if (this.#sessions.size < 2) return;
    const { fact, binds } = this.#pick([...this.#sessions.values()]);
    this.#sessions.delete(fact.session);
    const end: Fact = { type: 'session-end', session: fact.session, reason: 'closed', atMs: this.#atMs };
    this.#ended.push(fact, ...binds, end);
    yield end;
  }

  *#difficulty(): Generator<Fact> {
    const session = this.#pick([...this.#sessions.values()]);
    session.exponent = session.exponent === -32 ? -31 : -32;
    yield { type: 'difficulty', session: session.fact.session, exponent: session.exponent, atMs: this.#atMs };
  }

  #rejects(): Fact {
    const { fact, binds } = this.#pick([...this.#sessions.values()]);
    const bind = this.#random.u32() % 2 === 0 ? 0 : (binds[0]?.bind ?? 0);
    return { type: 'rejects', session: fact.session, bind, verdict: bind === 0 ? 'unauthorised' : 'stale', count: 1 + (this.#random.u32() % 50), atMs: this.#atMs };
  }

  #share(): Fact {
    const { fact, binds, exponent } = this.#pick([...this.#sessions.values()]);
    const job = this.#pick(this.#jobs);
    const good = this.#random.u32() % 8 !== 0;
    this.#numbers.share += 1;
    const ntime = job.content.ntime + (this.#random.u32() % 60);
    const version = (job.content.version ^ (this.#random.u32() & job.content.versionMask)) >>> 0;
    const extranonce2 = this.#random.bytes(4);
    let nonce = this.#random.u32();
    const target = exponentTarget(exponent);
    for (;;) {
      const { hash } = referenceHeader(job.content, Buffer.concat([fact.prefix, extranonce2]), ntime, nonce, version);
      if (hashToNumber(hash) <= target) break;
      nonce = (nonce + 1) >>> 0;
    }
    const share: ShareFact = {
      type: 'share', share: this.#numbers.share, bind: this.#pick(binds).bind, job: job.job, exponent, block: false, extranonce2, ntime, nonce, version,
      verdict: good ? this.#pick(['accepted', 'accepted', 'accepted', 'courtesy']) : this.#pick(REJECTS),
      forwarding: good ? this.#pick(['below-target', 'forwarded', 'no-link', 'capped']) : 'below-target', atMs: this.#atMs,
    };
    if (share.forwarding === 'forwarded') this.#pending.push(share);
    return share;
  }

  *#verdict(): Generator<Fact> {
    const share = this.#pending.shift();
    if (share === undefined) return;
    const job = this.#jobs.find((each) => each.job === share.job);
    const verdict = this.#pick(['accepted', 'accepted', 'rejected', 'unanswered'] as const);
    yield {
      type: 'pool-verdict', share: share.share, bind: share.bind, job: share.job, link: job?.link ?? 0, shareAtMs: share.atMs,
      difficulty: job?.difficulty ?? '1', verdict, reason: verdict === 'rejected' ? 'stale' : 'none', code: verdict === 'rejected' ? '21' : '',
      text: verdict === 'rejected' ? 'Job not found' : '', reply: undefined, atMs: this.#atMs,
    };
  }

  #pulse(): Fact {
    const observedMs = this.#atMs - this.#pulseMs;
    this.#pulseMs = this.#atMs;
    return { type: 'pulse', observedMs, sessions: this.#sessions.size, atMs: this.#atMs };
  }
}

export interface JournalOptions {
  readonly directory: string;
  readonly seed: number;
  readonly facts: readonly Fact[];
  /** What a head repeats before fact number `next`. */
  readonly liveAt: (next: number) => readonly Fact[];
  readonly segmentBytes: number;
  /** Facts per group commit. */
  readonly commitFacts: number;
  /** Called after each commit. */
  readonly onCommit?: () => void;
}

/** Writes facts with the true writer; returns the process's uuid. The last segment is left unsealed. */
export async function writeJournal(options: JournalOptions): Promise<string> {
  const world = manualWorld(options.seed);
  const process = world.random.uuid();
  let next = 0;
  let durable = (): void => undefined;
  const writer = await JournalWriter.open({
    directory: options.directory, world, durability: 'os', segmentBytes: options.segmentBytes, process, host: 'test',
    live: () => options.liveAt(next), onDurable: () => durable(), onUnjournaled: () => undefined, onProblem: () => undefined,
  });
  while (next < options.facts.length) {
    const committed = new Promise<void>((resolve) => {
      durable = resolve;
    });
    for (const fact of options.facts.slice(next, next + options.commitFacts)) writer.append(fact);
    next = Math.min(options.facts.length, next + options.commitFacts);
    await committed;
    const lastMs = options.facts[next - 1]?.atMs ?? 0;
    world.advance(Math.max(1, lastMs - world.wallMs()));
    options.onCommit?.();
  }
  await writer.close();
  return process;
}

/** The facts of a farm, and what is live before each of them. */
export function recordFarm(seed: number, count: number, startMs = START_MS): { facts: Fact[]; liveAt: (next: number) => readonly Fact[] } {
  const farm = new FactFarm(seed, startMs);
  const facts: Fact[] = [];
  const lives: (readonly Fact[])[] = [[]];
  for (const fact of farm.facts(count)) {
    facts.push(fact);
    lives.push(farm.live());
  }
  return { facts, liveAt: (next) => lives[Math.min(next, lives.length - 1)] ?? [] };
}
