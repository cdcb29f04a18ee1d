/** Which leases a share belongs to: at most one of each kind, by worker, site, address and time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeaseBook, leaseIds, type LeaseClaim } from '../../../proxy/session/leases.ts';
import { globMatches } from '../../../proxy/session/routes.ts';

const claim = (over: Partial<LeaseClaim>): LeaseClaim => ({ lease: 'a', kind: 'leaseback', workers: ['acme.*'], sites: [], from: [], timezone: 'UTC', fromMs: 1000, toMs: 2000, atMs: 0, ...over });

function bookOf(...claims: LeaseClaim[]): LeaseBook {
  const book = new LeaseBook();
  for (const each of claims) book.apply(each);
  return book;
}

function leasesOf(book: LeaseBook, ...share: Parameters<LeaseBook['inForce']>): string[] {
  return leaseIds(book.inForce(...share).leases);
}

describe('a share', () => {
  it('is a lease\'s from the first moment of its term to before its end', () => {
    const book = bookOf(claim({}));
    expect([999, 1000, 1999, 2000].map((at) => leasesOf(book, 'acme.1', 'north', '10.0.0.1:1', at))).toEqual([[], ['a'], ['a'], []]);
    expect(leasesOf(book, 'globex.1', 'north', '10.0.0.1:1', 1500)).toEqual([]);
    expect(leasesOf(book, 'acme%2E1', 'north', '10.0.0.1:1', 1500)).toEqual(['a']);
  });

  it('is under a leaseback and a hosting contract at once, under two of a kind never', () => {
    const book = bookOf(claim({ lease: 'z-host', kind: 'hosting' }), claim({}), claim({ lease: 'b', fromMs: 1500 }));
    expect(leasesOf(book, 'acme.1', 'n', '', 1200)).toEqual(['a', 'z-host']);
    expect(leasesOf(book, 'acme.1', 'n', '', 1600)).toEqual(['b', 'z-host']);
  });

  it.each([
    ['10.1.2.3:4028', true], ['10.2.0.1:4028', false], ['::ffff:10.1.2.3:4028', true], ['[::ffff:10.1.2.3]:4028', true], ['[2001:db8:1::7]:4028', true], ['2001:db8:2::7:4028', false], ['', false],
  ])('from %s is of a lease over 10.1.0.0/16 and 2001:db8:1::/48: %s', (address, taken) => {
    const book = bookOf(claim({ workers: [], sites: ['north'], from: ['10.1.0.0/16', '2001:db8:1::/48'] }));
    expect(leasesOf(book, 'any', 'north', address, 1500)).toEqual(taken ? ['a'] : []);
    expect(leasesOf(book, 'any', 'south', address, 1500)).toEqual([]);
  });

  it('follows what was journaled last', () => {
    const book = bookOf(claim({}));
    expect(leasesOf(book, 'acme.1', 'n', '', 1500)).toEqual(['a']);
    book.apply(claim({ workers: ['other.*'] }));
    expect(leasesOf(book, 'acme.1', 'n', '', 1500)).toEqual([]);
    book.apply(claim({ toMs: 1000 }));
    expect(leasesOf(book, 'acme.1', 'n', '', 1500)).toEqual([]);
  });

  it('of a machine that moves is found by where it is, whatever was asked before', () => {
    const name = fc.constantFrom('a.1', 'a.2', 'b.1');
    const site = fc.constantFrom('north', 'south', '');
    const address = fc.constantFrom('10.1.0.1:1', '10.2.0.1:1', '[2001:db8::1]:1');
    const anyClaim = fc.record({
      lease: fc.constantFrom('l1', 'l2', 'l3', 'l4'), kind: fc.constantFrom('leaseback' as const, 'hosting' as const, 'purchase' as const),
      workers: fc.subarray(['a.*', '*.1', '??2']), sites: fc.subarray(['north', 'south']), from: fc.subarray(['10.1.0.0/16', '2001:db8::/32']),
      timezone: fc.constant('UTC'), fromMs: fc.nat(10), toMs: fc.nat(20), atMs: fc.constant(0),
    });
    const inRange: Record<string, string> = { '10.1.0.1:1': '10.1.0.0/16', '[2001:db8::1]:1': '2001:db8::/32', '10.2.0.1:1': '' };
    fc.assert(fc.property(fc.array(anyClaim, { maxLength: 6 }), fc.array(fc.tuple(name, site, address, fc.nat(25)), { maxLength: 20 }), (claims, shares) => {
      const book = bookOf(...claims);
      const last = [...new Map(claims.map((each) => [each.lease, each])).values()];
      for (const [worker, at, from, ms] of shares) {
        const mine = last.filter((each) => each.fromMs <= ms && ms < each.toMs
          && (each.workers.length === 0 || each.workers.some((glob) => globMatches(glob, worker)))
          && (each.sites.length === 0 || each.sites.includes(at)) && (each.from.length === 0 || each.from.includes(inRange[from] ?? '')));
        const found = leasesOf(book, worker, at, from, ms);
        expect(new Set(found.map((id) => last.find((each) => each.lease === id)?.kind)).size).toBe(found.length);
        expect(new Set(mine.map(({ kind }) => kind)).size).toBe(found.length);
        for (const id of found) expect(mine.map((each) => each.lease)).toContain(id);
      }
    }));
  });

  it('has the terms that were recorded before it, also once they have changed, and the first ones on a clock that was set back', () => {
    const book = bookOf(claim({ fromMs: 0, atMs: 1200 }), claim({ fromMs: 0, workers: ['other.*'], atMs: 1300 }), claim({ fromMs: 0, toMs: 0, atMs: 1400 }));
    expect([1000, 1250, 1299, 1300].map((at) => leasesOf(book, 'acme.1', 'n', '', at))).toEqual([['a'], ['a'], ['a'], []]);
    expect([1299, 1350, 1400].map((at) => leasesOf(book, 'other.1', 'n', '', at))).toEqual([[], ['a'], []]);
    expect(book.inForce('acme.1', 'n', '', 1250)).toMatchObject({ fromMs: 1200, toMs: 1300, key: 'a@UTC' });
  });

  it('has its leases as one text in a row', () => {
    expect(leaseIds('a,b')).toEqual(['a', 'b']);
    expect(leaseIds('')).toEqual([]);
  });
});
