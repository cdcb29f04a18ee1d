/** What a watch of leases takes from the embedded ledger when it begins: all that has a say in its states, so a restart forgets nothing. */
import { HOUR_MS, MINUTE_MS } from '../rows.ts';
import { countOf, textOf } from '../store-sql.ts';
import type { Store } from '../store.ts';
import { firstMinute } from './evidence.ts';
import { KEPT_HOURS } from './observed.ts';
import { rateSinceMs } from './rate-since.ts';
import type { LeaseTerms } from './terms.ts';
import type { LeaseWatch } from './watch.ts';

/** A lease that has been silent for longer has no last share. */
const LAST_SHARE_HOURS = 7 * 24;

/** Hours of which each minute is read at once: for the short windows. */
const RECENT_HOURS = 1;

/**
 * Call within one moment of the ledger. The watch knows all but the older of the minutes that its alarm looks at: of those the
 * result tells it with each step, the newest first, for there may be millions of rows. Take a step only between commits. What
 * is committed meanwhile of a minute that was not told yet is in the ledger when it is.
 */
export function beginWatch(watch: LeaseWatch, leases: readonly LeaseTerms[], store: Store, nowMs: number): Generator<void, void, undefined> {
  const hour = Math.floor(nowMs / HOUR_MS);
  const recent = hour - RECENT_HOURS;
  watch.told([...store.rows('lease_event')]);
  const written = [...store.rows('lease_terms')];
  for (const terms of leases) watch.rateSince(terms.id, rateSinceMs(terms, written, nowMs));
  watch.begin(hourShares(store, hour - KEPT_HOURS, recent), store.rows('observed_minute', (hour - KEPT_HOURS) * 60, (hour + 2) * 60));
  for (const row of minuteShares(store, recent * 60, (hour + 2) * 60)) watch.count(row);
  for (const [leaseSet, worker] of connected(store, Math.floor((nowMs - MINUTE_MS) / HOUR_MS))) watch.saw(leaseSet, worker, nowMs);
  for (const [leaseSet, lastMs] of lastShares(store, hour - LAST_SHARE_HOURS)) watch.lastShare(leaseSet, lastMs);
  watch.recallFrom(recent * 60);
  // Just after midnight the alarm has still to look at minutes of before.
  return recalling(watch, store, firstMinute(nowMs - HOUR_MS), recent * 60);
}

function* recalling(watch: LeaseWatch, store: Store, first: number, end: number): Generator<void, void, undefined> {
  for (let minute = end - 1; minute >= first; minute -= 1) {
    for (const { leases, exponent, n } of minuteShares(store, minute, minute + 1)) watch.recall(minute, leases, exponent, n);
    watch.recallFrom(minute);
    yield;
  }
  watch.recallFrom(-Infinity);
}

/** Accepted shares under leases by hour, added up over sites and pools: counts alone, which are whole. */
function* hourShares(store: Store, from: number, to: number): Generator<{ hour: number; leases: string; exponent: number; n: number }> {
  const sql = `SELECT hour, leases, exponent, sum(n) FROM delivered_hour_text WHERE hour >= ? AND hour < ? AND verdict = 'accepted' AND leases <> '' GROUP BY hour, leases, exponent`;
  for (const [hour, leases, exponent, n] of store.iterate(sql, from, to)) yield { hour: countOf(hour), leases: textOf(leases), exponent: countOf(exponent), n: countOf(n) };
}

function* minuteShares(store: Store, from: number, to: number): Generator<{ minute: number; leases: string; exponent: number; n: number }> {
  const id = (text: string): string => `(SELECT id FROM dimension WHERE text = '${text}')`;
  // Grouped by the numbers of texts.
  const sql = `SELECT minute, text, exponent, n FROM (
      SELECT minute, leases, exponent, sum(n) AS n FROM delivered_minute
      WHERE minute >= ? AND minute < ? AND verdict = ${id('accepted')} AND leases IS NOT ${id('')} GROUP BY minute, leases, exponent
    ) JOIN dimension ON id = leases`;
  for (const [minute, leases, exponent, n] of store.iterate(sql, from, to)) yield { minute: countOf(minute), leases: textOf(leases), exponent: countOf(exponent), n: countOf(n) };
}

function* connected(store: Store, from: number): Generator<readonly [leases: string, worker: string]> {
  for (const [leases, worker] of store.iterate(`SELECT DISTINCT leases, worker FROM worker_connected_text WHERE hour >= ? AND leases <> ''`, from)) yield [textOf(leases), textOf(worker)];
}

function* lastShares(store: Store, from: number): Generator<readonly [leases: string, lastMs: number]> {
  const sql = `SELECT leases, max(last_ms) FROM worker_hour_text WHERE hour >= ? AND verdict = 'accepted' AND leases <> '' GROUP BY leases`;
  for (const [leases, lastMs] of store.iterate(sql, from)) yield [textOf(leases), countOf(lastMs)];
}
