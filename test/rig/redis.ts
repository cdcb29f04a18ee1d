/** Real redis-server processes for tests: one alone, a master with replica and Sentinels, or a Cluster of six. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { realWorld } from '../../config/world.ts';
import { ensureInstalled } from './debian.ts';

const START_LIMIT_MS = 60_000;

/** Installs Debian's package when the server is missing and root may do so; true when the server is there. */
export function installServer(): boolean {
  return ensureInstalled('redis-server', 'redis-server');
}

function requireServer(): void {
  if (installServer()) return;
  throw new Error('These tests need redis-server, which is missing and could not be installed: install it (Debian: apt-get install redis-server) and run the tests again.');
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void realWorld.after(ms, resolve));
}

/** Waits until `condition` holds, looking every 20 ms. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs = START_LIMIT_MS): Promise<void> {
  const endMs = realWorld.monoMs() + limitMs;
  while (!(await condition())) {
    if (realWorld.monoMs() > endMs) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await pause(20);
  }
}

/** One process. It can be killed, stopped, and started again on the same port and directory. */
class RedisNode {
  readonly port: number;
  readonly directory: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #client: Redis | undefined;

  private constructor(port: number, directory: string, args: readonly string[]) {
    this.port = port;
    this.directory = directory;
    this.#args = args;
  }

