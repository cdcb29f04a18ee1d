/** Globs over worker names: what they match, and that no name can make them slow. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findRoute, globMatches } from '../../../proxy/session/routes.ts';

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
  const routes = [
    { index: 0, site: 'north', worker: 'acme.*', lessee: 'acme', pools: ['a'] },
    { index: 1, site: 'north', worker: undefined, lessee: '', pools: ['b'] },
  ];

  it('are taken in order, by site and name', () => {
    expect(findRoute(routes, 'north', 'acme.1')?.index).toBe(0);
    expect(findRoute(routes, 'north', 'other')?.index).toBe(1);
    expect(findRoute(routes, 'south', 'acme.1')).toBeUndefined();
  });
});
