/** The address of the shared ledger in all its forms, and sentences for what is none; a password is in no sentence. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { readRedisUrl } from '../../config/redis-url.ts';

const AT = { master: '', database: 0, username: undefined, password: undefined, tls: false };

describe('the url of Redis', () => {
  it.each([
    ['redis://localhost:6379', { ...AT, kind: 'single', nodes: [{ host: 'localhost', port: 6379 }] }],
    ['redis://[::1]:6379/3', { ...AT, kind: 'single', database: 3, nodes: [{ host: '::1', port: 6379 }] }],
    ['rediss://u:p%40ss@r.example:6380', { ...AT, kind: 'single', tls: true, username: 'u', password: 'p@ss', nodes: [{ host: 'r.example', port: 6380 }] }],
    ['redis://:secret@h:1', { ...AT, kind: 'single', password: 'secret', nodes: [{ host: 'h', port: 1 }] }],
    ['redis+sentinel://a:1,b:2/mymaster', { ...AT, kind: 'sentinel', master: 'mymaster', nodes: [{ host: 'a', port: 1 }, { host: 'b', port: 2 }] }],
    ['redis+sentinel://:x@a:1/m/2', { ...AT, kind: 'sentinel', master: 'm', database: 2, password: 'x', nodes: [{ host: 'a', port: 1 }] }],
    ['redis+cluster://a:1,b:2', { ...AT, kind: 'cluster', nodes: [{ host: 'a', port: 1 }, { host: 'b', port: 2 }] }],
  ])('%s', (url, address) => expect(readRedisUrl(url)).toEqual(address));

  it.each([
    ['http://a:1', 'must be redis://host:port'],
    ['redis://a', 'must be redis://host:port'],
    ['redis://a:1,b:2', 'must be redis://host:port'],
    ['redis://a:0', 'must be redis://host:port'],
    ['redis://a:1/first', 'must name a database by its number'],
    ['redis+sentinel://a:1', 'must name the master'],
    ['redis+cluster://a:1/1', 'must end after its nodes'],
  ])('%s is refused', (url, sentence) => expect(readRedisUrl(url)).toContain(sentence));

  it('may come from an environment variable, and is not printed with a password', () => {
    const config = (redis: string): string => `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: "stratum+tcp://p.example:1", user: u } }
routes: [ { pools: [ main ] } ]
redis: ${redis}
`;
    const env = { REDIS_URL: 'redis://:hidden@h:7' };
    expect(parseConfig(config('{ url: { env: REDIS_URL } }'), 'x.yaml', env).config?.redis).toMatchObject({ prefix: 'wb', url: { password: 'hidden' }, commandTimeoutMs: 2000 });
    const missing = parseConfig(config('{ url: { env: NOWHERE } }'), 'x.yaml', env).problems;
    expect(missing?.[0]?.message).toContain('NOWHERE is not');
    const wrong = JSON.stringify(parseConfig(config('{ url: "redis://:hidden@h" }'), 'x.yaml', env).problems);
    expect(wrong).toContain('must be redis://host:port');
    expect(wrong).not.toContain('hidden');
  });
});
