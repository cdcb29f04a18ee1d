/** The commands that Redis runs for us: one Lua file each, its number of keys in its name, `n` where it takes any. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Command {
  readonly name: string;
  readonly keys: number | 'n';
  readonly lua: string;
  /** Of the text, as EVALSHA names it. */
  readonly sha1: string;
}

/** Compiled modules lie in dist/accounting/redis; the Lua files stay with the sources. */
const PLACES = ['./commands/', '../../../accounting/redis/commands/'];

function read(name: string, keys: Command['keys']): Command {
  const file = `${name}-${keys}.lua`;
  const paths = PLACES.map((place) => fileURLToPath(new URL(`${place}${file}`, import.meta.url)));
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`the Redis command ${file} is neither at ${paths.join(' nor at ')}: this installation is incomplete`);
  const lua = readFileSync(path, 'utf8');
  return { name, keys, lua, sha1: createHash('sha1').update(lua).digest('hex') };
}

export const PUBLISH = read('publish', 2);
export const ANNOUNCE = read('announce', 1);
export const CLAIM = read('claim', 1);
export const RELEASE = read('release', 1);
export const READ = read('read', 'n');
export const COMMANDS: readonly Command[] = [PUBLISH, ANNOUNCE, CLAIM, RELEASE, READ];
