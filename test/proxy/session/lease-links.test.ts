/** Routes by lease, and links of a lease's own: who is on them, under which account, and what happens when a term begins and ends. */
import { describe, expect, it } from 'vitest';
import { leaseTermsFacts } from '../../../accounting/leases/terms.ts';
import type { Link } from '../../../proxy/session/link.ts';
import { Evidence } from '../../simulation/evidence.ts';
import { Fixture, share, yamlOf } from '../../simulation/fixture.ts';
import { configOf } from '../../simulation/sim-farm.ts';

/** The simulated clock begins on 9 October 2025, 08:53 UTC. */
function yaml(lease: string, routes = 'routes: [ { match: { lease: sale }, lessee: fund, pools: [ b, a ] }, { lessee: acme, pools: [ a, b ] } ]'): string {
  return `${yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }', routes)}
parties: { acme: { name: Acme }, fund: { name: Fund } }
leases:
  sale:
    kind: purchase
    lessor: acme
    lessee: fund
    machines: { workers: [ "acme.sold*" ] }
    timezone: UTC
    contracted: 1 TH/s
    rent: [ { fixed: 0.04 USD/TH/day, payer: fund, payee: acme } ]
    ${lease}`;
}

const ALWAYS = 'term: { from: 2025-01-01, to: 2026-01-01 }';

function start(text: string): Fixture {
  const fixture = new Fixture(text);
  fixture.farm.leases(leaseTermsFacts(configOf(text), fixture.now.wallMs), fixture.now);
  return fixture;
}

const accounts = (fixture: Fixture): unknown[] => fixture.links.map((link) => [link.pool, link.outlet.user, link.outlet.lease]);

/** Makes every link live that is not yet. */
function allLive(fixture: Fixture): void {
  for (const link of fixture.links) {
    if (link.state !== 'dialling') continue;
    fixture.farm.linkOpened(link, fixture.now);
    fixture.fromPool(link, { id: 1, result: { 'version-rolling': true, 'version-rolling.mask': '1fffe000' }, error: null });
    fixture.fromPool(link, { id: 2, result: [[], `0a0b0c${link.number.toString(16).padStart(2, '0')}`, 8], error: null });
    fixture.fromPool(link, { id: 3, result: true, error: null });
    fixture.difficulty(link, '0.000000059604644775390625');
    fixture.job(link);
  }
}

describe('a route by lease', () => {
  it('takes the machines that are under it at present', () => {
    const fixture = start(yaml(ALWAYS));
    allLive(fixture);
    expect([fixture.miner('acme.sold1').session.link?.pool, fixture.miner('acme.kept1').session.link?.pool]).toEqual(['b', 'a']);
    expect(fixture.recorder.of('bind').map(({ worker, lessee }) => [worker, lessee])).toEqual([['acme.sold1', 'fund'], ['acme.kept1', 'acme']]);
  });

  it('takes them when its term begins and gives them back when it ends, without a close and without a share lost', () => {
    const fixture = start(yaml('term: { from: 2025-10-10, to: 2025-10-11 }'));
    allLive(fixture);
    const { session, heard } = fixture.miner('acme.sold1');
    expect([session.link?.pool, session.binds[0]?.lessee]).toEqual(['a', 'acme']);
    const hours = (count: number): void => {
      for (let hour = 0; hour < count; hour += 1) {
        fixture.wait(3_600_000);
        fixture.send(session, { id: 9, method: 'mining.ping', params: [] });
        for (const link of fixture.links) if (link.state === 'live') fixture.job(link);
      }
    };
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    hours(16);
    expect([session.link?.pool, session.binds[0]?.lessee]).toEqual(['b', 'fund']);
    expect(share(fixture, session, fixture.heard(session))).toMatchObject({ result: true });
    hours(24);
    expect([session.link?.pool, session.binds[0]?.lessee]).toEqual(['a', 'acme']);
    const evidence = new Evidence();
    for (const fact of fixture.recorder.facts) evidence.read(fact);
    expect([evidence.orphans, fixture.closed]).toEqual([[], []]);
    const lesseeOf = new Map(fixture.recorder.of('bind').map(({ bind, lessee }) => [bind, lessee]));
    expect(fixture.recorder.of('share').map(({ bind, verdict }) => [lesseeOf.get(bind), verdict])).toEqual([['acme', 'accepted'], ['fund', 'accepted']]);
  });
});

