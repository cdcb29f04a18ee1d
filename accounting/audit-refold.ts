/** Folds journals again, from nothing, up to where the ledger had folded them. */
import type { ShareFact } from '../proxy/session/facts.ts';
import type { CorruptRange } from './audit-report.ts';
import { Fold, type SegmentFold } from './fold.ts';
import type { SegmentEvent, SegmentFile } from './journal/reader.ts';
import type { Position } from './rows.ts';
import { openSegment } from './segment-file.ts';
import type { Store } from './store.ts';

export interface RefoldFigures {
  records: number;
  /** Accepted shares in the range, also those not folded yet. */
  shares: number;
  notFolded: number;
  readonly corrupt: CorruptRange[];
  corruptBytes: number;
}

/** Damage listed range by range; the rest is counted in bytes. */
const CORRUPT_MAX = 1_000;
const BATCH_CELLS = 50_000;
const YIELD_RECORDS = 20_000;

export interface RefoldRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** One directory's fold into `store`; `figures` gathers over all directories. */
export class Refold {
  readonly #fold = new Fold();
  readonly #store: Store | undefined;
  readonly #range: RefoldRange;
  readonly #figures: RefoldFigures;
  readonly #onShare: (share: ShareFact) => void;

  constructor(store: Store | undefined, range: RefoldRange, figures: RefoldFigures, onShare: (share: ShareFact) => void) {
    this.#store = store;
    this.#range = range;
    this.#figures = figures;
    this.#onShare = onShare;
  }

  /** Folds a segment up to its position in the ledger; yields the offsets reached now and then. `again`: its figures are in already. */
  *segment(file: SegmentFile, position: Position | undefined, again: boolean): Generator<number, void, undefined> {
    const reader = openSegment(file.path, file.limit);
    const fold = this.#fold.segment(reader.header);
    const foldedTo = position?.offset ?? 0;
    let sinceYield = 0;
    let lastShare: number | undefined;
    let open: CorruptRange | undefined;
    try {
      for (const event of reader.events(0)) {
        if (event.kind === 'corrupt') {
          if (!again) open = this.#corrupt(file.path, event);
          continue;
        }
        this.#take(event, fold, foldedTo, again);
        if (event.fact.type === 'share' && !event.live) {
          if (open !== undefined) this.#shareAfter(open, lastShare, event.fact.share);
          open = undefined;
          lastShare = event.fact.share;
        }
        sinceYield += 1;
        if (sinceYield < YIELD_RECORDS) continue;
        sinceYield = 0;
        if (this.#fold.cells >= BATCH_CELLS) this.write();
        yield event.end;
      }
      if (position?.finished === true) fold.end();
    } finally {
      reader.close();
    }
  }

  /** Puts what was folded into the store. */
  write(): void {
    const deltas = this.#fold.take();
    this.#store?.apply(deltas, []);
  }

  #take(event: Extract<SegmentEvent, { kind: 'fact' }>, fold: SegmentFold, foldedTo: number, again: boolean): void {
    const { fact } = event;
    if (event.live) {
      fold.context(fact);
      return;
    }
    const folded = event.end <= foldedTo;
    if (folded) fold.apply(fact);
    else fold.context(fact);
    if (again) return;
    this.#figures.records += 1;
    if (fact.type !== 'share' || fact.verdict !== 'accepted') return;
    if (!folded) this.#figures.notFolded += 1;
    if (fact.atMs < this.#range.fromMs || fact.atMs >= this.#range.toMs) return;
    this.#figures.shares += 1;
    this.#onShare(fact);
  }

  #corrupt(path: string, event: SegmentEvent): CorruptRange {
    const range: CorruptRange = { file: path, offset: event.offset, end: event.end, sharesMissing: undefined };
    this.#figures.corruptBytes += event.end - event.offset;
    if (this.#figures.corrupt.length < CORRUPT_MAX) this.#figures.corrupt.push(range);
    return range;
  }

  /** Shares are numbered without gaps within a process: what lies between was in the damage, or was never journaled. */
  #shareAfter(range: CorruptRange, before: number | undefined, after: number): void {
    const at = this.#figures.corrupt.indexOf(range);
    if (at >= 0 && before !== undefined) this.#figures.corrupt[at] = { ...range, sharesMissing: Math.max(0, after - before - 1) };
  }
}
