/**
 * The frame of a segment file: magic, records, names. A record is
 * `u32 length ‖ u32 crc ‖ body`, where length counts the body, and body is a type byte and its fields.
 *
 * The CRC starts from the segment's salt plus the record's own offset, so a record is valid in one place only: bytes that a
 * machine or a pool chose (a worker name, a reject text) can never pass for a record when a reader looks for the next one
 * after a damaged stretch, nor can blocks of another file that a failing disk left behind.
 */
import { crc32 } from 'node:zlib';
import { FIRST_FACT_TYPE, LIVE_FLAG } from './fact-types.ts';
import type { ByteWriter } from './bytes.ts';

/** The first 8 bytes of every segment: for `file` and for people; readers rely on the records alone. */
export const MAGIC = Buffer.from('WBJRNL1\n', 'latin1');
/** Length and CRC before each body. */
export const FRAME_BYTES = 8;
/** A durable marker: frame, type and offset. */
export const MARKER_BYTES = FRAME_BYTES + 1 + 6;
/** A longer body is taken for damage. The largest true one is a job, bounded by the upstream line limit. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024;

export const HEADER_TYPE = 1;
export const DURABLE_TYPE = 2;

/** Who wrote a segment and what it replaces. The JSON payload of the header record. */
export interface SegmentHeader {
  /** The file's name without extension; also the identity in positions. */
  readonly segment: string;
  /** UUID of the process run. */
  readonly process: string;
  readonly host: string;
  /** 1, 2, 3… within the process run. */
  readonly sequence: number;
  readonly pid: number;
  /** Start of that pid (boot and start time on Linux), '' where it cannot be known. */
  readonly pidStart: string;
  readonly createdMs: number;
  /** An earlier segment of the same run that failed: only its first `bytes` count, the rest is written again here or lost. */
  readonly supersedes?: { readonly segment: string; readonly bytes: number };
}

/** `<createdMs, 13 digits>-<8 hex of the process>-<sequence, 6 digits>`. */
export function segmentName(createdMs: number, process: string, sequence: number): string {
  return `${String(createdMs).padStart(13, '0')}-${process.slice(0, 8)}-${String(sequence).padStart(6, '0')}`;
}

/** The parts of a segment's name, or undefined when it is none. */
export function parseSegmentName(name: string): { createdMs: number; process: string; sequence: number } | undefined {
  const match = /^(\d{13,})-([0-9a-f]{8})-(\d{6,})$/.exec(name);
  if (!match) return undefined;
  return { createdMs: Number(match[1]), process: match[2] ?? '', sequence: Number(match[3]) };
}

/** What the CRCs of a segment start from, beside the record's offset. */
export function segmentSalt(segment: string): number {
  return crc32(segment);
}

/** Opens a record in `into` and returns its start; the caller writes the body and calls `endRecord`. */
export function beginRecord(into: ByteWriter): number {
  const start = into.length;
  into.reserve(FRAME_BYTES);
  into.length = start + FRAME_BYTES;
  return start;
}

/** Fills in the length of the record begun at `start`. Its CRC waits for `stampRecords`, which knows where it will lie. */
export function endRecord(into: ByteWriter, start: number): void {
  const size = into.length - start - FRAME_BYTES;
  if (size > BODY_BYTES_MAX) {
    throw new RangeError(`a record of ${size} bytes exceeds ${BODY_BYTES_MAX}: bound what it is made of`);
  }
  const { bytes } = into;
  bytes[start] = size;
  bytes[start + 1] = size >>> 8;
  bytes[start + 2] = size >>> 16;
  bytes[start + 3] = size >>> 24;
}

/** Computes the CRC of every record in bytes[from, to), whose first byte will lie at `fileOffset` of the segment. */
export function stampRecords(bytes: Buffer, from: number, to: number, fileOffset: number, salt: number): void {
  let at = from;
  while (at < to) {
    const end = at + FRAME_BYTES + bytes.readUInt32LE(at);
    bytes.writeUInt32LE(recordCrc(bytes, at + FRAME_BYTES, end, fileOffset + at - from, salt), at + 4);
    at = end;
  }
}

function recordCrc(bytes: Buffer, bodyStart: number, end: number, offset: number, salt: number): number {
  // The header must be readable in a copy that was given another name, so only its offset counts.
  const seed = bytes[bodyStart] === HEADER_TYPE ? offset : salt + offset;
  return crc32(bytes.subarray(bodyStart, end), seed >>> 0);
}

/**
 * The end of the valid record at `at` in `bytes` (which begin at `base` in the file), or 0 when there is none.
 * Only bodies of known kinds are taken.
 */
export function validRecordEnd(bytes: Buffer, at: number, base: number, salt: number): number {
  if (at + FRAME_BYTES + 1 > bytes.length) return 0;
  const size = bytes.readUInt32LE(at);
  const end = at + FRAME_BYTES + size;
  if (size === 0 || size > BODY_BYTES_MAX || end > bytes.length) return 0;
  const type = bytes[at + FRAME_BYTES] ?? 0;
  if (type !== HEADER_TYPE && type !== DURABLE_TYPE && (type & ~LIVE_FLAG) < FIRST_FACT_TYPE) return 0;
  return recordCrc(bytes, at + FRAME_BYTES, end, base + at, salt) === bytes.readUInt32LE(at + 4) ? end : 0;
}

/** Appends a header record (without CRC). */
export function writeHeader(header: SegmentHeader, into: ByteWriter): void {
  const start = beginRecord(into);
  into.u8(HEADER_TYPE);
  into.text(JSON.stringify({ format: 1, ...header }));
  endRecord(into, start);
}

/** Appends a record that says: all before `offset` of this file is durable. */
export function writeDurable(offset: number, into: ByteWriter): void {
  const start = beginRecord(into);
  into.u8(DURABLE_TYPE);
  into.u48(offset);
  endRecord(into, start);
}
