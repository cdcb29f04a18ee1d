/** Valuation is exact: nothing is lost between payers and payees, days are as long as they are, and rounding is by rule. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localDays, midnightMs } from '../../../config/calendar.ts';
import { decimal, decimalText, exact, floor, halfEven, largestRemainder, minorText, minus, over, percentage, plus, squareRoot, times, total, ZERO, type Exact } from '../../../accounting/leases/exact.ts';
import { excusedTime, msWithin, without, type Statement } from '../../../accounting/leases/excused.ts';
import { noise, quantities, rateTerahashDays, terahashDays, type LeaseDay } from '../../../accounting/leases/quantities.ts';
import { valueLease } from '../../../accounting/leases/valuation.ts';
import { seededRandom } from '../../../config/world.ts';
import { anyLease, anyWork, dayOf, emptyDays, leaseOf } from './contracts.ts';

const NONE = excusedTime([], 0, []);
const HOUR = 3_600_000;
const text = (value: Exact, places = 6): string => decimalText(value, places);

/** Days of a month with a part of the contracted work delivered each, as so many shares of difficulty `2^exponent`. */
function month(lease: ReturnType<typeof leaseOf>, from: string, to: string, partOf: (index: number) => number) {
  const days = emptyDays(lease, midnightMs(from, lease.timezone), midnightMs(to, lease.timezone));
  return days.map((day, index) => {
    const perShare = terahashDays(exact(1n << 16n));
    const n = floor(over(rateTerahashDays(lease.contracted, day.toMs - day.fromMs), perShare));
    return { ...day, shares: new Map([[16, Math.round(Number(n) * partOf(index))]]) };
  });
}

describe('exact arithmetic', () => {
  it('rounds half to even, floors towards minus infinity', () => {
    expect([1n, 3n, 5n, -1n, -3n, -5n].map((n) => halfEven(exact(n, 2n)))).toEqual([0n, 2n, 2n, 0n, -2n, -2n]);
    expect(halfEven(exact(26n, 10n))).toBe(3n);
    expect([exact(-1n, 3n), exact(1n, 3n), exact(-2n)].map(floor)).toEqual([-1n, 0n, -2n]);
    expect([minorText(-5n, 2), minorText(123_456n, 2), minorText(7n, 0)]).toEqual(['-0.05', '1234.56', '7']);
    expect(decimalText(decimal('-12.345'), 2)).toBe('-12.34');
    expect(() => decimal('1e3')).toThrow('is not a decimal number');
    expect(() => exact(1n, 0n)).toThrow('is no number');
  });

  it('agrees with rationals reduced by hand', () => {
    fc.assert(fc.property(fc.bigInt(-1000n, 1000n), fc.bigInt(1n, 999n), fc.bigInt(-1000n, 1000n).filter((n) => n !== 0n), fc.bigInt(1n, 999n), (a, b, c, d) => {
      expect(times(exact(a, b), exact(c, d))).toEqual(exact(a * c, b * d));
      expect(minus(plus(exact(a, b), exact(c, d)), exact(c, d))).toEqual(exact(a, b));
      expect(times(over(exact(a, b), exact(c, d)), exact(c, d))).toEqual(exact(a, b));
    }));
  });

  it('gives what division leaves to the largest remainders', () => {
    expect(largestRemainder(10n, [exact(10n, 3n), exact(10n, 3n), exact(10n, 3n)])).toEqual([4n, 3n, 3n]);
    expect(largestRemainder(7n, [exact(5n, 4n), exact(23n, 4n)])).toEqual([1n, 6n]);
    expect(() => largestRemainder(7n, [exact(5n)])).toThrow('divide all of it');
    fc.assert(fc.property(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 8 }), fc.bigInt(0n, 10n ** 20n), (weights, whole) => {
      const sum = BigInt(weights.reduce((a, b) => a + b, 0) + 1);
      const parts = [...weights.map((weight) => exact(BigInt(weight) * whole, sum)), exact(whole, sum)];
      const divided = largestRemainder(whole, parts);
      expect(divided.reduce((a, b) => a + b, 0n)).toBe(whole);
      divided.forEach((n, index) => expect(Math.abs(Number(minus(exact(n), parts[index] ?? ZERO).numerator))).toBeLessThan(Number(minus(exact(n), parts[index] ?? ZERO).denominator)));
    }));
  });

  it('takes whole roots', () => {
    fc.assert(fc.property(fc.bigInt(0n, 1n << 200n), (n) => {
      const root = squareRoot(n);
      expect(root * root <= n && (root + 1n) * (root + 1n) > n).toBe(true);
    }));
  });
});

