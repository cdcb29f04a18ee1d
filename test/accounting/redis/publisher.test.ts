/** Publication to a real server: whatever happens on the way, the shared ledger comes to equal those of the hosts. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emptyDeltas, type KeptRow } from '../../../accounting/rows.ts';
import { ledgerFile, Store } from '../../../accounting/store.ts';
import { BUCKET_TABLES } from '../../../accounting/units.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import { pause, RedisRig, until } from '../../rig/redis.ts';
import { connect, Host, randomDeltas, sharedTables, tablesOf } from './books.ts';

let rig: RedisRig;
const hosts: Host[] = [];
const NOW_MS = Date.now();
const RUN_A = 'aaaaaaaaaaaa';
const RUN_B = 'bbbbbbbbbbbb';

function host(options: ConstructorParameters<typeof Host>[1] = {}): Host {
  const made = new Host(rig.url, options);
  hosts.push(made);
  return made;
}

beforeAll(async () => {
  rig = await RedisRig.single();
}, 120_000);
afterAll(() => rig.dispose());
beforeEach(async () => {
  await rig.first.client.flushall();
});
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((each) => each.dispose()));
});

describe('publication', () => {
  it('makes the shared ledger equal to the host’s own', async () => {
    const one = host();
    const random = seededRandom(1);
    for (let commit = 0; commit < 5; commit += 1) {
      one.add(randomDeltas(random, RUN_A, NOW_MS, 40));
      await one.publish();
      expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
    }
    expect(one.publisher.figures(one.store.units)).toMatchObject({ lagRows: 0, lagSeconds: 0, errors: 0, problem: '' });
  });

  it('sees at once that nothing is left of a backlog that took long to count', async () => {
    let monoMs = 0;
    const one = host({ world: { ...realWorld, monoMs: () => (monoMs += 20) } });
    one.add(randomDeltas(seededRandom(13), RUN_A, NOW_MS, 40));
    expect(one.publisher.figures(one.store.units).lagRows).toBe(BUCKET_TABLES.length * 40);
    // Within fifty times what the count took, a backlog is not counted again.
    one.add(randomDeltas(seededRandom(14), RUN_A, NOW_MS, 40));
    expect(one.publisher.figures(one.store.units).lagRows).toBe(BUCKET_TABLES.length * 40);
    monoMs = 0;
    await one.publish();
    monoMs = 0;
    expect(one.publisher.figures(one.store.units)).toMatchObject({ lagRows: 0, lagSeconds: 0 });
  });

  it('adds up hosts and runs, and the same run at two hosts counts once', async () => {
    const [one, two] = [host(), host()];
    const random = seededRandom(2);
    const [a, b, both] = [randomDeltas(random, RUN_A, NOW_MS, 60), randomDeltas(random, RUN_B, NOW_MS, 60), randomDeltas(random, 'cccccccccccc', NOW_MS, 60)];
    one.add(a);
    one.add(both);
    two.add(b);
    two.add(both);
    await Promise.all([one.publish(), two.publish()]);
    const whole = host();
    for (const deltas of [a, b, both]) whole.add(deltas);
    expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(whole.store, NOW_MS));
  });

  it('spreads a unit that grows over more hashes, and readers never see it doubled or halved', async () => {
    const one = host();
    const hour = Math.floor(NOW_MS / 3_600_000);
    const row = (worker: number): KeptRow<'worker_hour'> =>
      ({ hour, run: RUN_A, site: 'north', lessee: 'acme', leases: '', pool: 'main', worker: `acme.${worker}`, verdict: 'accepted', exponent: 16, n: 1, last_ms: NOW_MS });
    for (let from = 0; from < 3000; from += 250) {
      const deltas = emptyDeltas();
      // Each commit adds names and counts again the ones there are.
      for (let worker = 0; worker < from + 250; worker += 1) deltas.worker_hour.set(String(worker), row(worker));
      one.add(deltas);
      let seen = 0;
      while (one.lag > 0) {
        await one.turn();
        const rows = (await sharedTables(rig.url, NOW_MS)).worker_hour;
        const total = rows.reduce((sum, { n }) => sum + n, 0);
        expect(total).toBeGreaterThanOrEqual(seen);
        seen = total;
      }
      expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
    }
    const keys = (await rig.first.client.keys('wb:{worker_hour*of64')).length;
    expect(keys).toBe(64);
    const lengths = await Promise.all((await rig.first.client.keys('wb:{worker_hour*of64')).map(async (key) => [Number(await rig.first.client.hlen(key)), await rig.first.client.object('ENCODING', key)]));
    for (const [length, encoding] of lengths) expect([length, encoding]).toEqual([length, 'listpack']);
  });

  it('comes to the same when every command arrives several times and in any order', async () => {
    const [one, two] = [host(), host()];
    const random = seededRandom(11);
    const both = randomDeltas(random, 'cccccccccccc', NOW_MS, 20, 200);
    for (let commit = 0; commit < 6; commit += 1) {
      one.add(randomDeltas(random, RUN_A, NOW_MS, 600, 400));
      two.add(commit === 3 ? both : randomDeltas(random, RUN_B, NOW_MS, 100, 400));
      if (commit === 2) one.add(both);
      await Promise.all([one.publish(), two.publish()]);
    }
    const expected = await sharedTables(rig.url, NOW_MS);
    const commands = [...one.sent, ...two.sent].filter(([{ name }]) => name === 'publish' || name === 'announce');
    expect(new Set(commands.map(([{ name }]) => name)).size).toBe(2);
    const redis = connect(rig.url);
    await redis.untilReady(5000, realWorld);
    for (let round = 0; round < 3; round += 1) {
      await rig.first.client.flushall();
      const twice = [...commands, ...commands].map((command) => ({ command, order: random.u32() })).toSorted((a, b) => a.order - b.order);
      for (let from = 0; from < twice.length; from += 200) await Promise.all(twice.slice(from, from + 200).map(({ command }) => redis.run(...command)));
      expect(await sharedTables(rig.url, NOW_MS)).toEqual(expected);
    }
    redis.close();
  });

  it('goes on where it was after a restart, and publishes nothing again that Redis has', async () => {
    const one = host();
    one.add(randomDeltas(seededRandom(3), RUN_A, NOW_MS, 100));
    await one.turns(3);
    await one.restart();
    await one.publish();
    const before = one.publisher.figures(one.store.units).publishedRows;
    await one.restart();
    await one.turns(50);
    expect(one.publisher.figures(one.store.units)).toMatchObject({ publishedRows: 0, missingFound: 0 });
    expect(before).toBeGreaterThan(0);
    expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
  });

  it('survives an older copy of the embedded ledger', async () => {
    const one = host();
    const random = seededRandom(4);
    const commits = [1, 2, 3].map(() => randomDeltas(random, RUN_A, NOW_MS, 50));
    one.add(commits[0] ?? emptyDeltas());
    await one.publish();
    const copy = mkdtempSync(join(tmpdir(), 'wb-copy-'));
    one.store.copyTo(join(copy, 'ledger.sqlite'));
    for (const deltas of commits.slice(1)) one.add(deltas);
    await one.publish();
    const expected = await tablesOf(one.store, NOW_MS);
    // The old copy comes back and folds the journal again.
    one.store.close();
    rmSync(ledgerFile(one.dataDir));
    cpSync(join(copy, 'ledger.sqlite'), ledgerFile(one.dataDir));
    rmSync(copy, { recursive: true });
    one.store = Store.open(one.dataDir);
    await one.restart();
    for (const deltas of commits.slice(1)) {
      one.add(deltas);
      await one.publish();
      expect(await sharedTables(rig.url, NOW_MS)).toEqual(expected);
    }
    expect(one.publisher.figures(one.store.units).publishedRows).toBe(0);
  });

  it('stays exact while its connections are killed', async () => {
    const one = host();
    const random = seededRandom(5);
    const connections = async (): Promise<number> => Number(/total_connections_received:(\d+)/.exec(await rig.first.client.info('stats'))?.[1]);
    const before = await connections();
    let killing = true;
    const storm = (async () => {
      while (killing) {
        await rig.first.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => undefined);
        await pause(random.u32() % 40);
      }
    })();
    await until(async () => {
      one.add(randomDeltas(random, RUN_A, NOW_MS, 50));
      await one.turns(10);
      return (await connections()) > before + 12;
    }, 'a dozen connections are killed');
    killing = false;
    await storm;
    await one.publish();
    expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
  });

  it('refills a Redis that was emptied, and finds single keys that are gone', async () => {
    const one = host({ scrubMs: 100 });
    one.add(randomDeltas(seededRandom(6), RUN_A, NOW_MS, 200));
    await one.publish();
    const expected = await tablesOf(one.store, NOW_MS);
    const equal = async (): Promise<boolean> => {
      await one.turns(5);
      return JSON.stringify(await sharedTables(rig.url, NOW_MS), text) === JSON.stringify(expected, text);
    };
    await rig.first.client.flushall();
    await until(equal, 'the emptied ledger is full again');
    for (const pattern of ['wb:{worker_hour*}', 'wb:{delivered_minute*:*', 'wb:{worker_connected*:*']) {
      const [key = ''] = await rig.first.client.keys(pattern);
      await rig.first.client.del(key);
      await until(equal, `${key} is there again`);
    }
    expect(one.publisher.figures(one.store.units).missingFound).toBeGreaterThan(0);
  });

  it('skips and counts what has expired, and lets Redis forget it', async () => {
    const one = host({ retention: { minute: 1_800_000, hour: 365 * 86_400_000, day: 3650 * 86_400_000 } });
    one.add(randomDeltas(seededRandom(7), RUN_A, NOW_MS, 300));
    await one.publish();
    const shared = await sharedTables(rig.url, NOW_MS);
    const own = await tablesOf(one.store, NOW_MS);
    const first = Math.floor((NOW_MS - 1_800_000) / 60_000);
    // The border moves while the test runs.
    expect(shared.delivered_minute.filter(({ minute }) => minute > first + 1)).toEqual(own.delivered_minute.filter(({ minute }) => minute > first + 1));
    expect(shared.delivered_minute.filter(({ minute }) => minute < first - 1)).toEqual([]);
    expect(shared.delivered_hour).toEqual(own.delivered_hour);
    expect(one.publisher.figures(one.store.units).expiredRows).toBeGreaterThan(500);
    // Without a time it would be -1; of what lapses at this moment it is 0, or -2.
    for (const key of await rig.first.client.keys('wb:{*')) expect(Number(await rig.first.client.ttl(key))).not.toBe(-1);
  });

  it('waits while Redis is full, stands still or may evict, says so, and is whole afterwards', async () => {
    const one = host();
    const { client } = rig.first;
    const random = seededRandom(12);
    const problem = async (pattern: RegExp): Promise<void> => {
      await until(async () => {
        await one.turn();
        return pattern.test(one.publisher.figures(one.store.units).problem);
      }, `a problem like ${pattern.source}`);
    };
    one.add(randomDeltas(random, RUN_A, NOW_MS, 50));
    await one.publish();
    await client.config('SET', 'maxmemory', '1');
    one.add(randomDeltas(random, RUN_A, NOW_MS, 50));
    await problem(/OOM command not allowed/);
    await client.config('SET', 'maxmemory', '1gb', 'maxmemory-policy', 'allkeys-lru');
    await one.publish();
    await problem(/set its maxmemory-policy to noeviction, it is allkeys-lru/);
    await client.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    rig.first.signal('SIGSTOP');
    one.add(randomDeltas(random, RUN_A, NOW_MS, 50));
    await problem(/timed out|cannot be reached/);
    rig.first.signal('SIGCONT');
    await one.publish();
    expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
  });

  it('is not confused by what a host of an earlier version published', async () => {
    const one = host();
    one.add(randomDeltas(seededRandom(17), RUN_A, NOW_MS, 20));
    await one.publish();
    const [index = ''] = (await rig.first.client.keys('wb:{delivered_hour:*}')).toSorted();
    await rig.first.client.hset(index, `north:acme:main:${RUN_B}`, '1');
    await rig.first.client.hset(`${index}:north:acme:main:${RUN_B}`, '#', '5', 'accepted|forwarded|1', '5 0');
    expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
  });

  it('keeps nothing in memory while Redis is away, and says how far it lags', async () => {
    const node = rig.first;
    await node.stop();
    const one = host();
    const random = seededRandom(8);
    let rows = 0;
    for (let commit = 0; commit < 20; commit += 1) {
      const deltas = randomDeltas(random, RUN_A, NOW_MS, 50);
      const writing = one.store.writing(deltas, [], undefined, NOW_MS - 5000);
      while (writing.next().done !== true);
      rows += BUCKET_TABLES.length * 50;
      await one.turns(2);
    }
    const figures = one.publisher.figures(one.store.units);
    expect(figures.lagRows).toBe(rows);
    expect(figures.lagSeconds).toBeGreaterThanOrEqual(5);
    expect(figures.problem).toMatch(/^Redis cannot be reached: /);
    await node.start();
    await one.publish();
    expect(one.publisher.figures(one.store.units)).toMatchObject({ lagRows: 0, lagSeconds: 0, problem: '' });
    expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
  });
});

describe('the host’s name', () => {
  it('is refused to a copy of the data directory while the original runs', async () => {
    const one = host();
    one.add(randomDeltas(seededRandom(9), RUN_A, NOW_MS, 10));
    await one.publish();
    const copy = mkdtempSync(join(tmpdir(), 'wb-copied-'));
    cpSync(join(one.dataDir, 'host'), join(copy, 'host'));
    const two = host({ dataDir: copy });
    two.add(randomDeltas(seededRandom(10), RUN_B, NOW_MS, 10));
    await two.turns(50);
    expect(two.publisher.figures(two.store.units).problem).toMatch(/the data directory was copied; remove the file .*host of the copy/);
    expect(two.lag).toBeGreaterThan(0);
    rmSync(join(copy, 'host'));
    await two.restart();
    await two.publish();
    expect(await rig.first.client.keys('wb:host:*')).toHaveLength(2);
  });
});

function text(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
