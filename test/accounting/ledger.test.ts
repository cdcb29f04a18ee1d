/** The ledger as it is asked for: buckets, keys, exposure, silence, refusals. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Accountant } from '../../accounting/accountant.ts';
import { estimate } from '../../accounting/estimate.ts';
import { exposures } from '../../accounting/exposure.ts';
import { parseLedgerQuery, parseMoment } from '../../accounting/ledger-args.ts';
import { queryLedger, type LedgerQuery, type LedgerReport, type LedgerRow } from '../../accounting/ledger.ts';
import { journalDirectory, Store } from '../../accounting/store.ts';
import { emptyDeltas, HOUR_MS, MINUTE_MS } from '../../accounting/rows.ts';
import { manualWorld, recordFarm, START_MS, writeJournal } from './farm.ts';

const farm = recordFarm(21, 2500);
const fromMs = START_MS - (START_MS % HOUR_MS);
const toMs = fromMs + 2 * HOUR_MS;
let dataDir = '';
let store: Store;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'wb-query-'));
  await writeJournal({ directory: journalDirectory(dataDir), seed: 3, ...farm, segmentBytes: 1 << 26, commitFacts: 100 });
  const accountant = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => false });
  while (accountant.step() > 0);
  accountant.close();
  store = Store.open(dataDir, { readonly: true });
});
afterAll(() => {
  store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function ask(over: Partial<LedgerQuery>): LedgerReport {
  const report = queryLedger(store, { by: 'site', step: '1h', fromMs, toMs, ...over });
  if ('refused' in report) throw new Error(report.refused);
  return report;
}

const add = (rows: readonly LedgerRow[], of: (row: LedgerRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0);

describe('a ledger query', () => {
  it('comes to the same for every key and step', () => {
    const shares = farm.facts.flatMap((fact) => (fact.type === 'share' && fact.verdict === 'accepted' ? [fact] : []));
    const exposureMs = farm.facts.reduce((sum, fact) => sum + (fact.type === 'pulse' ? fact.observedMs : 0), 0);
    const counts = [-32, -31].map((k) => [k, shares.filter(({ exponent }) => exponent === k).length] as const);
    const whole = estimate(counts, exposureMs);
    let sats: string | null | undefined;
    let credited: unknown;
    for (const by of ['site', 'lessee', 'pool', 'worker'] as const) {
      for (const step of ['1m', '1h', '1d'] as const) {
        if (by === 'worker' && step === '1m') continue;
        const { total, totals, rows } = ask({ by, step });
        expect(total).toMatchObject({ accepted: shares.length, exposureSeconds: exposureMs / 1000, workHashes: String(whole.hashes) });
        expect(total.rate).toBeCloseTo(whole.rate ?? NaN, 6);
        expect(total.rateLow).toBeCloseTo(whole.low ?? NaN, 6);
        expect(total.rateHigh).toBeCloseTo(whole.high ?? NaN, 6);
        for (const of of [(row: LedgerRow) => row.accepted, (row: LedgerRow) => row.courtesy, (row: LedgerRow) => row.rejectedTotal]) {
          expect(add(rows, of)).toBe(of(total));
          expect(add(totals, of)).toBe(of(total));
        }
        if (by === 'worker') continue;
        // Minute rows value shares one by one as hours and days do: to the unit.
        sats ??= total.expectedSats;
        credited ??= total.credited;
        expect(total.expectedSats).toBe(sats);
        expect(total.credited).toEqual(credited);
        expect(Number(sats)).toBeGreaterThan(0);
      }
    }
  });

  it('has work under two leases in the rows of both, and once in the total', () => {
    const site = ask({ by: 'site' });
    const lease = ask({ by: 'lease' });
    expect(lease.total).toEqual(site.total);
    expect(lease.totals.map(({ key }) => key)).toEqual(['', 'acme-lb', 'north-host']);
    const rows = [...store.rows('delivered_hour')].filter(({ verdict }) => verdict === 'accepted');
    for (const { key, accepted } of lease.totals) {
      const ours = rows.filter(({ leases }) => (key === '' ? leases === '' : leases.split(',').includes(key)));
      expect(accepted).toBe(ours.reduce((sum, { n }) => sum + n, 0));
      expect(accepted).toBeGreaterThan(0);
    }
    expect(rows.some(({ leases }) => leases === 'acme-lb,north-host')).toBe(true);
    expect(ask({ by: 'lease', step: '1m' }).total.workHashes).toBe(site.total.workHashes);
  });

  it('shows what a pool cannot credit, what it rejected, and what went unjournaled', () => {
    const facts = farm.facts;
    const shares = facts.flatMap((fact) => (fact.type === 'share' && fact.verdict === 'accepted' ? [fact] : []));
    const verdicts = facts.flatMap((fact) => (fact.type === 'pool-verdict' ? [fact] : []));
    const { total, totals } = ask({ by: 'lessee' });
    expect(total.uncreditable).toBe(shares.filter(({ forwarding }) => forwarding === 'no-link' || forwarding === 'capped').length);
    expect(total.credited).toMatchObject({
      accepted: verdicts.filter(({ verdict }) => verdict === 'accepted').length,
      unanswered: verdicts.filter(({ verdict }) => verdict === 'unanswered').length,
      rejected: { stale: verdicts.filter(({ verdict }) => verdict === 'rejected').length },
    });
    const unjournaled = 3 * facts.filter(({ type }) => type === 'unjournaled').length;
    expect(totals.find(({ key }) => key === 'acme')?.unjournaled).toBe(unjournaled);
    expect(ask({ by: 'pool' }).total.unjournaled).toBeNull();
  });

  it('has rows in order, for every key in every observed bucket, and plain JSON', () => {
    const report = ask({ by: 'site', step: '1m' });
    const order = report.rows.map(({ from, key }) => `${from} ${key}`);
    expect(order).toEqual(order.toSorted());
    const buckets = new Set(report.rows.map(({ from }) => from));
    const keys = new Set(report.rows.map(({ key }) => key));
    expect(report.rows.length).toBe(buckets.size * keys.size);
    expect([...buckets][0]).toBe('2026-01-01T00:59:00.000Z');
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('gives workers their machine time and last share', () => {
    const { rows } = ask({ by: 'worker', step: '1d' });
    expect(rows.map(({ key }) => key)).toEqual(['acme.1', 'acme.2', 'bolt.1', 'bolt.2', 'two words', 'ünï.☃', ''].toSorted());
    for (const row of rows.filter(({ accepted }) => accepted > 0)) {
      expect(row.connectedSeconds).toBeGreaterThan(0);
      expect(row.lastShare).toMatch(/^2026-01-01T01:0\d:/);
      expect(row).toMatchObject({ credited: null, expectedSats: null });
    }
  });

  it('bounds a key that delivered nothing in an observed bucket, also one silent since the day before', () => {
    const silent = mkdtempSync(join(tmpdir(), 'wb-silent-'));
    const ledger = Store.open(silent);
    const deltas = emptyDeltas();
    const day = 20_000;
    const roll = { run: '0123456789ab', site: 'north', lessee: '', leases: '', pool: 'p', verdict: 'accepted', forwarding: 'forwarded', worth: 0n } as const;
    deltas.delivered_day.set('a', { day: day - 1, ...roll, exponent: 12, n: 5 });
    deltas.delivered_hour.set('b', { hour: day * 24 + 2, ...roll, site: 'south', exponent: 10, n: 7 });
    for (const hour of [1, 2, 3]) {
      deltas.observed_minute.set(String(hour), { minute: (day * 24 + hour) * 60, run: '0123456789ab', process: 'p', observed_ms: 60_000, first_ms: 0, last_ms: 60_000 });
    }
    ledger.apply(deltas, []);
    const report = queryLedger(ledger, { by: 'site', step: '1h', fromMs: day * 24 * HOUR_MS, toMs: (day + 1) * 24 * HOUR_MS });
    if ('refused' in report) throw new Error(report.refused);
    expect(report.rows.map(({ key, accepted }) => [key, accepted])).toEqual([['north', 0], ['south', 0], ['north', 0], ['south', 7], ['north', 0], ['south', 0]]);
    const [north, south] = report.rows;
    expect(north).toMatchObject({ rate: 0, rateLow: 0, exposureSeconds: 60 });
    expect(north?.rateHigh).toBe(estimate([[12, 0]], 60_000).high);
    expect(south?.rateHigh).toBe(estimate([[10, 0]], 60_000).high);
    ledger.close();
    rmSync(silent, { recursive: true });
  });

  it('bounds what was silent by the largest difficulty of its last bucket, in whatever order rows come, and misses who began today', () => {
    const silent = mkdtempSync(join(tmpdir(), 'wb-silent-'));
    const ledger = Store.open(silent);
    const deltas = emptyDeltas();
    const day = 20_000;
    const roll = { run: '0123456789ab', site: 'north', lessee: '', leases: '', pool: 'p', verdict: 'accepted', forwarding: 'forwarded', worth: 0n } as const;
    // The lessee that sorts last has the lowest difficulty; the site's silence says nothing of work below the highest.
    deltas.delivered_day.set('a', { day: day - 1, ...roll, lessee: 'acme', exponent: 18, n: 5 });
    deltas.delivered_day.set('b', { day: day - 1, ...roll, lessee: 'zeta', exponent: 4, n: 900 });
    deltas.delivered_day.set('c', { day, ...roll, site: 'new', exponent: 9, n: 3 });
    deltas.delivered_hour.set('d', { hour: day * 24 + 10, ...roll, site: 'new', exponent: 9, n: 3 });
    deltas.worker_hour.set('e', { hour: day * 24 + 8, ...roll, worker: 'w', exponent: 7, n: 1, last_ms: 1 });
    deltas.worker_hour.set('f', { hour: day * 24 + 9, ...roll, worker: 'w', exponent: 3, n: 1, last_ms: 1 });
    deltas.worker_hour.set('g', { hour: day * 24 + 9, ...roll, worker: 'w', pool: 'q', exponent: 2, n: 1, last_ms: 1 });
    deltas.observed_minute.set('o', { minute: (day * 24 + 11) * 60, run: '0123456789ab', process: 'p', observed_ms: 60_000, first_ms: 0, last_ms: 60_000 });
    ledger.apply(deltas, []);
    const rowsOf = (by: 'site' | 'lessee' | 'worker'): (readonly [string, number | null])[] => {
      const range = { fromMs: (day * 24 + 11) * HOUR_MS, toMs: (day * 24 + 12) * HOUR_MS };
      const report = queryLedger(ledger, { by, step: '1h', ...range });
      if ('refused' in report) throw new Error(report.refused);
      expect(report.totals.map(({ rateHigh }) => rateHigh)).toEqual(report.rows.map(({ rateHigh }) => rateHigh));
      return [...report.rows, report.total].map(({ key, rateHigh }) => [key, rateHigh]);
    };
    const bound = (exponent: number): number | undefined => estimate([[exponent, 0]], 60_000).high;
    expect(rowsOf('site')).toEqual([['new', bound(9)], ['north', bound(18)], ['total', bound(18)]]);
    expect(rowsOf('lessee')).toEqual([['', bound(9)], ['acme', bound(18)], ['zeta', bound(4)], ['total', bound(18)]]);
    expect(rowsOf('worker')).toEqual([['w', bound(3)], ['total', bound(3)]]);
    ledger.close();
    rmSync(silent, { recursive: true });
  });

  it('allows above few shares for work under the larger difficulty that was in force before', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wb-few-'));
    const ledger = Store.open(folder);
    const deltas = emptyDeltas();
    const hour = 20_000 * 24;
    const row = { run: '0123456789ab', site: 'north', lessee: '', leases: '', pool: 'p', worker: 'w', verdict: 'accepted', last_ms: 1 } as const;
    deltas.worker_hour.set('a', { ...row, hour: hour + 1, exponent: 16, n: 3 });
    deltas.worker_hour.set('b', { ...row, hour: hour + 2, exponent: 10, n: 2 });
    for (const each of [1, 2]) deltas.observed_minute.set(String(each), { minute: (hour + each) * 60, run: '0123456789ab', process: 'p', observed_ms: 60_000, first_ms: 0, last_ms: 60_000 });
    ledger.apply(deltas, []);
    const report = queryLedger(ledger, { by: 'worker', step: '1h', fromMs: (hour + 1) * HOUR_MS, toMs: (hour + 3) * HOUR_MS });
    if ('refused' in report) throw new Error(report.refused);
    const [, later] = report.rows;
    expect(later).toMatchObject({ accepted: 2, rateHigh: estimate([[10, 2], [16, 0]], 60_000).high });
    // Two shares of 2^10 alone would bound it ten times lower.
    expect(later?.rateHigh ?? 0).toBeGreaterThan((estimate([[10, 2]], 60_000).high ?? Infinity) * 10);
    ledger.close();
    rmSync(folder, { recursive: true });
  });

  it('refuses what it cannot answer, and says why', () => {
    const refused = (over: Partial<LedgerQuery>): string => {
      const answer = queryLedger(store, { by: 'site', step: '1h', fromMs, toMs, ...over });
      return 'refused' in answer ? answer.refused : '';
    };
    expect(refused({ by: 'worker', step: '1m' })).toContain('kept per hour');
    expect(refused({ toMs: fromMs })).toContain('must be before');
    expect(ask({ step: '1d', fromMs: fromMs + 1, toMs: fromMs + 2 })).toMatchObject({ from: '2026-01-01T00:00:00.000Z', to: '2026-01-02T00:00:00.000Z' });
  });
});

describe('exposure', () => {
  const row = (minute: number, process: string, first: number, last: number, observed = last - first): Parameters<typeof exposures>[0] extends Iterable<infer R> ? R : never => ({
    minute, process, observed_ms: observed, first_ms: minute * MINUTE_MS + first, last_ms: minute * MINUTE_MS + last,
  });

  it('adds processes one after the other and not side by side', () => {
    expect(exposures([row(1, 'a', 0, 60_000)], 1)).toEqual(new Map([[1, 60_000]]));
    expect(exposures([row(1, 'a', 0, 60_000), row(1, 'b', 0, 60_000)], 1)).toEqual(new Map([[1, 60_000]]));
    expect(exposures([row(1, 'a', 0, 20_000), row(1, 'b', 25_000, 60_000)], 1)).toEqual(new Map([[1, 55_000]]));
    expect(exposures([row(1, 'a', 0, 40_000), row(1, 'b', 30_000, 60_000)], 1)).toEqual(new Map([[1, 60_000]]));
    // What one process observed by its monotonic clock counts, whatever the wall clock did.
    expect(exposures([row(1, 'a', 0, 10_000, 30_000)], 1)).toEqual(new Map([[1, 30_000]]));
    // The same where two processes observed the minute twice, side by side.
    expect(exposures([row(1, 'a', 0, 60_000, 120_000), row(1, 'b', 0, 60_000, 120_000)], 1)).toEqual(new Map([[1, 120_000]]));
    expect(exposures([row(59, 'a', 0, 60_000), row(60, 'a', 0, 1000)], 60)).toEqual(new Map([[0, 60_000], [1, 1000]]));
  });
});

describe('arguments', () => {
  it('read moments', () => {
    expect(parseMoment('2026-01-01')).toBe(Date.UTC(2026, 0, 1));
    expect(parseMoment('2026-01-01T12:30')).toBe(Date.UTC(2026, 0, 1, 12, 30));
    expect(parseMoment('2026-01-01 12:30:05+02:00')).toBe(Date.UTC(2026, 0, 1, 10, 30, 5));
    expect(parseMoment('1767225600')).toBe(1_767_225_600_000);
    expect(parseMoment('1767225600000')).toBe(1_767_225_600_000);
    for (const text of ['', 'yesterday', '2026-13-01', '01/02/2026', '-1']) expect(parseMoment(text)).toBeUndefined();
  });

  it('make queries with defaults and refuse what they do not know', () => {
    const nowMs = Date.UTC(2026, 0, 2, 10, 30);
    expect(parseLedgerQuery({}, nowMs)).toEqual({ by: 'site', step: '1h', fromMs: Date.UTC(2026, 0, 1, 10), toMs: nowMs });
    expect(parseLedgerQuery({ by: 'machine' }, nowMs)).toEqual({ refused: '--by machine: must be one of site, lessee, worker, pool, lease' });
    expect(parseLedgerQuery({ step: '5m' }, nowMs)).toEqual({ refused: '--step 5m: must be one of 1m, 1h, 1d' });
    expect(parseLedgerQuery({ from: 'x' }, nowMs)).toMatchObject({ refused: expect.stringContaining('--from x') as unknown });
  });
});
