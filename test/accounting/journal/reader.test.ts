/** Reading: living segments to their last marker, cut ones to the cut, damaged ones around the damage, compressed ones alike. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { listSegments, SegmentReader } from '../../../accounting/journal/reader.ts';
import type { SegmentEvent } from '../../../accounting/journal/reader.ts';
import { sealDead } from '../../../accounting/journal/seal.ts';
import { DO, eventsOf, faultyFs, Follower, LIVE_FACTS, readAll, Recorder, shareFact, temporaryDirectory } from './support.ts';

const dead = (): boolean => false;
const alive = (): boolean => true;

interface Sample {
  readonly path: string;
  readonly bytes: Buffer;
  /** Where each share lies, in order. */
  readonly records: readonly { readonly offset: number; readonly end: number }[];
  /** Their ends. */
  readonly ends: readonly number[];
  /** What the last durable marker covers. */
  readonly durable: number;
}

/** Four durable batches of two shares and a fifth that was written but never acknowledged. */
async function sample(): Promise<Sample> {
  const directory = temporaryDirectory();
  let syncs = 0;
  const { fs } = faultyFs((operation) => (operation === 'fdatasync' && ++syncs === 6 ? { kind: 'hang' } : DO));
  const recorder = await Recorder.open(directory, { fs });
  for (let share = 1; share <= 9; share += 2) {
    recorder.writer.append(shareFact(share));
    const last = recorder.writer.append(shareFact(share + 1));
    if (share < 9) await recorder.settled(last);
  }
  while (syncs < 6) await new Promise((resolve) => setImmediate(resolve));
  const [file] = listSegments(directory);
  if (!file) throw new Error('no segment was written');
  const reader = SegmentReader.open(file.path);
  for (const _ of reader.events(0));
  const durable = reader.position;
  reader.close();
  const whole = temporaryDirectory();
  const path = join(whole, basename(file.path));
  copyFileSync(file.path, path);
  sealDead(whole, dead);
  const records = eventsOf(path).filter((event) => event.kind === 'fact' && event.fact.type === 'share');
  return { path: file.path, bytes: readFileSync(file.path), records, ends: records.map((each) => each.end), durable };
}

