/** The suite that every store of the ledger passes: what is added is read back whole, in order, and exactly once. */
import { afterEach, describe, expect, it } from 'vitest';
import { LEDGER_KEYS, LEDGER_STEPS, readLedger, type LedgerQuery } from '../../accounting/ledger.ts';
import type { Book } from '../../accounting/reader.ts';
import { emptyDeltas, type BucketTable, type Deltas, type KeptRow, type Rows } from '../../accounting/rows.ts';
import { BUCKET_TABLES, LAYOUTS } from '../../accounting/units.ts';

export interface LedgerUnderTest {
  /** Adds to what is there. Settles when readers can see it; what can be done at once is done at once. */
  add(deltas: Deltas): Promise<void>;
  /** Of what has been added so far and of what is added later. */
  book(): Book | Promise<Book>;
  dispose(): void | Promise<void>;
}

/** A minute that no store lets expire; all buckets lie near it. */
const MINUTE = Math.floor(Date.now() / 60_000) - 30;
const HOUR = Math.floor(MINUTE / 60);
const DAY = Math.floor(HOUR / 24);
const RUN = '0123456789ab';

function minute(over: Partial<KeptRow<'delivered_minute'>>): KeptRow<'delivered_minute'> {
  return {
    minute: MINUTE, run: RUN, site: 'north', lessee: 'acme', leases: '', pool: 'main', link: '01234567.1', verdict: 'accepted', forwarding: 'below-target',
    exponent: 16, nbits: 0x17023a04, value: 315_012_581, n: 1, ...over,
  };
}

function holding<T extends BucketTable>(table: T, rows: readonly KeptRow<T>[]): Deltas {
  const deltas = emptyDeltas();
  const map = deltas[table] as Map<string, unknown>;
  rows.forEach((row, index) => map.set(String(index), structuredClone(row)));
  return deltas;
}

function withoutRun<R extends object>(row: R): Omit<R, 'run'> {
  const { run: _run, ...rest } = row as R & { run?: string };
  return rest as Omit<R, 'run'>;
}

async function rowsOf<T extends BucketTable>(book: Book, table: T, from: number, to: number): Promise<Rows[T][]> {
  return book.read([{ table, from, to }], (reader) => [...reader.rows(table, from, to)]);
}

