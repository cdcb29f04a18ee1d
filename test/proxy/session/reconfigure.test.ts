/** A new configuration while machines mine: who can stay stays, at work, and the journal tells from when on what holds. */
import { describe, expect, it } from 'vitest';
import { answer, Fixture, jobIn, share, yamlOf, type Said } from '../../simulation/fixture.ts';
import { configOf } from '../../simulation/sim-farm.ts';

const BASE = `
data: ./x
sites: { north: { listen: [ "127.0.0.1:1" ] } }
pools:
  a: { url: stratum+tcp://a.example:1, user: u }
  b: { url: stratum+tcp://b.example:1, user: u }
  c: { url: stratum+tcp://c.example:1, user: u }
routes:
  - { match: { worker: "acme.*" }, lessee: acme, pools: [ a, b ] }
  - { match: { worker: "left.*" }, lessee: left, pools: [ a ] }
  - { match: { worker: "split.*" }, pools: [ [ { pool: a, weight: 1 }, { pool: b, weight: 1 } ], c ] }
difficulty: { start: "2^-24", min: "2^-24", max: "2^-20" }
`;

function apply(fixture: Fixture, from: string | RegExp, to: string): { rerouted: number; leaving: number } {
  const yaml = BASE.replace(from, to);
  if (yaml === BASE) throw new Error(`${String(from)} is not in it`);
  return fixture.farm.reconfigure(configOf(yaml), [], fixture.now);
}

const notifies = (heard: readonly Said[]): number => heard.filter(({ method }) => method === 'mining.notify').length;