describe('quantities', () => {
  it('bill a day of 25 hours as 25/24, one of 23 as 23/24', () => {
    const lease = leaseOf();
    const lines = (from: string, to: string) => valueLease(lease, emptyDays(lease, midnightMs(from, lease.timezone), midnightMs(to, lease.timezone)), NONE, ZERO).lines;
    expect(lines('2026-11-01', '2026-11-03').map(({ quantity, amount }) => [text(quantity), amount])).toEqual([['104.166667', 521n], ['100.000000', 500n]]);
    expect(lines('2027-03-14', '2027-03-15').map(({ quantity, amount }) => [text(quantity), amount])).toEqual([['95.833333', 479n]]);
  });

  it('are 1 TH·day for 1 TH/s over 86,400 seconds', () => {
    expect(rateTerahashDays('1000000000000', 86_400_000)).toEqual(exact(1n));
    // c·d hashes over 8.64e16.
    expect(terahashDays(exact(65_535n))).toEqual(exact(1n << 48n, 86_400n * 10n ** 12n));
  });

  it('count a term that begins within a minute to the millisecond', () => {
    const lease = leaseOf({ timezone: 'UTC' });
    const fromMs = Date.parse('2026-11-03T10:20:30.500Z');
    const days = emptyDays(lease, fromMs, Date.parse('2026-11-05T00:00:00Z'));
    const { days: counted } = quantities(lease, days, NONE, ZERO);
    expect(total(counted.map(({ contracted }) => contracted))).toEqual(rateTerahashDays(lease.contracted, Date.parse('2026-11-05T00:00:00Z') - fromMs));
  });

  it('have 29 days in the February of a leap year, and every month its hours', () => {
    for (const zone of ['America/Chicago', 'Europe/Oslo', 'Australia/Lord_Howe', 'Asia/Kolkata']) {
      const lease = leaseOf({ timezone: zone, contracted: '1 TH/s' });
      for (let at = 0; at < 12; at += 1) {
        const from = `2028-${String(at + 1).padStart(2, '0')}-01`;
        const to = at === 11 ? '2029-01-01' : `2028-${String(at + 2).padStart(2, '0')}-01`;
        const [fromMs, toMs] = [midnightMs(from, zone), midnightMs(to, zone)];
        const { days } = quantities(lease, emptyDays(lease, fromMs, toMs), NONE, ZERO);
        expect(days).toHaveLength(new Date(Date.UTC(2028, at + 1, 0)).getUTCDate());
        expect(total(days.map(({ owed }) => owed))).toEqual(exact(BigInt(toMs - fromMs), 86_400_000n));
      }
    }
  });

  it('take off what the performer bears, and add what he does not on the basis of credit', () => {
    const [day] = emptyDays(leaseOf({ timezone: 'UTC' }), 0, 86_400_000);
    if (day === undefined) throw new Error('a day has a day');
    const work = { ...day, shares: new Map([[0, 1000]]), worth: 1000n * 10n ** 18n, credited: { difficulty: exact(900n), worth: 900n * 10n ** 18n }, losses: { poolStale: exact(50n), poolOther: exact(30n), noPool: exact(20n), unjournaled: exact(7n) } };
    const settled = (over: Record<string, unknown>): [string, bigint] => {
      const [found] = quantities(leaseOf({ timezone: 'UTC', ...over }), [work], NONE, ZERO).days;
      return [decimalText(over === undefined ? ZERO : over ? (found ? divideByUnit(found.settled) : ZERO) : ZERO, 3), (found?.worth ?? 0n) / 10n ** 18n];
    };
    const divideByUnit = (value: Exact): Exact => over(value, terahashDays(exact(1n)));
    // The lessee performs and keeps the value: he bears all losses, so the value shared out keeps them.
    expect(settled({})).toEqual(['900.000', 1000n]);
    expect(settled({ lossBorneBy: { poolStale: 'lessor', unjournaled: 'lessor' } })).toEqual(['957.000', 950n]);
    expect(settled({ basis: 'credited' })).toEqual(['900.000', 1000n]);
    expect(settled({ basis: 'credited', lossBorneBy: { noPool: 'lessor' } })).toEqual(['920.000', 980n]);
  });

  it('stop being billed above contract, are made up for within the period, and are carried', () => {
    const lease = leaseOf({ timezone: 'UTC', rent: [{ delivered: '1 USD/TH/day', payer: 'nfx', payee: 'acme' }], overDelivery: { upTo: '5%', then: 'carry' } });
    const days = month(lease, '2026-11-02', '2026-11-06', (index) => [1.2, 0.9, 1.1, 1.2][index] ?? 0);
    const { days: counted, carriedOut } = quantities(lease, days, NONE, ZERO);
    expect(counted.map(({ billable }) => text(billable, 1))).toEqual(['105.0', '105.0', '105.0', '105.0']);
    expect(text(carriedOut, 1)).toBe('20.0');
    const [first] = quantities(lease, days.slice(0, 1).map((day) => ({ ...day, shares: new Map() })), NONE, carriedOut).days;
    expect(text(first?.billable ?? ZERO, 1)).toBe('20.0');
    const free = leaseOf({ ...{ timezone: 'UTC', overDelivery: { upTo: '5%', then: 'free' } } });
    expect(quantities(free, days, NONE, ZERO).carriedOut).toEqual(ZERO);
  });
});

