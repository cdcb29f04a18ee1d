/**
 * Reading segments. One whose writer may be alive is read up to its last durable marker and never further; a sealed or
 * superseded one up to where it counts. Damage is reported where it lies, and everything around it is still read.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Fact } from '../../proxy/session/facts.ts';
import { ByteReader } from './bytes.ts';
import { decodeFact } from './decode.ts';
import { FIRST_FACT_TYPE, LIVE_FLAG } from './fact-types.ts';
import { COMPRESSED_EXTENSION, headerFromName, readHeader, readSeal, SEAL_EXTENSION } from './directory.ts';
import { DURABLE_TYPE, segmentSalt } from './format.ts';
import type { SegmentHeader } from './format.ts';
import { fileSource, memorySource, RecordScanner } from './records.ts';
import type { ByteSource, Stretch } from './records.ts';
import { SEGMENT_EXTENSION } from './segment.ts';

export { listSegments } from './directory.ts';
export type { SegmentFile } from './directory.ts';
export type { SegmentHeader } from './format.ts';

/** Offsets are those of the plain segment; `end` is where the next one begins, fit to be a position. */
export type SegmentEvent =
  | {
      readonly kind: 'fact';
      readonly offset: number;
      readonly end: number;
      readonly fact: Fact;
      /** Repeated at the head for context: gives meaning to later facts and is not to be counted. */
      readonly live: boolean;
    }
  /** Nothing readable in [offset, end). */
  | { readonly kind: 'corrupt'; readonly offset: number; readonly end: number };

export class SegmentReader {
  readonly header: SegmentHeader;
  private readonly source: ByteSource;
  private readonly salt: number;
  /** Where a segment that will not grow ends; undefined while its writer may be alive. */
  private readonly finalBytes: number | undefined;
  private at = 0;

  private constructor(source: ByteSource, segment: string, finalBytes: number | undefined) {
    this.source = source;
    this.salt = segmentSalt(segment);
    this.finalBytes = finalBytes;
    const header = readHeader(source, segment) ?? headerFromName(segment);
    this.header = header;
  }

  /**
   * Opens a `.wbj` or `.wbj.gz`. `limit`: the bytes that count when a later segment supersedes the rest (`SegmentFile.limit`).
   * Whether it is sealed is decided now. Throws when the file is missing, cannot be unpacked or is of a later format.
   */
  static open(path: string, limit?: number): SegmentReader {
    const name = basename(path);
    const compressed = name.endsWith(COMPRESSED_EXTENSION);
    const segment = name.slice(0, -(compressed ? COMPRESSED_EXTENSION : SEGMENT_EXTENSION).length);
    const sealedBytes = readSeal(join(dirname(path), segment + SEAL_EXTENSION))?.bytes;
    const source = compressed ? memorySource(gunzipSync(readFileSync(path))) : fileSource(path);
    const finalBytes = limit === undefined ? (sealedBytes ?? (compressed ? source.size() : undefined)) : Math.min(limit, sealedBytes ?? limit);
    try {
      return new SegmentReader(source, segment, finalBytes);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** Up to here everything that may be read has been yielded. */
  get position(): number {
    return this.at;
  }

  /**
   * All events from offset `from` (0, or an earlier `position` or event's `end`). Of a living segment only what a durable
   * marker covers at the time of the call: call again from `position` for more.
   */
  events(from: number): Generator<SegmentEvent> {
    this.at = from;
    return this.finalBytes === undefined ? this.livingEvents(from) : this.finalEvents(from, this.finalBytes);
  }

  close(): void {
    this.source.close();
  }

  private *finalEvents(from: number, end: number): Generator<SegmentEvent> {
    const present = Math.min(end, this.source.size());
    const scanner = new RecordScanner(this.source, this.salt, from, present);
    for (let found = scanner.next(); found; found = scanner.next()) {
      const event = eventOf(found);
      this.at = found.end;
      if (event) yield event;
    }
    const offset = Math.max(scanner.position, from);
    this.at = Math.max(end, from);
    // Damage up to the end, or a file that has become shorter than its seal says.
    if (offset < end) yield { kind: 'corrupt', offset, end };
  }

  private *livingEvents(from: number): Generator<SegmentEvent> {
    const scanner = new RecordScanner(this.source, this.salt, from, this.source.size());
    let uncovered: SegmentEvent[] = [];
    for (let found = scanner.next(); found; found = scanner.next()) {
      const event = eventOf(found);
      if (event) uncovered.push(event);
      if (found.kind !== 'record' || found.body[0] !== DURABLE_TYPE) continue;
      const durable = new ByteReader(found.body, 1).u48();
      const covered = uncovered.filter((each) => each.end <= durable);
      uncovered = uncovered.filter((each) => each.end > durable);
      for (const each of covered) {
        this.at = each.end;
        yield each;
      }
      this.at = Math.max(this.at, durable);
    }
  }
}

/** The event of a stretch; undefined for the segment's own records. */
function eventOf(found: Stretch): SegmentEvent | undefined {
  const { offset, end } = found;
  if (found.kind === 'corrupt') return { kind: 'corrupt', offset, end };
  const type = found.body[0] ?? 0;
  if ((type & ~LIVE_FLAG) < FIRST_FACT_TYPE) return undefined;
  try {
    return { kind: 'fact', offset, end, fact: decodeFact(found.body), live: (type & LIVE_FLAG) !== 0 };
  } catch (error) {
    // Intact but not understood, as from a later version: reported like damage rather than passed over.
    if (error instanceof RangeError) return { kind: 'corrupt', offset, end };
    throw error;
  }
}
