/**
 * A disk that fails at every single operation of a fixed script, in every way. What was reported durable is read back
 * exactly once; what was reported unjournaled never, unless the disk refuses even to cut a file; what was not reported at
 * most once.
 */
import { describe, expect, it } from 'vitest';
import type { JournalFs } from '../../../accounting/journal/fs.ts';
import { listSegments } from '../../../accounting/journal/reader.ts';
import { sealDead } from '../../../accounting/journal/seal.ts';
import { DO, faultyFs, Follower, immediate, readAll, Recorder, shareFact, temporaryDirectory } from './support.ts';
import type { Verdict } from './support.ts';

const BATCHES = 8;
const PER_BATCH = 3;
/** Rotates twice within the script. */
const SEGMENT_BYTES = 850;

type Plan = (operation: keyof JournalFs, index: number) => Verdict;

interface Outcome {
  readonly recorder: Recorder;
  readonly directory: string;
  readonly follower: Follower;
  readonly operations: string[];
  /** The disk did not let a failed segment be cut. */
  readonly cutRefused: boolean;
}

/** Share numbers equal sequences. A follower that also seals reads along before every operation of the disk. */
async function play(plan: Plan, followEach: boolean, writesThrough = false): Promise<Outcome> {
  const directory = temporaryDirectory();
  const follower = new Follower();
  const follow = (): void => {
    sealDead(directory, () => true);
    follower.step(directory);
  };
  let cutRefused = false;
  const disk = faultyFs((operation, index) => {
    if (followEach) follow();
    const verdict = plan(operation, index);
    cutRefused ||= operation === 'truncate' && verdict.kind === 'fail';
    return verdict;
  }, writesThrough);
  const recorder = await Recorder.open(directory, { fs: disk.fs, segmentBytes: SEGMENT_BYTES });
  let share = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    for (let each = 0; each < PER_BATCH; each++) recorder.writer.append(shareFact(++share));
    await recorder.settled(share);
    if (recorder.writer.stats().state === 'failed') await recorder.retry();
    follow();
  }
  await recorder.writer.close();
  return { recorder, directory, follower, operations: disk.operations(), cutRefused };
}

/** What is wrong with a run whose process lived to its close; [] when nothing is. */
function wrongs({ recorder, directory, follower, cutRefused }: Outcome, what: string): string[] {
  const all = Array.from({ length: BATCHES * PER_BATCH }, (_, index) => index + 1);
  const { durable, unjournaled } = recorder;
  sealDead(directory, () => false);
  follower.step(directory);
  const { shares, corrupt } = readAll(directory);
  const stats = recorder.writer.stats();
  // A batch that was given up may lie behind the last marker of a segment that could neither be cut nor superseded.
  const unclaimed = shares.filter((sequence) => !durable.has(sequence));
  const diskNeverCameBack = unjournaled.has(BATCHES * PER_BATCH);
  const rules: readonly [string, boolean][] = [
    ['each sequence is reported once', recorder.repeated.length === 0],
    ['every sequence is reported', all.every((sequence) => durable.has(sequence) || unjournaled.has(sequence))],
    ['stats agree', stats.state === 'closed' && stats.waiting === 0 && stats.unjournaled === unjournaled.size],
    ['nothing reads as corrupt', corrupt === 0 && follower.corrupt === 0],
    ['what was reported unjournaled is not read', unclaimed.length === 0 || (diskNeverCameBack && cutRefused)],
    ['nothing is read twice', new Set(shares).size === shares.length],
    ['what was reported durable is read, in order', same(shares.filter((each) => durable.has(each)), all.filter((each) => durable.has(each)))],
    ['a follower has read the same', same(follower.shares, shares)],
  ];
  return rules.filter(([, kept]) => !kept).map(([rule]) => `${what}: not kept: ${rule}`);
}