describe('excused time', () => {
  const at = (day: number, hours: number, what: Statement['what'] = 'curtailed'): Statement => ({
    fromMs: day * 24 * HOUR, toMs: day * 24 * HOUR + hours * HOUR, what, by: 'nfx', reason: 'dispatch', document: '',
  });

  it('counts each hour once, up to the cap of each year of the contract, and suspension before curtailment', () => {
    const excused = excusedTime([at(1, 10), at(1, 12), at(2, 10), at(400, 5), at(2, 2, 'suspended')], 15 * HOUR, [0, 365 * 24 * HOUR]);
    expect(excused.curtailed).toEqual([{ fromMs: 24 * HOUR, toMs: 36 * HOUR }, { fromMs: 50 * HOUR, toMs: 53 * HOUR }, { fromMs: 9600 * HOUR, toMs: 9605 * HOUR }]);
    expect(excused.beyondCap).toEqual([{ fromMs: 53 * HOUR, toMs: 58 * HOUR }]);
  });

  it('is not owed, and is due or not as the contract says', () => {
    const spans = { curtailed: [{ fromMs: 0, toMs: 6 * HOUR }], beyondCap: [], suspended: [{ fromMs: 12 * HOUR, toMs: 18 * HOUR }] };
    const [day] = quantities(leaseOf({ timezone: 'UTC', curtailment: { annualCapHours: 100, rent: 'due', creditTo: 'acme' } }), emptyDays(leaseOf({ timezone: 'UTC' }), 0, 24 * HOUR), spans, ZERO).days;
    expect([text(day?.owed ?? ZERO), text(day?.due ?? ZERO)]).toEqual(['50.000000', '75.000000']);
    const [other] = quantities(leaseOf({ timezone: 'UTC' }), emptyDays(leaseOf({ timezone: 'UTC' }), 0, 24 * HOUR), spans, ZERO).days;
    expect(text(other?.due ?? ZERO)).toBe('50.000000');
  });
});

