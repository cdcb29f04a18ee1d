/** Machines by hour: seen, available, silent and unlisted, in days of any length; and what a statement says of downtime. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeness } from '../../../accounting/leases/completeness.ts';
import { downtimes, unobserved } from '../../../accounting/leases/downtime.ts';
import { decimalText, exact, minus, total, ZERO, type Exact } from '../../../accounting/leases/exact.ts';
import { machinesOf, type HourView, type Machines } from '../../../accounting/leases/machines.ts';
import { installedOn } from '../../../accounting/leases/measure.ts';
import type { EndedHourRow, LeaseDayRow, ObservedMinuteRow } from '../../../accounting/rows.ts';
import { dateAt, localDays, midnightMs } from '../../../config/calendar.ts';
import { dayOf } from './contracts.ts';
import { parseInventory, type InventoryRow } from '../../../config/inventory.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ALWAYS: HourView = { isObserved: () => true, isExcused: () => false };

interface Work {
  readonly worker: string;
  /** Moments of shares of 2^`exponent`. */
  readonly atMs: readonly number[];
  readonly exponent: number;
}

/** As the fold makes them. */
function rowsOf(works: readonly Work[], zone: string): LeaseDayRow[] {
  const rows = new Map<string, LeaseDayRow>();
  for (const { worker, atMs, exponent } of works) {
    for (const ms of atMs) {
      const date = dateAt(ms, zone);
      const day = Date.parse(date) / DAY;
      const key = `${day} ${worker} ${exponent}`;
      const row = rows.get(key) ?? { day, lease: 'a', worker, exponent, n: 0, first_ms: ms, last_ms: ms, slots: 0n };
      const slot = BigInt(Math.floor((ms - midnightMs(date, zone)) / HOUR));
      rows.set(key, { ...row, n: row.n + 1, first_ms: Math.min(row.first_ms, ms), last_ms: Math.max(row.last_ms, ms), slots: row.slots + (1n << (32n * slot)) });
    }
  }
  return [...rows.values()].toSorted((a, b) => a.day - b.day || (a.worker < b.worker ? -1 : 1));
}

const inventoryOf = (...lines: readonly string[]): readonly InventoryRow[] => {
  const { rows, problems } = parseInventory(['serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to', ...lines].join('\n'));
  expect(problems).toEqual([]);
  return rows;
};
const everyMinute = (fromMs: number, toMs: number): number[] => Array.from({ length: Math.ceil((toMs - fromMs) / 60_000) }, (_, minute) => fromMs + minute * 60_000 + 1000);
const text = (value: Exact | undefined): string => decimalText(value ?? ZERO, 3);

