/** Every fact survives the journal's encoding, and what is not a fact is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEASE_KINDS } from '../../../config/leases.ts';
import { ByteReader, ByteWriter } from '../../../accounting/journal/bytes.ts';
import { decodeFact } from '../../../accounting/journal/decode.ts';
import { encodeFact } from '../../../accounting/journal/encode.ts';
import { LIVE_FLAG } from '../../../accounting/journal/fact-types.ts';
import { FORWARDING, GOOD_VERDICTS, OWN_VERDICTS, POOL_REASONS, REPLY_SOURCES } from '../../../proxy/mining/verdict.ts';
import { LEASE_EVENTS, type Fact } from '../../../proxy/session/facts.ts';
import { shareFact } from './support.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const time = fc.oneof(fc.integer({ min: 1_600_000_000_000, max: 2_000_000_000_000 }), fc.integer({ min: 0, max: 2 ** 48 - 1 }));
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }));
const texts = fc.array(text, { maxLength: 5 });
const bytes = fc.uint8Array({ maxLength: 400 });
const exponent = fc.integer({ min: -32, max: 62 });
const ownVerdict = fc.constantFrom(...OWN_VERDICTS);
const fixed = <T extends string>(value: T): fc.Arbitrary<T> => fc.constant(value);

const facts: { [Type in Fact['type']]: fc.Arbitrary<Extract<Fact, { type: Type }>> } = {
  link: fc.record({ type: fixed('link'), link: count, pool: text, url: text, user: text, extranonce1: bytes, extranonce2Bytes: count, atMs: time }),
  'link-end': fc.record({ type: fixed('link-end'), link: count, reason: text, atMs: time }),
  job: fc.record({
    type: fixed('job'),
    job: count,
    link: count,
    poolJobId: text,
    clean: fc.boolean(),
    content: fc.record({ prevhash: bytes, coinb1: bytes, coinb2: bytes, branches: bytes, version: u32, nBits: u32, ntime: u32, versionMask: u32 }),
    paddingBytes: count,
    difficulty: text,
    coinbaseSats: fc.bigInt({ min: 0n, max: 2n ** 80n }),
    height: count,
    atMs: time,
  }),
  refresh: fc.record({ type: fixed('refresh'), job: count, of: count, ntime: u32, difficulty: text, versionMask: u32, atMs: time }),
  session: fc.record({ type: fixed('session'), session: count, sessionId: text, site: text, address: text, prefix: bytes, extranonce2Bytes: count, userAgent: text, atMs: time }),
  bind: fc.record({ type: fixed('bind'), bind: count, session: count, worker: text, lessee: text, atMs: time }),
  difficulty: fc.record({ type: fixed('difficulty'), session: count, exponent, atMs: time }),
  'session-end': fc.record({ type: fixed('session-end'), session: count, reason: text, atMs: time }),
  share: fc.record({
    type: fixed('share'),
    share: count,
    bind: count,
    job: count,
    exponent,
    verdict: ownVerdict,
    forwarding: fc.constantFrom(...FORWARDING),
    block: fc.boolean(),
    extranonce2: bytes,
    ntime: u32,
    nonce: u32,
    version: u32,
    atMs: time,
  }),
  rejects: fc.record({ type: fixed('rejects'), session: count, bind: count, verdict: ownVerdict, count, atMs: time }),
  'pool-verdict': fc.record({
    type: fixed('pool-verdict'),
    share: count,
    bind: count,
    job: count,
    link: count,
    shareAtMs: time,
    difficulty: text,
    verdict: fc.constantFrom('accepted', 'rejected', 'unanswered'),
    reason: fc.constantFrom(...POOL_REASONS),
    code: text,
    text,
    reply: fc.option(fc.record({ value: fc.boolean(), source: fc.constantFrom(...REPLY_SOURCES) }), { nil: undefined }),
    atMs: time,
  }),
  unjournaled: fc.record({ type: fixed('unjournaled'), site: text, lessee: text, leases: text, exponent, count, verdict: fc.constantFrom(...GOOD_VERDICTS), fromMs: time, atMs: time }),
  pulse: fc.record({ type: fixed('pulse'), observedMs: count, sessions: count, atMs: time }),
  block: fc.record({ type: fixed('block'), share: count, job: count, header: bytes, coinbase: bytes, atMs: time }),
  document: fc.record({ type: fixed('document'), kind: text, name: text, digest: text, atMs: time }),
  'lease-event': fc.record({
    type: fixed('lease-event'), lease: text, event: fc.constantFrom(...LEASE_EVENTS), fromMs: time, toMs: time, by: text, reason: text, document: text, terms: text, atMs: time,
  }),
  'lease-terms': fc.record({
    type: fixed('lease-terms'), lease: text, kind: fc.constantFrom(...LEASE_KINDS), digest: text, terms: text, workers: texts, sites: texts, from: texts,
    timezone: text, fromMs: time, toMs: time, atMs: time,
  }),
};

const anyFact: fc.Arbitrary<Fact> = fc.oneof(...Object.values<fc.Arbitrary<Fact>>(facts));

function encoded(fact: Fact): Buffer {
  const writer = new ByteWriter(1);
  encodeFact(fact, writer);
  return Buffer.from(writer.bytes.subarray(0, writer.length));
}

function outcomeOf(body: Uint8Array): string {
  try {
    decodeFact(body);
    return 'fact';
  } catch (error) {
    return error instanceof Error ? error.name : 'something else';
  }
}

describe('facts', () => {
  for (const [type, arbitrary] of Object.entries<fc.Arbitrary<Fact>>(facts)) {
    it(`of type ${type} come back as they were`, () => {
      fc.assert(
        fc.property(arbitrary, (fact) => {
          expect(decodeFact(encoded(fact))).toEqual(fact);
        }),
        { numRuns: 200, seed: 20 },
      );
    });
  }

  it('come back when repeated as live', () => {
    const body = encoded(shareFact(9));
    body[0] = (body[0] ?? 0) | LIVE_FLAG;
    expect(decodeFact(body)).toEqual(shareFact(9));
  });

  it('never decode from one byte more or less', () => {
    fc.assert(
      fc.property(anyFact, (fact) => {
        const body = encoded(fact);
        expect(() => decodeFact(body.subarray(0, -1))).toThrow(RangeError);
        expect(() => decodeFact(Buffer.concat([body, Buffer.of(0)]))).toThrow(RangeError);
      }),
      { numRuns: 300, seed: 21 },
    );
  });

  it('of no type decode from arbitrary bytes otherwise than with a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (body) => {
        expect(outcomeOf(body)).toMatch(/^(fact|RangeError)$/);
      }),
      { numRuns: 2000, seed: 22 },
    );
  });

  it('are copied out of the buffer they were read from', () => {
    const body = encoded(shareFact(5));
    const fact = decodeFact(body);
    body.fill(0);
    expect(fact).toEqual(shareFact(5));
  });

  it('keep a share within 60 bytes with its frame', () => {
    const large = { ...shareFact(2 ** 33), bind: 2_000_000, job: 2_000_000, extranonce2: new Uint8Array(8) };
    expect(8 + encoded(large).length).toBeLessThanOrEqual(60);
    expect(8 + encoded(shareFact(70_000)).length).toBeLessThanOrEqual(45);
  });
});

describe('numbers out of range', () => {
  const bad: readonly [string, Fact][] = [
    ['a fractional time', { ...shareFact(1), atMs: 1.5 }],
    ['a time beyond 48 bits', { ...shareFact(1), atMs: 2 ** 48 }],
    ['a negative number', { ...shareFact(-1) }],
    ['a fractional observed time', { type: 'pulse', observedMs: 0.5, sessions: 1, atMs: 1 }],
    ['an exponent beyond a byte', { ...shareFact(1), exponent: 128 }],
    ['a number beyond 2^53', { ...shareFact(2 ** 53) }],
  ];
  for (const [what, fact] of bad) {
    it(`are refused: ${what}`, () => expect(() => encoded(fact)).toThrow(RangeError));
  }
});

describe('primitive types', () => {
  it('write a lone surrogate as U+FFFD', () => {
    const writer = new ByteWriter();
    writer.text('a\ud800b');
    expect(new ByteReader(writer.bytes.subarray(0, writer.length)).text()).toBe('a\ufffdb');
  });

  it('agree with LEB128 examples', () => {
    const writer = new ByteWriter();
    writer.varuint(624485);
    writer.varuintBig(624485n);
    expect(writer.bytes.subarray(0, writer.length).toString('hex')).toBe('e58e26e58e26');
  });

  it('refuse a number of more than 53 bits', () => {
    expect(() => new ByteReader(Buffer.from('ffffffffffffff1f', 'hex')).varuint()).toThrow(RangeError);
    expect(() => new ByteReader(Buffer.from('ffffffffffffffffff01', 'hex')).varuint()).toThrow(RangeError);
    expect(new ByteReader(Buffer.from('ffffffffffffff0f', 'hex')).varuint()).toBe(2 ** 53 - 1);
  });
});
