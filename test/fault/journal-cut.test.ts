/**
 * The whole instance stops dead under load, and of the journal's newest segment only a part beyond its last durable marker is
 * left: whatever the cut, nothing answered true is missing and nothing counts twice.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { audit } from '../../accounting/audit.ts';
import { MARKER_BYTES } from '../../accounting/journal/format.ts';
import { sealDead } from '../../accounting/journal/seal.ts';
import { journalDirectory } from '../../accounting/store.ts';
import { seededRandom, type Random } from '../../config/world.ts';
import { compareFleet, countedShares } from '../e2e/truth.ts';
import { readJournal } from '../e2e/journal-shares.ts';
import type { MachineRecord } from '../rig/fleet.ts';
import { expectSoundBooks, expectTrueBooks, foldToEnd, totals } from './books.ts';
import { freePort, Instance, makeDirectory } from './instance.ts';
import { tailOf } from './journal-tail.ts';
import { removeLedger } from './ledger-copy.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const CUTS = 10;
const FLIPS = 8;
/** Slow enough that a moment drawn at random nearly always falls between a write and its marker. */
const SYNC_DELAY_MS = 25;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

interface Frozen {
  readonly dataDir: string;
  /** What machines had been told when everything stopped. */
  readonly records: readonly MachineRecord[];
}

/** Stops both processes in the middle of whatever they do, copies what is on the disk, and lets them go on. */
async function freeze(instance: Instance, load: Load): Promise<Frozen> {
  const { proxy, accountant } = await instance.pids();
  const dataDir = makeDirectory(cleanup);
  let records: MachineRecord[] = [];
  await until('a moment between a write and its marker', async () => {
    await load.answers(5);
    await instance.processes.stopped([proxy, accountant]);
    try {
      const { from, to } = tailOf(instance.dataDir);
      if (from === to) return false;
      cpSync(instance.dataDir, dataDir, { recursive: true, filter: (path) => basename(path) !== 'control' });
      await load.quiet();
      records = load.records();
      return true;
    } finally {
      for (const pid of [accountant, proxy]) instance.processes.signal(pid, 'SIGCONT');
    }
  });
  return { dataDir, records };
}

function copyOf({ dataDir }: Frozen): string {
  const copy = makeDirectory(cleanup);
  cpSync(dataDir, copy, { recursive: true });
  return copy;
}

/** Copies the segment up to every byte behind its last durable marker, seals it as the next start would, and reads. */
function expectTrueAtEveryByte(frozen: Frozen | undefined, last: readonly MachineRecord[]): void {
  if (frozen === undefined) throw new Error('nothing was frozen');
  const { path, from, to } = tailOf(frozen.dataDir);
  const bytes = readFileSync(path);
  // Hundreds of seals are forced to the disk, and nothing here depends on that.
  const root = makeDirectory(cleanup, existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
  const told = frozen.records.flatMap(({ replies }) => replies.filter(({ value }) => value)).map(({ headerHex }) => headerHex);
  const submitted = new Set(last.flatMap(({ replies, unanswered }) => [...replies, ...unanswered]).map(({ headerHex }) => headerHex));
  let before = Infinity;
  let read = -1;
  for (let cut = to; cut >= from; cut -= 1) {
    const copy = join(root, String(cut));
    const directory = journalDirectory(copy);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, basename(path)), bytes.subarray(0, cut));
    const sealed = sealDead(directory, () => false).map(({ bytes: length }) => length);
    expect(sealed).toHaveLength(1);
    const [length = 0] = sealed;
    expect(readFileSync(join(directory, basename(path))).equals(bytes.subarray(0, length))).toBe(true);
    // What is sealed at the same length was read before.
    const journal = length === read ? undefined : readJournal(copy);
    read = length;
    rmSync(copy, { recursive: true });
    if (journal === undefined) continue;
    const counted = countedShares(journal);
    expect(told.filter((header) => !counted.has(header))).toEqual([]);
    expect([...counted.keys()].filter((header) => !submitted.has(header))).toEqual([]);
    expect(journal.shares.filter(({ fact }) => fact.verdict === 'accepted' || fact.verdict === 'courtesy')).toHaveLength(counted.size);
    expect(journal.corruptRanges).toBe(0);
    // A shorter segment never holds more.
    expect(counted.size).toBeLessThanOrEqual(before);
    before = counted.size;
  }
}

