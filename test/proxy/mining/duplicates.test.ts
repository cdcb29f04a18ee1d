/** Duplicate sets: per work, bounded, dropped with the work; and what makes two jobs the same work. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import { DuplicateSets, workIdentity } from '../../../proxy/mining/duplicates.ts';
import { jobOf, SHARES, unhex, vector } from './fixtures.ts';

describe('DuplicateSets', () => {
  it('claims each hash once a work', () => {
    const random = seededRandom(1);
    const sets = new DuplicateSets(1000);
    const hash = random.bytes(32);
    expect(sets.claim('a', hash)).toBe('new');
    expect(sets.claim('a', hash)).toBe('duplicate');
    expect(sets.claim('b', hash)).toBe('new');
    expect(sets.claim('a', random.bytes(32))).toBe('new');
    expect(sets.entries).toBe(3);
  });

  it('is full at its limit, and still knows duplicates then', () => {
    const random = seededRandom(2);
    const sets = new DuplicateSets(10);
    const first = random.bytes(32);
    sets.claim('a', first);
    for (let n = 1; n < 10; n++) expect(sets.claim('a', random.bytes(32))).toBe('new');
    expect(sets.claim('a', random.bytes(32))).toBe('full');
    expect(sets.claim('b', random.bytes(32))).toBe('full');
    expect(sets.claim('a', first)).toBe('duplicate');
    sets.drop('a');
    sets.drop('never seen');
    expect(sets.entries).toBe(0);
    expect(sets.claim('a', first)).toBe('new');
  });

  it('tells hashes apart that share their leading zeros', () => {
    const sets = new DuplicateSets(100);
    for (const share of SHARES) expect(sets.claim('a', unhex(share.expectedHashBE).reverse())).toBe('new');
    for (const share of SHARES) expect(sets.claim('a', unhex(share.expectedHashBE).reverse())).toBe('duplicate');
  });
});

describe('workIdentity', () => {
  const job = jobOf(vector('public-pool-bitaxe-gamma-bm1370'));

  it('is the same for a refreshed job and for another version', () => {
    const same = { ...job, ntime: job.ntime + 30, version: 0x20000004, versionMask: 0, coinb1: job.coinb1.slice() };
    expect(workIdentity(same)).toBe(workIdentity(job));
  });

  it('differs with anything else that reaches the header', () => {
    const changed = [
      { ...job, coinb1: job.coinb1.slice(1) },
      { ...job, coinb2: job.coinb2.slice(1) },
      { ...job, branches: job.branches.slice(32) },
      { ...job, prevhash: job.prevhash.slice().fill(0) },
      { ...job, nBits: job.nBits + 1 },
      // The same bytes divided differently are another place for the extranonce.
      { ...job, coinb1: Buffer.concat([job.coinb1, job.coinb2.subarray(0, 1)]), coinb2: job.coinb2.slice(1) },
    ];
    expect(new Set([job, ...changed].map((each) => workIdentity(each))).size).toBe(changed.length + 1);
  });
});
