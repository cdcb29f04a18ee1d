/** Our Lua commands on a real server: newer replaces, anything else changes nothing, however often it is sent. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { realWorld } from '../../../config/world.ts';
import type { SharedRedis } from '../../../accounting/redis/client.ts';
import { ANNOUNCE, CLAIM, PUBLISH, RELEASE } from '../../../accounting/redis/commands.ts';
import { RedisRig } from '../../rig/redis.ts';
import { connect } from './books.ts';

/** Under the load of other tests everything takes many times as long as alone. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let rig: RedisRig;
let redis: SharedRedis;

beforeAll(async () => {
  rig = await RedisRig.single();
  redis = connect(rig.url);
  await redis.untilReady(5000, realWorld);
}, 120_000);
afterAll(async () => {
  redis.close();
  await rig.dispose();
});
beforeEach(async () => {
  await rig.first.client.flushall();
});

const LATER = String(Math.floor(Date.now() / 1000) + 1000);

describe('read', () => {
  it('gives many hashes as they stand, in the order asked for, and nothing where there is none', async () => {
    const keys = Array.from({ length: 250 }, (_, number) => `wb:{t}:${number}`);
    await rig.first.client.hset('wb:{t}:7', { '#': '3', 'rig7|16': '1 2 3' });
    await rig.first.client.hset('wb:{t}:249', { '': '9', empty: '' });
    const hashes = await redis.hashes(keys);
    expect(hashes).toHaveLength(250);
    expect(hashes[7]).toEqual(['#', '3', 'rig7|16', '1 2 3']);
    expect(hashes[249]).toEqual(['', '9', 'empty', '']);
    expect(hashes.filter((hash) => hash.length > 0)).toHaveLength(2);
    expect(await redis.hashes([])).toEqual([]);
  });
});

describe('publish', () => {
  const publish = (version: string, rows: readonly string[], spread = '1'): Promise<number> => redis.run(PUBLISH, ['wb:{t}:a', 'wb:{t}'], [version, LATER, 'a', spread, ...rows]);

  it('replaces all rows by newer ones only', async () => {
    expect(await publish('9', ['x', '4', 'y', '5'])).toBe(1);
    expect(await publish('10', ['x', '10'])).toBe(1);
    for (const version of ['10', '9', '2', '0']) expect(await publish(version, ['x', '999'])).toBe(0);
    expect(await redis.fields('wb:{t}:a')).toEqual({ '#': '10', x: '10' });
    expect(await redis.fields('wb:{t}')).toEqual({ a: '1' });
  });

  it('compares versions beyond 2^53 to the unit', async () => {
    expect(await publish('9007199254740993', ['x', '1'])).toBe(1);
    expect(await publish('9007199254740992', ['x', '2'])).toBe(0);
    expect(await publish('9007199254740994', ['x', '9007199254740994'])).toBe(1);
    expect((await redis.fields('wb:{t}:a'))['x']).toBe('9007199254740994');
  });

  it('takes more rows than the stack of the interpreter', async () => {
    const rows = Array.from({ length: 25_000 }, (_, number) => [`row${number}`, String(number)]).flat();
    expect(await publish('1', rows)).toBe(1);
    expect(Object.keys(await redis.fields('wb:{t}:a'))).toHaveLength(25_001);
  });

  it('expires rows and index, the index with the longest of them', async () => {
    await publish('1', ['x', '1']);
    await redis.run(PUBLISH, ['wb:{t}:b', 'wb:{t}'], ['1', String(Number(LATER) + 500), 'b', '1', 'x', '1']);
    await redis.run(PUBLISH, ['wb:{t}:c', 'wb:{t}'], ['1', String(Number(LATER) - 500), 'c', '1', 'x', '1']);
    expect(await rig.first.client.expiretime('wb:{t}:a')).toBe(LATER);
    expect(await rig.first.client.expiretime('wb:{t}')).toBe(String(Number(LATER) + 500));
  });

  it('announces only more parts than before, and nothing when told so', async () => {
    await publish('1', ['x', '1'], '8');
    await publish('2', ['x', '2'], '4');
    await publish('3', ['x', '3'], '');
    expect(await redis.fields('wb:{t}')).toEqual({ a: '8' });
    expect(await redis.run(ANNOUNCE, ['wb:{t}'], ['a', '16', LATER])).toBe(1);
    expect(await redis.run(ANNOUNCE, ['wb:{t}'], ['a', '8', LATER])).toBe(0);
    expect(await redis.fields('wb:{t}')).toEqual({ a: '16' });
  });

  it('works on after the server has forgotten our scripts', async () => {
    await publish('1', ['x', '1']);
    await rig.first.client.script('FLUSH');
    expect(await publish('2', ['x', '2'])).toBe(1);
  });
});

describe('the claim on a host', () => {
  const claim = (instance: string, seat: string, first: '0' | '1', lifeMs = '30000'): Promise<number> => redis.run(CLAIM, ['wb:host:h'], [instance, seat, first, lifeMs, 'address', 'x']);

  it('is one instance’s until it lapses or is given up', async () => {
    expect(await claim('i1', 's1', '1')).toBe(1);
    expect(await claim('i1', 's1', '0')).toBe(2);
    expect(await claim('i2', 's2', '1')).toBe(0);
    expect(await redis.run(RELEASE, ['wb:host:h'], ['i2'])).toBe(0);
    expect(await redis.run(RELEASE, ['wb:host:h'], ['i1'])).toBe(1);
    expect(await claim('i2', 's2', '1', '1')).toBe(1);
    await expect.poll(() => claim('i3', 's3', '1')).toBe(1);
  });

  it('passes to a restart at the same seat, which the older instance then notices', async () => {
    await claim('i1', 's1', '1');
    expect(await claim('i2', 's1', '1')).toBe(1);
    expect(await claim('i1', 's1', '0')).toBe(0);
    expect(await claim('i2', 's1', '0')).toBe(2);
  });
});
