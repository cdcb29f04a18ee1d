/** A farm driven line by line, with no latency and no machines of its own: for tests that say exactly what happens. */
import { parseDownstream } from '../../proxy/protocol/downstream.ts';
import { parseUpstream } from '../../proxy/protocol/upstream.ts';
import { seededRandom } from '../../config/world.ts';
import { Farm } from '../../proxy/session/farm.ts';
import type { Link } from '../../proxy/session/link.ts';
import type { RunsElsewhere } from '../../proxy/session/repeats.ts';
import { onlyRun, type Run } from '../../proxy/session/run.ts';
import type { Session } from '../../proxy/session/session.ts';
import type { Learnt, Now } from '../../proxy/session/sink.ts';
import type { SplitMemory } from '../../proxy/session/splits.ts';
import { makeJob, makePrevhash } from '../rig/pool-jobs.ts';
import { Search, type Found } from '../rig/search.ts';
import { hex8, notifyParams, readNotify, type RigJob } from '../rig/work.ts';
import { exponentTarget } from '../../proxy/mining/difficulty.ts';
import { Recorder } from './recorder.ts';
import { configOf } from './sim-farm.ts';

const START_WALL_MS = 1_760_000_000_000;

export interface Said {
  readonly id: number | string | null;
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly result?: unknown;
  readonly error?: readonly unknown[] | null;
}

/** Minimal configuration; `more` is appended. */
export function yamlOf(more = '', routes = 'routes: [ { lessee: acme, pools: [ a, b ] } ]'): string {
  return `
data: /nowhere
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { a: { url: "stratum+tcp://pool.a.example:3333", user: farm }, b: { url: "stratum+tcp://pool.b.example:3333", user: farm } }
${routes}
difficulty: { start: "2^-24", min: "2^-30", max: "2^10", sharesPerMinute: 6 }
${more}`;
}

export class Fixture {
  readonly recorder = new Recorder();
  readonly farm: Farm;
  monoMs = 0;
  readonly closed: string[] = [];
  readonly hungUp: Link[] = [];
  private readonly said = new Map<Session, Said[]>();
  private readonly upstream = new Map<Link, Said[]>();
  readonly links: Link[] = [];
  private readonly random = seededRandom(7);
  private port = 1;

  constructor(yaml = yamlOf(), learnt: ReadonlyMap<string, Learnt> = new Map(), splits?: ReadonlyMap<string, SplitMemory>, run: Run = onlyRun('b001'), elsewhere?: RunsElsewhere) {
    this.recorder.peers = {
      toMachine: (session, line) => this.push(this.said, session, line),
      closed: (_session, reason) => this.closed.push(reason),
      dialled: (link) => this.links.push(link),
      toPool: (link, line) => this.push(this.upstream, link, line),
      hungUp: (link) => this.hungUp.push(link),
    };
    this.farm = new Farm({ config: configOf(yaml), random: seededRandom(1), sink: this.recorder, run, learnt, splits, elsewhere }, this.now);
    this.farm.start(this.now);
  }

  private push<K>(into: Map<K, Said[]>, key: K, line: string): void {
    const list = into.get(key) ?? [];
    list.push(JSON.parse(line) as Said);
    into.set(key, list);
  }

  get now(): Now {
    return { wallMs: START_WALL_MS + this.monoMs, monoMs: this.monoMs };
  }

  get nowS(): number {
    return Math.floor(this.now.wallMs / 1000);
  }

  /** Moves the clock with a tick each second; pools say something in between, unless told not to. */
  wait(ms: number, alive = true): void {
    for (const until = this.monoMs + ms; this.monoMs < until; ) {
      this.monoMs += 1000;
      if (alive) for (const link of this.links) if (link.state === 'live') this.fromPool(link, { id: null, method: 'client.show_message', params: [''] });
      this.farm.tick(this.now);
      this.commit();
    }
  }

