/**
 * The whole instance stops dead under load, and of the journal's newest segment only a part beyond its last durable marker is
 * left: whatever the cut, nothing answered true is missing and nothing counts twice.
 */
import { cpSync, truncateSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../config/world.ts';
import { compareFleet } from '../e2e/truth.ts';
import { readJournal } from '../e2e/journal-shares.ts';
import type { MachineRecord } from '../rig/fleet.ts';
import { expectSoundBooks, expectTrueBooks, foldToEnd } from './books.ts';
import { freePort, Instance, makeDirectory } from './instance.ts';
import { tailOf } from './journal-tail.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const CUTS = 10;
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

describe('a journal cut beyond its last durable marker', () => {
  it('holds every share answered true once, at ten random cuts', async () => {
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
