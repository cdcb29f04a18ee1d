/** explain: the verdicts of the fixtures, and every classic mistake found from a share that somebody made it with. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { explainShare, type ShareExplanation } from '../../../proxy/mining/explain.ts';
import { sha256d } from '../../../proxy/mining/kernel.ts';
import { assembleHeader, CORRECT_STEPS, MISTAKES, type Assembly } from '../../../proxy/mining/mistakes.ts';
import { rejectReply } from '../../../proxy/protocol/downstream.ts';
import { parseSubmit } from '../../../proxy/protocol/submit.ts';
import { hashBE, hex, jobOf, MISTAKEN, notifyOf, SHARES, u32, unhex, vector, type ShareVector } from './fixtures.ts';

function explained(input: unknown): ShareExplanation {
  const explanation = explainShare(input);
  if ('problems' in explanation) throw new Error(explanation.problems.join('\n'));
  return explanation;
}

describe('shares as they are', () => {
  it.each(SHARES)('$name', (share) => {
    const { verdict, ...rest } = explained(share);
    expect(verdict).toBe(share.kind === 'assembly-only' ? 'low-difficulty' : 'accepted');
    expect(rest).toEqual({
      headerHex: share.expectedHeaderHex,
      hashBE: share.expectedHashBE,
      difficulty: share.expectedDifficulty,
      meetsNetworkTarget: share.meetsNetworkTarget,
      mistakes: [],
    });
  });

  it('the difficulty given comes before the pool\'s, and may be text', () => {
    const share = vector('public-pool-bitaxe-gamma-bm1370');
    expect(explained({ ...share, difficulty: '29588.01' }).verdict).toBe('accepted');
    expect(explained({ ...share, difficulty: 29588.02 }).verdict).toBe('low-difficulty');
    expect(explained({ ...share, difficulty: '0.00000095367431640625' }).verdict).toBe('accepted');
  });
});

describe('published diagnostics', () => {
  it.each(MISTAKEN.diagnostics)('$mistake', (row) => {
    const share = vector(row.base);
    const job = jobOf(share);
    const branches = Array.from({ length: job.branches.length / 32 }, (_, at) => job.branches.slice(32 * at, 32 * at + 32));
    const correct: Assembly = {
      ...CORRECT_STEPS,
      prevhash: job.prevhash,
      coinb1: job.coinb1,
      extranonce1: unhex(share.extranonce1),
      extranonce2: unhex(share.extranonce2),
      coinb2: job.coinb2,
      branches,
      version: u32(share.expectedHeaderHex.slice(0, 8).replace(/(..)(..)(..)(..)/, '$4$3$2$1')),
      ntime: u32(share.ntime),
      nBits: job.nBits,
      nonce: u32(share.nonce),
    };
    const found = MISTAKES.find(({ mistake }) => mistake === row.mistake);
    expect(found !== undefined || row.mistake === 'none (correct)').toBe(true);
    const context = {
      jobVersion: job.version,
      jobNtime: job.ntime,
      versionMask: job.versionMask,
      versionBits: share.versionBits === null ? undefined : u32(share.versionBits),
      nonceText: share.nonce,
    };
    const header = assembleHeader({ ...correct, ...found?.change(correct, context) });
    expect(hex(header)).toBe(row.headerHex);
    expect(hashBE(sha256d(header))).toBe(row.hashBE);
  });
});

describe('published decisions', () => {
  it.each(MISTAKEN.decisions)('$case', (row) => {
    const share = vector(row.base);
    const submit = parseSubmit(1, row.submit);
    const [, jobId, extranonce2, ntime, nonce, versionBits] = row.submit;
    const known = submit.kind === 'submit' && jobId === share.notifyParams[0];
    const judged = known
      ? explained({ ...share, extranonce2, ntime, nonce, versionBits, difficulty: row.advertisedDifficulty })
      : { verdict: submit.kind === 'submit' ? ('unknown-job' as const) : ('malformed' as const), hashBE: null, difficulty: null };
    expect({ hashBE: judged.hashBE, difficulty: judged.difficulty }).toEqual({ hashBE: row.hashBE, difficulty: row.difficulty });
    const code = judged.verdict === 'accepted' ? null : rejectReply(judged.verdict).code;
    // The full header version as sixth parameter is server specific; here it is masked, as lenient servers do.
    expect(code).toBe(typeof row.code === 'string' ? null : row.code);
  });
});

type Change = Partial<Omit<ShareVector, 'notifyParams'>> & { params?: Record<number, unknown>; difficulty?: string };
type Params = ShareVector['notifyParams'];

const reverse = (text: string): string => hex(unhex(text).reverse());
const swap = (text: string): string => hex(Uint8Array.from(Buffer.from(text, 'hex').swap32()));
const hex32 = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
const header = (share: ShareVector): string => share.expectedHeaderHex;
const field = (share: ShareVector, at: number): string => reverse(header(share).slice(2 * at, 2 * at + 8));

/** Mistakes that no input can be bent to: their shares are ground below. */
const IN_HASHING = [
  'merkle branch put on the left side',
  'merkle nodes hashed once instead of twice',
  'merkle root byte-reversed',
  'merkle root word-swapped',
  'coinbase hashed once instead of twice',
  'coinbase txid byte-reversed before the branches',
  'whole header with the bytes of each word reversed',
];

