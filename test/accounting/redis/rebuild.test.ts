/** Audit and rebuild with a shared ledger: journals, SQLite and Redis agree row by row, and can be made anew from the first. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Accountant } from '../../../accounting/accountant.ts';
import { audit } from '../../../accounting/audit.ts';
import { listSegments } from '../../../accounting/journal/reader.ts';
import { rebuild } from '../../../accounting/rebuild.ts';
import { journalDirectory, ledgerFile, Store } from '../../../accounting/store.ts';
import type { RedisConfig } from '../../../config/schema.ts';
import { readRedisUrl } from '../../../config/redis-url.ts';
import { realWorld } from '../../../config/world.ts';
import { RedisRig } from '../../rig/redis.ts';
import { manualWorld, recordFarm, writeJournal } from '../farm.ts';
import { dump } from '../tables.ts';
import { Host } from './books.ts';

const DAY_MS = 86_400_000;
/** Under the load of other tests everything takes many times as long as alone. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let rig: RedisRig;
let shared: RedisConfig;
const directories: string[] = [];

beforeAll(async () => {
  rig = await RedisRig.single();
  const url = readRedisUrl(rig.url);
  if (typeof url === 'string') throw new Error(url);
  const ages = { minuteMs: 3660 * DAY_MS, hourMs: 3660 * DAY_MS, dayMs: 3660 * DAY_MS };
  shared = { url, prefix: 'wb', retention: ages, commandTimeoutMs: 2000, scrubMs: 3_600_000 };
}, 120_000);
afterAll(() => rig.dispose());
afterEach(async () => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
  await rig.first.client.flushall();
});

/** A host's data directory with journals and their fold. */
async function host(seed: number): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'wb-shared-'));
  directories.push(dataDir);
  await writeJournal({ directory: journalDirectory(dataDir), seed, ...recordFarm(seed, 1200), segmentBytes: 60_000, commitFacts: 40 });
  const accountant = Accountant.open({ dataDir, world: manualWorld(seed), isAlive: () => false });
  while (accountant.step() > 0);
  accountant.close();
  return dataDir;
}

async function publish(dataDir: string): Promise<void> {
  const one = new Host(rig.url, { dataDir, retention: { minute: 3660 * DAY_MS, hour: 3660 * DAY_MS, day: 3660 * DAY_MS } });
  await one.publish();
  await one.publisher.close();
  one.store.close();
}

/** Every key and what it holds and when it expires. */
async function contents(): Promise<Record<string, unknown>> {
  const { client } = rig.first;
  const keys = (await client.keys('wb:{*')).toSorted((a, b) => (a < b ? -1 : 1));
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, [await client.hgetall(key), await client.expiretime(key)]])));
}

async function findings(dataDir: string[]): Promise<string[]> {
  return (await audit({ dataDir, shared, threads: 0 })).differences.map(({ kind, message }) => `${kind} ${message}`);
}

function tables(dataDir: string): Record<string, string[]> {
  const store = Store.open(dataDir, { readonly: true });
  try {
    return dump(store);
  } finally {
    store.close();
  }
}

describe('audit with a shared ledger', () => {
  it('agrees over several hosts, and finds a field that was changed, lost or added', async () => {
    const [one, two] = [await host(21), await host(22)];
    await publish(one);
    await publish(two);
    const clean = await audit({ dataDir: [one, two], shared, threads: 0 });
    expect(clean).toMatchObject({ ok: true, differencesTotal: 0, shared: { underWay: 0, expired: 0 } });
    expect(clean.shared?.compared).toBeGreaterThan(100);
    const { client } = rig.first;
    const [key = ''] = (await client.keys('wb:{delivered_hour:*}:*')).toSorted((a, b) => (a < b ? -1 : 1));
    const [field = ''] = (await client.hkeys(key)).filter((name) => name !== '#');
    const value = (await client.hget(key, field)) ?? '';
    const found = (): Promise<string[]> => findings([one, two]);
    await client.hset(key, field, '999999 1');
    expect(await found()).toEqual([expect.stringMatching(/^shared-row .*the shared ledger has 999999 1/)]);
    await client.hdel(key, field);
    expect(await found()).toEqual([expect.stringMatching(/the shared ledger has no such row/)]);
    await client.hset(key, field, value, 'main|accepted|x|1', '1 1');
    expect(await found()).toEqual([expect.stringMatching(/this host's has no such row/)]);
    await client.hdel(key, 'main|accepted|x|1');
    await client.hset(key, '#', '99999999');
    expect(await found()).toEqual([expect.stringMatching(/counts what their journals do not show/)]);
    await client.del(key);
    expect(await found()).toEqual([expect.stringMatching(/it has lost/)]);
  });

  it('takes a copied journal at two hosts for one', async () => {
    const one = await host(23);
    await publish(one);
    const before = await contents();
    const two = await host(24);
    cpSync(journalDirectory(one), journalDirectory(two), { recursive: true });
    const accountant = Accountant.open({ dataDir: two, world: manualWorld(24), isAlive: () => false });
    while (accountant.step() > 0);
    accountant.close();
    await publish(two);
    // The hashes of its runs; the other host's own stand beside them in the same indexes.
    const rows = Object.fromEntries(Object.entries(before).filter(([key]) => key.includes('}:')));
    expect(await contents()).toMatchObject(rows);
    expect(await findings([one, two])).toEqual([]);
  });
});

describe('rebuild', () => {
  it('makes SQLite and an emptied Redis anew, equal key by key', async () => {
    const one = await host(25);
    await publish(one);
    const [before, rows] = [await contents(), tables(one)];
    await rig.first.client.flushall();
    rmSync(ledgerFile(one));
    const report = await rebuild({ dataDir: one, world: realWorld, shared });
    expect(report).toMatchObject({ oldLedger: '', keptPublications: 0 });
    expect(report.publishedRows).toBeGreaterThan(100);
    expect(await contents()).toEqual(before);
    expect(tables(one)).toEqual(rows);
    const again = await rebuild({ dataDir: one, world: realWorld, shared });
    expect(again).toMatchObject({ publishedRows: 0, records: report.records });
    expect(again.oldLedger).toContain('ledger.sqlite.before-');
    expect(await contents()).toEqual(before);
    expect(tables(one)).toEqual(rows);
  });

  it('refuses when journals of what was counted are gone, unless forced', async () => {
    const one = await host(26);
    const rows = tables(one);
    const [first] = listSegments(journalDirectory(one));
    for (const suffix of ['', '.seal']) rmSync(`${first?.path ?? ''}${suffix}`, { force: true });
    await expect(rebuild({ dataDir: one, world: realWorld })).rejects.toThrow(/1 segments that the ledger has folded are no longer/);
    expect(tables(one)).toEqual(rows);
    await rebuild({ dataDir: one, world: realWorld, force: true });
    expect(tables(one)).not.toEqual(rows);
  });
});