describe('machines of a lease', () => {
  const fromMs = Date.parse('2026-11-10T00:00Z');
  const days = localDays(fromMs, fromMs + 2 * DAY, 'UTC');
  // A share of 2^16 each minute is 4.7 TH/s.
  const plate = (worker: string, th: number, dates = '2026-11-01,'): string => `SN-${worker},,${worker},north,m,${th},1,,,${dates}`;

  it('are said to be judged by few shares where they are', () => {
    const notes = (shares: number): string[] => {
      const [day] = days;
      if (day === undefined) throw new Error('there are two');
      return completeness([], [dayOf(day, { shares: new Map([[16, shares]]) })], { days: [{ seen: undefined, slots: 24, available: 20 }], stretches: [], unlisted: [], silent: [] }, 6).filter((note) => note.includes('shares an hour'));
    };
    expect(notes(30 * 20)).toEqual([]);
    expect(notes(22)).toEqual(['A machine that worked found about 1.1 shares an hour: with so few, availability and hours without a share are partly chance. The work of the lease is not.']);
  });

  it('are seen in the hours in which they find a share, and available where they reach half of their plate', () => {
    const inventory = inventoryOf(plate('a.1', 4), plate('a.2', 40));
    const rows = rowsOf([{ worker: 'a.1', exponent: 16, atMs: everyMinute(fromMs, fromMs + 36 * HOUR) }, { worker: 'a.2', exponent: 16, atMs: everyMinute(fromMs, fromMs + 2 * DAY) }], 'UTC');
    const { days: found, stretches, silent, unlisted } = machinesOf(rows, days, 'UTC', inventory, ALWAYS);
    expect(found.map(({ seen, slots, available }) => [text(seen), slots, available])).toEqual([['44.000', 48, 24], ['42.000', 48, 12]]);
    expect(stretches).toEqual([{ fromMs: fromMs + 36 * HOUR, toMs: fromMs + 2 * DAY, workers: ['a.1'], lastMs: [fromMs + 36 * HOUR - 59_000, fromMs + 36 * HOUR - 59_000] }]);
    expect([silent, unlisted]).toEqual([[], []]);
  });

  it('owe nothing in hours that are excused or that nobody observed', () => {
    const inventory = inventoryOf(plate('a.1', 4));
    const rows = rowsOf([{ worker: 'a.1', exponent: 16, atMs: everyMinute(fromMs, fromMs + 10 * HOUR) }], 'UTC');
    const view: HourView = { isObserved: (from) => from >= fromMs + 2 * HOUR, isExcused: (from) => from >= fromMs + DAY };
    expect(machinesOf(rows, days, 'UTC', inventory, view).days.map(({ slots, available }) => [slots, available])).toEqual([[22, 8], [0, 0]]);
  });

  it('are named where inventory and names do not agree', () => {
    const inventory = inventoryOf(plate('a.1', 4), plate('a.2', 4), plate('a.3', 4, '2026-11-10,2026-11-11'));
    const rows = rowsOf([
      { worker: 'a.1', exponent: 16, atMs: everyMinute(fromMs, fromMs + HOUR) }, { worker: 'stranger', exponent: 16, atMs: everyMinute(fromMs + DAY, fromMs + DAY + HOUR) },
      { worker: 'a.3', exponent: 16, atMs: everyMinute(fromMs + DAY, fromMs + DAY + HOUR) },
    ], 'UTC');
    const { silent, unlisted } = machinesOf(rows, days, 'UTC', inventory, ALWAYS);
    expect(silent.map(({ serial }) => serial)).toEqual(['SN-a.2', 'SN-a.3']);
    expect(unlisted.map(({ worker, from, delivered }) => [worker, from, text(delivered)])).toEqual([['a.3', '2026-11-11', '0.195'], ['stranger', '2026-11-11', '0.195']]);
  });

  it('are known by their names alone without an inventory', () => {
    const rows = rowsOf([{ worker: 'a.1', exponent: 16, atMs: everyMinute(fromMs + HOUR, fromMs + 3 * HOUR) }], 'UTC');
    const { days: found, stretches, unlisted } = machinesOf(rows, days, 'UTC', undefined, ALWAYS);
    expect(found.map(({ seen, slots }) => [seen, slots])).toEqual([[undefined, 0], [undefined, 0]]);
    expect(stretches.map(({ fromMs: from, toMs }) => [from, toMs])).toEqual([[fromMs + 3 * HOUR, fromMs + 2 * DAY]]);
    expect(unlisted).toEqual([]);
  });

  it('that move to another place, or are swapped, are what their rows say at each hour', () => {
    const inventory = inventoryOf('A,,w,north,m,100,1,,,2026-11-01,2026-11-10T12:00Z', 'B,,w,south,m,50,1,,,2026-11-10T12:00Z,');
    const rows = rowsOf([{ worker: 'w', exponent: 21, atMs: everyMinute(fromMs, fromMs + 2 * DAY) }], 'UTC');
    const { days: found, silent } = machinesOf(rows, days, 'UTC', inventory, ALWAYS);
    expect(found.map(({ seen, available }) => [text(seen), available])).toEqual([['75.000', 24], ['50.000', 24]]);
    expect(silent).toEqual([]);
  });

  it('that work all the time are seen for exactly what is installed, in any zone, term and month', () => {
    const anyPeriod = fc.record({
      zone: fc.constantFrom('UTC', 'America/Chicago', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Europe/Oslo'),
      startMs: fc.constantFrom('2026-10-31T20:31:17Z', '2026-11-01T00:00Z', '2027-03-13T12:00Z', '2028-02-27T23:59:59Z', '2026-10-03T11:00Z').map((at) => Date.parse(at)),
      hours: fc.integer({ min: 1, max: 60 }),
      plates: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 4 }),
    });
    fc.assert(fc.property(anyPeriod, ({ zone, startMs, hours, plates }) => {
      const period = localDays(startMs, startMs + hours * HOUR, zone);
      const inventory = inventoryOf(...plates.map((th, index) => `S${index},,w.${index % 2},n,m,${th},1,,,2026-01-01,`));
      const shares = [...Array.from({ length: hours * 6 }, (_, ten) => startMs + ten * 600_000), startMs + hours * HOUR - 1];
      const rows = rowsOf(['w.0', 'w.1'].map((worker) => ({ worker, exponent: 40, atMs: shares })), zone);
      const { days: found, stretches } = machinesOf(rows, period, zone, inventory, ALWAYS);
      expect(found.map(({ seen }) => seen)).toEqual(period.map((day) => installedOn(day, inventory)));
      expect(found.every(({ slots, available }) => slots === available)).toBe(true);
      expect(stretches).toEqual([]);
    }), { numRuns: 60 });
  });

  it('are silent for as long as they find nothing: hours with and without shares add up', () => {
    const pattern = fc.array(fc.boolean(), { minLength: 48, maxLength: 48 });
    fc.assert(fc.property(pattern, fc.constantFrom('UTC', 'America/Chicago'), (works, zone) => {
      const shares = works.flatMap((on, hour) => (on ? [fromMs + hour * HOUR + 5] : []));
      const rows = rowsOf([{ worker: 'w', exponent: 40, atMs: shares }], zone);
      const { stretches, silent }: Machines = machinesOf(rows, localDays(fromMs, fromMs + 2 * DAY, zone), zone, inventoryOf('S,,w,n,m,1,1,,,2026-01-01,'), ALWAYS);
      const silentHours = stretches.reduce((sum, { fromMs: from, toMs }) => sum + (toMs - from) / HOUR, 0);
      const never = shares.length === 0;
      expect([silentHours, silent.length]).toEqual(never ? [0, 1] : [works.filter((on) => !on).length, 0]);
    }), { numRuns: 60 });
  });
});

