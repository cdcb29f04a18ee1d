/** How long work and its duplicate sets are kept: no longer than a share of it can be good, and never so that one counts twice. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import { JobBook, type NewJob } from '../../../proxy/session/book.ts';
import type { Session } from '../../../proxy/session/session.ts';
import { makePrevhash } from '../../rig/pool-jobs.ts';
import { Search, type Found } from '../../rig/search.ts';
import type { RigJob } from '../../rig/work.ts';
import { exponentIn, find, Fixture, jobIn, submitParams, type Said } from '../../simulation/fixture.ts';

const [BLOCK_A, BLOCK_B, BLOCK_C] = [1, 2, 3].map((seed) => makePrevhash(seededRandom(seed))) as [Buffer, Buffer, Buffer];
/** Until what is idle has been retired: two sweeps. */
const RETIRED_MS = 95_000;

/** A pool with one job on a block, and a machine that has handed in some shares of it. */
function worked(): { fixture: Fixture; session: Session; job: RigJob; work: RigJob; found: Found[]; submit: (share: Found, jobId?: string) => Said | undefined } {
  const fixture = new Fixture();
  const link = fixture.authorise('a');
  fixture.difficulty(link, '1');
  const work = fixture.job(link, { prevhash: BLOCK_A });
  const { session, heard } = fixture.miner();
  const job = jobIn(heard);
  const found = find(session, job, exponentIn(heard) ?? 0, 4);
  const submit = (share: Found, jobId = share.jobId): Said | undefined => {
    fixture.send(session, { id: 'share', method: 'mining.submit', params: submitParams({ ...share, jobId }) });
    fixture.commit();
    return fixture.heard(session).findLast(({ id }) => id === 'share');
  };
  for (const share of found.slice(0, 3)) expect(submit(share)).toMatchObject({ result: true });
  return { fixture, session, job, work, found, submit };
}

describe('duplicate sets', () => {
  it('go when a block is left behind, and late shares of it are stale whether they counted or not', () => {
    const { fixture, found, submit } = worked();
    const { book } = fixture.farm.state;
    fixture.wait(RETIRED_MS);
    expect(book.hashes).toBe(3);
    fixture.job(fixture.link('a'), { prevhash: BLOCK_B });
    fixture.wait(RETIRED_MS);
    expect(book.hashes).toBe(0);
    for (const share of found) expect(submit(share)).toMatchObject({ error: [21, 'Stale', null] });
    expect(fixture.recorder.of('share').filter(({ verdict }) => verdict === 'accepted')).toHaveLength(3);
  });

  it('stay for a job that was not ended, and for an ended one while anybody builds on its block', () => {
    const { fixture, work } = worked();
    const { book, counters } = fixture.farm.state;
    const link = fixture.link('a');
    const other = fixture.authorise('b');
    fixture.difficulty(other, '1');
    fixture.job(other, { prevhash: BLOCK_A });
    for (const options of [{ prevhash: BLOCK_A }, { prevhash: BLOCK_A, clean: true }, { prevhash: BLOCK_B }]) {
      fixture.job(link, options);
      fixture.wait(RETIRED_MS);
      expect(book.hashes).toBe(3);
    }
    fixture.job(link, { ...work, id: 'once more' });
    expect(counters.jobsRefused).toBe(0);
    for (const each of [link, other]) fixture.job(each, { prevhash: BLOCK_B });
    fixture.wait(RETIRED_MS);
    expect(book.hashes).toBe(0);
  });

  it('stay when a pool wavers between two blocks, and know what counted', () => {
    const { fixture, session, job, work, found, submit } = worked();
    const link = fixture.link('a');
    for (let times = 0; times < 4; times += 1) {
      fixture.job(link, { prevhash: BLOCK_B });
      fixture.wait(20_000);
      fixture.job(link, { ...work, id: `again ${times}` });
      fixture.wait(20_000);
    }
    const again = jobIn(fixture.heard(session));
    expect([again.coinb2, again.ntime > job.ntime]).toEqual([job.coinb2, true]);
    expect(submit(found[0]!, again.id)).toMatchObject({ error: [20, expect.stringContaining('time'), null] });
    const [later] = find(session, again, session.exponent!);
    expect(submit(later!)).toMatchObject({ result: true });
    expect(submit(later!)).toMatchObject({ error: [22, 'Duplicate', null] });
  });
});

