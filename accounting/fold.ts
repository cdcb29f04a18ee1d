/**
 * The pure fold: facts of journal segments in, counts per ledger row out. The sums depend only on the facts, never on
 * how they are cut into batches. What a count refers to (session, bind, link, job) is looked up in the same segment.
 */
import type { BindFact, Fact, LinkEndFact, PoolVerdictFact, PulseFact, RejectsFact, SessionEndFact, ShareFact, UnjournaledFact } from '../proxy/session/facts.ts';
import { ConnectedClock } from './connected.ts';
import type { CreditedCell, DeliveredCell } from './cells.ts';
import { addConnected, addCredited, addDelivered } from './expand.ts';
import {
  emptyDeltas, HOUR_MS, MINUTE_MS, type Deltas, type EndedHourRow, type ObservedMinuteRow, type UnjournaledMinuteRow,
} from './rows.ts';
import { Context, NO_BIND, NO_JOB, tidy, type SegmentIdentity } from './context.ts';
import { addTold, type ToldFact } from './told.ts';
import { runOf } from './units.ts';

/** Longest code and difficulty text that is kept as part of a row's key; a pool chooses these. */
const KEY_TEXT_MAX = 80;

/** Cells that one slice of a `taking` turns into rows. */
const SLICE_CELLS = 500;

/** The fold of one segment: its context, and what was counted since the last `take`. */
export class SegmentFold {
  /** Who owns what this segment counts. */
  readonly run: string;
  readonly #fold: Fold;
  readonly #context: Context;
  readonly #clock: ConnectedClock;
  #delivered = new Map<string, DeliveredCell>();
  #credited = new Map<string, CreditedCell>();
  #orphans = 0;
  #firstMs: number | undefined;
  #lastMs: number | undefined;

  constructor(fold: Fold, segment: SegmentIdentity) {
    this.#fold = fold;
    this.#context = new Context(segment);
    this.run = runOf(segment.process);
    this.#clock = new ConnectedClock(segment.process.slice(0, 8), segment.createdMs, (bind, atMs) => this.#context.leases(bind, atMs).leases, () => fold.changed(this));
  }

  /** Takes a fact for what later ones refer to, and counts nothing: a head's repetition, or one folded before. */
  context(fact: Fact): void {
    this.#follow(fact, false);
  }

  /** Takes a fact and counts it. */
  apply(fact: Fact): void {
    switch (fact.type) {
      case 'share':
        return this.#share(fact);
      case 'rejects':
        return this.#rejects(fact);
      case 'pool-verdict':
        return this.#poolVerdict(fact);
      case 'unjournaled':
        return this.#unjournaled(fact);
      default:
        return this.#follow(fact, true);
    }
  }

  /** The segment was read to its sealed end: counts what only an end can tell. Once per segment, with its last batch. */
  end(): void {
    this.#clock.end();
  }

  /** Records whose session, bind, job or link this segment does not hold, since its start or the last resumption. */
  get orphans(): number {
    return this.#orphans;
  }

