/** More machines than a pool's extranonce leaves prefixes for: one more link to each pool, and nobody refused or counted twice. */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../proxy/session/session.ts';
import { find, Fixture, jobIn, share, submitParams, yamlOf, type Said } from '../../simulation/fixture.ts';

/** A pool leaves four bytes: one for the prefix. */
const ROOM = 4;
const PREFIXES = 255;

interface Crowd {
  readonly fixture: Fixture;
  readonly sessions: Session[];
}

/** As many machines as there are prefixes, on a link to `a`; `b` stands by with as little room. */
function crowd(more = ''): Crowd {
  const fixture = new Fixture(yamlOf(`timeouts: { poolSilent: 3600s, idle: 24h }\n${more}`));
  fixture.live('a', undefined, ROOM);
  fixture.live('b', undefined, ROOM);
  return { fixture, sessions: Array.from({ length: PREFIXES }, (_, index) => fixture.miner(`acme.m${index}`).session) };
}

/** Makes the newest link of a pool live, on an extranonce of its own. */
function liveAs(fixture: Fixture, pool: string, extranonce1: string): void {
  const link = fixture.link(pool);
  fixture.farm.linkOpened(link, fixture.now);
  fixture.fromPool(link, { id: 2, result: [[], extranonce1, ROOM], error: null });
  fixture.fromPool(link, { id: 3, result: true, error: null });
  fixture.difficulty(link, '1');
  fixture.job(link);
}