describe('links of a lease alone', () => {
  const own = yaml(`${ALWAYS}\n    link: exclusive\n    accounts: { b: fund.account }`, 'routes: [ { lessee: "", pools: [ a, b ] } ]').replace('fund', 'fund');

  it('are opened when its first machine comes, under its account where it has one, and nobody else is on them', () => {
    const fixture = start(own);
    allLive(fixture);
    expect(accounts(fixture)).toEqual([['a', 'farm', ''], ['b', 'farm', '']]);
    const sold = fixture.miner('acme.sold1');
    expect(sold.session.link).toBeUndefined();
    fixture.wait(1000);
    expect(accounts(fixture).slice(2)).toEqual([['a', 'farm', 'sale'], ['b', 'fund.account', 'sale']]);
    allLive(fixture);
    const [, , ownA, ownB] = fixture.links as [Link, Link, Link, Link];
    expect(sold.session.link).toBe(ownA);
    const kept = fixture.miner('acme.kept1').session;
    expect(kept.link).toBe(fixture.links[0]);
    expect([ownA.sessions.size, fixture.links[0]?.sessions.size]).toEqual([1, 1]);
    // Failover stays within the lease's links.
    fixture.farm.linkClosed(ownA, 'gone', fixture.now);
    expect(sold.session.link).toBe(ownB);
    fixture.farm.linkClosed(ownB, 'gone', fixture.now);
    fixture.wait(500);
    expect([sold.session.link?.state, kept.link?.state]).toEqual(['ended', 'live']);
    expect(share(fixture, sold.session, fixture.heard(sold.session))).toMatchObject({ result: true });
    expect(fixture.submitted(fixture.links[0]!)).toEqual([]);
  });

  it('submit under the account of the lease', () => {
    const fixture = start(yaml(`${ALWAYS}\n    accounts: { a: fund.account }`, 'routes: [ { pools: [ a, b ] } ]'));
    const { session } = fixture.miner('acme.sold1');
    fixture.wait(1000);
    allLive(fixture);
    // Meanwhile it worked for the other pool, of which the lease has no account.
    expect(session.link?.pool).toBe('b');
    fixture.wait(31_000);
    const link = session.link!;
    expect([link.outlet.lease, link.outlet.user]).toEqual(['sale', 'fund.account']);
    fixture.job(link);
    expect(share(fixture, session, fixture.heard(session), -24)).toMatchObject({ result: true });
    expect(fixture.submitted(link)[0]?.params?.[0]).toBe('fund.account');
    expect(fixture.recorder.of('link').map(({ pool, user }) => [pool, user])).toContainEqual(['a', 'fund.account']);
  });

  it('are opened when a new configuration gives it an account, renewed when it gives another, and left when it takes it away', () => {
    const shared = 'routes: [ { pools: [ a, b ] } ]';
    const fixture = start(yaml(ALWAYS, shared));
    allLive(fixture);
    const { session } = fixture.miner('acme.sold1');
    const reload = (lease: string): unknown => {
      const text = yaml(lease, shared);
      const { wallMs } = fixture.now;
      fixture.farm.reconfigure(configOf(text), leaseTermsFacts(configOf(text), wallMs), fixture.now);
      for (let second = 0; second < 10; second += 1) {
        fixture.wait(1000);
        allLive(fixture);
      }
      return session.link?.outlet.user;
    };
    expect(reload(`${ALWAYS}\n    link: exclusive\n    accounts: { a: one }`)).toBe('one');
    expect(reload(`${ALWAYS}\n    link: exclusive\n    accounts: { a: two }`)).toBe('two');
    expect(reload(ALWAYS)).toBe('farm');
    expect([session.link, fixture.closed]).toEqual([fixture.links[0], []]);
  });

  it('take over when the term begins, and are closed when it has long ended', () => {
    const fixture = start(yaml('term: { from: 2025-10-10, to: 2025-10-11 }\n    link: exclusive', 'routes: [ { pools: [ a, b ] } ]'));
    allLive(fixture);
    const { session } = fixture.miner('acme.sold1');
    const shared = session.link;
    const hours = (count: number): void => {
      for (let quarter = 0; quarter < 4 * count; quarter += 1) {
        fixture.wait(900_000);
        fixture.send(session, { id: 9, method: 'mining.ping', params: [] });
        allLive(fixture);
        for (const link of fixture.links) if (link.state === 'live') fixture.job(link);
      }
    };
    hours(15);
    expect(session.link).toBe(shared);
    hours(1);
    expect(session.link?.outlet.lease).toBe('sale');
    hours(25);
    expect(session.link).toBe(shared);
    expect(fixture.links.filter(({ state }) => state === 'live').map(({ outlet }) => outlet.lease)).toEqual(['', '']);
    expect(fixture.closed).toEqual([]);
  });
});
