/**
 * The journal's writer: facts in, group commits out. While one batch is being written and forced to the disk the next one
 * gathers; order is never changed. A batch is `write → fdatasync → marker → onDurable`, the first two in one where the system
 * can. After any error the file is given up (nothing is forced again on it: the kernel may have dropped the dirty pages that
 * failed), a new segment names it and its last durable offset as superseded, and the unanswered batch is written again there. When
 * that fails too, the writer admits at once that these facts are not journaled and tries a new segment every second.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { pid } from 'node:process';
import { Timing } from '../../config/timing.ts';
import type { Timer } from '../../config/world.ts';
import type { Fact } from '../../proxy/session/facts.ts';
import { ByteWriter } from './bytes.ts';
import { encodeFact } from './encode.ts';
import { beginRecord, endRecord, MARKER_BYTES, segmentName } from './format.ts';
import type { SegmentHeader } from './format.ts';
import { realFs } from './fs.ts';
import type { JournalFs } from './fs.ts';
import { processStart } from './liveness.ts';
import { Pace } from './pace.ts';
import { encodeLive, OutputSegment } from './segment.ts';
import type { WriterOptions, WriterStats } from './writer-types.ts';

export type { WriterOptions, WriterStats } from './writer-types.ts';

/** How often a new segment is tried after the disk refused two. */
const RETRY_MS = 1000;
/** How often a refusal that goes on is reported. */
const REPORT_MS = 60_000;
/** How often free space is measured. */
const FREE_SPACE_MS = 5000;
/** A batch is tried in the current segment and in one fresh one. */
const TRIES = 2;
/** Facts gathered while a disk hangs; beyond it they are reported as not journaled rather than kept without bound. */
const GATHER_BYTES_MAX = 64 * 1024 * 1024;
/** A batch buffer that grew past this in a burst is given back. */
const KEEP_BYTES_MAX = 4 * 1024 * 1024;

/** Facts in order, framed but without CRCs until the offset where they will lie is known. */
class Batch {
  /** After room for a marker. */
  records = new ByteWriter();
  from = 0;
  to = 0;

  constructor() {
    this.clear();
  }

  get empty(): boolean {
    return this.records.length === MARKER_BYTES;
  }

  clear(): void {
    if (this.records.bytes.length > KEEP_BYTES_MAX) this.records = new ByteWriter();
    this.records.length = MARKER_BYTES;
  }
}

export class JournalWriter {
  private readonly options: WriterOptions;
  private readonly fs: JournalFs;
  private readonly pidStart = processStart(pid);
  private readonly timing = new Timing('fsync');
  private readonly pace: Pace;
  private gather = new Batch();
  private spare = new Batch();
  private sequence = 0;
  private waiting = 0;
  private unjournaled = 0;
  private refusedFrom = 0;
  private refusedCount = 0;
  private state: 'open' | 'failed' | 'closed' = 'failed';
  private segment: OutputSegment | undefined;
  private segments = 0;
  private superseded: SegmentHeader['supersedes'];
  private running: Promise<void> | undefined;
  private retry: Timer | undefined;
  private readonly freeSpaceTimer: Timer;
  private freeBytes: number | undefined;
  private writtenBytes = 0;
  private lastRefusal = '';
  private reportAgainMs = 0;

  private constructor(options: WriterOptions) {
    this.options = options;
    this.fs = options.fs ?? realFs;
    this.pace = new Pace(options.world, options.durability);
    this.freeSpaceTimer = options.world.every(FREE_SPACE_MS, () => void this.measureFreeSpace());
  }

  /** Resolves when the first segment is durable, or has failed: the writer then starts in state `failed` and keeps trying. */
  static async open(options: WriterOptions): Promise<JournalWriter> {
    const writer = new JournalWriter(options);
    try {
      const made = mkdirSync(options.directory, { recursive: true, mode: 0o700 });
      if (made !== undefined && options.durability === 'fsync') await writer.fs.syncDirectory(dirname(made));
    } catch (error) {
      options.onProblem(`the journal's directory ${options.directory} cannot be made: ${text(error)}`);
    }
    await Promise.all([writer.tryAgain(), writer.measureFreeSpace()]);
    return writer;
  }

  /**
   * Adds a fact and returns its sequence: 1, 2, 3… No I/O happens before it returns. `onDurable` or `onUnjournaled` will
   * cover the sequence later. Throws when a field of the fact is out of range or the writer is closed: our own mistakes.
   */
  append(fact: Fact): number {
    // While a refusal waits to be reported the next facts are refused too: reports stay in order and ranges whole.
    if (this.state !== 'open' || this.refusedCount > 0) return this.refuse();
    const { records } = this.gather;
    const start = beginRecord(records);
    if (start >= GATHER_BYTES_MAX) {
      records.length = start;
      return this.refuse();
    }
    try {
      encodeFact(fact, records);
      endRecord(records, start);
    } catch (error) {
      records.length = start;
      throw error;
    }
    this.sequence += 1;
    if (start === MARKER_BYTES) this.gather.from = this.sequence;
    this.gather.to = this.sequence;
    this.waiting += 1;
    this.pace.grown(this.sequence - this.gather.from + 1);
    this.running ??= this.run();
    return this.sequence;
  }

  stats(): WriterStats {
    return {
      state: this.state,
      segment: this.segment?.name ?? '',
      segments: this.segments,
      writtenBytes: this.writtenBytes,
      syncSeconds: this.timing.snapshot(),
      waiting: this.waiting + this.refusedCount,
      unjournaled: this.unjournaled,
      freeBytes: this.freeBytes,
    };
  }

