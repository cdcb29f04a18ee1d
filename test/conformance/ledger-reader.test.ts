/** The embedded ledger and the shared one pass the same suite, and answer every query with the same JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LocalBook } from '../../accounting/local-book.ts';
import { SharedBook } from '../../accounting/redis/shared-book.ts';
import { Store } from '../../accounting/store.ts';
import { realWorld, seededRandom } from '../../config/world.ts';
import { connect, Host, PREFIX, randomDeltas } from '../accounting/redis/books.ts';
import { RedisRig } from '../rig/redis.ts';
import { allReports, ledgerReaderSuite } from './ledger-reader.ts';

let rig: RedisRig;
beforeAll(async () => {
  rig = await RedisRig.single();
}, 120_000);
afterAll(() => rig.dispose());

ledgerReaderSuite('SQLite', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'wb-ledger-'));
  const writer = Store.open(dataDir);
  const books: LocalBook[] = [];
  return {
    add: (deltas) => {
      writer.apply(deltas, []);
      return Promise.resolve();
    },
    book: () => {
      const book = LocalBook.open(dataDir);
      books.push(book);
      return book;
    },
    dispose: () => {
      for (const book of books) book.close();
      writer.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
});

ledgerReaderSuite('Redis', () => {
  const host = new Host(rig.url);
  const redis = connect(rig.url);
  return {
    add: async (deltas) => {
      host.add(deltas);
      await host.publish();
    },
    book: async () => {
      await redis.untilReady(5000, realWorld);
      return new SharedBook(redis, PREFIX);
    },
    dispose: async () => {
      redis.close();
      await host.dispose();
      await rig.first.client.flushall();
    },
  };
});

describe('SQLite and Redis', () => {
  it('answer every query with the same JSON, for one host and for the sum of three', async () => {
    const nowMs = Date.now();
    const hosts = [1, 2, 3].map(() => new Host(rig.url));
    const wholeDir = mkdtempSync(join(tmpdir(), 'wb-whole-'));
    const whole = Store.open(wholeDir);
    const redis = connect(rig.url);
    await redis.untilReady(5000, realWorld);
    const shared = new SharedBook(redis, PREFIX);
    const wholeBook = { read: <V>(_ranges: unknown, use: (reader: Store) => V): Promise<V> => Promise.resolve(use(whole)), close: () => undefined };
    try {
      for (const [number, host] of hosts.entries()) {
        const deltas = randomDeltas(seededRandom(100 + number), `${number}`.repeat(12), nowMs, 150);
        host.add(deltas);
        whole.apply(deltas, []);
        await host.publish();
        const reports = await allReports(shared, nowMs);
        expect(reports).toEqual(await allReports(wholeBook, nowMs));
        expect(Object.values(reports).join('').length).toBeGreaterThan(50_000);
      }
    } finally {
      redis.close();
      whole.close();
      rmSync(wholeDir, { recursive: true, force: true });
      await Promise.all(hosts.map((host) => host.dispose()));
    }
  });
});
