/** Faults of the shared ledger's servers and of the way to them, each done to a scenario under load and undone again. */
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './instance.ts';
import type { RedisNode, Scenario } from './scenario.ts';
import { until } from './waiting.ts';

/** How long a fault lasts, unless its name says otherwise. */
const BRIEF_MS = 1200;
const LIMIT_MS = 60_000;
const SENTINELS_MS = 25_000;
const SLOTS_MOVED_MAX = 15;

export type Fault = (scenario: Scenario) => Promise<unknown>;

/** The newest file of commands. */
function commandFile({ directory }: RedisNode): string {
  const folder = join(directory, 'appendonlydir');
  const last = readdirSync(folder).filter((name) => name.endsWith('.incr.aof')).toSorted((a, b) => Number(a.split('.')[2]) - Number(b.split('.')[2])).at(-1);
  if (last === undefined) throw new Error(`${folder} holds no file of commands`);
  return join(folder, last);
}

/** Kills a server and starts it without what it wrote in the last `ms`: `kill -9` alone loses nothing, replies follow the write. */
async function forget(scenario: Scenario, node: RedisNode, ms: number): Promise<number> {
  const file = commandFile(node);
  const kept = statSync(file).size;
  await scenario.wait(ms);
  await until('there is something to lose', () => statSync(file).size > kept, LIMIT_MS);
  await node.stop();
  const bytes = statSync(file).size - kept;
  truncateSync(file, kept);
  await node.start();
  return bytes;
}

/** While `ms` pass, again and again. */
async function storm(scenario: Scenario, ms: number, each: () => Promise<unknown>): Promise<void> {
  const rounds = Math.ceil(ms / 40);
  for (let round = 0; round < rounds; round += 1) {
    await each().catch(() => undefined);
    await scenario.wait(scenario.between(1, 60));
  }
}

async function mastersOf(all: readonly RedisNode[]): Promise<RedisNode[]> {
  const nodes = all.filter(({ pid }) => pid > 0);
  const roles = await Promise.all(nodes.map(async ({ client }) => String((await client.call('ROLE') as unknown[])[0])));
  return nodes.filter((_, index) => roles[index] === 'master');
}

async function living(scenario: Scenario): Promise<RedisNode> {
  return scenario.pick(await mastersOf(scenario.rig.nodes));
}