/** For each mistake, an input from which only the mistaken assembly gives the share's true header. */
const MADE: Record<string, (share: ShareVector, params: Params) => Change | undefined> = {
  'prevhash used as sent, words not swapped': (share) => ({ params: { 1: header(share).slice(8, 72) } }),
  'prevhash fully byte-reversed': (share) => ({ params: { 1: reverse(header(share).slice(8, 72)) } }),
  'prevhash converted to display order then used unreversed (words swapped + full reverse)': (share) => ({
    params: { 1: swap(reverse(header(share).slice(8, 72))) },
  }),
  'each merkle branch byte-reversed': (_, params) => ({ params: { 4: params[4].map(reverse) } }),
  'each merkle branch word-swapped': (_, params) => ({ params: { 4: params[4].map(swap) } }),
  'merkle branches in reverse order': (_, params) => ({ params: { 4: params[4].toReversed() } }),
  'merkle branches ignored (root is the coinbase txid)': (_, params) =>
    params[4].length === 0 ? { params: { 4: ['11'.repeat(32)] } } : undefined,
  'last merkle branch left out': (_, params) => ({ params: { 4: [...params[4], '22'.repeat(32)] } }),
  'extranonce1 omitted': (share, params) => ({ extranonce1: 'deadbeef', params: { 2: params[2] + share.extranonce1 } }),
  'extranonce1 inserted twice': (share, params) => {
    const half = share.extranonce1.length / 2;
    const twice = share.extranonce1.slice(0, half) === share.extranonce1.slice(half);
    // Take the last byte of the pool's part as an extranonce1 where it happens to be doubled.
    const tail = params[2].slice(-2);
    if (twice) return { extranonce1: share.extranonce1.slice(0, half) };
    return params[2].endsWith(tail + tail)
      ? { extranonce1: tail, extranonce2: share.extranonce1 + share.extranonce2, params: { 2: params[2].slice(0, -4) } }
      : undefined;
  },
  'extranonce1 byte-reversed': (share) => ({ extranonce1: reverse(share.extranonce1) }),
  'extranonce2 put before extranonce1': (share) => ({ extranonce1: share.extranonce2, extranonce2: share.extranonce1 }),
  'extranonce2 byte-reversed': (share) => ({ extranonce2: reverse(share.extranonce2) }),
  'extranonce2 omitted': (share, params) => ({ extranonce2: '12345678', params: { 3: share.extranonce2 + params[3] } }),
  'extranonce2 all zero': (share) => (/^0+$/.test(share.extranonce2) ? { extranonce2: 'ff'.repeat(share.extranonce2.length / 2) } : undefined),
  'extranonce2 left-stripped/padded to 4 bytes': (share) =>
    share.extranonce2.length === 8 ? { extranonce2: `${share.extranonce2}aabb` } : undefined,
  'extranonce2 read as a big-endian number of 4 bytes': (share) =>
    share.extranonce2.length === 8 ? { extranonce2: `aabb${share.extranonce2}` } : undefined,
  'extranonce2 padded on the left to 8 bytes': (share) =>
    share.extranonce2.length === 16 && share.extranonce2.startsWith('00') ? { extranonce2: share.extranonce2.slice(2) } : undefined,
  'extranonce2 padded on the right to 8 bytes': (share) =>
    share.extranonce2.length === 16 ? { extranonce2: share.extranonce2.replace(/(00)+$/, '') } : undefined,
  '6th parameter ignored (job version used)': (share) => ({
    versionMask: '1fffe000',
    versionBits: '00f0e000',
    params: { 5: field(share, 0) },
  }),
  '6th parameter combined by xor instead of replace': (share) => ({
    versionMask: '1fffe000',
    versionBits: '0000e000',
    params: { 5: hex32(u32(field(share, 0)) ^ 0x0000e000) },
  }),
  '6th parameter combined by or instead of replace': (share) => {
    const version = u32(field(share, 0));
    return (version & 0x00080000) === 0 ? undefined : { versionMask: '1fffe000', versionBits: '00080000', params: { 5: field(share, 0) } };
  },
  '6th parameter used as the full version': (share) => ({ versionMask: '1fffe000', versionBits: field(share, 0), params: { 5: 'e0000008' } }),
  '6th parameter combined by xor without the mask': (share) => ({
    versionMask: '1fffe000',
    versionBits: '40000000',
    params: { 5: hex32(u32(field(share, 0)) ^ 0x40000000) },
  }),
  '6th parameter combined by or without the mask': (share) => {
    const version = u32(field(share, 0));
    const outside = 0x20000000;
    if ((version & outside) === 0) return undefined;
    const bits = (version & 0x1fffe000) | outside;
    return { versionMask: '1fffe000', versionBits: hex32(bits), params: { 5: hex32(version & ~bits) } };
  },
  '6th parameter combined under mask 1fffe000 instead of the one granted': (share) => ({
    versionMask: '00002000',
    versionBits: hex32(u32(field(share, 0)) & 0x1fffe000),
    params: { 5: hex32(u32(field(share, 0)) ^ 0x10000000) },
  }),
  '6th parameter byte-reversed': (share) => ({
    versionMask: '1fffe000',
    versionBits: reverse(hex32(u32(field(share, 0)) & 0x1fffe000)),
    params: { 5: hex32(u32(field(share, 0)) ^ 0x10000000) },
  }),
  'version byte-reversed': (share) => ({ versionMask: null, versionBits: null, params: { 5: reverse(field(share, 0)) } }),
  "ntime of the share ignored (job's ntime used)": (share) => ({ ntime: hex32(u32(share.ntime) + 5) }),
  'ntime byte-reversed': (share) => ({ ntime: reverse(share.ntime), params: { 7: '00000001' } }),
  'nbits byte-reversed': (share) => ({ params: { 6: reverse(field(share, 72)) } }),
  'nbits and ntime in the wrong order': (share) => ({ ntime: field(share, 72), params: { 6: field(share, 68) } }),
  'nonce byte-reversed': (share) => ({ nonce: reverse(share.nonce) }),
  'short nonce padded with zeros on the right instead of the left': (share) =>
    share.nonce.endsWith('0') ? { nonce: share.nonce.replace(/0+$/, '') } : undefined,
  'nonce sent with 1 zero on the right instead of the left': (share) =>
    share.nonce.startsWith('0') ? { nonce: `${share.nonce.slice(1)}0` } : undefined,
};

