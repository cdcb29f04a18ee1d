/** The address of the shared ledger, as written in YAML and as the program uses it. */
import { z } from 'zod';
import { type HostPort, readHostPort } from './fields.ts';

export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  /** The server, the Sentinels, or some nodes of the Cluster. */
  readonly nodes: readonly HostPort[];
  /** Name of the master that the Sentinels watch; '' without Sentinels. */
  readonly master: string;
  readonly database: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

const URL_PATTERN = /^(redis|rediss|redis\+sentinel|rediss\+sentinel|redis\+cluster|rediss\+cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/]+)(?:\/(.*))?$/;
const MASTER = /^[A-Za-z0-9._-]{1,63}$/;
const DATABASE = /^\d{1,4}$/;
const FORMS = 'redis://host:port, rediss:// for TLS, redis+sentinel://host:port,host:port/master or redis+cluster://host:port,host:port';

/** Reads an address; a sentence when it is none. Credentials are percent-encoded as in any URL and never in the sentence. */
export function readRedisUrl(text: string): RedisAddress | string {
  const [, scheme = '', user, password, hosts = '', path = ''] = URL_PATTERN.exec(text) ?? [];
  if (scheme === '') return `must be ${FORMS}`;
  const kind = scheme.endsWith('+sentinel') ? 'sentinel' : scheme.endsWith('+cluster') ? 'cluster' : 'single';
  const nodes = hosts.split(',').map(readHostPort);
  if (nodes.some((node) => node === undefined || node.port === 0) || (kind === 'single' && nodes.length > 1)) return `must be ${FORMS}`;
  const [first = '', second] = path.split('/');
  const master = kind === 'sentinel' ? first : '';
  const database = kind === 'sentinel' ? second : first;
  if (kind === 'sentinel' && !MASTER.test(master)) return 'must name the master that the Sentinels watch: redis+sentinel://host:port,host:port/master';
  if (kind === 'cluster' && path !== '') return 'must end after its nodes: a Cluster has one database only';
  if (database !== undefined && database !== '' && !DATABASE.test(database)) return 'must name a database by its number';
  return {
    kind, master, tls: scheme.startsWith('rediss'),
    nodes: nodes.filter((node) => node !== undefined),
    database: Number(database ?? 0),
    username: decoded(user), password: decoded(password),
  };
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The url of Redis as text, or `{ env: NAME }` to keep its password out of the file. */
export function redisUrl(env: Readonly<Record<string, string | undefined>>) {
  const error = `must be ${FORMS}, or { env: NAME }`;
  const variable = z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error }) }, { error });
  return z.union([z.string(), variable], { error }).transform((value, context): RedisAddress => {
    const text = typeof value === 'string' ? value : env[value.env];
    if (text === undefined) {
      context.addIssue(`must name an environment variable that is set: ${typeof value === 'string' ? '' : value.env} is not`);
      return z.NEVER;
    }
    const read = readRedisUrl(text);
    if (typeof read !== 'string') return read;
    context.addIssue(read);
    return z.NEVER;
  });
}
