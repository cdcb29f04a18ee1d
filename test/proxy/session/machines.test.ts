/** What machines meet: waiting for pools, moving between them, coming back, wishes and limits. */
import { describe, expect, it } from 'vitest';
import { exponentIn, find, Fixture, jobIn, share, submitParams, yamlOf, type Said } from '../../simulation/fixture.ts';

const notifies = (heard: readonly Said[]): number => heard.filter(({ method }) => method === 'mining.notify').length;

describe('a session without a pool', () => {
  it('waits connected, and has its job as soon as a pool lives', () => {
    const fixture = new Fixture();
    const { session, heard } = fixture.miner();
    expect(heard).toEqual([]);
    fixture.wait(3_600_000);
    expect(fixture.closed).toEqual([]);
    while (fixture.link('a').state !== 'dialling') fixture.wait(1000);
    fixture.live('a');
    const first = fixture.heard(session);
    expect(first.map(({ method }) => method)).toEqual(['mining.set_difficulty', 'mining.notify']);
    expect(jobIn(first).clean).toBe(true);
    fixture.wait(300_000);
    expect(fixture.closed).toEqual([]);
  });

  it('is closed when it never names itself, or says nothing while there is work', () => {
    const fixture = new Fixture();
    fixture.live('a');
    fixture.subscribe(fixture.connect());
    fixture.wait(66_000);
    expect(fixture.closed).toEqual(['not authorised in time']);
    fixture.miner();
    fixture.wait(590_000);
    expect(fixture.closed).toHaveLength(1);
    fixture.wait(20_000);
    expect(fixture.closed).toEqual(['not authorised in time', 'idle']);
  });
});

describe('a move', () => {
  it('to a preferred pool on the same block ends nothing', () => {
    const fixture = new Fixture();
    const backup = fixture.live('b');
    const { session, heard } = fixture.miner();
    const preferred = fixture.live('a');
    fixture.wait(25_000);
    expect(session.link).toBe(backup);
    fixture.heard(session);
    fixture.wait(8000);
    expect(session.link).toBe(preferred);
    const moved = fixture.heard(session);
    expect(jobIn(moved).clean).toBe(false);
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    expect(share(fixture, session, moved)).toMatchObject({ result: true });
    expect(fixture.recorder.of('share')).toMatchObject([{ verdict: 'accepted', forwarding: 'forwarded' }, { verdict: 'accepted' }]);
  });

  it('from a dead pool is clean, at once, and closes nobody', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const backup = fixture.live('b', '0.00001');
    const { session } = fixture.miner();
    fixture.kill('a');
    expect(session.link).toBe(backup);
    expect(jobIn(fixture.heard(session)).clean).toBe(true);
    expect(fixture.closed).toEqual([]);
  });

  it('passes over a pool that has only just come back', () => {
    const fixture = new Fixture(yamlOf('timeouts: { returnStable: 60s }'));
    const backup = fixture.live('b');
    const { session } = fixture.miner();
    fixture.live('a');
    fixture.wait(50_000);
    expect(session.link).toBe(backup);
  });
});

describe('the work of a dead pool', () => {
  it('is sent again while no other pool lives, and its shares count without a link', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const { session, heard } = fixture.miner();
    fixture.kill('a');
    fixture.kill('b');
    fixture.wait(120_000);
    const later = fixture.heard(session);
    expect(notifies(later)).toBeGreaterThanOrEqual(4);
    expect(jobIn(later).ntime).toBeGreaterThanOrEqual(jobIn(heard).ntime + 100);
    expect(share(fixture, session, later)).toMatchObject({ result: true });
    expect(fixture.recorder.of('share')).toMatchObject([{ verdict: 'accepted', forwarding: 'no-link' }]);
    expect(fixture.closed).toEqual([]);
  });
});

