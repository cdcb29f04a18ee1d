/** Facts → record bodies: one type byte, then the fields in the order of docs/journal.md. */
import { LEASE_KINDS } from '../../config/leases.ts';
import type { OwnVerdict } from '../../proxy/mining/verdict.ts';
import { FORWARDING, OWN_VERDICTS, POOL_REASONS, POOL_VERDICTS, REPLY_SOURCES } from '../../proxy/mining/verdict.ts';
import { LEASE_EVENTS } from '../../proxy/session/facts.ts';
import type {
  BindFact,
  BlockFact,
  Fact,
  JobFact,
  LeaseEventFact,
  LeaseTermsFact,
  LinkFact,
  PoolVerdictFact,
  RefreshFact,
  SessionFact,
  ShareFact,
} from '../../proxy/session/facts.ts';
import type { ByteWriter } from './bytes.ts';
import { BLOCK_FLAG, CLEAN_FLAG, FACT_TYPES, FIRST_FACT_TYPE } from './fact-types.ts';
import type { FactType } from './fact-types.ts';

const typeBytes = Object.fromEntries(FACT_TYPES.map((type, index) => [type, FIRST_FACT_TYPE + index])) as Record<FactType, number>;
const verdictBytes = Object.fromEntries(OWN_VERDICTS.map((word, index) => [word, index])) as Record<OwnVerdict, number>;
const forwardingBytes = Object.fromEntries(FORWARDING.map((word, index) => [word, index])) as Record<ShareFact['forwarding'], number>;

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
      into.varuint(fact.count);
      into.u8(verdictBytes[fact.verdict]);
      return fact.leases === '' ? undefined : into.text(fact.leases);
    case 'pulse':
      into.u48(fact.atMs);
      into.varuint(fact.observedMs);
      return into.varuint(fact.sessions);
    case 'document':
      into.u48(fact.atMs);
      into.text(fact.kind);
      into.text(fact.name);
      return into.text(fact.digest);
    case 'lease-terms':
      return encodeLeaseTerms(fact, into);
    case 'lease-event':
      return encodeLeaseEvent(fact, into);
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

function encodeLeaseTerms(fact: LeaseTermsFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.text(fact.lease);
  into.u8(LEASE_KINDS.indexOf(fact.kind));
  into.text(fact.digest);
  into.text(fact.terms);
  for (const list of [fact.workers, fact.sites, fact.from]) {
    into.varuint(list.length);
    for (const each of list) into.text(each);
  }
  into.text(fact.timezone);
  into.u48(fact.fromMs);
  into.u48(fact.toMs);
}

function encodeLeaseEvent(fact: LeaseEventFact, into: ByteWriter): void {
  into.u48(fact.atMs);
  into.text(fact.lease);
  into.u8(LEASE_EVENTS.indexOf(fact.event));
  into.u48(fact.fromMs);
  into.u48(fact.toMs);
  into.text(fact.by);
  into.text(fact.reason);
  into.text(fact.document);
  into.text(fact.terms);
}
