/**
 * What makes one run of a proxy process unlike every other that lives beside it: its part of the prefixes, the begin of its
 * job ids, and the key by which all runs of an instance know each other's session ids.
 *
 * A session id is 16 bytes: layout ‖ prefix ‖ random ‖ tag. It carries what a returning machine must be given again, so that any
 * process can do so without asking another that may be dead; the tag makes it as hard to guess as a random number of 64 bits.
 *
 *   byte 0        prefix bytes · 16 + extranonce2 bytes
 *   bytes 1–4     prefix, zeros before a shorter one
 *   bytes 5–7     random
 *   bytes 8–15    HMAC-SHA-256 by the key over the bytes before and the site, cut
 */
import { createHmac } from 'node:crypto';
import type { Layout } from './layouts.ts';
import { allPrefixes, type PrefixRange } from './prefixes.ts';

export interface Run {
  /** Four hex digits that begin every job id. */
  readonly bootTag: string;
  /** By length, 1–4 bytes. */
  readonly prefixes: Readonly<Record<number, PrefixRange>>;
  /** Hex; the same for all runs of an instance. */
  readonly sessionKey: string;
}

const RANDOM_BYTES = 3;
const TAG_BYTES = 8;
const BODY_BYTES = 8;
const SESSION_ID = /^[0-9a-f]{32}$/;
const PREFIX_BYTES_MAX = 4;
const LENGTHS = [1, 2, 3, 4];

/** A run beside which there is no other. */
export function onlyRun(bootTag: string): Run {
  return { bootTag, prefixes: Object.fromEntries(LENGTHS.map((bytes) => [bytes, allPrefixes(bytes)])), sessionKey: '' };
}

function tagOf(run: Run, site: string, body: Uint8Array): Buffer {
  return createHmac('sha256', Buffer.from(run.sessionKey, 'hex')).update(body).update(site).digest().subarray(0, TAG_BYTES);
}

/** The id of a new session; `random` gives its three random bytes. */
export function makeSessionId(run: Run, site: string, prefix: Uint8Array, extranonce2Bytes: number, random: (bytes: number) => Uint8Array): string {
  const body = new Uint8Array(BODY_BYTES);
  body[0] = prefix.length * 16 + extranonce2Bytes;
  body.set(prefix, 1 + PREFIX_BYTES_MAX - prefix.length);
  body.set(random(RANDOM_BYTES), 1 + PREFIX_BYTES_MAX);
  return Buffer.concat([body, tagOf(run, site, body)]).toString('hex');
}

/** What a session id of this instance and site stands for; undefined for any other text. */
export function readSessionId(run: Run, site: string, sessionId: string): { readonly layout: Layout; readonly prefix: Uint8Array } | undefined {
  if (!SESSION_ID.test(sessionId)) return undefined;
  const bytes = Buffer.from(sessionId, 'hex');
  const body = bytes.subarray(0, BODY_BYTES);
  if (!tagOf(run, site, body).equals(bytes.subarray(BODY_BYTES))) return undefined;
  const prefix = prefixIn(sessionId);
  if (prefix.length < 1 || prefix.length > PREFIX_BYTES_MAX) return undefined;
  return { layout: { prefixBytes: prefix.length, extranonce2Bytes: body[0]! & 15 }, prefix };
}

/** The prefix that a session id carries, of whatever site; nonsense of a text that is none. */
export function prefixIn(sessionId: string): Uint8Array {
  const bytes = Buffer.from(sessionId, 'hex');
  return new Uint8Array(bytes.subarray(1 + PREFIX_BYTES_MAX - (bytes[0]! >> 4), 1 + PREFIX_BYTES_MAX));
}
