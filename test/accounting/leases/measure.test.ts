/** Days out of the ledger: every share in the day it was found in, in zones of whole, half and quarter hours, whatever the period's ends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exact } from '../../../accounting/leases/exact.ts';
import { installedOn, measureDays, measureRanges } from '../../../accounting/leases/measure.ts';
import { isOfLease, type LedgerReader } from '../../../accounting/reader.ts';
import type { CreditedHourRow, CreditedMinuteRow, DeliveredHourRow, DeliveredMinuteRow, Rows } from '../../../accounting/rows.ts';
import { powerOfTwo, rationalOf, shareWorth } from '../../../accounting/worth.ts';
import { localDays, midnightMs } from '../../../config/calendar.ts';
import { parseInventory } from '../../../config/inventory.ts';
import { leaseIds } from '../../../proxy/session/leases.ts';

const MINUTE = 60_000;
const NBITS = 0x17023a04;
const SATS = 315_000_000;
const common = { site: 'north', lessee: 'nfx', pool: 'main' } as const;

interface Found {
  readonly atMs: number;
  readonly leases: string;
  readonly exponent: number;
  readonly forwarding: 'below-target' | 'forwarded' | 'no-link';
  readonly answer: 'accepted' | 'stale' | 'unanswered';
}

/** A ledger of these shares that refuses to be read outside the ranges that were announced. */
function readerOf(shares: readonly Found[], announced: ReturnType<typeof measureRanges>): LedgerReader {
  const deliveredMinute = shares.map(({ atMs, leases, exponent, forwarding }): DeliveredMinuteRow => ({ minute: Math.floor(atMs / MINUTE), ...common, link: 'l', leases, verdict: 'accepted', forwarding, exponent, nbits: NBITS, value: SATS, n: 1 }));
  const forwarded = shares.filter(({ forwarding }) => forwarding === 'forwarded');
  const creditedMinute = forwarded.map(({ atMs, leases, answer }): CreditedMinuteRow => ({
    minute: Math.floor(atMs / MINUTE), ...common, link: 'l', leases, verdict: answer === 'stale' ? 'rejected' : answer, reason: answer === 'stale' ? 'stale' : 'none', code: '', difficulty: '1.5', nbits: NBITS, value: SATS, n: 1,
  }));
  const tables: Partial<{ [T in keyof Rows]: readonly { [key: string]: unknown }[] }> = {
    delivered_minute: deliveredMinute as never,
    credited_minute: creditedMinute as never,
    delivered_hour: deliveredMinute.map(({ minute, leases, verdict, forwarding, exponent, n }): DeliveredHourRow => ({ hour: Math.floor(minute / 60), ...common, leases, verdict, forwarding, exponent, n, worth: shareWorth(powerOfTwo(exponent), NBITS, SATS) })) as never,
    credited_hour: creditedMinute.map(({ minute, leases, verdict, reason, difficulty, n }): CreditedHourRow => ({ hour: Math.floor(minute / 60), ...common, leases, verdict, reason, difficulty, n, worth: verdict === 'accepted' ? shareWorth(rationalOf(difficulty), NBITS, SATS) : 0n })) as never,
  };
  return {
    rows: (table, from, to, lease) => {
      if (!announced.some((range) => range.table === table && range.lease === lease && range.from <= from && to <= range.to)) throw new Error(`${table} ${from}-${to} was not announced`);
      return (tables[table] ?? []).filter((row) => {
        const bucket = Number(Object.values(row)[0]);
        return from <= bucket && bucket < to && (lease === undefined || isOfLease(row, lease));
      }) as never;
    },
  };
}

describe('measured days', () => {
  const anyPeriod = fc.record({
    zone: fc.constantFrom('UTC', 'America/Chicago', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe'),
    startMs: fc.integer({ min: Date.parse('2026-10-30') / 1000, max: Date.parse('2026-11-03') / 1000 }).map((seconds) => seconds * 1000),
    hours: fc.integer({ min: 1, max: 100 }),
  });
  const anyShare = fc.record({
    after: fc.nat(100 * 60), leases: fc.constantFrom('nfx', 'hosting,nfx', 'other', 'nfx-2', ''), exponent: fc.integer({ min: -3, max: 3 }),
    forwarding: fc.constantFrom('below-target' as const, 'forwarded' as const, 'no-link' as const), answer: fc.constantFrom('accepted' as const, 'stale' as const, 'unanswered' as const),
  });

  it('have each share of the lease once, in the day of its minute', () => {
    fc.assert(fc.property(anyPeriod, fc.array(anyShare, { maxLength: 60 }), ({ zone, startMs, hours }, drawn) => {
      const endMs = startMs + hours * 3_600_000;
      // A lease that begins within a minute has no shares before, and the ledger's leases column says so.
      const shares = drawn.map(({ after, ...share }) => ({ ...share, atMs: startMs + after * MINUTE + 500 })).filter(({ atMs }) => atMs < endMs);
      const days = localDays(startMs, endMs, zone);
      const measured = measureDays(readerOf(shares, measureRanges(days, 'nfx')), days, 'nfx', [], new Map());
      measured.forEach((day, index) => {
        const first = index === 0 ? -Infinity : Math.ceil(day.fromMs / MINUTE);
        const end = index === measured.length - 1 ? Infinity : Math.ceil(day.toMs / MINUTE);
        const mine = shares.filter(({ atMs, leases }) => leaseIds(leases).includes('nfx') && Math.floor(atMs / MINUTE) >= first && Math.floor(atMs / MINUTE) < end);
        expect([...day.shares.values()].reduce((a, b) => a + b, 0)).toBe(mine.length);
        expect(day.worth).toBe(mine.reduce((sum, { exponent }) => sum + shareWorth(powerOfTwo(exponent), NBITS, SATS), 0n));
        const forwarded = mine.filter(({ forwarding }) => forwarding === 'forwarded');
        const of = (answer: Found['answer']): bigint => BigInt(forwarded.filter((share) => share.answer === answer).length);
        expect([day.credited.difficulty, day.losses.poolStale, day.losses.poolOther]).toEqual([exact(3n * of('accepted'), 2n), exact(3n * of('stale'), 2n), exact(3n * of('unanswered'), 2n)]);
      });
    }));
  });

  it('read hours where days begin on the hour, and minutes only where they do not', () => {
    const month = (zone: string) => measureRanges(localDays(midnightMs('2026-11-01', zone), midnightMs('2026-12-01', zone), zone), 'nfx');
    expect(month('America/Chicago').map(({ table }) => table)).toEqual(['delivered_hour', 'credited_hour', 'unjournaled_minute', 'observed_minute']);
    const kolkata = month('Asia/Kolkata').filter(({ table }) => table === 'delivered_minute');
    expect(kolkata.reduce((minutes, { from, to }) => minutes + to - from, 0)).toBe(30 * 60);
  });

  it('have what is installed by the dated rows of the inventory', () => {
    const { rows } = parseInventory('serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to\na,,w,,m,100,1,,,2026-11-01,2026-11-02T12:00Z\nb,,w,,m,50.5,1,,,2026-11-02T12:00Z,\n');
    const days = localDays(Date.parse('2026-11-01'), Date.parse('2026-11-04'), 'UTC');
    expect(days.map((day) => installedOn(day, rows))).toEqual([exact(100n), exact(301n, 4n), exact(101n, 2n)]);
  });
});
