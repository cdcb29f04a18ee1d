/** What machines send: one line in, one message out. Never throws; each method's form is in its own file. */
import { parseAuthorize, type AuthorizeMessage } from './authorize.ts';
import { parseConfigure, type ConfigureMessage } from './configure.ts';
import { readId, type Id } from './reply.ts';
import { parseSubmit, type BadSubmitMessage, type SubmitMessage } from './submit.ts';
import { parseSubscribe, type SubscribeMessage } from './subscribe.ts';
import { parseLegacySuggest, parseSuggestDifficulty, parseSuggestTarget, type SuggestMessage } from './suggest.ts';

export { formatConfigureResult } from './configure.ts';
export { formatNotify, notifyWire } from './notify.ts';
export { formatPing, formatPong } from './ping.ts';
export { rejectReply } from './rejects.ts';
export { formatError, formatResult, formatTrue, type Id } from './reply.ts';
export { formatSetDifficulty } from './set-difficulty.ts';
export { formatSetExtranonce } from './set-extranonce.ts';
export { formatSetVersionMask } from './set-version-mask.ts';
export { formatSubscribeResult } from './subscribe.ts';

export type GarbageReason = 'not-json' | 'not-object' | 'http' | 'tls' | 'rdp' | 'binary';

export type DownstreamMessage =
  | ConfigureMessage
  | SubscribeMessage
  | AuthorizeMessage
  | SubmitMessage
  | BadSubmitMessage
  | SuggestMessage
  | { readonly kind: 'extranonce-subscribe'; readonly id: Id }
  | { readonly kind: 'get-transactions'; readonly id: Id }
  | { readonly kind: 'ping'; readonly id: Id }
  | { readonly kind: 'pong' }
  | { readonly kind: 'response'; readonly id: Id }
  /** An unknown method; `silent` when it is a notification (no id member), which nobody waits for. */
  | { readonly kind: 'unsupported'; readonly id: Id; readonly method: string; readonly silent: boolean }
  /** An object that can be answered with error 20. */
  | { readonly kind: 'malformed'; readonly id: Id; readonly reason: string }
  /** Not Stratum at all: closed without an answer. */
  | { readonly kind: 'garbage'; readonly reason: GarbageReason };

/** Control characters other than white space, or bytes that were not UTF-8: some binary protocol. */
function isBinary(line: string): boolean {
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code < 0x09 || (code > 0x0d && code < 0x20) || code === 0x7f || code === 0xfffd) return true;
  }
  return false;
}

/** What a line that is not JSON looks like: port scanners, browsers and remote desktops all find open ports. */
function garbageReason(line: string): GarbageReason {
  if (line.startsWith('\u0016\u0003')) return 'tls';
  if (line.startsWith('\u0003\u0000') || line.includes('mstshash')) return 'rdp';
  if (/^[A-Z]{3,10} \S.* HTTP\/\d/.test(line)) return 'http';
  return isBinary(line) ? 'binary' : 'not-json';
}

/** Positional params: a bare value counts as a list of one (seen with suggest_difficulty), an object cannot be positional. */
function positional(params: unknown): readonly unknown[] | undefined {
  if (Array.isArray(params)) return params;
  if (params === undefined || params === null) return [];
  return typeof params === 'object' ? undefined : [params];
}

/** Parses one line. `paramsMax` bounds the list of params and the list of extensions in it. */
export function parseDownstream(line: string, paramsMax: number): DownstreamMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: 'garbage', reason: garbageReason(line) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { kind: 'garbage', reason: 'not-object' };
  const envelope = value as { id?: unknown; method?: unknown; params?: unknown; result?: unknown; error?: unknown };
  const id = readId(envelope.id, line);
  const method = envelope.method;
  if (typeof method !== 'string') {
    const answers = envelope.result !== undefined || envelope.error !== undefined;
    return answers ? { kind: 'response', id } : { kind: 'malformed', id, reason: 'a message needs a method' };
  }
  const params = positional(envelope.params);
  if (params !== undefined && params.length > paramsMax) {
    return { kind: 'malformed', id, reason: `more than ${paramsMax} params` };
  }
  if (method === 'mining.submit') return parseSubmit(id, params ?? []);
  const message = dispatch(id, method, params ?? [], paramsMax);
  if (message === undefined) return { kind: 'unsupported', id, method, silent: envelope.id === undefined };
  return typeof message === 'string' ? { kind: 'malformed', id, reason: message } : message;
}

/** The message of a known method, the reason why its params cannot be read, or undefined for an unknown method. */
function dispatch(
  id: Id,
  method: string,
  params: readonly unknown[],
  paramsMax: number,
): DownstreamMessage | string | undefined {
  switch (method) {
    case 'mining.configure': {
      const message = parseConfigure(id, params);
      const tooMany = typeof message !== 'string' && message.extensions.length > paramsMax;
      return tooMany ? `more than ${paramsMax} extensions` : message;
    }
    case 'mining.subscribe':
      return parseSubscribe(id, params);
    case 'mining.authorize':
      return parseAuthorize(id, params);
    case 'mining.extranonce.subscribe':
      return { kind: 'extranonce-subscribe', id };
    case 'mining.suggest_difficulty':
      return parseSuggestDifficulty(id, params);
    case 'mining.suggest_target':
      return parseSuggestTarget(id, params);
    case 'mining.get_transactions':
      return { kind: 'get-transactions', id };
    case 'mining.ping':
      return { kind: 'ping', id };
    case 'pong':
    case 'mining.pong':
      return { kind: 'pong' };
    default:
      return parseLegacySuggest(id, method);
  }
}