  commit(): void {
    this.recorder.commit(this.farm, this.now);
  }

  // Machines

  connect(address = `10.0.0.9:${this.port++}`): Session {
    const session = this.farm.connected('north', address, this.now);
    if (session === undefined) throw new Error('the farm takes no more connections');
    return session;
  }

  /** A message of the machine; a text is sent as it is. */
  send(session: Session, message: unknown): void {
    const line = typeof message === 'string' ? message : JSON.stringify(message);
    this.farm.message(session, parseDownstream(line, 16), this.now);
  }

  /** What the machine has heard since the last call. */
  heard(session: Session): Said[] {
    const said = this.said.get(session) ?? [];
    this.said.set(session, []);
    return said;
  }

  subscribe(session: Session, ...params: unknown[]): Said {
    this.send(session, { id: 'sub', method: 'mining.subscribe', params: ['test/1', ...params] });
    return this.heard(session)[0]!;
  }

  authorize(session: Session, worker = 'acme.r1', password = 'x'): void {
    this.send(session, { id: 'auth', method: 'mining.authorize', params: [worker, password] });
  }

  /** A session that mines, and what it has heard since authorize was answered. */
  miner(worker = 'acme.r1', password = 'x'): { session: Session; heard: Said[] } {
    const session = this.connect();
    this.subscribe(session);
    this.authorize(session, worker, password);
    return { session, heard: this.heard(session).slice(1) };
  }

  // Pools

  fromPool(link: Link, message: unknown): void {
    const line = typeof message === 'string' ? message : JSON.stringify(message);
    this.farm.linkMessage(link, parseUpstream(line), this.now);
  }

  /** What a pool has been sent since the last call. */
  submitted(link: Link): Said[] {
    const said = (this.upstream.get(link) ?? []).filter(({ method }) => method === 'mining.submit');
    this.upstream.set(link, []);
    return said;
  }

  sentTo(link: Link): Said[] {
    const said = this.upstream.get(link) ?? [];
    this.upstream.set(link, []);
    return said;
  }

  /** The newest link of a pool. */
  link(pool: string): Link {
    const link = this.links.findLast((one) => one.pool === pool);
    if (link === undefined) throw new Error(`no link to ${pool} yet`);
    return link;
  }

  /** Takes a pool's link to the state before its first job. */
  authorise(pool: string, extranonce2Bytes = 8, mask = '1fffe000'): Link {
    const link = this.link(pool);
    this.farm.linkOpened(link, this.now);
    this.fromPool(link, { id: 1, result: { 'version-rolling': true, 'version-rolling.mask': mask }, error: null });
    this.fromPool(link, { id: 2, result: [[], '0a0b0c0d', extranonce2Bytes], error: null });
    this.fromPool(link, { id: 3, result: true, error: null });
    return link;
  }

  /** Makes a pool live with a job at a difficulty. */
  live(pool: string, difficulty = EASY, extranonce2Bytes = 8): Link {
    const link = this.authorise(pool, extranonce2Bytes);
    this.difficulty(link, difficulty);
    this.job(link);
    return link;
  }

  difficulty(link: Link, text: string): void {
    this.fromPool(link, `{"id":null,"method":"mining.set_difficulty","params":[${text}]}`);
  }

  /** The pool changes its extranonce and sends new work with it. */
  setExtranonce(link: Link, extranonce1: string, extranonce2Bytes: number): void {
    this.fromPool(link, { id: null, method: 'mining.set_extranonce', params: [extranonce1, extranonce2Bytes] });
    this.job(link, {}, 0x1d00ffff, extranonce1.length / 2 + extranonce2Bytes);
  }

