/** The writer's promises beside faults: order, group commit, rotation, what a head holds, and what is refused. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../accounting/journal/bytes.ts';
import { encodeFact } from '../../../accounting/journal/encode.ts';
import { beginRecord, DURABLE_TYPE, endRecord, MAGIC, segmentName, segmentSalt, stampRecords, writeDurable, writeHeader } from '../../../accounting/journal/format.ts';
import { listSegments } from '../../../accounting/journal/reader.ts';
import { memorySource, RecordScanner } from '../../../accounting/journal/records.ts';
import type { Fact } from '../../../proxy/session/facts.ts';
import { DO, eventsOf, faultyFs, immediate, LIVE_FACTS, readAll, Recorder, shareFact, START_MS, temporaryDirectory } from './support.ts';

describe('a commit', () => {
  it.each([
    ['write, fdatasync', false, ['write', 'fdatasync', 'write']],
    ['write through to the disk', true, ['write', 'write']],
  ])('is %s, marker, report, and holds all of one turn', async (_name, writesThrough, operations) => {
    const directory = temporaryDirectory();
    const disk = faultyFs(() => DO, writesThrough);
    const recorder = await Recorder.open(directory, { fs: disk.fs });
    const before = disk.operations().length;
    for (let share = 1; share <= 5; share++) recorder.writer.append(shareFact(share));
    expect(disk.operations()).toHaveLength(before);
    expect(recorder.writer.stats().waiting).toBe(5);
    await recorder.settled(5);
    expect(disk.operations().slice(before)).toEqual(operations);
    expect(recorder.writer.stats().syncSeconds.counts.reduce((sum, n) => sum + n)).toBe(2);
    await recorder.writer.close();
  });

  it('written through begins with the marker before it, which was not forced itself', async () => {
    const directory = temporaryDirectory();
    const disk = faultyFs(() => DO, true);
    const written: [descriptor: number, from: number, to: number, first: number][] = [];
    const write: typeof disk.fs.write = (descriptor, bytes, offset, length, position) => {
      written.push([descriptor, position, position + length, bytes[offset + 8] ?? 0]);
      return disk.fs.write(descriptor, bytes, offset, length, position);
    };
    const recorder = await Recorder.open(directory, { fs: { ...disk.fs, write } });
    for (let share = 1; share <= 3; share++) await recorder.settled(recorder.writer.append(shareFact(share)));
    await recorder.writer.close();
    const [head, , ...rest] = written;
    const forced = [head, ...rest.filter(([descriptor]) => descriptor === head?.[0])];
    expect(forced).toHaveLength(4);
    // No byte between two forced writes is left out, and each but the head begins with a marker.
    expect(forced.map((each) => each?.[1])).toEqual([0, ...forced.slice(0, -1).map((each) => each?.[2])]);
    expect(forced.slice(1).map((each) => each?.[3])).toEqual([DURABLE_TYPE, DURABLE_TYPE, DURABLE_TYPE]);
    expect(readAll(directory)).toEqual({ shares: [1, 2, 3], corrupt: 0 });
  });

  it('with a slow disk gathers everything into the next one, in order', async () => {
    const directory = temporaryDirectory();
    const held: (() => void)[] = [];
    let holding = false;
    const disk = faultyFs(() => DO);
    const fdatasync = (descriptor: number): Promise<void> => {
      if (!holding) return disk.fs.fdatasync(descriptor);
      return new Promise((resolve) => held.push(() => void disk.fs.fdatasync(descriptor).then(resolve)));
    };
    const recorder = await Recorder.open(directory, { fs: { ...disk.fs, fdatasync } });
    holding = true;
    recorder.writer.append(shareFact(1));
    while (held.length === 0) await immediate();
    for (let share = 2; share <= 500; share++) {
      recorder.writer.append(shareFact(share));
      if (share % 100 === 0) await immediate();
    }
    expect(recorder.durable.size).toBe(0);
    expect(recorder.writer.stats().waiting).toBe(500);
    holding = false;
    held[0]?.();
    await recorder.settled(500);
    expect(disk.operations().filter((operation) => operation === 'fdatasync')).toHaveLength(3);
    expect(readAll(directory).shares).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    expect(recorder.writer.stats()).toMatchObject({ waiting: 0, unjournaled: 0, state: 'open', freeBytes: 1e9, segments: 1 });
    expect(recorder.writer.stats().syncSeconds.counts.reduce((sum, n) => sum + n)).toBe(3);
    await recorder.writer.close();
  });

  it('in durability os forces nothing to the disk and is read the same', async () => {
    const directory = temporaryDirectory();
    const disk = faultyFs(() => DO);
    const recorder = await Recorder.open(directory, { fs: disk.fs, durability: 'os', segmentBytes: 900 });
    for (let share = 1; share <= 20; share++) await recorder.settled(recorder.writer.append(shareFact(share)));
    expect(disk.operations()).not.toContain('fdatasync');
    expect(disk.operations()).not.toContain('syncDirectory');
    expect(readAll(directory)).toEqual({ shares: Array.from({ length: 20 }, (_, index) => index + 1), corrupt: 0 });
    await recorder.writer.close();
  });
});

describe('a failed descriptor', () => {
  it('is closed and used for nothing else, whatever failed on it', async () => {
    for (let k = 5; k < 25; k++) {
      const failed = new Set<number>();
      const misused: string[] = [];
      let count = 0;
      const disk = faultyFs(() => DO);
      const guard = async <T>(descriptor: number, act: () => Promise<T>): Promise<T> => {
        if (failed.has(descriptor)) misused.push(`operation ${count}`);
        if (++count === k) {
          failed.add(descriptor);
          throw new Error('EIO: injected');
        }
        return act();
      };
      const recorder = await Recorder.open(temporaryDirectory(), {
        segmentBytes: 900,
        fs: {
          ...disk.fs,
          write: (descriptor, ...rest) => guard(descriptor, () => disk.fs.write(descriptor, ...rest)),
          fdatasync: (descriptor) => guard(descriptor, () => disk.fs.fdatasync(descriptor)),
          close: (descriptor) => disk.fs.close(descriptor).finally(() => failed.delete(descriptor)),
        },
      });
      for (let share = 1; share <= 8; share++) await recorder.settled(recorder.writer.append(shareFact(share)));
      await recorder.writer.close();
      expect({ k, problems: recorder.problems.length, durable: recorder.durable.size, misused }).toEqual({ k, problems: 1, durable: 8, misused: [] });
    }
  });
});

describe('a segment', () => {
  it('is private, named by time, process and sequence, and followed by one with all that is live', async () => {
    const directory = temporaryDirectory();
    const recorder = await Recorder.open(directory, { segmentBytes: 900 });
    for (let share = 1; share <= 30; share++) await recorder.settled(recorder.writer.append(shareFact(share)));
    await recorder.writer.close();
    const files = listSegments(directory);
    expect(files.length).toBeGreaterThan(2);
    for (const [index, file] of files.entries()) {
      expect(statSync(file.path).mode & 0o777).toBe(0o600);
      expect(file.path).toBe(join(directory, `${segmentName(file.header.createdMs, file.header.process, index + 1)}.wbj`));
      const live = eventsOf(file.path).filter((event) => event.kind === 'fact' && event.live);
      expect(live.map((event) => (event.kind === 'fact' ? event.fact : undefined))).toEqual(LIVE_FACTS);
      expect(file.header.supersedes).toBeUndefined();
    }
    expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  it('says what it supersedes after a failure', async () => {
    const directory = temporaryDirectory();
    let syncs = 0;
    const disk = faultyFs((operation) => (operation === 'fdatasync' && ++syncs === 3 ? { kind: 'fail', code: 'EIO', effectBytes: 0 } : DO));
    const recorder = await Recorder.open(directory, { fs: disk.fs });
    await recorder.settled(recorder.writer.append(shareFact(1)));
    await recorder.settled(recorder.writer.append(shareFact(2)));
    await recorder.writer.close();
    const [one, two] = listSegments(directory);
    expect(two?.header.supersedes).toEqual({ segment: one?.header.segment, bytes: one?.limit });
    expect(eventsOf(one?.path ?? '', one?.limit).at(-1)).toMatchObject({ fact: shareFact(1), end: one?.limit });
    expect(recorder.problems).toEqual([expect.stringMatching(/failed at \d+ bytes: EIO: injected into fdatasync; check the disk and its free space$/)]);
  });
});

describe('append', () => {
  it('refuses a fact out of range without spending a sequence or spoiling its batch', async () => {
    const directory = temporaryDirectory();
    const recorder = await Recorder.open(directory);
    expect(recorder.writer.append(shareFact(1))).toBe(1);
    expect(() => recorder.writer.append({ ...shareFact(2), atMs: 0.5 })).toThrow(RangeError);
    const huge: Fact = { type: 'block', share: 1, job: 1, header: new Uint8Array(80), coinbase: new Uint8Array(4 * 1024 * 1024), atMs: 1 };
    expect(() => recorder.writer.append(huge)).toThrow(/bound what it is made of/);
    expect(recorder.writer.append(shareFact(2))).toBe(2);
    await recorder.settled(2);
    expect(readAll(directory)).toEqual({ shares: [1, 2], corrupt: 0 });
    await recorder.writer.close();
    expect(() => recorder.writer.append(shareFact(3))).toThrow(/the journal is closed/);
  });

  it('works while the disk refuses everything: each fact is admitted, never from within append', async () => {
    const directory = temporaryDirectory();
    const disk = faultyFs(() => ({ kind: 'fail', code: 'ENOSPC', effectBytes: 0 }));
    const recorder = await Recorder.open(directory, { fs: disk.fs });
    expect(recorder.writer.stats()).toMatchObject({ state: 'failed', segment: '' });
    for (let share = 1; share <= 3; share++) recorder.writer.append(shareFact(share));
    expect(recorder.unjournaled.size).toBe(0);
    expect(recorder.writer.stats().waiting).toBe(3);
    await recorder.settled(3);
    expect([...recorder.unjournaled]).toEqual([1, 2, 3]);
    await recorder.retry();
    await recorder.retry();
    expect(recorder.writer.stats()).toMatchObject({ state: 'failed', waiting: 0, unjournaled: 3 });
    expect(recorder.problems).toHaveLength(1);
    expect(readdirSync(directory)).toEqual([]);
    await recorder.writer.close();
  });
});

describe('what becomes live while facts are refused', () => {
  const live: Fact[] = [];
  const job = (number: number): Fact => ({ type: 'refresh', job: number, of: 2, ntime: 0x65000000, difficulty: '1', versionMask: 0, atMs: START_MS });
  /** A fact of `from` that refers to a job which nothing before it names. */
  const unfounded = (directory: string): number[] => {
    const known = new Set<number>();
    const wrong: number[] = [];
    for (const { path, limit } of listSegments(directory)) {
      for (const event of eventsOf(path, limit)) {
        if (event.kind !== 'fact') continue;
        if (event.fact.type === 'refresh') known.add(event.fact.job);
        if (event.fact.type === 'share' && !known.has(event.fact.job)) wrong.push(event.fact.share);
      }
    }
    return wrong;
  };

  it('during the head of a new segment is written before the next share', async () => {
    const directory = temporaryDirectory();
    live.splice(0, live.length, job(1));
    let full = true;
    let resume: (() => void) | undefined;
    const disk = faultyFs(() => (full ? { kind: 'fail', code: 'ENOSPC', effectBytes: 0 } : DO));
    const create = async (path: string): Promise<number> => {
      if (!full) await new Promise<void>((resolve) => (resume = resolve));
      return disk.fs.create(path);
    };
    const recorder = await Recorder.open(directory, { fs: { ...disk.fs, create }, live: () => live });
    full = false;
    recorder.world.fire();
    while (resume === undefined) await immediate();
    live.push(job(7));
    await recorder.settled(recorder.writer.append(job(7)));
    expect([...recorder.unjournaled]).toEqual([1]);
    resume();
    while (recorder.writer.stats().state !== 'open') await immediate();
    await recorder.settled(recorder.writer.append({ ...shareFact(1), job: 7 }));
    expect(readAll(directory)).toEqual({ shares: [1], corrupt: 0 });
    expect(unfounded(directory)).toEqual([]);
    expect([recorder.repeated, [...recorder.durable]]).toEqual([[], [2]]);
    await recorder.writer.close();
  });

  it('behind a disk that hangs is written before the next share', async () => {
    const directory = temporaryDirectory();
    live.splice(0, live.length, job(1));
    let release: (() => void) | undefined;
    let syncs = 0;
    const disk = faultyFs(() => DO);
    const fdatasync = (): Promise<void> => (++syncs === 2 ? new Promise((resolve) => (release = resolve)) : Promise.resolve());
    const recorder = await Recorder.open(directory, { fs: { ...disk.fs, fdatasync }, segmentBytes: 2 ** 30, live: () => live });
    recorder.writer.append({ ...shareFact(1), job: 1 });
    while (!release) await immediate();
    const large: Fact = { type: 'block', share: 1, job: 1, header: new Uint8Array(80), coinbase: new Uint8Array(4_000_000), atMs: 1 };
    for (let each = 0; each < 20; each++) recorder.writer.append(large);
    live.push(job(7));
    const last = recorder.writer.append(job(7));
    release();
    await recorder.settled(last);
    expect(recorder.unjournaled.has(last)).toBe(true);
    await recorder.settled(recorder.writer.append({ ...shareFact(2), job: 7 }));
    expect(readAll(directory)).toEqual({ shares: [1, 2], corrupt: 0 });
    expect(unfounded(directory)).toEqual([]);
    expect(recorder.repeated).toEqual([]);
    await recorder.writer.close();
  });
});

