/**
 * The audit: folds the journals again, validates every accepted share with bitcoinjs-lib alone, proves that no header
 * counts twice, and compares the result with the ledger to the unit. Works beside a running instance and on a stopped one.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { RedisConfig } from '../config/schema.ts';
import { realWorld, type World } from '../config/world.ts';
import { compareTable, type CompareFigures } from './audit-compare.ts';
import { planAudit, type Plan, type PlannedDirectory, type PlannedSegment } from './audit-plan.ts';
import { canThread, runTasks } from './audit-pool.ts';
import { Refold, type RefoldFigures } from './audit-refold.ts';
import { Differences, type AuditProgress, type AuditReport, type SharedFigures } from './audit-report.ts';
import { findTwice, PARTITIONS } from './audit-runs.ts';
import { Sampler } from './audit-sample.ts';
import type { SegmentTask } from './audit-segment.ts';
import { auditShared } from './audit-shared.ts';
import { TABLE_NAMES } from './rows.ts';
import { sentenceOf, Store } from './store.ts';

export interface AuditOptions {
  /** One data directory, or those of several hosts: no header may count twice among all of them. */
  readonly dataDir: string | readonly string[];
  /** Only what was found in [fromMs, toMs); ledger rows whose buckets lie wholly inside are compared. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Validates so many shares drawn at random instead of all, and looks for no duplicates. */
  readonly sample?: number;
  /** Threads for validation; 0 runs it here. Left out: all cores. */
  readonly threads?: number;
  /** The ledger that these hosts share, to be compared too. */
  readonly shared?: RedisConfig;
  readonly onProgress?: (progress: AuditProgress) => void;
  readonly world?: World;
}

