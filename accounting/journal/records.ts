/** Walks the records of a segment, and finds the next valid one after a damaged stretch. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BODY_BYTES_MAX, FRAME_BYTES, MAGIC, validRecordEnd } from './format.ts';

/** Random access to the plain bytes of a segment. */
export interface ByteSource {
  /** Bytes at present; grows while the segment is being written. */
  size(): number;
  /** Up to `length` bytes from `offset`; fewer at the end. The result is not changed later. */
  read(offset: number, length: number): Buffer;
  close(): void;
}

/** A file as it is. */
export function fileSource(path: string): ByteSource {
  const descriptor = openSync(path, 'r');
  return {
    size: () => fstatSync(descriptor).size,
    read(offset, length) {
      const buffer = Buffer.allocUnsafe(length);
      let done = 0;
      while (done < length) {
        const count = readSync(descriptor, buffer, done, length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      return buffer.subarray(0, done);
    },
    close: () => closeSync(descriptor),
  };
}

/** Bytes in memory (a compressed segment, unpacked). */
export function memorySource(bytes: Buffer): ByteSource {
  return { size: () => bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length), close: () => undefined };
}

/** A valid record (`body` is a view that lasts until the next call) or a stretch in which none was found. */
export type Stretch =
  | { readonly kind: 'record'; readonly offset: number; readonly end: number; readonly body: Buffer }
  | { readonly kind: 'corrupt'; readonly offset: number; readonly end: number };

const WINDOW_BYTES = 1024 * 1024;

export class RecordScanner {
  private readonly source: ByteSource;
  private readonly salt: number;
  private readonly end: number;
  private window: Buffer = Buffer.alloc(0);
  private windowAt = 0;
  private at: number;

  /** Scans from offset `from` (0 or a record's border) and never looks past `end`. */
  constructor(source: ByteSource, salt: number, from: number, end: number) {
    this.source = source;
    this.salt = salt;
    this.at = from;
    this.end = end;
  }

  /**
   * The next stretch, or undefined when no valid record follows. What is left then, from `position` to the end, is either
   * nothing, or a record still being written, or damage: only the caller can know.
   */
  next(): Stretch | undefined {
    const start = this.at;
    if (start === 0) {
      this.at = Math.min(MAGIC.length, this.end);
      if (this.load(0, MAGIC.length) < MAGIC.length || !this.window.subarray(0, MAGIC.length).equals(MAGIC)) {
        if (this.at < MAGIC.length) this.at = 0;
        return this.at === 0 ? undefined : { kind: 'corrupt', offset: 0, end: this.at };
      }
      return this.next();
    }
    const end = this.recordAt(start);
    if (end > 0) {
      this.at = end;
      const from = start - this.windowAt;
      return { kind: 'record', offset: start, end, body: this.window.subarray(from + FRAME_BYTES, end - this.windowAt) };
    }
    for (let at = start + 1; at + FRAME_BYTES < this.end; at++) {
      if (this.recordAt(at) === 0) continue;
      this.at = at;
      return { kind: 'corrupt', offset: start, end: at };
    }
    return undefined;
  }

  /** Up to here everything was returned. */
  get position(): number {
    return this.at;
  }

  /** The end of the valid record at `at`, 0 when there is none. */
  private recordAt(at: number): number {
    if (this.load(at, FRAME_BYTES + 1) <= FRAME_BYTES) return 0;
    const size = this.window.readUInt32LE(at - this.windowAt);
    if (size === 0 || size > BODY_BYTES_MAX || at + FRAME_BYTES + size > this.end) return 0;
    if (this.load(at, FRAME_BYTES + size) < FRAME_BYTES + size) return 0;
    const end = validRecordEnd(this.window, at - this.windowAt, this.windowAt, this.salt);
    return end === 0 ? 0 : end + this.windowAt;
  }

  /** Puts [at, at + length) into the window; returns how many of these bytes there are. */
  private load(at: number, length: number): number {
    const wanted = Math.min(length, this.end - at);
    if (wanted <= 0) return 0;
    if (at < this.windowAt || at + wanted > this.windowAt + this.window.length) {
      this.window = this.source.read(at, Math.min(Math.max(wanted, WINDOW_BYTES), this.end - at));
      this.windowAt = at;
    }
    return Math.min(wanted, this.windowAt + this.window.length - at);
  }
}
