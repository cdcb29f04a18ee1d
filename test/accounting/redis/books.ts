/** Ledgers and publishers for tests of the shared ledger. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SharedRedis } from '../../../accounting/redis/client.ts';
import { HostClaim } from '../../../accounting/redis/host.ts';
import { Publisher } from '../../../accounting/redis/publisher.ts';
import type { Retention } from '../../../accounting/redis/retention.ts';
import { SharedBook } from '../../../accounting/redis/shared-book.ts';
import { emptyDeltas, type BucketTable, type Deltas, type KeptRow, type Rows } from '../../../accounting/rows.ts';
import { Store } from '../../../accounting/store.ts';
import { BUCKET_TABLES, LAYOUTS } from '../../../accounting/units.ts';
import { readRedisUrl, type RedisAddress } from '../../../config/redis-url.ts';
import { realWorld, type Random, type World } from '../../../config/world.ts';
import { pause, until } from '../../rig/redis.ts';

const KEPT: Retention = { minute: 30 * 86_400_000, hour: 365 * 86_400_000, day: 3650 * 86_400_000 };
export const PREFIX = 'wb';

function addressOf(url: string): RedisAddress {
  const address = readRedisUrl(url);
  if (typeof address === 'string') throw new Error(address);
  return address;
}

export function connect(url: string, commandTimeoutMs = 2000): SharedRedis {
  return new SharedRedis({ address: addressOf(url), commandTimeoutMs, world: realWorld, name: 'test' });
}

export type Sent = Parameters<SharedRedis['run']>;

/** A host: its own ledger in a temporary directory, and a publisher. */
export class Host {
  readonly dataDir: string;
  readonly url: string;
  readonly #retention: Retention;
  readonly #world: World;
  store: Store;
  publisher: Publisher;
  /** Every command of ours that was sent. */
  readonly sent: Sent[] = [];

