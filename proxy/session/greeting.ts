/** What a new link says first: what it asks the pool for, and under which name it works. */
import { formatRequest } from '../protocol/upstream.ts';
import type { Outlet } from './outlets.ts';

export const USER_AGENT = 'weighbridge/0.1';
/** Ids of the requests that open a link; those of shares and of names that are passed on begin above (outbox.ts). */
export const CONFIGURE_ID = 1;
export const SUBSCRIBE_ID = 2;
export const AUTHORIZE_ID = 3;
export const SUGGEST_ID = 4;

/** mining.configure where version bits are wanted, and mining.subscribe. */
export function greeting({ config }: Outlet): string {
  const mask = config.versionMask.toString(16).padStart(8, '0');
  const extensions = ['version-rolling', 'subscribe-extranonce'];
  const asked = { 'version-rolling.mask': mask, 'version-rolling.min-bit-count': 2 };
  const configure = config.versionMask === 0 ? '' : formatRequest(CONFIGURE_ID, 'mining.configure', [extensions, asked]);
  return configure + formatRequest(SUBSCRIBE_ID, 'mining.subscribe', [USER_AGENT]);
}

/** mining.authorize with the account, and the difficulty wished for. */
export function introduction(outlet: Outlet): string {
  const { config, user, password } = outlet;
  const { difficulty, passwordDifficulty } = config;
  const asked = passwordDifficulty && difficulty !== undefined ? `${password},d=${difficulty}` : password;
  return formatRequest(AUTHORIZE_ID, 'mining.authorize', [user, asked]) + suggestion(outlet);
}

/** The difficulty wished for; '' where there is none. */
export function suggestion({ config: { difficulty } }: Outlet): string {
  return difficulty === undefined ? '' : formatRequest(SUGGEST_ID, 'mining.suggest_difficulty', [Number(difficulty)]);
}
