/** Sealing: fixes the length and the digest of segments that will never grow again. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fdatasyncSync, fsyncSync, ftruncateSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ByteReader } from './bytes.ts';
import { FIRST_FACT_TYPE, LIVE_FLAG } from './fact-types.ts';
import { listSegments, SEAL_EXTENSION } from './directory.ts';
import type { Seal, SegmentFile } from './directory.ts';
import { DURABLE_TYPE, parseSegmentName, segmentSalt } from './format.ts';
import type { SegmentHeader } from './format.ts';
import { fileSource, RecordScanner } from './records.ts';
import { UNFINISHED_EXTENSION } from './segment.ts';

export interface SealedSegment extends Seal {
  readonly segment: string;
}

/**
 * Seals every segment whose writer is gone (`isAlive` says no) or has gone on to a later one. All before the last durable
 * marker is kept, damaged or not; after it all valid records up to the first bad one (a durable record may lack its marker
 * after a power cut), as far as no later segment supersedes them; only what lies beyond is cut. Nothing is ever appended.
 * A segment whose header is unreadable and whose process left no other one is not touched, since its writer may be alive.
 * What fails is told to `onProblem` and tried again by the next call; a call that was interrupted may be repeated.
 */
export function sealDead(
  directory: string,
  isAlive: (header: SegmentHeader) => boolean,
  onProblem: (sentence: string) => void = () => undefined,
): SealedSegment[] {
  const gone = new Set<string>();
  for (const { header, sealed } of listSegments(directory)) {
    if (!sealed && header.pid !== 0 && !isAlive(header)) gone.add(runOf(header));
  }
  // Listed again after the verdict on life: a segment made in between, by a writer that then died, may limit an earlier one.
  const files = listSegments(directory);
  const newest = new Map<string, number>();
  for (const { header } of files) newest.set(runOf(header), Math.max(header.sequence, newest.get(runOf(header)) ?? 0));
  const done: SealedSegment[] = [];
  for (const file of files) {
    const { header } = file;
    if (file.sealed || file.compressed) continue;
    if (!gone.has(runOf(header)) && header.sequence >= (newest.get(runOf(header)) ?? 0)) continue;
    try {
      done.push(seal(file));
    } catch (error) {
      onProblem(`segment ${file.path} cannot be sealed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return done;
}

/** A process run as its segments' names tell it: legible even when a header is not. */
function runOf(header: SegmentHeader): string {
  return parseSegmentName(header.segment)?.process ?? header.process;
}

function seal(file: SegmentFile): SealedSegment {
  const { segment } = file.header;
  const path = join(dirname(file.path), segment + SEAL_EXTENSION);
  if (existsSync(path)) throw new Error(`its seal ${path} is damaged: restore it, or delete it so that the segment is sealed again`);
  const before = fileBytes(file.path);
  const { bytes, lastMs } = extent(file.path, segment, file.limit ?? before);
  const descriptor = openSync(file.path, 'r+');
  try {
    if (bytes < before) ftruncateSync(descriptor, bytes);
    fdatasyncSync(descriptor);
    const value: Seal = { bytes, sha256: digest(descriptor), cutBytes: before - bytes, lastMs };
    writeWhole(path, `${JSON.stringify(value)}\n`);
    return { segment, ...value };
  } finally {
    closeSync(descriptor);
  }
}

function fileBytes(path: string): number {
  const source = fileSource(path);
  const bytes = source.size();
  source.close();
  return bytes;
}

/** How much of a dead segment counts, and the latest time in it. */
function extent(path: string, segment: string, limit: number): { bytes: number; lastMs: number } {
  const source = fileSource(path);
  try {
    const scanner = new RecordScanner(source, segmentSalt(segment), 0, Math.min(limit, source.size()));
    let durable = 0;
    /** End of the unbroken run of valid records that reaches past the last marker. */
    let bytes = 0;
    let unbroken = true;
    let lastMs = 0;
    for (let found = scanner.next(); found; found = scanner.next()) {
      if (found.kind === 'corrupt') {
        unbroken = false;
        continue;
      }
      const type = found.body[0] ?? 0;
      if (type === DURABLE_TYPE) {
        durable = Math.max(durable, new ByteReader(found.body, 1).u48());
        unbroken = true;
      }
      if (unbroken) bytes = found.end;
      if ((type & ~LIVE_FLAG) >= FIRST_FACT_TYPE && (type & LIVE_FLAG) === 0) lastMs = Math.max(lastMs, timeOf(found.body));
    }
    return { bytes: Math.min(Math.max(bytes, durable), limit), lastMs };
  } finally {
    source.close();
  }
}

/** Every fact begins with its `atMs`. */
function timeOf(body: Buffer): number {
  return body.length < 7 ? 0 : body.readUIntLE(1, 6);
}

function digest(descriptor: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let at = 0; ; ) {
    const count = readSync(descriptor, buffer, 0, buffer.length, at);
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
    at += count;
  }
}

/** Replaces a small file so that a crash leaves the old one or the new one, whole. */
function writeWhole(path: string, content: string): void {
  const unfinished = path + UNFINISHED_EXTENSION;
  const descriptor = openSync(unfinished, 'w', 0o600);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(unfinished, path);
  syncDirectory(dirname(path));
}

/** Makes renames and deletions in a directory durable. */
export function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