describe('resumption', () => {
  it('keeps prefix, jobs and mask, and closes the old socket first', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const old = fixture.connect();
    const result = fixture.subscribe(old).result as [string[][], string, number];
    const sessionId = result[0][1]![1];
    fixture.authorize(old);
    const heard = fixture.heard(old);
    fixture.monoMs += 5000;
    const session = fixture.connect();
    expect(fixture.subscribe(session, sessionId).result).toEqual(result);
    expect(fixture.closed).toEqual(['resumed on a new connection']);
    fixture.authorize(session);
    const again = fixture.heard(session);
    expect(jobIn(again).ntime).toBeGreaterThan(jobIn(heard).ntime);
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    expect(share(fixture, session, heard)).toMatchObject({ error: [22, 'Duplicate', null] });
    fixture.farm.disconnected(session, 'closed', fixture.now);
    fixture.farm.disconnected(session, 'closed', fixture.now);
  });

  it('of many at once troubles nobody else, and none has the same work twice', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const bystander = fixture.miner('acme.other').session;
    const machines = Array.from({ length: 40 }, (_, index) => {
      const session = fixture.connect();
      const result = fixture.subscribe(session).result as [string[][], string, number];
      fixture.authorize(session, `acme.m${index}`);
      return { session, id: result[0][1]![1], first: jobIn(fixture.heard(session)) };
    });
    fixture.heard(bystander);
    fixture.wait(2000);
    const before = fixture.recorder.of('refresh').length;
    const back = machines.map(({ session, id, first }, index) => {
      fixture.farm.disconnected(session, 'closed', fixture.now);
      const next = fixture.connect();
      fixture.subscribe(next, id);
      fixture.authorize(next, `acme.m${index}`);
      return { next, first };
    });
    fixture.wait(3000);
    for (const { next, first } of back) expect(jobIn(fixture.heard(next)).ntime).toBeGreaterThan(first.ntime);
    expect(notifies(fixture.heard(bystander))).toBe(0);
    expect(fixture.recorder.of('refresh').length - before).toBeLessThanOrEqual(3);
  });

  it('by a stranger at another site is refused, and so is an id nobody had', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const session = fixture.connect();
    expect(fixture.subscribe(session, 'f'.repeat(32)).result).not.toContain('f'.repeat(32));
    expect(fixture.farm.state.counters.resumptions).toBe(0);
  });

  it('again and again does not push out the jobs of others', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const { session, heard } = fixture.miner('acme.victim');
    let id: string | undefined;
    for (let round = 0; round < 500; round += 1) {
      const next = fixture.connect();
      id = (fixture.subscribe(next, id).result as [string[][]])[0][1]![1];
      fixture.authorize(next, 'acme.loop');
      fixture.monoMs += 20;
    }
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
  });
});

describe('wishes of a machine', () => {
  const firstExponent = (password: string): number | undefined => {
    const fixture = new Fixture();
    fixture.live('a', '1000');
    return exponentIn(fixture.miner('acme.r1', password).heard);
  };

  it.each([
    ['x', -24],
    ['d=0.00000095367431640625', -20],
    ['x,d=0.000001', -20],
    ['d=1e9', -24],
    ['d=99999999999', 9],
    ['d=0.00000000000001', -30],
    ['md=0.000001', -19],
    ['d=0.0000001;md=0.000001', -19],
  ])('password %s starts at 2^%i', (password, exponent) => {
    expect(firstExponent(password)).toBe(exponent);
  });

  it('count before the first job, and from the next work on when they come just after authorize', () => {
    const fixture = new Fixture();
    fixture.live('a', '1000');
    const session = fixture.connect();
    fixture.send(session, { id: 1, method: 'mining.suggest_difficulty', params: [2 ** -20] });
    fixture.subscribe(session);
    fixture.heard(session);
    fixture.authorize(session);
    expect(exponentIn(fixture.heard(session))).toBe(-20);
    fixture.send(session, { id: 2, method: 'mining.suggest_difficulty', params: [2 ** -18] });
    fixture.job(fixture.link('a'));
    expect(exponentIn(fixture.heard(session))).toBe(-18);
  });

  it('in the password as sd= are where vardiff starts, and not where it stays', () => {
    const fixture = new Fixture();
    const link = fixture.live('a', '1000');
    const { session, heard } = fixture.miner('acme.r1', 'x,sd=0.00006103515625');
    expect(exponentIn(heard)).toBe(-14);
    fixture.wait(60_000);
    fixture.job(link);
    expect(exponentIn(fixture.heard(session))).toBeLessThan(-14);
  });

  it('repeated every 30 s change nothing', () => {
    const fixture = new Fixture();
    const link = fixture.live('a', '1000');
    const { session } = fixture.miner('acme.nerd');
    const told: (number | undefined)[] = [];
    for (let round = 0; round < 8; round += 1) {
      fixture.send(session, { id: round, method: 'mining.suggest_difficulty', params: [2 ** -26] });
      fixture.job(link);
      const heard = fixture.heard(session);
      told.push(exponentIn(heard));
      const [found] = find(session, jobIn(heard), session.exponent ?? 0);
      fixture.send(session, { id: 'share', method: 'mining.submit', params: submitParams(found!, 'acme.nerd') });
      fixture.wait(10_000);
    }
    expect(told.filter((exponent) => exponent !== undefined)).toEqual([-26]);
  });

  it('for a minimum may be repeated and then move the floor, or take it away', () => {
    const fixture = new Fixture();
    const link = fixture.live('a', '1000');
    const { session } = fixture.miner();
    for (const [value, exponent] of [[2 ** -18, -18], [2 ** -22, -22], [0, -24]] as const) {
      fixture.send(session, { id: 1, method: 'mining.configure', params: [['minimum-difficulty'], { 'minimum-difficulty.value': value }] });
      fixture.job(link);
      const heard = fixture.heard(session);
      expect(heard.find(({ id }) => id === 1)?.result).toEqual({ 'minimum-difficulty': true });
      expect(exponentIn(heard)).toBe(exponent);
    }
  });
});

