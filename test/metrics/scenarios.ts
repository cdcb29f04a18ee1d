/** Situations of a fleet as series of Prometheus, a value a minute, and which alerts fire when. Run by `promtool test rules`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALERT_RULES, type AlertRule } from '../../metrics/rules/alerts.ts';
import { promtool } from '../rig/prometheus.ts';

type AlertName = (typeof ALERT_RULES)[number]['alert'];
/** Minutes since the beginning, the alert, and the labels under which it fires then; [] for silence. */
type Moment = readonly [atMinute: number, alert: AlertName, where: readonly Readonly<Record<string, string>>[]];

interface Scenario {
  readonly name: string;
  /** Series → values in promtool's notation, one a minute. */
  readonly series: Readonly<Record<string, string>>;
  readonly expect: readonly Moment[];
}

/** Hashes per second of one unit of difficulty per minute. */
const HASHES = 4295032833 / 60;
const owed = (perMinute: number): string => `${perMinute * HASHES}`;

/** Simple thresholds: a series, the values that keep silent and those that fire from minute 30 on. */
function threshold(alert: AlertName, series: string, well: string, ill: string, labels: Readonly<Record<string, string>>, byMinute = 60): Scenario {
  return { name: alert, series: { [series]: `${well}x30 ${ill}x60` }, expect: [[29, alert, []], [byMinute, alert, [labels]]] };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a host that gives no metrics',
    series: { 'up{job="weighbridge",instance="a"}': '1x4 0x10', 'up{job="node",instance="a"}': '0x15' },
    expect: [[6, 'WeighbridgeDown', []], [8, 'WeighbridgeDown', [{ job: 'weighbridge', instance: 'a' }]]],
  },
  {
    name: 'of two sites one goes dark after an hour',
    series: {
      'weighbridge_shares_total{site="north",lessee="x",verdict="accepted"}': '0+10x60 600x120',
      'weighbridge_work_total{site="north",lessee="x",verdict="accepted"}': '0+10x60 600x120',
      'weighbridge_last_share_timestamp_seconds{site="north",lessee="x"}': '0+60x60 3600x120',
      'weighbridge_shares_total{site="south",lessee="x",verdict="accepted"}': '0+10x180',
      'weighbridge_work_total{site="south",lessee="x",verdict="accepted"}': '0+10x180',
      'weighbridge_last_share_timestamp_seconds{site="south",lessee="x"}': '0+60x180',
    },
    expect: [
      [60, 'WeighbridgeSiteDark', []],
      [61, 'WeighbridgeSiteDark', []],
      // Ten shares a minute: eighteen are missing after 108 s.
      [63, 'WeighbridgeSiteDark', [{ site: 'north' }]],
      [179, 'WeighbridgeSiteDark', [{ site: 'north' }]],
    ],
  },
  {
    name: 'states of leases, at each site where they deliver',
    series: {
      'weighbridge_lease_work_total{lease="a",site="north",verdict="accepted"}': '0+60x60',
      'weighbridge_lease_work_total{lease="a",site="south",verdict="accepted"}': '0+60x60',
      'weighbridge_lease_work_total{lease="b",site="north",verdict="accepted"}': '0+60x60',
      'weighbridge_lease_state{lease="a",state="low"}': '0x30 1x10 0x20',
      'weighbridge_lease_state{lease="a",state="dark"}': '0x40 1x20',
      'weighbridge_lease_state{lease="b",state="curtailed"}': '0x30 1x30',
      'weighbridge_lease_state{lease="never",state="dark"}': '1x60',
    },
    expect: [
      [29, 'WeighbridgeLeaseLow', []],
      [35, 'WeighbridgeLeaseLow', [{ lease: 'a', site: 'north' }, { lease: 'a', site: 'south' }]],
      [45, 'WeighbridgeLeaseLow', []],
      [35, 'WeighbridgeLeaseDark', [{ lease: 'never' }]],
      [45, 'WeighbridgeLeaseDark', [{ lease: 'a', site: 'north' }, { lease: 'a', site: 'south' }, { lease: 'never' }]],
      [29, 'WeighbridgeLeaseCurtailed', []],
      [35, 'WeighbridgeLeaseCurtailed', [{ lease: 'b', site: 'north' }]],
      [35, 'WeighbridgeSiteCurtailed', []],
    ],
  },
  {
    name: 'a site is curtailed when the last of its leases is',
    series: {
      'weighbridge_lease_work_total{lease="a",site="north",verdict="accepted"}': '0+60x30 1800x30',
      'weighbridge_lease_work_total{lease="b",site="north",verdict="accepted"}': '0+60x40 2400x20',
      'weighbridge_lease_work_total{lease="b",site="south",verdict="accepted"}': '0+60x40 2400x20',
      'weighbridge_lease_work_total{lease="c",site="south",verdict="accepted"}': '0+60x60',
      'weighbridge_lease_state{lease="a",state="curtailed"}': '0x30 1x30',
      'weighbridge_lease_state{lease="b",state="curtailed"}': '0x40 1x20',
      'weighbridge_lease_state{lease="c",state="curtailed"}': '0x60',
    },
    expect: [
      [35, 'WeighbridgeSiteCurtailed', []],
      [45, 'WeighbridgeSiteCurtailed', [{ site: 'north' }]],
    ],
  },
  {
    name: 'no lease is dark where none is',
    series: { 'weighbridge_lease_state{lease="a",state="dark"}': '0x60' },
    expect: [[50, 'WeighbridgeLeaseDark', []]],
  },
  {
    name: 'a lease 40 % short for two hours, then whole again',
    series: {
      'weighbridge_lease_work_total{lease="a",site="north",verdict="accepted"}': '0+60x120 7200+100x60',
      'weighbridge_lease_owed_hashes_per_second{lease="a",instance="one"}': `${owed(100)}x190`,
      'weighbridge_lease_owed_hashes_per_second{lease="a",instance="two"}': `${owed(100)}x190`,
    },
    expect: [
      [60, 'WeighbridgeLeaseShortfallFast', []],
      [70, 'WeighbridgeLeaseShortfallFast', [{ lease: 'a', site: 'north' }]],
      [130, 'WeighbridgeLeaseShortfallFast', []],
    ],
  },
  {
    name: 'a curtailed lease owes nothing',
    series: {
      'weighbridge_lease_work_total{lease="a",site="north",verdict="accepted"}': '0+100x100 10000x100',
      'weighbridge_lease_owed_hashes_per_second{lease="a"}': `${owed(100)}x100 0x100`,
    },
    expect: [[190, 'WeighbridgeLeaseShortfallFast', []]],
  },
  {
    name: 'a lease 15 % short for hours',
    series: {
      'weighbridge_lease_work_total{lease="a",site="north",verdict="accepted"}': '0+85x300',
      'weighbridge_lease_owed_hashes_per_second{lease="a"}': `${owed(100)}x300`,
    },
    expect: [
      [100, 'WeighbridgeLeaseShortfallSlow', []],
      [290, 'WeighbridgeLeaseShortfallSlow', [{ lease: 'a', site: 'north' }]],
      [290, 'WeighbridgeLeaseShortfallFast', []],
    ],
  },
  {
    name: 'a pool that begins to refuse a tenth',
    series: {
      'weighbridge_pool_shares_total{pool="main",verdict="accepted",reason="none"}': '0+54x300',
      'weighbridge_pool_shares_total{pool="main",verdict="rejected",reason="stale"}': '0x200 0+6x100',
      'weighbridge_pool_shares_total{pool="steady",verdict="accepted",reason="none"}': '0+50x300',
      'weighbridge_pool_shares_total{pool="steady",verdict="rejected",reason="stale"}': '0+3x300',
    },
    expect: [[200, 'WeighbridgePoolRejects', []], [225, 'WeighbridgePoolRejects', [{ pool: 'main' }]], [225, 'WeighbridgePoolNotCrediting', []]],
  },
  {
    name: 'a pool that takes everything and credits nothing',
    series: {
      'weighbridge_pool_shares_total{pool="main",verdict="accepted",reason="none"}': '0+54x30 1620x60',
      'weighbridge_pool_shares_total{pool="main",verdict="unanswered",reason="none"}': '0x30 0+54x60',
      'weighbridge_link_pending_shares{pool="main"}': '1x90',
      'weighbridge_link_pending_shares{pool="idle"}': '0x90',
    },
    expect: [[40, 'WeighbridgePoolNotCrediting', []], [60, 'WeighbridgePoolNotCrediting', [{ pool: 'main' }]]],
  },
  {
    name: 'pools without work',
    series: {
      'weighbridge_job_age_seconds{pool="late"}': '20x10 20+60x20',
      'weighbridge_job_age_seconds{pool="well"}': '20x30',
      'weighbridge_links{pool="gone",state="live"}': '1x10 0x20',
      'weighbridge_links{pool="well",state="live"}': '1x30',
    },
    expect: [[10, 'WeighbridgePoolSilent', []], [16, 'WeighbridgePoolSilent', [{ pool: 'gone' }, { pool: 'late' }]]],
  },
  {
    name: 'a site that mines less than its power costs',
    series: {
      'weighbridge_expected_value_satoshis_total{site="north",lessee="a"}': '0+300x300',
      'weighbridge_expected_value_satoshis_total{site="north",lessee="b"}': '0+300x300',
      'weighbridge_site_power_cost_satoshis_per_second{site="north"}': '9x200 20x100',
      'weighbridge_expected_value_satoshis_total{site="south",lessee="a"}': '0+3x300',
    },
    expect: [[199, 'WeighbridgeIncomeBelowPowerCost', []], [290, 'WeighbridgeIncomeBelowPowerCost', [{ site: 'north' }]]],
  },
  {
    name: 'a disk that fills within four days',
    series: {
      'weighbridge_journal_free_bytes{instance="fast"}': '50000000000-20000000x400',
      'weighbridge_journal_free_bytes{instance="slow"}': '50000000000-1000000x400',
    },
    expect: [[390, 'WeighbridgeDiskFilling', [{ instance: 'fast' }]]],
  },
  threshold('WeighbridgeDiskFilling', 'weighbridge_journal_free_bytes{instance="a"}', '200000000000', '1000000000', { instance: 'a' }),
  threshold('WeighbridgeFailoverActive', 'weighbridge_failover_sessions{pool="backup"}', '0', '7', { pool: 'backup' }),
  threshold('WeighbridgeJournalLag', 'weighbridge_journal_lag_seconds{instance="a"}', '1', '90', { instance: 'a' }),
  threshold('WeighbridgeUnjournaledShares', 'weighbridge_journal_writable{instance="a"}', '1', '0', { instance: 'a' }, 31),
  threshold('WeighbridgeUnjournaledShares', 'weighbridge_unjournaled_shares_total{instance="a"}', '3', '4', { instance: 'a' }, 32),
  threshold('WeighbridgeValidationMismatch', 'weighbridge_validation_mismatches_total{instance="a"}', '1', '2', { instance: 'a' }, 32),
  threshold('WeighbridgeJournalCorrupt', 'weighbridge_journal_corrupt_ranges{instance="a"}', '0', '1', { instance: 'a' }, 32),
  threshold('WeighbridgeLedgerDown', 'weighbridge_ledger_writable{instance="a"}', '1', '0', { instance: 'a' }, 33),
  threshold('WeighbridgeRedisDown', 'weighbridge_redis_up{instance="a"}', '1', '0', { instance: 'a' }, 34),
  threshold('WeighbridgeRedisDown', 'weighbridge_redis_lag_seconds{instance="a"}', '10', '200', { instance: 'a' }, 34),
  {
    name: 'a process that ends every two minutes',
    series: { 'weighbridge_process_restarts_total{process="proxy",instance="a"}': '1x30 1 1 2 2 3 3 4 4 5 5 6 6 7 7' },
    expect: [[30, 'WeighbridgeProcessRestarts', []], [43, 'WeighbridgeProcessRestarts', [{ process: 'proxy', instance: 'a' }]]],
  },
];

/** What promtool says of the scenarios; '' when all is as expected. */
export function promtoolTest(rulesFile: string, scenarios: readonly Scenario[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'wb-rules-'));
  try {
    const tests = scenarios.map(({ name, series, expect }) => ({
      name,
      interval: '1m',
      input_series: Object.entries(series).map(([selector, values]) => ({ series: selector, values })),
      promql_expr_test: expect.map(([atMinute, alert, where]) => ({
        expr: `ALERTS{alertname="${alert}",alertstate="firing"}`,
        eval_time: `${atMinute}m`,
        exp_samples: where.map((labels) => ({ labels: alertSeries(alert, labels), value: 1 })),
      })),
    }));
    // What JSON says, YAML says too.
    writeFileSync(join(directory, 'test.yml'), JSON.stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests }));
    return promtool(['test', 'rules', join(directory, 'test.yml')]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function alertSeries(alert: AlertName, labels: Readonly<Record<string, string>>): string {
  const severity = ALERT_RULES.find((rule: AlertRule) => rule.alert === alert)?.severity ?? '';
  const all = Object.entries({ alertname: alert, alertstate: 'firing', severity, ...labels });
  return `ALERTS{${all.map(([name, value]) => `${name}="${value}"`).join(',')}}`;
}