function same(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

const fault = (code: string, effectBytes: number): Verdict => ({ kind: 'fail', code, effectBytes });

/** Disks whose writes need an fdatasync, and such whose do not. */
const WRITES_THROUGH = [false, true];

async function operationCount(writesThrough = false): Promise<number> {
  const outcome = await play(() => DO, false, writesThrough);
  expect(wrongs(outcome, 'no fault')).toEqual([]);
  expect(outcome.recorder.unjournaled.size).toBe(0);
  expect(listSegments(outcome.directory).length).toBeGreaterThan(2);
  expect(outcome.operations.length).toBeGreaterThan(writesThrough ? 30 : 40);
  return outcome.operations.length;
}

describe('a disk that fails at each operation', () => {
  const kinds: readonly [string, Verdict][] = [
    ['ENOSPC before anything is done', fault('ENOSPC', 0)],
    ['ENOSPC after 7 bytes', fault('ENOSPC', 7)],
    ['EIO although it was done', fault('EIO', Infinity)],
    ['a short write', { kind: 'short' }],
  ];
  for (const [name, verdict] of kinds) {
    it.each(WRITES_THROUGH)(`once, with ${name}: nothing is lost, nothing counts twice (writes through: %s)`, async (writesThrough) => {
      const count = await operationCount(writesThrough);
      const found: string[] = [];
      for (let k = 0; k < count; k++) {
        const outcome = await play((_operation, index) => (index === k ? verdict : DO), true, writesThrough);
        const what = `${name} at operation ${k} (${outcome.operations[k]})`;
        found.push(...wrongs(outcome, what));
        // Only the very first segment has no second try before the first batch.
        if (outcome.recorder.unjournaled.size > (k < 6 ? PER_BATCH : 0)) found.push(`${what}: unjournaled without need`);
      }
      expect(found).toEqual([]);
    }, 60_000);
  }

  for (const length of [2, 4, 8, 17]) {
    it(`${length} times in a row: what is not durable is admitted`, async () => {
      const count = await operationCount();
      const found: string[] = [];
      for (let k = 0; k < count; k++) {
        for (const effectBytes of [0, 50]) {
          const plan: Plan = (_operation, index) => (index >= k && index < k + length ? fault('EIO', effectBytes) : DO);
          found.push(...wrongs(await play(plan, false), `EIO at operations ${k} to ${k + length - 1}, ${effectBytes} bytes done`));
        }
      }
      expect(found).toEqual([]);
    }, 60_000);
  }

  it.each([0, 7, 50, Infinity])('for good, as a full disk does, %d bytes done: everything later is admitted at once, and nothing of it is read', async (effectBytes) => {
    const found: string[] = [];
    for (let k = 8; k < 40; k++) {
      const plan: Plan = (operation, index) => (index >= k && operation !== 'truncate' && operation !== 'close' ? fault('ENOSPC', effectBytes) : DO);
      const outcome = await play(plan, true);
      found.push(...wrongs(outcome, `full from operation ${k} on`));
      if (outcome.recorder.durable.size === 0) found.push(`full from operation ${k} on: nothing was durable before`);
    }
    expect(found).toEqual([]);
  });
});

describe('a process that dies at each operation', () => {
  for (const effect of ['none', 'some', 'all'] as const) {
    it.each(WRITES_THROUGH)(`with ${effect} of it done: what was acknowledged is read once, the rest at most once (writes through: %s)`, async (writesThrough) => {
      const count = await operationCount(writesThrough);
      const found: string[] = [];
      for (let k = 0; k < count; k++) found.push(...(await die(k, effect, writesThrough)));
      expect(found).toEqual([]);
    }, 60_000);
  }

  /** From operation k on nothing returns; k itself may be partly or wholly done. */
  async function die(k: number, effect: 'none' | 'some' | 'all', writesThrough: boolean): Promise<string[]> {
    const directory = temporaryDirectory();
    let dead = false;
    const disk = faultyFs((operation, index) => {
      if (index < k) return DO;
      if (index > k || effect === 'none') {
        dead = true;
        return { kind: 'hang' };
      }
      return effect === 'some' && operation === 'write' ? { kind: 'short' } : DO;
    }, writesThrough);
    let appended = 0;
    const opening = Recorder.open(directory, { fs: disk.fs, segmentBytes: SEGMENT_BYTES });
    const recorder = await Promise.race([opening, untilDead(() => dead)]);
    while (recorder && !dead && appended < BATCHES * PER_BATCH) {
      for (let each = 0; each < PER_BATCH; each++) recorder.writer.append(shareFact(++appended));
      await Promise.race([recorder.settled(appended), untilDead(() => dead)]);
    }
    const sealed = sealDead(directory, () => false);
    const again = sealDead(directory, () => false);
    const files = listSegments(directory);
    const { shares, corrupt } = readAll(directory);
    const rules: readonly [string, boolean][] = [
      ['every segment is sealed, once', sealed.length === files.length && again.length === 0 && files.every((file) => file.sealed)],
      ['nothing reads as corrupt', corrupt === 0],
      ['what is read is in order, whole and single', same(shares, shares.map((_, index) => index + 1))],
      ['what was reported durable is read', shares.length >= (recorder?.durable.size ?? 0)],
      ['nothing is invented', shares.length <= appended],
    ];
    return rules.filter(([, kept]) => !kept).map(([rule]) => `death at operation ${k}: not kept: ${rule}`);
  }

  async function untilDead(isDead: () => boolean): Promise<undefined> {
    while (!isDead()) await immediate();
    return undefined;
  }
});
