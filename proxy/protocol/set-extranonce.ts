/**
 * Server → machine or proxy: {"id":null,"method":"mining.set_extranonce","params":["4128064f",4]}
 * Valid from the next notify on. Machines get it only when they subscribed to it by mining.extranonce.subscribe.
 */
import { readExtranonce, type ExtranonceSpace } from './subscribe.ts';

export interface SetExtranonceMessage extends ExtranonceSpace {
  readonly kind: 'set-extranonce';
}

/** The line sent to a machine. */
export function formatSetExtranonce(prefixHex: string, extranonce2Bytes: number): string {
  return `{"id":null,"method":"mining.set_extranonce","params":["${prefixHex}",${extranonce2Bytes}]}\n`;
}

/** Reads a pool's params; a string is the reason why they cannot be read. */
export function parseSetExtranonce(params: readonly unknown[]): SetExtranonceMessage | string {
  const space = readExtranonce(params[0], params[1]);
  return typeof space === 'string' ? space : { kind: 'set-extranonce', ...space };
}