describe('a disk that hangs', () => {
  it('has no more than 64 MiB kept for it; what is beyond is admitted once the rest is settled, in order', async () => {
    const directory = temporaryDirectory();
    let release: (() => void) | undefined;
    let syncs = 0;
    const disk = faultyFs(() => DO);
    const fdatasync = (): Promise<void> => (++syncs === 2 ? new Promise((resolve) => (release = resolve)) : Promise.resolve());
    const recorder = await Recorder.open(directory, { fs: { ...disk.fs, fdatasync }, segmentBytes: 2 ** 30 });
    recorder.writer.append(shareFact(1));
    while (!release) await immediate();
    const large: Fact = { type: 'block', share: 1, job: 1, header: new Uint8Array(80), coinbase: new Uint8Array(4_000_000), atMs: 1 };
    for (let each = 0; each < 20; each++) recorder.writer.append(large);
    recorder.writer.append(shareFact(22));
    await immediate();
    expect([recorder.durable.size, recorder.unjournaled.size, recorder.writer.stats().waiting]).toEqual([0, 0, 22]);
    release();
    await recorder.settled(22);
    expect(recorder.repeated).toEqual([]);
    expect([recorder.durable.size, recorder.unjournaled.size]).toEqual([18, 4]);
    expect(Math.min(...recorder.unjournaled)).toBe(19);
    await recorder.settled(recorder.writer.append(shareFact(23)));
    expect(readAll(directory)).toEqual({ shares: [1, 23], corrupt: 0 });
    await recorder.writer.close();
  });
});

describe('a marker', () => {
  it('covers what it says even where it lies further on', () => {
    const name = segmentName(1, '0f0f0f0f', 1);
    const file = new ByteWriter();
    file.reserve(8);
    MAGIC.copy(file.bytes);
    file.length = 8;
    writeHeader({ segment: name, process: 'p', host: 'h', sequence: 1, pid: 1, pidStart: '', createdMs: 1 }, file);
    const covered = file.length;
    const start = beginRecord(file);
    encodeFact(shareFact(1), file);
    endRecord(file, start);
    writeDurable(covered, file);
    stampRecords(file.bytes, 8, file.length, 8, segmentSalt(name));
    const bytes = Buffer.from(file.bytes.subarray(0, file.length));
    const directory = temporaryDirectory();
    const scanner = new RecordScanner(memorySource(bytes), segmentSalt(name), 0, bytes.length);
    expect([scanner.next(), scanner.next(), scanner.next(), scanner.next()].map((each) => each?.kind)).toEqual(['record', 'record', 'record', undefined]);
    const path = join(directory, `${name}.wbj`);
    writeFileSync(path, bytes);
    expect(eventsOf(path)).toEqual([]);
  });
});
