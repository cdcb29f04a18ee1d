/** Version rolling: the three conventions, what each can express, and which one a share proves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { referenceHeader } from '../../../proxy/mining/reference.ts';
import { bitsFor, candidateVersions, combine, grantableMask, type Convention } from '../../../proxy/mining/versions.ts';
import { hashBE, hex, jobOf, MISTAKEN, u32, unhex, vector } from './fixtures.ts';

const MASK = 0x1fffe000;
const u32s = fc.integer({ min: 0, max: 0xffffffff });
const conventions: Convention[] = ['replace', 'xor', 'or'];

describe('published conventions', () => {
  it.each(MISTAKEN.conventions)('$jobVersion and $versionBits by $convention', (row) => {
    const share = vector(row.base);
    const version = combine(row.convention, u32(row.jobVersion), u32(row.mask), u32(row.versionBits));
    expect(version).toBe(u32(row.headerVersion));
    const extranonce = unhex(share.extranonce1 + share.extranonce2);
    const { header, hash } = referenceHeader(jobOf(share), extranonce, u32(share.ntime), u32(share.nonce), version);
    expect(hex(header)).toBe(row.headerHex);
    expect(hashBE(hash)).toBe(row.hashBE);
  });
});

describe('properties', () => {
  it('bitsFor inverts combine wherever it answers', () => {
    fc.assert(
      fc.property(fc.constantFrom(...conventions), u32s, u32s, u32s, (convention, job, mask, header) => {
        const bits = bitsFor(convention, job, mask, header);
        if (bits === undefined) return;
        expect(combine(convention, job, mask, bits)).toBe(header);
        expect((bits & ~mask) >>> 0).toBe(0);
      }),
      { seed: 3 },
    );
  });

  it('every version made under a granted mask can be told to a pool of any convention', () => {
    fc.assert(
      fc.property(fc.constantFrom(...conventions), fc.constantFrom(...conventions), u32s, u32s, u32s, (ours, pools, job, mask, bits) => {
        const granted = grantableMask(pools, job, mask);
        const header = combine(ours, job, granted, bits & granted);
        // Our replace and xor may clear no bit that an or-pool's version occupies, because those are not granted.
        expect(bitsFor(pools, job, mask, header)).toBeDefined();
      }),
      { seed: 4 },
    );
  });

  it('no candidate has bits outside the mask that the job has not', () => {
    fc.assert(
      fc.property(u32s, u32s, u32s, fc.constantFrom(undefined, ...conventions), (job, mask, bits, known) => {
        const candidates = candidateVersions(job, mask, bits, known);
        for (const { version } of candidates) expect((version & ~mask) >>> 0).toBe((job & ~mask) >>> 0);
        expect(new Set(candidates.map(({ version }) => version)).size).toBe(candidates.length);
      }),
      { seed: 5 },
    );
  });
});

describe('candidateVersions', () => {
  it('is one version that proves nothing when the job has no bits in the mask', () => {
    expect(candidateVersions(0x20000000, MASK, 0x00b44000, undefined)).toEqual([{ convention: undefined, version: 0x20b44000 }]);
    expect(candidateVersions(0x20000004, MASK, undefined, 'xor')).toEqual([{ convention: undefined, version: 0x20000004 }]);
  });

  it('tries replace, xor, or; the known one first', () => {
    const all = [
      { convention: 'replace', version: 0x20b44000 },
      { convention: 'xor', version: 0x325b4000 },
      { convention: 'or', version: 0x32ff4000 },
    ];
    expect(candidateVersions(0x32ef0000, MASK, 0x00b44000, undefined)).toEqual(all);
    expect(candidateVersions(0x32ef0000, MASK, 0x00b44000, 'or')).toEqual([all[2], all[0], all[1]]);
  });

  it('a version that two conventions give proves neither', () => {
    expect(candidateVersions(0x32ef0000, MASK, 0, undefined)).toEqual([
      { convention: 'replace', version: 0x20000000 },
      { convention: undefined, version: 0x32ef0000 },
    ]);
  });

  it('finds the version of a client that sends only what the job has not (rolled & ~jobVersion)', () => {
    const job = 0x32ef0000;
    const rolled = 0x00b4e000;
    const header = (job | rolled) >>> 0;
    expect(candidateVersions(job, MASK, rolled & ~job, undefined).map(({ version }) => version)).toContain(header);
  });

  it('takes the full header version as bits', () => {
    expect(candidateVersions(0x20000000, MASK, 0x20b44000, undefined)).toEqual([{ convention: undefined, version: 0x20b44000 }]);
    expect(candidateVersions(0x20000000, 0, 0x20000000, undefined)).toEqual([{ convention: undefined, version: 0x20000000 }]);
  });

  it.each([0x40000000, 0x80000000, 0xc0000000])('%i from old firmware is outside every mask', (bits) => {
    expect(candidateVersions(0x20000000, MASK, bits, undefined)).toEqual([]);
  });

  it('bits without any granted mask are only harmless when there are none', () => {
    expect(candidateVersions(0x20000000, 0, 0, undefined)).toEqual([{ convention: undefined, version: 0x20000000 }]);
    expect(candidateVersions(0x20000000, 0, 0x2000, undefined)).toEqual([]);
  });
});

describe('grantableMask', () => {
  it.each([
    ['or', 0x0d10e000],
    ['auto', 0x0d10e000],
    ['replace', MASK],
    ['xor', MASK],
  ] as const)('for a pool that combines by %s', (convention, mask) => {
    expect(grantableMask(convention, 0x32ef0000, MASK)).toBe(mask);
  });
});
