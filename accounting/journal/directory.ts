/** What lies in a journal's directory: segments, their headers and seals. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { HEADER_TYPE, MAGIC, parseSegmentName, segmentSalt } from './format.ts';
import type { SegmentHeader } from './format.ts';
import { ByteReader } from './bytes.ts';
import { fileSource, memorySource, RecordScanner } from './records.ts';
import type { ByteSource } from './records.ts';
import { SEGMENT_EXTENSION } from './segment.ts';

export const COMPRESSED_EXTENSION = `${SEGMENT_EXTENSION}.gz`;
export const SEAL_EXTENSION = '.seal';
/** Enough compressed bytes to hold a header record. */
const HEAD_BYTES = 64 * 1024;
/** Headers never change; more than this many are not remembered. */
const HEADERS_MAX = 100_000;

/** The seal of a segment that will never grow: JSON in `<segment>.seal`. */
export interface Seal {
  /** Length of the plain segment. */
  readonly bytes: number;
  /** Of these bytes, lower-case hex. */
  readonly sha256: string;
  /** What was cut off the end when it was sealed: a torn record, or a batch that a later segment holds. */
  readonly cutBytes: number;
  /** Latest `atMs` of its facts, 0 when it has none. */
  readonly lastMs: number;
}

export interface SegmentFile {
  readonly path: string;
  /** When both copies in the file are damaged: what the name tells, with host '', pid 0 and pidStart ''. */
  readonly header: SegmentHeader;
  readonly compressed: boolean;
  readonly sealed: boolean;
  /** Of the plain segment: sealed length, or the file's length at present. */
  readonly bytes: number;
  /** Bytes that count, when a later segment of the same run supersedes the rest. To be given to `SegmentReader.open`. */
  readonly limit: number | undefined;
  /** 0 while not sealed. */
  readonly lastMs: number;
}

const headers = new Map<string, SegmentHeader>();
const seals = new Map<string, Seal>();

/** All segments of a directory, sorted by creation, process and sequence; [] when there is no such directory. */
export function listSegments(directory: string): SegmentFile[] {
  const names = new Set(namesIn(directory));
  const found: SegmentFile[] = [];
  for (const name of names) {
    const compressed = name.endsWith(COMPRESSED_EXTENSION);
    if (!compressed && !name.endsWith(SEGMENT_EXTENSION)) continue;
    const segment = name.slice(0, -(compressed ? COMPRESSED_EXTENSION : SEGMENT_EXTENSION).length);
    if (parseSegmentName(segment) === undefined) continue;
    // A crash between compressing and deleting leaves both: the plain one goes on to count.
    if (compressed && names.has(segment + SEGMENT_EXTENSION)) continue;
    const file = describe(directory, name, segment, compressed, names.has(segment + SEAL_EXTENSION));
    if (file) found.push(file);
  }
  return withLimits(found).sort(byAge);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function describe(directory: string, name: string, segment: string, compressed: boolean, hasSeal: boolean): SegmentFile | undefined {
  const path = join(directory, name);
  try {
    const seal = hasSeal ? readSeal(join(directory, segment + SEAL_EXTENSION)) : undefined;
    const header = headerOf(path, segment, compressed);
    const bytes = seal?.bytes ?? statSync(path).size;
    return { path, header, compressed, sealed: seal !== undefined, bytes, limit: undefined, lastMs: seal?.lastMs ?? 0 };
  } catch (error) {
    // Compressed or deleted since the directory was read.
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function withLimits(files: SegmentFile[]): SegmentFile[] {
  const limits = new Map<string, number>();
  for (const { header } of files) {
    if (!header.supersedes) continue;
    const { segment, bytes } = header.supersedes;
    limits.set(segment, Math.min(bytes, limits.get(segment) ?? bytes));
  }
  return files.map((file) => ({ ...file, limit: limits.get(file.header.segment) }));
}

function byAge(a: SegmentFile, b: SegmentFile): number {
  if (a.header.createdMs !== b.header.createdMs) return a.header.createdMs - b.header.createdMs;
  if (a.header.process !== b.header.process) return a.header.process < b.header.process ? -1 : 1;
  return a.header.sequence - b.header.sequence;
}

/** True for the error of a path that does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * The seal in a `.seal` file; undefined when there is none, or when it is damaged: its segment then counts as not sealed, is
 * read to its last marker, and neither sealed again nor compressed nor deleted.
 */
export function readSeal(path: string): Seal | undefined {
  const known = seals.get(path);
  if (known) return known;
  const value = sealIn(path);
  if (!isSeal(value)) return undefined;
  if (seals.size >= HEADERS_MAX) seals.clear();
  seals.set(path, value);
  return value;
}

function sealIn(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Drops what is remembered of a segment whose files are gone. */
export function forget(directory: string, segment: string): void {
  headers.delete(join(directory, segment + SEGMENT_EXTENSION));
  headers.delete(join(directory, segment + COMPRESSED_EXTENSION));
  seals.delete(join(directory, segment + SEAL_EXTENSION));
}

function isSeal(value: unknown): value is Seal {
  if (typeof value !== 'object' || value === null) return false;
  const { bytes, sha256, cutBytes, lastMs } = value as Record<string, unknown>;
  return Number.isSafeInteger(bytes) && typeof sha256 === 'string' && Number.isSafeInteger(cutBytes) && Number.isSafeInteger(lastMs);
}

function headerOf(path: string, segment: string, compressed: boolean): SegmentHeader {
  const known = headers.get(path);
  if (known) return known;
  const source = compressed ? headSource(path) : fileSource(path);
  try {
    const header = readHeader(source, segment);
    if (header && headers.size >= HEADERS_MAX) headers.clear();
    if (header) headers.set(path, header);
    return header ?? headerFromName(segment);
  } finally {
    source.close();
  }
}

function headSource(path: string): ByteSource {
  const file = fileSource(path);
  try {
    return memorySource(gunzipSync(file.read(0, HEAD_BYTES), { finishFlush: constants.Z_SYNC_FLUSH }));
  } catch {
    return memorySource(Buffer.alloc(0));
  } finally {
    file.close();
  }
}

/** The first undamaged header record; undefined when there is none. Throws when a later version wrote it. */
export function readHeader(source: ByteSource, segment: string): SegmentHeader | undefined {
  const scanner = new RecordScanner(source, segmentSalt(segment), MAGIC.length, source.size());
  for (let found = scanner.next(); found; found = scanner.next()) {
    if (found.kind === 'record' && found.body[0] === HEADER_TYPE) return parseHeader(found.body, segment);
  }
  return undefined;
}

function parseHeader(body: Buffer, segment: string): SegmentHeader {
  const value = JSON.parse(new ByteReader(body, 1).text()) as Record<string, unknown>;
  if (value['format'] !== 1) {
    throw new Error(`segment ${segment} has format ${String(value['format'])}, this version reads 1: use the version that wrote it`);
  }
  const { format: _format, ...header } = value;
  // Its CRC holds, so it is what a writer of this format wrote.
  return header as unknown as SegmentHeader;
}

/** What is left when both header records are damaged. */
export function headerFromName(segment: string): SegmentHeader {
  const parts = parseSegmentName(segment) ?? { createdMs: 0, process: '', sequence: 0 };
  return { segment, process: parts.process, host: '', sequence: parts.sequence, pid: 0, pidStart: '', createdMs: parts.createdMs };
}
