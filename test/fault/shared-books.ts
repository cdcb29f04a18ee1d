/**
 * What must hold of the shared ledger after any fault: it is the sum over hosts of their embedded ledgers, key by key, and
 * its shares are those that the journals hold. Redis is read here by the words of docs/redis.md, not by the product's reader.
 */
import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import { audit } from '../../accounting/audit.ts';
import { encodeRow, indexKey, ownerText } from '../../accounting/redis/keys.ts';
import { Store } from '../../accounting/store.ts';
import type { UnitSum } from '../../accounting/unit-book.ts';
import { BUCKET_TABLES, groupValues, LAYOUTS, SHARD_BITS } from '../../accounting/units.ts';
import { readRedisUrl } from '../../config/redis-url.ts';
import type { RedisConfig } from '../../config/schema.ts';
import type { MachineRecord } from '../rig/fleet.ts';
import type { RedisRig } from '../rig/redis.ts';
import { expectTrueBooks, totals, type Books } from './books.ts';
import { configurationOf } from './instance.ts';
import { until } from './waiting.ts';

const PREFIX = 'wb';
const UNITS_PER_TURN = 500;
/** Hashes that were outgrown live on for so long. */
const OUTGROWN_SECONDS = 60;

interface Unit {
  readonly version: number;
  readonly rows: ReadonlyMap<string, string>;
}

/** Index key and owner, as in `wb:{delivered_hour:2026-01-31T12} north:acme:main:0123456789ab`. */
type UnitName = string;

/** Every unit of a ledger: what was counted, and what is marked as published. */
function* unitsOf(store: Store): Generator<UnitSum & { readonly name: UnitName }> {
  for (const table of BUCKET_TABLES) {
    for (let turn = store.units.units(table, undefined, UNITS_PER_TURN); turn.length > 0; turn = store.units.units(table, turn.at(-1), UNITS_PER_TURN)) {
      for (const unit of turn) {
        yield { ...unit, name: `${indexKey(PREFIX, unit)} ${ownerText(store.units.text(unit.group), store.units.text(unit.run))}` };
      }
    }
  }
}

function reading<V>(dataDir: string, use: (store: Store) => V): V {
  const store = Store.open(dataDir, { readonly: true });
  try {
    return store.consistently(() => use(store));
  } finally {
    store.close();
  }
}

/** Units of several hosts. The same run at two hosts is one owner: whoever has counted more of it stands. */
function embedded(dataDirs: readonly string[]): Map<UnitName, Unit> {
  const found = new Map<UnitName, Unit>();
  for (const dataDir of dataDirs) {
    reading(dataDir, (store) => {
      for (const unit of unitsOf(store)) {
        const layout = LAYOUTS[unit.table];
        const values = groupValues(layout, store.units.text(unit.group));
        const rows = new Map(store.units.rows(unit, values, 0, (1 << SHARD_BITS) - 1).map((row) => encodeRow(layout, row)));
        if ((found.get(unit.name)?.version ?? -1) < unit.version) found.set(unit.name, { version: unit.version, rows });
      }
    });
  }
  return found;
}

/** A host's shared ledger as configured, reached without anything on the way. */
export function sharedLedger(dataDir: string, { url }: RedisRig): RedisConfig {
  const { redis } = configurationOf(dataDir);
  const address = readRedisUrl(url);
  if (redis === undefined || typeof address === 'string') throw new Error(`${dataDir} shares no ledger`);
  return { ...redis, url: address };
}

/** A hash as it lies in Redis. */
interface Hash {
  readonly fields: Readonly<Record<string, string>>;
  readonly ttlSeconds: number;
}

async function masters(rig: RedisRig): Promise<Redis[]> {
  const alive = rig.nodes.filter(({ pid }) => pid > 0).map(({ client }) => client);
  const roles = await Promise.all(alive.map(async (client) => String((await client.call('ROLE') as unknown[])[0])));
  return alive.filter((_, index) => roles[index] === 'master');
}

/** Every hash of buckets, of all masters. A slot lies on one of them, so no key is found twice. */
async function hashesOf(rig: RedisRig): Promise<Map<string, Hash>> {
  const found = new Map<string, Hash>();
  for (const client of await masters(rig)) {
    const keys = await client.keys(`${PREFIX}:{*`);
    await Promise.all(
      keys.map(async (key) => {
        const [fields, ttl] = await Promise.all([client.hgetall(key), client.ttl(key)]);
        if (found.has(key)) throw new Error(`${key} lies on two masters`);
        found.set(key, { fields, ttlSeconds: Number(ttl) });
      }),
    );
  }
  return found;
}

interface Shared {
  readonly units: Map<UnitName, Unit>;
  /** Keys that no index leads to, and that are not about to lapse; keys without an expiry. */
  readonly strays: string[];
}