describe('work that was retired', () => {
  it('is refused under whatever id the pool sends it again, and new work on its block is not', () => {
    const { fixture, session, work, found, submit } = worked();
    const link = fixture.link('a');
    fixture.job(link, { prevhash: BLOCK_B });
    fixture.wait(RETIRED_MS);
    fixture.heard(session);
    const { counters } = fixture.farm.state;
    for (const id of [work.id, 'another']) fixture.job(link, { ...work, id });
    fixture.job(link, { ...work, id: 'later', ntime: fixture.nowS });
    expect(counters.jobsRefused).toBe(3);
    expect(fixture.heard(session)).toEqual([]);
    fixture.job(link, { prevhash: BLOCK_A });
    const fresh = jobIn(fixture.heard(session));
    expect([fresh.prevhash, fresh.coinb2.equals(work.coinb2)]).toEqual([BLOCK_A, false]);
    for (const share of found) expect(submit(share, fresh.id)?.result).not.toBe(true);
  });

  it('is refused on a new link with the same extranonce, and to a machine that resumes its session', () => {
    const { fixture, session, work, found } = worked();
    fixture.job(fixture.link('a'), { prevhash: BLOCK_B });
    fixture.wait(RETIRED_MS);
    fixture.kill('a');
    fixture.wait(3000);
    const link = fixture.authorise('a');
    fixture.difficulty(link, '1');
    fixture.job(link, { ...work, id: 'after reconnect' });
    expect([fixture.farm.state.counters.jobsRefused, link.state]).toEqual([1, 'authorised']);
    fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
    const back = fixture.connect();
    fixture.subscribe(back, session.sessionId);
    fixture.authorize(back);
    expect(back.prefix).toEqual(session.prefix);
    for (const share of found) {
      fixture.send(back, { id: 'late', method: 'mining.submit', params: submitParams(share) });
      fixture.commit();
      const reply = fixture.heard(back).find(({ id }) => id === 'late');
      expect(reply?.error?.[0]).toBe(21);
    }
  });

  it('is refused though no share of it was handed in, once a machine has had it; what none has had is as good as new', () => {
    const fixture = new Fixture();
    const link = fixture.authorise('a');
    fixture.difficulty(link, '1');
    const unseen = fixture.job(link, { prevhash: BLOCK_A });
    fixture.job(link, { prevhash: BLOCK_B });
    fixture.wait(RETIRED_MS);
    fixture.job(link, { ...unseen, id: 'again' });
    expect(fixture.farm.state.counters.jobsRefused).toBe(0);
    fixture.miner();
    fixture.job(link, { prevhash: BLOCK_C });
    fixture.wait(RETIRED_MS);
    fixture.job(link, { ...unseen, id: 'once more' });
    expect(fixture.farm.state.counters.jobsRefused).toBe(1);
  });
});

/** A job for a book of its own; `seed` decides the work. */
function jobOf(seed: number, ntime: number): NewJob {
  const random = seededRandom(seed);
  const content = {
    prevhash: random.bytes(32), coinb1: random.bytes(60), coinb2: random.bytes(60), branches: random.bytes(32),
    version: 0x20000000, nBits: 0x1d00ffff, ntime, versionMask: 0,
  };
  return { link: 1, poolJobId: 'x', clean: true, content, paddingBytes: 0, slotBytes: 8, difficulty: '1', convention: 'replace', ntimeRollS: 600, ntimeAfter: 0, coinbaseSats: 0n, height: 1, wallMs: 0, monoMs: 0 };
}

