/** What pools do: low starts and caps, odd jobs, reconnects, silence, and what remains of them for the journal. */
import { describe, expect, it } from 'vitest';
import type { Link } from '../../../proxy/session/link.ts';
import { Evidence } from '../../simulation/evidence.ts';
import { exponentIn, find, Fixture, jobIn, mining, submitParams, yamlOf } from '../../simulation/fixture.ts';

describe('a pool that starts a thousand times too low', () => {
  const yaml = yamlOf('', 'routes: [ { pools: [ a, b ] } ]').replace('difficulty:', 'difficulty_:').replace(/difficulty_: .*/, 'difficulty: { start: 2^16, sharesPerMinute: 6 }');
  const crowd = (fixture: Fixture, count: number): (number | undefined)[] =>
    Array.from({ length: count }, (_, index) => exponentIn(fixture.miner(`acme.m${index}`).heard));

  it('is not flooded, and machines are not starved', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a', '65536');
    const { session: first } = fixture.miner('acme.m');
    crowd(fixture, 199);
    fixture.live('b', '64');
    fixture.kill('a');
    // 200 machines at six a minute of 2^16 are 20,480 submits a second at 64: the cap of 200 leaves 2^7 times fewer.
    expect(exponentIn(fixture.heard(first))).toBe(13);
  });

  it('is not paid with less by a machine that asks for far too much', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a', '65536');
    fixture.miner('acme.greedy', 'd=4294967296');
    const greedy = fixture.connect();
    fixture.send(greedy, { id: 1, method: 'mining.suggest_difficulty', params: [2 ** 32] });
    fixture.subscribe(greedy);
    fixture.authorize(greedy);
    fixture.wait(2000);
    expect(crowd(fixture, 10)).toEqual(Array<number>(10).fill(16));
  });

  it('has what it cannot credit counted', () => {
    const fixture = new Fixture(yamlOf().replace('user: farm }', 'user: farm, submitsPerSecondMax: 1 }'));
    const link = fixture.live('a', '0.00000000186264514923095703125');
    const { send } = mining(fixture, 30);
    for (let index = 0; index < 30; index += 1) send(index);
    const forwardings = fixture.recorder.of('share').map(({ forwarding }) => forwarding);
    expect(forwardings.filter((one) => one === 'forwarded')).toHaveLength(10);
    expect(forwardings.filter((one) => one === 'capped')).toHaveLength(20);
    expect(fixture.submitted(link)).toHaveLength(10);
    expect(fixture.farm.state.counters.cappedShares).toBeGreaterThanOrEqual(20);
  });
});

describe('jobs', () => {
  it('are sent again within 30 s with a later ntime', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const { session, heard } = fixture.miner();
    let last = jobIn(heard);
    for (let round = 0; round < 5; round += 1) {
      fixture.wait(30_000);
      const next = jobIn(fixture.heard(session));
      expect(next.ntime).toBeGreaterThan(last.ntime);
      expect(next.clean).toBe(false);
      last = next;
    }
  });

  it('of work that the pool repeats get a later ntime, and one set of duplicates', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { session, heard } = fixture.miner();
    const first = jobIn(heard);
    fixture.job(link);
    fixture.heard(session);
    const work = fixture.job(link);
    const once = jobIn(fixture.heard(session));
    fixture.job(link, { ...work, id: 'again', clean: true });
    const twice = jobIn(fixture.heard(session));
    expect([once.coinb2, twice.ntime > once.ntime, twice.id === once.id]).toEqual([twice.coinb2, true, false]);
    expect(first.id).not.toBe(once.id);
    const [found] = find(session, twice, session.exponent ?? 0);
    const submit = (jobId: string) => {
      fixture.send(session, { id: 1, method: 'mining.submit', params: submitParams({ ...found!, jobId }) });
      fixture.commit();
      return fixture.heard(session)[0];
    };
    expect(submit(twice.id)).toMatchObject({ result: true });
    expect(submit(twice.id)).toMatchObject({ error: [22, 'Duplicate', null] });
    expect(submit(once.id)).toMatchObject({ error: [21, 'Stale', null] });
  });

  it.each([
    ['a negative target', { nBits: 0x1d80ffff }],
    ['a target of zero', { nBits: 0 }],
    ['a coinbase that is none', { coinb1: Buffer.alloc(10) }],
    ['an ntime far ahead', { ntime: 1_760_000_000 + 8000 }],
    ['an endless id', { id: 'x'.repeat(300) }],
    ['a coinbase larger than a block', { coinb2: Buffer.alloc(1_100_000) }],
  ])('with %s are refused and leave machines on the last one', (_what, options) => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    const { session } = fixture.miner();
    fixture.job(link, { ...options, clean: true });
    expect(fixture.farm.state.counters.jobsRefused).toBe(1);
    expect(fixture.heard(session)).toEqual([]);
    expect(link.state).toBe('live');
    // A pool that sends nothing better for as long as one may be silent is given up, though it talks.
    for (let sentMs = 0; sentMs < 185_000; sentMs += 5000) {
      fixture.wait(5000);
      fixture.fromPool(link, { id: null, method: 'mining.set_difficulty', params: [1] });
    }
    expect(link.state).toBe('ended');
    expect(fixture.farm.linkStatus(fixture.link('a')).lastError).toBe('the pool has sent nothing for 180 s that can be worked on');
    expect(session.state).toBe('mining');
  });

  it('are waited for through a few lines that are no Stratum, and not through a flood of them', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    for (let round = 0; round < 3; round += 1) {
      for (let line = 0; line < 900; line += 1) fixture.fromPool(link, 'noise');
      fixture.job(link);
    }
    expect(link.state).toBe('live');
    for (let line = 0; line < 1000; line += 1) fixture.fromPool(link, 'noise');
    expect(link.state).toBe('ended');
    expect(fixture.farm.state.counters.poolLinesRefused).toBe(3700);
    // Ten times as many lines make one more log line.
    expect(fixture.recorder.logs.filter(({ event }) => event === 'pool sent what cannot be used')).toHaveLength(3 * 3 + 4);
  });

  it('that meet the network target are forwarded first and kept whole', () => {
    const fixture = new Fixture();
    const link = fixture.authorise('a');
    fixture.difficulty(link, '1000');
    fixture.job(link, {}, 0x207fffff);
    const { session, heard } = fixture.miner();
    const [found] = find(session, jobIn(heard), exponentIn(heard) ?? 0);
    fixture.send(session, { id: 1, method: 'mining.submit', params: submitParams(found!) });
    expect(fixture.submitted(link)).toHaveLength(1);
    const [block] = fixture.recorder.of('block');
    expect(Buffer.from(block!.header).toString('hex')).toBe(found!.headerHex);
    expect(block!.coinbase.length).toBe(200);
    expect(fixture.recorder.of('share')).toMatchObject([{ block: true, forwarding: 'forwarded' }]);
  });
});