describe('service credits', () => {
  const service = { target: '95%', creditPerPoint: '10%', of: 'fixed', cap: '50%' };
  const credited = (over: Record<string, unknown>, part: (index: number) => number) => {
    const lease = leaseOf({ timezone: 'UTC', service: { ...service, ...over } });
    const valued = valueLease(lease, month(lease, '2026-11-02', '2026-11-12', part), NONE, ZERO);
    return { valued, credits: valued.lines.filter(({ component }) => component === 'serviceCredit') };
  };

  it('are a part of the rent for each point below target, beyond what chance excuses', () => {
    const { valued, credits } = credited({}, () => 0.92);
    const [measure] = valued.service;
    // 10 days of 100 TH/s in shares of 2^16 are some 300,000 shares: 2.6/√n is 0.5 %, below the cap of 20 shares a minute.
    expect(text(measure?.ratio ?? ZERO, 4)).toBe('0.9200');
    expect(Number(text(measure?.noise ?? ZERO, 5))).toBeCloseTo(2.6 / Math.sqrt(282_500), 3);
    const points = 100 * (0.95 - 0.92 * (1 + Number(text(measure?.noise ?? ZERO, 9))));
    expect(credits).toHaveLength(1);
    expect(credits[0]).toMatchObject({ payer: 'nfx', payee: 'acme', currency: 'USD', date: '' });
    expect(Number(credits[0]?.amount)).toBeCloseTo(50_00 * points * 0.1, -1);
  });

  it('are none within the noise, whole points with step points, and never above the cap', () => {
    expect(credited({}, () => 0.949).credits).toEqual([]);
    expect(credited({ step: 'points' }, () => 0.92).credits[0]?.amount).toBe(1000n);
    expect(credited({}, () => 0.2).credits[0]?.amount).toBe(2500n);
  });

  it('let a good day make up for a bad one unless the contract says otherwise, or counts by day', () => {
    const uneven = (index: number): number => (index % 2 === 0 ? 1.1 : 0.8);
    expect(credited({}, uneven).credits).toEqual([]);
    expect(credited({ offset: false }, uneven).credits).toHaveLength(1);
    expect(credited({ per: 'day' }, uneven).credits).toHaveLength(5);
  });

  it('run against the performer, whichever side of the rent he is on', () => {
    const lease = leaseOf({ kind: 'hosting', timezone: 'UTC', rent: [{ hosting: '0.07 USD/kWh', efficiency: '20 J/TH', payer: 'acme', payee: 'nfx' }], service: { ...service, of: 'hosting' } });
    const credit = valueLease(lease, month(lease, '2026-11-02', '2026-11-12', () => 0.5), NONE, ZERO).lines.at(-1);
    expect(credit).toMatchObject({ component: 'serviceCredit', payer: 'nfx', payee: 'acme' });
  });

  it.each([
    ['what the pool credits at its own difficulty', { basis: 'credited' }, 3000],
    ['what the pool refused, at its own difficulty', {}, 3000],
    ['what the machines found, where refusals are the loss of the lessor', { lossBorneBy: { poolStale: 'lessor' } }, 4000],
  ] as const)('hardly ever punish an honest performer for chance in %s', (_, over, settledOnAverage) => {
    const random = seededRandom(7);
    const about = (mean: number): number => Math.round(mean + Math.sqrt(mean) * Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction()));
    // Shares of difficulty 1. On a day 4000 of them meet the pool's 64 on average, and 1000 of those are refused. Owed is what is settled on average.
    const hashes = (BigInt(settledOnAverage * 64) * 2n ** 48n) / 65_535n;
    const lease = { ...leaseOf({ timezone: 'UTC', minSharesPerMinute: 1, service: { ...service, target: '100%' }, ...over }), contracted: String(hashes / 86_400n) };
    const losses = { poolOther: ZERO, noPool: ZERO, unjournaled: ZERO };
    let punished = 0;
    for (let run = 0; run < 1000; run += 1) {
      const [accepted, stale, below] = [about(3000), about(1000), about(4000 * 63)];
      const [day] = emptyDays(lease, midnightMs('2026-11-02', 'UTC'), midnightMs('2026-11-03', 'UTC'));
      if (day === undefined) throw new Error('a day has a day');
      const work: LeaseDay = {
        ...day, shares: new Map([[0, accepted + stale + below]]), credited: { difficulty: exact(BigInt(accepted * 64)), worth: 0n }, losses: { ...losses, poolStale: exact(BigInt(stale * 64)) },
        squares: { credited: exact(BigInt(accepted * 64 * 64)), losses: { ...losses, poolStale: exact(BigInt(stale * 64 * 64)) } },
      };
      if ((valueLease(lease, [work], NONE, ZERO).service[0]?.points.numerator ?? 0n) > 0n) punished += 1;
    }
    // 2.6 standard deviations: one in two hundred.
    expect(punished).toBeLessThan(12);
    expect(punished).toBeGreaterThan(0);
  });

  it('hardly ever punish an honest performer whose good days make up for no bad ones', () => {
    const random = seededRandom(11);
    const lease = leaseOf({ timezone: 'UTC', service: { ...service, target: '100%', offset: false } });
    const days = month(lease, '2026-11-02', '2026-12-02', () => 1);
    const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction());
    let punished = 0;
    for (let run = 0; run < 200; run += 1) {
      const lucky = days.map((day) => ({ ...day, shares: new Map([...day.shares].map(([exponent, n]) => [exponent, Math.round(n + Math.sqrt(n) * gaussian())])) }));
      if ((valueLease(lease, lucky, NONE, ZERO).service[0]?.points.numerator ?? 0n) > 0n) punished += 1;
    }
    expect(punished).toBeLessThan(4);
    // Of who never delivers more than is owed nothing is cut off, and nothing more excused.
    const below = month(lease, '2026-11-02', '2026-12-02', () => 0.9);
    const offsetting = leaseOf({ timezone: 'UTC', service: { ...service, target: '100%', offset: true } });
    expect(valueLease(lease, below, NONE, ZERO).service[0]?.noise).toEqual(valueLease(offsetting, below, NONE, ZERO).service[0]?.noise);
    // And one who is a little short still is.
    const short = days.map((day) => ({ ...day, shares: new Map([...day.shares].map(([exponent, n]) => [exponent, Math.round(n * 0.99)])) }));
    expect(valueLease(lease, short, NONE, ZERO).service[0]?.points.numerator).toBeGreaterThan(0n);
  });

  it('excuse chance by no more than the promised number of shares would', () => {
    const of = (exponent: number, n: number): Exact => noise(exact(BigInt(n) << BigInt(exponent)), exact(BigInt(n) << BigInt(2 * exponent)), 20, 86_400_000);
    expect(text(of(40, 4), 5)).toBe(text(exact(BigInt(Math.floor((2.6 / Math.sqrt(28_800)) * 1e6)), 1_000_000n), 5));
    expect(text(of(10, 40_000), 4)).toBe('0.0130');
    expect(noise(ZERO, ZERO, 20, 0)).toEqual(ZERO);
  });
});

