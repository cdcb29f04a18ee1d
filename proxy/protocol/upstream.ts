/** What pools send: one line in, one message out. Never throws; each method's form is in its own file. */
import { parseNotify, type NotifyMessage } from './notify.ts';
import { parseReconnect, type ReconnectMessage } from './reconnect.ts';
import { jsonText, readId, type Id } from './reply.ts';
import { parseSetDifficulty, type SetDifficultyMessage } from './set-difficulty.ts';
import { parseSetExtranonce, type SetExtranonceMessage } from './set-extranonce.ts';
import { parseSetVersionMask, type SetVersionMaskMessage } from './set-version-mask.ts';

export { readConfigureResult } from './configure.ts';
export { sameRegistrableDomain } from './reconnect.ts';
export { poolReason } from './rejects.ts';
export { formatRequest } from './reply.ts';
export { formatSubmit } from './submit.ts';
export { readSubscribeResult } from './subscribe.ts';

/** Where a pool is: scheme://host:port, never with credentials. */
export function formatUrl(tls: boolean, { host, port }: { readonly host: string; readonly port: number }): string {
  return `${tls ? 'stratum+tls' : 'stratum+tcp'}://${host}:${port}`;
}

export interface ResponseMessage {
  readonly kind: 'response';
  readonly id: Id;
  /** The result is truthy and there is no error; an answer with both counts as an error. */
  readonly ok: boolean;
  readonly result: unknown;
  /** The pool's error code as text, '' when there is none. */
  readonly code: string;
  /** The pool's error text verbatim (its first 1024 characters), '' when there is none. */
  readonly text: string;
}

export type UpstreamMessage =
  | NotifyMessage
  | SetDifficultyMessage
  | SetExtranonceMessage
  | SetVersionMaskMessage
  | ReconnectMessage
  | ResponseMessage
  | { readonly kind: 'show-message'; readonly text: string }
  | { readonly kind: 'get-version'; readonly id: Id }
  | { readonly kind: 'ping'; readonly id: Id }
  | { readonly kind: 'unsupported'; readonly id: Id; readonly method: string }
  | { readonly kind: 'malformed'; readonly reason: string };

/** Texts go into the journal with every reject, so a pool may not make them as long as its longest line. */
const TEXT_CHARACTERS_MAX = 1024;
const CODE_CHARACTERS_MAX = 32;

interface Envelope {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly 'reject-reason'?: unknown;
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : jsonText(value);
}

/** Code and text of an error member, which pools send as a list, an object, a string or a number. */
function readError(error: unknown): { code: string; text: string } {
  if (Array.isArray(error)) return { code: plain(error[0]), text: plain(error[1]) };
  if (typeof error === 'number') return { code: String(error), text: '' };
  if (typeof error !== 'object' || error === null) return { code: '', text: plain(error) };
  const { code, message } = error as { code?: unknown; message?: unknown };
  const known = code !== undefined || message !== undefined;
  return known ? { code: plain(code), text: plain(message) } : { code: '', text: jsonText(error) };
}

function readResponse(id: Id, envelope: Envelope): ResponseMessage {
  const { result, error } = envelope;
  const failed = error !== undefined && error !== null && error !== false;
  const { code, text } = failed ? readError(error) : { code: '', text: '' };
  const reason = plain(envelope['reject-reason']);
  return {
    kind: 'response',
    id,
    ok: Boolean(result) && !failed && reason === '',
    result,
    code: code.slice(0, CODE_CHARACTERS_MAX),
    text: (text === '' ? reason : text).slice(0, TEXT_CHARACTERS_MAX),
  };
}

/** Parses one line. */
export function parseUpstream(line: string): UpstreamMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: 'malformed', reason: 'not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { kind: 'malformed', reason: 'not a JSON object' };
  }
  const envelope: Envelope = value;
  const id = readId(envelope.id, line);
  const { method, params } = envelope;
  if (typeof method !== 'string') {
    const answers = envelope.result !== undefined || envelope.error !== undefined || 'reject-reason' in envelope;
    return answers ? readResponse(id, envelope) : { kind: 'malformed', reason: 'neither a method nor a result' };
  }
  const list: readonly unknown[] = Array.isArray(params) ? params : params === undefined || params === null ? [] : [params];
  const message = dispatch(id, method, list, line);
  return typeof message === 'string' ? { kind: 'malformed', reason: message } : message;
}

function dispatch(id: Id, method: string, params: readonly unknown[], line: string): UpstreamMessage | string {
  switch (method) {
    case 'mining.notify':
      return parseNotify(params);
    case 'mining.set_difficulty':
      return parseSetDifficulty(params, line);
    case 'mining.set_extranonce':
      return parseSetExtranonce(params);
    case 'mining.set_version_mask':
      return parseSetVersionMask(params);
    case 'client.reconnect':
      return parseReconnect(params);
    case 'client.show_message':
      return { kind: 'show-message', text: plain(params[0]).slice(0, TEXT_CHARACTERS_MAX) };
    case 'client.get_version':
      return { kind: 'get-version', id };
    case 'mining.ping':
      return { kind: 'ping', id };
    default:
      return { kind: 'unsupported', id, method };
  }
}
