/** What an audit looks at: the journals of its data directories, and for each a copy of its ledger at one moment. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unadmittedShares } from './journal/admissions.ts';
import { listSegments, type SegmentFile } from './journal/reader.ts';
import { HOUR_MS, type Position } from './rows.ts';
import { journalDirectory, ledgerFile, Store } from './store.ts';

/** Verdicts may be journaled this long after what they are about. */
const MARGIN_MS = HOUR_MS;

export interface PlannedSegment {
  readonly index: number;
  readonly file: SegmentFile;
  /** Another directory has it too: it is part of this one's ledger, and validated and counted there. */
  readonly again: boolean;
}

export interface PlannedDirectory {
  readonly dataDir: string;
  /** Copy of the ledger; undefined when the directory has none. */
  readonly ledger: string | undefined;
  readonly positions: ReadonlyMap<string, Position>;
  readonly segments: readonly PlannedSegment[];
  /** Folded segments whose files are gone. */
  readonly gone: readonly Position[];
}

export interface Plan {
  readonly directories: readonly PlannedDirectory[];
  readonly notes: readonly string[];
}

/**
 * Copies ledgers first and lists journals then, so that every position meets its segment.
 *
 * @param scratch Directory for the copies.
 */
export function planAudit(dataDirs: readonly string[], scratch: string, fromMs: number, toMs: number): Plan {
  const notes: string[] = [];
  const seen = new Map<string, { readonly path: string; readonly number: number }>();
  let index = 0;
  const directories = dataDirs.map((dataDir, number): PlannedDirectory => {
    const ledger = existsSync(ledgerFile(dataDir)) ? join(scratch, `ledger-${number}.sqlite`) : undefined;
    const positions = ledger === undefined ? new Map<string, Position>() : copyLedger(dataDir, ledger);
    const unadmitted = unadmittedShares(dataDir);
    if (unadmitted > 0) notes.push(`${dataDir} holds ${unadmitted} unjournaled shares yet to be admitted: a running instance does so once its disk has room`);
    if (ledger === undefined) notes.push(`${dataDir} has no ledger: its journals are validated, and there is nothing to compare them with`);
    const segments: PlannedSegment[] = [];
    const present = new Set<string>();
    for (const file of listSegments(journalDirectory(dataDir))) {
      const { segment } = file.header;
      present.add(segment);
      const other = seen.get(segment);
      if (other !== undefined) {
        notes.push(`${file.path} is the same segment as ${other.path}: it is counted once`);
        if (other.number === number) continue;
      }
      seen.set(segment, { path: file.path, number });
      if (!overlaps(file, positions.get(segment), fromMs, toMs)) continue;
      segments.push({ index, file, again: other !== undefined });
      index += 1;
    }
    const gone = [...positions.values()].filter((position) => !present.has(position.segment));
    return { dataDir, ledger, positions, segments, gone };
  });
  return { directories, notes };
}

function copyLedger(dataDir: string, copy: string): Map<string, Position> {
  const live = Store.open(dataDir, { readonly: true });
  try {
    live.copyTo(copy);
  } finally {
    live.close();
  }
  const store = Store.openFile(copy, { scratch: true });
  try {
    return new Map(store.positions().map((position) => [position.segment, position]));
  } finally {
    store.close();
  }
}

function overlaps(file: SegmentFile, position: Position | undefined, fromMs: number, toMs: number): boolean {
  // Unjournaled shares may be admitted whenever there is room again.
  const { firstMs = Infinity, lastMs = -Infinity } = position ?? {};
  if (firstMs < toMs && lastMs >= fromMs) return true;
  if (file.header.createdMs > toMs + MARGIN_MS) return false;
  return !file.sealed || Math.max(file.lastMs, file.header.createdMs) + MARGIN_MS >= fromMs;
}
