/** A ledger full of what a lessee's machines do in some hours, none of it published: a backlog to measure with. */
import { realWorld, type Random } from '../../config/world.ts';
import { emptyDeltas, type BucketTable, type Deltas, type KeptRow } from '../../accounting/rows.ts';
import type { Store } from '../../accounting/store.ts';

const RUN = '0123456789ab';
const GROUP = { site: 'north', lessee: 'acme', leases: '', pool: 'main' } as const;
export const SHARES_PER_MINUTE = 6;
const STALE_PERCENT = 2;

function put<T extends BucketTable>(deltas: Deltas, table: T, row: KeptRow<T>): void {
  const map = deltas[table] as Map<string, KeptRow<T>>;
  map.set(String(map.size), row);
}

/** A minute of a lessee: up to five difficulties, two jobs of different worth, forwarded and not, some stale. */
function minuteRows(deltas: Deltas, minute: number, machines: number, random: Random): void {
  const exponents = Math.min(5, machines);
  const share = { minute, run: RUN, ...GROUP, link: '01234567.1', nbits: 0x17023a04 };
  for (let index = 0; index < exponents; index += 1) {
    const n = Math.ceil((machines * SHARES_PER_MINUTE) / exponents / 4);
    for (const value of [315_012_581 + (random.u32() % 1000), 315_412_581]) {
      for (const forwarding of ['below-target', 'forwarded'] as const) put(deltas, 'delivered_minute', { ...share, verdict: 'accepted', forwarding, exponent: 14 + index, value, n });
      put(deltas, 'credited_minute', { ...share, verdict: 'accepted', reason: 'none', code: '', difficulty: '262144', value: value + index, n });
    }
  }
  put(deltas, 'delivered_minute', { ...share, verdict: 'stale', forwarding: 'below-target', exponent: 14, value: 315_012_581, n: 1 });
  put(deltas, 'observed_minute', { minute, run: RUN, process: '01234567', observed_ms: 60_000, first_ms: minute * 60_000, last_ms: minute * 60_000 + 59_000 });
}

function hourRows(deltas: Deltas, hour: number, machines: number): void {
  const worth = 123_456_789_012_345_678_901_234n;
  for (let index = 0; index < Math.min(5, machines); index += 1) {
    for (const forwarding of ['below-target', 'forwarded'] as const) {
      put(deltas, 'delivered_hour', { hour, run: RUN, ...GROUP, verdict: 'accepted', forwarding, exponent: 14 + index, n: machines * 30, worth });
    }
  }
  put(deltas, 'credited_hour', { hour, run: RUN, ...GROUP, verdict: 'accepted', reason: 'none', difficulty: '262144', n: machines, worth });
}

/** An hour of some workers; ten in a hundred had a second difficulty. */
function workerRows(deltas: Deltas, hour: number, from: number, to: number, random: Random): void {
  for (let number = from; number < to; number += 1) {
    const worker = `acme.rig${String(number).padStart(6, '0')}`;
    const row = { hour, run: RUN, ...GROUP, worker, last_ms: hour * 3_600_000 + 3_000_000 + (random.u32() % 600_000) };
    put(deltas, 'worker_hour', { ...row, verdict: 'accepted', exponent: 16, n: 340 + (random.u32() % 40) });
    if (random.u32() % 10 === 0) put(deltas, 'worker_hour', { ...row, verdict: 'accepted', exponent: 17, n: 3 });
    if (random.u32() % 100 < STALE_PERCENT * 10) put(deltas, 'worker_hour', { ...row, verdict: 'stale', exponent: 16, n: 2 });
    put(deltas, 'worker_connected', { hour, run: RUN, site: GROUP.site, lessee: GROUP.lessee, leases: '', worker, connected_ms: 3_600_000 });
  }
}

const WORKERS_PER_COMMIT = 20_000;

/** Commits the last `hours` whole hours of so many machines, all of it due for publication. */
export function fillBacklog(store: Store, machines: number, hours: number, random: Random): void {
  const last = Math.floor(realWorld.wallMs() / 3_600_000);
  for (let hour = last - hours; hour < last; hour += 1) {
    const deltas = emptyDeltas();
    for (let minute = hour * 60; minute < (hour + 1) * 60; minute += 1) minuteRows(deltas, minute, machines, random);
    hourRows(deltas, hour, machines);
    store.apply(deltas, []);
    for (let from = 0; from < machines; from += WORKERS_PER_COMMIT) {
      const workers = emptyDeltas();
      workerRows(workers, hour, from, Math.min(machines, from + WORKERS_PER_COMMIT), random);
      store.apply(workers, []);
    }
  }
}
