/**
 * The connection to the shared ledger: a single Redis, one behind Sentinels, or a Cluster. Commands fail instead of waiting
 * where there is no connection, and none is resent: whoever publishes keeps what is not acknowledged and tries again.
 */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from '../../config/redis-url.ts';
import type { World } from '../../config/world.ts';
import { COMMANDS, READ, type Command } from './commands.ts';

export interface ClientOptions {
  readonly address: RedisAddress;
  /** Longest wait for the answer to a command. */
  readonly commandTimeoutMs: number;
  readonly world: World;
  /** Shown by CLIENT LIST. */
  readonly name: string;
}

const CONNECT_TIMEOUT_MS = 5_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 3_000;
const REOPEN_MS = 1_000;
/** Hashes that one call reads: it holds up all others for some milliseconds at most. */
const HASHES_A_CALL = 100;
/** A Cluster's client asks again who serves which slot. */
const SLOTS_REFRESH_MS = 5_000;
/** Replies that mean: this node is not what we took it for, connect anew. */
const CONNECT_ANEW = /^(READONLY|MASTERDOWN)/;

export class SharedRedis {
  readonly #options: ClientOptions;
  readonly #onReady: (() => void)[] = [];
  #client: Redis | Cluster;
  #problem = '';
  #scriptsLoaded = false;
  #closed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#client = this.#open();
  }

  #open(): Redis | Cluster {
    const client = connect(this.#options);
    client.on('error', (error: Error) => {
      this.#problem = sentenceOf(error);
    });
    client.on('close', () => {
      this.#scriptsLoaded = false;
    });
    client.on('ready', () => {
      this.#problem = '';
      for (const listener of this.#onReady) listener();
    });
    // Whatever made the client give up: we never do.
    client.on('end', () => {
      if (this.#closed) return;
      this.#options.world.after(REOPEN_MS, () => {
        if (!this.#closed) this.#client = this.#open();
      });
    });
    return client;
  }

  /** Called after every connection made, also the first. */
  onReady(listener: () => void): void {
    this.#onReady.push(listener);
  }

  get ready(): boolean {
    return this.#client.status === 'ready';
  }

  /** Why there is no connection; '' while there is one. */
  get problem(): string {
    if (this.ready) return '';
    return this.#problem === '' ? 'no connection yet' : this.#problem;
  }

  /** Settles when the connection is there. Rejects with a sentence after `limitMs`. */
  untilReady(limitMs: number, world: World): Promise<void> {
    if (this.ready) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = world.every(20, () => {
        if (this.ready) settle(resolve);
      });
      const limit = world.after(limitMs, () => settle(() => reject(new Error(`Redis does not answer: ${this.problem}`))));
      const settle = (then: () => void): void => {
        timer.cancel();
        limit.cancel();
        then();
      };
    });
  }

  /** Runs one of our commands. Commands of one turn of the event loop travel together. */
  async run(command: Command, keys: readonly string[], args: readonly string[]): Promise<number> {
    return Number(await this.#evaluate(command, keys, args));
  }

  async #evaluate(command: Command, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (!this.#scriptsLoaded) await this.#loadScripts();
    try {
      return await this.#client.evalsha(command.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      // A node that took over, was restarted or flushed does not know the text yet.
      if (!sentenceOf(error).startsWith('NOSCRIPT')) throw error;
      return this.#client.eval(command.lua, keys.length, ...keys, ...args);
    }
  }

  field(key: string, field: string): Promise<string | null> {
    return this.#client.hget(key, field);
  }

  /** All fields of a hash; empty when there is none. */
  fields(key: string): Promise<Record<string, string>> {
    return this.#client.hgetall(key);
  }

  /**
   * Many hashes of the ledger, each as a list of field, value, field, value and so on; empty where there is none. Where the
   * keys lie in a Cluster, those with one tag should stand side by side.
   */
  async hashes(keys: readonly string[]): Promise<string[][]> {
    const calls = callsOf(keys, this.#client instanceof Cluster);
    const texts = await Promise.all(calls.map((call) => this.#evaluate(READ, call, []) as Promise<string[]>));
    return texts.flat().map((text) => (text === '' ? [] : text.split('\n')));
  }

  text(key: string): Promise<string | null> {
    return this.#client.get(key);
  }

  async putText(key: string, text: string, lifeMs: number): Promise<void> {
    await this.#client.set(key, text, 'PX', lifeMs);
  }

  async putField(key: string, field: string, value: string): Promise<void> {
    await this.#client.hset(key, field, value);
  }

  async expire(key: string, seconds: number): Promise<void> {
    await this.#client.expire(key, seconds);
  }

  async remove(key: string): Promise<void> {
    await this.#client.unlink(key);
  }

  /** Keys that match a glob, node by node, in no order. Reads the whole keyspace: for audits and tests. */
  async *keys(pattern: string): AsyncGenerator<string[]> {
    for (const node of this.#masters()) {
      let cursor = '0';
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
        cursor = next;
        if (keys.length > 0) yield keys;
      } while (cursor !== '0');
    }
  }

  /**
   * Which data we talk to: run and replication ids of all masters, and a Cluster's epoch. When it changes, what was
   * acknowledged before may be gone.
   */
  async identity(): Promise<string> {
    const parts = await Promise.all(this.#masters().map(async (node) => pick(await node.info(), ['run_id', 'master_replid', 'role'])));
    if (this.#client instanceof Cluster) parts.push(pick(String(await this.#client.cluster('INFO')), ['cluster_current_epoch']));
    return parts.toSorted().join(' ');
  }

  /** What the servers' settings put at risk, one sentence; '' when nothing. */
  async risk(): Promise<string> {
    for (const node of this.#masters()) {
      const info = await node.info('memory');
      const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
      const bounded = !/^maxmemory:0\r?$/m.test(info);
      if (bounded && policy !== 'noeviction') return `Redis may drop parts of the ledger: set its maxmemory-policy to noeviction, it is ${policy}`;
    }
    return '';
  }

  close(): void {
    this.#closed = true;
    this.#client.disconnect();
  }

  #masters(): Redis[] {
    return this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client];
  }

  async #loadScripts(): Promise<void> {
    this.#scriptsLoaded = true;
    try {
      await Promise.all(this.#masters().flatMap((node) => COMMANDS.map(({ lua }) => node.script('LOAD', lua))));
    } catch {
      // Then each command brings its text along where it must.
      this.#scriptsLoaded = false;
    }
  }
}

/** Keys in the order given, as many as one call may read; in a Cluster only those of one tag, which are in one slot. */
function callsOf(keys: readonly string[], byTag: boolean): string[][] {
  const calls: string[][] = [];
  let tag = '';
  for (const key of keys) {
    const own = byTag ? key.slice(0, key.indexOf('}')) : '';
    const last = calls.at(-1);
    if (last === undefined || last.length >= HASHES_A_CALL || own !== tag) calls.push([key]);
    else last.push(key);
    tag = own;
  }
  return calls;
}

function pick(info: string, names: readonly string[]): string {
  return names.map((name) => new RegExp(`^${name}:(\\S*)`, 'm').exec(info)?.[1] ?? '').join(' ');
}

function connect({ address, commandTimeoutMs, world, name }: ClientOptions): Redis | Cluster {
  const retryStrategy = (times: number): number => Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(times, 10)) * (0.5 + world.random.fraction() / 2);
  const common = {
    commandTimeout: commandTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A half-open connection is given up, not waited for.
    socketTimeout: 3 * commandTimeoutMs,
    connectionName: name,
    username: address.username,
    password: address.password,
    enableAutoPipelining: true,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    ...(address.tls ? { tls: {} } : {}),
  } satisfies RedisOptions;
  const nodes = address.nodes.map(({ host, port }) => ({ host, port }));
  if (address.kind === 'cluster') {
    // Without stringNumbers, under which the client compares slot numbers as texts and never gets ready. No count comes as
    // an integer reply: they are texts in hashes.
    return new Cluster(nodes, {
      redisOptions: common,
      enableOfflineQueue: false,
      enableAutoPipelining: true,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    });
  }
  // Once for each connection: every answer of a batch says the same, and each would arm another timer on the dying socket.
  let leaving = false;
  const reconnectOnError = (error: Error): 1 | false => {
    if (leaving || !CONNECT_ANEW.test(error.message)) return false;
    leaving = true;
    return 1;
  };
  const single: RedisOptions = { ...common, stringNumbers: true, db: address.database, enableOfflineQueue: false, retryStrategy, reconnectOnError };
  // Not ioredis' failoverDetector, which can end the client for good when it cuts a connection that is just being made. A master
  // that died closes its connections, one that was demoted answers READONLY: both lead back to the Sentinels.
  const place = address.kind === 'sentinel' ? { sentinels: nodes, name: address.master, sentinelRetryStrategy: retryStrategy } : nodes[0];
  const client = new Redis({ ...single, ...place });
  client.on('close', () => {
    leaving = false;
  });
  return client;
}

function sentenceOf(error: unknown): string {
  if (error instanceof Error && error.message !== '') return error.message;
  // A refused connection is an AggregateError without a message of its own.
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