  /** Earliest and latest moment something was counted under, since construction. */
  get span(): { readonly firstMs: number | undefined; readonly lastMs: number | undefined } {
    return { firstMs: this.#firstMs, lastMs: this.#lastMs };
  }

  /** Called by counts kept elsewhere for this segment. */
  touch(ms: number): void {
    if (this.#firstMs === undefined || ms < this.#firstMs) this.#firstMs = ms;
    if (this.#lastMs === undefined || ms > this.#lastMs) this.#lastMs = ms;
  }

  /** Moves what was counted into `deltas` and starts again from nothing; the context stays. Yields how many cells it did at a time. */
  *drain(deltas: Deltas): Generator<number, void, undefined> {
    const delivered = this.#delivered;
    const credited = this.#credited;
    this.#delivered = new Map();
    this.#credited = new Map();
    let done = 0;
    for (const cell of delivered.values()) {
      addDelivered(deltas, cell, this.run);
      done += 1;
      if (done % SLICE_CELLS === 0) yield SLICE_CELLS;
    }
    for (const cell of credited.values()) {
      addCredited(deltas, cell, this.run);
      done += 1;
      if (done % SLICE_CELLS === 0) yield SLICE_CELLS;
    }
    for (const [bind, cells] of this.#clock.take()) {
      for (const cell of cells) addConnected(deltas, bind, cell, this.run);
      done += 1;
      if (done % SLICE_CELLS === 0) yield SLICE_CELLS;
    }
  }

  #follow(fact: Fact, counts: boolean): void {
    switch (fact.type) {
      case 'bind':
        return this.#bind(fact, counts);
      case 'session-end':
        return this.#sessionEnd(fact, counts);
      case 'link-end':
        return counts ? this.#ended(fact, 'link', '', '', this.#context.jobless(fact.link).pool) : undefined;
      case 'lease-event':
        if (counts) this.#fold.told(fact);
        return;
      case 'lease-terms':
        if (counts) this.#fold.told(fact);
        this.#context.learn(fact);
        return;
      case 'pulse':
        return this.#pulse(fact, counts);
      default:
        this.#context.learn(fact);
    }
  }

  /** A name is connected under its latest bind alone; a head may name that before the journal comes to it. */
  #bind(fact: BindFact, counts: boolean): void {
    const bind = this.#context.bind(fact);
    const { earlier, isLatest } = this.#context.others(fact);
    for (const other of earlier) this.#clock.unbind(other, fact.atMs, counts);
    if (isLatest) this.#clock.bind(bind, fact.atMs);
  }

  #share(fact: ShareFact): void {
    const minute = Math.floor(fact.atMs / MINUTE_MS);
    const bind = this.#context.binds.get(fact.bind) ?? NO_BIND;
    const leases = this.#context.leases(bind, fact.atMs);
    const key = `${minute} ${fact.bind} ${fact.job} ${fact.exponent} ${fact.verdict} ${fact.forwarding} ${leases.key}`;
    const cell = this.#delivered.get(key);
    const orphan = (fact.bind !== 0 && bind === NO_BIND) || (fact.job !== 0 && !this.#context.jobs.has(fact.job));
    if (orphan) this.#orphans += 1;
    if (cell !== undefined) {
      cell.n += 1;
      if (fact.atMs > cell.lastMs) cell.lastMs = fact.atMs;
      if (fact.atMs < cell.firstMs) cell.firstMs = fact.atMs;
      this.touch(fact.atMs);
      return;
    }
    this.#addCell(key, {
      minute, bind, leases,
      job: this.#context.jobs.get(fact.job) ?? NO_JOB,
      verdict: fact.verdict,
      forwarding: fact.forwarding,
      exponent: fact.exponent,
      n: 1,
      firstMs: fact.atMs,
      lastMs: fact.atMs,
    });
  }

  #rejects(fact: RejectsFact): void {
    const minute = Math.floor(fact.atMs / MINUTE_MS);
    const bind = this.#context.binds.get(fact.bind) ?? this.#context.nameless(fact.session);
    const leases = this.#context.leases(bind, fact.atMs);
    const key = `${minute} rejects ${fact.session} ${fact.bind} ${fact.verdict} ${leases.key}`;
    const cell = this.#delivered.get(key);
    if (bind === NO_BIND) this.#orphans += 1;
    if (cell === undefined) {
      const times = { firstMs: fact.atMs, lastMs: fact.atMs };
      this.#addCell(key, { minute, bind, leases, job: NO_JOB, verdict: fact.verdict, forwarding: 'below-target', exponent: 0, n: fact.count, ...times });
      return;
    }
    cell.n += fact.count;
    if (fact.atMs > cell.lastMs) cell.lastMs = fact.atMs;
    this.touch(fact.atMs);
  }

  #addCell(key: string, cell: DeliveredCell): void {
    this.#delivered.set(key, cell);
    this.#fold.changed(this);
    this.touch(cell.lastMs);
  }

  #poolVerdict(fact: PoolVerdictFact): void {
    const minute = Math.floor(fact.shareAtMs / MINUTE_MS);
    const code = tidy(fact.code).slice(0, KEY_TEXT_MAX);
    const difficulty = tidy(fact.difficulty).slice(0, KEY_TEXT_MAX);
    const bind = this.#context.binds.get(fact.bind);
    const leases = this.#context.leases(bind ?? NO_BIND, fact.shareAtMs);
    const key = `${minute} ${fact.bind} ${fact.job} ${fact.link} ${fact.verdict} ${fact.reason} ${leases.key} ${difficulty} ${code}`;
    const job = this.#context.jobs.get(fact.job);
    if (bind === undefined || job === undefined) this.#orphans += 1;
    this.touch(fact.shareAtMs);
    const cell = this.#credited.get(key);
    if (cell !== undefined) {
      cell.n += 1;
      return;
    }
    this.#credited.set(key, {
      minute, code, difficulty, leases,
      bind: bind ?? NO_BIND,
      job: job ?? this.#context.jobless(fact.link),
      verdict: fact.verdict,
      reason: fact.reason,
      n: 1,
    });
    this.#fold.changed(this);
  }

  #unjournaled(fact: UnjournaledFact): void {
    this.touch(fact.fromMs);
    this.#fold.unjournaled({
      minute: Math.floor(fact.fromMs / MINUTE_MS), site: tidy(fact.site), lessee: tidy(fact.lessee), leases: tidy(fact.leases),
      verdict: fact.verdict, exponent: fact.exponent, n: fact.count,
    }, this);
  }

  #pulse(fact: PulseFact, counts: boolean): void {
    this.#clock.pulse(fact, counts, (row) => this.#fold.observed(row, this));
  }

  #sessionEnd(fact: SessionEndFact, counts: boolean): void {
    if (counts) this.touch(fact.atMs);
    const groups = new Map<string, { readonly site: string; readonly leases: string }>();
    for (const bind of this.#context.endSession(fact.session)) {
      this.#clock.unbind(bind, fact.atMs, counts);
      const { leases } = this.#context.leases(bind, fact.atMs);
      groups.set(leases, { site: bind.site, leases });
    }
    // A session with many names ends once for each set of leases.
    if (counts) for (const { site, leases } of groups.values()) this.#ended(fact, 'session', site, leases, '');
  }

  #ended({ atMs, reason }: SessionEndFact | LinkEndFact, what: 'session' | 'link', site: string, leases: string, pool: string): void {
    this.touch(atMs);
    this.#fold.ended({ hour: Math.floor(atMs / HOUR_MS), what, site, leases, pool, reason: tidy(reason).slice(0, KEY_TEXT_MAX), n: 1, first_ms: atMs, last_ms: atMs }, this);
  }
}

