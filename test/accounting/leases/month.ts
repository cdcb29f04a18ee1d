/** A ledger of a month, hour by hour, for statements: what was delivered, credited and refused, and what was observed. */
import { dateAt, midnightMs } from '../../../config/calendar.ts';
import { DAY_MS, emptyDeltas, HOUR_MS, MINUTE_MS, type Deltas } from '../../../accounting/rows.ts';
import { leaseTermsFacts } from '../../../accounting/leases/terms.ts';
import { Store } from '../../../accounting/store.ts';
import { powerOfTwo, shareWorth } from '../../../accounting/worth.ts';
import type { Config } from '../../../config/schema.ts';
import { seededRandom } from '../../../config/world.ts';

export interface MonthOptions {
  readonly fromMs: number;
  readonly toMs: number;
  readonly leases: string;
  /** H/s of an hour, before chance. */
  readonly rate: (hour: number) => number;
  readonly nbits?: (hour: number) => number;
  /** Hours that nobody observed. */
  readonly dark?: (hour: number) => boolean;
  readonly seed?: number;
  /** Names that share the work of each hour alike, as far as they work in it; days are those of `zone`. */
  readonly machines?: { readonly zone: string; readonly workers: readonly string[]; readonly works: (worker: number, hour: number) => boolean };
  /** Sessions that end at one moment. */
  readonly ends?: readonly { readonly atMs: number; readonly n: number; readonly reason: string }[];
}

const EXPONENT = 19;
const UPSTREAM = 21;
const NBITS = 0x17023a04;
const SATS = 315_000_000;
const HASHES_PER_SHARE = 2 ** EXPONENT * 4_295_032_833;

/** About normal: the sum of twelve uniform numbers. */
function poisson(mean: number, random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i += 1) sum += random();
  return Math.max(0, Math.round(mean + sum * Math.sqrt(mean)));
}

/** The rows of a month. One share in four meets the pool's target; one of 400 of those is refused as stale. */
function monthRows(options: MonthOptions): Deltas {
  const deltas = emptyDeltas();
  const random = seededRandom(options.seed ?? 7);
  const common = { run: '0123456789ab', site: 'north', lessee: 'nfx', leases: options.leases, pool: 'main' };
  for (let hour = options.fromMs / HOUR_MS; hour < options.toMs / HOUR_MS; hour += 1) {
    if (options.dark?.(hour) === true) continue;
    const n = poisson((options.rate(hour) * 3600) / HASHES_PER_SHARE, () => random.fraction());
    const forwarded = poisson(n / 4, () => random.fraction());
    const stale = poisson(forwarded / 400, () => random.fraction());
    const nbits = options.nbits?.(hour) ?? NBITS;
    const each = shareWorth(powerOfTwo(EXPONENT), nbits, SATS);
    const shared = { hour, ...common, verdict: 'accepted', exponent: EXPONENT } as const;
    const credit = { hour, ...common, reason: 'none', difficulty: String(2 ** UPSTREAM) } as const;
    if (n > forwarded) deltas.delivered_hour.set(`${hour} a`, { ...shared, forwarding: 'below-target', n: n - forwarded, worth: each * BigInt(n - forwarded) });
    if (forwarded > 0) deltas.delivered_hour.set(`${hour} b`, { ...shared, forwarding: 'forwarded', n: forwarded, worth: each * BigInt(forwarded) });
    if (forwarded > stale) deltas.credited_hour.set(`${hour} a`, { ...credit, verdict: 'accepted', n: forwarded - stale, worth: each * BigInt(4 * (forwarded - stale)) });
    if (stale > 0) deltas.credited_hour.set(`${hour} b`, { ...credit, verdict: 'rejected', reason: 'stale', n: stale, worth: 0n });
    addMachines(deltas, options, hour, n);
    for (let minute = hour * 60; minute < hour * 60 + 60; minute += 1) {
      const fromMs = minute * MINUTE_MS;
      deltas.observed_minute.set(`${minute}`, { minute, run: common.run, process: '01234567', observed_ms: MINUTE_MS, first_ms: fromMs, last_ms: fromMs + MINUTE_MS });
    }
  }
  for (const { atMs, n, reason } of options.ends ?? []) {
    const row = { hour: Math.floor(atMs / HOUR_MS), run: common.run, what: 'session', site: common.site, leases: common.leases, pool: '', reason, n, first_ms: atMs, last_ms: atMs + 2500 } as const;
    deltas.ended_hour.set(`${atMs} ${reason}`, row);
  }
  return deltas;
}

/** The first works a little more, so that the sum is the hour's. */
function addMachines(deltas: Deltas, { machines, leases }: MonthOptions, hour: number, n: number): void {
  if (machines === undefined) return;
  const working = machines.workers.filter((_, index) => machines.works(index, hour));
  const date = dateAt(hour * HOUR_MS, machines.zone);
  const slot = (hour * HOUR_MS - midnightMs(date, machines.zone)) / HOUR_MS;
  const day = Date.parse(`${date}T00:00Z`) / DAY_MS;
  working.forEach((worker, index) => {
    const share = Math.floor(n / working.length) + (index === 0 ? n % working.length : 0);
    if (share === 0) return;
    for (const lease of leases.split(',')) {
      const key = `${day} ${lease} ${worker}`;
      const row = deltas.lease_day.get(key) ?? { day, run: '0123456789ab', lease, worker, exponent: EXPONENT, n: 0, first_ms: hour * HOUR_MS + 9000, last_ms: 0, slots: 0n };
      deltas.lease_day.set(key, { ...row, n: row.n + share, last_ms: hour * HOUR_MS + HOUR_MS - 4000 - index * 100, slots: row.slots + (BigInt(share) << BigInt(32 * slot)) });
    }
  });
}

/** Puts months into the ledger of a data directory. */
export function writeMonth(dataDir: string, ...months: readonly MonthOptions[]): void {
  const store = Store.open(dataDir);
  for (const month of months) store.apply(monthRows(month), []);
  store.close();
}

/** Puts the terms of a configuration into its ledger, as if an instance had started with it then. */
export function recordTerms(config: Config, nowMs = Date.parse('2026-10-30T12:00Z')): void {
  const deltas = emptyDeltas();
  for (const { lease, digest, terms, fromMs, toMs } of leaseTermsFacts(config, nowMs)) deltas.lease_terms.set(lease, { lease, digest, terms, recorded_ms: nowMs, from_ms: fromMs, to_ms: toMs, n: 1 });
  const store = Store.open(config.data);
  store.apply(deltas, []);
  store.close();
}
