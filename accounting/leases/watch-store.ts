/** What a watch of leases takes from the embedded ledger when it begins. */
import { HOUR_MS, MINUTE_MS } from '../rows.ts';
import { countOf, textOf } from '../store-sql.ts';
import type { Store } from '../store.ts';
import { KEPT_HOURS, LeaseWatch } from './watch.ts';

/** The time before is told to the alarm minute by minute for so long: enough for what happened while nobody watched. */
const REPLAYED_HOURS = 2;
/** A lease that has been silent for longer has no last share. */
const LAST_SHARE_HOURS = 7 * 24;

/** Call within one moment of the ledger. */
export function beginWatch(watch: LeaseWatch, store: Store, nowMs: number): void {
  const hour = Math.floor(nowMs / HOUR_MS);
  const replayed = hour - REPLAYED_HOURS;
  watch.told([...store.rows('lease_event')]);
  watch.begin(hourShares(store, hour - KEPT_HOURS, replayed), store.rows('observed_minute', (hour - KEPT_HOURS) * 60, replayed * 60));
  const observed = new Map([...store.rows('observed_minute', replayed * 60, (hour + 1) * 60)].map((row, index) => [String(index), { ...row, run: '' }]));
  const shares = new Map([...store.rows('delivered_minute', replayed * 60, (hour + 1) * 60)].map((row, index) => [String(index), { ...row, run: '' }]));
  const connected = new Map([...store.rows('worker_connected', Math.floor((nowMs - MINUTE_MS) / HOUR_MS), hour + 1)].map((row, index) => [String(index), { ...row, run: '' }]));
  watch.committed({ delivered_minute: shares, observed_minute: observed, worker_hour: new Map(), worker_connected: connected }, nowMs);
  for (const [leases, lastMs] of lastShares(store, hour - LAST_SHARE_HOURS)) watch.lastShare(leases, lastMs);
}

/** Accepted shares under leases by hour, added up over sites and pools: counts alone, which are whole. */
function* hourShares(store: Store, from: number, to: number): Generator<{ hour: number; leases: string; exponent: number; n: number }> {
  const sql = `SELECT hour, leases, exponent, sum(n) FROM delivered_hour_text WHERE hour >= ? AND hour < ? AND verdict = 'accepted' AND leases <> '' GROUP BY hour, leases, exponent`;
  for (const [hour, leases, exponent, n] of store.iterate(sql, from, to)) yield { hour: countOf(hour), leases: textOf(leases), exponent: countOf(exponent), n: countOf(n) };
}

function* lastShares(store: Store, from: number): Generator<readonly [leases: string, lastMs: number]> {
  const sql = `SELECT leases, max(last_ms) FROM worker_hour_text WHERE hour >= ? AND verdict = 'accepted' AND leases <> '' GROUP BY leases`;
  for (const [leases, lastMs] of store.iterate(sql, from)) yield [textOf(leases), countOf(lastMs)];
}
