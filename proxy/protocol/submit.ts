/**
 * Machine or proxy → server:
 *   {"id":4,"method":"mining.submit","params":["lessee.rig1","875b4b7","17000000","685468d7","7552034c","00b44000"]}
 *   name, job id, extranonce2 (bytes), ntime, nonce (big-endian integers) and, with version rolling, version bits.
 * Liberal where firmware is known to differ: NerdMiner prints nonces without leading zeros, some clients send numbers.
 */
import { evenHex, fieldToU32, hexToU32, u32ToHex } from './hex.ts';
import type { Id } from './reply.ts';

export interface SubmitMessage {
  readonly kind: 'submit';
  readonly id: Id;
  readonly username: string;
  readonly jobId: string;
  /** Lower-case hex of even length; its length is not checked against the session. */
  readonly extranonce2: string;
  readonly ntime: number;
  readonly nonce: number;
  readonly versionBits: number | undefined;
}

/** A submit that cannot be judged: answered with code 20, verdict malformed. */
export interface BadSubmitMessage {
  readonly kind: 'bad-submit';
  readonly id: Id;
  readonly username: string | undefined;
  readonly jobId: string | undefined;
  readonly reason: string;
}

function bad(id: Id, username: unknown, jobId: unknown, reason: string): BadSubmitMessage {
  return {
    kind: 'bad-submit',
    id,
    username: typeof username === 'string' ? username : undefined,
    jobId: typeof jobId === 'string' ? jobId : undefined,
    reason,
  };
}

/** Reads the params. The texts are those of ckpool, which some firmware families are used to. */
export function parseSubmit(id: Id, params: readonly unknown[]): SubmitMessage | BadSubmitMessage {
  const username = params[0];
  const jobId = params[1];
  if (params.length < 5 || params.length > 6) return bad(id, username, jobId, 'Invalid array size');
  if (typeof username !== 'string') return bad(id, username, jobId, 'No username');
  if (typeof jobId !== 'string') return bad(id, username, jobId, 'No job_id');
  const extranonce2 = typeof params[2] === 'string' ? evenHex(params[2]) : undefined;
  if (extranonce2 === undefined) return bad(id, username, jobId, 'Invalid nonce2');
  const ntimeField = params[3];
  const ntime =
    typeof ntimeField === 'string' ? (ntimeField.length === 8 ? hexToU32(ntimeField) : undefined) : fieldToU32(ntimeField);
  if (ntime === undefined) return bad(id, username, jobId, 'Invalid ntime');
  const nonce = fieldToU32(params[4]);
  if (nonce === undefined) return bad(id, username, jobId, 'Invalid nonce');
  const bitsField = params[5];
  let versionBits: number | undefined;
  if (bitsField !== undefined && bitsField !== null && bitsField !== '') {
    versionBits = fieldToU32(bitsField);
    if (versionBits === undefined) return bad(id, username, jobId, 'Invalid version bits');
  }
  return { kind: 'submit', id, username, jobId, extranonce2, ntime, nonce, versionBits };
}

/** A submit to a pool, as a full line. `extranonce2Hex` is all of the pool's extranonce2, our prefix included. */
export function formatSubmit(
  id: number,
  user: string,
  poolJobId: string,
  extranonce2Hex: string,
  ntime: number,
  nonce: number,
  versionBits: number | undefined,
): string {
  const bits = versionBits === undefined ? '' : `,"${u32ToHex(versionBits)}"`;
  return (
    `{"id":${id},"method":"mining.submit","params":[${JSON.stringify(user)},${JSON.stringify(poolJobId)},` +
    `"${extranonce2Hex}","${u32ToHex(ntime)}","${u32ToHex(nonce)}"${bits}]}\n`
  );
}