describe('a pool that speaks before it has answered', () => {
  /** Up to the answer to subscribe; ids as text, which some pools make of them. */
  const greeted = (fixture: Fixture): Link => {
    const link = fixture.link('a');
    fixture.farm.linkOpened(link, fixture.now);
    fixture.fromPool(link, { id: '1', result: { 'version-rolling': true, 'version-rolling.mask': '1fffe000' }, error: null });
    fixture.fromPool(link, { id: '2', result: [[], '0a0b0c0d', 8], error: null });
    return link;
  };

  it('has its first job taken with the difficulty and extranonce that came before it, the next with those that came after', () => {
    const fixture = new Fixture();
    const link = greeted(fixture);
    fixture.fromPool(link, { id: null, method: 'mining.set_extranonce', params: ['a1a1', 8] });
    fixture.difficulty(link, '1024');
    fixture.job(link, {}, 0x1d00ffff, 10);
    fixture.fromPool(link, { id: null, method: 'mining.set_extranonce', params: ['b2b2b2', 8] });
    fixture.difficulty(link, '4096');
    expect(fixture.recorder.of('job')).toEqual([]);
    fixture.fromPool(link, { id: '3', result: true, error: null });
    fixture.job(link, {}, 0x1d00ffff, 11);
    const jobs = fixture.recorder.of('job');
    expect(jobs.map(({ difficulty }) => difficulty)).toEqual(['1024', '4096']);
    expect(jobs.map(({ content }) => Buffer.from(content.coinb1).toString('hex')).map((hex, index) => hex.endsWith(['a1a1', 'b2b2b2'][index]!))).toEqual([true, true]);
    expect([link.state, link.difficulty]).toEqual(['live', '4096']);
  });

  it('has only the last of its early jobs taken', () => {
    const fixture = new Fixture();
    const link = greeted(fixture);
    fixture.fromPool(link, { id: null, method: 'mining.set_extranonce', params: ['a1a1', 8] });
    fixture.job(link, {}, 0x1d00ffff, 10);
    fixture.difficulty(link, '2048');
    const last = fixture.job(link, {}, 0x1d00ffff, 10);
    fixture.fromPool(link, { id: '3', result: true, error: null });
    expect(fixture.recorder.of('job')).toMatchObject([{ poolJobId: last.id, difficulty: '2048' }]);
    expect(Buffer.from(link.extranonce1).toString('hex')).toBe('a1a1');
  });
});

