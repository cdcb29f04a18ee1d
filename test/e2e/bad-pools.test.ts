/**
 * Pools in every kind of trouble, over TCP, all at once at one instance: machines keep their connection and go to the next
 * pool, the process lives, and the reason stands in `status` and in the log.
 */
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { realWorld, seededRandom } from '../../config/world.ts';
import { Fleet } from '../rig/fleet.ts';
import type { PoolOptions } from '../rig/pool-options.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { notifyParams, powerOfTwoText } from '../rig/work.ts';
import { readJournal } from './journal-shares.ts';
import { discard, startProduct, until } from './product.ts';
import { compareFleet, comparePools } from './truth.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Longer than a busy test machine may stand still: the pools that are well live in this process and must not seem silent. */
const SILENT_MS = 8000;
const EASY = powerOfTwoText(-24);

/** A pool that is in trouble when it is dialled. */
interface Bad {
  readonly name: string;
  readonly pool: Partial<PoolOptions> | ((socket: Socket) => void);
  readonly reason: RegExp;
}

const BAD: readonly Bad[] = [
  { name: 'mute', pool: () => undefined, reason: /not authorised .* \(negotiating\)/ },
  { name: 'noise', pool: (socket) => flood(socket, (random) => Buffer.concat([random, Buffer.from('\n')])), reason: /cannot be used|not authorised/ },
  { name: 'endless', pool: (socket) => flood(socket, () => Buffer.alloc(16_384, 'x')), reason: /a line of more than \d+ bytes/ },
  { name: 'refuser', pool: { refusedUsers: ['farm'] }, reason: /refused the name farm: 24 Unauthorized worker/ },
  { name: 'narrow', pool: { extranonce2Bytes: 1 }, reason: /extranonce2 of 1 bytes leaves no room/ },
  { name: 'closer', pool: (socket) => socket.end(), reason: /closed by the pool/ },
];

/** A pool whose trouble begins when machines work on it. */
interface Turning {
  readonly name: string;
  /** Called again and again until the machine has left. */
  readonly trouble: (pool: SimulatedPool) => void;
  /** Undefined: machines stay. */
  readonly reason: RegExp | undefined;
}

const TURNING: readonly Turning[] = [
  { name: 'falls-silent', trouble: (pool) => pool.silence(), reason: /silent for 8 s/ },
  { name: 'half-open', trouble: (pool) => eachSocket(pool, (socket) => (pool.silence(), socket.pause())), reason: /silent for 8 s/ },
  { name: 'binary', trouble: (pool) => eachSocket(pool, (socket) => socket.write(noise(40))), reason: /cannot be used|worked on/ },
  { name: 'long-line', trouble: (pool) => pool.hugeLine(70_000), reason: /a line of more than \d+ bytes/ },
  { name: 'bad-hex', trouble: (pool) => badJob(pool, (params) => (params[2] = 'zz'.repeat(50))), reason: /worked on/ },
  { name: 'bad-branch', trouble: (pool) => badJob(pool, (params) => (params[4] = ['00'.repeat(31)])), reason: /worked on/ },
  { name: 'no-target', trouble: (pool) => badJob(pool, (params) => (params[6] = '00000000')), reason: /worked on/ },
  { name: 'no-coinbase', trouble: (pool) => badJob(pool, (params) => (params[2] = '')), reason: /worked on/ },
  { name: 'no-answers', trouble: (pool) => (pool.muteSubmits(), pool.newJob(false)), reason: /answered no share for 8 s/ },
  { name: 'stops-reading', trouble: (pool) => (eachSocket(pool, (socket) => socket.pause()), pool.newJob(false)), reason: /answered no share for 8 s/ },
  { name: 'slow', trouble: slowly, reason: undefined },
];

function flood(socket: Socket, chunk: (random: Buffer) => Buffer): void {
  const random = seededRandom(3);
  const more = (): void => {
    while (socket.writable && socket.write(chunk(Buffer.from(random.bytes(24)))));
  };
  socket.on('drain', more);
  socket.on('error', () => undefined);
  more();
}

function eachSocket(pool: SimulatedPool, use: (socket: Socket) => unknown): void {
  for (const { peer } of pool.connections) use(peer.socket);
}

/** Lines of bytes that are no text. */
function noise(lines: number): Buffer {
  const random = seededRandom(lines);
  return Buffer.concat(Array.from({ length: lines }, () => [Buffer.from(random.bytes(24)), Buffer.from('\n')]).flat());
}

/** A new block, spoilt. */
function badJob(pool: SimulatedPool, spoil: (params: unknown[]) => void): void {
  const job = pool.currentJob();
  if (job === undefined) return;
  const params = [...notifyParams({ ...job, id: `${job.id}x`, clean: true })];
  spoil(params);
  pool.garbage(`${JSON.stringify({ id: null, method: 'mining.notify', params })}\n`);
}

/** From now on what it says arrives in small pieces, one every few milliseconds. */
function slowly(pool: SimulatedPool): void {
  for (const { peer } of pool.connections) {
    let waiting = '';
    const step = (): void => {
      peer.socket.write(waiting.slice(0, 100));
      waiting = waiting.slice(100);
      if (waiting !== '' && peer.socket.writable) realWorld.after(3, step);
    };
    peer.sendRaw = (text) => {
      const idle = waiting === '';
      waiting += text;
      if (idle) step();
    };
  }
}

