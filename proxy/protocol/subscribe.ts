/**
 * Machine or proxy → server:
 *   {"id":2,"method":"mining.subscribe","params":["bitaxe/BM1370/x","<session id>"]}
 *   {"id":2,"result":[[["mining.set_difficulty","<session id>"],["mining.notify","<session id>"]],"4128064f",4],"error":null}
 * All params are optional. Both subscription pairs are always sent: Bitaxe's probe looks for the text `mining.notify`
 * in the first 1023 bytes, and proxies of the ckpool family refuse an answer without that pair.
 */
import { hexToBytes } from './hex.ts';
import { idText, type Id } from './reply.ts';

export interface SubscribeMessage {
  readonly kind: 'subscribe';
  readonly id: Id;
  /** '' when the machine names none. */
  readonly userAgent: string;
  /** The session it would like to resume, opaque: WhatsMiner sends an odd number of hex digits. */
  readonly sessionId: string | undefined;
}

/** The widest extranonce fields taken from a pool. cgminer's limit is 16, ESP-Miner's 32. */
const EXTRANONCE_BYTES_MAX = 32;

/** Reads the params; whatever cannot be read is taken as absent. */
export function parseSubscribe(id: Id, params: readonly unknown[]): SubscribeMessage {
  const [userAgent, sessionId] = params;
  return {
    kind: 'subscribe',
    id,
    userAgent: typeof userAgent === 'string' ? userAgent : '',
    sessionId: typeof sessionId === 'string' && sessionId !== '' ? sessionId : undefined,
  };
}

/** The answer to a machine: its prefix is its extranonce1. */
export function formatSubscribeResult(id: Id, sessionId: string, prefixHex: string, extranonce2Bytes: number): string {
  const pairs = `[["mining.set_difficulty","${sessionId}"],["mining.notify","${sessionId}"]]`;
  return `{"id":${idText(id)},"result":[${pairs},"${prefixHex}",${extranonce2Bytes}],"error":null}\n`;
}

export interface ExtranonceSpace {
  readonly extranonce1: Uint8Array;
  readonly extranonce2Bytes: number;
}

/** Extranonce1 (hex) and the size of extranonce2 (a number, also as text); a string is the reason for refusing them. */
export function readExtranonce(hex: unknown, size: unknown): ExtranonceSpace | string {
  const extranonce1 = hexToBytes(hex);
  if (extranonce1 === undefined || extranonce1.length > EXTRANONCE_BYTES_MAX) {
    return `extranonce1 is not hex of at most ${EXTRANONCE_BYTES_MAX} bytes`;
  }
  const extranonce2Bytes = typeof size === 'string' && size !== '' ? Number(size) : size;
  if (
    typeof extranonce2Bytes !== 'number' ||
    !Number.isInteger(extranonce2Bytes) ||
    extranonce2Bytes < 0 ||
    extranonce2Bytes > EXTRANONCE_BYTES_MAX
  ) {
    return `extranonce2 size is not an integer from 0 to ${EXTRANONCE_BYTES_MAX}`;
  }
  return { extranonce1, extranonce2Bytes };
}

/** A pool's answer. The list of subscriptions is not looked at: Braiins Pool leaves it empty. */
export function readSubscribeResult(result: unknown): ExtranonceSpace | { reason: string } {
  if (!Array.isArray(result) || result.length < 3) return { reason: 'the subscribe result is not a list of three' };
  const space = readExtranonce(result[1], result[2]);
  return typeof space === 'string' ? { reason: space } : space;
}
