/** Helpers of the journal's tests: a hand-wound world, a disk that fails on command, sample facts, and a follower. */
import { existsSync, mkdtempSync, open, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { realFs } from '../../../accounting/journal/fs.ts';
import type { JournalFs } from '../../../accounting/journal/fs.ts';
import { listSegments, SegmentReader } from '../../../accounting/journal/reader.ts';
import type { SegmentEvent } from '../../../accounting/journal/reader.ts';
import { JournalWriter } from '../../../accounting/journal/writer.ts';
import type { WriterOptions } from '../../../accounting/journal/writer.ts';
import { seededRandom } from '../../../config/world.ts';
import type { World } from '../../../config/world.ts';
import type { Fact, ShareFact } from '../../../proxy/session/facts.ts';

export const START_MS = 1_700_000_000_000;

/** Exhaustive loops seal thousands of segments; where there is a disk in memory its syncs cost nothing. */
const MEMORY_DISK = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** An empty directory that goes with its test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(MEMORY_DISK, 'weighbridge-journal-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Waits as short as those between two commits pass by themselves. */
const SHORT_MS = 10;

/** A world whose timers fire only by hand. */
class HandWorld implements World {
  private nowMs = START_MS;
  private readonly timers = new Set<() => void>();
  readonly random = seededRandom(1);

  wallMs(): number {
    return ++this.nowMs;
  }

  monoMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, fire: () => void): { cancel(): void } {
    if (delayMs <= SHORT_MS) {
      const handle = setImmediate(() => {
        this.nowMs += delayMs;
        fire();
      });
      return { cancel: () => clearImmediate(handle) };
    }
    this.timers.add(fire);
    return { cancel: () => void this.timers.delete(fire) };
  }

  every(): { cancel(): void } {
    return { cancel: () => undefined };
  }

  get pending(): number {
    return this.timers.size;
  }

  fire(): void {
    const due = [...this.timers];
    this.timers.clear();
    for (const each of due) each();
  }
}

export function shareFact(share: number): ShareFact {
  return {
    type: 'share',
    share,
    bind: 3,
    job: 2,
    exponent: 16,
    verdict: 'accepted',
    forwarding: 'below-target',
    block: false,
    extranonce2: Uint8Array.of(1, 2, 3, share & 0xff),
    ntime: 0x65000000 + share,
    nonce: (share * 2654435761) >>> 0,
    version: 0x20000000,
    atMs: START_MS + share,
  };
}

export const LIVE_FACTS: readonly Fact[] = [
  { type: 'session', session: 1, sessionId: '00ff', site: 'north', address: '10.0.0.1:4000', prefix: Uint8Array.of(0, 0, 0, 1), extranonce2Bytes: 4, userAgent: 'bmminer/1', atMs: START_MS },
  { type: 'bind', bind: 3, session: 1, worker: 'acme.rig1', lessee: 'acme', atMs: START_MS },
];

/** A disk without real syncs; `before` sees every operation first and may fail, hold or shorten it. */
export type Verdict = { readonly kind: 'do' } | { readonly kind: 'fail'; readonly code: string; readonly effectBytes: number } | { readonly kind: 'short' } | { readonly kind: 'hang' };
const openForWriting = promisify(open);
export const DO: Verdict = { kind: 'do' };

/** `writesThrough`: records need no fdatasync. */
export function faultyFs(before: (operation: keyof JournalFs, index: number) => Verdict, writesThrough = false): { fs: JournalFs; operations: () => string[] } {
  const seen: string[] = [];
  /** `act(limitBytes)` performs it; a write stops after the limit. */
  const run = async <T>(operation: keyof JournalFs, act: (limitBytes: number) => Promise<T>): Promise<T> => {
    seen.push(operation);
    const verdict = before(operation, seen.length - 1);
    if (verdict.kind === 'do') return act(Infinity);
    if (verdict.kind === 'short') return act(operation === 'write' ? 5 : Infinity);
    if (verdict.kind === 'hang') return new Promise<T>(() => undefined);
    if (verdict.effectBytes > 0) await act(verdict.effectBytes);
    throw Object.assign(new Error(`${verdict.code}: injected into ${operation}`), { code: verdict.code });
  };
  const fs: JournalFs = {
    create: (path) => run('create', () => realFs.create(path)),
    openThrough: writesThrough ? (path) => run('openThrough', () => openForWriting(path, 'r+')) : undefined,
    write: (descriptor, bytes, offset, length, position) =>
      run('write', (limit) => realFs.write(descriptor, bytes, offset, Math.min(length, limit), position)),
    fdatasync: () => run('fdatasync', async () => undefined),
    truncate: (descriptor, bytes) => run('truncate', () => realFs.truncate(descriptor, bytes)),
    close: (descriptor) => run('close', () => realFs.close(descriptor)),
    rename: (from, to) => run('rename', () => realFs.rename(from, to)),
    unlink: (path) => run('unlink', () => realFs.unlink(path)),
    syncDirectory: () => run('syncDirectory', async () => undefined),
    freeBytes: () => Promise.resolve(1e9),
  };
  return { fs, operations: () => seen };
}

/** A writer with its reports collected. */
export class Recorder {
  readonly world = new HandWorld();
  readonly durable = new Set<number>();
  readonly unjournaled = new Set<number>();
  readonly problems: string[] = [];
  /** Every report of a sequence that was reported before. */
  readonly repeated: number[] = [];
  private highest = 0;
  private waiters: (() => void)[] = [];
  writer!: JournalWriter;

  static async open(directory: string, options: Partial<WriterOptions> = {}): Promise<Recorder> {
    const recorder = new Recorder();
    recorder.writer = await recorder.openWriter(directory, options);
    return recorder;
  }

  openWriter(directory: string, options: Partial<WriterOptions>): Promise<JournalWriter> {
    return JournalWriter.open({
      directory,
      world: this.world,
      durability: 'fsync',
      segmentBytes: 2 ** 20,
      process: seededRandom(7).uuid(),
      host: 'test',
      live: () => LIVE_FACTS,
      onDurable: (sequence) => {
        for (let each = this.highest + 1; each <= sequence; each++) this.settle(each, this.durable);
        this.highest = Math.max(this.highest, sequence);
        this.wake();
      },
      onUnjournaled: (from, to) => {
        for (let each = from; each <= to; each++) this.settle(each, this.unjournaled);
        this.highest = Math.max(this.highest, to);
        this.wake();
      },
      onProblem: (sentence) => void this.problems.push(sentence),
      ...options,
    });
  }

  private settle(sequence: number, into: Set<number>): void {
    if (this.durable.has(sequence) || this.unjournaled.has(sequence)) this.repeated.push(sequence);
    into.add(sequence);
  }

  private wake(): void {
    for (const each of this.waiters.splice(0)) each();
  }

  /** Resolves when all up to `sequence` was reported one way or the other. */
  async settled(sequence: number): Promise<void> {
    while (this.highest < sequence) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  /** Fires the retry timer of a failed writer and waits for what comes of it. */
  async retry(): Promise<void> {
    this.world.fire();
    while (this.writer.stats().state === 'failed' && this.world.pending === 0) await immediate();
  }
}

export function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** All events of a segment. */
export function eventsOf(path: string, limit?: number): SegmentEvent[] {
  const reader = SegmentReader.open(path, limit);
  try {
    return [...reader.events(0)];
  } finally {
    reader.close();
  }
}

/** Share numbers that count, in the order read, and the corrupt stretches, over all segments of a directory. */
export function readAll(directory: string): { shares: number[]; corrupt: number } {
  const shares: number[] = [];
  let corrupt = 0;
  for (const { path, limit } of listSegments(directory)) {
    for (const event of eventsOf(path, limit)) {
      if (event.kind === 'corrupt') corrupt += 1;
      else if (!event.live && event.fact.type === 'share') shares.push(event.fact.share);
    }
  }
  return { shares, corrupt };
}

/** Reads on from where it was, like the accountant: each event once, by position. */
export class Follower {
  readonly positions = new Map<string, number>();
  readonly shares: number[] = [];
  corrupt = 0;

  step(directory: string): void {
    for (const { path, limit, header } of listSegments(directory)) {
      const reader = SegmentReader.open(path, limit);
      for (const event of reader.events(this.positions.get(header.segment) ?? 0)) {
        if (event.kind === 'corrupt') this.corrupt += 1;
        else if (!event.live && event.fact.type === 'share') this.shares.push(event.fact.share);
      }
      this.positions.set(header.segment, reader.position);
      reader.close();
    }
  }
}
