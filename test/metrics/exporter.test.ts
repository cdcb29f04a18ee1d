/** The body of /metrics: figures, sums, escaping, and what is left out. */
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../metrics/catalogue.ts';
import { exportMetrics, type MetricsInput } from '../../metrics/exporter.ts';
import { contentTypeFor } from '../../metrics/exposition.ts';
import type { ContentType } from '../../metrics/texts.ts';
import { zeroCounters } from '../../proxy/session/sink.ts';
import { promtool } from '../rig/prometheus.ts';

type Proxy = MetricsInput['proxies'][number];
type Link = Proxy['links'][number];

const HISTOGRAM = { bounds: [0.001, 1], counts: [5, 3, 2], sumSeconds: 0.25 };
const QUIET: MetricsInput = {
  version: '1.2.3',
  startedMs: 1_700_000_000_500,
  residentBytes: { supervisor: 5e7 },
  states: ['serving', 'serving', 'down'],
  proxies: [],
  totals: {
    counters: zeroCounters(), closes: {}, reconnects: {}, roundTrips: {}, writtenBytes: 0, fsync: undefined, replies: undefined, fanout: undefined,
    redis: undefined, cpuSeconds: {}, loops: {}, restarts: { proxy: 2, accountant: 0 },
  },
  contracts: [],
  power: [],
  rents: [],
  workers: undefined,
  accountant: { lagBytes: 0, lagMs: 0, corruptRanges: 0, unjournaledShares: 0, problem: '', series: { delivered: [], worth: [], leaseDelivered: [], leaseWorth: [], credited: [] } },
};
const PROXY: Proxy = { sessionsByGroup: {}, links: [], splits: [], measures: { failover: {}, duplicateHashes: 0, furtherPlanes: 1 }, journal: { state: 'open', waitingShares: 0, freeBytes: 100 } };
const SERIES: MetricsInput['accountant']['series'] = {
  delivered: [['north', 'acme', 'accepted', 8, 196608.5], ['north', 'acme', 'unknown-job', 2, null]],
  worth: [['north', 'acme', 12.5, 1_700_000_000_250]],
  leaseDelivered: [['acme-leaseback', 'north', 'accepted', 6, 6144]],
  leaseWorth: [['acme-leaseback', 3.25, 1_700_000_000_250]],
  credited: [['main', 'accepted', 'none', 12, 131072.307]],
};
const LEASE: NonNullable<MetricsInput['accountant']['leases']>[number] = {
  lease: 'acme-leaseback', state: 'low', owed: 1e15, installed: 1.1e15, seen: undefined,
  windows: [{ window: '1h', rate: 9e14, low: 8e14, high: 9.5e14, ratio: 0.9 }, { window: '5m', rate: 0, low: 0, high: undefined, ratio: undefined }],
};
const CONTRACT: MetricsInput['contracts'][number] = { lease: 'acme-leaseback', kind: 'leaseback', lessor: 'acme', lessee: 'nfx', performer: 'nfx', contracted: 1e15 };

function link(more: Partial<Link>): Link {
  return { pool: 'main', state: 'live', trouble: '', sessions: 0, pending: 0, jobAgeMs: undefined, ...more };
}

async function textOf(input: Partial<MetricsInput>, type: ContentType = Registry.PROMETHEUS_CONTENT_TYPE): Promise<string> {
  return (await exportMetrics({ ...QUIET, ...input }).written(type)).text().toString();
}

