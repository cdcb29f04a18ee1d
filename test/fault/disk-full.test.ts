/**
 * The disk of the data directory is full: shares still reach the pool and machines still get their answers, but what could
 * not be written is admitted as unjournaled and never claimed.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { unadmittedShares } from '../../accounting/journal/admissions.ts';
import { audit } from '../../accounting/audit.ts';
import { admittedIn, totals } from './books.ts';
import { childrenLog, freePort, Instance, makeDirectory, type InstanceOptions } from './instance.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const FILE_SYSTEM_BYTES = 24 * 1024 * 1024;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

interface Disk {
  readonly dataDir: string;
  /** Given to the product's processes. */
  readonly fullWhile: string | undefined;
  fill(): void;
  relieve(): void;
}

/** A file system of its own, small enough to be filled; undefined where mounting is not permitted. */
function smallDisk(): Disk | undefined {
  const dataDir = makeDirectory(cleanup);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${FILE_SYSTEM_BYTES}`, 'tmpfs', dataDir], { stdio: 'pipe' });
  } catch {
    return undefined;
  }
  cleanup.add(() => execFileSync('umount', ['--lazy', dataDir]));
  const ballast = join(dataDir, 'ballast');
  return { dataDir, fullWhile: undefined, fill: () => [ballast, childrenLog(dataDir)].forEach(fillWith), relieve: () => rmSync(ballast) };
}

/** Appends until nothing more goes in, not even a byte: the last page of a file that exists may have room. */
function fillWith(path: string): void {
  const descriptor = openSync(path, 'a');
  try {
    for (let bytes = 1 << 20; bytes >= 1; ) {
      try {
        writeSync(descriptor, Buffer.alloc(bytes));
      } catch {
        bytes >>= 1;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The journal's writes fail as on a full disk, on any system and for any user. */
function refusingDisk(): Disk {
  const fullWhile = join(makeDirectory(cleanup), 'full');
  return { dataDir: makeDirectory(cleanup), fullWhile, fill: () => writeFileSync(fullWhile, ''), relieve: () => rmSync(fullWhile) };
}

function optionsOn(disk: Disk, load: Load, port: number): InstanceOptions {
  return { dataDir: disk.dataDir, port, poolUrl: load.pool.url, faults: disk.fullWhile === undefined ? undefined : { fullWhile: disk.fullWhile } };
}

async function startOn(disk: Disk, load: Load, seed: number, port?: number): Promise<Instance> {
  const at = port ?? (await freePort());
  const instance = await Instance.start(optionsOn(disk, load, at), cleanup);
  await load.connect(at, seed);
  await load.answers(200);
  return instance;
}

interface Outcome {
  readonly told: number;
  readonly held: number;
  readonly admitted: number;
}

/** Fills the disk under load, relieves it, and counts what machines were told true, what the ledger holds and what it admits. */
async function fillUnderLoad(disk: Disk, seed: number): Promise<Outcome> {
  const load = await Load.begin(seed, cleanup);
  const instance = await startOn(disk, load, seed);
  disk.fill();
  await until('the journal has failed', async () => (await instance.status()).proxy?.journal.state === 'failed');
  const atPool = load.pool.accepted;
  await load.answers(300);
  expect(load.pool.accepted).toBeGreaterThan(atPool + 50);
  expect((await instance.status()).problems).toContain('The journal cannot be written: shares are answered but counted as unjournaled.');

  disk.relieve();
  await until('the journal is open again', async () => (await instance.status()).proxy?.journal.state === 'open');
  await load.answers(200);
  await load.rest();
  expect(load.disconnects).toBe(0);
  await until('the ledger admits what it does not hold', async () => {
    const { proxy } = await instance.status();
    return proxy !== undefined && proxy.counters.unjournaledShares > 0 && admittedIn(disk.dataDir) === proxy.counters.unjournaledShares;
  });
  await instance.stop();

  expect(await audit({ dataDir: disk.dataDir, threads: 0 })).toMatchObject({ ok: true, differences: [], duplicates: 0, notFolded: 0 });
  const found = totals(disk.dataDir);
  return { told: load.answeredTrue, held: (found.get('accepted') ?? 0) + (found.get('courtesy') ?? 0), admitted: admittedIn(disk.dataDir) };
}

/** Every share told true is held or admitted; what else is counted was under way when a connection ended. */
function expectAllCounted(disk: Disk, load: Load): void {
  const found = totals(disk.dataDir);
  const counted = (found.get('accepted') ?? 0) + (found.get('courtesy') ?? 0) + admittedIn(disk.dataDir);
  const unheard = load.records().reduce((sum, { unanswered }) => sum + unanswered.length, 0);
  expect(counted).toBeGreaterThanOrEqual(load.answeredTrue);
  expect(counted).toBeLessThanOrEqual(load.answeredTrue + unheard);
}

describe('a full disk', () => {
  const disks = [
    { name: 'on a small file system of its own, or refused by injection where none can be mounted', make: () => smallDisk() ?? refusingDisk(), seed: 108 },
    { name: 'refused by injection, first a marker', make: refusingDisk, seed: 109 },
  ];
  it.each(disks)('$name: every share told true is held or admitted', async ({ make, seed }) => {
    const { told, held, admitted } = await fillUnderLoad(make(), seed);
    expect(held + admitted).toBe(told);
    expect(admitted).toBeGreaterThan(200);
  }, 60_000);

  it('does not keep an instance from starting, and machines mine', async () => {
    const disk = smallDisk() ?? refusingDisk();
    const load = await Load.begin(112, cleanup);
    const port = await freePort();
    const first = await startOn(disk, load, 112, port);
    await first.stop();
    disk.fill();
    const before = load.answeredTrue;
    const second = await Instance.start(optionsOn(disk, load, port), cleanup);
    await load.allMine();
    const atPool = load.pool.accepted;
    await load.answers(200);
    expect(load.pool.accepted).toBeGreaterThan(atPool + 30);
    expect((await second.status()).problems).toContain('The journal cannot be written: shares are answered but counted as unjournaled.');
    disk.relieve();
    await until('the journal is open again', async () => (await second.status()).proxy?.journal.state === 'open');
    await load.answers(100);
    await load.rest();
    await until('what was unjournaled is admitted', async () => {
      const { proxy } = await second.status();
      return proxy !== undefined && admittedIn(disk.dataDir) === proxy.counters.unjournaledShares;
    });
    await second.stop();
    expect(load.answeredTrue).toBeGreaterThan(before + 300);
    expect(await audit({ dataDir: disk.dataDir, threads: 0 })).toMatchObject({ ok: true, duplicates: 0, notFolded: 0 });
    expectAllCounted(disk, load);
  }, 60_000);

  const killed = [
    { name: 'on a small file system', make: () => smallDisk() ?? refusingDisk(), seed: 110 },
    { name: 'refused by injection', make: refusingDisk, seed: 111 },
  ];
  it.each(killed)('and kill -9 of the proxy process, twice ($name): machines mine on, and every share told true is held or admitted', async ({ make, seed }) => {
    const disk = make();
    const load = await Load.begin(seed, cleanup);
    const instance = await startOn(disk, load, seed);
    disk.fill();
    await until('the journal has failed', async () => (await instance.status()).proxy?.journal.state === 'failed');
    for (let kills = 0; kills < 2; kills += 1) {
      await load.answers(60);
      const before = load.disconnects;
      await instance.kill('proxy');
      await until('the machines have noticed', () => load.disconnects > before);
      await load.allMine();
    }
    const atPool = load.pool.accepted;
    await load.answers(200);
    expect(load.pool.accepted).toBeGreaterThan(atPool + 30);
    disk.relieve();
    await until('the journal is open again', async () => (await instance.status()).proxy?.journal.state === 'open');
    await load.answers(100);
    await load.rest();
    await until('the ledger admits what the killed processes left', () => unadmittedShares(disk.dataDir) === 0);
    await instance.stop();
    expect(await audit({ dataDir: disk.dataDir, threads: 0 })).toMatchObject({ ok: true, duplicates: 0, notFolded: 0 });
    expectAllCounted(disk, load);
  }, 60_000);
});
