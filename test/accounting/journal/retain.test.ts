/** Compression and deletion touch only what is sealed, folded to its end and old. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandFacts, isNote, journalFacts } from '../../../accounting/journal/note.ts';
import { listSegments, SegmentReader } from '../../../accounting/journal/reader.ts';
import { retain } from '../../../accounting/journal/retain.ts';
import { sealDead } from '../../../accounting/journal/seal.ts';
import { realWorld } from '../../../config/world.ts';
import { eventsOf, readAll, Recorder, shareFact, START_MS, temporaryDirectory } from './support.ts';

const HOUR_MS = 3_600_000;

/** Six segments or so of a process that still writes the last one. */
async function written(): Promise<{ directory: string; recorder: Recorder }> {
  const directory = temporaryDirectory();
  const recorder = await Recorder.open(directory, { segmentBytes: 1200 });
  for (let share = 1; share <= 60; share++) await recorder.settled(recorder.writer.append(shareFact(share)));
  sealDead(directory, () => true);
  return { directory, recorder };
}

const problems: string[] = [];
const base = { retainMs: 24 * HOUR_MS, compress: true, held: [], onProblem: (sentence: string) => void problems.push(sentence) };

function allFolded(directory: string): Map<string, number> {
  return new Map(listSegments(directory).map((file) => [file.header.segment, file.bytes]));
}

describe('retention', () => {
  it('compresses what is sealed and folded; it reads as before, from any position', async () => {
    const { directory } = await written();
    const before = listSegments(directory);
    const read = readAll(directory);
    const events = before.map((file) => eventsOf(file.path));
    const report = await retain({ ...base, directory, nowMs: START_MS, folded: allFolded(directory) });
    const after = listSegments(directory);
    expect(before.length).toBeGreaterThan(4);
    expect(report).toEqual({ compressed: before.slice(0, -1).map((file) => file.header.segment), deleted: [] });
    expect(after.map((file) => file.compressed)).toEqual(before.map((_, index) => index < before.length - 1));
    expect(after.map((file) => [file.header, file.bytes, file.sealed, file.lastMs])).toEqual(before.map((file) => [file.header, file.bytes, file.sealed, file.lastMs]));
    expect(readAll(directory)).toEqual(read);
    expect(after.map((file) => eventsOf(file.path))).toEqual(events);
    const middle = events[0]?.[5]?.end ?? 0;
    const reader = SegmentReader.open(after[0]?.path ?? '');
    expect([...reader.events(middle)]).toEqual(events[0]?.slice(6));
    reader.close();
    expect(await retain({ ...base, directory, nowMs: START_MS, folded: allFolded(directory) })).toEqual({ compressed: [], deleted: [] });
  });

  it('deletes what is old, folded and sealed, plain or compressed, with its seal, and leaves the rest', async () => {
    const { directory } = await written();
    const files = listSegments(directory);
    const folded = allFolded(directory);
    const [first, second] = files;
    folded.delete(first?.header.segment ?? '');
    folded.set(second?.header.segment ?? '', (second?.bytes ?? 0) - 1);
    await retain({ ...base, directory, nowMs: START_MS, folded });
    const report = await retain({ ...base, directory, nowMs: START_MS + 25 * HOUR_MS, folded });
    expect(report).toEqual({ compressed: [], deleted: files.slice(2, -1).map((file) => file.header.segment) });
    const left = [first, second, files.at(-1)].map((file) => file?.header.segment ?? '');
    expect(listSegments(directory).map((file) => file.header.segment)).toEqual(left);
    expect(readdirSync(directory).filter((name) => name.endsWith('.seal'))).toEqual([`${left[0]}.seal`, `${left[1]}.seal`]);
  });

  it('keeps what commands put on record, however old it is', async () => {
    const { directory } = await written();
    await journalFacts(directory, 'host', { ...realWorld, wallMs: () => START_MS }, [{ type: 'document', kind: 'statement', name: 'lb-2026-11/0', digest: 'd'.repeat(64), atMs: START_MS }]);
    const [note, ...mining] = listSegments(directory).toSorted((a, b) => Number(isNote(b)) - Number(isNote(a)));
    expect(mining.some(isNote)).toBe(false);
    const { deleted } = await retain({ ...base, directory, nowMs: START_MS + 9000 * HOUR_MS, folded: allFolded(directory) });
    expect(deleted.length).toBeGreaterThan(3);
    expect(listSegments(directory).map((file) => file.header.segment)).toContain(note?.header.segment);
    expect([...commandFacts(directory)].map(({ type }) => type)).toContain('document');
  });

  it('ages a segment from its latest fact', async () => {
    const { directory } = await written();
    const folded = allFolded(directory);
    const [file] = listSegments(directory);
    const oldestMs = file?.lastMs ?? 0;
    expect(oldestMs).toBeGreaterThan(START_MS);
    const nowMs = Math.max(oldestMs, file?.header.createdMs ?? 0) + base.retainMs;
    expect((await retain({ ...base, compress: false, directory, nowMs, folded })).deleted).toEqual([]);
    expect((await retain({ ...base, compress: false, directory, nowMs: nowMs + 1, folded })).deleted).toEqual([file?.header.segment]);
  });

  it('never deletes what a held period may have facts in, and deletes it once it is not held', async () => {
    const { directory } = await written();
    const folded = allFolded(directory);
    const nowMs = START_MS + 1000 * HOUR_MS;
    const [file] = listSegments(directory);
    const held = [{ fromMs: 0, toMs: (file?.header.createdMs ?? 0) - HOUR_MS + 1 }];
    const before = listSegments(directory).length;
    const report = await retain({ ...base, compress: false, directory, nowMs, folded, held });
    expect(report.deleted).not.toContain(file?.header.segment);
    expect(listSegments(directory).length).toBeLessThan(before);
    expect((await retain({ ...base, compress: false, directory, nowMs, folded, held: [{ fromMs: 0, toMs: (file?.header.createdMs ?? 0) - HOUR_MS }] })).deleted).toContain(file?.header.segment);
  });

  it('never compresses a segment that its seal does not confirm', async () => {
    const { directory } = await written();
    const [file] = listSegments(directory);
    const path = file?.path ?? '';
    const bytes = readFileSync(path);
    bytes[700] = (bytes[700] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    problems.length = 0;
    const report = await retain({ ...base, directory, nowMs: START_MS, folded: allFolded(directory) });
    expect(report.compressed).not.toContain(file?.header.segment);
    expect(problems.join()).toMatch(/the disk has changed it/);
    expect(listSegments(directory)[0]?.compressed).toBe(false);
  });

  it('survives a crash between compressing and deleting, and clears what is half-made when it is old', async () => {
    const { directory } = await written();
    const [file] = listSegments(directory);
    const segment = file?.header.segment ?? '';
    const half = join(directory, `${segment}.wbj.gz`);
    const read = readAll(directory);
    for (const path of [half, `${half}.new`]) writeFileSync(path, 'half');
    expect(readAll(directory)).toEqual(read);
    const folded = allFolded(directory);
    await retain({ ...base, directory, nowMs: START_MS, folded });
    expect(readAll(directory)).toEqual(read);
    writeFileSync(join(directory, '1600000000000-0f0f0f0f-000001.wbj.new'), 'half');
    writeFileSync(join(directory, '1600000000000-0f0f0f0f-000002.seal'), '{}');
    await retain({ ...base, directory, nowMs: START_MS, folded });
    expect(readdirSync(directory).filter((name) => name.startsWith('16'))).toEqual([]);
  });
});
