/** Worker names passed on to a pool over a shared link: taken, refused, taken back, and never a flood. */
import { describe, expect, it } from 'vitest';
import { answer, Fixture, share, yamlOf } from '../../simulation/fixture.ts';

const yaml = yamlOf('', 'routes: [ { lessee: acme, pools: [ a ] } ]').replace(/, b: .*/, ' }').replace('user: farm }', 'user: farm, password: pw, identity: passthrough }');

/** Names that the pool has been asked for since the last look, with the requests. */
function asked(fixture: Fixture): { id: unknown; worker: unknown; password: unknown }[] {
  const sent = fixture.sentTo(fixture.link('a')).filter(({ method }) => method === 'mining.authorize');
  return sent.map(({ id, params }) => ({ id, worker: params?.[0], password: params?.[1] })).filter(({ worker }) => worker !== 'farm');
}

describe('identity: passthrough', () => {
  /** Hands in a share of new work and returns the name that the pool heard. */
  const nameOf = (fixture: Fixture, session: Parameters<typeof share>[1], error: unknown = null): unknown => {
    const link = fixture.link('a');
    fixture.job(link);
    expect(share(fixture, session, fixture.heard(session), -24)).toMatchObject({ result: true });
    const [submit] = fixture.submitted(link);
    answer(fixture, link, submit!, error);
    return submit?.params?.[0];
  };

  it('submits under the name of the worker once the pool has taken it', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { session } = fixture.miner('acme.r1');
    expect(nameOf(fixture, session)).toBe('farm');
    fixture.wait(1000);
    const [request] = asked(fixture);
    expect(request).toMatchObject({ worker: 'acme.r1', password: 'pw' });
    expect(nameOf(fixture, session)).toBe('farm');
    fixture.fromPool(link, { id: request!.id, result: true, error: null });
    expect(nameOf(fixture, session)).toBe('acme.r1');
    fixture.miner('acme.r1');
    fixture.wait(2000);
    expect(asked(fixture)).toEqual([]);
  });

  it('leaves refused names under the account of the link, and counts them', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { session } = fixture.miner('acme.r1');
    fixture.wait(1000);
    fixture.fromPool(link, { id: asked(fixture)[0]!.id, result: false, error: null });
    expect([nameOf(fixture, session), link.state]).toEqual(['farm', 'live']);
    expect(fixture.farm.state.counters.namesRefused).toBe(1);
    fixture.wait(5000);
    expect(asked(fixture)).toEqual([]);
  });

  it('takes a name back when the pool refuses a share for it', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { session } = fixture.miner('acme.r1');
    fixture.wait(1000);
    fixture.fromPool(link, { id: asked(fixture)[0]!.id, result: true, error: null });
    expect(nameOf(fixture, session, [24, 'Unauthorized worker', null])).toBe('acme.r1');
    expect(nameOf(fixture, session)).toBe('farm');
    expect(fixture.recorder.of('pool-verdict').at(-2)).toMatchObject({ verdict: 'rejected', reason: 'unauthorised' });
  });

  it('asks for the names of a whole hall a few at a time, and anew on a new link', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a');
    for (let index = 0; index < 120; index += 1) fixture.miner(`acme.m${index}`);
    const seconds = [1, 2, 3, 4].map(() => {
      fixture.wait(1000);
      return asked(fixture).length;
    });
    expect(seconds).toEqual([50, 50, 20, 0]);
    fixture.kill('a');
    fixture.wait(2000);
    fixture.live('a');
    fixture.wait(1000);
    expect(asked(fixture)).toHaveLength(50);
  });
});
