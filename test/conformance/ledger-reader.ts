/** The suite that every store of the ledger passes: what is added is read back whole, in order, and exactly once. */
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerReader } from '../../accounting/reader.ts';
import { emptyDeltas, TABLE_NAMES, type Deltas, type DeliveredMinuteRow, type TableName } from '../../accounting/rows.ts';

export interface LedgerStore {
  /** Adds to what is there. */
  add(deltas: Deltas): void;
  /** A reader of what has been added so far and of what is added later. */
  reader(): LedgerReader;
  dispose(): void;
}

function minute(over: Partial<DeliveredMinuteRow>): DeliveredMinuteRow {
  return {
    minute: 29_000_000, site: 'north', lessee: 'acme', pool: 'main', link: '01234567.1', verdict: 'accepted', forwarding: 'below-target',
    exponent: 16, nbits: 0x17023a04, value: 315_012_581, n: 1, ...over,
  };
}

function holding<T extends TableName>(table: T, rows: readonly (Deltas[T] extends Map<string, infer R> ? R : never)[]): Deltas {
  const deltas = emptyDeltas();
  const map = deltas[table] as Map<string, unknown>;
  rows.forEach((row, index) => map.set(String(index), structuredClone(row)));
  return deltas;
}

export function ledgerReaderSuite(name: string, make: () => LedgerStore): void {
  describe(`ledger reader: ${name}`, () => {
    let store: LedgerStore | undefined;
    const fresh = (): LedgerStore => (store = make());
    afterEach(() => store?.dispose());

    it('has all tables, empty at first', () => {
      const reader = fresh().reader();
      for (const table of TABLE_NAMES) expect([...reader.rows(table)]).toEqual([]);
    });

    it('gives rows back as they were, in the order of their keys', () => {
      const ledger = fresh();
      const rows = [
        minute({ minute: 29_000_001 }), minute({ site: 'south' }), minute({ exponent: -32 }), minute({ exponent: 62, n: 2 ** 52 }),
        minute({ site: '' }), minute({ lessee: 'Ünïcødé ☃ 😀' }), minute({ verdict: 'stale', nbits: 0, value: 0 }),
        minute({ pool: 'a\'b"c;--' }), minute({ value: 2_100_000_000_000_000 }),
      ];
      ledger.add(holding('delivered_minute', rows));
      const key = (row: DeliveredMinuteRow): Buffer => Buffer.from([row.minute, row.site, row.lessee, row.pool, row.verdict].join('\0'));
      const found = [...ledger.reader().rows('delivered_minute')];
      expect(found).toHaveLength(rows.length);
      for (const row of rows) expect(found).toContainEqual(row);
      const keys = found.map(key);
      expect(keys).toEqual(keys.toSorted((a, b) => Buffer.compare(a, b)));
      const exponents = found.filter((row) => row.lessee === 'acme' && row.site === 'north' && row.verdict === 'accepted' && row.pool === 'main' && row.minute === 29_000_000);
      expect(exponents.map(({ exponent }) => exponent)).toEqual([-32, 16, 62]);
    });

    it('adds counts, keeps the latest and the earliest, and adds worth beyond 64 bits', () => {
      const ledger = fresh();
      const worker = { hour: 500_000, site: 'n', lessee: '', pool: 'p', worker: 'w', verdict: 'accepted', exponent: 3 } as const;
      const seen = { minute: 29_000_000, process: '01234567' };
      const day = { day: 20_000, site: 'n', lessee: '', pool: 'p', verdict: 'accepted', forwarding: 'forwarded', exponent: 3 } as const;
      for (const [n, ms] of [[2, 500], [5, 400], [1, 900]] as const) {
        ledger.add(holding('worker_hour', [{ ...worker, n, last_ms: ms }]));
        ledger.add(holding('observed_minute', [{ ...seen, observed_ms: n, first_ms: ms, last_ms: ms + n }]));
        ledger.add(holding('delivered_day', [{ ...day, n, worth: BigInt(n) * 10n ** 40n + 1n }]));
      }
      const reader = ledger.reader();
      expect([...reader.rows('worker_hour')]).toEqual([{ ...worker, n: 8, last_ms: 900 }]);
      expect([...reader.rows('observed_minute')]).toEqual([{ ...seen, observed_ms: 8, first_ms: 400, last_ms: 901 }]);
      expect([...reader.rows('delivered_day')]).toEqual([{ ...day, n: 8, worth: 8n * 10n ** 40n + 3n }]);
    });

    it('takes ranges of buckets that include their start and not their end', () => {
      const ledger = fresh();
      ledger.add(holding('delivered_minute', [5, 6, 7, 8].map((at) => minute({ minute: at }))));
      const minutes = (from: number, to: number): number[] => [...ledger.reader().rows('delivered_minute', from, to)].map((row) => row.minute);
      expect(minutes(6, 8)).toEqual([6, 7]);
      expect(minutes(0, 6)).toEqual([5]);
      expect(minutes(8, 8)).toEqual([]);
    });

    it('sees one moment in a consistent read, and what was added after it', () => {
      const ledger = fresh();
      ledger.add(holding('total', [{ site: 'n', lessee: '', pool: 'p', verdict: 'accepted', exponent: 1, n: 1 }]));
      const reader = ledger.reader();
      const count = (): number => [...reader.rows('total')][0]?.n ?? 0;
      const [before, during] = reader.consistently(() => {
        const first = count();
        ledger.add(holding('total', [{ site: 'n', lessee: '', pool: 'p', verdict: 'accepted', exponent: 1, n: 10 }]));
        return [first, count()];
      });
      expect([before, during, count()]).toEqual([1, 1, 11]);
    });
  });
}
