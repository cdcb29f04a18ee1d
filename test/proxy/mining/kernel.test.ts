/** The fast kernel against bitcoinjs-lib: vectors to equality, then ten thousand random shares. */
import { crypto } from 'bitcoinjs-lib';
import { describe, expect, it } from 'vitest';
import { seededRandom, type Random } from '../../../config/world.ts';
import type { Job } from '../../../proxy/mining/job.ts';
import { Grinder, hashShare, headerOf, PreparedJob, sha256d } from '../../../proxy/mining/kernel.ts';
import { referenceHeader } from '../../../proxy/mining/reference.ts';
import { combine } from '../../../proxy/mining/versions.ts';
import { hashBE, hex, jobOf, SHARES, u32, unhex } from './fixtures.ts';

function randomJob(random: Random, coinbaseBytes: number, branches: number): Job {
  const split = random.u32() % (coinbaseBytes + 1);
  return {
    prevhash: random.bytes(32),
    coinb1: random.bytes(split),
    coinb2: random.bytes(coinbaseBytes - split),
    branches: random.bytes(32 * branches),
    version: random.u32(),
    nBits: random.u32(),
    ntime: random.u32(),
    versionMask: random.u32(),
  };
}

describe.each(SHARES)('vector $name', (share) => {
  const job = jobOf(share);
  const extranonce = unhex(share.extranonce1 + share.extranonce2);
  const version = share.versionBits === null ? job.version : combine('replace', job.version, job.versionMask, u32(share.versionBits));
  const numbers = [u32(share.ntime), u32(share.nonce), version] as const;

  it('comes out of the kernel to the byte', () => {
    const prepared = new PreparedJob(job);
    const hash = new Uint8Array(32);
    hashShare(prepared, extranonce, ...numbers, hash);
    expect(hashBE(hash)).toBe(share.expectedHashBE);
    expect(hex(headerOf(prepared, extranonce, ...numbers))).toBe(share.expectedHeaderHex);
    expect(hex(headerOf(prepared, extranonce, ...numbers)).slice(72, 136)).toBe(share.expectedMerkleRootInternal);
    expect(hex(sha256d(Buffer.concat([job.coinb1, extranonce, job.coinb2])))).toBe(share.expectedCoinbaseTxidInternal);
  });

  it('comes out of the reference to the byte', () => {
    const { header, hash, coinbase } = referenceHeader(job, extranonce, ...numbers);
    expect(hex(header)).toBe(share.expectedHeaderHex);
    expect(hashBE(hash)).toBe(share.expectedHashBE);
    expect(hex(crypto.hash256(coinbase))).toBe(share.expectedCoinbaseTxidInternal);
  });

  it('is found by a grinder', () => {
    const hash = new Uint8Array(32);
    new Grinder(unhex(share.expectedHeaderHex)).hash(u32(share.nonce), hash);
    expect(hashBE(hash)).toBe(share.expectedHashBE);
  });
});

describe('kernel against bitcoinjs-lib', () => {
  it('agrees on 10 000 random shares', () => {
    const random = seededRandom(20260923);
    const hash = new Uint8Array(32);
    const differing: string[] = [];
    for (let round = 0; round < 2500; round++) {
      const large = round % 20 === 0;
      const job = randomJob(random, 60 + (random.u32() % (large ? 15941 : 700)), random.u32() % 33);
      const prepared = new PreparedJob(job);
      const extranonceBytes = random.u32() % (large ? 200 : 20);
      for (let share = 0; share < 4; share++) {
        const extranonce = random.bytes(share === 3 ? extranonceBytes + 1 : extranonceBytes);
        const numbers = [random.u32(), random.u32(), random.u32()] as const;
        const reference = referenceHeader(job, extranonce, ...numbers);
        hashShare(prepared, extranonce, ...numbers, hash);
        if (hex(hash) !== hex(reference.hash)) differing.push(`hash of round ${round}, share ${share}`);
        const header = headerOf(prepared, extranonce, ...numbers);
        if (hex(header) !== hex(reference.header)) differing.push(`header of round ${round}, share ${share}`);
      }
    }
    expect(differing).toEqual([]);
  }, 60_000);

  it('agrees at every position of the extranonce within its block', () => {
    const random = seededRandom(7);
    const hash = new Uint8Array(32);
    for (let before = 0; before <= 130; before++) {
      for (const after of [0, 1, 46, 47, 48, 55, 56, 63, 64, 65]) {
        const job: Job = { ...randomJob(random, 0, 1), coinb1: random.bytes(before), coinb2: random.bytes(after) };
        const extranonce = random.bytes(8);
        hashShare(new PreparedJob(job), extranonce, 1, 2, 3, hash);
        expect(hex(hash)).toBe(hex(referenceHeader(job, extranonce, 1, 2, 3).hash));
      }
    }
  });

  it('keeps two jobs apart when their shares alternate', () => {
    const random = seededRandom(8);
    const jobs = [randomJob(random, 260, 12), randomJob(random, 100, 0)].map((job) => new PreparedJob(job));
    const hash = new Uint8Array(32);
    for (let share = 0; share < 50; share++) {
      for (const prepared of jobs) {
        const extranonce = random.bytes(8);
        hashShare(prepared, extranonce, share, share, share, hash);
        expect(hex(hash)).toBe(hex(referenceHeader(prepared.job, extranonce, share, share, share).hash));
      }
    }
  });

  it('sha256d agrees on every length up to 300 bytes', () => {
    const random = seededRandom(9);
    for (let length = 0; length <= 300; length++) {
      const bytes = random.bytes(length);
      expect(hex(sha256d(bytes))).toBe(hex(crypto.hash256(bytes)));
    }
  });

  it('a grinder refuses anything but 80 bytes', () => {
    expect(() => new Grinder(new Uint8Array(79))).toThrow('give all 80');
  });
});