/** Runs an audit. Throws when a data directory or ledger cannot be read at all; everything else is in the report. */
export async function audit(options: AuditOptions): Promise<AuditReport> {
  const dataDirs = typeof options.dataDir === 'string' ? [options.dataDir] : [...options.dataDir];
  const [home] = dataDirs;
  if (home === undefined) throw new Error('there is nothing to audit: name at least one data directory');
  removeAbandoned(home);
  const scratch = mkdtempSync(join(home, `${SCRATCH_PREFIX}${process.pid}-`));
  try {
    return await new Audit(options, dataDirs, scratch).run();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Fewer are validated before a thread has started. */
const THREADED_SHARES_MIN = 10_000;
const SCRATCH_PREFIX = 'audit-';

/** Scratch directories of audits that were killed. */
function removeAbandoned(dataDir: string): void {
  for (const name of readdirSync(dataDir)) {
    const owner = /^audit-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner))) rmSync(join(dataDir, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

class Audit {
  readonly #options: AuditOptions;
  readonly #world: World;
  readonly #scratch: string;
  readonly #fromMs: number;
  readonly #toMs: number;
  readonly #plan: Plan;
  readonly #differences = new Differences();
  readonly #figures: RefoldFigures = { records: 0, shares: 0, notFolded: 0, corrupt: [], corruptBytes: 0 };
  readonly #compared: CompareFigures = { compared: 0, bounded: 0 };
  readonly #sampler: Sampler | undefined;
  readonly #startedMs: number;
  #phaseStartedMs: number;
  #validated = 0;
  #unproven = 0;
  #duplicates = 0;
  #shared: SharedFigures | null = null;

  constructor(options: AuditOptions, dataDirs: readonly string[], scratch: string) {
    this.#options = options;
    this.#world = options.world ?? realWorld;
    this.#startedMs = this.#world.monoMs();
    this.#phaseStartedMs = this.#startedMs;
    this.#scratch = scratch;
    this.#fromMs = options.fromMs ?? 0;
    this.#toMs = options.toMs ?? Number.MAX_SAFE_INTEGER;
    this.#sampler = options.sample === undefined ? undefined : new Sampler(options.sample, this.#world.random);
    this.#plan = planAudit(dataDirs, scratch, this.#fromMs, this.#toMs);
  }

  async run(): Promise<AuditReport> {
    for (const directory of this.#plan.directories) this.#missing(directory);
    await this.#refoldAll();
    await this.#validate();
    if (this.#sampler === undefined) await this.#findDuplicates();
    await this.#compareAll();
    const { shared } = this.#options;
    if (shared !== undefined) this.#shared = await auditShared(shared, this.#plan.directories, { fromMs: this.#fromMs, toMs: this.#toMs }, this.#world, this.#differences);
    return this.#report();
  }

  #missing(directory: PlannedDirectory): void {
    for (const { segment, offset, finished } of directory.gone) {
      if (!finished) this.#differences.add('missing-segment', segment, `it was folded to byte ${offset} only and its file is gone: what followed is in no ledger`);
    }
  }

  async #refoldAll(): Promise<void> {
    this.#begin();
    const files = this.#plan.directories.flatMap(({ segments }) => segments);
    const totalBytes = files.reduce((sum, { file }) => sum + (file.limit ?? file.bytes), 0);
    let doneBytes = 0;
    for (const [number, directory] of this.#plan.directories.entries()) {
      const store = directory.ledger === undefined ? undefined : Store.openFile(this.#refoldFile(number), { scratch: true });
      try {
        let current = -1;
        const refold = new Refold(store, { fromMs: this.#fromMs, toMs: this.#toMs }, this.#figures, (share) => this.#sampler?.offer(current, share.share));
        for (const planned of directory.segments) {
          current = planned.index;
          await this.#refoldSegment(refold, planned, directory, (offset) => this.#progress('fold', doneBytes + offset, totalBytes));
          doneBytes += planned.file.limit ?? planned.file.bytes;
          this.#progress('fold', doneBytes, totalBytes);
        }
        refold.write();
      } finally {
        store?.close();
      }
    }
  }

  async #refoldSegment(refold: Refold, { file, again }: PlannedSegment, directory: PlannedDirectory, onOffset: (offset: number) => void): Promise<void> {
    try {
      for (const offset of refold.segment(file, directory.positions.get(file.header.segment), again)) {
        onOffset(offset);
        await breathe();
      }
    } catch (error) {
      this.#differences.add('unreadable-segment', file.path, sentenceOf(error));
    }
  }

  async #validate(): Promise<void> {
    this.#begin();
    const total = this.#sampler?.size ?? this.#figures.shares;
    const threads = this.#options.threads ?? (canThread && total >= THREADED_SHARES_MIN ? availableParallelism() : 0);
    let done = 0;
    await runTasks(this.#tasks(Math.max(1, threads)), this.#scratch, threads, {
      onShares: (shares) => {
        done += shares;
        this.#progress('validate', done, total);
      },
      onResult: (_task, result) => {
        this.#validated += result.validated;
        this.#unproven += result.unproven;
        this.#differences.merge(result.differences, result.differencesTotal);
      },
      onFailure: (task, error) => this.#differences.add('unreadable-segment', task.path, sentenceOf(error)),
    });
  }

  /** Few segments are cut into parts, so that every thread has work to the end. */
  #tasks(threads: number): SegmentTask[] {
    const planned = this.#plan.directories.flatMap(({ segments }) => segments.filter(({ again }) => !again));
    const parts = this.#sampler === undefined && planned.length < 4 * threads ? threads : 1;
    return planned.flatMap(({ index, file }) => {
      const chosen = this.#sampler?.chosenOf(index);
      if (chosen?.length === 0) return [];
      return Array.from({ length: parts }, (_, part) => ({
        index, path: file.path, limit: file.limit, part, parts, fromMs: this.#fromMs, toMs: this.#toMs, chosen,
      }));
    });
  }

  async #findDuplicates(): Promise<void> {
    this.#begin();
    const name = new Map(this.#plan.directories.flatMap(({ segments }) => segments.map(({ index, file }) => [index, file.header.segment])));
    const runs = readdirSync(this.#scratch);
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      for (const { hash, first, again } of findTwice(this.#scratch, runs, 'header', partition)) {
        this.#duplicates += 1;
        this.#differences.add('duplicate', `${name.get(again.segment)} share ${again.share}`, `its header ${hash} was counted before, as share ${first.share} of ${name.get(first.segment)}`);
      }
      for (const { first, again } of findTwice(this.#scratch, runs, 'verdict', partition)) {
        this.#differences.add('pool-verdict-twice', `${name.get(again.segment)} share ${again.share}`, `it has a second pool verdict; the other is in ${name.get(first.segment)}`);
      }
      this.#progress('duplicates', partition + 1, PARTITIONS);
      await breathe();
    }
  }

  async #compareAll(): Promise<void> {
    this.#begin();
    const whole = this.#options.fromMs === undefined && this.#options.toMs === undefined;
    const withLedger = [...this.#plan.directories.entries()].filter(([, { ledger }]) => ledger !== undefined);
    let done = 0;
    for (const [number, directory] of withLedger) {
      const ledger = Store.openFile(directory.ledger ?? '', { scratch: true });
      try {
        ledger.attach(this.#refoldFile(number), 'refold');
        for (const table of TABLE_NAMES) {
          compareTable(ledger, table, { fromMs: this.#fromMs, toMs: this.#toMs, whole }, directory.gone, this.#differences, this.#compared);
          done += 1;
          this.#progress('compare', done, withLedger.length * TABLE_NAMES.length);
          await breathe();
        }
      } finally {
        ledger.close();
      }
    }
  }

  #report(): AuditReport {
    const { records, shares, notFolded, corrupt, corruptBytes } = this.#figures;
    const size = this.#sampler?.size;
    return {
      ok: this.#differences.total === 0 && corruptBytes === 0,
      differences: this.#differences.list,
      differencesTotal: this.#differences.total,
      shares,
      validated: this.#validated,
      unproven: this.#unproven,
      duplicates: this.#sampler === undefined ? this.#duplicates : null,
      corrupt,
      corruptBytes,
      segments: this.#plan.directories.reduce((sum, { segments }) => sum + segments.length, 0),
      records,
      notFolded,
      rowsCompared: this.#compared.compared,
      rowsBounded: this.#compared.bounded,
      shared: this.#shared,
      notes: this.#plan.notes,
      sample: size === undefined ? null : { size, confidenceOnePercent: 1 - 0.99 ** size, confidenceOnePerMille: 1 - 0.999 ** size },
      seconds: (this.#world.monoMs() - this.#startedMs) / 1000,
    };
  }

  #refoldFile(number: number): string {
    return join(this.#scratch, `refold-${number}.sqlite`);
  }

  #begin(): void {
    this.#phaseStartedMs = this.#world.monoMs();
  }

  #progress(phase: AuditProgress['phase'], done: number, total: number): void {
    const spentMs = this.#world.monoMs() - this.#phaseStartedMs;
    const etaMs = done > 0 ? Math.round((spentMs * Math.max(0, total - done)) / done) : undefined;
    this.#options.onProgress?.({ phase, done, total, etaMs });
  }
}

/** Lets a long audit answer signals between its pieces. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