describe('mistakes made on real shares', () => {
  it('cover the whole table, with those of the hashing below', () => {
    const covered = new Set([...Object.keys(MADE), ...IN_HASHING]);
    expect(MISTAKES.map(({ mistake }) => mistake).filter((name) => !covered.has(name))).toEqual([]);
  });

  const real = SHARES.filter((share) => share.kind !== 'assembly-only');

  it.each(Object.keys(MADE))('%s', (name) => {
    let named = 0;
    for (const share of real) {
      const change = MADE[name]?.(share, share.notifyParams);
      if (change === undefined) continue;
      const { params, ...fields } = change;
      const notifyParams = share.notifyParams.map((value, at) => params?.[at] ?? value);
      const explanation = explained({ ...share, ...fields, notifyParams });
      if (explanation.headerHex === share.expectedHeaderHex) continue;
      expect(explanation.verdict).not.toBe('accepted');
      const fit = explanation.mistakes.find(({ mistake }) => mistake === name);
      expect(fit, `${share.name}: ${explanation.mistakes.map(({ mistake }) => mistake).join(' | ')}`).toMatchObject({
        headerHex: share.expectedHeaderHex,
        hashBE: share.expectedHashBE,
        difficulty: share.expectedDifficulty,
      });
      named++;
    }
    expect(named).toBeGreaterThan(0);
  });

  it('names two mistakes made at once, in their order of the table', () => {
    const share = vector('public-pool-bitaxe-gamma-bm1370');
    const notifyParams = share.notifyParams.with(1, header(share).slice(8, 72));
    const { mistakes } = explained({ ...share, notifyParams, extranonce2: reverse(share.extranonce2) });
    expect(mistakes.map(({ mistake }) => mistake)).toEqual(['prevhash used as sent, words not swapped; extranonce2 byte-reversed']);
  });

  it('names nothing when the share is simply wrong', () => {
    const share = vector('public-pool-bitaxe-gamma-bm1370');
    expect(explained({ ...share, nonce: '12345678' })).toMatchObject({ verdict: 'low-difficulty', mistakes: [] });
  });
});

