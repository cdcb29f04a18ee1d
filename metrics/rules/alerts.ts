/** Alerts, each with what it says; docs/runbooks.md says what to do. */

export interface AlertRule {
  readonly alert: `Weighbridge${string}`;
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  /** page: somebody gets up. ticket: somebody looks today. info: nobody is told, it only silences others. */
  readonly severity: 'page' | 'ticket' | 'info';
  /** One sentence; `{{ $labels.x }}` and `{{ $value }}` are filled in. */
  readonly summary: string;
}

/**
 * A lease at each site where it delivered within a day, so that a dark site silences exactly what it explains; where it has
 * never delivered, the lease alone.
 */
function leaseAt(condition: string): string {
  return `((${LEASE_SITES}) and on (lease) (${condition})) or (max by (lease) (${condition}) unless on (lease) (${LEASE_SITES}))`;
}
const LEASE_SITES = 'max_over_time(weighbridge:lease_hashrate:rate5m[1d]) > 0';
const inState = (state: string): string => `weighbridge_lease_state{state="${state}"} == 1`;
/** Both windows, so that it comes soon and goes soon; and not before a time of `owing`, for then there is no such window yet. */
const below = (ratio: string, long: string, short: string, owing: string): string =>
  `weighbridge:lease_delivery_ratio:avg${long} < ${ratio} and weighbridge:lease_delivery_ratio:avg${short} < ${ratio} and weighbridge:lease_owed:hashrate offset ${owing} > 0`;

export const ALERT_RULES = [
  {
    alert: 'WeighbridgeDown',
    expr: 'up{job=~"weighbridge.*"} == 0',
    for: '2m', severity: 'page',
    summary: '{{ $labels.instance }} gives no metrics: it is down, or its ledger has not caught up.',
  },
  {
    // Silent for so long that chance alone would be silent so with a probability of e^-18; then, for a day, as long as nothing comes.
    alert: 'WeighbridgeSiteDark',
    expr:
      '(time() - max by (site) (weighbridge_last_share_timestamp_seconds)) * sum by (site) (rate(weighbridge_shares_total{verdict="accepted"}[1h])) > 18 ' +
      'or (weighbridge:site_hashrate:rate5m == 0 and max_over_time(weighbridge:site_hashrate:rate5m[1d]) > 0)',
    for: '30s', severity: 'page',
    summary: 'Site {{ $labels.site }} delivers nothing.',
  },
  {
    alert: 'WeighbridgeLeaseCurtailed',
    expr: leaseAt(inState('curtailed')),
    for: '0s', severity: 'info',
    summary: 'Lease {{ $labels.lease }} is curtailed: nothing is owed.',
  },
  {
    // A site stands still with leave only when every lease there may: one that is not curtailed must still be heard of.
    alert: 'WeighbridgeSiteCurtailed',
    expr: `count by (site) ((${LEASE_SITES}) and on (lease) (${inState('curtailed')})) == count by (site) (${LEASE_SITES})`,
    for: '0s', severity: 'info',
    summary: 'Every lease at site {{ $labels.site }} is curtailed.',
  },
  {
    alert: 'WeighbridgeLeaseDark',
    expr: leaseAt(inState('dark')),
    for: '0s', severity: 'page',
    summary: 'No share has come under lease {{ $labels.lease }} for longer than chance allows.',
  },
  {
    // The test is right however often it is looked at, so there is nothing to wait for.
    alert: 'WeighbridgeLeaseLow',
    expr: leaseAt(inState('low')),
    for: '0s', severity: 'ticket',
    summary: 'Lease {{ $labels.lease }} delivers less than it owes; this is not chance.',
  },
  {
    alert: 'WeighbridgeLeaseShortfallFast',
    expr: leaseAt(below('0.7', '1h', '5m', '1h')),
    for: '2m', severity: 'page',
    summary: 'Lease {{ $labels.lease }} has been more than 30 % short for an hour, and still is.',
  },
  {
    alert: 'WeighbridgeLeaseShortfallSlow',
    expr: leaseAt(below('0.9', '24h', '2h', '2h')),
    for: '15m', severity: 'ticket',
    summary: 'Lease {{ $labels.lease }} has been more than 10 % short for a day, and still is.',
  },
  {
    alert: 'WeighbridgePoolRejects',
    expr:
      'weighbridge:pool_reject_ratio:rate15m > 0.02 and sum by (pool) (increase(weighbridge_pool_shares_total{verdict="rejected"}[15m])) > 10 ' +
      'and weighbridge:pool_reject_ratio:rate15m > 2 * avg_over_time(weighbridge:pool_reject_ratio:rate15m[1d])',
    for: '5m', severity: 'ticket',
    summary: 'Pool {{ $labels.pool }} refuses {{ $value | humanizePercentage }} of our shares, more than twice as many as usual.',
  },
  {
    alert: 'WeighbridgePoolSilent',
    expr: 'min by (pool) (weighbridge_job_age_seconds) > 180 or sum by (pool) (weighbridge_links{state="live"}) == 0',
    for: '1m', severity: 'ticket',
    summary: 'Pool {{ $labels.pool }} gives no work.',
  },
  {
    alert: 'WeighbridgePoolNotCrediting',
    expr:
      '(sum by (pool) (weighbridge_link_pending_shares) > 0 or sum by (pool) (rate(weighbridge_pool_shares_total{verdict!="accepted"}[10m])) > 0) ' +
      'unless on (pool) sum by (pool) (rate(weighbridge_pool_shares_total{verdict="accepted"}[10m])) > 0',
    for: '10m', severity: 'page',
    summary: 'Pool {{ $labels.pool }} is sent shares and credits none.',
  },
  {
    alert: 'WeighbridgeFailoverActive',
    expr: 'sum by (pool) (weighbridge_failover_sessions) > 0',
    for: '5m', severity: 'ticket',
    summary: '{{ $value }} sessions work for pool {{ $labels.pool }}, which is not the first of their route.',
  },
  {
    alert: 'WeighbridgeJournalLag',
    expr: 'weighbridge_journal_lag_seconds > 60',
    for: '2m', severity: 'ticket',
    summary: 'The ledger of {{ $labels.instance }} is {{ $value | humanizeDuration }} behind its journal.',
  },
  {
    alert: 'WeighbridgeUnjournaledShares',
    expr: 'increase(weighbridge_unjournaled_shares_total[15m]) > 0 or weighbridge_journal_writable == 0',
    for: '0s', severity: 'page',
    summary: 'Shares on {{ $labels.instance }} are answered and not journaled: they cannot be claimed.',
  },
  {
    alert: 'WeighbridgeValidationMismatch',
    expr: 'increase(weighbridge_validation_mismatches_total[1d]) > 0',
    for: '0s', severity: 'page',
    summary: 'The fast kernel and bitcoinjs-lib disagreed about a share on {{ $labels.instance }}.',
  },
  {
    alert: 'WeighbridgeJournalCorrupt',
    expr: 'weighbridge_journal_corrupt_ranges > 0',
    for: '0s', severity: 'ticket',
    summary: 'The journal of {{ $labels.instance }} has {{ $value }} unreadable ranges.',
  },
  {
    alert: 'WeighbridgeLedgerDown',
    expr: 'weighbridge_ledger_writable == 0',
    for: '1m', severity: 'ticket',
    summary: 'The ledger of {{ $labels.instance }} does not follow its journal; nothing is lost, and nothing new is shown.',
  },
  {
    alert: 'WeighbridgeRedisDown',
    expr: 'weighbridge_redis_up == 0 or weighbridge_redis_lag_seconds > 120',
    for: '2m', severity: 'ticket',
    summary: 'The shared ledger does not have what {{ $labels.instance }} has counted.',
  },
  {
    alert: 'WeighbridgeDiskFilling',
    expr: 'weighbridge_journal_free_bytes < 1073741824 or (predict_linear(weighbridge_journal_free_bytes[6h], 4 * 86400) < 0 and weighbridge_journal_free_bytes < 107374182400)',
    for: '10m', severity: 'page',
    summary: 'The disk of the journal on {{ $labels.instance }} is full or will be within four days; {{ $value | humanize1024 }}B are left.',
  },
  {
    alert: 'WeighbridgeIncomeBelowPowerCost',
    expr: 'weighbridge:site_income:avg6h < on (site) max by (site) (weighbridge_site_power_cost_satoshis_per_second)',
    for: '1h', severity: 'ticket',
    summary: 'What site {{ $labels.site }} mines is expected to be worth less than the power for it.',
  },
  {
    alert: 'WeighbridgeProcessRestarts',
    expr: 'increase(weighbridge_process_restarts_total[15m]) > 3',
    for: '0s', severity: 'ticket',
    summary: 'The {{ $labels.process }} of {{ $labels.instance }} ends again and again.',
  },
] as const satisfies readonly AlertRule[];

