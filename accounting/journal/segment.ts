/**
 * One segment being written. It becomes visible under its name only with a durable head (header, all that is live, first
 * durable marker), so whoever lists the directory never meets a half-made one.
 */
import { join } from 'node:path';
import type { Fact } from '../../proxy/session/facts.ts';
import { ByteWriter } from './bytes.ts';
import { encodeFact } from './encode.ts';
import { LIVE_FLAG } from './fact-types.ts';
import { beginRecord, endRecord, FRAME_BYTES, MAGIC, MARKER_BYTES, segmentSalt, stampRecords, writeDurable, writeHeader } from './format.ts';
import type { SegmentHeader } from './format.ts';
import type { JournalFs } from './fs.ts';

/** Extension of segments. */
export const SEGMENT_EXTENSION = '.wbj';
/** Added to a file's name while it is being made; such files are never read. */
export const UNFINISHED_EXTENSION = '.new';

export interface SegmentOptions {
  readonly directory: string;
  readonly fs: JournalFs;
  /** False: nothing is forced to the disk (durability `os`). */
  readonly sync: boolean;
  /** Monotonic milliseconds. */
  readonly monoMs: () => number;
  readonly onSync: (seconds: number) => void;
}

export class OutputSegment {
  readonly name: string;
  private readonly options: SegmentOptions;
  private readonly descriptor: number;
  /** Writes what is to be on the disk at once; undefined where `descriptor` does that, and fdatasync. */
  private readonly through: number | undefined;
  private readonly salt: number;
  private readonly marker = new ByteWriter(MARKER_BYTES);
  private endBytes = 0;
  private durableEndBytes = 0;

  private constructor(name: string, descriptor: number, through: number | undefined, options: SegmentOptions) {
    this.name = name;
    this.descriptor = descriptor;
    this.through = through;
    this.options = options;
    this.salt = segmentSalt(name);
  }

  /** Length of the file so far. */
  get bytes(): number {
    return this.endBytes;
  }

  /** All before this offset is durable. */
  get durableBytes(): number {
    return this.durableEndBytes;
  }

  /** Creates a segment with its head durable. On any error nothing visible is left, as far as the disk still obeys. */
  static async create(header: SegmentHeader, live: Iterable<Fact>, options: SegmentOptions): Promise<OutputSegment> {
    const { fs, sync } = options;
    const path = join(options.directory, header.segment + SEGMENT_EXTENSION);
    const unfinished = path + UNFINISHED_EXTENSION;
    const head = encodeHead(header, live);
    const descriptor = await fs.create(unfinished);
    let segment: OutputSegment | undefined;
    try {
      segment = new OutputSegment(header.segment, descriptor, sync ? await fs.openThrough?.(unfinished) : undefined, options);
      stampRecords(head.bytes, MAGIC.length, head.length, MAGIC.length, segment.salt);
      const markerError = await segment.write(head, 0);
      if (markerError) throw markerError;
      await fs.rename(unfinished, path);
      if (sync) await fs.syncDirectory(options.directory);
      return segment;
    } catch (error) {
      await (segment === undefined ? fs.close(descriptor) : segment.close()).catch(() => undefined);
      // After a failed directory sync it is already visible under its own name: then it stays, complete and without shares.
      await fs.unlink(unfinished).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Writes stamped-to-be records, which begin after `MARKER_BYTES` of room, forces them to the disk and then appends the durable
   * marker. Throws when the records are not known to be durable: the segment must not be used again. A failure of the marker
   * alone is returned instead, because the records are safe by then; the segment must not be used again either.
   */
  async commit(records: ByteWriter): Promise<Error | undefined> {
    // The last marker once more, in the room for it: it was not forced, and a hole where it should be would cut off what follows.
    records.bytes.set(this.marker.bytes.subarray(0, MARKER_BYTES));
    stampRecords(records.bytes, MARKER_BYTES, records.length, this.endBytes, this.salt);
    return this.write(records, this.durableEndBytes);
  }

  /** After a failure: removes what is not known to be durable, so that it does not count if this process dies now. */
  cut(): Promise<void> {
    return this.options.fs.truncate(this.descriptor, this.endBytes);
  }

  async close(): Promise<void> {
    const { fs } = this.options;
    try {
      if (this.through !== undefined) await fs.close(this.through);
    } finally {
      await fs.close(this.descriptor);
    }
  }

  private async write(records: ByteWriter, position: number): Promise<Error | undefined> {
    await this.force(records, position);
    this.endBytes = position + records.length;
    this.durableEndBytes = this.endBytes;
    const { marker } = this;
    marker.length = 0;
    writeDurable(this.endBytes, marker);
    stampRecords(marker.bytes, 0, marker.length, this.endBytes, this.salt);
    try {
      await this.writeAll(this.descriptor, marker, this.endBytes);
      this.endBytes += marker.length;
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  private async force(records: ByteWriter, position: number): Promise<void> {
    const { fs, sync, monoMs, onSync } = this.options;
    const startMs = monoMs();
    await this.writeAll(this.through ?? this.descriptor, records, position);
    if (!sync) return;
    if (this.through === undefined) await fs.fdatasync(this.descriptor);
    onSync((monoMs() - startMs) / 1000);
  }

  private async writeAll(descriptor: number, from: ByteWriter, position: number): Promise<void> {
    let done = 0;
    while (done < from.length) {
      const count = await this.options.fs.write(descriptor, from.bytes, done, from.length - done, position + done);
      if (count <= 0) throw new Error(`the disk took ${done} of ${from.length} bytes and then none`);
      done += count;
    }
  }
}

/** Header, live facts, and the header again: one damaged block at the start must not cost the segment its identity. */
function encodeHead(header: SegmentHeader, live: Iterable<Fact>): ByteWriter {
  const head = new ByteWriter();
  head.reserve(MAGIC.length);
  MAGIC.copy(head.bytes);
  head.length = MAGIC.length;
  writeHeader(header, head);
  encodeLive(live, head);
  writeHeader(header, head);
  return head;
}

/** Appends facts as repeated ones: they give context and count nothing. */
export function encodeLive(live: Iterable<Fact>, to: ByteWriter): void {
  for (const fact of live) {
    const start = beginRecord(to);
    encodeFact(fact, to);
    const typeAt = start + FRAME_BYTES;
    to.bytes[typeAt] = (to.bytes[typeAt] ?? 0) | LIVE_FLAG;
    endRecord(to, start);
  }
}
