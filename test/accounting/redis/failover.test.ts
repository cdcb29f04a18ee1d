/** Failovers on real servers: what a stale replica or a lost master forgets comes back, and nothing counts twice. */
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import { RedisRig, until } from '../../rig/redis.ts';
import { Host, randomDeltas, sharedTables, tablesOf } from './books.ts';

const NOW_MS = Date.now();
const RUN = 'aaaaaaaaaaaa';
let rig: RedisRig | undefined;
let host: Host | undefined;

afterEach(async () => {
  await host?.dispose();
  await rig?.dispose();
  [host, rig] = [undefined, undefined];
});

/** Whether shared and own ledger agree, given turns to get there. */
async function agree(one: Host): Promise<boolean> {
  for (let turn = 0; turn < 50; turn += 1) await one.turn();
  if (one.lag > 0) return false;
  try {
    expect(await sharedTables(one.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
    return true;
  } catch {
    return false;
  }
}

describe('a failover', () => {
  it('by Sentinels to a replica that had stopped copying', async () => {
    rig = await RedisRig.sentinel();
    const [master, replica] = rig.nodes;
    if (master === undefined || replica === undefined) throw new Error('no replica');
    const one = (host = new Host(rig.url, { scrubMs: 1000 }));
    const random = seededRandom(1);
    one.add(randomDeltas(random, RUN, NOW_MS, 60));
    await one.publish();
    // Whatever comes now never reaches the replica.
    replica.signal('SIGSTOP');
    for (let commit = 0; commit < 5; commit += 1) {
      one.add(randomDeltas(random, RUN, NOW_MS, 60));
      await one.publish();
    }
    await master.stop();
    replica.signal('SIGCONT');
    one.add(randomDeltas(random, RUN, NOW_MS, 60));
    await until(() => agree(one), 'the new master has everything', 40_000);
    expect(await replica.client.info('replication')).toContain('role:master');
  }, 90_000);

  it('in a Cluster that loses a master, and moves slots under load', async () => {
    rig = await RedisRig.cluster();
    const one = (host = new Host(rig.url, { scrubMs: 1000 }));
    const random = seededRandom(2);
    one.add(randomDeltas(random, RUN, NOW_MS, 60, 300));
    await one.publish();
    expect(await sharedTables(rig.url, NOW_MS)).toEqual(await tablesOf(one.store, NOW_MS));
    const moving = moveSlots(rig, 40);
    for (let commit = 0; commit < 10; commit += 1) {
      one.add(randomDeltas(random, RUN, NOW_MS, 60, 300));
      await one.turns(20);
    }
    await moving;
    await until(() => agree(one), 'every slot has everything after the move', 40_000);
    await rig.nodes[1]?.stop();
    for (let commit = 0; commit < 5; commit += 1) {
      one.add(randomDeltas(random, RUN, NOW_MS, 60, 300));
      await one.turns(20);
    }
    await until(() => agree(one), 'the Cluster without its master has everything', 60_000);
  }, 150_000);
});

/** Moves the slots of some keys, one by one, from the first master to the third. */
async function moveSlots(cluster: RedisRig, count: number): Promise<void> {
  const [from, , to] = cluster.nodes;
  if (from === undefined || to === undefined) throw new Error('no Cluster');
  const ids = await Promise.all([from, to].map(async ({ client }) => String(await client.call('CLUSTER', 'MYID'))));
  const [fromId = '', toId = ''] = ids;
  const keys = await from.client.keys('*');
  const slots = new Set(await Promise.all(keys.map(async (key) => String(await from.client.cluster('KEYSLOT', key)))));
  for (const slot of [...slots].slice(0, count)) {
    await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    for (;;) {
      const there = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, '10')) as string[];
      if (there.length === 0) break;
      await from.client.call('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...there);
    }
    for (const { client } of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
  }
}