  /** New work from a pool; on the same block as ever unless `options` has another `prevhash`. */
  job(link: Link, options: Partial<RigJob> = {}, nBits = 0x1d00ffff, extranonceBytes = link.extranonce1.length + link.extranonce2Bytes): RigJob {
    const shape = { coinbaseBytes: 200, branchCount: 1, extranonceBytes, height: 800_000, coinbaseSats: 312_500_000n, version: 0x20000000, nBits };
    const job = { ...makeJob(shape, `j${this.random.u32()}`, options.prevhash ?? BLOCK, this.nowS, false, this.random), ...options };
    this.fromPool(link, { id: null, method: 'mining.notify', params: notifyParams(job) });
    return job;
  }

  /** New work of a pool on another block, for the block of this height. */
  jobAt(link: Link, height: number): RigJob {
    const shape = { coinbaseBytes: 200, branchCount: 1, extranonceBytes: link.extranonce1.length + link.extranonce2Bytes, height, coinbaseSats: 312_500_000n, version: 0x20000000, nBits: 0x1d00ffff };
    const job = makeJob(shape, `j${this.random.u32()}`, this.prevhash(), this.nowS, true, this.random);
    this.fromPool(link, { id: null, method: 'mining.notify', params: notifyParams(job) });
    return job;
  }

  prevhash(): Buffer {
    return makePrevhash(this.random);
  }

  kill(pool: string): void {
    this.farm.linkClosed(this.link(pool), 'connection reset', this.now);
  }
}

/** 2^-24, the difficulty that machines of these tests start with. */
export const EASY = '0.000000059604644775390625';
const BLOCK = makePrevhash(seededRandom(99));

/** The last job among what a machine heard. */
export function jobIn(heard: readonly Said[]): RigJob {
  const notify = heard.findLast(({ method }) => method === 'mining.notify');
  if (notify?.params === undefined) throw new Error('the machine heard no job');
  return readNotify(notify.params);
}

/** k of the last set_difficulty a machine heard. */
export function exponentIn(heard: readonly Said[]): number | undefined {
  const told = heard.findLast(({ method }) => method === 'mining.set_difficulty');
  return told === undefined ? undefined : Math.log2(Number(told.params?.[0]));
}

/** Finds shares of 2^exponent for a session's job by real search, from extranonce2 `counter` on. */
export function find(session: Session, job: RigJob, exponent: number, count = 1, counter = 0n): Found[] {
  const search = new Search(
    { job, extranonce1: Buffer.from(session.prefix), extranonce2Bytes: session.extranonce2Bytes, versionMask: 0, target: exponentTarget(exponent) },
    counter,
  );
  const found: Found[] = [];
  while (found.length < count) {
    search.run(1_000_000, (share) => {
      found.push(share);
      return found.length < count;
    });
  }
  return found;
}

/** Params of a submit. */
export function submitParams(found: Found, worker = 'acme.r1'): unknown[] {
  return [worker, found.jobId, found.extranonce2, hex8(found.ntime), hex8(found.nonce)];
}

/** A mining session and a way to hand in shares of its job. */
export function mining(fixture: Fixture, count = 1): { session: Session; heard: Said[]; send: (index: number) => void } {
  const { session, heard } = fixture.miner();
  const found = find(session, jobIn(heard), exponentIn(heard) ?? 0, count);
  return { session, heard, send: (index) => fixture.send(session, { id: index, method: 'mining.submit', params: submitParams(found[index]!) }) };
}

/** A pool's answer to a submit. */
export function answer(fixture: Fixture, link: Link, submit: Said, error: unknown = null): void {
  fixture.fromPool(link, { id: submit.id, result: error === null ? true : null, error });
}

/** Finds and hands in one share of the job a session has; returns the reply. */
export function share(fixture: Fixture, session: Session, heard: readonly Said[], exponent = exponentIn(heard) ?? session.exponent ?? 0): Said | undefined {
  const [found] = find(session, jobIn(heard), exponent);
  fixture.send(session, { id: 'share', method: 'mining.submit', params: submitParams(found!, session.binds[0]?.worker) });
  fixture.commit();
  return fixture.heard(session).find(({ id }) => id === 'share');
}
