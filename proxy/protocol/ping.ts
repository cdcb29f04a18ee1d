/**
 * Either side: {"id":7,"method":"mining.ping","params":[]}, answered {"id":7,"result":"pong","error":null};
 * Bitaxe answers with a method instead, {"id":7,"method":"pong","params":[]}, and most machines not at all.
 */
import { formatResult, idText, type Id } from './reply.ts';

/** A ping of our own. */
export function formatPing(id: Id): string {
  return `{"id":${idText(id)},"method":"mining.ping","params":[]}\n`;
}

/** The answer to a peer's ping. */
export function formatPong(id: Id): string {
  return formatResult(id, 'pong');
}
