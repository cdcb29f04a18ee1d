/** Several links to one pool: as many as its sessions need under the cap, and all of them alike. */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../proxy/session/session.ts';
import { Fixture, share, yamlOf } from '../../simulation/fixture.ts';

const ROUTE = 'routes: [ { lessee: acme, pools: [ a ] } ]';
const yaml = yamlOf('timeouts: { poolSilent: 3600s, idle: 24h }', ROUTE).replace(/, b: .*/, ' }').replace('user: farm }', 'user: farm, aggregation: 3 }');

describe('links of one pool', () => {
  const crowd = (fixture: Fixture, count: number): Session[] => Array.from({ length: count }, (_, index) => fixture.miner(`acme.m${index}`).session);
  const loads = (fixture: Fixture): number[] => fixture.links.filter(({ state }) => state === 'live').map(({ sessions }) => sessions.size);

  it('become more than one when the cap is reached, and nobody waits for them', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a');
    const sessions = crowd(fixture, 7);
    expect(loads(fixture)).toEqual([7]);
    fixture.wait(1000);
    expect(fixture.links).toHaveLength(2);
    fixture.live('a');
    expect(loads(fixture)).toEqual([4, 3]);
    fixture.wait(1000);
    fixture.live('a');
    expect(loads(fixture)).toEqual([3, 3, 1]);
    fixture.wait(1000);
    expect(fixture.links).toHaveLength(3);
    const last = fixture.miner('acme.m8');
    expect(last.session.link).toBe(fixture.links[2]);
    expect(share(fixture, last.session, last.heard)).toMatchObject({ result: true });
    expect(fixture.submitted(fixture.links[2]!)).toHaveLength(1);
    expect([fixture.closed, sessions.filter(({ link }) => link?.state !== 'live')]).toEqual([[], []]);
  });

  it('stand in for one another when one dies, whatever the cap', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a');
    crowd(fixture, 4);
    fixture.wait(1000);
    fixture.live('a');
    expect(loads(fixture)).toEqual([3, 1]);
    fixture.farm.linkClosed(fixture.links[0]!, 'connection reset', fixture.now);
    expect(loads(fixture)).toEqual([4]);
    fixture.wait(2000);
    fixture.live('a');
    expect(loads(fixture)).toEqual([3, 1]);
  });

  it('are closed again when they have not been needed for ten minutes, and not dialled anew', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a');
    const sessions = crowd(fixture, 4);
    fixture.wait(1000);
    const second = fixture.live('a');
    for (const session of sessions.filter(({ link }) => link === second)) fixture.farm.disconnected(session, 'closed', fixture.now);
    fixture.wait(590_000);
    expect(second.state).toBe('live');
    fixture.wait(20_000);
    expect(second.state).toBe('ended');
    fixture.wait(120_000);
    expect(fixture.links).toHaveLength(2);
  });
});
