/**
 * One run of the fold over a directory of journals into one store: from the positions the store holds, in batches, each
 * committed with its positions. After any error it is thrown away and a new run begins from what was committed.
 */
import type { World } from '../config/world.ts';
import { Follower } from './follower.ts';
import { Fold } from './fold.ts';
import type { SegmentFile } from './journal/reader.ts';
import { emptyDeltas, type Deltas, type Position } from './rows.ts';
import { sentenceOf, type Store } from './store.ts';
import { Totals } from './totals.ts';

/** Records read between two looks at the clock. */
const CHUNK_RECORDS = 500;

export interface FoldingLimits {
  /** A batch is written when it holds this many records or rows, or when nothing more can be read. */
  readonly batchRecords: number;
  readonly batchRows: number;
}
const LIMITS: FoldingLimits = { batchRecords: 200_000, batchRows: 50_000 };

interface Writing {
  readonly slices: Generator<number, Deltas, undefined>;
  readonly moved: readonly Position[];
}

export class Folding {
  readonly store: Store;
  readonly totals: Totals;
  readonly #world: Pick<World, 'wallMs'>;
  readonly #limits: FoldingLimits;
  readonly #onCommitted: (deltas: Deltas) => void;
  readonly #fold = new Fold();
  readonly #followers = new Map<string, Follower>();
  readonly #positions: Map<string, Position>;
  /** Segment → why it cannot be read. */
  readonly #unreadable = new Map<string, string>();
  #present: ReadonlySet<string> = new Set();
  #twice: string[] = [];
  #touched = new Set<Follower>();
  #pending = 0;
  #writing: Writing | undefined;

  constructor(store: Store, world: Pick<World, 'wallMs'>, limits: FoldingLimits = LIMITS, onCommitted: (deltas: Deltas) => void = () => undefined) {
    this.#onCommitted = onCommitted;
    this.#world = world;
    this.store = store;
    this.#limits = limits;
    // One view of both: another accountant may still be at work.
    [this.totals, this.#positions] = store.consistently(() => [Totals.read(store), new Map(store.positions().map((position) => [position.segment, position]))] as const);
  }

  /** Takes a listing of the directory: new segments are followed, known ones may have grown or been sealed. */
  look(files: readonly SegmentFile[]): void {
    const seen = new Map<string, string>();
    this.#twice = [];
    for (const file of files) {
      const { segment } = file.header;
      const other = seen.get(segment);
      if (other === undefined) {
        seen.set(segment, file.path);
        this.#follow(file);
      } else {
        this.#twice.push(`${file.path} is the same segment as ${other} and is not folded again: remove one of them`);
      }
    }
    this.#present = new Set(seen.keys());
  }

  /** Reads at least a chunk, then on until `until` says stop, a batch is full or nothing is left; returns the records read. */
  read(until: () => boolean): number {
    let read = 0;
    for (const follower of this.#followers.values()) {
      while (!follower.drained && !this.#full()) {
        const records = follower.read(CHUNK_RECORDS);
        // Also without records: it may have come to its end.
        this.#touched.add(follower);
        this.#pending += records;
        read += records;
        if (until()) return read;
      }
    }
    return read;
  }

  /** Writes the next slice of a batch, if one is due or under way. True while there is more to write. */
  write(): boolean {
    if (this.#writing === undefined) {
      if (this.#touched.size === 0 || !(this.#full() || this.drained)) return false;
      this.#begin();
    }
    const writing = this.#writing;
    if (writing === undefined) return false;
    const next = writing.slices.next();
    if (next.done !== true) return true;
    this.#committed(writing.moved, next.value);
    return false;
  }

  get writing(): boolean {
    return this.#writing !== undefined;
  }

  /** Everything that the last `look` showed is read. */
  get drained(): boolean {
    for (const follower of this.#followers.values()) if (!follower.drained) return false;
    return true;
  }

  get positions(): ReadonlyMap<string, Position> {
    return this.#positions;
  }

  /** Unread bytes, and the wall clock of the oldest record read last in a segment that has unread ones. */
  lag(): { readonly bytes: number; readonly sinceMs: number | undefined } {
    let bytes = 0;
    let sinceMs: number | undefined;
    for (const follower of this.#followers.values()) {
      bytes += follower.lagBytes;
      if (follower.drained && !this.#touched.has(follower)) continue;
      sinceMs = Math.min(sinceMs ?? Infinity, follower.lastFactMs);
    }
    return { bytes, sinceMs };
  }

  /** What keeps this ledger from being whole, one sentence each. */
  problems(): string[] {
    const gone = [...this.#positions.values()].filter(({ segment, finished }) => !finished && !this.#present.has(segment));
    return [
      ...this.#unreadable.values(),
      ...gone.map(({ segment, offset }) => `segment ${segment} is gone and was folded only to byte ${offset}: what followed is not in the ledger; restore the segment from a copy`),
      ...this.#twice,
    ];
  }

  /** Abandons what is not committed. */
  close(): void {
    this.#writing?.slices.return(emptyDeltas());
    this.#writing = undefined;
    for (const follower of this.#followers.values()) follower.close();
    this.#followers.clear();
    this.store.close();
  }

  #follow(file: SegmentFile): void {
    const { segment } = file.header;
    const stored = this.#positions.get(segment);
    const follower = this.#followers.get(segment);
    try {
      if (follower !== undefined) follower.look(file);
      else if (stored?.finished !== true) this.#followers.set(segment, new Follower(file, this.#fold, stored));
      this.#unreadable.delete(segment);
    } catch (error) {
      this.#unreadable.set(segment, `segment ${file.path} cannot be read: ${sentenceOf(error)}`);
    }
  }

  #full(): boolean {
    return this.#pending >= this.#limits.batchRecords || this.#fold.cells >= this.#limits.batchRows;
  }

  #begin(): void {
    const moved = [...this.#touched].map((follower) => follower.position());
    const changed = moved.filter((position) => isAhead(position, this.#positions.get(position.segment)));
    this.#touched = new Set();
    this.#pending = 0;
    // Nothing is counted without its position moving.
    if (changed.length > 0) this.#writing = { slices: this.#batch(changed), moved: changed };
  }

  *#batch(moved: readonly Position[]): Generator<number, Deltas, undefined> {
    const deltas = yield* this.#fold.taking();
    yield* this.store.writing(deltas, moved, this.#positions, this.#world.wallMs());
    return deltas;
  }

  #committed(moved: readonly Position[], deltas: Deltas): void {
    this.#writing = undefined;
    this.totals.add(deltas);
    this.#onCommitted(deltas);
    for (const position of moved) {
      this.#positions.set(position.segment, position);
      if (position.finished) this.#followers.delete(position.segment);
    }
  }
}

function isAhead(position: Position, stored: Position | undefined): boolean {
  return stored === undefined || position.offset > stored.offset || position.finished !== stored.finished;
}