describe('work that was forgotten', () => {
  const NTIME = 1_760_000_000;

  /** A book that remembers two retired works has had seven, ten seconds apart. */
  function forgetful(): JobBook {
    const book = new JobBook('b001', 64, 1000, () => {}, 2);
    for (let seed = 1; seed <= 7; seed += 1) {
      const job = book.add(jobOf(seed, NTIME + 10 * seed))!;
      expect(book.claim(job, seededRandom(seed).bytes(32))).toBe('new');
      book.sweep();
      book.sweep();
    }
    return book;
  }

  it('has only ntimes that none of its shares can have had', () => {
    const book = forgetful();
    // Six have been retired: 5 and 6 are remembered.
    expect(book.hashes).toBe(1);
    for (const seed of [5, 6]) expect(book.add(jobOf(seed, NTIME + 5000))).toBeUndefined();
    expect(book.add(jobOf(1, NTIME + 10))).toBeUndefined();
    expect(book.add(jobOf(4, NTIME + 40))).toBeUndefined();
    expect(book.add(jobOf(4, NTIME + 41))?.content.ntime).toBe(NTIME + 641);
  });

  it('does not hold back work of the present', () => {
    const book = forgetful();
    expect(book.add(jobOf(100, NTIME + 641))?.content.ntime).toBe(NTIME + 641);
    expect(book.add(jobOf(101, NTIME + 9000))?.content.ntime).toBe(NTIME + 9000);
  });
});

/** Hands in all it ever found under every job it ever heard of, while its pool returns to blocks and works as it pleases. */
class Hoarder {
  readonly fixture = new Fixture();
  readonly answeredTrue: string[] = [];
  private readonly random;
  private readonly works: RigJob[] = [];
  private readonly known = new Map<string, RigJob>();
  private readonly hoard: Found[] = [];
  private session: Session;
  private counter = 0n;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.fixture.live('a', '1');
    this.session = this.fixture.miner().session;
  }

  private pool(): void {
    const { fixture, random } = this;
    const link = fixture.link('a');
    if (link.state === 'dialling') {
      fixture.authorise('a');
      fixture.difficulty(link, '1');
    }
    if (link.state !== 'live' && link.state !== 'authorised') return;
    const old = this.works[Math.floor(random.fraction() * this.works.length)];
    const ntime = random.fraction() < 0.5 ? {} : { ntime: fixture.nowS };
    if (old !== undefined && random.fraction() < 0.4) fixture.job(link, { ...old, ...ntime, id: random.fraction() < 0.5 ? old.id : `r${random.u32()}` });
    else this.works.push(fixture.job(link, { prevhash: [BLOCK_A, BLOCK_B, BLOCK_C][Math.floor(random.fraction() * 3)]!, clean: random.fraction() < 0.3 }));
    if (random.fraction() < 0.05) fixture.kill('a');
  }

  private machine(): void {
    const { fixture, random } = this;
    if (random.fraction() < 0.1) {
      const { sessionId } = this.session;
      if (random.fraction() < 0.5) fixture.farm.disconnected(this.session, 'closed by the machine', fixture.now);
      this.session = fixture.connect();
      fixture.subscribe(this.session, sessionId);
      fixture.authorize(this.session);
    }
    for (const said of fixture.heard(this.session)) {
      if (said.method !== 'mining.notify') continue;
      const job = jobIn([said]);
      this.known.set(job.id, job);
      this.hoard.push(...find(this.session, job, this.session.exponent!, 1, this.counter));
      this.counter += 1n;
    }
    const some = this.hoard.filter(() => random.fraction() < 0.2);
    for (const share of some) for (const job of [...this.known.values()].slice(-20)) this.handIn(share, job);
  }

  private handIn(share: Found, job: RigJob): void {
    const { fixture, session } = this;
    const { headerHex } = new Search({ job, extranonce1: Buffer.from(session.prefix), extranonce2Bytes: 4, versionMask: 0, target: 0n }).elsewhere(share);
    fixture.send(session, { id: headerHex, method: 'mining.submit', params: submitParams({ ...share, jobId: job.id }) });
    fixture.commit();
    for (const { id, result } of fixture.heard(session)) if (id === headerHex && result === true) this.answeredTrue.push(headerHex);
  }

  play(rounds: number): void {
    for (let round = 0; round < rounds; round += 1) {
      this.pool();
      this.machine();
      this.fixture.wait(this.random.fraction() < 0.2 ? RETIRED_MS : 5000);
    }
  }
}

it.each([1, 2, 3, 4])('a header counts once, however the pool returns to what it had sent before (seed %i)', (seed) => {
  const hoarder = new Hoarder(seed);
  hoarder.play(60);
  expect(hoarder.answeredTrue.length).toBeGreaterThan(20);
  expect(new Set(hoarder.answeredTrue).size).toBe(hoarder.answeredTrue.length);
  expect(hoarder.fixture.farm.state.counters.jobsRefused).toBeGreaterThan(0);
});
