/** A pool that gives every connection the same extranonce1 and the same job: a header that was answered true before a kill -9 is never true again. */
import { afterEach, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { exponentTarget } from '../../proxy/mining/difficulty.ts';
import { readJournal } from '../e2e/journal-shares.ts';
import { capturedShares } from '../rig/captured.ts';
import { ScriptedClient } from '../rig/client.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { Search, type Found } from '../rig/search.ts';
import { hex8, readNotify } from '../rig/work.ts';
import { expectSoundBooks } from './books.ts';
import { freePort, Instance, makeDirectory } from './instance.ts';
import { Cleanup, until } from './waiting.ts';

const EXPONENT = -24;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

interface Machine {
  readonly client: ScriptedClient;
  readonly sessionId: string;
  readonly prefix: string;
  readonly notify: readonly unknown[];
}

/** Connects, with a session id of before if there is one, and waits for work. */
async function machine(port: number, sessionId?: string): Promise<Machine> {
  const client = await ScriptedClient.connect(port);
  cleanup.add(() => client.close());
  const { result } = await client.request('mining.subscribe', sessionId === undefined ? ['test'] : ['test', sessionId]);
  const [[[, id]], prefix] = result as [[[string, string]], string];
  await client.request('mining.authorize', ['acme.r1', 'x']);
  return { client, sessionId: id, prefix, notify: (await client.notification('mining.notify')).params as unknown[] };
}

/** The first share of a machine's job: firmware begins at the same extranonce2 every time. */
function firstShare({ notify, prefix }: Machine): Found {
  const search = new Search({ job: readNotify(notify), extranonce1: Buffer.from(prefix, 'hex'), extranonce2Bytes: 4, versionMask: 0, target: exponentTarget(EXPONENT) });
  let found: Found | undefined;
  while (found === undefined) search.run(1_000_000, (share) => ((found = share), false));
  return found;
}

async function submit({ client, notify }: Machine, { extranonce2, ntime, nonce }: Found): Promise<unknown> {
  return (await client.request('mining.submit', ['acme.r1', notify[0], extranonce2, hex8(ntime), hex8(nonce)])).result;
}

it('a machine that comes back after the kill gets another prefix', async () => {
  const [share] = capturedShares().filter(({ extranonce2Size }) => extranonce2Size === 8);
  const { notifyParams, extranonce1, extranonce2Size: extranonce2Bytes } = share!;
  const pool = await SimulatedPool.listen({ world: realWorld, seed: 1, captured: { notifyParams, extranonce1, extranonce2Bytes }, difficulty: '1', blockIntervalMs: 0 });
  cleanup.add(() => pool.stop());
  const port = await freePort();
  const instance = await Instance.start({ dataDir: makeDirectory(cleanup), port, poolUrl: pool.url }, cleanup);
  const before = await machine(port);
  const found = firstShare(before);
  expect(await submit(before, found)).toBe(true);
  const { proxy } = await instance.pids();
  await instance.kill('proxy');
  await until('another process serves with a live pool', async () => {
    const { proxy: now } = await instance.status();
    return now !== undefined && now.pid !== proxy && now.links.some(({ state }) => state === 'live');
  });
  const after = await machine(port, before.sessionId);
  expect(after.notify.slice(1)).toEqual(before.notify.slice(1));
  expect(await submit(after, found)).not.toBe(true);
  expect(after.prefix).not.toBe(before.prefix);
  expect(await submit(after, firstShare(after))).toBe(true);
  await instance.stop();
  const journal = readJournal(instance.dataDir);
  expect(journal.shares.filter(({ fact }) => fact.verdict === 'accepted')).toHaveLength(2);
  await expectSoundBooks(instance.dataDir, journal);
});
