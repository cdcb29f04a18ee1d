/** The live machines of all hosts: each host puts a snapshot into Redis that lapses soon after the host does. */
import type { World } from '../../config/world.ts';
import type { SharedRedis } from './client.ts';

/** Three snapshots may fail before a host's machines vanish. */
const LIFE_MS = 35_000;
/** Redis answers nothing else while it takes or gives a text. */
const CHUNK_CHARACTERS_MAX = 256 * 1024;

interface Head {
  /** Name of the machine that the host runs on. */
  readonly name: string;
  readonly atMs: number;
  readonly chunks: readonly string[];
}

/** What a host said last. */
export interface LiveHost {
  readonly host: string;
  readonly name: string;
  readonly atMs: number;
  /** As the host's own `machines` gives them. */
  readonly machines: readonly unknown[];
}

function hostsKey(prefix: string): string {
  return `${prefix}:hosts`;
}

function liveKey(prefix: string, host: string): string {
  return `${prefix}:live:${host}`;
}

/** Puts a host's machines. Chunks first, the head that names them last: a reader never sees a half. */
export async function putLive(redis: SharedRedis, world: World, prefix: string, host: { readonly id: string; readonly name: string }, machines: readonly unknown[]): Promise<void> {
  const generation = world.random.u32().toString(36);
  const texts = chunked(machines);
  const chunks = texts.map((_, number) => `${liveKey(prefix, host.id)}:${generation}.${number}`);
  await Promise.all(texts.map((text, number) => redis.putText(chunks[number] ?? '', text, LIFE_MS)));
  const head: Head = { name: host.name, atMs: world.wallMs(), chunks };
  await redis.putText(liveKey(prefix, host.id), JSON.stringify(head), LIFE_MS);
  await redis.putField(hostsKey(prefix), host.id, host.name);
}

/** JSON arrays of whole machines, each text below the limit. */
function chunked(machines: readonly unknown[]): string[] {
  const texts: string[] = [];
  let gathered: string[] = [];
  let characters = 0;
  for (const machine of machines) {
    const text = JSON.stringify(machine);
    if (characters + text.length > CHUNK_CHARACTERS_MAX && gathered.length > 0) {
      texts.push(`[${gathered.join(',')}]`);
      gathered = [];
      characters = 0;
    }
    gathered.push(text);
    characters += text.length;
  }
  texts.push(`[${gathered.join(',')}]`);
  return texts;
}

/** The machines of every host that lives. */
export async function readLive(redis: SharedRedis, prefix: string): Promise<LiveHost[]> {
  const hosts = Object.keys(await redis.fields(hostsKey(prefix)));
  const found = await Promise.all(hosts.map((host) => readHost(redis, prefix, host)));
  return found.filter((live) => live !== undefined);
}

async function readHost(redis: SharedRedis, prefix: string, host: string): Promise<LiveHost | undefined> {
  const text = await redis.text(liveKey(prefix, host));
  if (text === null) return undefined;
  // Written by putLive and nothing else.
  const { name, atMs, chunks } = JSON.parse(text) as Head;
  const machines = await Promise.all(chunks.map((key) => redis.text(key)));
  return { host, name, atMs, machines: machines.flatMap((chunk) => (chunk === null ? [] : (JSON.parse(chunk) as unknown[]))) };
}