function sharesOf(events: SegmentEvent[]): number[] {
  return events.flatMap((event) => (event.kind === 'fact' && event.fact.type === 'share' ? [event.fact.share] : []));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** A copy in a directory of its own (headers and seals are remembered by path). */
function place(root: string, which: number, name: string, bytes: Buffer): { directory: string; path: string } {
  const directory = join(root, String(which));
  mkdirSync(directory);
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return { directory, path };
}

describe('a living segment', () => {
  it('is read to its last marker and not further, whatever lies behind', async () => {
    const { path, ends, durable } = await sample();
    expect(sharesOf(eventsOf(path))).toEqual(upTo(8));
    expect(ends).toHaveLength(10);
    expect(durable).toBe(ends[7]);
  });

  it('yields its head as live and each later fact once, by position', async () => {
    const directory = temporaryDirectory();
    const recorder = await Recorder.open(directory);
    const [file] = listSegments(directory);
    if (!file) throw new Error('no segment was written');
    const reader = SegmentReader.open(file.path);
    const head = [...reader.events(0)];
    expect(head).toMatchObject(LIVE_FACTS.map((fact) => ({ kind: 'fact', fact, live: true })));
    for (let share = 1; share <= 5; share++) {
      await recorder.settled(recorder.writer.append(shareFact(share)));
      expect([...reader.events(reader.position)]).toMatchObject([{ fact: shareFact(share), live: false }]);
      expect([...reader.events(reader.position)]).toEqual([]);
    }
    reader.close();
    await recorder.writer.close();
  });

  it('carries its header', async () => {
    const directory = temporaryDirectory();
    const recorder = await Recorder.open(directory);
    const [file] = listSegments(directory);
    expect(file?.header).toMatchObject({ host: 'test', sequence: 1, pid: process.pid, segment: basename(file?.path ?? '', '.wbj') });
    expect(file?.header.supersedes).toBeUndefined();
    expect(recorder.writer.stats().segment).toBe(file?.header.segment);
    await recorder.writer.close();
  });
});

describe('a segment cut at every byte', () => {
  it('keeps, once sealed, all records before the cut and invents none', async () => {
    const { path, bytes, ends, durable } = await sample();
    const root = temporaryDirectory();
    let afterMarker = 0;
    for (let cut = 0; cut <= bytes.length; cut++) {
      const copy = place(root, cut, basename(path), bytes.subarray(0, cut));
      sealDead(copy.directory, dead);
      const events = listSegments(copy.directory).flatMap((file) => eventsOf(file.path, file.limit));
      expect(sharesOf(events)).toEqual(upTo(ends.filter((end) => end <= cut).length));
      expect(events.filter((event) => event.kind === 'corrupt')).toEqual([]);
      if (cut >= durable) afterMarker += 1;
    }
    expect(afterMarker).toBeGreaterThan(80);
  });

  it('after sealing yields all before the cut and reports the rest as corrupt', async () => {
    const { path, bytes, ends } = await sample();
    const copy = place(temporaryDirectory(), 0, basename(path), bytes);
    const [seal] = sealDead(copy.directory, dead);
    expect(seal?.bytes).toBe(bytes.length);
    for (let cut = bytes.length - 1; cut >= 0; cut--) {
      truncateSync(copy.path, cut);
      const events = eventsOf(copy.path);
      expect(sharesOf(events)).toEqual(upTo(ends.filter((end) => end <= cut).length));
      expect(events.at(-1)).toMatchObject({ kind: 'corrupt', end: bytes.length });
    }
  });
});

describe('a flipped bit', () => {
  it('at every byte before the last marker costs one record, is reported where it lies, and nothing is cut', async () => {
    const { path, bytes, records, durable } = await sample();
    const root = temporaryDirectory();
    for (let at = 0; at < durable; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      const copy = place(root, at, basename(path), damaged);
      const check = (expected: number[]): void => {
        const events = eventsOf(copy.path);
        const corrupt = events.filter((event) => event.kind === 'corrupt');
        expect(corrupt).toHaveLength(1);
        expect(corrupt[0]?.offset).toBeLessThanOrEqual(at);
        expect(corrupt[0]?.end).toBeGreaterThan(at);
        expect(sharesOf(events)).toEqual(expected.filter((share) => at < (records[share - 1]?.offset ?? 0) || at >= (records[share - 1]?.end ?? 0)));
      };
      check(upTo(8));
      const [seal] = sealDead(copy.directory, dead);
      expect(seal?.bytes).toBe(bytes.length);
      check(upTo(10));
    }
  });

  it('in both copies of the header leaves the segment to its name', async () => {
    const { path, bytes } = await sample();
    const damaged = Buffer.from(bytes);
    for (let at = damaged.indexOf('"format"'); at >= 0; at = damaged.indexOf('"format"', at)) damaged[at] = 0;
    const copy = place(temporaryDirectory(), 0, basename(path), damaged);
    const [file] = listSegments(copy.directory);
    expect(file?.header).toMatchObject({ sequence: 1, pid: 0, host: '', segment: basename(path, '.wbj') });
    expect(sharesOf(eventsOf(copy.path))).toEqual(upTo(8));
    // Its writer may be alive for all we know.
    expect(sealDead(copy.directory, dead)).toEqual([]);
  });

  it('after the last marker ends what is kept when sealed', async () => {
    const { path, bytes, ends, durable } = await sample();
    const damaged = Buffer.from(bytes);
    const at = (ends[8] ?? 0) - 1;
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    const copy = place(temporaryDirectory(), 0, basename(path), damaged);
    const [seal] = sealDead(copy.directory, dead);
    // The fourth batch's marker, of 15 bytes, stays.
    expect(seal).toMatchObject({ bytes: durable + 15, cutBytes: bytes.length - durable - 15 });
    expect(readAll(copy.directory)).toEqual({ shares: upTo(8), corrupt: 0 });
  });
});

describe('bytes chosen by others', () => {
  it('never pass for a record, not even when the record that holds them is damaged', async () => {
    const { path, bytes, ends } = await sample();
    // A true record of this very file, in a text field of a later one.
    const stolen = bytes.subarray((ends[0] ?? 0), (ends[1] ?? 0));
    const directory = temporaryDirectory();
    const recorder = await Recorder.open(directory);
    const text = stolen.toString('latin1');
    await recorder.settled(recorder.writer.append({ type: 'session-end', session: 1, reason: text, atMs: 1 }));
    const [file] = listSegments(directory);
    const written = readFileSync(file?.path ?? '');
    const start = written.lastIndexOf(Buffer.from(text, 'utf8'));
    expect(start).toBeGreaterThan(0);
    stolen.copy(written, start);
    const copy = place(temporaryDirectory(), 0, basename(path), written);
    expect(sharesOf(eventsOf(copy.path))).toEqual([]);
    await recorder.writer.close();
  });
});

describe('a directory', () => {
  it('of two processes is read as both wrote it, and one may die alone', async () => {
    const directory = temporaryDirectory();
    const one = await Recorder.open(directory, { segmentBytes: 700 });
    const two = await Recorder.open(directory, { segmentBytes: 700, process: '0f0f0f0f-0000-4000-8000-000000000000', host: 'two' });
    const follower = new Follower();
    for (let share = 1; share <= 60; share += 2) {
      await Promise.all([one.settled(one.writer.append(shareFact(share))), two.settled(two.writer.append(shareFact(share + 1)))]);
      sealDead(directory, alive);
      follower.step(directory);
    }
    const sealed = sealDead(directory, (header) => header.host !== 'two');
    expect(sealed).toHaveLength(1);
    await one.writer.close();
    follower.step(directory);
    expect(follower.shares.toSorted((a, b) => a - b)).toEqual(upTo(60));
    const files = listSegments(directory);
    expect(files.length).toBeGreaterThan(6);
    expect(files.filter((file) => !file.sealed)).toHaveLength(1);
    expect(readAll(directory).shares.toSorted((a, b) => a - b)).toEqual(upTo(60));
  });

  it('that does not exist has no segments', () => {
    expect(listSegments(join(temporaryDirectory(), 'none'))).toEqual([]);
  });

  it('may hold other files', () => {
    const directory = temporaryDirectory();
    for (const name of ['notes.txt', 'x.wbj', '1700000000000-0f0f0f0f-000001.wbj.new']) writeFileSync(join(directory, name), 'x');
    expect(listSegments(directory)).toEqual([]);
    expect(sealDead(directory, dead)).toEqual([]);
  });

  it('of a later format is refused with a remedy', async () => {
    const { bytes, path } = await sample();
    const { stampRecords, MAGIC } = await import('../../../accounting/journal/format.ts');
    const later = Buffer.from(bytes);
    later.write('"format":2', later.indexOf('"format":1'));
    stampRecords(later, MAGIC.length, MAGIC.length + 8 + later.readUInt32LE(MAGIC.length), MAGIC.length, 0);
    const copy = place(temporaryDirectory(), 0, basename(path), later);
    expect(() => SegmentReader.open(copy.path)).toThrow(/format 2, this version reads 1: use the version that wrote it/);
  });
});

describe('sealing', () => {
  it('tells what it cannot seal, leaves it, and does it later', async () => {
    const { path, bytes } = await sample();
    const copy = place(temporaryDirectory(), 0, basename(path), bytes);
    const obstacle = copy.path.replace(/wbj$/, 'seal.new');
    mkdirSync(obstacle);
    const problems: string[] = [];
    expect(sealDead(copy.directory, dead, (sentence) => void problems.push(sentence))).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/cannot be sealed: EISDIR/)]);
    rmdirSync(obstacle);
    expect(sealDead(copy.directory, dead)).toMatchObject([{ bytes: bytes.length, cutBytes: 0, lastMs: shareFact(10).atMs, sha256: createHash('sha256').update(bytes).digest('hex') }]);
  });

  it('never replaces a seal that is damaged', async () => {
    const { path, bytes } = await sample();
    const copy = place(temporaryDirectory(), 0, basename(path), bytes);
    writeFileSync(copy.path.replace(/wbj$/, 'seal'), '{"bytes":');
    const problems: string[] = [];
    expect(sealDead(copy.directory, dead, (sentence) => void problems.push(sentence))).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/is damaged: restore it, or delete it/)]);
    expect(listSegments(copy.directory)).toMatchObject([{ sealed: false }]);
    expect(readAll(copy.directory)).toEqual({ shares: upTo(8), corrupt: 0 });
  });
});

describe('a compressed segment', () => {
  it('reads identically', async () => {
    const { path, bytes } = await sample();
    const plain = place(temporaryDirectory(), 0, basename(path), bytes);
    sealDead(plain.directory, dead);
    const packed = place(temporaryDirectory(), 0, `${basename(path)}.gz`, gzipSync(readFileSync(plain.path)));
    copyFileSync(plain.path.replace(/wbj$/, 'seal'), packed.path.replace(/wbj\.gz$/, 'seal'));
    expect(eventsOf(packed.path)).toEqual(eventsOf(plain.path));
    expect(listSegments(packed.directory)[0]).toMatchObject({ ...listSegments(plain.directory)[0], path: packed.path, compressed: true });
  });
});
