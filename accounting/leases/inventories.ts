/**
 * The inventory over time, by what is on record. A version is a file of the data directory that is named by its digest; an event in
 * the journal says from when it holds. A running instance records each as it finds it, from then on; an earlier time takes an amendment.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseInventory, type InventoryRow } from '../../config/inventory.ts';
import type { LeaseEventFact } from '../../proxy/session/facts.ts';
import type { Span } from './excused.ts';
import { textDigest, writeOnce } from './files.ts';
import type { LeaseEvent, LeaseHistory } from './history.ts';

/** A version, and the time for which it holds. */
export interface InventoryPiece extends Span {
  readonly digest: string;
  /** When that was put on record, wall clock; undefined where it never was. */
  readonly recordedMs: number | undefined;
}

/** Of a version that holds for all leases. */
const ALL_LEASES = '';

function versionFile(dataDir: string, digest: string): string {
  return join(dataDir, 'inventory', `${digest}.csv`);
}

/** Keeps a version, under its digest, for ever. Throws a sentence where that file says something else. */
export function keepInventory(dataDir: string, text: string): string {
  const digest = textDigest(text);
  const file = versionFile(dataDir, digest);
  mkdirSync(join(dataDir, 'inventory'), { recursive: true, mode: 0o700 });
  if (!existsSync(file)) writeOnce(file, text, 0o600);
  else if (readFileSync(file, 'utf8') !== text) throw new Error(`${file} is not what it was when it was put on record: put it back from a copy, or remove it`);
  return digest;
}

/** Gives the rows of a version, whose `line` is of no meaning, out of the first of the directories that has it; undefined where none has it whole. */
export function inventoryReader(dataDirs: readonly string[]): (digest: string) => readonly InventoryRow[] | undefined {
  // Head line → line → its row: versions have nearly all their lines alike.
  const read = new Map<string, Map<string, InventoryRow>>();
  return (digest) => {
    for (const dataDir of dataDirs) {
      let text: string;
      try {
        text = readFileSync(versionFile(dataDir, digest), 'utf8');
      } catch {
        continue;
      }
      if (textDigest(text) === digest) return parsedBy(read, text);
    }
    return undefined;
  };
}

function parsedBy(read: Map<string, Map<string, InventoryRow>>, text: string): readonly InventoryRow[] {
  // A cell in quotes may hold the end of a line.
  if (text.includes('"')) return parseInventory(text).rows;
  const [head = '', ...lines] = text.split(/\r?\n/);
  const known = read.get(head) ?? new Map<string, InventoryRow>();
  read.set(head, known);
  const fresh = lines.filter((line) => !known.has(line));
  for (const row of parseInventory([head, ...fresh].join('\n')).rows) known.set(fresh[row.line - 2] ?? '', row);
  return lines.flatMap((line) => known.get(line) ?? []);
}

/** The event that a version holds from `fromMs` on: for one lease, or as an instance found it for all. */
export function inventoryFact(digest: string, fromMs: number, nowMs: number, amendment?: { readonly lease: string; readonly by: string; readonly reason: string; readonly document: string }): LeaseEventFact {
  const { lease, by, reason, document } = amendment ?? { lease: ALL_LEASES, by: '', reason: 'found by the instance', document: '' };
  return { type: 'lease-event', event: 'inventory', lease, fromMs, toMs: fromMs, by, reason, document, terms: digest, atMs: nowMs };
}

/** Versions of a lease's machines in the order in which they were recorded. */
function versionsOf({ events }: LeaseHistory, lease: string, leftOut: readonly LeaseEvent[]): LeaseEvent[] {
  return events.filter((event) => event.event === 'inventory' && (event.lease === ALL_LEASES || event.lease === lease) && !leftOut.includes(event));
}

/** Digest of the version that was found last; undefined before there was one. */
export function foundLast(history: LeaseHistory): string | undefined {
  return versionsOf(history, ALL_LEASES, []).at(-1)?.terms;
}

