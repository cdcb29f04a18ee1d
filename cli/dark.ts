/** Which worker names have gone dark, from the ledger's hours by worker. */
import { leaseIds } from '../proxy/session/leases.ts';
import type { LedgerRange, LedgerReader } from '../accounting/reader.ts';
import { HOUR_MS } from '../accounting/rows.ts';

/** Names without any sign of life for longer are no longer missed. */
const SEEN_WITHIN_MS = 24 * HOUR_MS;
/** At the default six shares a minute a healthy machine is silent for ten minutes once in e^60 times. */
const DARK_AFTER_MS = 600_000;

/** One dark name as printed by --json. */
export interface DarkMachine {
  readonly worker: string;
  readonly site: string;
  readonly lessee: string;
  /** The leases it belonged to when it was last heard of. */
  readonly leases: readonly string[];
  /** Wall clock of the last accepted share within the last 24 hours; null when there was none. */
  readonly lastShareMs: number | null;
  /** A session under this name is connected now: it is reachable but finds nothing that counts. */
  readonly connected: boolean;
}

interface Name {
  readonly worker: string;
  readonly site: string;
  readonly lessee: string;
}

/**
 * Names that submitted or were connected within the last 24 hours and have no accepted share in the last 10 minutes,
 * longest dark last. Hours are whole in the ledger, so the first of the 24 counts in full.
 */
export function darkMachines(reader: LedgerReader, connected: readonly Name[], nowMs: number): DarkMachine[] {
  const { from, to } = darkHours(nowMs);
  const last = new Map<string, number | null>();
  const leases = new Map<string, string>();
  for (const row of reader.rows('worker_connected', from, to)) {
    last.set(keyOf(row), null);
    leases.set(keyOf(row), row.leases);
  }
  for (const row of reader.rows('worker_hour', from, to)) {
    const before = last.get(keyOf(row)) ?? null;
    leases.set(keyOf(row), row.leases);
    last.set(keyOf(row), row.verdict === 'accepted' ? Math.max(row.last_ms, before ?? 0) : before);
  }
  const now = new Set(connected.map(keyOf));
  return [...last]
    .filter(([, lastShareMs]) => lastShareMs === null || lastShareMs < nowMs - DARK_AFTER_MS)
    .map(([key, lastShareMs]) => ({ ...nameOf(key), leases: leaseIds(leases.get(key) ?? ''), lastShareMs, connected: now.has(key) }))
    .filter(({ worker }) => worker !== '')
    .toSorted((a, b) => (b.lastShareMs ?? 0) - (a.lastShareMs ?? 0) || (keyOf(a) < keyOf(b) ? -1 : 1));
}

function darkHours(nowMs: number): { readonly from: number; readonly to: number } {
  return { from: Math.floor((nowMs - SEEN_WITHIN_MS) / HOUR_MS), to: Math.floor(nowMs / HOUR_MS) + 1 };
}

/** What `darkMachines` reads. */
export function darkRanges(nowMs: number): LedgerRange[] {
  return [{ table: 'worker_connected', ...darkHours(nowMs) }, { table: 'worker_hour', ...darkHours(nowMs) }];
}

/** Names hold anything but a control character, so a line feed parts them. */
function keyOf({ worker, site, lessee }: Name): string {
  return [site, lessee, worker].join('\n');
}

function nameOf(key: string): Name {
  const [site = '', lessee = '', worker = ''] = key.split('\n');
  return { worker, site, lessee };
}
