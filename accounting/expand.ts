/** One counted cell becomes one row in each table that keeps it. */
import type { CreditedCell, DeliveredCell } from './fold.ts';
import type { Deltas } from './rows.ts';

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
  const { site, lessee, worker, group } = cell.bind;
  const { pool, link, nbits, sats: value, poolKey } = cell.job;
  const hour = Math.floor(minute / 60);
  const day = Math.floor(hour / 24);
  const state = `${verdict} ${forwarding} ${exponent}`;
  add(deltas.delivered_minute, `${run} ${minute} ${group} ${cell.job.key} ${state}`, n, () => ({
    minute, run, site, lessee, pool, link, verdict, forwarding, exponent, nbits, value, n: 0,
  }));
  const byWorker = add(deltas.worker_hour, `${run} ${hour} ${group} ${poolKey} ${verdict} ${exponent} ${worker}`, n, () => ({
    hour, run, site, lessee, pool, worker, verdict, exponent, n: 0, last_ms: cell.lastMs,
  }));
  if (cell.lastMs > byWorker.last_ms) byWorker.last_ms = cell.lastMs;
  const worth = verdict === 'accepted' ? cell.job.worth(exponent) * BigInt(n) : 0n;
  const roll = { site, lessee, pool, verdict, forwarding, exponent };
  const rolled = `${group} ${poolKey} ${state}`;
  add(deltas.delivered_hour, `${run} ${hour} ${rolled}`, n, () => ({ hour, run, ...roll, n: 0, worth: 0n })).worth += worth;
  add(deltas.delivered_day, `${run} ${day} ${rolled}`, n, () => ({ day, run, ...roll, n: 0, worth: 0n })).worth += worth;
  add(deltas.total, `${group} ${poolKey} ${verdict} ${exponent}`, n, () => ({ site, lessee, pool, verdict, exponent, n: 0 }));
}

export function addCredited(deltas: Deltas, cell: CreditedCell, run: string): void {
  const { minute, verdict, reason, code, difficulty, n } = cell;
  const { site, lessee, group } = cell.bind;
  const { pool, link, nbits, sats: value, poolKey } = cell.job;
  const hour = Math.floor(minute / 60);
  const day = Math.floor(hour / 24);
  const state = `${verdict} ${reason} ${difficulty.length} ${difficulty}`;
  add(deltas.credited_minute, `${run} ${minute} ${group} ${cell.job.key} ${state} ${code}`, n, () => ({
    minute, run, site, lessee, pool, link, verdict, reason, code, difficulty, nbits, value, n: 0,
  }));
  const worth = verdict === 'accepted' ? cell.job.creditedWorth(difficulty) * BigInt(n) : 0n;
  const roll = { site, lessee, pool, verdict, reason, difficulty };
  const rolled = `${group} ${poolKey} ${state}`;
  add(deltas.credited_hour, `${run} ${hour} ${rolled}`, n, () => ({ hour, run, ...roll, n: 0, worth: 0n })).worth += worth;
  add(deltas.credited_day, `${run} ${day} ${rolled}`, n, () => ({ day, run, ...roll, n: 0, worth: 0n })).worth += worth;
  add(deltas.credited_total, `${poolKey} ${state}`, n, () => ({ pool, verdict, reason, difficulty, n: 0 }));
}
