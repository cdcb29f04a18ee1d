/**
 * The accountant: follows the journals of this host and keeps the embedded ledger equal to their fold. It may be killed
 * at any moment. When the ledger cannot be written the journals just grow, and it tries again from what was committed.
 */
import { mkdirSync } from 'node:fs';
import type { InventoryRow } from '../config/inventory.ts';
import type { World } from '../config/world.ts';
import { Folding, type FoldingLimits } from './folding.ts';
import { isWriterAlive } from './journal/liveness.ts';
import { listSegments, type SegmentHeader } from './journal/reader.ts';
import { heldPeriods } from './leases/agreement.ts';
import type { LeaseTerms } from './leases/terms.ts';
import { LeaseWatch } from './leases/watch.ts';
import { beginWatch } from './leases/watch-store.ts';
import type { LeaseFigures } from './leases/watched.ts';
import { retain, type RetainReport } from './journal/retain.ts';
import { sealDead } from './journal/seal.ts';
import { setOlderAside } from './older-ledger.ts';
import { journalDirectory, sentenceOf, Store } from './store.ts';
import type { UnitBook } from './unit-book.ts';
import type { SeriesBook } from './series.ts';
import { Totals, type CreditedTotal, type DeliveredTotal } from './totals.ts';

export interface AccountantOptions {
  readonly dataDir: string;
  readonly world: World;
  /** Whether the process that wrote a segment still runs. Left out: asked of the system. */
  readonly isAlive?: (header: SegmentHeader) => boolean;
  readonly limits?: FoldingLimits;
  /** Told what happened that nobody needs to mend. */
  readonly onNotice?: (sentence: string) => void;
  /** Leases to be watched. */
  readonly leases?: readonly LeaseTerms[];
  /** Other hosts publish into the same ledger. */
  readonly shared?: boolean;
  /** How long a step may wait for others to let go of the ledger. */
  readonly busyTimeoutMs?: number;
}

/** As proxy/net/messages.ts has it: this room may not import that one. */
export interface AccountantState {
  readonly pid: number;
  readonly caughtUp: boolean;
  readonly opens: number;
  readonly lagBytes: number;
  readonly lagMs: number;
  readonly foldedRecords: number;
  readonly corruptRanges: number;
  readonly unjournaledShares: number;
  readonly problem: string;
}
export interface AccountantFigures extends AccountantState {
  readonly leases: readonly LeaseFigures[];
  readonly delivered: readonly DeliveredTotal[];
  readonly credited: readonly CreditedTotal[];
}
export interface AccountantMetrics extends AccountantState {
  readonly leases: readonly LeaseFigures[];
  readonly series: SeriesBook;
}

/** A step reads for so long before it returns, so that whoever waits for an answer gets one. */
const SLICE_MS = 20;
const LOOK_MS = 250;
/** How often dead writers are looked for. */
const SEAL_MS = 1_000;
/** What a process counts is in its journal so soon. */
const JOURNALED_MS = 2_000;
/** Readers never hold the ledger in WAL mode, so another writer is a mistake: no use to wait long. */
const BUSY_TIMEOUT_MS = 50;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 10_000;

export class Accountant {
  readonly #options: AccountantOptions;
  readonly #directory: string;
  readonly #openedMs: number;
  #folding: Folding | undefined;
  #leases: LeaseWatch | undefined;
  #inventory: readonly InventoryRow[] | undefined;
  /** What the watch of leases is still told of the time before. */
  #recall: Generator<void, void, undefined> | undefined;
  #storeProblem = '';
  #sealProblem = '';
  #retryAtMs = -Infinity;
  #retryMs = RETRY_MIN_MS;
  #lookAtMs = -Infinity;
  #sealAtMs = -Infinity;
  /** Wall clock of the last look at the journals. */
  #lookedMs = -Infinity;
  #caughtUp = false;
  #opens = 0;
  /** The ledger that is open has folded everything that was durable when it was opened. */
  #settled = false;
  #last: { readonly state: AccountantState; readonly totals: Totals; readonly atMs: number } | undefined;

  private constructor(options: AccountantOptions) {
    this.#options = options;
    this.#directory = journalDirectory(options.dataDir);
    this.#openedMs = options.world.wallMs();
  }