type AlertName = (typeof ALERT_RULES)[number]['alert'];

/** While a source fires, its targets with the same value of `equal` say nothing new. Alertmanager's part. */
export const INHIBITIONS: readonly { readonly sources: readonly AlertName[]; readonly targets: readonly AlertName[]; readonly equal: readonly string[] }[] = [
  {
    sources: ['WeighbridgeLeaseCurtailed'],
    targets: ['WeighbridgeLeaseDark', 'WeighbridgeLeaseLow', 'WeighbridgeLeaseShortfallFast', 'WeighbridgeLeaseShortfallSlow'],
    equal: ['lease'],
  },
  { sources: ['WeighbridgeSiteCurtailed'], targets: ['WeighbridgeSiteDark', 'WeighbridgeIncomeBelowPowerCost'], equal: ['site'] },
  {
    sources: ['WeighbridgeSiteDark'],
    targets: ['WeighbridgeLeaseDark', 'WeighbridgeLeaseLow', 'WeighbridgeLeaseShortfallFast', 'WeighbridgeLeaseShortfallSlow', 'WeighbridgeIncomeBelowPowerCost'],
    equal: ['site'],
  },
  { sources: ['WeighbridgeLeaseDark'], targets: ['WeighbridgeLeaseLow', 'WeighbridgeLeaseShortfallFast', 'WeighbridgeLeaseShortfallSlow'], equal: ['lease'] },
  { sources: ['WeighbridgeLeaseShortfallFast'], targets: ['WeighbridgeLeaseLow', 'WeighbridgeLeaseShortfallSlow'], equal: ['lease'] },
];
