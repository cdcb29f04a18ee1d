/** One counted cell becomes one row in each table that keeps it. */
import { dayNumber } from './local-day.ts';
import type { CreditedCell, DeliveredCell } from './cells.ts';
import type { ConnectedCell } from './connected.ts';
import type { BindContext } from './context.ts';
import { HOUR_MS, MINUTE_MS, type Deltas } from './rows.ts';

function add<R extends { n: number }>(rows: Map<string, R>, key: string, n: number, make: () => R): R {
  let row = rows.get(key);
  if (row === undefined) {
    row = make();
    rows.set(key, row);
  }
  row.n += n;
  return row;
}

export function addDelivered(deltas: Deltas, cell: DeliveredCell, run: string): void {
  const { minute, verdict, forwarding, exponent, n } = cell;
  const { site, lessee, worker } = cell.bind;
  const group = `${cell.bind.group} ${cell.leases.leases.length} ${cell.leases.leases}`;
  const { leases } = cell.leases;
  const { pool, link, nbits, sats: value, poolKey } = cell.job;
  const hour = Math.floor(minute / 60);
  const day = Math.floor(hour / 24);
  const state = `${verdict} ${forwarding} ${exponent}`;
  add(deltas.delivered_minute, `${run} ${minute} ${group} ${cell.job.key} ${state}`, n, () => ({
    minute, run, site, lessee, leases, pool, link, verdict, forwarding, exponent, nbits, value, n: 0,
  }));
  const byWorker = add(deltas.worker_hour, `${run} ${hour} ${group} ${poolKey} ${verdict} ${exponent} ${worker}`, n, () => ({
    hour, run, site, lessee, leases, pool, worker, verdict, exponent, n: 0, last_ms: cell.lastMs,
  }));
  if (cell.lastMs > byWorker.last_ms) byWorker.last_ms = cell.lastMs;
  const worth = verdict === 'accepted' ? cell.job.worth(exponent) * BigInt(n) : 0n;
  const roll = { site, lessee, leases, pool, verdict, forwarding, exponent };
  const rolled = `${group} ${poolKey} ${state}`;
  add(deltas.delivered_hour, `${run} ${hour} ${rolled}`, n, () => ({ hour, run, ...roll, n: 0, worth: 0n })).worth += worth;
  add(deltas.delivered_day, `${run} ${day} ${rolled}`, n, () => ({ day, run, ...roll, n: 0, worth: 0n })).worth += worth;
  const total = add(deltas.total, `${group} ${poolKey} ${verdict} ${exponent}`, n, () => ({ site, lessee, leases, pool, verdict, exponent, n: 0, last_ms: cell.lastMs, worth: 0n }));
  total.last_ms = Math.max(total.last_ms, cell.lastMs);
  total.worth += worth;
  if (verdict === 'accepted') addLeaseDays(deltas, cell, run);
}

/** Bits of `slots` for each hour of a day. */
const SLOT_BITS = 32n;

function addLeaseDays(deltas: Deltas, cell: DeliveredCell, run: string): void {
  const { exponent, n, firstMs, lastMs } = cell;
  const { worker } = cell.bind;
  const minuteMs = cell.minute * MINUTE_MS;
  for (const { lease, timezone } of cell.leases.claims) {
    const { day, fromMs } = dayNumber(minuteMs, timezone);
    const key = `${run} ${day} ${lease} ${exponent} ${worker}`;
    const row = add(deltas.lease_day, key, n, () => ({ day, run, lease, worker, exponent, n: 0, first_ms: firstMs, last_ms: lastMs, slots: 0n }));
    row.first_ms = Math.min(row.first_ms, firstMs);
    row.last_ms = Math.max(row.last_ms, lastMs);
    row.slots += BigInt(n) << (SLOT_BITS * BigInt(Math.floor((minuteMs - fromMs) / HOUR_MS)));
  }
}

export function addCredited(deltas: Deltas, cell: CreditedCell, run: string): void {
  const { minute, verdict, reason, code, difficulty, n } = cell;
  const { site, lessee } = cell.bind;
  const group = `${cell.bind.group} ${cell.leases.leases.length} ${cell.leases.leases}`;
  const { leases } = cell.leases;
  const { pool, link, nbits, sats: value, poolKey } = cell.job;
  const hour = Math.floor(minute / 60);
  const day = Math.floor(hour / 24);
  const state = `${verdict} ${reason} ${difficulty.length} ${difficulty}`;
  add(deltas.credited_minute, `${run} ${minute} ${group} ${cell.job.key} ${state} ${code}`, n, () => ({
    minute, run, site, lessee, leases, pool, link, verdict, reason, code, difficulty, nbits, value, n: 0,
  }));
  const worth = verdict === 'accepted' ? cell.job.creditedWorth(difficulty) * BigInt(n) : 0n;
  const roll = { site, lessee, leases, pool, verdict, reason, difficulty };
  const rolled = `${group} ${poolKey} ${state}`;
  add(deltas.credited_hour, `${run} ${hour} ${rolled}`, n, () => ({ hour, run, ...roll, n: 0, worth: 0n })).worth += worth;
  add(deltas.credited_day, `${run} ${day} ${rolled}`, n, () => ({ day, run, ...roll, n: 0, worth: 0n })).worth += worth;
  add(deltas.credited_total, `${poolKey} ${state}`, n, () => ({ pool, verdict, reason, difficulty, n: 0 }));
}

/** Adds the time that a name was connected. */
export function addConnected(deltas: Deltas, { site, lessee, worker }: BindContext, { hour, leases, ms }: ConnectedCell, run: string): void {
  const key = `${run} ${hour} ${site.length} ${site} ${lessee.length} ${lessee} ${leases} ${worker}`;
  const found = deltas.worker_connected.get(key);
  if (found === undefined) deltas.worker_connected.set(key, { hour, run, site, lessee, leases, worker, connected_ms: ms });
  else found.connected_ms += ms;
}