describe('downtime', () => {
  const fromMs = Date.parse('2026-11-10T00:00Z');

  it('is unmeasured from the last pulse of a process to the first of any', () => {
    const row = (minute: number, from = 0, to = 60_000, process = '01234567'): ObservedMinuteRow =>
      ({ minute: fromMs / 60_000 + minute, process, observed_ms: to - from, first_ms: fromMs + minute * 60_000 + from, last_ms: fromMs + minute * 60_000 + to });
    const hour = { fromMs, toMs: fromMs + HOUR };
    const whole = (from: number, to: number): ObservedMinuteRow[] => Array.from({ length: to - from }, (_, index) => row(from + index));
    // It stopped 20 s into minute 10; the next ran from 45.5 s of minute 12 on.
    const rows = [...whole(0, 10), row(10, 0, 20_000), row(12, 45_500, 60_000, '89abcdef'), ...whole(13, 60)];
    expect(unobserved(rows, hour)).toEqual([{ fromMs: fromMs + 620_000, toMs: fromMs + 765_500 }]);
    // Another beside it saw the rest of minute 10 and the first half of 12.
    expect(unobserved([...rows, row(10, 15_000, 60_000, '89abcdef'), row(12, 0, 30_000, '00000000')], hour)).toEqual([
      { fromMs: fromMs + 660_000, toMs: fromMs + 720_000 }, { fromMs: fromMs + 750_000, toMs: fromMs + 765_500 },
    ]);
    // A restart of some seconds is no gap, nor is the second before the first pulse.
    expect(unobserved([...whole(0, 10), row(10, 0, 20_000), row(10, 29_900, 60_000, '89abcdef'), ...whole(11, 59), row(59, 0, 59_100)], hour)).toEqual([]);
    expect(unobserved([], hour)).toEqual([hour]);
    expect(unobserved(whole(0, 60), { fromMs: fromMs + HOUR / 2, toMs: fromMs + HOUR + 30_000 })).toEqual([{ fromMs: fromMs + HOUR, toMs: fromMs + HOUR + 30_000 }]);
  });

  it('has what was observed in one column and what was stated in the other, and guesses no cause', () => {
    const stretch = { fromMs, toMs: fromMs + 8 * HOUR, workers: ['a.1', 'a.2', 'a.3', 'a.4', 'a.5', 'a.6'], lastMs: [fromMs - 50_000, fromMs - 2000] as const };
    const ended: EndedHourRow[] = [
      { hour: fromMs / HOUR, what: 'session', site: 'n', leases: 'x', pool: '', reason: 'read ECONNRESET', n: 6, first_ms: fromMs + 2000, last_ms: fromMs + 9000 },
      { hour: fromMs / HOUR + 20, what: 'session', site: 'n', leases: 'x', pool: '', reason: 'idle', n: 1, first_ms: fromMs + 20 * HOUR, last_ms: fromMs + 20 * HOUR },
      { hour: fromMs / HOUR + 30, what: 'link', site: '', leases: '', pool: 'main', reason: 'the pool was silent', n: 2, first_ms: fromMs + 30 * HOUR, last_ms: fromMs + 30 * HOUR + 60_000 },
    ];
    const stated = [{ fromMs: fromMs + HOUR, toMs: fromMs + 2 * HOUR, what: 'curtailed' as const, by: 'nfx', reason: 'grid dispatch', document: 'd.pdf' }];
    const { list, notes } = downtimes([{ fromMs: fromMs - HOUR, toMs: fromMs - HOUR / 2 }], [stretch], ended, stated, (party) => `${party} Inc`);
    expect(list.map(({ observed, stated: said }) => [observed, said])).toEqual([
      ['No proxy process observed: unmeasured.', ''],
      ['6 names found no share: a.1, a.2, a.3 and 3 more; last shares 23:59:10 to 23:59:58 UTC; 6 sessions of the lease ended 00:00:02 to 00:00:09 UTC (read ECONNRESET).', 'curtailed, by nfx Inc: grid dispatch (d.pdf)'],
      ['Pool main: 2 links ended (the pool was silent).', ''],
    ]);
    expect(notes).toEqual([]);
  });

  it('lists the longest and says what it leaves out', () => {
    const stretches = Array.from({ length: 50 }, (_, index) => ({ fromMs: fromMs + index * 2 * HOUR, toMs: fromMs + index * 2 * HOUR + HOUR, workers: index < 35 ? ['a', 'b'] : ['c'], lastMs: undefined }));
    const { list, notes } = downtimes([], stretches, [], [], String);
    expect(list).toHaveLength(30);
    expect(notes).toEqual(['20 shorter stretches without a share, 25 machine-hours in all, are not listed.']);
  });
});

it('the plates of all machines are more than those seen', () => {
  const days = localDays(Date.parse('2026-11-10'), Date.parse('2026-11-12'), 'UTC');
  const inventory = inventoryOf('A,,w,n,m,100,1,,,2026-11-01,');
  const { days: found } = machinesOf([], days, 'UTC', inventory, ALWAYS);
  expect(minus(total(days.map((day) => installedOn(day, inventory))), total(found.map(({ seen }) => seen ?? ZERO)))).toEqual(exact(200n));
});
