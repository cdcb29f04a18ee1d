/**
 * Server → machine or proxy: {"id":null,"method":"mining.set_version_mask","params":["1fffe000"]}
 * Effective at once. One S21+ firmware drops the connection when it comes before the answer to authorize.
 */
import { hexToU32, u32ToHex } from './hex.ts';

export interface SetVersionMaskMessage {
  readonly kind: 'set-version-mask';
  readonly versionMask: number;
}

/** The line sent to a machine. */
export function formatSetVersionMask(versionMask: number): string {
  return `{"id":null,"method":"mining.set_version_mask","params":["${u32ToHex(versionMask)}"]}\n`;
}

/** Reads a pool's params; a string is the reason why they cannot be read. */
export function parseSetVersionMask(params: readonly unknown[]): SetVersionMaskMessage | string {
  const versionMask = typeof params[0] === 'string' ? hexToU32(params[0]) : undefined;
  return versionMask === undefined
    ? 'mining.set_version_mask without a mask of 8 hex digits'
    : { kind: 'set-version-mask', versionMask };
}
