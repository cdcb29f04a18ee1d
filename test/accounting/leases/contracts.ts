/** Leases and days for tests: contracts as people write them, and random ones. */
import fc from 'fast-check';
import { localDays } from '../../../config/calendar.ts';
import { type LeaseConfig, leaseSchema } from '../../../config/leases.ts';
import { exact, ZERO, type Exact } from '../../../accounting/leases/exact.ts';
import type { LeaseDay } from '../../../accounting/leases/quantities.ts';

export function leaseOf(over: Record<string, unknown> = {}): LeaseConfig {
  return leaseSchema.parse({
    kind: 'leaseback', lessor: 'acme', lessee: 'nfx', machines: { workers: ['acme.*'] }, term: { from: '2026-11-01', to: '2027-11-01' },
    timezone: 'America/Chicago', contracted: '100 TH/s', rent: [{ fixed: '0.05 USD/TH/day', payer: 'nfx', payee: 'acme' }], ...over,
  });
}

/** A day on which `fraction` of a rate in TH/s was delivered in shares of 2^20. */
export function dayOf(day: { date: string; fromMs: number; toMs: number }, over: Partial<LeaseDay> = {}): LeaseDay {
  return {
    ...day, shares: new Map(), worth: 0n, credited: { difficulty: ZERO, worth: 0n },
    losses: { poolStale: ZERO, poolOther: ZERO, noPool: ZERO, unjournaled: ZERO }, observedMs: day.toMs - day.fromMs, installed: undefined, ...over,
  };
}

/** Days of a lease's period without any work. */
export function emptyDays(lease: LeaseConfig, fromMs: number, toMs: number): LeaseDay[] {
  return localDays(fromMs, toMs, lease.timezone).map((day) => dayOf(day));
}

const decimalText = (max: number): fc.Arbitrary<string> => fc.tuple(fc.nat(max), fc.nat(999_999)).map(([units, rest]) => `${units}.${String(rest).padStart(6, '0')}`);
const share = fc.integer({ min: 0, max: 50 }).map((percent) => `${percent}%`);

const taxed: fc.Arbitrary<Record<string, string>> = fc.constantFrom<Record<string, string>[]>({}, { tax: '19%' }, { tax: '8.25%' });

function rentOf(residual: string): fc.Arbitrary<Record<string, string>[]> {
  const [other, third] = residual === 'nfx' ? ['acme', 'host'] : ['nfx', 'host'];
  const sides = fc.constantFrom({ payer: 'nfx', payee: 'acme' }, { payer: 'acme', payee: 'nfx' }, { payer: 'acme', payee: 'host' });
  const priced = fc.tuple(fc.constantFrom('fixed', 'delivered'), decimalText(3), fc.constantFrom('USD', 'EUR', 'BTC'), sides);
  return fc.tuple(
    fc.array(priced.map(([kind, amount, currency, who]) => ({ [kind]: `${amount} ${currency}/TH/day`, ...who })), { maxLength: 3 }),
    fc.array(fc.tuple(share, share, fc.constantFrom(other, third), taxed).map(([part, fee, payee, tax]) => ({ revenueShare: part, poolFee: fee, payer: residual, payee, ...tax })), { maxLength: 2 }),
    fc.tuple(decimalText(1), taxed).map(([amount, tax]) => [{ hosting: `${amount} USD/kWh`, efficiency: '21.5 J/TH', payer: 'acme', payee: 'host', ...tax }]),
  ).map((parts) => parts.flat());
}

/** Contracts of every kind, with every clause. */
export const anyLease: fc.Arbitrary<LeaseConfig> = fc
  .constantFrom('acme', 'nfx')
  .chain((residual) => fc.record({
    residual: fc.constant(residual),
    rent: rentOf(residual),
    kind: fc.constantFrom('leaseback', 'hosting', 'purchase'),
    timezone: fc.constantFrom('America/Chicago', 'Europe/Oslo', 'Asia/Kolkata', 'Australia/Lord_Howe', 'UTC'),
    basis: fc.constantFrom('delivered', 'credited'),
    lossBorneBy: fc.record({ poolStale: fc.constantFrom('performer', 'lessor', 'lessee'), noPool: fc.constantFrom('performer', 'lessor'), unjournaled: fc.constantFrom('performer', 'lessee') }),
    unmeasured: fc.constantFrom('performer', 'excused', undefined),
    service: fc.option(
      fc.record({
        target: fc.constantFrom('95%', '100%', '99.5%'), per: fc.constantFrom('month', 'day'), offset: fc.boolean(), creditPerPoint: fc.constantFrom('10%', '0.5%'),
        step: fc.constantFrom('proRata', 'points'), of: fc.constant('hosting'), cap: fc.constantFrom('50%', '100%'),
      }),
      { nil: undefined },
    ),
    overDelivery: fc.option(fc.record({ upTo: fc.constantFrom('0%', '5%'), then: fc.constantFrom('paid', 'free', 'carry') }), { nil: undefined }),
    curtailment: fc.option(fc.record({ annualCapHours: fc.nat(200), rent: fc.constantFrom('suspended', 'due'), creditTo: fc.constant('acme') }), { nil: undefined }),
  }))
  .map((over) => leaseOf(over));

const difficulty: fc.Arbitrary<Exact> = fc.tuple(fc.bigInt(0n, 1n << 40n), fc.constantFrom(1n, 10n, 1000n)).map(([n, d]) => exact(n, d));

/** Work on a day of any size, from none to far above contract. */
export const anyWork: fc.Arbitrary<Partial<LeaseDay>> = fc.record({
  shares: fc.array(fc.tuple(fc.integer({ min: -20, max: 30 }), fc.nat(100_000)), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  worth: fc.bigInt(0n, 10n ** 30n),
  credited: fc.record({ difficulty, worth: fc.bigInt(0n, 10n ** 30n) }),
  losses: fc.record({ poolStale: difficulty, poolOther: difficulty, noPool: difficulty, unjournaled: difficulty }),
});
