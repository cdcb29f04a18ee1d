/** With `reply: pool` a machine is told the pool's verdict of a forwarded share, and ours when the pool does not answer in time. */
import { afterEach, describe, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { Fleet } from '../rig/fleet.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { readJournal } from './journal-shares.ts';
import { discard, startProduct, until } from './product.ts';
import { comparePools } from './truth.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

describe('reply: pool', () => {
  it("relays the pool's verdict, and after the deadline our own", async () => {
    const pool = await SimulatedPool.listen({ world: realWorld, seed: 8, difficulty: powerOfTwoText(-22), rejectEvery: 4, replyDelayMs: 30 });
    stops.push(() => pool.stop());
    const { supervisor, port, dataDir } = await startProduct({
      yaml: `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: "${pool.url}", user: farm } }
routes: [ { lessee: acme, pools: [ main ] } ]
difficulty: { start: "2^-23", min: "2^-24", max: "2^-10", sharesPerMinute: 600 }
reply: pool
timeouts: { poolReply: 400ms }
`,
    });
    stops.push(() => discard(dataDir));
    stops.push(() => supervisor.stop());
    const members = ['r1', 'r2', 'r3'].map((name) => ({ port: port('north'), user: `acme.${name}`, hashesPerSecond: 10_000 }));
    const fleet = new Fleet(realWorld, { seed: 2, members });
    stops.push(() => fleet.stop());
    fleet.start();
    const answered = (): number => fleet.machines.reduce((sum, { replies }) => sum + replies.length, 0);
    await until(() => answered() >= 150);
    pool.muteSubmits();
    const before = answered();
    await until(() => answered() >= before + 60);
    fleet.rest();
    await until(() => fleet.machines.every(({ waiting }) => waiting === 0));
    await supervisor.stop();

    const journal = readJournal(dataDir);
    expect(comparePools([pool], journal)).toEqual([]);
    const told = new Map(fleet.records().flatMap(({ replies }) => replies.map(({ headerHex, value }) => [headerHex, value] as const)));
    const relayed = journal.shares.filter(({ poolVerdict }) => poolVerdict?.reply?.source === 'pool');
    const late = journal.shares.filter(({ poolVerdict }) => poolVerdict?.reply?.source === 'deadline');
    expect(relayed.filter(({ poolVerdict }) => poolVerdict?.verdict === 'rejected').length).toBeGreaterThan(5);
    expect(late.length).toBeGreaterThan(5);
    expect(relayed.filter(({ headerHex, poolVerdict }) => told.get(headerHex) !== (poolVerdict?.verdict === 'accepted'))).toEqual([]);
    expect(late.filter(({ headerHex, fact }) => told.get(headerHex) !== (fact.verdict === 'accepted'))).toEqual([]);
    const own = journal.shares.filter(({ poolVerdict }) => poolVerdict?.reply === undefined);
    expect(own.filter(({ headerHex, fact }) => told.get(headerHex) !== (fact.verdict === 'accepted'))).toEqual([]);
  }, 60_000);
});