describe('a link', () => {
  it('appends d= to its password where the pool reads it there', () => {
    const fixture = new Fixture(yamlOf().replace('user: farm }', 'user: farm, password: secret, difficulty: 1024, passwordDifficulty: true }'));
    const link = fixture.authorise('a');
    const sent = fixture.sentTo(link);
    expect(sent.find(({ method }) => method === 'mining.authorize')?.params).toEqual(['farm', 'secret,d=1024']);
    expect(sent.find(({ method }) => method === 'mining.suggest_difficulty')?.params).toEqual([1024]);
  });

  it('follows client.reconnect within its domain, after the time asked for, and not for ever at once', () => {
    const fixture = new Fixture();
    const link = fixture.live('a');
    fixture.fromPool(link, { id: null, method: 'client.reconnect', params: ['evil.example', 1, 0] });
    expect(link.state).toBe('live');
    fixture.fromPool(link, { id: null, method: 'client.reconnect', params: ['eu.a.example', 4444, 20] });
    expect(link.state).toBe('ended');
    fixture.wait(19_000);
    expect(fixture.link('a')).toBe(link);
    fixture.wait(2000);
    expect([fixture.link('a').host, fixture.link('a').port]).toEqual(['eu.a.example', 4444]);
    let dials = 0;
    for (let second = 0; second < 60; second += 1) {
      const next = fixture.link('a');
      if (next.state === 'dialling') {
        dials += 1;
        fixture.authorise('a');
        fixture.fromPool(next, { id: null, method: 'client.reconnect', params: [] });
      }
      fixture.wait(1000);
    }
    expect(dials).toBeLessThan(10);
  });

  it('with too little room is ended before any job, early ones too, and forgets what it learnt of nobody', () => {
    const fixture = new Fixture(yamlOf(), new Map([['a', { extranonce2Bytes: 8, versionMask: 0x1fffe000 }]]));
    const link = fixture.link('a');
    fixture.farm.linkOpened(link, fixture.now);
    fixture.fromPool(link, { id: 3, result: true, error: null });
    expect(link.state).toBe('ended');
    fixture.job(link);
    expect(link.state).toBe('ended');
    expect(fixture.farm.state.learnt.get('a')).toMatchObject({ extranonce2Bytes: 8 });
    const live = fixture.live('b');
    fixture.job(live, {}, 0x1d00ffff);
    fixture.fromPool(live, { id: null, method: 'mining.set_extranonce', params: ['0102', 1] });
    fixture.job(live);
    expect(live.state).toBe('ended');
    expect(fixture.farm.state.liveLinks.size).toBe(0);
  });

  it('gives up a pool that never authorises, never sends work, is silent, or has no work left', () => {
    const reasonOf = (prepare: (fixture: Fixture) => Link, ms: number, alive: boolean): unknown => {
      const fixture = new Fixture(yamlOf('timeouts: { poolSilent: 60s }').replace('user: farm }', 'user: farm, ntimeRoll: 600s }'));
      const link = prepare(fixture);
      fixture.wait(ms, alive);
      return fixture.recorder.logs.find(({ event, fields }) => event === 'link ended' && fields['link'] === link.number)?.fields['reason'];
    };
    expect(reasonOf((fixture) => fixture.link('a'), 20_000, false)).toBe('not authorised 15 s after dialling (dialling)');
    expect(reasonOf((fixture) => fixture.authorise('a'), 50_000, false)).toBeUndefined();
    expect(reasonOf((fixture) => fixture.authorise('a'), 70_000, false)).toBe('no job 60 s after dialling');
    expect(reasonOf((fixture) => fixture.live('a'), 70_000, false)).toBe('the pool was silent for 60 s');
    expect(reasonOf((fixture) => fixture.live('a'), 500_000, true)).toBeUndefined();
    expect(reasonOf((fixture) => fixture.live('a'), 610_000, true)).toBe('the pool has sent no job for as long as it takes shares of the last one');
  });
});

describe('a pool that takes no rolled ntime', () => {
  it('keeps its link between two jobs, and its machines wait for the next', () => {
    const fixture = new Fixture(yamlOf().replace('user: farm }', 'user: farm, ntimeRoll: 0s }'));
    const link = fixture.live('a');
    const { session } = fixture.miner();
    fixture.wait(90_000);
    expect(link.state).toBe('live');
    expect(fixture.heard(session)).toEqual([]);
    fixture.job(link);
    expect(jobIn(fixture.heard(session)).clean).toBe(false);
  });
});

describe('what is live, for a new segment', () => {
  const orphans = (fixture: Fixture): string[] => {
    const evidence = new Evidence();
    for (const fact of fixture.farm.liveFacts()) evidence.read(fact);
    for (const fact of fixture.recorder.facts.slice(fixture.recorder.settled)) evidence.read(fact);
    return evidence.orphans;
  };

  it('holds the job of a share that is not durable when its job is pushed out, its session and its link gone', () => {
    const fixture = new Fixture(yamlOf('limits: { jobsPerLinkMax: 4 }\ntimeouts: { poolSilent: 3600s }'));
    const link = fixture.live('a');
    const { session, send } = mining(fixture);
    fixture.commit();
    send(0);
    for (let index = 0; index < 6; index += 1) fixture.job(link);
    expect(orphans(fixture)).toEqual([]);
    fixture.commit();
    fixture.farm.disconnected(session, 'closed', fixture.now);
    for (let second = 0; second < 50; second += 1) {
      fixture.monoMs += 1000;
      fixture.farm.tick(fixture.now);
      if (second === 5) fixture.kill('a');
      expect(orphans(fixture)).toEqual([]);
      if (second % 3 === 0) fixture.commit();
    }
    expect(fixture.farm.state.departed.size).toBeLessThan(4);
    fixture.wait(5000);
    expect(fixture.farm.state.departed.size).toBe(0);
  });
});
