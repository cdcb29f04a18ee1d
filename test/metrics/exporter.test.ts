/** The body of /metrics: figures, sums, escaping, and what is left out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../metrics/catalogue.ts';
import { type MetricsInput, renderMetrics } from '../../metrics/exporter.ts';
import { formatFor } from '../../metrics/exposition.ts';
import { zeroCounters } from '../../proxy/session/sink.ts';
import { promtool } from '../rig/prometheus.ts';

type Delivered = MetricsInput['accountant']['delivered'][number];
type Link = NonNullable<MetricsInput['proxy']>['links'][number];

const QUIET: MetricsInput = {
  version: '1.2.3',
  startedMs: 1_700_000_000_500,
  restarts: { proxy: 2, accountant: 0 },
  proxy: undefined,
  totals: { counters: zeroCounters(), closes: {}, fsync: undefined, replies: undefined },
  accountant: { lagBytes: 0, lagMs: 0, corruptRanges: 0, unjournaledShares: 0, problem: '', delivered: [], credited: [] },
};

function delivered(exponent: number, count: number, more: Partial<Delivered> = {}): Delivered {
  return { site: 'north', lessee: 'acme', pool: 'main', verdict: 'accepted', exponent, count, ...more };
}

function link(more: Partial<Link>): Link {
  return { pool: 'main', state: 'live', sessions: 0, pending: 0, reconnects: 0, jobAgeMs: undefined, ...more };
}

/** `name{labels}` → value. */
function samples(input: Partial<MetricsInput>): Map<string, number> {
  const text = renderMetrics({ ...QUIET, ...input }, 'text');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('the exporter', () => {
  it('gives every metric of the catalogue its help and type, also without samples', () => {
    const text = renderMetrics(QUIET, 'text');
    for (const { name, type } of CATALOGUE) expect(text).toContain(`# TYPE ${name} ${type}\n`);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('sums shares and work over exponents, exactly', () => {
    const found = samples({
      accountant: { ...QUIET.accountant, delivered: [delivered(16, 3), delivered(-20, 5), delivered(16, 1, { lessee: '' }), delivered(0, 9, { verdict: 'stale' })] },
    });
    const at = 'site="north",lessee="acme"';
    expect(found.get(`weighbridge_shares_total{${at},verdict="accepted"}`)).toBe(8);
    expect(found.get(`weighbridge_work_total{${at},verdict="accepted"}`)).toBe(3 * 65536 + 5 / 2 ** 20);
    expect(found.get(`weighbridge_shares_total{${at},verdict="stale"}`)).toBe(9);
    expect(found.get('weighbridge_work_total{site="north",lessee="",verdict="accepted"}')).toBe(65536);
  });

  it('knows no work of shares without a job', () => {
    const found = samples({ accountant: { ...QUIET.accountant, delivered: [delivered(0, 2, { pool: '', verdict: 'unknown-job' })] } });
    expect(found.get('weighbridge_shares_total{site="north",lessee="acme",verdict="unknown-job"}')).toBe(2);
    expect([...found.keys()].some((key) => key.startsWith('weighbridge_work_total'))).toBe(false);
  });

  it('adds work beyond 2^53 without losing a share on the way', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -32, max: 62 }), fc.integer({ min: 0, max: 2 ** 40 })), { minLength: 1, maxLength: 20 }), (counts) => {
        const found = samples({ accountant: { ...QUIET.accountant, delivered: counts.map(([exponent, count]) => delivered(exponent, count)) } });
        const exact = counts.reduce((sum, [exponent, count]) => sum + (BigInt(count) << BigInt(exponent + 32)), 0n);
        expect(found.get('weighbridge_work_total{site="north",lessee="acme",verdict="accepted"}')).toBe(Number(exact) / 2 ** 32);
      }),
      { numRuns: 50 },
    );
  });

  it('sums upstream difficulties as decimal texts', () => {
    const credited: MetricsInput['accountant']['credited'] = [
      { pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '0.1', count: 3 },
      { pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '65536', count: 2 },
      { pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '1e-3', count: 7 },
      { pool: 'main', verdict: 'rejected', reason: 'stale', difficulty: '65536', count: 4 },
      { pool: 'main', verdict: 'rejected', reason: 'other', difficulty: 'nonsense', count: 1 },
    ];
    const found = samples({ accountant: { ...QUIET.accountant, credited } });
    expect(found.get('weighbridge_pool_work_total{pool="main",verdict="accepted",reason="none"}')).toBe(131072.307);
    expect(found.get('weighbridge_pool_work_total{pool="main",verdict="rejected",reason="stale"}')).toBe(262144);
    expect(found.get('weighbridge_pool_shares_total{pool="main",verdict="accepted",reason="none"}')).toBe(12);
    expect(found.get('weighbridge_pool_shares_total{pool="main",verdict="rejected",reason="stale"}')).toBe(4);
  });

  it('turns counts per bucket into cumulative ones', () => {
    const fsync = { bounds: [0.001, 1], counts: [5, 3, 2], sumSeconds: 0.25 };
    const found = samples({ totals: { ...QUIET.totals, fsync } });
    const name = 'weighbridge_journal_fsync_seconds';
    expect([...found].filter(([key]) => key.startsWith(name))).toEqual([
      [`${name}_bucket{le="0.001"}`, 5],
      [`${name}_bucket{le="1.0"}`, 8],
      [`${name}_bucket{le="+Inf"}`, 10],
      [`${name}_sum`, 0.25],
      [`${name}_count`, 10],
    ]);
  });

  it('joins the links of a pool, and takes its freshest job', () => {
    const links = [
      link({ sessions: 6, pending: 3, reconnects: 1, jobAgeMs: 9000 }),
      link({ sessions: 5, pending: 4, jobAgeMs: 2000 }),
      link({ state: 'waiting', reconnects: 5 }),
      link({ pool: 'backup', state: 'dialling' }),
    ];
    const found = samples({ proxy: { sessions: 5, sessionsByGroup: { 'north\tacme': 3, '\t': 2 }, links, journal: { state: 'failed', writtenBytes: 99, waitingShares: 4, freeBytes: 77 } } });
    expect(found.get('weighbridge_links{pool="main",state="live"}')).toBe(2);
    expect(found.get('weighbridge_links{pool="main",state="waiting"}')).toBe(1);
    expect(found.get('weighbridge_link_pending_shares{pool="main"}')).toBe(7);
    expect(found.get('weighbridge_link_sessions{pool="main"}')).toBe(11);
    expect(found.get('weighbridge_link_reconnects_total{pool="main"}')).toBe(6);
    expect(found.get('weighbridge_job_age_seconds{pool="main"}')).toBe(2);
    expect(found.has('weighbridge_job_age_seconds{pool="backup"}')).toBe(false);
    expect(found.get('weighbridge_sessions{site="north",lessee="acme"}')).toBe(3);
    expect(found.get('weighbridge_sessions{site="",lessee=""}')).toBe(2);
    expect(found.get('weighbridge_journal_writable')).toBe(0);
    expect(found.get('weighbridge_journal_written_bytes_total')).toBe(99);
  });

  it('leaves out the gauges of a proxy process that is down, and keeps the counters', () => {
    const found = samples({});
    expect([...found.keys()].some((key) => key.startsWith('weighbridge_sessions'))).toBe(false);
    expect(found.get('weighbridge_connects_total')).toBe(0);
    expect(found.get('weighbridge_process_restarts_total{process="proxy"}')).toBe(2);
    expect(found.get('weighbridge_start_time_seconds')).toBe(1_700_000_000.5);
    expect(found.get(`weighbridge_build_info{version="1.2.3",node="${process.versions.node}"}`)).toBe(1);
  });

  it('exports every counter of the proxy process', () => {
    const names = Object.keys(zeroCounters());
    const counters = Object.fromEntries(names.map((name, i) => [name, 1000 + i])) as ReturnType<typeof zeroCounters>;
    const values = new Set((samples({ totals: { ...QUIET.totals, counters } })).values());
    expect(names.filter((_, i) => !values.has(1000 + i))).toEqual([]);
  });

  it('makes no series of a reason that the catalogue does not list', () => {
    const found = samples({ totals: { ...QUIET.totals, closes: { 'said "no"\n\\': 1, idle: 4, 'of another version': 2 } } });
    expect(found.get('weighbridge_session_closes_total{reason="other"}')).toBe(3);
    expect(found.get('weighbridge_session_closes_total{reason="idle"}')).toBe(4);
  });

  it('escapes label values', () => {
    const found = samples({ version: 'a"b\n\\' });
    expect(found.get(`weighbridge_build_info{version="a\\"b\\n\\\\",node="${process.versions.node}"}`)).toBe(1);
  });

  it('is what promtool finds no fault with', () => {
    const links = [link({ jobAgeMs: 1 })];
    const fsync = { bounds: [0.001, 1], counts: [5, 3, 2], sumSeconds: 0.25 };
    const text = renderMetrics(
      {
        ...QUIET,
        proxy: { sessions: 5, sessionsByGroup: { 'north\tacme': 3 }, links, journal: { state: 'open', writtenBytes: 9, waitingShares: 4, freeBytes: 77 } },
        totals: { ...QUIET.totals, fsync, replies: fsync, closes: { idle: 1 } },
        accountant: {
          ...QUIET.accountant,
          delivered: [delivered(3, 4)],
          credited: [{ pool: 'main', verdict: 'accepted', reason: 'none', difficulty: '0.1', count: 3 }],
          redis: { lagRows: 0, lagSeconds: 0, publishedRows: 1, expiredRows: 0, missingFound: 0, errors: 0, problem: '' },
        },
      },
      'text',
    );
    expect(promtool(['check', 'metrics'], text)).toBe('');
  });
});

describe('OpenMetrics', () => {
  it('names the family of a counter without its suffix, and ends', () => {
    const text = renderMetrics({ ...QUIET, accountant: { ...QUIET.accountant, delivered: [delivered(0, 2)] } }, 'openmetrics');
    expect(text).toContain('# TYPE weighbridge_work counter\nweighbridge_work_total{site="north",lessee="acme",verdict="accepted"} 2\n');
    expect(text.endsWith('\n# EOF\n')).toBe(true);
  });

  it.each([
    ['', 'text'],
    ['*/*', 'text'],
    ['text/plain', 'text'],
    ['application/openmetrics-text', 'openmetrics'],
    // As Prometheus 2.42 asks.
    ['application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'openmetrics'],
    ['text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.4', 'text'],
    ['application/openmetrics-text;q=0', 'text'],
  ])('is given to who prefers it: %s', (accept, format) => expect(formatFor(accept)).toBe(format));
});
