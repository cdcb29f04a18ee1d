/**
 * Keeping the journal's directory in bounds: sealed and wholly folded segments are compressed, and deleted when they are
 * old. Nothing else is ever touched. What commands put on record stays: it is short, and statements rest on it for ever.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { COMPRESSED_EXTENSION, forget, isMissing, listSegments, readSeal, SEAL_EXTENSION } from './directory.ts';
import type { SegmentFile } from './directory.ts';
import { parseSegmentName } from './format.ts';
import { isNote } from './note.ts';
import { syncDirectory } from './seal.ts';
import { SEGMENT_EXTENSION, UNFINISHED_EXTENSION } from './segment.ts';

export interface RetainOptions {
  readonly directory: string;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number;
  /** Segments whose latest fact is older are deleted. */
  readonly retainMs: number;
  readonly compress: boolean;
  /** [from, to): segments that may hold a fact of such a time are not deleted, however old. */
  readonly held: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** How far each segment (by name) is folded: a segment not folded to its end stays as it is. */
  readonly folded: ReadonlyMap<string, number>;
  readonly onProblem: (sentence: string) => void;
}

export interface RetainReport {
  readonly compressed: readonly string[];
  readonly deleted: readonly string[];
}

/**
 * Compresses and deletes what may be; returns the names of the segments concerned. What fails is told to `onProblem`, stays,
 * and is tried again by the next call.
 */
export async function retain(options: RetainOptions): Promise<RetainReport> {
  const { directory, nowMs, retainMs, onProblem } = options;
  const compressed: string[] = [];
  const deleted: string[] = [];
  for (const file of listSegments(directory)) {
    const { segment } = file.header;
    if (!isFolded(file, options.folded)) continue;
    try {
      if (lastMs(file) < nowMs - retainMs && !isHeld(file, options.held) && !isNote(file)) {
        remove(file);
        deleted.push(segment);
      } else if (options.compress && !file.compressed) {
        await compress(file);
        compressed.push(segment);
      }
    } catch (error) {
      onProblem(`segment ${file.path} stays as it is: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  removeLeftovers(directory, nowMs - retainMs);
  return { compressed, deleted };
}

function isFolded(file: SegmentFile, folded: ReadonlyMap<string, number>): boolean {
  return file.sealed && (folded.get(file.header.segment) ?? -1) >= file.bytes;
}

/** Of a share that was found before its segment began, only the pool's verdict comes later, and by far less. */
const LATE_VERDICT_MS = 3_600_000;

function isHeld(file: SegmentFile, held: RetainOptions['held']): boolean {
  return held.some(({ fromMs, toMs }) => lastMs(file) >= fromMs && file.header.createdMs - LATE_VERDICT_MS < toMs);
}

/** A segment without facts ages from its creation. */
function lastMs(file: SegmentFile): number {
  return Math.max(file.lastMs, file.header.createdMs);
}

function sealPath(file: SegmentFile): string {
  return join(dirname(file.path), file.header.segment + SEAL_EXTENSION);
}

/** The seal goes last: a segment without its seal would look like one being written. */
function remove(file: SegmentFile): void {
  const directory = dirname(file.path);
  for (const extension of [SEGMENT_EXTENSION, COMPRESSED_EXTENSION]) removeIfThere(join(directory, file.header.segment + extension));
  syncDirectory(directory);
  removeIfThere(sealPath(file));
  forget(directory, file.header.segment);
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** The plain file goes only when the compressed one is on the disk and unpacks to what the seal says. */
async function compress(file: SegmentFile): Promise<void> {
  const directory = dirname(file.path);
  const path = join(directory, file.header.segment + COMPRESSED_EXTENSION);
  const unfinished = path + UNFINISHED_EXTENSION;
  const sha256 = readSeal(sealPath(file))?.sha256;
  removeIfThere(unfinished);
  await pipeline(createReadStream(file.path), createGzip(), createWriteStream(unfinished, { mode: 0o600, flags: 'wx' }));
  const hash = createHash('sha256');
  await pipeline(createReadStream(unfinished), createGunzip(), hash);
  const found = hash.digest('hex');
  if (found !== sha256) {
    removeIfThere(unfinished);
    throw new Error(`its SHA-256 is ${found}, its seal says ${sha256}: the disk has changed it`);
  }
  const handle = await open(unfinished, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  renameSync(unfinished, path);
  syncDirectory(directory);
  unlinkSync(file.path);
  syncDirectory(directory);
}

/** What a killed process left half-made or half-deleted, once it is as old as what is deleted. */
function removeLeftovers(directory: string, beforeMs: number): void {
  const names = new Set(readdirSync(directory));
  for (const name of names) {
    const segment = name.split('.')[0] ?? '';
    const parts = parseSegmentName(segment);
    if (!parts || parts.createdMs >= beforeMs) continue;
    const lone = name.endsWith(SEAL_EXTENSION) && !names.has(segment + SEGMENT_EXTENSION) && !names.has(segment + COMPRESSED_EXTENSION);
    if (lone || name.endsWith(UNFINISHED_EXTENSION)) removeIfThere(join(directory, name));
  }
}