export function ledgerReaderSuite(name: string, make: () => LedgerUnderTest): void {
  describe(`ledger reader: ${name}`, () => {
    let store: LedgerUnderTest | undefined;
    const fresh = (): LedgerUnderTest => (store = make());
    afterEach(() => store?.dispose());

    it('has all tables, empty at first', async () => {
      const book = await fresh().book();
      for (const table of BUCKET_TABLES) {
        const bucket = Math.floor((MINUTE * 60_000) / LAYOUTS[table].bucketMs);
        expect(await rowsOf(book, table, bucket - 5, bucket + 5)).toEqual([]);
      }
    });

    it('gives rows back as they were, in the order of their keys', async () => {
      const ledger = fresh();
      const rows = [
        minute({ minute: MINUTE + 1 }), minute({ site: 'south' }), minute({ exponent: -32 }), minute({ exponent: 62, n: 2 ** 52 }),
        minute({ site: '' }), minute({ lessee: 'Ünïcødé ☃ 😀' }), minute({ lessee: '\uffee' }), minute({ verdict: 'stale', nbits: 0, value: 0 }),
        minute({ pool: 'a\'b"c;--' }), minute({ pool: '#:|{}% \n\u2028' }), minute({ value: 2_100_000_000_000_000 }),
      ];
      await ledger.add(holding('delivered_minute', rows));
      const key = (row: Rows['delivered_minute']): Buffer => Buffer.from([row.minute, row.site, row.lessee, row.pool, row.verdict].join('\0'));
      const found = await rowsOf(await ledger.book(), 'delivered_minute', MINUTE, MINUTE + 2);
      expect(found).toHaveLength(rows.length);
      for (const row of rows) expect(found).toContainEqual(withoutRun(row));
      expect(found.map(key)).toEqual(found.map(key).toSorted((a, b) => Buffer.compare(a, b)));
      const exponents = found.filter((row) => row.lessee === 'acme' && row.site === 'north' && row.verdict === 'accepted' && row.pool === 'main' && row.minute === MINUTE);
      expect(exponents.map(({ exponent }) => exponent)).toEqual([-32, 16, 62]);
    });

    it('adds counts of batches and of runs, keeps the latest and the earliest, and adds worth beyond 64 bits', async () => {
      const ledger = fresh();
      const worker = { hour: HOUR, site: 'n', lessee: '', leases: '', pool: 'p', worker: 'two words|#', verdict: 'accepted', exponent: 3 } as const;
      const seen = { minute: MINUTE, process: '01234567' };
      const day = { day: DAY, site: 'n', lessee: '', leases: '', pool: 'p', verdict: 'accepted', forwarding: 'forwarded', exponent: 3 } as const;
      const startMs = MINUTE * 60_000;
      for (const [run, n, ms] of [[RUN, 2, 500], ['ba9876543210', 5, 400], [RUN, 1, 900]] as const) {
        await ledger.add(holding('worker_hour', [{ ...worker, run, n, last_ms: startMs + ms }]));
        await ledger.add(holding('observed_minute', [{ ...seen, run, observed_ms: n, first_ms: startMs + ms, last_ms: startMs + ms + n }]));
        await ledger.add(holding('delivered_day', [{ ...day, run, n, worth: BigInt(n) * 10n ** 40n + 1n }]));
      }
      const book = await ledger.book();
      expect(await rowsOf(book, 'worker_hour', HOUR, HOUR + 1)).toEqual([{ ...worker, n: 8, last_ms: startMs + 900 }]);
      expect(await rowsOf(book, 'observed_minute', MINUTE, MINUTE + 1)).toEqual([{ ...seen, observed_ms: 8, first_ms: startMs + 400, last_ms: startMs + 901 }]);
      expect(await rowsOf(book, 'delivered_day', DAY, DAY + 1)).toEqual([{ ...day, n: 8, worth: 8n * 10n ** 40n + 3n }]);
    });

    it('takes ranges of buckets that include their start and not their end', async () => {
      const ledger = fresh();
      await ledger.add(holding('delivered_minute', [5, 6, 7, 8].map((at) => minute({ minute: MINUTE + at }))));
      const book = await ledger.book();
      const minutes = async (from: number, to: number): Promise<number[]> => (await rowsOf(book, 'delivered_minute', MINUTE + from, MINUTE + to)).map((row) => row.minute - MINUTE);
      expect(await minutes(6, 8)).toEqual([6, 7]);
      expect(await minutes(0, 6)).toEqual([5]);
      expect(await minutes(8, 8)).toEqual([]);
    });

    it('gives the rows of one lease where that is asked', async () => {
      const ledger = fresh();
      const sets = ['', 'acme', 'acme-2', 'acme,zeta', 'acme-2,zeta', 'b,zeta'];
      await ledger.add(holding('delivered_minute', sets.map((leases) => minute({ leases }))));
      const row = { day: DAY, run: RUN, worker: 'w', exponent: 3, n: 4, first_ms: DAY * 86_400_000 - 3_600_000, last_ms: DAY * 86_400_000 + 5, slots: (4n << 832n) + 1n };
      await ledger.add(holding('lease_day', [{ ...row, lease: 'acme' }, { ...row, lease: 'zeta' }]));
      await ledger.add(holding('lease_day', [{ ...row, lease: 'acme', run: 'ba9876543210' }]));
      const book = await ledger.book();
      const of = (lease: string): Promise<string[]> => {
        const range = { table: 'delivered_minute', from: MINUTE, to: MINUTE + 1, lease } as const;
        return book.read([range], (reader) => [...reader.rows(range.table, range.from, range.to, lease)].map(({ leases }) => leases));
      };
      expect(await of('acme')).toEqual(['acme', 'acme,zeta']);
      expect(await of('zeta')).toEqual(['acme,zeta', 'acme-2,zeta', 'b,zeta']);
      expect(await of('acme-')).toEqual([]);
      const days = await book.read([{ table: 'lease_day', from: DAY, to: DAY + 1, lease: 'acme' }], (reader) => [...reader.rows('lease_day', DAY, DAY + 1, 'acme')]);
      expect(days).toEqual([{ ...withoutRun(row), lease: 'acme', n: 8, slots: (8n << 832n) + 2n }]);
    });

    it('sees one moment in a read, and what was added after it in the next', async () => {
      const ledger = fresh();
      await ledger.add(holding('delivered_minute', [minute({ n: 1 })]));
      const book = await ledger.book();
      const range = { table: 'delivered_minute', from: MINUTE, to: MINUTE + 1 } as const;
      let added: Promise<void> | undefined;
      const [before, during] = await book.read([range], (reader) => {
        const count = (): number => [...reader.rows(range.table, range.from, range.to)][0]?.n ?? 0;
        const first = count();
        added = ledger.add(holding('delivered_minute', [minute({ n: 10 })]));
        return [first, count()];
      });
      await added;
      const [after] = await rowsOf(book, 'delivered_minute', MINUTE, MINUTE + 1);
      expect([before, during, after?.n]).toEqual([1, 1, 11]);
    });
  });
}

/** Every kind of query over the last two days, as JSON. */
export async function allReports(book: Book, nowMs: number): Promise<Record<string, string>> {
  const reports: Record<string, string> = {};
  for (const by of LEDGER_KEYS) {
    for (const step of LEDGER_STEPS) {
      const query: LedgerQuery = { by, step, fromMs: nowMs - (step === '1m' ? 3 : 48) * 3_600_000, toMs: nowMs };
      reports[`${by} ${step}`] = JSON.stringify(await readLedger(book, query));
    }
  }
  return reports;
}