/** Done to a master of any topology. */
export const SERVER_FAULTS = {
  'commands are refused for want of memory': async (scenario) => {
    const { client } = await living(scenario);
    await client.config('SET', 'maxmemory', '1');
    await scenario.wait(BRIEF_MS);
    await client.config('SET', 'maxmemory', '0');
  },
  'connections are killed in a storm': async (scenario) => {
    const { client } = await living(scenario);
    await storm(scenario, 2 * BRIEF_MS, () => client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
  },
  'the server stands still for a while': async (scenario) => {
    const node = await living(scenario);
    node.signal('SIGSTOP');
    await scenario.wait(scenario.between(300, 1100));
    node.signal('SIGCONT');
  },
  'its scripts are forgotten': async (scenario) => (await living(scenario)).client.call('SCRIPT', 'FLUSH'),
  'everything in one server is deleted': async (scenario) => (await living(scenario)).client.flushall(),
  'some keys are deleted': async (scenario) => {
    const { client } = await living(scenario);
    const keys = await client.keys('wb:*');
    const unlucky = keys.filter(() => scenario.between(1, 5) === 1);
    if (unlucky.length > 0) await Promise.all(unlucky.map((key) => client.del(key)));
  },
} satisfies Record<string, Fault>;

/** Done to a server that is alone, and to the way there. */
export const SINGLE_FAULTS = {
  'the last second of its commands is lost': (scenario) => forget(scenario, scenario.rig.first, 1000),
  'the last three seconds of its commands are lost': (scenario) => forget(scenario, scenario.rig.first, 3000),
  'the server is killed and is away': async (scenario) => {
    await scenario.rig.first.stop();
    await scenario.wait(BRIEF_MS);
    await scenario.rig.first.start();
  },
  // A new connection waits until a server has loaded; only one that stands already meets LOADING.
  'it loads its commands again': ({ rig }) => rig.first.client.call('DEBUG', 'LOADAOF'),
  'it becomes read-only': async (scenario) => {
    const { client } = scenario.rig.first;
    // Nobody listens there, so it keeps its data.
    await client.replicaof('127.0.0.1', await freePort());
    await scenario.wait(BRIEF_MS);
    await client.replicaof('NO', 'ONE');
  },
  'answers come after two seconds': (scenario) => onTheWay(scenario, 3000, (proxy) => (proxy.delayMs = 2000)),
  'the connection is half open': (scenario) => onTheWay(scenario, 2500, (proxy) => (proxy.halfOpen = true)),
  'the network is cut': (scenario) => onTheWay(scenario, BRIEF_MS, (proxy) => {
    proxy.refusing = true;
    proxy.cut();
  }),
  'publications travel slowly': (scenario) => onTheWay(scenario, 2 * BRIEF_MS, (proxy) => (proxy.bytesPerSecond = LIMIT_MS)),
  'connections end before commands arrive': (scenario) => striking(scenario, 'cut-before'),
  'connections end before commands are answered': (scenario) => striking(scenario, 'cut-after'),
  'commands vanish': (scenario) => striking(scenario, 'swallow'),
} satisfies Record<string, Fault>;

type Proxy = NonNullable<Scenario['proxy']>;

async function onTheWay(scenario: Scenario, ms: number, begin: (proxy: Proxy) => unknown): Promise<void> {
  const { proxy } = scenario;
  if (proxy === undefined) throw new Error('nothing lies before these servers');
  begin(proxy);
  await scenario.wait(ms);
  proxy.heal();
}

/** One in five of our own commands, until some were struck. */
async function striking(scenario: Scenario, fate: 'cut-before' | 'cut-after' | 'swallow'): Promise<void> {
  const { proxy } = scenario;
  if (proxy === undefined) throw new Error('nothing lies before these servers');
  const before = proxy.struck;
  proxy.strike(([command]) => (command === 'evalsha' && scenario.between(1, 5) === 1 ? fate : 'pass'));
  await until('some commands were struck', () => proxy.struck >= before + 5, LIMIT_MS);
  proxy.heal();
}

/** Promotes the replica that had stopped copying; what was acknowledged meanwhile is gone. The old master comes back as its replica. */
export async function failOverToStale(scenario: Scenario): Promise<void> {
  const [master] = await mastersOf(scenario.rig.nodes);
  const replica = scenario.rig.nodes.find((node) => node !== master);
  if (master === undefined || replica === undefined) throw new Error('there is nobody to take over');
  replica.signal('SIGSTOP');
  await scenario.wait(2500);
  await master.stop();
  replica.signal('SIGCONT');
  await until('the replica has taken over', async () => (await replica.client.info('replication')).includes('role:master'), LIMIT_MS);
  await scenario.answers(30);
  await master.start();
  const follows = async (): Promise<boolean> => (await master.client.info('replication')).includes('master_link_status:up');
  // Sentinels take their time between two failovers, and that is no fault of ours: then it is told as an operator would.
  await until('the old master follows', follows, SENTINELS_MS).catch(() => master.client.replicaof('127.0.0.1', replica.port));
  await until('the old master follows', follows, LIMIT_MS);
}

/** A master of a Cluster dies, its replica takes over, and the dead one comes back. */
export async function loseMaster(scenario: Scenario): Promise<void> {
  const node = await living(scenario);
  const others = scenario.rig.nodes.filter((other) => other !== node);
  await node.stop();
  await until('a replica has taken over', async () => (await clusterStates(others)).every((text) => text.includes('cluster_state:ok')) && (await mastersOf(others)).length === 3, LIMIT_MS);
  await scenario.answers(20);
  await node.start();
  await until('the dead node follows', async () => (await node.client.info('replication')).includes('master_link_status:up'), LIMIT_MS);
}

function clusterStates(nodes: readonly RedisNode[]): Promise<string[]> {
  return Promise.all(nodes.filter(({ pid }) => pid > 0).map(async ({ client }) => String(await client.cluster('INFO'))));
}

/**
 * Slots that hold keys wander from one master to another, key by key, and stay between them for a while: publishers meet ASK,
 * TRYAGAIN and MOVED.
 */
export async function moveSlots(scenario: Scenario): Promise<void> {
  const masters = await mastersOf(scenario.rig.nodes);
  const from = scenario.pick(masters);
  const to = scenario.pick(masters.filter((node) => node !== from));
  const [fromId = '', toId = ''] = await Promise.all([from, to].map(async ({ client }) => String(await client.call('CLUSTER', 'MYID'))));
  const slots = new Set(await Promise.all((await from.client.keys('wb:{*')).map(async (key) => String(await from.client.cluster('KEYSLOT', key)))));
  const moving = [...slots].slice(0, SLOTS_MOVED_MAX);
  await Promise.all(moving.map(async (slot) => {
    await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  }));
  const emptied = async (slot: string): Promise<void> => {
    for (;;) {
      const [key] = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, '1')) as string[];
      if (key === undefined) return;
      await from.client.call('MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000');
      await scenario.wait(scenario.between(0, 40));
    }
  };
  await Promise.all(moving.map(emptied));
  await scenario.wait(BRIEF_MS);
  // Until a slot is given away for good, single keys may still be written to it here.
  for (const slot of moving) {
    await emptied(slot);
    for (const { client } of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
  }
  await scenario.wait(BRIEF_MS);
}
