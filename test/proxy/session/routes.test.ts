/** Globs over worker names: what they match, and that no name can make them slow. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRoutes, findRoute, globMatches } from '../../../proxy/session/routes.ts';
import { configOf } from '../../simulation/sim-farm.ts';

describe('a glob', () => {
  it.each([
    ['*', '', true],
    ['*', 'acme.r1', true],
    ['acme.*', 'acme.r1', true],
    ['acme.*', 'acme', false],
    ['acme.*', 'xacme.r1', false],
    ['acme.r?', 'acme.r1', true],
    ['acme.r?', 'acme.r', false],
    ['acme.r?', 'acme.r12', false],
    ['*.north.*', 'a.b.north.c', true],
    ['a*b*c', 'aXbXbXc', true],
    ['a*b*c', 'aXbXbX', false],
    ['a+b', 'a+b', true],
    ['a+b', 'aab', false],
    ['a.b', 'axb', false],
    ['**', 'x\ny', true],
    ['', '', true],
    ['', 'a', false],
  ])('%s on %j: %s', (glob, text, matches) => {
    expect(globMatches(glob, text)).toBe(matches);
  });

  it('agrees with a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
    const globs = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(globs, letters, (glob, text) => {
        const pattern = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
        expect(globMatches(glob, text)).toBe(pattern.test(text));
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it('needs no more than glob × name steps for a hostile name of 16 KiB', () => {
    const name = 'a'.repeat(16 * 1024);
    const started = performance.now();
    for (let round = 0; round < 20; round += 1) expect(globMatches(`${'a*'.repeat(20)}b`, name)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('routes', () => {
  const routes = (yaml: string) => compileRoutes(configOf(`
data: /nowhere
sites: { north: { listen: [ "0.0.0.0:1", "0.0.0.0:2" ] }, south: { listen: [ "0.0.0.0:3" ] } }
pools: { a: { url: "stratum+tcp://a.example:1", user: u }, b: { url: "stratum+tcp://b.example:1", user: u }, c: { url: "stratum+tcp://c.example:1", user: u } }
routes: ${yaml}`).routes);
  const north = { site: 'north', listener: '0.0.0.0:1', userAgent: 'cgminer/4.12', leases: [] };

  it('are taken in order, by site, listener, name and software', () => {
    const taken = routes(`[
      { match: { site: south }, pools: [ c ] },
      { match: { listener: "0.0.0.0:2" }, pools: [ a ] },
      { match: { userAgent: "bosminer*" }, pools: [ b ] },
      { match: { worker: "acme.*" }, pools: [ a ] },
      { pools: [ b ] } ]`);
    const of = (traveller: Partial<typeof north>, worker = 'x') => findRoute(taken, { ...north, ...traveller }, worker)?.index;
    expect([of({ site: 'south' }), of({ listener: '0.0.0.0:2' }), of({ userAgent: 'bosminer-plus/1' }), of({}, 'acme.1'), of({})]).toEqual([0, 1, 2, 3, 4]);
    expect(findRoute(taken.slice(0, 1), north, 'acme.1')).toBeUndefined();
  });

  it.each([
    ['acme%2Er1', 0],
    ['acme.r%201', 0],
    ['%61cme.r1', 0],
    ['acme%252Er1', undefined],
    ['acme%2', undefined],
    ['50%.r1', 1],
    ['b%2Ec', 2],
  ])('match the name %s also as its owner typed it', (worker, index) => {
    const taken = routes('[ { match: { worker: "acme.*" }, pools: [ a ] }, { match: { worker: "50%.*" }, pools: [ b ] }, { match: { worker: "b%2E*" }, pools: [ c ] } ]');
    expect(findRoute(taken, north, worker)?.index).toBe(index);
  });

  it('have an order of failover for each part of a split: its own pools, those of the other parts, and what stands behind', () => {
    const [route] = routes('[ { pools: [ [ { pool: a, weight: 65 }, { pool: b, weight: 35 } ], c ] } ]');
    expect(route).toMatchObject({ pools: ['a', 'b', 'c'], parts: [{ weight: 65, pools: ['a'] }, { weight: 35, pools: ['b'] }], orders: [['a', 'b', 'c'], ['b', 'a', 'c']] });
    const [nested] = routes('[ { pools: [ { pool: [ a, c ], weight: 1 }, { pool: [ b, c ], weight: 1 } ] } ]');
    expect(nested?.orders).toEqual([['a', 'c', 'b'], ['b', 'c', 'a']]);
    expect(routes('[ { pools: [ b, a, c ] } ]')[0]).toMatchObject({ parts: [], orders: [['b', 'a', 'c']] });
  });
});