/** `name{labels}` → value. */
async function samples(input: Partial<MetricsInput>): Promise<Map<string, number>> {
  const text = await textOf(input);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('the exporter', () => {
  it('gives every metric of the catalogue its help and type, also without samples', async () => {
    const text = await textOf({});
    for (const { name, type } of CATALOGUE) expect(text).toContain(`# TYPE ${name} ${type}\n`);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('shows the ledger as counters', async () => {
    const found = await samples({ accountant: { ...QUIET.accountant, series: SERIES } });
    expect(found.get('weighbridge_shares_total{site="north",lessee="acme",verdict="accepted"}')).toBe(8);
    expect(found.get('weighbridge_work_total{site="north",lessee="acme",verdict="accepted"}')).toBe(196608.5);
    expect(found.get('weighbridge_shares_total{site="north",lessee="acme",verdict="unknown-job"}')).toBe(2);
    expect(found.has('weighbridge_work_total{site="north",lessee="acme",verdict="unknown-job"}')).toBe(false);
    expect(found.get('weighbridge_pool_shares_total{pool="main",verdict="accepted",reason="none"}')).toBe(12);
    expect(found.get('weighbridge_pool_work_total{pool="main",verdict="accepted",reason="none"}')).toBe(131072.307);
  });

  it('shows leases with their parties, states and windows', async () => {
    const found = await samples({ contracts: [CONTRACT], rents: [{ lease: 'acme-leaseback', component: 'fixed', currency: 'USD', perDay: 525 }], accountant: { ...QUIET.accountant, series: SERIES, leases: [LEASE] } });
    const ofLease = [...found].filter(([key]) => key.startsWith('weighbridge_lease_')).map(([key, value]) => `${key.slice('weighbridge_lease_'.length)} ${value}`);
    const lease = 'lease="acme-leaseback"';
    expect(ofLease.filter((line) => !line.startsWith('state'))).toEqual([
      `info{${lease},kind="leaseback",lessor="acme",lessee="nfx",performer="nfx"} 1`,
      `shares_total{${lease},site="north",verdict="accepted"} 6`,
      `work_total{${lease},site="north",verdict="accepted"} 6144`,
      `expected_value_satoshis_total{${lease}} 3.25`,
      `contracted_hashes_per_second{${lease}} ${1e15}`,
      `owed_hashes_per_second{${lease}} ${1e15}`,
      `installed_hashes_per_second{${lease}} ${1.1e15}`,
      `delivered_hashes_per_second{${lease},window="1h"} ${9e14}`,
      `delivered_hashes_per_second{${lease},window="5m"} 0`,
      `delivered_low_hashes_per_second{${lease},window="1h"} ${8e14}`,
      `delivered_low_hashes_per_second{${lease},window="5m"} 0`,
      `delivered_high_hashes_per_second{${lease},window="1h"} ${9.5e14}`,
      `delivery_ratio{${lease},window="1h"} 0.9`,
      `last_share_timestamp_seconds{${lease}} 1700000000.25`,
      `rent_per_day{${lease},component="fixed",currency="USD"} 525`,
    ]);
    expect(ofLease.filter((line) => line.startsWith('state')).map((line) => line.replace(/.*state="(.*)"\} /, '$1 '))).toEqual(['ok 0', 'low 1', 'dark 0', 'curtailed 0', 'over 0', 'unmeasured 0']);
  });

  it('shows what work is worth and power costs', async () => {
    const power = [{ site: 'north', watts: 3e6, satoshisPerSecond: 41.7 }, { site: 'south', watts: 1e6, satoshisPerSecond: undefined }];
    const found = await samples({ power, accountant: { ...QUIET.accountant, series: SERIES } });
    expect(found.get('weighbridge_expected_value_satoshis_total{site="north",lessee="acme"}')).toBe(12.5);
    expect(found.get('weighbridge_last_share_timestamp_seconds{site="north",lessee="acme"}')).toBe(1_700_000_000.25);
    expect(found.get('weighbridge_site_power_watts{site="south"}')).toBe(1e6);
    expect(found.get('weighbridge_site_power_cost_satoshis_per_second{site="north"}')).toBe(41.7);
    expect(found.has('weighbridge_site_power_cost_satoshis_per_second{site="south"}')).toBe(false);
  });

  it('shows single machines only where that is allowed, and how many it does not show', async () => {
    const rates = [{ site: 'north', worker: 'acme.1', hashesPerSecond: 1e14 }];
    const found = await samples({ workers: { rates, dropped: 7 } });
    expect(found.get('weighbridge_worker_hashes_per_second{site="north",worker="acme.1"}')).toBe(1e14);
    expect(found.get('weighbridge_worker_series_dropped')).toBe(7);
    expect([...(await samples({})).keys()].some((key) => key.includes('worker'))).toBe(false);
  });

  it('leaves the ledger out while it is far behind the journal, rather than showing it standing still', async () => {
    const found = await samples({ accountant: { ...QUIET.accountant, series: SERIES, lagMs: 30_001, problem: 'disk I/O error' } });
    expect([...found.keys()].filter((key) => /^weighbridge_(pool_|lease_)?(shares|work)_total/.test(key))).toEqual([]);
    expect(found.get('weighbridge_journal_lag_seconds')).toBe(30.001);
    expect(found.get('weighbridge_ledger_writable')).toBe(0);
  });

  it('turns counts per bucket into cumulative ones', async () => {
    const found = await samples({ totals: { ...QUIET.totals, fsync: HISTOGRAM } });
    const name = 'weighbridge_journal_fsync_seconds';
    expect([...found].filter(([key]) => key.startsWith(name))).toEqual([
      [`${name}_bucket{le="0.001"}`, 5],
      [`${name}_bucket{le="1.0"}`, 8],
      [`${name}_bucket{le="+Inf"}`, 10],
      [`${name}_sum`, 0.25],
      [`${name}_count`, 10],
    ]);
  });

  it('joins the links of a pool over all proxy processes, and takes its freshest job', async () => {
    const first: Proxy = {
      sessionsByGroup: { 'north\tacme': 3, '\t': 2 },
      links: [link({ sessions: 6, pending: 3, jobAgeMs: 9000 }), link({ state: 'waiting' })],
      splits: [{ route: 2, moves: 7, parts: [{ pools: ['main', 'spare'], weight: 65, work: 240, forgiven: 20 }, { pools: ['backup'], weight: 35, work: 60, forgiven: -20 }] }],
      measures: { failover: { backup: 2 }, duplicateHashes: 30, furtherPlanes: 1 },
      journal: { state: 'failed', waitingShares: 4, freeBytes: 77 },
    };
    const second: Proxy = {
      sessionsByGroup: { 'north\tacme': 1 },
      links: [link({ sessions: 5, pending: 4, jobAgeMs: 2000 }), link({ pool: 'backup', state: 'dialling', trouble: 'behind' })],
      splits: [{ route: 2, moves: 1, parts: [{ pools: ['main', 'spare'], weight: 65, work: 400, forgiven: 5 }, { pools: ['backup'], weight: 35, work: 300, forgiven: -5 }] }],
      measures: { failover: { backup: 1 }, duplicateHashes: 12, furtherPlanes: 1 },
      journal: { state: 'open', waitingShares: 1, freeBytes: 99 },
    };
    const found = await samples({ proxies: [first, second] });
    expect(found.get('weighbridge_links{pool="main",state="live"}')).toBe(2);
    expect(found.get('weighbridge_links{pool="main",state="waiting"}')).toBe(1);
    expect(found.get('weighbridge_links{pool="backup",state="live"}')).toBe(0);
    expect(found.get('weighbridge_link_pending_shares{pool="main"}')).toBe(7);
    expect(found.get('weighbridge_link_sessions{pool="main"}')).toBe(11);
    expect(found.get('weighbridge_job_age_seconds{pool="main"}')).toBe(2);
    expect(found.has('weighbridge_job_age_seconds{pool="backup"}')).toBe(false);
    expect(found.get('weighbridge_failover_sessions{pool="backup"}')).toBe(3);
    expect(found.get('weighbridge_pool_avoided{pool="main",reason="behind"}')).toBe(0);
    expect(found.get('weighbridge_pool_avoided{pool="backup",reason="behind"}')).toBe(1);
    expect(found.get('weighbridge_split_target_ratio{route="2",pool="main"}')).toBe(0.65);
    expect(found.get('weighbridge_split_actual_ratio{route="2",pool="backup"}')).toBe(0.36);
    expect(found.get('weighbridge_split_forgiven_ratio{route="2",pool="main"}')).toBe(0.025);
    expect(found.get('weighbridge_split_moves_total{route="2"}')).toBe(8);
    expect(found.get('weighbridge_sessions{site="north",lessee="acme"}')).toBe(4);
    expect(found.get('weighbridge_sessions{site="",lessee=""}')).toBe(2);
    expect(found.get('weighbridge_duplicate_hashes')).toBe(42);
    expect(found.get('weighbridge_further_planes')).toBe(2);
    expect(found.get('weighbridge_journal_writable')).toBe(0);
    expect(found.get('weighbridge_journal_free_bytes')).toBe(77);
    expect(found.get('weighbridge_journal_waiting_shares')).toBe(5);
  });

  it('leaves out the gauges of a proxy process that is down, and keeps the counters', async () => {
    const found = await samples({});
    expect([...found.keys()].some((key) => key.startsWith('weighbridge_sessions'))).toBe(false);
    expect(found.get('weighbridge_connects_total')).toBe(0);
    expect(found.get('weighbridge_process_restarts_total{process="proxy"}')).toBe(2);
    expect(found.get('weighbridge_start_time_seconds')).toBe(1_700_000_000.5);
    expect(['serving', 'down', 'looping'].map((state) => found.get(`weighbridge_proxy_processes{state="${state}"}`))).toEqual([2, 1, 0]);
    expect(found.get(`weighbridge_build_info{version="1.2.3",node="${process.versions.node}"}`)).toBe(1);
  });

  it('exports every counter of the proxy process', async () => {
    const names = Object.keys(zeroCounters());
    const counters = Object.fromEntries(names.map((name, i) => [name, 1000 + i])) as ReturnType<typeof zeroCounters>;
    const values = new Set((await samples({ totals: { ...QUIET.totals, counters } })).values());
    expect(names.filter((_, i) => !values.has(1000 + i))).toEqual([]);
  });

  it('makes no series of a reason that the catalogue does not list', async () => {
    const found = await samples({ totals: { ...QUIET.totals, closes: { 'said "no"\n\\': 1, idle: 4, 'of another version': 2 } } });
    expect(found.get('weighbridge_session_closes_total{reason="other"}')).toBe(3);
    expect(found.get('weighbridge_session_closes_total{reason="idle"}')).toBe(4);
  });

  it('escapes label values', async () => {
    const found = await samples({ version: 'a"b\n\\' });
    expect(found.get(`weighbridge_build_info{version="a\\"b\\n\\\\",node="${process.versions.node}"}`)).toBe(1);
  });

  it('is what promtool finds no fault with', async () => {
    const redis = { publishedRows: 1, expiredRows: 0, missingFound: 0, errors: 0 };
    const byName = { proxy: HISTOGRAM };
    const text = await textOf({
      proxies: [{ ...PROXY, sessionsByGroup: { 'north\tacme': 3 }, links: [link({ jobAgeMs: 1 })], measures: { failover: { main: 1 }, duplicateHashes: 0, furtherPlanes: 1 } }],
      totals: {
        ...QUIET.totals, closes: { idle: 1 }, reconnects: { main: 1 }, roundTrips: { main: HISTOGRAM }, fsync: HISTOGRAM, replies: HISTOGRAM, fanout: HISTOGRAM,
        redis, cpuSeconds: { proxy: 1.5 }, loops: byName,
      },
      contracts: [CONTRACT],
      power: [{ site: 'north', watts: 1, satoshisPerSecond: 1 }],
      workers: { rates: [{ site: 'north', worker: 'a', hashesPerSecond: 1 }], dropped: 0 },
      accountant: { ...QUIET.accountant, series: SERIES, leases: [LEASE], redis: { lagRows: 0, lagSeconds: 0, problem: '' } },
    });
    expect(promtool(['check', 'metrics'], text)).toBe('');
  });
});

describe('OpenMetrics', () => {
  it('names the family of a counter without its suffix, and ends', async () => {
    const text = await textOf({ accountant: { ...QUIET.accountant, series: SERIES } }, Registry.OPENMETRICS_CONTENT_TYPE);
    expect(text).toContain('# TYPE weighbridge_work counter\nweighbridge_work_total{site="north",lessee="acme",verdict="accepted"} 196608.5\n');
    expect(text.endsWith('\n# EOF\n')).toBe(true);
  });

  it('has the same samples as the other format', async () => {
    const exposition = exportMetrics({ ...QUIET, accountant: { ...QUIET.accountant, series: SERIES } });
    const [plain, open] = await Promise.all([exposition.written(Registry.PROMETHEUS_CONTENT_TYPE), exposition.written(Registry.OPENMETRICS_CONTENT_TYPE)]);
    const names = ['weighbridge_shares_total', 'weighbridge_pool_work_total', 'weighbridge_jobs_total'] as const;
    expect(plain.samples(names).toString().trim().split('\n')).toEqual([
      'weighbridge_shares_total{site="north",lessee="acme",verdict="accepted"} 8',
      'weighbridge_shares_total{site="north",lessee="acme",verdict="unknown-job"} 2',
      'weighbridge_pool_work_total{pool="main",verdict="accepted",reason="none"} 131072.307',
      'weighbridge_jobs_total 0',
    ]);
    const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines(open.text().toString())).toEqual(lines(plain.text().toString()));
    expect(plain.samples(['weighbridge_redis_errors_total']).length).toBe(0);
  });

  it.each([
    ['', 'plain'],
    ['*/*', 'plain'],
    ['text/plain', 'plain'],
    ['application/openmetrics-text', 'openmetrics-text'],
    // As Prometheus 2.42 asks.
    ['application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'openmetrics-text'],
    ['text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.4', 'plain'],
    ['application/openmetrics-text;q=0', 'plain'],
  ])('is given to who prefers it: %s', (accept, format) => expect(contentTypeFor(accept)).toContain(`/${format}`));
});
