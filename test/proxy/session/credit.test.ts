/** Credit cannot be gamed: a client that withholds shares and changes its difficulty by any means does not gain a hash. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import type { ShareFact } from '../../../proxy/session/facts.ts';
import { lowestPrefix } from '../../../proxy/session/prefixes.ts';
import type { Run } from '../../../proxy/session/run.ts';
import type { Session } from '../../../proxy/session/session.ts';
import { Search, type Found } from '../../rig/search.ts';
import type { RigJob } from '../../rig/work.ts';
import { hashNumber, sha256d } from '../../rig/work.ts';
import { exponentTarget } from '../../../proxy/mining/difficulty.ts';
import { exponentIn, find, Fixture, jobIn, submitParams, yamlOf } from '../../simulation/fixture.ts';

const EASIEST = -28;
/** Expected hashes per share of 2^k are 2^(32 + k), but for 0.0015 %. */
const worthOf = (exponent: number): number => 2 ** (32 + exponent);

interface Known {
  readonly job: RigJob;
  readonly exponent: number;
}

/** Finds headers at the easiest difficulty, keeps them, and hands each in under whichever job pays most for it, or again later. */
class Schemer {
  readonly fixture = new Fixture(yamlOf());
  readonly random;
  session: Session;
  hashes = 0;
  private sessionId = '';
  private known: Known[] = [];
  private exponent = 0;
  private readonly kept: Found[] = [];
  private counter = 0n;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.fixture.live('a', '0.001');
    this.session = this.enter();
  }

  private enter(): Session {
    const session = this.fixture.connect();
    const [, notify] = (this.fixture.subscribe(session, this.sessionId).result as string[][][])[0]!;
    this.sessionId = String(notify?.[1]);
    this.fixture.authorize(session);
    this.session = session;
    this.listen();
    return session;
  }

  private listen(): void {
    for (const said of this.fixture.heard(this.session)) {
      if (said.method === 'mining.set_difficulty') this.exponent = Math.log2(Number(said.params?.[0]));
      if (said.method === 'mining.notify') this.known.push({ job: jobIn([said]), exponent: this.exponent });
    }
  }

  /** Searches the oldest work it knows, with ntime rolled far ahead so that later jobs of that work take it too. */
  private search(hashes: number): void {
    const { job } = this.known[Math.floor(this.random.fraction() * this.known.length)]!;
    const ahead = { ...job, ntime: job.ntime + 300 + Math.floor(this.random.fraction() * 300) };
    const { session } = this;
    const space = { job: ahead, extranonce1: Buffer.from(session.prefix), extranonce2Bytes: 4, versionMask: 0, target: exponentTarget(EASIEST) };
    this.counter += 100_000n;
    this.hashes += new Search(space, this.counter).run(hashes, (found) => {
      this.kept.push(found);
      return true;
    });
  }

  /** Hands a header in under the known job that would pay most, if any takes it. */
  private sell(found: Found): void {
    const hash = hashNumber(sha256d(Buffer.from(found.headerHex, 'hex')));
    const root = found.headerHex.slice(72, 136);
    const offers = this.known
      .filter(({ exponent }) => hash <= exponentTarget(exponent))
      .filter(({ job }) => this.rootOf(job, found) === root && job.ntime <= found.ntime)
      .toSorted((a, b) => b.exponent - a.exponent);
    for (const { job } of offers) {
      this.fixture.send(this.session, { id: 5, method: 'mining.submit', params: submitParams({ ...found, jobId: job.id }) });
    }
  }

  private rootOf(job: RigJob, found: Found): string {
    const space = { job, extranonce1: Buffer.from(this.session.prefix), extranonce2Bytes: 4, versionMask: 0, target: 0n };
    return new Search(space).elsewhere(found).headerHex.slice(72, 136);
  }

  private scheme(): void {
    const { fixture, session, random } = this;
    const wish = 2 ** (EASIEST + Math.floor(random.fraction() * 8));
    const choice = Math.floor(random.fraction() * 6);
    if (choice === 0) fixture.send(session, { id: 1, method: 'mining.suggest_difficulty', params: [wish] });
    if (choice === 1) fixture.send(session, { id: 1, method: 'mining.configure', params: [['minimum-difficulty'], { 'minimum-difficulty.value': wish }] });
    if (choice === 2) {
      fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
      this.enter();
    }
    if (choice === 3) this.enter();
    if (choice === 4) fixture.send(session, { id: 1, method: 'mining.subscribe', params: [] });
    if (random.fraction() < 0.15) {
      fixture.job(fixture.link('a'));
      this.known = this.known.slice(-4);
    }
  }

  play(rounds: number): void {
    const { fixture, random } = this;
    for (let round = 0; round < rounds; round += 1) {
      this.scheme();
      this.search(1500);
      fixture.wait(random.fraction() < 0.3 ? 26_000 : 2000);
      this.listen();
      // What would pay much now is sold; the rest waits for better offers, but not for ever.
      for (const found of this.kept.splice(0, Math.floor(random.fraction() * this.kept.length))) this.sell(found);
    }
    this.listen();
    for (const found of this.kept) this.sell(found);
    fixture.commit();
  }

  get credit(): { hashes: number; variance: number; exponents: number } {
    const shares = this.fixture.recorder.of('share').filter(({ verdict }) => verdict === 'accepted');
    const hashes = shares.reduce((sum, { exponent }: ShareFact) => sum + worthOf(exponent), 0);
    const variance = shares.reduce((sum, { exponent }) => sum + worthOf(exponent) ** 2, 0);
    return { hashes, variance, exponents: new Set(shares.map(({ exponent }) => exponent)).size };
  }
}