  /** Does not fail: what keeps it from working shows in `snapshot` and is tried again by `step`. */
  static open(options: AccountantOptions): Accountant {
    return new Accountant(options);
  }

  /**
   * Does a bounded piece of work: reads or writes for about 20 ms. Returns how much was done in records
   * or slices; 0 when everything durable is folded and committed, or when it waits to try again.
   */
  step(): number {
    const nowMs = this.#options.world.monoMs();
    if (this.#folding === undefined && nowMs < this.#retryAtMs) return 0;
    try {
      this.#folding ??= this.#start();
      const done = this.#work(this.#folding, nowMs);
      this.#storeProblem = '';
      this.#retryMs = RETRY_MIN_MS;
      return done;
    } catch (error) {
      this.#stumble(error, nowMs);
      return 0;
    }
  }

  /** The next step tries again even if it should wait: for a stop, after which nobody will. */
  hurry(): void {
    if (this.#retryAtMs !== Infinity) this.#retryAtMs = -Infinity;
  }

  /** More can be done at once. */
  get busy(): boolean {
    return this.#folding !== undefined && (this.#folding.writing || !this.#folding.drained || this.#recall !== undefined);
  }

  /** For people and for the machine-readable status: every row of the totals. */
  snapshot(): AccountantFigures {
    const { state, totals } = this.#look();
    return { ...state, leases: this.leases(), delivered: totals.delivered(), credited: totals.credited() };
  }

  /** For metrics: the totals in their groups. */
  metrics(): AccountantMetrics {
    const { state, totals } = this.#look();
    return { ...state, leases: this.leases(), series: totals.series };
  }

  /** What is known of the leases that are in their term. Stays what it was while there is no ledger, until nothing was observed for a while. */
  leases(): LeaseFigures[] {
    return this.#leases?.figures(this.#options.world.wallMs()) ?? [];
  }

  /** For the exchange with other hosts. */
  get watch(): LeaseWatch | undefined {
    return this.#leases;
  }

  #look(): { readonly state: AccountantState; readonly totals: Totals } {
    const folding = this.#folding;
    if (folding === undefined || (!this.#settled && this.#last !== undefined)) return this.#withoutLedger();
    const lag = folding.lag();
    let foldedRecords = 0;
    let corruptRanges = 0;
    for (const position of folding.positions.values()) {
      foldedRecords += position.records;
      corruptRanges += position.corruptRanges;
    }
    const state: AccountantState = {
      pid: process.pid,
      caughtUp: this.#caughtUp,
      opens: this.#opens,
      lagBytes: lag.bytes,
      lagMs: lag.sinceMs === undefined ? 0 : Math.max(0, Math.round(this.#options.world.wallMs() - lag.sinceMs)),
      foldedRecords,
      corruptRanges,
      unjournaledShares: folding.totals.unjournaledShares,
      problem: oneSentence([this.#sealProblem, ...folding.problems()]),
    };
    const found = { state, totals: folding.totals, atMs: this.#options.world.wallMs() };
    if (this.#settled) this.#last = found;
    return found;
  }

  /** What was counted before the ledger failed, and since when nothing has been added to it, by the clock of the journal's records. */
  #withoutLedger(): { readonly state: AccountantState; readonly totals: Totals } {
    const { state, totals, atMs } = this.#last ?? { state: NOTHING, totals: new Totals(), atMs: this.#openedMs };
    const lagMs = state.lagMs + Math.max(0, this.#options.world.wallMs() - atMs);
    return { state: { ...state, pid: process.pid, caughtUp: this.#caughtUp, opens: this.#opens, lagMs, problem: this.#storeProblem }, totals };
  }

  /** Lets `use` work on what is published, unless a commit is under way or there is no ledger. */
  between<V>(use: (units: UnitBook) => V): V | undefined {
    return this.#folding === undefined || this.#folding.writing ? undefined : use(this.#folding.store.units);
  }

  /** Compresses and deletes segments that are sealed and folded to their end, and no others; none under a statement that is not final. */
  async retain(retainMs: number, compress: boolean, onProblem: (sentence: string) => void): Promise<RetainReport> {
    const finished = [...(this.#folding?.positions.values() ?? [])].filter((position) => position.finished);
    const folded = new Map(finished.map((position) => [position.segment, position.offset]));
    const nowMs = this.#options.world.wallMs();
    return retain({ directory: this.#directory, nowMs, retainMs, compress, held: heldPeriods(this.#options.dataDir, nowMs), folded, onProblem });
  }

  /** Abandons what is not committed: the next start folds it again. */
  close(): void {
    this.#folding?.close();
    this.#folding = undefined;
    this.#retryAtMs = Infinity;
  }

  #start(): Folding {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const aside = setOlderAside(this.#options.dataDir);
    if (aside !== undefined) this.#options.onNotice?.(`the ledger of an earlier version is now ${aside}; a new one is folded from the journals`);
    const store = Store.open(this.#options.dataDir, { busyTimeoutMs: this.#options.busyTimeoutMs ?? BUSY_TIMEOUT_MS });
    try {
      const { world, limits } = this.#options;
      const watch = this.#watch(store);
      const folding = new Folding(store, world, limits, (deltas) => watch?.committed(deltas, world.wallMs()));
      this.#leases = watch;
      // It may be an older copy of what was open before: shown is that, until this one has come as far.
      this.#settled = false;
      return folding;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** The machines that are installed now, by the inventory. */
  installed(rows: readonly InventoryRow[]): void {
    this.#inventory = rows;
    this.#leases?.installed(rows);
  }

  /** What of the leases is in the ledger before it is folded on. */
  #watch(store: Store): LeaseWatch | undefined {
    const { leases, shared } = this.#options;
    if (leases === undefined || leases.length === 0) return undefined;
    const watch = new LeaseWatch(leases, this.#inventory, shared);
    this.#recall = store.consistently(() => beginWatch(watch, leases, store, this.#options.world.wallMs()));
    return watch;
  }

  #work(folding: Folding, nowMs: number): number {
    const { world } = this.#options;
    const untilMs = world.monoMs() + SLICE_MS;
    if (folding.writing) return writeUntil(folding, () => world.monoMs() >= untilMs);
    if (nowMs >= this.#sealAtMs) this.#seal(nowMs);
    if (folding.drained || nowMs >= this.#lookAtMs) {
      this.#lookedMs = world.wallMs();
      folding.look(listSegments(this.#directory));
      this.#lookAtMs = nowMs + LOOK_MS;
    }
    const read = folding.read(() => world.monoMs() >= untilMs);
    if (folding.write()) return read + 1;
    while (this.#recall !== undefined && world.monoMs() < untilMs) if (this.#recall.next().done === true) this.#recall = undefined;
    if (!folding.drained) return read + 1;
    // Also under steady load: all that was durable when this step looked is folded and committed.
    this.#caughtUp = true;
    if (!this.#settled) this.#opens += 1;
    this.#settled = true;
    this.#leases?.complete(this.#lookedMs - JOURNALED_MS);
    return read;
  }

  #seal(nowMs: number): void {
    this.#sealAtMs = nowMs + SEAL_MS;
    this.#sealProblem = '';
    sealDead(this.#directory, this.#options.isAlive ?? isWriterAlive, (sentence) => {
      this.#sealProblem = sentence;
    });
  }

  #stumble(error: unknown, nowMs: number): void {
    this.#storeProblem = `the ledger does not follow the journals: ${sentenceOf(error)}; they grow until it does`;
    this.#retryAtMs = nowMs + this.#retryMs;
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
    const folding = this.#folding;
    this.#folding = undefined;
    try {
      folding?.close();
    } catch {
      // It is given up because it failed; that it cannot be closed cleanly is no news.
    }
  }
}

const NOTHING: AccountantState = { pid: 0, caughtUp: false, opens: 0, lagBytes: 0, lagMs: 0, foldedRecords: 0, corruptRanges: 0, unjournaledShares: 0, problem: '' };

function oneSentence(problems: readonly string[]): string {
  const [first, ...others] = problems.filter((problem) => problem !== '');
  if (first === undefined) return '';
  return others.length === 0 ? first : `${first} (and ${others.length} more)`;
}

/** Writes slices until `enough`; returns how many. */
function writeUntil(folding: Folding, enough: () => boolean): number {
  let slices = 1;
  while (folding.write() && !enough()) slices += 1;
  return slices;
}
