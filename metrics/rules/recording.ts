/** Recording rules: hash rate once, and what dashboards and alerts build on it. */

/** Hashes of one unit of difficulty: 2^48/65535, to the unit. */
const HASHES_PER_DIFFICULTY = 4295032833;

export interface RecordingRule {
  readonly record: `weighbridge:${string}`;
  /** What it says, for people. */
  readonly about: string;
  readonly expr: string;
}

/** Hash rate over five minutes by some labels, from a counter of work. Hosts add up. */
function hashRate(by: string, counter: string): string {
  return `sum by (${by}) (rate(${counter}{verdict="accepted"}[5m])) * ${HASHES_PER_DIFFICULTY}`;
}

/** Mean of what was delivered over the mean of what was owed; curtailed time is owed nothing and delivers what it may. */
function ratio(window: string): string {
  return `avg_over_time(weighbridge:lease_delivered:rate5m[${window}]) / (avg_over_time(weighbridge:lease_owed:hashrate[${window}]) > 0)`;
}

/** In the order in which they build on each other: Prometheus evaluates a group from top to bottom. */
export const RECORDING_RULES = [
  { record: 'weighbridge:hashrate:rate5m', about: 'Delivered hash rate by site and lessee; everything else about hash rate is built on it', expr: hashRate('site, lessee', 'weighbridge_work_total') },
  { record: 'weighbridge:lease_hashrate:rate5m', about: 'The same by lease and site; leases of different kinds do not add up', expr: hashRate('lease, site', 'weighbridge_lease_work_total') },
  { record: 'weighbridge:pool_hashrate:rate5m', about: 'Hash rate that each pool credits', expr: hashRate('pool', 'weighbridge_pool_work_total') },
  { record: 'weighbridge:site_hashrate:rate5m', about: 'Delivered hash rate of each site', expr: 'sum by (site) (weighbridge:hashrate:rate5m)' },
  { record: 'weighbridge:fleet_hashrate:rate5m', about: 'Delivered hash rate of all sites', expr: 'sum(weighbridge:hashrate:rate5m)' },
  { record: 'weighbridge:lease_delivered:rate5m', about: 'Delivered hash rate of each lease, over all its sites and hosts', expr: 'sum by (lease) (weighbridge:lease_hashrate:rate5m)' },
  { record: 'weighbridge:lease_owed:hashrate', about: 'Hash rate that each lease owes at present; every host states the same', expr: 'max by (lease) (weighbridge_lease_owed_hashes_per_second)' },
  { record: 'weighbridge:lease_delivery_ratio:avg5m', about: 'Delivered over owed, 5 minutes', expr: 'weighbridge:lease_delivered:rate5m / (weighbridge:lease_owed:hashrate > 0)' },
  { record: 'weighbridge:lease_delivery_ratio:avg1h', about: 'Delivered over owed, 1 hour', expr: ratio('1h') },
  { record: 'weighbridge:lease_delivery_ratio:avg2h', about: 'Delivered over owed, 2 hours', expr: ratio('2h') },
  { record: 'weighbridge:lease_delivery_ratio:avg24h', about: 'Delivered over owed, 24 hours', expr: ratio('24h') },
  {
    record: 'weighbridge:pool_reject_ratio:rate15m',
    about: 'Part of the forwarded shares that a pool refused',
    expr: 'sum by (pool) (rate(weighbridge_pool_shares_total{verdict="rejected"}[15m])) / sum by (pool) (rate(weighbridge_pool_shares_total[15m]))',
  },
  { record: 'weighbridge:site_income:rate5m', about: 'Expected income of each site, satoshi per second', expr: 'sum by (site) (rate(weighbridge_expected_value_satoshis_total[5m]))' },
  { record: 'weighbridge:site_income:avg6h', about: 'The same over six hours, or as long as there is a figure', expr: 'avg_over_time(weighbridge:site_income:rate5m[6h])' },
] as const satisfies readonly RecordingRule[];