async function listen(pool: Bad['pool'], seed: number): Promise<string> {
  if (typeof pool !== 'function') {
    const simulated = await SimulatedPool.listen({ world: realWorld, seed, difficulty: EASY, ...pool });
    stops.push(() => simulated.stop());
    return simulated.url;
  }
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.resume();
    pool(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `stratum+tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function configuration(urls: ReadonlyMap<string, string>): string {
  const names = [...urls.keys()];
  const routes = names.filter((name) => name !== 'backup').map((name) => `- { match: { worker: "${name}.*" }, lessee: ${name}, pools: [ ${name}, backup ] }`);
  return `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools:
${names.map((name) => `  ${name}: { url: "${urls.get(name)}", user: farm }`).join('\n')}
routes:
  ${routes.join('\n  ')}
difficulty: { start: "2^-24", min: "2^-24", max: "2^-24", sharesPerMinute: 300 }
limits: { upstreamLineBytesMax: 64KiB }
timeouts: { dial: 1s, poolSilent: ${SILENT_MS / 1000}s, backoffMin: 10m, backoffMax: 10m, returnStable: 10m }
`;
}

it('machines of seventeen pools in trouble mine on, each where it should', async () => {
  const urls = new Map<string, string>();
  for (const [index, { name, pool }] of BAD.entries()) urls.set(name, await listen(pool, index + 1));
  const pools = new Map<string, SimulatedPool>();
  for (const [index, { name }] of TURNING.entries()) {
    const pool = await SimulatedPool.listen({ world: realWorld, seed: 100 + index, difficulty: EASY, jobIntervalMs: 3_600_000 });
    stops.push(() => pool.stop());
    pools.set(name, pool);
    urls.set(name, pool.url);
  }
  const backup = await SimulatedPool.listen({ world: realWorld, seed: 99, difficulty: EASY, jobIntervalMs: 500 });
  stops.push(() => backup.stop());
  urls.set('backup', backup.url);

  const { supervisor, port, dataDir } = await startProduct({ yaml: configuration(urls) });
  stops.push(() => discard(dataDir));
  stops.push(() => supervisor.stop());
  const names = [...BAD, ...TURNING].map(({ name }) => name);
  const members = names.map((name) => ({ port: port('north'), user: `${name}.r1`, hashesPerSecond: 10_000, sharesPerSecond: 5 }));
  const fleet = new Fleet(realWorld, { seed: 7, members });
  stops.push(() => fleet.stop());
  fleet.start();
  // Pools that are well for now keep talking, as pools do, until their trouble begins.
  const well = new Set(pools.values());
  const talk = realWorld.every(300, () => well.forEach((pool) => pool.newJob(false)));
  stops.push(() => talk.cancel());
  await until(() => fleet.machines.every(({ mining }) => mining) && [...pools.values()].every(({ accepted }) => accepted > 2));

  const expected = new Map(names.map((name) => [`${name}.r1`, name === 'slow' ? 'slow' : 'backup']));
  for (const { name, trouble } of TURNING) {
    const pool = pools.get(name)!;
    if (name !== 'slow') well.delete(pool);
    const again = name === 'slow' ? undefined : realWorld.every(100, () => trouble(pool));
    trouble(pool);
    stops.push(() => again?.cancel());
  }
  await until(async () => {
    const machines = await supervisor.machines();
    return machines !== undefined && machines.every(({ worker, pool }) => expected.get(worker) === pool);
  });
  const before = fleet.machines.map(({ replies }) => replies.length);
  await until(() => fleet.machines.every(({ replies }, index) => replies.slice(before[index]).filter(({ value }) => value).length >= 10));

  const { proxy, restarts } = await supervisor.status();
  expect(restarts).toEqual({ proxy: 0, accountant: 0 });
  const reasons = new Map(proxy?.links.map(({ pool, lastError }) => [pool, lastError]));
  const log = readFileSync(join(dataDir, 'children.log'), 'utf8');
  for (const { name, reason } of [...BAD, ...TURNING]) {
    if (reason === undefined) continue;
    expect(`${name}: ${reasons.get(name)}`).toMatch(reason);
    expect(log.split('\n').find((line) => line.includes(`"pool":"${name}"`) && reason.test(line))).toBeDefined();
  }
  expect(reasons.get('slow')).toBe('');
  expect(proxy?.counters.poolLinesRefused).toBeGreaterThan(10);
  expect(proxy?.counters.jobsRefused).toBeGreaterThan(2);
  // Garbage by the thousand does not fill the log.
  expect(log.split('\n').length).toBeLessThan(400);

  fleet.rest();
  await until(() => fleet.machines.every(({ waiting }) => waiting === 0));
  expect(fleet.machines.map(({ connects, disconnects }) => [connects, disconnects])).toEqual(names.map(() => [1, 0]));
  await supervisor.stop();
  const journal = readJournal(dataDir);
  expect(compareFleet(fleet.records(), journal)).toEqual({ missing: [], unfounded: [], twice: [], otherExponent: [] });
  // A pool that has stopped reading never heard of what was sent to it.
  expect(comparePools([...pools.values(), backup], journal)).toEqual([]);
}, 120_000);
