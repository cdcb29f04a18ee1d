/**
 * Makes a ledger anew from the journals, and publishes it where the ledger is shared. Everything in it is a fold of the
 * journals, so the result equals what was there; a Redis that was emptied is filled, one that was not is left as it is.
 */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisConfig } from '../config/schema.ts';
import type { World } from '../config/world.ts';
import { foldFiles } from './fold-files.ts';
import { isWriterAlive } from './journal/liveness.ts';
import { listSegments } from './journal/reader.ts';
import { sealDead } from './journal/seal.ts';
import { goneSegments, renameLedger } from './older-ledger.ts';
import type { Publisher } from './redis/publisher.ts';
import { openPublisher } from './redis/open.ts';
import { journalDirectory, ledgerFile, Store } from './store.ts';

export interface RebuildOptions {
  readonly dataDir: string;
  readonly world: World;
  readonly shared?: RedisConfig | undefined;
  /** Rebuild although journals of what was folded are gone: their counts are then only in the old ledger. */
  readonly force?: boolean;
  readonly onProgress?: (progress: { readonly phase: 'fold' | 'publish'; readonly done: number }) => void;
}

export interface RebuildReport {
  readonly segments: number;
  readonly records: number;
  /** Where the ledger from before is now; '' when there was none. */
  readonly oldLedger: string;
  /** Where the ledger is shared: rows written to Redis, and publications that it had already. */
  readonly publishedRows: number;
  readonly keptPublications: number;
}

/** Redis that takes nothing for so long ends the publication; the instance's own accountant goes on with it. */
const PUBLISH_STALL_MS = 30_000;
const TURN_MS = 2;

/**
 * The instance must not run. Throws a sentence when something keeps the ledger from being whole; the old one is in place
 * until the new one is.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildReport> {
  const { dataDir, world } = options;
  if (options.force !== true) refuseLoss(dataDir);
  const scratch = mkdtempSync(join(dataDir, 'rebuild-'));
  try {
    const { segments, records } = await foldAll(options, scratch);
    const oldLedger = replaceLedger(dataDir, scratch, world);
    const published = options.shared === undefined ? { publishedRows: 0, keptPublications: 0 } : await publishAll(options, options.shared);
    return { segments, records, oldLedger, ...published };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What retention has deleted cannot be folded again. */
function refuseLoss(dataDir: string): void {
  const gone = existsSync(ledgerFile(dataDir)) ? goneSegments(dataDir) : [];
  if (gone.length === 0) return;
  throw new Error(
    `${gone.length} segments that the ledger has folded are no longer in ${journalDirectory(dataDir)}: a rebuilt ledger would lack what they counted. ` +
      'Restore them, or give --force to keep only what the journals show; the ledger from before is kept beside it',
  );
}

async function foldAll({ dataDir, world, onProgress }: RebuildOptions, scratch: string): Promise<{ readonly segments: number; readonly records: number }> {
  const directory = journalDirectory(dataDir);
  sealDead(directory, isWriterAlive, (sentence) => {
    throw new Error(sentence);
  });
  const files = listSegments(directory);
  const records = await foldFiles(files, scratch, world, (done) => onProgress?.({ phase: 'fold', done }));
  return { segments: files.length, records };
}

function replaceLedger(dataDir: string, scratch: string, world: World): string {
  const file = ledgerFile(dataDir);
  const old = existsSync(file) ? renameLedger(dataDir, `before-${new Date(world.wallMs()).toISOString().replaceAll(':', '')}`) : '';
  renameSync(ledgerFile(scratch), file);
  return old;
}

async function publishAll({ dataDir, world, onProgress }: RebuildOptions, shared: RedisConfig): Promise<{ readonly publishedRows: number; readonly keptPublications: number }> {
  const store = Store.open(dataDir);
  let publisher: Publisher | undefined;
  try {
    publisher = openPublisher(shared, dataDir, world);
    let left = store.units.lag().units;
    let movedAtMs = world.monoMs();
    while (left > 0) {
      publisher.turn(store.units, true);
      await new Promise<void>((resolve) => void world.after(TURN_MS, resolve));
      const now = store.units.lag().units;
      if (now < left) movedAtMs = world.monoMs();
      left = now;
      const { publishedRows, problem } = publisher.figures(store.units);
      onProgress?.({ phase: 'publish', done: publishedRows });
      if (world.monoMs() - movedAtMs > PUBLISH_STALL_MS) throw new Error(`the ledger is rebuilt, and its publication goes on when the instance runs: ${problem}`);
    }
    const { publishedRows, keptPublications } = publisher.figures(store.units);
    return { publishedRows, keptPublications };
  } finally {
    await publisher?.close();
    store.close();
  }
}
