/**
 * A disk that fails at every single operation of a fixed script, in every way. What was reported durable is read back
 * exactly once; what was reported unjournaled never, while the process lives; what was not reported at most once.
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
}

/** Share numbers equal sequences. A follower that also seals reads along before every operation of the disk. */
async function play(plan: Plan, followEach: boolean): Promise<Outcome> {
  const directory = temporaryDirectory();
  const follower = new Follower();
  const follow = (): void => {
    sealDead(directory, () => true);
    follower.step(directory);
  };
  const disk = faultyFs((operation, index) => {
    if (followEach) follow();
    return plan(operation, index);
  });
  const recorder = await Recorder.open(directory, { fs: disk.fs, segmentBytes: SEGMENT_BYTES });
  let share = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    for (let each = 0; each < PER_BATCH; each++) recorder.writer.append(shareFact(++share));
    await recorder.settled(share);
    if (recorder.writer.stats().state === 'failed') await recorder.retry();
    follow();
  }
  await recorder.writer.close();
  return { recorder, directory, follower, operations: disk.operations() };
}

/** Checks a run whose process lived to its close. */
function verify({ recorder, directory, follower }: Outcome, what: string): void {
  const all = Array.from({ length: BATCHES * PER_BATCH }, (_, index) => index + 1);
  const durable = all.filter((sequence) => recorder.durable.has(sequence));
  expect(recorder.repeated, what).toEqual([]);
  expect(all.filter((sequence) => !recorder.durable.has(sequence) && !recorder.unjournaled.has(sequence)), what).toEqual([]);
  expect(recorder.writer.stats(), what).toMatchObject({ state: 'closed', waiting: 0, unjournaled: recorder.unjournaled.size });
  sealDead(directory, () => false);
  follower.step(directory);
  const read = readAll(directory);
  expect(read.corrupt + follower.corrupt, what).toBe(0);
  // A batch given up while no later segment could say so may lie behind the last marker of the last segment.
  const beyond = read.shares.filter((sequence) => !recorder.durable.has(sequence));
  if (recorder.writer.stats().segment === '' && beyond.length > 0) expect(lastSegmentFailed(recorder), what).toBe(true);
  expect(new Set(read.shares).size, what).toBe(read.shares.length);
  expect(read.shares.filter((sequence) => recorder.durable.has(sequence)), what).toEqual(durable);
  expect(follower.shares, what).toEqual(read.shares);
}

/** The disk never came back before the end. */
function lastSegmentFailed(recorder: Recorder): boolean {
  return recorder.problems.length > 0 && recorder.unjournaled.has(BATCHES * PER_BATCH);
}

const fault = (code: string, effectBytes: number): Verdict => ({ kind: 'fail', code, effectBytes });

async function operationCount(): Promise<number> {
  const outcome = await play(() => DO, false);
  verify(outcome, 'no fault');
  expect(outcome.recorder.unjournaled.size).toBe(0);
  expect(listSegments(outcome.directory).length).toBeGreaterThan(2);
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
    it(`once, with ${name}: nothing is lost, nothing counts twice`, async () => {
      const count = await operationCount();
      expect(count).toBeGreaterThan(40);
      for (let k = 0; k < count; k++) {
        const outcome = await play((_operation, index) => (index === k ? verdict : DO), true);
        verify(outcome, `${name} at operation ${k} (${outcome.operations[k]})`);
        expect(outcome.recorder.unjournaled.size, `at ${k}`).toBeLessThanOrEqual(k < 6 ? PER_BATCH : 0);
      }
    }, 60_000);
  }

  for (const length of [2, 4, 8, 17]) {
    it(`${length} times in a row: what is not durable is admitted`, async () => {
      const count = await operationCount();
      for (let k = 0; k < count; k++) {
        for (const effectBytes of [0, 50]) {
          const plan: Plan = (_operation, index) => (index >= k && index < k + length ? fault('EIO', effectBytes) : DO);
          verify(await play(plan, false), `EIO at operations ${k} to ${k + length - 1}, ${effectBytes} bytes done`);
        }
      }
    }, 60_000);
  }

  it('for good: everything later is admitted at once', async () => {
    const outcome = await play((_operation, index) => (index >= 12 ? fault('ENOSPC', 0) : DO), true);
    verify(outcome, 'full for good');
    expect(outcome.recorder.unjournaled.size).toBeGreaterThan(10);
    expect(outcome.recorder.durable.size).toBeGreaterThan(0);
  });
});

describe('a process that dies at each operation', () => {
  for (const effect of ['none', 'some', 'all'] as const) {
    it(`with ${effect} of it done: what was acknowledged is read once, the rest at most once`, async () => {
      const count = await operationCount();
      for (let k = 0; k < count; k++) await die(k, effect);
    }, 60_000);
  }

  /** From operation k on nothing returns; k itself may be partly or wholly done. */
  async function die(k: number, effect: 'none' | 'some' | 'all'): Promise<void> {
    const directory = temporaryDirectory();
    let dead = false;
    const disk = faultyFs((operation, index) => {
      if (index < k) return DO;
      if (index > k || effect === 'none') {
        dead = true;
        return { kind: 'hang' };
      }
      return effect === 'some' && operation === 'write' ? { kind: 'short' } : DO;
    });
    let appended = 0;
    const opening = Recorder.open(directory, { fs: disk.fs, segmentBytes: SEGMENT_BYTES });
    const recorder = await Promise.race([opening, untilDead(() => dead)]);
    while (recorder && !dead && appended < BATCHES * PER_BATCH) {
      for (let each = 0; each < PER_BATCH; each++) recorder.writer.append(shareFact(++appended));
      await Promise.race([recorder.settled(appended), untilDead(() => dead)]);
    }
    const what = `death at operation ${k}`;
    const sealed = sealDead(directory, () => false);
    expect(sealDead(directory, () => false), what).toEqual([]);
    const { shares, corrupt } = readAll(directory);
    expect(corrupt, what).toBe(0);
    expect(shares, what).toEqual(shares.map((_, index) => index + 1));
    expect(shares.length, what).toBeGreaterThanOrEqual(recorder?.durable.size ?? 0);
    expect(shares.length, what).toBeLessThanOrEqual(appended);
    expect(listSegments(directory).every((file) => file.sealed), what).toBe(true);
    expect(sealed.length, what).toBe(listSegments(directory).length);
  }

  async function untilDead(isDead: () => boolean): Promise<undefined> {
    while (!isDead()) await immediate();
    return undefined;
  }
});
