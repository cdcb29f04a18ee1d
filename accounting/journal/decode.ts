/** Record bodies → facts: the inverse of encode.ts, strict about every byte. */
import { LEASE_KINDS } from '../../config/leases.ts';
import { FORWARDING, GOOD_VERDICTS, OWN_VERDICTS, POOL_REASONS, POOL_VERDICTS, REPLY_SOURCES } from '../../proxy/mining/verdict.ts';
import { LEASE_EVENTS } from '../../proxy/session/facts.ts';
import type { Fact, JobFact, LeaseTermsFact, LinkFact, PoolVerdictFact, SessionFact, ShareFact, UnjournaledFact } from '../../proxy/session/facts.ts';
import { ByteReader } from './bytes.ts';
import { BLOCK_FLAG, CLEAN_FLAG, FACT_TYPES, FIRST_FACT_TYPE, LIVE_FLAG } from './fact-types.ts';
import type { FactType } from './fact-types.ts';

/**
 * Reads one record body (type byte and fields). The live flag is ignored. Throws RangeError when the body is not exactly one
 * fact of a known type; byte fields of the result are copies.
 */
export function decodeFact(bytes: Uint8Array): Fact {
  const from = new ByteReader(bytes);
  const typeByte = from.u8() & ~LIVE_FLAG;
  const type = FACT_TYPES[typeByte - FIRST_FACT_TYPE];
  if (type === undefined) throw new RangeError(`record type ${typeByte} is unknown: it may come from a later version`);
  const fact = decodeFields(type, from);
  if (from.left !== 0) throw new RangeError(`a ${type} record has ${from.left} bytes too many`);
  return fact;
}

function decodeFields(type: FactType, from: ByteReader): Fact {
  const atMs = from.u48();
  switch (type) {
    case 'share':
      return decodeShare(from, atMs);
    case 'link':
      return decodeLink(from, atMs);
    case 'job':
      return decodeJob(from, atMs);
    case 'refresh':
      return { type, job: from.varuint(), of: from.varuint(), ntime: from.u32(), difficulty: from.text(), versionMask: from.u32(), atMs };
    case 'session':
      return decodeSession(from, atMs);
    case 'bind':
      return { type, bind: from.varuint(), session: from.varuint(), worker: from.text(), lessee: from.text(), atMs };
    case 'pool-verdict':
      return decodePoolVerdict(from, atMs);
    case 'block':
      return { type, share: from.varuint(), job: from.varuint(), header: from.block(), coinbase: from.block(), atMs };
    case 'link-end':
      return { type, link: from.varuint(), reason: from.text(), atMs };
    case 'session-end':
      return { type, session: from.varuint(), reason: from.text(), atMs };
    case 'difficulty':
      return { type, session: from.varuint(), exponent: readExponent(from), atMs };
    case 'rejects':
      return { type, session: from.varuint(), bind: from.varuint(), verdict: word(OWN_VERDICTS, from.u8()), count: from.varuint(), atMs };
    case 'unjournaled':
      return decodeUnjournaled(from, atMs);
    case 'document':
      return { type, kind: from.text(), name: from.text(), digest: from.text(), atMs };
    case 'pulse':
      return { type, observedMs: from.varuint(), sessions: from.varuint(), atMs };
    case 'lease-terms':
      return decodeLeaseTerms(from, atMs);
    case 'lease-event':
      return {
        type, lease: from.text(), event: word(LEASE_EVENTS, from.u8()), fromMs: from.u48(), toMs: from.u48(), by: from.text(), reason: from.text(),
        document: from.text(), terms: from.text(), atMs,
      };
    default:
      return type satisfies never;
  }
}

function word<Word>(words: readonly Word[], index: number): Word {
  const found = words[index];
  if (found === undefined) throw new RangeError(`word ${index} of ${words.length} is unknown: it may come from a later version`);
  return found;
}

function readExponent(from: ByteReader): number {
  return (from.u8() << 24) >> 24;
}

