/** The body of /metrics: figures, sums, escaping, and what is left out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../metrics/catalogue.ts';
import { type MetricsInput, renderMetrics } from '../../metrics/exporter.ts';
import { zeroCounters } from '../../proxy/session/sink.ts';

type Delivered = MetricsInput['accountant']['delivered'][number];
type Link = NonNullable<MetricsInput['proxy']>['links'][number];

const QUIET: MetricsInput = {
  version: '1.2.3',
  startedMs: 1_700_000_000_500,
  restarts: { proxy: 2, accountant: 0 },
  proxy: undefined,
  totals: { counters: zeroCounters(), closes: {}, fsync: undefined, replies: undefined },
  accountant: { lagBytes: 0, lagMs: 0, corruptRanges: 0, unjournaledShares: 0, delivered: [], credited: [] },
};

function delivered(exponent: number, count: number, more: Partial<Delivered> = {}): Delivered {
  return { site: 'north', lessee: 'acme', pool: 'main', verdict: 'accepted', exponent, count, ...more };
}

function link(more: Partial<Link>): Link {
  return { pool: 'main', state: 'live', pending: 0, reconnects: 0, jobAgeMs: undefined, ...more };
}

/** `name{labels}` → value. */
async function samples(input: Partial<MetricsInput>): Promise<Map<string, number>> {
  const text = await renderMetrics({ ...QUIET, ...input });
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('the exporter', () => {
  it('gives every metric of the catalogue its help and type, also without samples', async () => {
    const text = await renderMetrics(QUIET);
    for (const { name, type } of CATALOGUE) expect(text).toContain(`# TYPE ${name} ${type}\n`);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('sums shares and work over exponents, exactly', async () => {
    const found = await samples({
      accountant: { ...QUIET.accountant, delivered: [delivered(16, 3), delivered(-20, 5), delivered(16, 1, { lessee: '' }), delivered(0, 9, { verdict: 'stale' })] },
    });
    const at = 'site="north",lessee="acme",pool="main"';
    expect(found.get(`weighbridge_shares_total{${at},verdict="accepted"}`)).toBe(8);
    expect(found.get(`weighbridge_work_total{${at},verdict="accepted"}`)).toBe(3 * 65536 + 5 / 2 ** 20);
    expect(found.get(`weighbridge_shares_total{${at},verdict="stale"}`)).toBe(9);
    expect(found.get('weighbridge_work_total{site="north",lessee="",pool="main",verdict="accepted"}')).toBe(65536);
  });

  it('knows no work of shares without a job', async () => {
    const found = await samples({ accountant: { ...QUIET.accountant, delivered: [delivered(0, 2, { pool: '', verdict: 'unknown-job' })] } });
    expect(found.get('weighbridge_shares_total{site="north",lessee="acme",pool="",verdict="unknown-job"}')).toBe(2);
    expect([...found.keys()].some((key) => key.startsWith('weighbridge_work_total'))).toBe(false);
  });

  it('adds work beyond 2^53 without losing a share on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: -32, max: 62 }), fc.integer({ min: 0, max: 2 ** 40 })), { minLength: 1, maxLength: 20 }), async (counts) => {
        const found = await samples({ accountant: { ...QUIET.accountant, delivered: counts.map(([exponent, count]) => delivered(exponent, count)) } });
        const exact = counts.reduce((sum, [exponent, count]) => sum + (BigInt(count) << BigInt(exponent + 32)), 0n);
        expect(found.get('weighbridge_work_total{site="north",lessee="acme",pool="main",verdict="accepted"}')).toBe(Number(exact) / 2 ** 32);
      }),
      { numRuns: 50 },
    );
  });

  it('sums upstream difficulties as decimal texts', async () => {
    const credited = [
      { pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '0.1', count: 3 },
      { pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '65536', count: 2 },
      { pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '1e-3', count: 7 },
      { pool: 'main', verdict: 'rejected', reason: 'stale', difficulty: '65536', count: 4 },
      { pool: 'main', verdict: 'rejected', reason: 'other', difficulty: 'nonsense', count: 1 },
    ];
    const found = await samples({ accountant: { ...QUIET.accountant, credited } });
    expect(found.get('weighbridge_pool_work_total{pool="main",verdict="accepted"}')).toBe(131072.307);
    expect(found.get('weighbridge_pool_work_total{pool="main",verdict="rejected"}')).toBe(262144);
    expect(found.get('weighbridge_pool_shares_total{pool="main",verdict="accepted",reason="none"}')).toBe(12);
    expect(found.get('weighbridge_pool_shares_total{pool="main",verdict="rejected",reason="stale"}')).toBe(4);
  });

  it('turns counts per bucket into cumulative ones', async () => {
    const fsync = { bounds: [0.001, 0.01], counts: [5, 3, 2], sumSeconds: 0.25 };
    const found = await samples({ totals: { ...QUIET.totals, fsync } });
    const name = 'weighbridge_journal_fsync_seconds';
    expect([...found].filter(([key]) => key.startsWith(name))).toEqual([
      [`${name}_bucket{le="0.001"}`, 5],
      [`${name}_bucket{le="0.01"}`, 8],
      [`${name}_bucket{le="+Inf"}`, 10],
      [`${name}_sum`, 0.25],
      [`${name}_count`, 10],
    ]);
  });

  it('joins the links of a pool, and takes its freshest job', async () => {
    const links = [
      link({ pending: 3, reconnects: 1, jobAgeMs: 9000 }),
      link({ pending: 4, jobAgeMs: 2000 }),
      link({ state: 'waiting', reconnects: 5 }),
      link({ pool: 'backup', state: 'dialling' }),
    ];
    const found = await samples({ proxy: { sessions: 5, sessionsByGroup: { 'north\tacme': 3, '\t': 2 }, links, journal: { state: 'failed', waitingShares: 4, freeBytes: 77 } } });
    expect(found.get('weighbridge_links{pool="main",state="live"}')).toBe(2);
    expect(found.get('weighbridge_links{pool="main",state="waiting"}')).toBe(1);
    expect(found.get('weighbridge_link_pending_shares{pool="main"}')).toBe(7);
    expect(found.get('weighbridge_link_reconnects{pool="main"}')).toBe(6);
    expect(found.get('weighbridge_job_age_seconds{pool="main"}')).toBe(2);
    expect(found.has('weighbridge_job_age_seconds{pool="backup"}')).toBe(false);
    expect(found.get('weighbridge_sessions{site="north",lessee="acme"}')).toBe(3);
    expect(found.get('weighbridge_sessions{site="",lessee=""}')).toBe(2);
    expect(found.get('weighbridge_journal_writable')).toBe(0);
  });

  it('leaves out the gauges of a proxy process that is down, and keeps the counters', async () => {
    const found = await samples({});
    expect([...found.keys()].some((key) => key.startsWith('weighbridge_sessions'))).toBe(false);
    expect(found.get('weighbridge_connects_total')).toBe(0);
    expect(found.get('weighbridge_process_restarts_total{process="proxy"}')).toBe(2);
    expect(found.get('weighbridge_start_time_seconds')).toBe(1_700_000_000.5);
    expect(found.get(`weighbridge_build_info{version="1.2.3",node="${process.versions.node}"}`)).toBe(1);
  });

  it('exports every counter of the proxy process', async () => {
    const names = Object.keys(zeroCounters());
    const counters = Object.fromEntries(names.map((name, i) => [name, 1000 + i])) as ReturnType<typeof zeroCounters>;
    const values = new Set((await samples({ totals: { ...QUIET.totals, counters } })).values());
    expect(names.filter((_, i) => !values.has(1000 + i))).toEqual([]);
  });

  it('escapes what reasons may hold', async () => {
    const found = await samples({ totals: { ...QUIET.totals, closes: { 'said "no"\n\\': 1 } } });
    expect(found.get('weighbridge_session_closes_total{reason="said \\"no\\"\\n\\\\"}')).toBe(1);
  });
});