/** Grinds a share by a mistaken way of hashing, for the mistakes that no input can be bent to. */
describe('mistakes in the hashing itself', () => {
  const share = vector('public-pool-bitaxe-gamma-bm1370');
  const job = notifyOf(share);
  const once = (bytes: Uint8Array): Uint8Array => Uint8Array.from(createHash('sha256').update(bytes).digest());
  const branches = share.notifyParams[4].map(unhex);
  const coinbase = Buffer.concat([job.coinb1, unhex(share.extranonce1 + share.extranonce2), job.coinb2]);
  const join = (root: Uint8Array, branch: Uint8Array): Uint8Array => sha256d(Buffer.concat([root, branch]));
  const words = (bytes: Uint8Array): Uint8Array => Uint8Array.from(Buffer.from(bytes).swap32());
  const root = branches.reduce(join, sha256d(coinbase));
  const roots: Record<string, Uint8Array> = {
    'merkle branch put on the left side': branches.reduce((left, right) => join(right, left), sha256d(coinbase)),
    'merkle nodes hashed once instead of twice': branches.reduce((left, right) => once(Buffer.concat([left, right])), sha256d(coinbase)),
    'merkle root byte-reversed': root.slice().reverse(),
    'merkle root word-swapped': words(root),
    'coinbase hashed once instead of twice': branches.reduce(join, once(coinbase)),
    'coinbase txid byte-reversed before the branches': branches.reduce(join, sha256d(coinbase).reverse()),
    'merkle branches ignored (root is the coinbase txid)': sha256d(coinbase),
    'whole header with the bytes of each word reversed': root,
  };

  it.each(Object.entries(roots))('%s', (name, mistaken) => {
    const bytes = unhex(share.expectedHeaderHex);
    bytes.set(mistaken, 36);
    const whole = name.startsWith('whole');
    let nonce = 0;
    let hash = new Uint8Array(32);
    // Difficulty 2^-22: some 1024 hashes.
    do {
      new DataView(bytes.buffer).setUint32(76, ++nonce, true);
      hash = Uint8Array.from(sha256d(whole ? words(bytes) : bytes));
    } while (!hashBE(hash).startsWith('000'));
    const fits = explained({ ...share, nonce: nonce.toString(16), difficulty: '0.000000953' });
    expect(fits.verdict).toBe('low-difficulty');
    expect(fits.mistakes.map(({ mistake }) => mistake)).toContain(name);
    expect(fits.mistakes.find(({ mistake }) => mistake === name)?.hashBE).toBe(hashBE(hash));
  });
});

describe('inputs', () => {
  const share = vector('public-pool-bitaxe-gamma-bm1370');

  it.each([
    [null, 'share: must be one JSON object'],
    [{}, 'notifyParams: must be the list of params'],
    [{ ...share, extranonce1: 5 }, 'extranonce1: must be hex digits in quotes'],
    [{ ...share, nonce: 'xyz' }, 'nonce: is not 1 to 8 hex digits'],
    [{ ...share, extranonce2: '123' }, 'extranonce2: is not hex of even length'],
    [{ ...share, difficulty: 0 }, 'difficulty: is not a positive decimal number'],
    [{ ...share, notifyParams: share.notifyParams.slice(0, 5) }, 'notifyParams: mining.notify has 5 params'],
  ])('%# gives its problem', (input, problem) => {
    const explanation = explainShare(input);
    expect('problems' in explanation ? explanation.problems.join('\n') : '').toContain(problem);
  });

  it('an nBits that encodes no target is met by no hash', () => {
    expect(explained({ ...share, notifyParams: share.notifyParams.with(6, '00000000') }).meetsNetworkTarget).toBe(false);
  });

  it('judges time and version before the hash, and still shows the hash', () => {
    expect(explained({ ...share, ntime: '685468d6' }).verdict).toBe('bad-time');
    expect(explained({ ...share, ntime: '68548430' }).verdict).toBe('bad-time');
    expect(explained({ ...share, versionBits: '80000000' }).verdict).toBe('bad-version');
    expect(explained({ ...share, extranonce2: '1700' }).verdict).toBe('malformed');
    expect(explained({ ...share, versionMask: null }).hashBE).toBe(share.expectedHashBE);
  });
});
