/** The ledger's totals in the groups that metrics show: sums over exponents, links and difficulties are exact. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CreditedTotalRow, TotalRow } from '../../accounting/rows.ts';
import { SeriesBook, type LedgerSeries } from '../../accounting/series.ts';

function delivered(exponent: number, n: number, more: Partial<TotalRow> = {}): TotalRow {
  return { site: 'north', lessee: 'acme', leases: '', pool: 'main', verdict: 'accepted', exponent, n, last_ms: 1000, worth: BigInt(n) * 10n ** 18n, ...more };
}
function credited(difficulty: string, n: number, more: Partial<CreditedTotalRow> = {}): CreditedTotalRow {
  return { pool: 'main', verdict: 'accepted', reason: 'none', difficulty, n, ...more };
}
function series(deliveredRows: readonly TotalRow[], creditedRows: readonly CreditedTotalRow[] = []): LedgerSeries {
  const book = new SeriesBook();
  for (const row of deliveredRows) {
    book.delivered(row);
    // A scrape in between, of which nothing may stay.
    book.read();
  }
  for (const row of creditedRows) book.credited(row);
  return book.read();
}

describe('series of the ledger', () => {
  it('sum shares and work over exponents and pools', () => {
    const rows = [delivered(16, 3), delivered(-20, 5, { pool: 'backup' }), delivered(16, 1, { lessee: '' }), delivered(0, 9, { verdict: 'stale' })];
    expect(series(rows).delivered).toEqual([
      ['north', 'acme', 'accepted', 8, 3 * 65536 + 5 / 2 ** 20],
      ['north', '', 'accepted', 1, 65536],
      ['north', 'acme', 'stale', 9, 9],
    ]);
  });

  it('know no work of shares without a job', () => {
    expect(series([delivered(0, 2, { pool: '', verdict: 'unknown-job' })]).delivered).toEqual([['north', 'acme', 'unknown-job', 2, null]]);
  });

  it('add work beyond 2^53 without losing a share on the way', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -32, max: 62 }), fc.integer({ min: 0, max: 2 ** 40 })), { minLength: 1, maxLength: 20 }), (counts) => {
        const [row] = series(counts.map(([exponent, n]) => delivered(exponent, n))).delivered;
        const exact = counts.reduce((sum, [exponent, n]) => sum + (BigInt(n) << BigInt(exponent + 32)), 0n);
        expect(row?.[4]).toBe(Number(exact) / 2 ** 32);
      }),
      { numRuns: 50 },
    );
  });

  it('show worth and the last share of what was accepted', () => {
    const rows = [delivered(0, 2), delivered(1, 3, { worth: 5n * 10n ** 17n, last_ms: 3000 }), delivered(0, 9, { verdict: 'stale', last_ms: 4000, worth: 0n })];
    expect(series(rows).worth).toEqual([['north', 'acme', 2.5, 3000]]);
  });

  it('count a share under each of its leases', () => {
    const rows = [delivered(0, 2, { leases: 'a,b' }), delivered(3, 1, { leases: 'a', site: 'south' }), delivered(0, 5)];
    expect(series(rows).leaseDelivered).toEqual([['a', 'north', 'accepted', 2, 2], ['b', 'north', 'accepted', 2, 2], ['a', 'south', 'accepted', 1, 8]]);
    expect(series(rows).leaseWorth).toEqual([['a', 3, 1000], ['b', 2, 1000]]);
  });

  it('sum upstream difficulties as decimal texts', () => {
    const rows = [credited('0.1', 3), credited('65536', 2), credited('1e-3', 7), credited('65536', 4, { verdict: 'rejected', reason: 'stale' }), credited('nonsense', 1, { verdict: 'rejected', reason: 'other' })];
    expect(series([], rows).credited).toEqual([
      ['main', 'accepted', 'none', 12, 131072.307],
      ['main', 'rejected', 'stale', 4, 262144],
      ['main', 'rejected', 'other', 1, 0],
    ]);
  });
});