describe('a new configuration', () => {
  it('that changes the lessee counts the next share for the new one, and what is under way for the old one', () => {
    const fixture = new Fixture(BASE);
    const link = fixture.live('a');
    const { session, heard } = fixture.miner('acme.1');
    share(fixture, session, heard);
    const [submit] = fixture.submitted(link);
    const [old] = session.binds;
    expect(apply(fixture, 'lessee: acme', 'lessee: cobalt')).toEqual({ rerouted: 1, leaving: 0 });
    const [bind] = session.binds;
    expect(bind).toMatchObject({ worker: 'acme.1', lessee: 'cobalt' });
    expect(bind?.number).not.toBe(old?.number);
    // A segment that begins now must know both: the pool's verdict is still to come.
    const live = [...fixture.farm.liveFacts()].flatMap((fact) => (fact.type === 'bind' ? [fact.bind] : []));
    expect(live).toEqual([old?.number, bind?.number]);
    answer(fixture, link, submit!);
    fixture.wait(1000);
    fixture.job(link);
    const next = fixture.heard(session);
    expect(share(fixture, session, next)).toMatchObject({ result: true });
    expect(fixture.recorder.of('share').map((fact) => fact.bind)).toEqual([old?.number, bind?.number]);
    expect(fixture.recorder.of('pool-verdict')[0]).toMatchObject({ bind: old?.number, verdict: 'accepted' });
    expect(fixture.closed).toEqual([]);
  });

  it('that says the same again changes nothing at all', () => {
    const fixture = new Fixture(BASE);
    fixture.live('a');
    const { session } = fixture.miner('acme.1');
    const { route, link } = session;
    const facts = fixture.recorder.facts.length;
    expect(fixture.farm.reconfigure(configOf(BASE), [], fixture.now)).toEqual({ rerouted: 0, leaving: 0 });
    expect(fixture.recorder.facts.length).toBe(facts);
    expect([session.route, session.link]).toEqual([route, link]);
    expect(fixture.hungUp).toEqual([]);
  });

  it('that lets a link have more or fewer jobs holds at once, in the book as in the pace at which machines are sent work again', () => {
    const more = 'timeouts: { refresh: 30s }\n';
    const fixture = new Fixture(`${BASE}limits: { jobsPerLinkMax: 4 }\n${more}`);
    const link = fixture.live('a');
    const { session, heard } = fixture.miner('acme.1');
    const jobs = (): number => [...fixture.farm.state.book.all()].length;
    fixture.farm.reconfigure(configOf(`${BASE}limits: { jobsPerLinkMax: 64 }\n${more}`), [], fixture.now);
    // A client that asks for work all the time gets it so often that all jobs that are kept last for two refreshes.
    for (let second = 0; second < 55; second += 1) {
      fixture.wait(1000);
      fixture.subscribe(session);
    }
    expect(fixture.farm.state.book.find(jobIn(heard).id)).toBeDefined();
    expect(jobs()).toBeGreaterThan(40);
    fixture.farm.reconfigure(configOf(`${BASE}limits: { jobsPerLinkMax: 4 }\n${more}`), [], fixture.now);
    fixture.job(link);
    expect(jobs()).toBe(4);
  });

  it('that takes a route away lets its machines go at the pace of closes, and nobody else', () => {
    const fixture = new Fixture(`${BASE}timeouts: { closesPerSecond: 2 }`);
    fixture.live('a');
    const { session } = fixture.miner('acme.1');
    for (let count = 0; count < 5; count += 1) fixture.miner(`left.${count}`);
    const yaml = BASE.replace(/ {2}- \{ match: \{ worker: "left.*\n/, '');
    expect(fixture.farm.reconfigure(configOf(`${yaml}timeouts: { closesPerSecond: 2 }`), [], fixture.now)).toEqual({ rerouted: 0, leaving: 5 });
    const left = [1, 2, 3].map(() => {
      fixture.wait(1000);
      return fixture.farm.state.sessions.size;
    });
    expect(left).toEqual([4, 2, 1]);
    expect(session.state).toBe('mining');
    expect(new Set(fixture.closed)).toEqual(new Set(['the configuration has no place for it']));
    const back = fixture.connect();
    fixture.subscribe(back);
    fixture.authorize(back, 'left.1');
    expect(fixture.heard(back)).toMatchObject([{ error: [24, 'Unauthorized worker: no route for this name', null] }]);
  });

  it('that takes a route away and its pool with it lets the machines go in the same way, at work until then', () => {
    const more = 'timeouts: { closesPerSecond: 2 }\n';
    const own = BASE.replace('lessee: left, pools: [ a ]', 'lessee: left, pools: [ d ]').replace('pools:\n', 'pools:\n  d: { url: stratum+tcp://d.example:1, user: u }\n');
    const fixture = new Fixture(`${own}${more}`);
    const d = fixture.live('d');
    const miners = Array.from({ length: 7 }, (_, count) => fixture.miner(`left.${count}`));
    const without = own.replace(/ {2}- \{ match: \{ worker: "left.*\n/, '').replace(/ {2}d: .*\n/, '');
    expect(fixture.farm.reconfigure(configOf(`${without}${more}`), [], fixture.now)).toEqual({ rerouted: 0, leaving: 7 });
    fixture.wait(1000);
    const { session, heard } = miners.at(-1)!;
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    expect(fixture.submitted(d)).toHaveLength(1);
    fixture.kill('d');
    fixture.wait(1000);
    expect(fixture.farm.state.sessions.size).toBe(3);
    fixture.wait(2000);
    expect(fixture.farm.state.sessions.size).toBe(0);
    expect(new Set(fixture.closed)).toEqual(new Set(['the configuration has no place for it']));
  });

  it('that takes a site away lets its machines go', () => {
    const fixture = new Fixture(BASE);
    fixture.live('a');
    fixture.miner('acme.1');
    fixture.connect();
    expect(apply(fixture, 'sites: { north:', 'sites: { south:')).toEqual({ rerouted: 0, leaving: 2 });
    fixture.wait(1000);
    expect(fixture.farm.state.sessions.size).toBe(0);
  });

  it('that puts another pool first moves machines there as soon as it lives, and ends links that no route needs', () => {
    const fixture = new Fixture(BASE);
    const a = fixture.live('a');
    fixture.live('b');
    const { session } = fixture.miner('acme.1');
    apply(fixture, / {2}a: [^]*?routes:[^]*?difficulty/, `  b: { url: stratum+tcp://b.example:1, user: u }
  c: { url: stratum+tcp://c.example:1, user: u }
routes: [ { match: { worker: "acme.*" }, lessee: acme, pools: [ c ] }, { pools: [ b ] } ]
difficulty`);
    // It works on for the pool that is gone until there is other work for it, however long that takes.
    fixture.wait(60_000);
    expect([a.state, session.link]).toEqual(['live', a]);
    fixture.job(a);
    expect(share(fixture, session, fixture.heard(session))).toMatchObject({ result: true });
    expect(fixture.submitted(a)).toHaveLength(1);
    const c = fixture.live('c');
    fixture.wait(1000);
    expect(session.link).toBe(c);
    expect(notifies(fixture.heard(session))).toBeGreaterThan(0);
    fixture.wait(1000);
    expect([a.state, fixture.closed]).toEqual(['ended', []]);
  });

  it('that names a pool again which had been taken away makes a link to it', () => {
    const fixture = new Fixture(BASE);
    const a = fixture.live('a');
    const { session } = fixture.miner('acme.1');
    const without = BASE.replace(/ {2}a: .*\n/, '').replace('pools: [ a, b ]', 'pools: [ c ]').replace('pools: [ a ]', 'pools: [ b ]').replace('{ pool: a, weight', '{ pool: c, weight').replace('], c ]', '] ]');
    fixture.farm.reconfigure(configOf(without), [], fixture.now);
    fixture.wait(2000);
    expect(session.link).toBe(a);
    fixture.farm.reconfigure(configOf(BASE), [], fixture.now);
    fixture.wait(2000);
    const again = fixture.live('a');
    fixture.wait(2000);
    expect([again === a, session.link, a.state]).toEqual([false, again, 'ended']);
    // And once more, with nobody left on it: it is gone with the next second.
    fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
    fixture.farm.reconfigure(configOf(without), [], fixture.now);
    fixture.wait(1000);
    expect(again.state).toBe('ended');
    fixture.wait(700_000);
    fixture.farm.reconfigure(configOf(BASE), [], fixture.now);
    fixture.wait(1000);
    expect(fixture.live('a').state).toBe('live');
    expect(fixture.closed).toEqual([]);
  });

  it('that only changes caps leaves a link alone that was made under another name and still waits for its successor', () => {
    const fixture = new Fixture(BASE);
    const old = fixture.live('a');
    const { session, heard } = fixture.miner('acme.1');
    apply(fixture, 'a.example:1, user: u', 'a.example:1, user: other');
    apply(fixture, 'a.example:1, user: u', 'a.example:1, user: other, submitsPerSecondMax: 7');
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    expect(fixture.submitted(old)[0]?.params?.[0]).toBe('u');
  });

  it('that reaches a pool in another way keeps the old link until the new one lives', () => {
    const fixture = new Fixture(BASE);
    const old = fixture.live('a');
    const { session, heard } = fixture.miner('acme.1');
    apply(fixture, 'a.example:1, user: u', 'a.example:1, user: other');
    expect([old.state, session.link]).toEqual(['live', old]);
    fixture.wait(2000);
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    const next = fixture.live('a');
    expect(next).not.toBe(old);
    fixture.wait(1000);
    expect(old.state).toBe('ended');
    expect(session.link).toBe(next);
    expect(next.outlet.user).toBe('other');
    expect(jobIn(fixture.heard(session)).id).not.toBe('');
    fixture.wait(5000);
    expect(fixture.farm.links().filter(({ pool, state }) => pool === 'a' && state === 'live')).toEqual([next]);
  });

  it('that reaches a pool in a way that does not work leaves the machines where they are', () => {
    const fixture = new Fixture(BASE);
    const old = fixture.live('a');
    const { session } = fixture.miner('acme.1');
    apply(fixture, 'a.example:1, user: u', 'nowhere.example:1, user: u');
    for (let tries = 0; tries < 5; tries += 1) {
      const dialled = fixture.link('a');
      if (dialled !== old) fixture.farm.linkClosed(dialled, 'no such host', fixture.now);
      fixture.wait(5000);
    }
    expect([old.state, session.link]).toEqual(['live', old]);
  });

  it('that only changes caps of a pool keeps its link', () => {
    const fixture = new Fixture(BASE);
    const link = fixture.live('a');
    apply(fixture, 'a.example:1, user: u', 'a.example:1, user: u, submitsPerSecondMax: 7, convention: xor');
    fixture.wait(2000);
    expect(link.state).toBe('live');
    expect([link.config.submitsPerSecondMax, link.convention]).toEqual([7, 'xor']);
    expect(fixture.links.filter(({ pool }) => pool === 'a')).toHaveLength(1);
  });

  it('that leaves a split as it is keeps machines in their part and what it had', () => {
    const fixture = new Fixture(BASE);
    fixture.live('a');
    fixture.live('b');
    const miners = [1, 2, 3, 4].map((number) => fixture.miner(`split.${number}`).session);
    const before = miners.map(({ part, link }) => [part, link]);
    apply(fixture, 'lessee: acme', 'lessee: cobalt');
    fixture.wait(2000);
    expect(miners.map(({ part, link }) => [part, link])).toEqual(before);
  });

  it('that adds terms of leases writes them down', () => {
    const fixture = new Fixture(BASE);
    fixture.live('a');
    fixture.miner('acme.1');
    const terms = {
      type: 'lease-terms', lease: 'acme-lb', kind: 'leaseback', workers: ['acme.*'], sites: [], from: [], timezone: 'UTC', fromMs: 0, toMs: 2e12, digest: 'd', terms: '{}', atMs: 0,
    };
    fixture.farm.reconfigure(configOf(BASE), [terms as never], fixture.now);
    expect(fixture.recorder.facts.filter(({ type }) => type === 'lease-terms').length).toBeGreaterThan(0);
  });

  it('sets limits and difficulties for all that comes after it', () => {
    const fixture = new Fixture(yamlOf());
    fixture.live('a');
    fixture.farm.reconfigure(configOf(yamlOf('limits: { sessionsMax: 1 }')), [], fixture.now);
    fixture.connect();
    expect(() => fixture.connect()).toThrow('takes no more');
  });
});
