/** Over TCP, with real proof of work: worker names passed on to a pool, a lease with links and an account of its own, and all pools away. */
import { afterEach, describe, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { expectTrueBooks } from '../fault/books.ts';
import { Fleet } from '../rig/fleet.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { readJournal, type JournalContent, type JournaledShare } from './journal-shares.ts';
import { discard, startProduct, until, type Product } from './product.ts';
import { comparePools } from './truth.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const YAML = (thru: SimulatedPool, own: SimulatedPool): string => `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { thru: { url: "${thru.url}", user: farm, identity: passthrough }, own: { url: "${own.url}", user: farm } }
parties: { acme: { name: Acme }, nfx: { name: NFX } }
leases:
  lb:
    kind: leaseback
    lessor: acme
    lessee: nfx
    machines: { workers: [ "acme.*" ] }
    term: { from: 2020-01-01, to: 2099-01-01 }
    timezone: UTC
    contracted: 0.00002 GH/s
    rent: [ { fixed: 0.05 USD/TH/day, payer: nfx, payee: acme } ]
    link: exclusive
    accounts: { own: acme-account }
routes: [ { match: { lease: lb }, pools: [ own ] }, { match: { worker: "thru.*" }, lessee: cobalt, pools: [ thru ] }, { lessee: delta, pools: [ own ] } ]
difficulty: { start: "2^-24", min: "2^-24", max: "2^-24", sharesPerMinute: 600 }
timeouts: { backoffMin: 50ms, backoffMax: 200ms }
`;

const WORKERS = ['acme.1', 'acme.2', 'thru.1', 'thru.2', 'thru.unwanted', 'other.1', 'other.2'];

async function begin(): Promise<{ thru: SimulatedPool; own: SimulatedPool; product: Product; fleet: Fleet }> {
  const pool = (seed: number): Promise<SimulatedPool> =>
    SimulatedPool.listen({ world: realWorld, seed, difficulty: powerOfTwoText(-23), jobIntervalMs: 700, refusedUsers: ['thru.unwanted'] });
  const [thru, own] = [await pool(31), await pool(32)];
  stops.push(() => thru.stop(), () => own.stop());
  const product = await startProduct({ yaml: YAML(thru, own) });
  stops.push(() => discard(product.dataDir));
  stops.push(() => product.supervisor.stop());
  const members = WORKERS.map((user) => ({ port: product.port('north'), user, hashesPerSecond: 0, sharesPerSecond: 30, resumes: true }));
  const fleet = new Fleet(realWorld, { seed: 3, members });
  stops.push(() => fleet.stop());
  fleet.start();
  return { thru, own, product, fleet };
}

/** Every machine has so many further shares accepted. */
async function accepted(fleet: Fleet, count: number): Promise<void> {
  const before = fleet.machines.map(({ replies }) => replies.length);
  await until(() => fleet.machines.every(({ replies }, index) => replies.slice(before[index]).filter(({ value }) => value).length >= count));
}

/** Ends the run, and expects that machines, pools, journal, ledger and audit agree to the unit. */
async function close({ thru, own, product, fleet }: Awaited<ReturnType<typeof begin>>): Promise<JournalContent> {
  fleet.rest();
  await until(() => fleet.machines.every(({ waiting }) => waiting === 0));
  await until(async () => (await product.supervisor.status()).proxy?.links.every(({ pending }) => pending === 0) === true);
  expect(fleet.machines.map(({ connects, disconnects }) => [connects, disconnects])).toEqual(WORKERS.map(() => [1, 0]));
  await product.supervisor.stop();
  const journal = readJournal(product.dataDir);
  expect(comparePools([thru, own], journal)).toEqual([]);
  const { untold } = await expectTrueBooks(product.dataDir, fleet.records());
  expect(untold).toBe(0);
  return journal;
}

/** Names under which a pool booked shares of these machines, sorted. */
function bookedUnder(pool: SimulatedPool, shares: readonly JournaledShare[], worker: string): string[] {
  const users = shares.filter((share) => share.worker === worker && share.poolVerdict?.verdict === 'accepted').map(({ headerHex }) => pool.headers.get(headerHex)?.user ?? 'nobody');
  return [...new Set(users)].toSorted();
}

const connectionsOf = (shares: readonly JournaledShare[]): Set<string> => new Set(shares.map(({ upstreamExtranonce1 }) => upstreamExtranonce1));

describe('names and accounts', () => {
  it('reach the pool as they are to: passed on, refused, or those of a lease on connections that no other machine is on', async () => {
    const farm = await begin();
    const { thru, own, product, fleet } = farm;
    await until(() => ['thru.1', 'thru.2'].every((name) => [...thru.headers.values()].some(({ user, accepted: good }) => good && user === name)));
    await accepted(fleet, 20);
    // The account of the lease loses its connection and cannot come back: its machines wait with what they have, and never go to the others' link.
    own.stopAccepting();
    for (const connection of own.connections) if (connection.users.has('acme-account')) connection.peer.socket.resetAndDestroy();
    await accepted(fleet, 15);
    await own.revive();
    const before = own.accepted;
    await until(() => [...own.connections].some(({ users }) => users.has('acme-account')) && own.accepted > before + 20);
    await accepted(fleet, 15);
    const { totals } = await product.supervisor.status();
    expect(totals.counters.namesRefused).toBe(1);
    const { shares } = await close(farm);

    expect(bookedUnder(thru, shares, 'thru.1').filter((user) => user !== 'farm')).toEqual(['thru.1']);
    expect(bookedUnder(thru, shares, 'thru.2').filter((user) => user !== 'farm')).toEqual(['thru.2']);
    expect(bookedUnder(thru, shares, 'thru.unwanted')).toEqual(['farm']);
    for (const worker of ['acme.1', 'acme.2']) expect(bookedUnder(own, shares, worker)).toEqual(['acme-account']);
    for (const worker of ['other.1', 'other.2']) expect(bookedUnder(own, shares, worker)).toEqual(['farm']);
    // What marks the lease's work is the extranonce of its connections, before and after the break.
    const [leased, others] = [shares.filter(({ worker }) => worker.startsWith('acme.')), shares.filter(({ worker }) => worker.startsWith('other.'))];
    expect(connectionsOf(leased).size).toBe(2);
    expect([...connectionsOf(leased)].filter((one) => connectionsOf(others).has(one))).toEqual([]);
    expect(leased.filter(({ fact }) => fact.verdict === 'accepted' && fact.forwarding === 'no-link').length).toBeGreaterThan(10);
    expect(others.filter(({ fact }) => fact.forwarding === 'no-link')).toEqual([]);
  }, 60_000);
});

describe('all pools away', () => {
  it('keeps every machine at its last work; what it finds counts as delivered and as work without a pool, and goes on to the pool again afterwards', async () => {
    const farm = await begin();
    const { thru, own, fleet } = farm;
    await accepted(fleet, 10);
    for (const pool of [thru, own]) pool.kill();
    const credited = thru.accepted + own.accepted;
    await accepted(fleet, 15);
    expect(thru.accepted + own.accepted).toBe(credited);
    for (const pool of [thru, own]) await pool.revive();
    await until(() => [thru, own].every(({ connections }) => connections.size > 0) && thru.accepted + own.accepted > credited + 60);
    await accepted(fleet, 10);
    const { shares } = await close(farm);
    const without = shares.filter(({ fact }) => fact.verdict === 'accepted' && fact.forwarding === 'no-link');
    expect([...new Set(without.map(({ worker }) => worker))].toSorted()).toEqual(WORKERS.toSorted());
    expect(without.length).toBeGreaterThanOrEqual(10 * WORKERS.length);
    expect(without.every(({ poolVerdict }) => poolVerdict === undefined)).toBe(true);
  }, 60_000);
});