  /** Makes all that was appended durable (or reports it), then closes the file. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    while (this.running) {
      this.pace.hurry();
      await this.running;
    }
    this.retry?.cancel();
    this.freeSpaceTimer.cancel();
    this.reportRefused();
    this.state = 'closed';
    await this.leaveSegment();
  }

  private refuse(): number {
    if (this.state === 'closed') throw new Error('the journal is closed: stop the sessions before the writer');
    this.sequence += 1;
    if (this.refusedCount === 0) {
      this.refusedFrom = this.sequence;
      setImmediate(() => {
        // Beside a disk that hangs, earlier facts still wait, and reports come in order: then `run` reports these.
        if (this.state !== 'open') this.reportRefused();
      });
    }
    this.refusedCount += 1;
    return this.sequence;
  }

  private reportRefused(): void {
    if (this.refusedCount === 0) return;
    const from = this.refusedFrom;
    const to = from + this.refusedCount - 1;
    this.refusedCount = 0;
    this.reportUnjournaled(from, to);
  }

  private reportUnjournaled(from: number, to: number): void {
    this.unjournaled += to - from + 1;
    this.options.onUnjournaled(from, to);
  }

  private async run(): Promise<void> {
    while (this.state === 'open' && !this.gather.empty) {
      await this.pace.next(() => this.sequence);
      const batch = this.gather;
      this.gather = this.spare;
      const done = await this.commit(batch);
      if (done) this.settle(batch);
      else this.fail(batch);
      batch.clear();
      this.spare = batch;
      if (this.waiting > 0 || this.refusedCount === 0) continue;
      if (this.state === 'open') this.repeatLive();
      this.reportRefused();
    }
    this.running = undefined;
  }

  private settle(batch: Batch): void {
    this.writtenBytes += batch.records.length - MARKER_BYTES;
    this.waiting -= batch.to - batch.from + 1;
    this.options.onDurable(batch.to);
  }

  private fail(batch: Batch): void {
    this.state = 'failed';
    this.retry = this.options.world.after(RETRY_MS, () => void this.tryAgain());
    const lost = this.gather.empty ? [batch] : [batch, this.gather];
    this.waiting = 0;
    this.gather.clear();
    for (const { from, to } of lost) this.reportUnjournaled(from, to);
    this.reportRefused();
  }

  /** True when the batch is durable. */
  private async commit(batch: Batch): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        if (this.segment && this.segment.bytes >= this.options.segmentBytes) await this.leaveSegment();
        this.segment ??= await this.newSegment();
        const markerError = await this.segment.commit(batch.records);
        if (markerError) await this.abandon(markerError);
        return true;
      } catch (error) {
        await this.abandon(error);
      }
    }
    return false;
  }

  private async newSegment(): Promise<OutputSegment> {
    const { directory, world, process, host, durability, live } = this.options;
    this.segments += 1;
    const createdMs = world.wallMs();
    const header: SegmentHeader = {
      segment: segmentName(createdMs, process, this.segments),
      process,
      host,
      sequence: this.segments,
      pid,
      pidStart: this.pidStart,
      createdMs,
      ...(this.superseded ? { supersedes: this.superseded } : {}),
    };
    const segment = await OutputSegment.create(header, live(), {
      directory,
      fs: this.fs,
      sync: durability === 'fsync',
      monoMs: () => world.monoMs(),
      onSync: (seconds) => this.timing.observe(seconds),
    });
    this.superseded = undefined;
    return segment;
  }

  /**
   * The current segment failed: nothing is written to it again, and it is cut to what counts. The next header says so too,
   * for a disk that does not even do that.
   */
  private async abandon(error: unknown): Promise<void> {
    const { segment } = this;
    this.report(segment ? `segment ${segment.name} failed at ${segment.durableBytes} bytes` : 'a new segment cannot be made', error);
    if (!segment) return;
    this.superseded = { segment: segment.name, bytes: segment.durableBytes };
    await segment.cut().catch(() => undefined);
    await this.leaveSegment();
  }

  /** A disk that stays full is reported once a minute, not at every try. */
  private report(what: string, error: unknown): void {
    const nowMs = this.options.world.monoMs();
    const refusal = `${what}: ${error instanceof Error && 'code' in error ? String(error.code) : text(error)}`;
    if (refusal === this.lastRefusal && nowMs < this.reportAgainMs) return;
    this.lastRefusal = refusal;
    this.reportAgainMs = nowMs + REPORT_MS;
    this.options.onProblem(`the journal in ${this.options.directory}: ${what}: ${text(error)}; check the disk and its free space`);
  }

  private async leaveSegment(): Promise<void> {
    const { segment } = this;
    this.segment = undefined;
    try {
      await segment?.close();
    } catch (error) {
      // Its records are durable or superseded; only the descriptor is in doubt.
      this.options.onProblem(`segment ${segment?.name} cannot be closed: ${text(error)}`);
    }
  }

  private async tryAgain(): Promise<void> {
    try {
      const before = this.sequence;
      const segment = await this.newSegment();
      if (this.state === 'closed') return await segment.close();
      this.segment = segment;
      if (this.sequence > before) this.repeatLive();
      this.state = 'open';
      this.reportRefused();
      this.lastRefusal = '';
    } catch (error) {
      await this.abandon(error);
      if (this.state !== 'closed') this.retry = this.options.world.after(RETRY_MS, () => void this.tryAgain());
    }
  }

  /**
   * Among refused facts may be a job, a session or a name that later shares refer to and that no head holds: a segment's was
   * written before, or is being written. So all that is live now goes before the next fact.
   */
  private repeatLive(): void {
    encodeLive(this.options.live(), this.gather.records);
    this.gather.from = this.sequence + 1;
    this.gather.to = this.sequence;
  }

  private async measureFreeSpace(): Promise<void> {
    try {
      this.freeBytes = await this.fs.freeBytes(this.options.directory);
    } catch {
      this.freeBytes = undefined;
    }
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