describe('limits', () => {
  it('refuse names beyond the limit, of another route, and absurd ones, with 24', () => {
    const routes = 'routes: [ { match: { worker: "acme.*" }, lessee: acme, pools: [ a, b ] }, { match: { worker: "beta.*" }, lessee: beta, pools: [ b ] } ]';
    const fixture = new Fixture(yamlOf('limits: { workersPerSessionMax: 2 }', routes));
    fixture.live('a');
    const { session } = fixture.miner('acme.1');
    const codes = ['acme.1', 'beta.1', 'gamma', `acme.${'x'.repeat(2000)}`, 'acme.2', 'acme.3'].map((name) => {
      fixture.authorize(session, name);
      const [reply] = fixture.heard(session);
      return reply?.error?.[0] ?? reply?.result;
    });
    expect(codes).toEqual([true, 24, 24, 24, true, 24]);
    expect(session.binds.map(({ worker, lessee }) => `${worker} ${lessee}`)).toEqual(['acme.1 acme', 'acme.2 acme']);
  });

  it('count rejects beyond the journaled ones, and nothing is lost of them', () => {
    const fixture = new Fixture(yamlOf('limits: { journaledRejectsMax: 3 }'));
    fixture.live('a');
    const { session } = fixture.miner();
    for (let index = 0; index < 10; index += 1) fixture.send(session, { id: index, method: 'mining.submit', params: ['acme.r1', 'nojob', '00000000', '00000000', '00000000'] });
    fixture.send(session, { id: 11, method: 'mining.submit', params: ['stranger', 'nojob', '00000000', '00000000', '00000000'] });
    expect(fixture.recorder.of('share')).toHaveLength(3);
    fixture.wait(11_000);
    expect(fixture.recorder.of('rejects').map(({ bind, verdict, count }) => [bind, verdict, count])).toEqual([[1, 'unknown-job', 7], [0, 'unauthorised', 1]]);
    expect(Object.fromEntries(session.rejects)).toEqual({ 'unknown-job': 10, unauthorised: 1 });
  });

  it('bound unanswered shares of one session', () => {
    const fixture = new Fixture(yamlOf('limits: { pendingRepliesMax: 2 }'));
    fixture.live('a');
    const { session, heard } = fixture.miner();
    for (const [index, found] of find(session, jobIn(heard), exponentIn(heard) ?? 0, 4).entries()) {
      fixture.send(session, { id: index, method: 'mining.submit', params: submitParams(found) });
    }
    expect(fixture.heard(session).map(({ id, error }) => [id, error?.[0]])).toEqual([[2, 20], [3, 20]]);
    fixture.commit();
    expect(fixture.heard(session).map(({ id, result }) => [id, result])).toEqual([[0, true], [1, true]]);
  });

  it('bound sessions, in all and per address', () => {
    const fixture = new Fixture(yamlOf('limits: { sessionsMax: 3, sessionsPerAddressMax: 2 }'));
    const connect = (address: string) => fixture.farm.connected('north', address, fixture.now);
    const first = connect('10.0.0.1:1')!;
    expect([connect('10.0.0.1:2'), connect('10.0.0.1:3')].map((session) => session !== undefined)).toEqual([true, false]);
    fixture.farm.disconnected(first, 'closed', fixture.now);
    expect([connect('10.0.0.1:4'), connect('10.0.0.2:1'), connect('10.0.0.3:1')].map((session) => session !== undefined)).toEqual([true, true, false]);
  });
});
