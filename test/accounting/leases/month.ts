/** A ledger of a month, hour by hour, for statements: what was delivered, credited and refused, and what was observed. */
import { emptyDeltas, HOUR_MS, MINUTE_MS, type Deltas } from '../../../accounting/rows.ts';
import { Store } from '../../../accounting/store.ts';
import { powerOfTwo, shareWorth } from '../../../accounting/worth.ts';
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
    for (let minute = hour * 60; minute < hour * 60 + 60; minute += 1) {
      const fromMs = minute * MINUTE_MS;
      deltas.observed_minute.set(`${minute}`, { minute, run: common.run, process: '01234567', observed_ms: MINUTE_MS, first_ms: fromMs, last_ms: fromMs + MINUTE_MS });
    }
  }
  return deltas;
}

/** Puts months into the ledger of a data directory. */
export function writeMonth(dataDir: string, ...months: readonly MonthOptions[]): void {
  const store = Store.open(dataDir);
  for (const month of months) store.apply(monthRows(month), []);
  store.close();
}