function decodeShare(from: ByteReader, atMs: number): ShareFact {
  const share = from.varuint();
  const bind = from.varuint();
  const job = from.varuint();
  const exponent = readExponent(from);
  const verdict = word(OWN_VERDICTS, from.u8());
  const how = from.u8();
  const forwarding = word(FORWARDING, how & ~BLOCK_FLAG);
  const block = (how & BLOCK_FLAG) !== 0;
  const ntime = from.u32();
  const nonce = from.u32();
  const version = from.u32();
  const extranonce2 = from.block();
  return { type: 'share', share, bind, job, exponent, verdict, forwarding, block, extranonce2, ntime, nonce, version, atMs };
}

function decodeLink(from: ByteReader, atMs: number): LinkFact {
  return {
    type: 'link',
    link: from.varuint(),
    pool: from.text(),
    url: from.text(),
    user: from.text(),
    extranonce1: from.block(),
    extranonce2Bytes: from.varuint(),
    atMs,
  };
}

function decodeJob(from: ByteReader, atMs: number): JobFact {
  return {
    type: 'job',
    job: from.varuint(),
    link: from.varuint(),
    poolJobId: from.text(),
    clean: from.u8() === CLEAN_FLAG,
    content: {
      prevhash: from.block(),
      coinb1: from.block(),
      coinb2: from.block(),
      branches: from.block(),
      version: from.u32(),
      nBits: from.u32(),
      ntime: from.u32(),
      versionMask: from.u32(),
    },
    paddingBytes: from.varuint(),
    difficulty: from.text(),
    coinbaseSats: from.varuintBig(),
    height: from.varuint(),
    atMs,
  };
}

function decodeSession(from: ByteReader, atMs: number): SessionFact {
  return {
    type: 'session',
    session: from.varuint(),
    sessionId: from.text(),
    site: from.text(),
    address: from.text(),
    prefix: from.block(),
    extranonce2Bytes: from.varuint(),
    userAgent: from.text(),
    atMs,
  };
}

function decodePoolVerdict(from: ByteReader, atMs: number): PoolVerdictFact {
  const shareAtMs = from.u48();
  const share = from.varuint();
  const bind = from.varuint();
  const job = from.varuint();
  const link = from.varuint();
  const difficulty = from.text();
  const verdict = word(POOL_VERDICTS, from.u8());
  if (verdict === 'not-forwarded') throw new RangeError('a pool-verdict record says not-forwarded, which is no verdict of a pool');
  const reason = word(POOL_REASONS, from.u8());
  const code = from.text();
  const text = from.text();
  const told = from.u8();
  const reply = told === 0 ? undefined : { value: (told - 1) % 2 === 1, source: word(REPLY_SOURCES, (told - 1) >> 1) };
  return { type: 'pool-verdict', share, bind, job, link, shareAtMs, difficulty, verdict, reason, code, text, reply, atMs };
}

function decodeUnjournaled(from: ByteReader, atMs: number): UnjournaledFact {
  const fromMs = from.u48();
  const [site, lessee] = [from.text(), from.text()];
  const exponent = readExponent(from);
  const count = from.varuint();
  const verdict = word(GOOD_VERDICTS, from.u8());
  // Without a lease it ends here, as it did in journals from before there were any.
  const ends = from.left === 0;
  const leases = ends ? '' : from.text();
  if (!ends && leases === '') throw new RangeError('an unjournaled record names leases and has none');
  return { type: 'unjournaled', verdict, fromMs, site, lessee, leases, exponent, count, atMs };
}

function decodeLeaseTerms(from: ByteReader, atMs: number): LeaseTermsFact {
  return {
    type: 'lease-terms',
    lease: from.text(),
    kind: word(LEASE_KINDS, from.u8()),
    digest: from.text(),
    terms: from.text(),
    workers: texts(from),
    sites: texts(from),
    from: texts(from),
    timezone: from.text(),
    fromMs: from.u48(),
    toMs: from.u48(),
    atMs,
  };
}

function texts(from: ByteReader): string[] {
  // Each takes a byte at least, so a count beyond the record fails at once.
  const count = from.varuint();
  if (count > from.left) throw new RangeError(`a list of ${count} texts at byte ${from.position} exceeds its record`);
  return Array.from({ length: count }, () => from.text());
}