describe('when short prefixes run out', () => {
  it('the next machine is taken and works as soon as one more link lives; its shares are its own', () => {
    const { fixture, sessions } = crowd();
    const [first] = sessions;
    const { session, heard } = fixture.miner('acme.late');
    expect([session.state, session.plane, heard, fixture.links.length]).toEqual(['mining', 1, [], 2]);
    expect(session.prefix).toEqual(first!.prefix);
    fixture.wait(1000);
    expect(fixture.links.map(({ pool }) => pool).toSorted()).toEqual(['a', 'a', 'b', 'b']);
    liveAs(fixture, 'a', '01020304');
    const mine = fixture.heard(session);
    expect(share(fixture, session, mine, session.exponent)).toMatchObject({ result: true });
    // The same bytes, handed in by the other machine that has them: a job it was never sent.
    const [found] = find(session, jobIn(mine), session.exponent!, 1, 77n);
    const reply = (from: Session): Said | undefined => {
      fixture.send(from, { id: 'x', method: 'mining.submit', params: submitParams(found!, from.binds[0]!.worker) });
      fixture.commit();
      return fixture.heard(from).find(({ id }) => id === 'x');
    };
    expect([reply(first!)?.error?.[0], reply(session)?.result]).toEqual([21, true]);
    for (const link of fixture.links) {
      const prefixes = [...link.sessions].map(({ prefix }) => Buffer.from(prefix).toString('hex'));
      expect(new Set(prefixes).size).toBe(prefixes.length);
    }
    expect([fixture.closed, fixture.farm.state.prefixes.furtherPlanes]).toEqual([[], 1]);
  });

  it('links of one plane never take machines of another: not when a link dies, nor when it returns', () => {
    const { fixture, sessions } = crowd();
    const { session } = fixture.miner('acme.late');
    fixture.wait(1000);
    liveAs(fixture, 'a', '01020304');
    liveAs(fixture, 'b', '05060708');
    const [plain, standby, further, furtherStandby] = [fixture.links[0]!, fixture.links[1]!, session.link!, fixture.link('b')];
    expect([further.pool, furtherStandby === standby]).toEqual(['a', false]);
    fixture.farm.linkClosed(further, 'connection reset', fixture.now);
    expect([session.link, plain.sessions.size]).toEqual([furtherStandby, PREFIXES]);
    fixture.farm.linkClosed(plain, 'connection reset', fixture.now);
    expect([standby.sessions.size, furtherStandby.sessions.size, session.link]).toEqual([PREFIXES, 1, furtherStandby]);
    expect(new Set(sessions.map(({ link }) => link))).toEqual(new Set([standby]));
    expect(fixture.closed).toEqual([]);
  });

  it('a machine that comes back keeps its plane, and a link that no machine needs any more is closed after ten minutes', () => {
    const { fixture, sessions } = crowd();
    const { session } = fixture.miner('acme.late');
    fixture.wait(1000);
    liveAs(fixture, 'a', '01020304');
    const { link } = session;
    fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
    const back = fixture.connect();
    fixture.subscribe(back, session.sessionId);
    fixture.authorize(back, 'acme.late');
    expect([back.plane, back.prefix, back.link]).toEqual([1, session.prefix, link]);
    fixture.farm.disconnected(back, 'closed by the machine', fixture.now);
    fixture.wait(610_000);
    expect([link!.state, sessions.every(({ state }) => state === 'mining'), fixture.farm.state.prefixes.furtherPlanes]).toEqual(['ended', true, 0]);
    expect(fixture.closed).toEqual([]);
  });

  it('a pool that takes no further connection leaves the machine to the next pool, and connected without any', () => {
    const { fixture } = crowd();
    const { session } = fixture.miner('acme.late');
    fixture.wait(1000);
    fixture.kill('a');
    liveAs(fixture, 'b', '05060708');
    expect(session.link?.pool).toBe('b');
    fixture.kill('b');
    fixture.wait(60_000);
    expect([session.state, fixture.closed]).toEqual(['mining', []]);
  });

  it('machines that come by set_extranonce to a pool with little room are spread over planes too', () => {
    const fixture = new Fixture(yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }'));
    const roomy = fixture.live('a');
    fixture.live('b', undefined, ROOM);
    const sessions = Array.from({ length: PREFIXES + 2 }, (_, index) => {
      const session = fixture.connect();
      fixture.send(session, { id: 'x', method: 'mining.extranonce.subscribe', params: [] });
      fixture.subscribe(session);
      fixture.authorize(session, `acme.m${index}`);
      return session;
    });
    expect(roomy.sessions.size).toBe(PREFIXES + 2);
    fixture.farm.linkClosed(roomy, 'connection reset', fixture.now);
    fixture.wait(1000);
    fixture.wait(1000);
    const standby = fixture.links[1]!;
    expect(standby.sessions.size).toBe(PREFIXES);
    liveAs(fixture, 'b', '05060708');
    expect(fixture.link('b').sessions.size).toBe(2);
    expect(sessions.every(({ state, link }) => state === 'mining' && link?.state === 'live')).toBe(true);
    expect(fixture.closed).toEqual([]);
  });

  it('a client that reconnects without its session id uses up nothing: it has what it had, at the difficulty it had', () => {
    const { fixture, sessions } = crowd();
    const leaver = sessions[7]!;
    let before = leaver;
    fixture.job(fixture.links[0]!);
    const heardFirst = fixture.heard(leaver);
    const [found] = find(leaver, jobIn(heardFirst), leaver.exponent!);
    for (let count = 0; count < 600; count += 1) {
      fixture.farm.disconnected(before, 'closed by the machine', fixture.now);
      const session = fixture.connect();
      fixture.subscribe(session);
      expect([session.plane, session.prefix, session.sessionId === before.sessionId]).toEqual([0, leaver.prefix, false]);
      fixture.authorize(session, 'acme.m7', 'd=1');
      before = session;
    }
    expect(fixture.farm.state.prefixes.furtherPlanes).toBe(0);
    expect(before.exponentOf(fixture.farm.state.book.find(jobIn(heardFirst).id)!)).toBe(leaver.exponent);
    fixture.send(before, { id: 'x', method: 'mining.submit', params: submitParams(found!, 'acme.m7') });
    fixture.commit();
    expect(fixture.heard(before).find(({ id }) => id === 'x')).toMatchObject({ result: true });
    expect(fixture.recorder.of('share').at(-1)).toMatchObject({ exponent: leaver.exponent, verdict: 'accepted' });
    // The machine whose place it was is told another.
    const back = fixture.connect();
    fixture.subscribe(back, leaver.sessionId);
    expect([back.plane, fixture.closed]).toEqual([1, []]);
  });

  it('a client of another address, of another site, or after the time to resume gets another place', () => {
    const { fixture, sessions } = crowd();
    fixture.farm.disconnected(sessions[0]!, 'closed by the machine', fixture.now);
    const stranger = fixture.connect('10.9.9.9:1');
    fixture.subscribe(stranger);
    expect(stranger.plane).toBe(1);
    fixture.wait(610_000);
    const late = fixture.connect();
    fixture.subscribe(late);
    expect(late.plane).toBe(1);
  });
});