  constructor(url: string, options: { readonly dataDir?: string; readonly retention?: Retention; readonly scrubMs?: number; readonly world?: World } = {}) {
    this.url = url;
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'wb-host-'));
    this.#retention = options.retention ?? KEPT;
    this.#world = options.world ?? realWorld;
    this.store = Store.open(this.dataDir);
    this.publisher = this.#open(options.scrubMs ?? 3_600_000);
  }

  #open(scrubMs: number): Publisher {
    const redis = connect(this.url);
    const run = redis.run.bind(redis);
    redis.run = (...sent) => {
      this.sent.push(sent);
      return run(...sent);
    };
    const claim = new HostClaim({ redis, world: this.#world, dataDir: this.dataDir, prefix: PREFIX });
    return new Publisher({ redis, claim, world: this.#world, prefix: PREFIX, retention: this.#retention, scrubMs, lingerMs: { plain: 0, sharded: 0 } });
  }

  add(deltas: Deltas): void {
    this.store.apply(deltas, []);
  }

  /** One turn, and time for what it sent. */
  async turn(): Promise<void> {
    this.publisher.turn(this.store.units);
    await pause(1);
  }

  get lag(): number {
    return this.store.units.lag().rows;
  }

  /** Publishes until nothing is due. */
  async publish(limitMs = 60_000): Promise<void> {
    await until(async () => {
      await this.turn();
      return this.lag === 0;
    }, `everything is published (${this.publisher.figures(this.store.units).problem})`, limitMs);
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await this.turn();
  }

  async restart(scrubMs = 3_600_000): Promise<void> {
    await this.publisher.close();
    this.publisher = this.#open(scrubMs);
  }

  async dispose(): Promise<void> {
    await this.publisher.close();
    this.store.close();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

const SITES = ['north', 'south'];
const LESSEES = ['acme', '', 'Ünïcødé ☃ 😀'];
const LEASES = ['', 'acme-lb', 'acme-lb,north-host'];
const POOLS = ['main', 'back:up|{%}'];
const VERDICTS = ['accepted', 'stale', 'courtesy'] as const;

/** Deltas as one commit of a busy minute makes them, in all tables. Small numbers, so that commits meet in the same rows. */
export function randomDeltas(random: Random, run: string, atMs: number, rows: number, workers = 30): Deltas {
  const deltas = emptyDeltas();
  const pick = <T>(from: readonly T[]): T => from[random.u32() % from.length] as T;
  const put = <T extends BucketTable>(table: T, row: KeptRow<T>): void => {
    const map = deltas[table] as Map<string, KeptRow<T>>;
    map.set(String(map.size), row);
  };
  for (let index = 0; index < rows; index += 1) {
    const ms = atMs - (random.u32() % 7_200_000);
    const minute = Math.floor(ms / 60_000);
    const [hour, day] = [Math.floor(minute / 60), Math.floor(minute / 1440)];
    const group = { site: pick(SITES), lessee: pick(LESSEES), leases: pick(LEASES), pool: pick(POOLS) };
    const n = 1 + (random.u32() % 9);
    const share = { run, verdict: pick(VERDICTS), forwarding: 'below-target', exponent: (random.u32() % 4) - 2, n } as const;
    const credit = { run, verdict: 'rejected', reason: 'stale', difficulty: '0.5', n } as const;
    const worth = BigInt(random.u32()) * 10n ** 25n;
    put('delivered_minute', { minute, ...group, link: '01234567.1', ...share, nbits: 0x17023a04, value: 315_012_581 });
    put('credited_minute', { minute, ...group, link: '01234567.1', ...credit, code: pick(['21', 'a|b:%#', '']), nbits: 0x17023a04, value: 1 });
    put('delivered_hour', { hour, ...group, ...share, worth });
    put('delivered_day', { day, ...group, ...share, worth });
    put('credited_hour', { hour, ...group, ...credit, worth });
    put('credited_day', { day, ...group, ...credit, worth });
    put('worker_hour', { hour, ...group, run, worker: `${group.lessee}.${random.u32() % workers}`, verdict: share.verdict, exponent: share.exponent, n, last_ms: ms });
    put('worker_connected', { hour, run, site: group.site, lessee: group.lessee, leases: group.leases, worker: `${group.lessee}.${random.u32() % workers}`, connected_ms: 60_000 });
    put('observed_minute', { minute, run, process: run.slice(0, 8), observed_ms: 1000, first_ms: ms, last_ms: ms + 1000 });
    put('unjournaled_minute', { minute, run, site: group.site, lessee: group.lessee, leases: group.leases, verdict: 'accepted', exponent: 1, n });
    put('ended_hour', { hour, run, what: 'session', site: group.site, leases: group.leases, pool: '', reason: pick(['idle', 'read ECONNRESET']), n, first_ms: ms, last_ms: ms + 5 });
    put('lease_day', {
      day, run, lease: pick(['acme-lb', 'north-host']), worker: `acme.${random.u32() % workers}`, exponent: share.exponent, n, first_ms: ms, last_ms: ms + 5, slots: BigInt(n) << 64n,
    });
  }
  return deltas;
}

type Tables = { readonly [T in BucketTable]: Rows[T][] };

/** Every row of the last `days` days, here or shared. */
export async function tablesOf(source: Store | SharedBook, atMs: number, days = 0.2): Promise<Tables> {
  const ranges = BUCKET_TABLES.map((table) => {
    const { bucketMs } = LAYOUTS[table];
    return { table, from: Math.floor((atMs - days * 86_400_000) / bucketMs), to: Math.floor(atMs / bucketMs) + 2 };
  });
  const read = (reader: { rows<T extends BucketTable>(table: T, from: number, to: number): Iterable<Rows[T]> }): Tables =>
    Object.fromEntries(ranges.map(({ table, from, to }) => [table, [...reader.rows(table, from, to)]])) as unknown as Tables;
  return source instanceof Store ? read(source) : source.read(ranges, read);
}

/** Reads the shared ledger once, over a connection of its own. */
export async function sharedTables(url: string, atMs: number, days = 0.2): Promise<Tables> {
  const redis = connect(url);
  try {
    await redis.untilReady(10_000, realWorld);
    return await tablesOf(new SharedBook(redis, PREFIX), atMs, days);
  } finally {
    redis.close();
  }
}