/** The version that was recorded last for a lease, whenever it holds. */
export function recordedLast(history: LeaseHistory, lease: string): { readonly digest: string; readonly recordedMs: number } | undefined {
  const last = versionsOf(history, lease, []).at(-1);
  return last && { digest: last.terms, recordedMs: last.recorded_ms };
}

/**
 * What holds within a span: of the versions with effect by then the one recorded last, and before all of them the first.
 * Empty where none is on record.
 *
 * @param leftOut Events that are taken not to have been.
 */
export function inventoryPieces(history: LeaseHistory, lease: string, { fromMs, toMs }: Span, leftOut: readonly LeaseEvent[] = []): InventoryPiece[] {
  const versions = versionsOf(history, lease, leftOut);
  const [first] = versions;
  if (first === undefined) return [];
  const starts = [fromMs, ...new Set(versions.map(({ from_ms }) => from_ms).filter((ms) => ms > fromMs && ms < toMs).toSorted((a, b) => a - b))];
  const pieces: InventoryPiece[] = [];
  starts.forEach((startMs, index) => {
    const { terms: digest, recorded_ms: recordedMs } = versions.findLast(({ from_ms }) => from_ms <= startMs) ?? first;
    const last = pieces.at(-1);
    const endMs = starts[index + 1] ?? toMs;
    if (last?.digest === digest) pieces[pieces.length - 1] = { ...last, toMs: endMs };
    else pieces.push({ fromMs: startMs, toMs: endMs, digest, recordedMs });
  });
  return pieces;
}

/** Rows as they hold piece by piece; undefined where a version is nowhere to be read. The first piece holds for all time before it, the last for all after it. */
export function rowsOfPieces(pieces: readonly Pick<InventoryPiece, 'fromMs' | 'digest'>[], rowsOf: (digest: string) => readonly InventoryRow[] | undefined): InventoryRow[] | undefined {
  const cut: InventoryRow[] = [];
  for (const [index, { fromMs, digest }] of pieces.entries()) {
    const rows = rowsOf(digest);
    if (rows === undefined) return undefined;
    cut.push(...clipped(rows, { fromMs: index === 0 ? -Infinity : fromMs, toMs: pieces[index + 1]?.fromMs ?? Infinity }));
  }
  return joined(cut);
}

function clipped(rows: readonly InventoryRow[], { fromMs, toMs }: Span): InventoryRow[] {
  return rows.map((row) => ({ ...row, fromMs: Math.max(row.fromMs, fromMs), toMs: Math.min(row.toMs, toMs) })).filter((row) => row.fromMs < row.toMs);
}

/** All of a row that figures rest on. */
function placeOf({ serial, worker, site, nameplateHashes }: InventoryRow): string {
  return [serial, worker, site, nameplateHashes].join('\n');
}

/** A machine that two versions have alike stays one row: an hour in which the version changes is no change of the machine. */
function joined(rows: readonly InventoryRow[]): InventoryRow[] {
  const places = new Map<string, InventoryRow[]>();
  for (const row of rows) {
    const place = placeOf(row);
    const others = places.get(place);
    if (others === undefined) places.set(place, [row]);
    else others.push(row);
  }
  return [...places.values()].flatMap((dated) => {
    const result: InventoryRow[] = [];
    for (const row of dated.toSorted((a, b) => a.fromMs - b.fromMs)) {
      const last = result.at(-1);
      if (last === undefined || row.fromMs > last.toMs) result.push(row);
      else result[result.length - 1] = { ...last, toMs: Math.max(last.toMs, row.toMs) };
    }
    return result;
  });
}

/** Serial numbers of which two inventories say different things within a span, in order. */
export function unlikeWithin(a: readonly InventoryRow[], b: readonly InventoryRow[], span: Span): string[] {
  const [left, right] = [a, b].map((rows) => {
    const bySerial = new Map<string, string[]>();
    for (const row of joined(clipped(rows, span))) bySerial.set(row.serial, [...(bySerial.get(row.serial) ?? []), `${placeOf(row)} ${row.fromMs} ${row.toMs}`].toSorted());
    return bySerial;
  });
  const serials = new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])]);
  return [...serials].filter((serial) => left?.get(serial)?.join() !== right?.get(serial)?.join()).toSorted();
}
