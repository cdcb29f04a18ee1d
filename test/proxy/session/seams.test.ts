/** Seams between reload, leases, layouts and the head of a segment. */
import { describe, expect, it } from 'vitest';
import { Fold } from '../../../accounting/fold.ts';
import { leaseTermsFacts } from '../../../accounting/leases/terms.ts';
import { answer, find, Fixture, jobIn, share, yamlOf } from '../../simulation/fixture.ts';
import { hex8, notifyParams } from '../../rig/work.ts';
import { configOf } from '../../simulation/sim-farm.ts';

/** Of the simulated clock's first moment. */
const SEGMENT = { segment: 'seg', process: '00000000-0000-0000-0000-000000000000', createdMs: 1_760_000_000_000 };

function connected(fold: Fold): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const row of fold.take().worker_connected.values()) sums[row.lessee] = (sums[row.lessee] ?? 0) + row.connected_ms;
  return sums;
}

const LEASED = (routes: string): string => `${yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }', routes)}
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
    term: { from: 2025-01-01, to: 2026-01-01 }`;

describe('a seam', () => {
  it('a reload that brings a lease together with its route closes nobody', () => {
    const fixture = new Fixture(yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }', 'routes: [ { match: { worker: "acme.sold*" }, lessee: acme, pools: [ a, b ] } ]'));
    fixture.live('a');
    const { session } = fixture.miner('acme.sold1');
    const next = configOf(LEASED('routes: [ { match: { lease: sale }, lessee: fund, pools: [ a, b ] } ]'));
    const outcome = fixture.farm.reconfigure(next, leaseTermsFacts(next, fixture.now.wallMs), fixture.now);
    fixture.wait(8000);
    expect([outcome, session.state, fixture.closed]).toEqual([{ rerouted: 1, leaving: 0 }, 'mining', []]);
  });

  it('a rebound name is connected under one lessee at a time', () => {
    const fixture = new Fixture(yamlOf());
    fixture.live('a');
    fixture.miner();
    fixture.wait(60_000);
    fixture.farm.reconfigure(configOf(yamlOf('', 'routes: [ { lessee: cobalt, pools: [ a, b ] } ]')), [], fixture.now);
    fixture.wait(120_000);
    const fold = new Fold();
    const segment = fold.segment(SEGMENT);
    for (const fact of fixture.recorder.facts) segment.apply(fact);
    segment.end();
    const sums = connected(fold);
    expect((sums['acme'] ?? 0) + (sums['cobalt'] ?? 0)).toBeLessThanOrEqual(181_000);
  });

  it('a session that ended before a segment began is not connected in it', () => {
    const fixture = new Fixture(yamlOf());
    const a = fixture.live('a');
    const { session, heard } = fixture.miner();
    share(fixture, session, heard);
    expect(fixture.submitted(a).length).toBe(1);
    fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
    fixture.commit();
    const before = fixture.recorder.facts.length;
    const head = [...fixture.farm.liveFacts()];
    fixture.wait(120_000);
    const fold = new Fold();
    const segment = fold.segment({ ...SEGMENT, createdMs: fixture.now.wallMs - 120_000 });
    for (const fact of head) segment.context(fact);
    for (const fact of fixture.recorder.facts.slice(before)) segment.apply(fact);
    segment.end();
    expect(connected(fold)).toEqual({});
  });

  it('a reload that narrows a layout leaves connected machines at work', () => {
    const wide = yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }').replace('[ "127.0.0.1:0" ]', '[ "127.0.0.1:0" ], extranonce: "4+8"');
    const fixture = new Fixture(wide);
    const a = fixture.live('a', undefined, 16);
    const { session } = fixture.miner();
    const next = configOf(yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }'));
    fixture.farm.reconfigure(next, [], fixture.now);
    fixture.heard(session);
    fixture.job(a);
    expect(fixture.heard(session).filter(({ method }) => method === 'mining.notify').length).toBe(1);
  });

  it('a lease with links of its own has none to pools of other routes', () => {
    const text = LEASED(`routes:
  - { match: { lease: sale }, lessee: fund, pools: [ a ] }
  - { match: { worker: "split.*" }, pools: [ [ { pool: b, weight: 1 }, { pool: a, weight: 1 } ] ] }`).replace('    kind: purchase', '    kind: purchase\n    link: exclusive');
    const fixture = new Fixture(text);
    fixture.farm.leases(leaseTermsFacts(configOf(text), fixture.now.wallMs), fixture.now);
    fixture.live('a');
    fixture.live('b');
    fixture.miner('acme.sold1');
    fixture.wait(2000);
    fixture.live('a');
    fixture.wait(5000);
    const own = fixture.links.filter(({ outlet }) => outlet.lease === 'sale').map(({ pool }) => pool);
    expect(own).toEqual(['a']);
  });

  it('work that a pool repeats after a reload that widens a layout is the same work', () => {
    const quiet = 'timeouts: { poolSilent: 3600s, idle: 24h }';
    const fixture = new Fixture(yamlOf(quiet));
    const a = fixture.live('a', undefined, 16);
    const { session, heard } = fixture.miner();
    const job = fixture.job(a);
    heard.push(...fixture.heard(session));
    const [found] = find(session, jobIn(heard), -24);
    const send = (jobId: string): unknown => {
      fixture.send(session, { id: 's', method: 'mining.submit', params: ['acme.r1', jobId, found!.extranonce2, hex8(found!.ntime), hex8(found!.nonce)] });
      fixture.commit();
      return fixture.heard(session).find(({ id }) => id === 's')?.result ?? false;
    };
    const first = send(found!.jobId);
    const wide = yamlOf(quiet).replace('[ "127.0.0.1:0" ]', '[ "127.0.0.1:0" ], extranonce: "4+8"');
    fixture.farm.reconfigure(configOf(wide), [], fixture.now);
    fixture.fromPool(a, { id: null, method: 'mining.notify', params: notifyParams(job) });
    const again = send(jobIn(fixture.heard(session)).id);
    expect([first, again]).toEqual([true, false]);
  });

  it('a lease that comes while nobody is connected does not take the verdict of a share that was none of its own', () => {
    const routes = 'routes: [ { lessee: fund, pools: [ a, b ] } ]';
    const fixture = new Fixture(yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }', routes));
    const a = fixture.live('a');
    const { session, heard } = fixture.miner('acme.sold1');
    share(fixture, session, heard);
    const [submit] = fixture.submitted(a);
    fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
    fixture.wait(1000);
    const next = configOf(LEASED(routes));
    fixture.farm.reconfigure(next, leaseTermsFacts(next, fixture.now.wallMs), fixture.now);
    answer(fixture, a, submit!);
    const fold = new Fold();
    const segment = fold.segment(SEGMENT);
    for (const fact of fixture.recorder.facts) segment.apply(fact);
    const { credited_minute: credited, delivered_minute: delivered } = fold.take();
    expect([...delivered.values(), ...credited.values()].map(({ leases, n }) => [leases, n])).toEqual([['', 1], ['', 1]]);
  });
});
