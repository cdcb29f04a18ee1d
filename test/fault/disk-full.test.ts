/**
 * The disk of the data directory is full: shares still reach the pool and machines still get their answers, but what could
 * not be written is admitted as unjournaled and never claimed.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { audit } from '../../accounting/audit.ts';
import { admitted, totals } from './books.ts';
import { childrenLog, freePort, Instance, makeDirectory } from './instance.ts';
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

async function fillUnderLoad(disk: Disk, seed: number): Promise<void> {
  const load = await Load.begin(seed, cleanup);
  const port = await freePort();
  const faults = disk.fullWhile === undefined ? {} : { faults: { fullWhile: disk.fullWhile } };
  const instance = await Instance.start({ dataDir: disk.dataDir, port, poolUrl: load.pool.url, ...faults }, cleanup);
  await load.connect(port, seed);
  await load.answers(200);

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
    return proxy !== undefined && proxy.counters.unjournaledShares > 0 && admitted(disk.dataDir) === proxy.counters.unjournaledShares;
  });
  await instance.stop();

  const held = (totals(disk.dataDir).get('accepted') ?? 0) + (totals(disk.dataDir).get('courtesy') ?? 0);
  expect(admitted(disk.dataDir)).toBeGreaterThan(200);
  expect(held + admitted(disk.dataDir)).toBe(load.answeredTrue);
  expect(await audit({ dataDir: disk.dataDir, threads: 0 })).toMatchObject({ ok: true, duplicates: 0, notFolded: 0 });
}

describe('a full disk', () => {
  it('on a small file system of its own, or refused by injection where none can be mounted: nothing unwritten is claimed', async () => {
    await fillUnderLoad(smallDisk() ?? refusingDisk(), 108);
  }, 60_000);

  it('refused by injection: nothing unwritten is claimed', async () => {
    await fillUnderLoad(refusingDisk(), 109);
  }, 60_000);
});