async function shared(rig: RedisRig): Promise<Shared> {
  const hashes = await hashesOf(rig);
  const units = new Map<UnitName, Unit>();
  const strays = new Set([...hashes].filter(([, { ttlSeconds }]) => ttlSeconds < 0 || ttlSeconds > OUTGROWN_SECONDS).map(([key]) => key));
  for (const [index, { fields, ttlSeconds }] of hashes) {
    if (!index.endsWith('}')) continue;
    if (ttlSeconds > 0) strays.delete(index);
    for (const [owner, count] of Object.entries(fields)) {
      const rows = new Map<string, string>();
      let version = 0;
      for (let part = 0; part < Number(count); part += 1) {
        const key = count === '1' ? `${index}:${owner}` : `${index}:${owner}:${part}of${count}`;
        const hash = hashes.get(key);
        if ((hash?.ttlSeconds ?? 0) > 0) strays.delete(key);
        for (const [field, value] of Object.entries(hash?.fields ?? {})) {
          if (field === '#') version += Number(value);
          else rows.set(field, value);
        }
      }
      units.set(`${index} ${owner}`, { version, rows });
    }
  }
  return { units, strays: [...strays] };
}

/** Units that are marked as published in some ledger and are not in Redis in that version, at one moment under load. */
export async function lost(rig: RedisRig, dataDirs: readonly string[]): Promise<string[]> {
  const published = dataDirs.flatMap((dataDir) => reading(dataDir, (store) => [...unitsOf(store)].map(({ name, published: version }) => ({ name, version }))));
  const { units } = await shared(rig);
  return published.filter(({ name, version }) => (units.get(name)?.version ?? 0) < version).map(({ name, version }) => `${name}: ${units.get(name)?.version ?? 0} of ${version}`);
}

/** Where the shared ledger differs from the sum of the embedded ones, key by key and row by row. */
export async function differences(rig: RedisRig, dataDirs: readonly string[]): Promise<string[]> {
  const [own, { units, strays }] = [embedded(dataDirs), await shared(rig)];
  const wrong = strays.map((key) => `${key} is led to by no index, or never expires`);
  for (const name of new Set([...own.keys(), ...units.keys()])) {
    const [here, there] = [own.get(name), units.get(name)];
    const fields = new Set([...(here?.rows.keys() ?? []), ...(there?.rows.keys() ?? [])]);
    for (const field of fields) {
      if (here?.rows.get(field) !== there?.rows.get(field)) wrong.push(`${name} ${field}: SQLite ${here?.rows.get(field) ?? '–'}, Redis ${there?.rows.get(field) ?? '–'}`);
    }
    if (here?.version !== there?.version) wrong.push(`${name}: version ${here?.version ?? '–'} in SQLite, ${there?.version ?? '–'} in Redis`);
  }
  return wrong;
}

/** Tables that hold every share, and where in a field its verdict stands. */
const BY_VERDICT = { delivered_minute: 1, delivered_hour: 0, delivered_day: 0, worker_hour: 1 } as const;

/** Accepted shares in Redis, as each of the tables counts them. */
export async function acceptedIn(rig: RedisRig): Promise<Record<keyof typeof BY_VERDICT, number>> {
  const sums = { delivered_minute: 0, delivered_hour: 0, delivered_day: 0, worker_hour: 0 };
  const { units } = await shared(rig);
  for (const [name, { rows }] of units) {
    const table = /\{(\w+):/.exec(name)?.[1] ?? '';
    for (const [field, value] of rows) {
      for (const [of, place] of Object.entries(BY_VERDICT)) {
        if (table === of && field.split('|')[place] === 'accepted') sums[of as keyof typeof sums] += Number(value.split(' ')[0]);
      }
    }
  }
  return sums;
}

/** The whole of what one host's journals show: all of it told, folded, audited and shared. */
export interface Host {
  readonly dataDir: string;
  readonly records: readonly MachineRecord[];
}

/**
 * Expects that replies, journals, SQLite and Redis agree to the share, over all hosts of one ledger. They have stopped, and
 * all that was durable is folded and published.
 */
export async function expectSharedBooks(rig: RedisRig, hosts: readonly Host[]): Promise<Books[]> {
  const dataDirs = hosts.map(({ dataDir }) => dataDir);
  const books: Books[] = [];
  for (const { dataDir, records } of hosts) books.push(await expectTrueBooks(dataDir, records));
  expect(await differences(rig, dataDirs)).toEqual([]);
  const accepted = dataDirs.reduce((sum, dataDir) => sum + (totals(dataDir).get('accepted') ?? 0), 0);
  expect(await acceptedIn(rig)).toEqual({ delivered_minute: accepted, delivered_hour: accepted, delivered_day: accepted, worker_hour: accepted });
  const report = await audit({ dataDir: dataDirs, threads: 0, shared: sharedLedger(dataDirs[0] ?? '', rig) });
  expect(report).toMatchObject({ ok: true, differences: [], shared: { underWay: 0 } });
  return books;
}

/** Resolves when nothing that is marked as published is missing, under load, and to the milliseconds it took. */
export async function untilNothingLost(rig: RedisRig, dataDirs: readonly string[], limitMs = 60_000): Promise<number> {
  let last: readonly string[] = [];
  try {
    return await until('what was lost is there again', async () => {
      // A server may be away at this moment.
      last = await lost(rig, dataDirs).catch((error: unknown) => [String(error)]);
      return last.length === 0;
    }, limitMs);
  } catch (error) {
    throw new Error(`${String(error)}; ${last.length} units, of them ${last.slice(0, 5).join('; ')}`, { cause: error });
  }
}
