/** Terms of leases are written down before the work they claim, and their changes when they happen. */
import { describe, expect, it } from 'vitest';
import type { LeaseTermsFact } from '../../../proxy/session/facts.ts';
import { exponentIn, find, Fixture, jobIn, mining, submitParams } from '../../simulation/fixture.ts';

const terms = (over: Partial<LeaseTermsFact> = {}): LeaseTermsFact => ({
  type: 'lease-terms', lease: 'acme-lb', kind: 'leaseback', digest: 'd1', terms: '{}', workers: ['acme.*'], sites: [], from: [], timezone: 'UTC', fromMs: 1, toMs: 4e12, atMs: 0, ...over,
});

const told = (fixture: Fixture): string[] => fixture.recorder.of('lease-terms').map(({ lease, digest, fromMs, toMs }) => `${lease} ${digest}${fromMs === toMs ? ' claims nothing' : ''}`);
const live = (fixture: Fixture): string[] => [...fixture.farm.liveFacts()].flatMap((fact) => (fact.type === 'lease-terms' ? [`${fact.lease} ${fact.digest} ${fact.toMs}`] : []));

describe('terms of leases', () => {
  it('are journaled once, with the moment, and again when they change', () => {
    const fixture = new Fixture();
    fixture.farm.leases([terms(), terms({ lease: 'host', kind: 'hosting' })], fixture.now);
    fixture.monoMs += 5000;
    fixture.farm.leases([terms({ digest: 'd2' }), terms({ lease: 'host', kind: 'hosting' })], fixture.now);
    expect(told(fixture)).toEqual(['acme-lb d1', 'host d1', 'acme-lb d2']);
    expect(fixture.recorder.of('lease-terms').map(({ atMs }) => atMs - fixture.now.wallMs)).toEqual([-5000, -5000, 0]);
  });

  it('that are gone claim nothing, once and for all', () => {
    const fixture = new Fixture();
    for (const each of [[terms()], [], [], [terms()]]) fixture.farm.leases(each, fixture.now);
    expect(told(fixture)).toEqual(['acme-lb d1', 'acme-lb d1 claims nothing', 'acme-lb d1']);
  });

  it('come first in the head of a segment, with what they were as long as verdicts on earlier shares may come', () => {
    const fixture = new Fixture();
    fixture.farm.leases([terms({ toMs: 2e12 })], fixture.now);
    fixture.farm.leases([terms({ digest: 'd2', toMs: 3e12 })], fixture.now);
    expect(live(fixture)).toEqual(['acme-lb d1 2000000000000', 'acme-lb d2 3000000000000']);
    fixture.wait(601_000, false);
    expect(live(fixture)).toEqual(['acme-lb d2 3000000000000']);
  });

  it('that come while machines work claim nothing of before', () => {
    const fixture = new Fixture();
    fixture.live('a');
    mining(fixture);
    fixture.farm.leases([terms()], fixture.now);
    expect(told(fixture)).toEqual(['acme-lb d1 claims nothing', 'acme-lb d1']);
  });

  it('bound the difficulty of their machines, so that the lease stays measurable: vardiff, d= and suggestions alike', () => {
    // 20 shares a minute at 2^-26 and a little: k may be -26 and no more.
    const lease = { contracted: String(Math.ceil(((20 / 60) * 2 ** 48 * 2 ** -26 * 1.5) / 65_535)), minSharesPerMinute: 20 };
    const fixture = new Fixture();
    fixture.farm.leases([terms({ terms: JSON.stringify({ lease }) })], fixture.now);
    fixture.live('a', '1');
    const told = (worker: string, password: string): number | undefined => exponentIn(fixture.miner(worker, password).heard);
    expect([told('acme.r1', 'x'), told('acme.r2', 'd=0.5'), told('acme.r3', 'd=0.000000001')]).toEqual([-26, -26, -30]);
    expect([told('other.r1', 'x'), told('other.r2', 'd=0.5')]).toEqual([-24, -1]);
    const session = fixture.connect();
    fixture.subscribe(session);
    fixture.send(session, { id: null, method: 'mining.suggest_difficulty', params: [1] });
    fixture.authorize(session);
    expect(exponentIn(fixture.heard(session))).toBe(-26);
    // A lease that is gone bounds nothing.
    fixture.farm.leases([], fixture.now);
    fixture.job(fixture.link('a'));
    expect(exponentIn(fixture.heard(session))).toBe(0);
  });

  it('stand with shares that could not be journaled', () => {
    const fixture = new Fixture();
    fixture.farm.leases([terms(), terms({ lease: 'host', kind: 'hosting', workers: [], sites: ['north'] })], fixture.now);
    fixture.live('a');
    const { send } = mining(fixture);
    fixture.commit();
    send(0);
    fixture.recorder.fail(fixture.farm, fixture.now);
    fixture.wait(2000);
    expect(fixture.recorder.of('unjournaled')).toMatchObject([{ site: 'north', leases: 'acme-lb,host', count: 1 }]);
  });

  it('stand with such a share as they were at its moment and for its name, whatever the one before it was under', () => {
    const fixture = new Fixture();
    const host = terms({ lease: 'host', kind: 'hosting', workers: [] });
    const ends = terms({ toMs: fixture.now.wallMs + 100_000 });
    fixture.farm.leases([ends], fixture.now);
    fixture.live('a');
    const { session, heard } = fixture.miner();
    fixture.authorize(session, 'other.r2');
    const shares = find(session, jobIn(heard), exponentIn(heard) ?? 0, 5);
    const lose = (index: number, worker: string): string | undefined => {
      fixture.commit();
      fixture.send(session, { id: index, method: 'mining.submit', params: submitParams(shares[index]!, worker) });
      fixture.recorder.fail(fixture.farm, fixture.now);
      fixture.wait(2000);
      return fixture.recorder.of('unjournaled').at(-1)?.leases;
    };
    expect([lose(0, 'acme.r1'), lose(1, 'other.r2')]).toEqual(['acme-lb', '']);
    fixture.farm.leases([ends, host], fixture.now);
    expect([lose(2, 'other.r2'), lose(3, 'acme.r1')]).toEqual(['host', 'acme-lb,host']);
    fixture.wait(100_000);
    expect(lose(4, 'acme.r1')).toBe('host');
  });
});