describe('a client that withholds and picks its difficulty', () => {
  it.each([1, 2, 3])('is credited no more than it has worked (seed %i)', (seed) => {
    const schemer = new Schemer(seed);
    schemer.play(150);
    const { hashes, variance, exponents } = schemer.credit;
    expect(exponents).toBeGreaterThan(2);
    expect(hashes).toBeGreaterThan(0);
    expect(hashes).toBeLessThan(schemer.hashes + 4 * Math.sqrt(variance));
  });

  it('gets a refresh of a work at the k it had, whatever it asks for meanwhile', () => {
    const fixture = new Fixture();
    fixture.live('a', '0.001');
    const { session, heard } = fixture.miner();
    expect(exponentIn(heard)).toBe(-24);
    fixture.send(session, { id: 1, method: 'mining.suggest_difficulty', params: [2 ** -20] });
    fixture.heard(session);
    fixture.wait(26_000);
    const refreshed = fixture.heard(session);
    expect(jobIn(refreshed).ntime).toBeGreaterThan(jobIn(heard).ntime);
    expect(exponentIn(refreshed)).toBeUndefined();
    fixture.job(fixture.link('a'));
    expect(exponentIn(fixture.heard(session))).toBeGreaterThan(-24);
  });

  it.each([
    ['its own run', undefined],
    ['another run', { bootTag: 'b002', sessionKey: '', prefixes: { 4: { first: lowestPrefix(4) + 5000, count: 1000 } } }],
  ])('does not get a prefix back without its jobs while their work lasts, be it of %s', (_what, run: Run | undefined) => {
    const origin = new Fixture();
    origin.live('a', '0.001');
    const { session: elsewhere } = origin.miner();
    const fixture = new Fixture(yamlOf(), new Map(), undefined, run);
    const link = fixture.live('a', '0.001');
    const first = fixture.connect();
    fixture.subscribe(first, elsewhere.sessionId);
    fixture.authorize(first);
    expect([first.sessionId, first.prefix]).toEqual([elsewhere.sessionId, elsewhere.prefix]);
    fixture.farm.disconnected(first, 'closed by the machine', fixture.now);
    // Resumption has lapsed, and the pool's one job is refreshed all the while.
    fixture.wait(1_200_000);
    const comesBack = (): Session => {
      const session = fixture.connect();
      fixture.subscribe(session, elsewhere.sessionId);
      fixture.authorize(session, 'acme.r1', 'x,md=0.0000009');
      return session;
    };
    const second = comesBack();
    expect([second.state, second.exponent! > first.exponent!]).toEqual(['mining', true]);
    expect(second.prefix).not.toEqual(first.prefix);
    fixture.job(link, { prevhash: fixture.prevhash() });
    fixture.wait(95_000);
    expect(comesBack().prefix).toEqual(first.prefix);
  });

  it('does not get the prefix of another of its kind where prefixes are few and one work lasts long', () => {
    const fixture = new Fixture(yamlOf('timeouts: { idle: 24h }'));
    const link = fixture.live('a', '0.001', 4);
    const sessions = Array.from({ length: 255 }, () => fixture.miner().session);
    const [withheld] = sessions;
    expect(withheld!.prefix).toHaveLength(1);
    fixture.farm.disconnected(withheld!, 'closed by the machine', fixture.now);
    fixture.wait(1_200_000);
    // On another plane, and so on another link: the same bytes there are other headers.
    expect(fixture.miner().session.plane).toBe(1);
    fixture.job(link, { prevhash: fixture.prevhash() });
    fixture.wait(95_000);
    expect(fixture.miner().session).toMatchObject({ prefix: withheld!.prefix, plane: 0 });
  });

  it.each([true, false])('is told true and credited nothing for a share that meets only its newer, lower k (journal works: %s)', (works) => {
    const fixture = new Fixture();
    fixture.live('a', '0.001');
    const { session, heard } = fixture.miner('acme.r1', 'x,md=0.0000009');
    const high = exponentIn(heard)!;
    const old = jobIn(heard);
    fixture.send(session, { id: 1, method: 'mining.configure', params: [['minimum-difficulty'], { 'minimum-difficulty.value': 2 ** -27 }] });
    fixture.job(fixture.link('a'));
    const low = exponentIn(fixture.heard(session))!;
    expect(low).toBeLessThan(high);
    const between = find(session, old, low, 40).find(({ headerHex }) => hashNumber(sha256d(Buffer.from(headerHex, 'hex'))) > exponentTarget(high))!;
    fixture.send(session, { id: 2, method: 'mining.submit', params: submitParams(between) });
    if (works) fixture.commit();
    else fixture.recorder.fail(fixture.farm, fixture.now);
    expect(fixture.heard(session)).toMatchObject([{ id: 2, result: true }]);
    expect(fixture.recorder.of('share')).toMatchObject([{ verdict: 'courtesy', exponent: high }]);
    fixture.wait(2000);
    // What was answered and not written down is admitted, though it would have earned nothing.
    expect(fixture.recorder.of('unjournaled')).toMatchObject(works ? [] : [{ verdict: 'courtesy', exponent: high, count: 1 }]);
  });
});