  static async start(directory: string, args: readonly string[] = [], port?: number): Promise<RedisNode> {
    requireServer();
    mkdirSync(directory, { recursive: true });
    const node = new RedisNode(port ?? (await freePort()), directory, args);
    await node.start();
    return node;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Where the nodes of a Cluster talk to this one. */
  get busPort(): number {
    return Number(this.#args[this.#args.indexOf('--cluster-port') + 1]);
  }

  /** A client of the test's own. */
  get client(): Redis {
    if (this.#client === undefined) {
      this.#client = new Redis({ port: this.port, lazyConnect: true, stringNumbers: true, commandTimeout: 5000, retryStrategy: () => 50 });
      this.#client.on('error', () => undefined);
    }
    return this.#client;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory, '--save', '', '--daemonize', 'no', '--loglevel', 'notice', ...this.#args];
    const file = this.#args[0]?.endsWith('.conf') === true ? [this.#args[0], ...this.#args.slice(1)] : args;
    const child = spawn('redis-server', file, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    let ended = false;
    child.on('exit', () => (ended = true));
    await until(() => {
      if (ended) throw new Error(`redis-server did not start:\n${said}`);
      return /Ready to accept connections|Sentinel ID is/.test(said);
    }, `redis-server on port ${this.port} accepts connections`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the process; `SIGKILL` unless another signal is given. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    await gone;
  }

  async dispose(): Promise<void> {
    this.#client?.disconnect();
    await this.stop();
  }
}

/** Several processes under one temporary directory. */
export class RedisRig {
  readonly nodes: readonly RedisNode[];
  readonly sentinels: readonly RedisNode[];
  readonly url: string;
  readonly #directory: string;

  private constructor(directory: string, url: string, nodes: readonly RedisNode[], sentinels: readonly RedisNode[] = []) {
    this.#directory = directory;
    this.url = url;
    this.nodes = nodes;
    this.sentinels = sentinels;
  }

  get first(): RedisNode {
    const [node] = this.nodes;
    if (node === undefined) throw new Error('this rig has no node');
    return node;
  }

  static async single(args: readonly string[] = []): Promise<RedisRig> {
    const directory = mkdtempSync(join(tmpdir(), 'wb-redis-'));
    const node = await RedisNode.start(join(directory, 'node'), args);
    return new RedisRig(directory, node.url, [node]);
  }

  /** A master, a replica, and three Sentinels that fail over after a second. */
  static async sentinel(): Promise<RedisRig> {
    const directory = mkdtempSync(join(tmpdir(), 'wb-redis-'));
    const nodes: RedisNode[] = [];
    const sentinels: RedisNode[] = [];
    try {
      await formSentinels(directory, nodes, sentinels);
    } catch (error) {
      await new RedisRig(directory, '', nodes, sentinels).dispose();
      throw error;
    }
    const url = `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/wbmaster`;
    return new RedisRig(directory, url, nodes, sentinels);
  }

  /** Three masters with a third of the slots each, and a replica of each. */
  static async cluster(): Promise<RedisRig> {
    const directory = mkdtempSync(join(tmpdir(), 'wb-redis-'));
    const nodes = await Promise.all(
      Array.from({ length: 6 }, async (_, number) => {
        const bus = await freePort();
        return RedisNode.start(join(directory, `node-${number}`), [
          '--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '1500', '--repl-diskless-sync-delay', '0',
        ]);
      }),
    );
    const rig = new RedisRig(directory, `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, nodes);
    try {
      await formCluster(nodes);
    } catch (error) {
      await rig.dispose();
      throw error;
    }
    return rig;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.nodes].map((node) => node.dispose()));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Starts the processes one by one into the two lists, so that whoever gave them can end what was started. */
async function formSentinels(directory: string, nodes: RedisNode[], sentinels: RedisNode[]): Promise<void> {
  const master = await RedisNode.start(join(directory, 'master'));
  nodes.push(master);
  const replica = await RedisNode.start(join(directory, 'replica'), ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0']);
  nodes.push(replica);
  await master.client.config('SET', 'repl-diskless-sync-delay', '0');
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'), 'the replica follows');
  for (const number of [1, 2, 3]) {
    const port = await freePort();
    const home = join(directory, `sentinel-${number}`);
    mkdirSync(home);
    const file = join(home, 'sentinel.conf');
    writeFileSync(file, [
      `port ${port}`, 'bind 127.0.0.1', `dir ${home}`, `sentinel monitor wbmaster 127.0.0.1 ${master.port} 2`,
      'sentinel down-after-milliseconds wbmaster 1000', 'sentinel failover-timeout wbmaster 4000', 'sentinel parallel-syncs wbmaster 1', '',
    ].join('\n'));
    sentinels.push(await RedisNode.start(home, [file, '--sentinel'], port));
  }
  await until(async () => {
    const seen = await Promise.all(sentinels.map(async ({ client }) => String(await client.call('SENTINEL', 'MASTER', 'wbmaster'))));
    return seen.every((text) => text.includes('num-slaves,1') && text.includes('num-other-sentinels,2'));
  }, 'the Sentinels know each other');
}

async function formCluster(nodes: readonly RedisNode[]): Promise<void> {
  const [first] = nodes;
  if (first === undefined) return;
  const bounds = [[0, 5460], [5461, 10922], [10923, 16383]] as const;
  await Promise.all(nodes.map(({ client }, number) => client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(number + 1))));
  await Promise.all(bounds.map(async ([from, to], number) => nodes[number]?.client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))));
  for (const { client } of nodes.slice(1)) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(first.busPort));
  const known = async ({ client }: RedisNode): Promise<number> => (await client.cluster('INFO') as string).includes('cluster_known_nodes:6') ? 1 : 0;
  await until(async () => (await Promise.all(nodes.map(known))).every((yes) => yes === 1), 'the nodes know each other');
  const ids = await Promise.all(nodes.map(async ({ client }) => String(await client.call('CLUSTER', 'MYID'))));
  for (const [number, id] of ids.slice(0, 3).entries()) {
    const replica = nodes[number + 3];
    await until(async () => replica?.client.call('CLUSTER', 'REPLICATE', id).then(() => true, () => false) ?? false, 'a replica finds its master');
  }
  await until(async () => {
    const states = await Promise.all(nodes.map(async ({ client }) => `${String(await client.cluster('INFO'))} ${await client.info('replication')}`));
    return states.every((text) => text.includes('cluster_state:ok') && (text.includes('role:master') || text.includes('master_link_status:up')))
      && states.filter((text) => text.includes('role:slave')).length === 3;
  }, 'the Cluster is whole');
}