/** Flips bits before the last durable marker of a copy: they are reported, what is around them counts, and the file is left as it is. */
async function expectDamageSeen(frozen: Frozen | undefined, random: Random): Promise<void> {
  if (frozen === undefined) throw new Error('nothing was frozen');
  const copy = copyOf(frozen);
  removeLedger(copy);
  const { path, from } = tailOf(copy);
  truncateSync(path, from);
  const whole = countedShares(readJournal(copy)).size;
  const bytes = readFileSync(path);
  for (let flip = 0; flip < FLIPS; flip += 1) {
    // Beyond the head, which begins a segment and holds no share, and before the last marker: what it does not cover may be cut.
    const at = Math.floor(from / 2) + (random.u32() % (Math.floor(from / 2) - MARKER_BYTES));
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (random.u32() % 8));
  }
  writeFileSync(path, bytes);
  await foldToEnd(copy);
  const report = await audit({ dataDir: copy, threads: 0 });
  expect(report).toMatchObject({ ok: false, duplicates: 0, notFolded: 0 });
  expect(report.corrupt.length).toBeGreaterThan(0);
  expect(report.corrupt.every(({ file }) => file === path)).toBe(true);
  const left = totals(copy).get('accepted') ?? 0;
  expect(left).toBe(report.shares);
  expect(left).toBeLessThanOrEqual(whole);
  expect(left).toBeGreaterThan(0);
  expect(readFileSync(path).equals(bytes)).toBe(true);
}

describe('a journal cut beyond its last durable marker', () => {
  it('holds every share answered true once, at ten random cuts and at every byte; damage before the marker is reported and kept', async () => {
    const random = seededRandom(7);
    const load = await Load.begin(103, cleanup);
    const port = await freePort();
    const options = { dataDir: makeDirectory(cleanup), port, poolUrl: load.pool.url };
    const instance = await Instance.start({ ...options, faults: { syncDelayMs: SYNC_DELAY_MS } }, cleanup);
    await load.connect(port, 103);
    const frozen: Frozen[] = [];
    while (frozen.length < CUTS) {
      await load.answers(random.u32() % 60);
      frozen.push(await freeze(instance, load));
    }
    await instance.killAll();
    await until('the machines have noticed', () => load.waiting === 0);
    const last = load.records();

    expectTrueAtEveryByte(frozen[0], last);
    await expectDamageSeen(frozen[1], random);
    for (const { dataDir, records } of frozen) {
      const { path, from, to } = tailOf(dataDir);
      truncateSync(path, from + (random.u32() % (to - from)));
      await foldToEnd(dataDir);
      const journal = readJournal(dataDir);
      expect(compareFleet(records, journal)).toMatchObject({ missing: [], twice: [], otherExponent: [] });
      expect(compareFleet(last, journal)).toMatchObject({ unfounded: [] });
      await expectSoundBooks(dataDir, journal);
    }

    // Machines find a new instance on the last of these directories and go on.
    const newest = frozen.at(-1);
    if (newest === undefined) throw new Error('nothing was frozen');
    await Instance.start({ ...options, dataDir: newest.dataDir }, cleanup).then(async (again) => {
      await load.allMine();
      await load.answers(200);
      await load.rest();
      await again.stop();
    });
    // Of what they were told between the copy and the kill, the copy knows nothing.
    const known = load.records().map(({ user, replies, unanswered }, index) => ({
      user,
      replies: [...(newest.records[index]?.replies ?? []), ...replies.slice(last[index]?.replies.length)],
      unanswered: [...unanswered, ...replies.slice(newest.records[index]?.replies.length, last[index]?.replies.length)],
    }));
    await expectTrueBooks(join(newest.dataDir), known);
  }, 90_000);
});
