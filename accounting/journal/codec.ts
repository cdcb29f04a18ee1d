/**
 * Facts ↔ record bodies: one type byte, then the fields in the order of docs/journal.md. The order of the type list and of
 * the word lists is wire format: append only.
 */
import type { OwnVerdict } from '../../proxy/mining/verdict.ts';
import { FORWARDING, OWN_VERDICTS, POOL_REASONS, POOL_VERDICTS, REPLY_SOURCES } from '../../proxy/mining/verdict.ts';
import type {
  BindFact,
  BlockFact,
  Fact,
  JobFact,
  LinkFact,
  PoolVerdictFact,
  RefreshFact,
  SessionFact,
  ShareFact,
} from '../../proxy/session/facts.ts';
import { ByteReader } from './bytes.ts';
import type { ByteWriter } from './bytes.ts';

/** Type bytes of facts begin here; smaller ones belong to the segment itself. */
export const FIRST_FACT_TYPE = 16;
/** Set in the type byte of a fact that is repeated at the head of a segment. */
export const LIVE_FLAG = 0x80;

const FACT_TYPES = [
  'link',
  'link-end',
  'job',
  'refresh',
  'session',
  'bind',
  'difficulty',
  'session-end',
  'share',
  'rejects',
  'pool-verdict',
  'unjournaled',
  'pulse',
  'block',
] as const satisfies readonly Fact['type'][];

type FactType = Fact['type'];

const typeBytes = Object.fromEntries(FACT_TYPES.map((type, index) => [type, FIRST_FACT_TYPE + index])) as Record<FactType, number>;
const verdictBytes = Object.fromEntries(OWN_VERDICTS.map((word, index) => [word, index])) as Record<OwnVerdict, number>;
const forwardingBytes = Object.fromEntries(FORWARDING.map((word, index) => [word, index])) as Record<ShareFact['forwarding'], number>;

const BLOCK_FLAG = 0x80;
const CLEAN_FLAG = 1;

/**
 * Appends the type byte and fields of `fact`. Throws RangeError when a number is not an integer in its field's range (our
 * own mistake); `into.length` is then somewhere inside the unfinished body.
 */
export function encodeFact(fact: Fact, into: ByteWriter): void {
  into.u8(typeBytes[fact.type]);
  switch (fact.type) {
    case 'share':
      return encodeShare(fact, into);
    case 'link':
      return encodeLink(fact, into);
    case 'job':
      return encodeJob(fact, into);
    case 'refresh':
      return encodeRefresh(fact, into);
    case 'session':
      return encodeSession(fact, into);
    case 'bind':
      return encodeBind(fact, into);
    case 'pool-verdict':
      return encodePoolVerdict(fact, into);
    case 'block':
      return encodeBlock(fact, into);
    case 'link-end':
      into.u48(fact.atMs);
      into.varuint(fact.link);
      return into.text(fact.reason);
    case 'session-end':
      into.u48(fact.atMs);
      into.varuint(fact.session);
      return into.text(fact.reason);
    case 'difficulty':
      into.u48(fact.atMs);
      into.varuint(fact.session);
      return writeExponent(fact.exponent, into);
    case 'rejects':
      into.u48(fact.atMs);
      into.varuint(fact.session);
      into.varuint(fact.bind);
      into.u8(verdictBytes[fact.verdict]);
      return into.varuint(fact.count);
    case 'unjournaled':
      into.u48(fact.atMs);
      into.u48(fact.fromMs);
      into.text(fact.site);
      into.text(fact.lessee);
      writeExponent(fact.exponent, into);
      return into.varuint(fact.count);
    case 'pulse':
      into.u48(fact.atMs);
      into.varuint(fact.observedMs);
      return into.varuint(fact.sessions);
    default:
      return fact satisfies never;
  }
}

function writeExponent(exponent: number, into: ByteWriter): void {
  if (!(Number.isInteger(exponent) && exponent >= -128 && exponent <= 127)) {
    throw new RangeError(`exponent ${exponent} is not an integer from -128 to 127`);
  }
  into.u8(exponent & 0xff);
}

function encodeShare(fact: ShareFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.varuint(fact.share);
  into.varuint(fact.bind);
  into.varuint(fact.job);
  writeExponent(fact.exponent, into);
  into.u8(verdictBytes[fact.verdict]);
  into.u8(forwardingBytes[fact.forwarding] | (fact.block ? BLOCK_FLAG : 0));
  into.u32(fact.ntime);
  into.u32(fact.nonce);
  into.u32(fact.version);
  into.block(fact.extranonce2);
}

function encodeLink(fact: LinkFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.varuint(fact.link);
  into.text(fact.pool);
  into.text(fact.url);
  into.text(fact.user);
  into.block(fact.extranonce1);
  into.varuint(fact.extranonce2Bytes);
}

function encodeJob(fact: JobFact, into: ByteWriter): void {
  const { content } = fact;
  into.u48(fact.atMs);
  into.varuint(fact.job);
  into.varuint(fact.link);
  into.text(fact.poolJobId);
  into.u8(fact.clean ? CLEAN_FLAG : 0);
  into.block(content.prevhash);
  into.block(content.coinb1);
  into.block(content.coinb2);
  into.block(content.branches);
  into.u32(content.version);
  into.u32(content.nBits);
  into.u32(content.ntime);
  into.u32(content.versionMask);
  into.varuint(fact.paddingBytes);
  into.text(fact.difficulty);
  into.varuintBig(fact.coinbaseSats);
  into.varuint(fact.height);
}

function encodeRefresh(fact: RefreshFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.varuint(fact.job);
  into.varuint(fact.of);
  into.u32(fact.ntime);
  into.text(fact.difficulty);
  into.u32(fact.versionMask);
}

function encodeSession(fact: SessionFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.varuint(fact.session);
  into.text(fact.sessionId);
  into.text(fact.site);
  into.text(fact.address);
  into.block(fact.prefix);
  into.varuint(fact.extranonce2Bytes);
  into.text(fact.userAgent);
}

function encodeBind(fact: BindFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.varuint(fact.bind);
  into.varuint(fact.session);
  into.text(fact.worker);
  into.text(fact.lessee);
}

function encodePoolVerdict(fact: PoolVerdictFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.u48(fact.shareAtMs);
  into.varuint(fact.share);
  into.varuint(fact.bind);
  into.varuint(fact.job);
  into.varuint(fact.link);
  into.text(fact.difficulty);
  into.u8(POOL_VERDICTS.indexOf(fact.verdict));
  into.u8(POOL_REASONS.indexOf(fact.reason));
  into.text(fact.code);
  into.text(fact.text);
  into.u8(fact.reply === undefined ? 0 : 1 + REPLY_SOURCES.indexOf(fact.reply.source) * 2 + (fact.reply.value ? 1 : 0));
}

function encodeBlock(fact: BlockFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.varuint(fact.share);
  into.varuint(fact.job);
  into.block(fact.header);
  into.block(fact.coinbase);
}

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
      return { type, fromMs: from.u48(), site: from.text(), lessee: from.text(), exponent: readExponent(from), count: from.varuint(), atMs };
    case 'pulse':
      return { type, observedMs: from.varuint(), sessions: from.varuint(), atMs };
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
