/**
 * Machine or proxy → server: {"id":3,"method":"mining.authorize","params":["lessee.rig1","x"]}, answered true or error 24.
 * The name is kept raw, percent signs and UTF-8 included, because the submits repeat it. A password may be missing.
 */
import type { Id } from './reply.ts';

export interface AuthorizeMessage {
  readonly kind: 'authorize';
  readonly id: Id;
  readonly username: string;
  /** '' when absent. */
  readonly password: string;
}

/** Reads the params; a string is the reason why they cannot be read. */
export function parseAuthorize(id: Id, params: readonly unknown[]): AuthorizeMessage | string {
  const [username, password] = params;
  if (typeof username !== 'string') return 'mining.authorize needs a user name';
  const given = typeof password === 'string' || typeof password === 'number';
  return { kind: 'authorize', id, username, password: given ? String(password) : '' };
}