/** Gathers what any number of segments count between two `take`s. */
export class Fold {
  #changed = new Set<SegmentFold>();
  #cells = 0;
  #deltas = emptyDeltas();

  /** Begins the fold of a segment with no context. */
  segment(identity: SegmentIdentity): SegmentFold {
    return new SegmentFold(this, identity);
  }

  /** About how many rows the next `take` holds, per table that keeps them all. */
  get cells(): number {
    return this.#cells + this.#deltas.observed_minute.size;
  }

  /** Everything counted since the last call, as rows to be added to the tables. */
  take(): Deltas {
    const taking = this.taking();
    for (;;) {
      const next = taking.next();
      if (next.done === true) return next.value;
    }
  }

  /** The same in slices, for a thread that must not be blocked: yields cells done. Nothing may be counted meanwhile. */
  *taking(): Generator<number, Deltas, undefined> {
    let done = 0;
    const taken = this.#deltas;
    for (const segment of this.#changed) {
      for (const cells of segment.drain(taken)) {
        done += cells;
        yield done;
      }
    }
    this.#changed = new Set();
    this.#cells = 0;
    this.#deltas = emptyDeltas();
    return taken;
  }

  /** For segments: it holds one more kind of count that the next `take` must fetch. */
  changed(segment: SegmentFold): void {
    this.#cells += 1;
    this.#changed.add(segment);
  }

  /** For segments: adds observed time. */
  observed(row: ObservedMinuteRow, from: SegmentFold): void {
    const key = `${from.run} ${row.minute} ${row.process}`;
    const found = this.#deltas.observed_minute.get(key);
    if (found === undefined) {
      this.#deltas.observed_minute.set(key, { ...row, run: from.run });
    } else {
      found.observed_ms += row.observed_ms;
      found.first_ms = Math.min(found.first_ms, row.first_ms);
      found.last_ms = Math.max(found.last_ms, row.last_ms);
    }
    from.touch(row.first_ms);
    from.touch(row.last_ms);
  }

  /** For segments: adds sessions or links that ended. */
  ended(row: EndedHourRow, from: SegmentFold): void {
    const key = JSON.stringify([from.run, row.hour, row.what, row.site, row.leases, row.pool, row.reason]);
    const found = this.#deltas.ended_hour.get(key);
    if (found === undefined) {
      this.#deltas.ended_hour.set(key, { ...row, run: from.run });
    } else {
      found.n += row.n;
      found.first_ms = Math.min(found.first_ms, row.first_ms);
      found.last_ms = Math.max(found.last_ms, row.last_ms);
    }
  }

  /** For segments: keeps what is told of a lease. */
  told(fact: ToldFact): void {
    addTold(this.#deltas, fact);
  }

  /** For segments: adds shares that were answered and could not be journaled. */
  unjournaled(row: UnjournaledMinuteRow, from: SegmentFold): void {
    const key = `${from.run} ${row.minute} ${row.site.length} ${row.site} ${row.lessee.length} ${row.lessee} ${row.verdict} ${row.exponent} ${row.leases}`;
    const found = this.#deltas.unjournaled_minute.get(key);
    if (found === undefined) this.#deltas.unjournaled_minute.set(key, { ...row, run: from.run });
    else found.n += row.n;
  }
}
