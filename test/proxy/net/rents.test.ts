/** What the rents of a lease come to in a day: by rate, price and value, and nothing where nobody can know it. */
import { describe, expect, it } from 'vitest';
import { Rents } from '../../../proxy/net/rents.ts';
import { leaseOf } from '../../accounting/leases/contracts.ts';

const RATE = 90e12;
const windows = [{ window: '1h', rate: RATE, low: RATE, high: RATE, ratio: 1 }] as const;

/** Two readings ten minutes apart, in which so many satoshi were delivered. */
function perDay(rent: readonly Record<string, string>[], satoshis = 0) {
  const rents = new Rents({ l: leaseOf({ residual: 'nfx', rent }) });
  const read = (value: number, nowMs: number) => rents.read({
    leases: [{ lease: 'l', state: 'ok', contracted: 100e12, owed: 100e12, installed: undefined, seen: undefined, lastShareMs: undefined, waitsFor: [], shortfall: undefined, windows }],
    series: { delivered: [], worth: [], leaseDelivered: [], leaseWorth: [['l', value, 0]], credited: [] },
  }, nowMs);
  read(5000, 0);
  return read(5000 + satoshis, 600_000);
}

describe('rent of a day', () => {
  const sides = { payer: 'nfx', payee: 'acme' };

  it('is the contracted or delivered rate times the price, and energy at the efficiency that is granted', () => {
    expect(perDay([{ fixed: '0.05 USD/TH/day', ...sides }, { delivered: '0.00000010 BTC/TH/day', ...sides }])).toEqual([
      { lease: 'l', component: 'fixed', currency: 'USD', perDay: 5 }, { lease: 'l', component: 'delivered', currency: 'BTC', perDay: expect.closeTo(0.000009, 12) },
    ]);
    // 90 TH/s at 20 J/TH are 1.8 kW: 43.2 kWh a day.
    expect(perDay([{ hosting: '0.1 USD/kWh', efficiency: '20 J/TH', ...sides }])).toEqual([{ lease: 'l', component: 'hosting', currency: 'USD', perDay: expect.closeTo(4.32, 9) }]);
  });

  it('is a share of the value after the fee of the pool', () => {
    // 100 sat in ten minutes are 14,400 sat a day.
    expect(perDay([{ revenueShare: '35%', poolFee: '1%', ...sides }], 100)).toEqual([{ lease: 'l', component: 'revenueShare', currency: 'BTC', perDay: expect.closeTo(14_400e-8 * 0.99 * 0.35, 12) }]);
  });

  it('is not said of energy that a meter counts', () => {
    expect(perDay([{ hosting: '0.1 USD/kWh', metered: 'hall', ...sides }])).toEqual([]);
  });
});
