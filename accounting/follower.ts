/** One journal segment being folded: where it stands, and the context that its next records need. */
import { SegmentReader, type SegmentEvent, type SegmentFile } from './journal/reader.ts';
import type { Fold, SegmentFold } from './fold.ts';
import type { Position } from './rows.ts';

export class Follower {
  #file: SegmentFile;
  readonly #fold: SegmentFold;
  #reader: SegmentReader;
  #events: Generator<SegmentEvent> | undefined;
  /** Up to here the ledger holds it already: read again for context alone. */
  readonly #resumeAt: number;
  readonly #stored: Position | undefined;
  #at = 0;
  #records = 0;
  #corruptRanges = 0;
  #corruptBytes = 0;
  #lastFactMs: number;
  /** File length when everything readable had been read; undefined while there is more to read. */
  #drainedBytes: number | undefined;
  #finished = false;

  /** Throws when the segment cannot be opened. */
  constructor(file: SegmentFile, fold: Fold, stored: Position | undefined) {
    this.#file = file;
    this.#fold = fold.segment(file.header);
    this.#reader = SegmentReader.open(file.path, file.limit);
    this.#resumeAt = stored?.offset ?? 0;
    this.#stored = stored;
    this.#lastFactMs = file.header.createdMs;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Nothing more can be read at present. */
  get drained(): boolean {
    return this.#finished || this.#drainedBytes !== undefined;
  }

  /** Bytes of the file that were not read, as of the last `look`. */
  get lagBytes(): number {
    if (this.#finished) return 0;
    return Math.max(0, this.#file.bytes - (this.#drainedBytes ?? this.#at));
  }

  /** Wall clock of the latest record read, or of the segment's creation. */
  get lastFactMs(): number {
    return this.#lastFactMs;
  }

  /** Takes news of the file: it grew, was sealed or superseded. */
  look(file: SegmentFile): void {
    const changed = file.sealed !== this.#file.sealed || file.limit !== this.#file.limit || file.path !== this.#file.path;
    this.#file = file;
    if (changed && !this.#finished) {
      // Whether a segment can grow is decided when it is opened.
      this.#reader.close();
      this.#reader = SegmentReader.open(file.path, file.limit);
      this.#events = undefined;
    }
    if (changed || file.bytes !== this.#drainedBytes) this.#drainedBytes = undefined;
  }

  /** Folds up to `records` more records; returns how many it read. */
  read(records: number): number {
    let read = 0;
    while (!this.#finished && read < records) {
      const event = this.#next();
      if (event === undefined) break;
      read += 1;
      this.#take(event);
    }
    return read;
  }

  position(): Position {
    const { segment, process, sequence } = this.#file.header;
    const stored = this.#stored;
    const { firstMs, lastMs } = this.#fold.span;
    return {
      segment, process, sequence,
      offset: Math.max(this.#at, this.#resumeAt),
      finished: this.#finished,
      records: (stored?.records ?? 0) + this.#records,
      corruptRanges: (stored?.corruptRanges ?? 0) + this.#corruptRanges,
      corruptBytes: (stored?.corruptBytes ?? 0) + this.#corruptBytes,
      orphans: (stored?.orphans ?? 0) + this.#fold.orphans,
      firstMs: least(stored?.firstMs, firstMs),
      lastMs: greatest(stored?.lastMs, lastMs),
    };
  }

  close(): void {
    this.#reader.close();
  }

  #next(): SegmentEvent | undefined {
    this.#events ??= this.#reader.events(this.#at);
    const next = this.#events.next();
    if (next.done !== true) return next.value;
    this.#events = undefined;
    this.#at = Math.max(this.#at, this.#reader.position);
    if (this.#file.sealed || this.#file.limit !== undefined) {
      this.#finished = true;
      this.#fold.end();
      this.#reader.close();
    } else {
      this.#drainedBytes = this.#file.bytes;
    }
    return undefined;
  }

  #take(event: SegmentEvent): void {
    this.#at = event.end;
    const folded = event.end <= this.#resumeAt;
    if (event.kind === 'corrupt') {
      if (folded) return;
      this.#corruptRanges += 1;
      this.#corruptBytes += event.end - event.offset;
      return;
    }
    if (event.live || folded) {
      this.#fold.context(event.fact);
      return;
    }
    this.#records += 1;
    this.#lastFactMs = event.fact.atMs;
    this.#fold.apply(event.fact);
  }
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function greatest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}