describe('conservation', () => {
  const anyMonth = fc.record({ lease: anyLease, startDay: fc.integer({ min: 20_000, max: 23_000 }), offsetMs: fc.nat(86_399_999), days: fc.integer({ min: 1, max: 12 }), carried: fc.nat(50) });
  const anyGaps = fc.array(fc.tuple(fc.nat(12 * 24 * 60), fc.nat(40 * 60)), { maxLength: 4 });
  const anyStated = fc.array(fc.tuple(fc.nat(12 * 24), fc.nat(48), fc.constantFrom('curtailed' as const, 'suspended' as const)), { maxLength: 4 });

  it('taxes a payment and its service credit at the rate that is stated, each line half-even, and nothing else', () => {
    const lease = leaseOf({
      timezone: 'UTC', rent: [{ fixed: '0.0333 USD/TH/day', tax: '8.25%', payer: 'nfx', payee: 'acme' }, { delivered: '0.01 USD/TH/day', payer: 'nfx', payee: 'acme' }],
      service: { target: '95%', creditPerPoint: '1%', of: 'fixed', cap: '50%' },
    });
    const { lines } = valueLease(lease, month(lease, '2026-11-02', '2026-11-04', () => 0.5), NONE, ZERO);
    // 3.33 a day, 8.25 % of it is 0.274725; the ratio is 45 points short of 95 %, so 44.x % of 6.66 are credited.
    expect(lines.map(({ date, component, unitPrice, amount }) => [date, component, unitPrice, amount])).toEqual([
      ['2026-11-02', 'fixed', '0.0333', 333n], ['2026-11-02', 'tax', '8.25% of fixed', 27n], ['2026-11-02', 'delivered', '0.01', 50n],
      ['2026-11-03', 'fixed', '0.0333', 333n], ['2026-11-03', 'tax', '8.25% of fixed', 27n], ['2026-11-03', 'delivered', '0.01', 50n],
      ['', 'serviceCredit', '1% of fixed up to 50%', expect.any(BigInt)], ['', 'tax', '8.25% of serviceCredit', expect.any(BigInt)],
    ]);
    const [credit, tax] = lines.slice(-2).map(({ amount }) => Number(amount));
    expect(credit).toBeGreaterThan(285);
    expect(tax).toBe(Math.round((credit ?? 0) * 0.0825));
  });

  it('holds over random contracts: entries add up to zero in each currency, values and lines to what was divided', () => {
    fc.assert(
      fc.property(anyMonth, anyStated, anyGaps, fc.array(anyWork, { minLength: 14, maxLength: 14 }), ({ lease, startDay, offsetMs, days, carried }, stated, gaps, work) => {
        const fromMs = startDay * 86_400_000 + offsetMs;
        const calendar = localDays(fromMs, fromMs + days * 86_400_000, lease.timezone);
        const statements = stated.map(([from, hours, what]) => ({ fromMs: fromMs + from * HOUR, toMs: fromMs + (from + hours) * HOUR, what, by: 'nfx', reason: 'r', document: '' }));
        const excused = excusedTime(statements, (lease.curtailment?.annualCapHours ?? 0) * HOUR, [0]);
        const unmeasured = without(gaps.map(([from, minutes]) => ({ fromMs: fromMs + from * 60_000, toMs: fromMs + (from + minutes) * 60_000 })), [...excused.curtailed, ...excused.suspended]);
        const measured = calendar.map((day, index) => dayOf(day, { ...work[index], unmeasuredMs: msWithin(unmeasured, day.fromMs, day.toMs) }));
        const valued = valueLease(lease, measured, excused, exact(BigInt(carried)));
        // What is contracted is owed or excused, and each moment is excused for one reason only.
        for (const day of valued.days) {
          const excusedWork = rateTerahashDays(lease.contracted, day.curtailedMs + day.suspendedMs + day.unmeasuredMs);
          expect(plus(day.owed, excusedWork)).toEqual(day.contracted);
          expect(day.owed.numerator >= 0n).toBe(true);
          expect(lease.unmeasured === 'excused' || day.unmeasuredMs === 0).toBe(true);
        }
        // Fixed rent does not depend on who observed; neither does anything else where the performer bears it.
        const observed = valueLease(lease, measured.map((day) => ({ ...day, unmeasuredMs: 0 })), excused, exact(BigInt(carried)));
        expect(valued.days.map(({ due }) => due)).toEqual(observed.days.map(({ due }) => due));
        expect(valued.lines.filter(({ component }) => component === 'fixed')).toEqual(observed.lines.filter(({ component }) => component === 'fixed'));
        expect(lease.unmeasured === 'excused' ? observed : valued).toEqual(observed);

        for (const currency of new Set(valued.entries.map((entry) => entry.currency))) {
          expect(valued.entries.filter((entry) => entry.currency === currency).reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n);
        }
        for (const { amount } of valued.lines) expect(amount >= 0n).toBe(true);
        const worth = valued.days.reduce((sum, day) => sum + day.worth, 0n);
        expect(valued.value).toBe(worth / 10n ** 9n);
        const claims = valued.lines.filter(({ component }) => component === 'revenueShare').reduce((sum, { amount }) => sum + amount, 0n);
        expect(claims <= valued.value).toBe(true);
        // Every part is within one nano-satoshi a day of what the contract says.
        const due = total(lease.rent.map((rent) => times(exact(valued.value), times(percentage(rent.revenueShare ?? '0'), minus(exact(1n), percentage(rent.poolFee ?? '0'))))));
        const off = minus(exact(claims), due);
        expect(Math.abs(Number(off.numerator) / Number(off.denominator))).toBeLessThan(2 * calendar.length + 1);
        // What is billed, carried or free is what was settled.
        const settled = plus(exact(BigInt(carried)), total(valued.days.map((day) => day.settled)));
        const billed = total(valued.days.map(({ billable }) => billable));
        expect(floor(minus(settled, plus(billed, valued.carriedOut))) >= 0n).toBe(true);
        expect(valueLease(lease, measured, excused, exact(BigInt(carried)))).toEqual(valued);
      }),
      { numRuns: 300 },
    );
  });
});
