/** What the journal's writer is given and what it says of itself. */
import type { World } from '../../config/world.ts';
import type { Fact } from '../../proxy/session/facts.ts';
import type { JournalFs } from './fs.ts';
import type { HistogramSnapshot } from '../../config/timing.ts';

export interface WriterOptions {
  /** Created (mode 0700) when missing. */
  readonly directory: string;
  readonly world: World;
  readonly durability: 'fsync' | 'os';
  /** A segment that reached this is followed by a new one. */
  readonly segmentBytes: number;
  /** UUID of this process run. */
  readonly process: string;
  readonly host: string;
  /**
   * All context that a fact not yet durable, or any later one, may refer to, in order of dependence and with its original
   * times: repeated at the head of each segment. An ended session, bind, job or link stays in it until the facts about it
   * are durable and no pool verdict is due for it.
   */
  readonly live: () => Iterable<Fact>;
  /** All up to `sequence` that was not reported as unjournaled is durable. Reports of both kinds come in order of sequence. */
  readonly onDurable: (sequence: number) => void;
  /** These facts, both ends included, will not be in the journal. Never called from within `append`. */
  readonly onUnjournaled: (fromSequence: number, toSequence: number) => void;
  readonly onProblem: (sentence: string) => void;
  readonly fs?: JournalFs;
}

export interface WriterStats {
  readonly state: 'open' | 'failed' | 'closed';
  /** Name of the segment being written; '' while failed. */
  readonly segment: string;
  /** Segments begun by this writer. */
  readonly segments: number;
  /** Bytes of records made durable. */
  readonly writtenBytes: number;
  readonly syncSeconds: HistogramSnapshot;
  /** Facts appended and neither durable nor reported as unjournaled. */
  readonly waiting: number;
  readonly unjournaled: number;
  /** Free bytes on the journal's file system, undefined until measured. */
  readonly freeBytes: number | undefined;
}
