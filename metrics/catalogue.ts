/** Every metric that is exported: name, type, labels, unit and meaning. docs/metrics.md is generated from this list. */
import type { LeaseKind } from '../config/leases.ts';
import type { OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import type { LinkState } from '../proxy/session/states.ts';
import type { Trouble } from '../proxy/session/trust.ts';

/** Why a session was closed or a connection refused; what is not listed is exported as `other`. */
export const CLOSE_REASONS = [
  'closed by the machine',
  'idle',
  'not authorised in time',
  'not Stratum',
  'line too long',
  'does not read',
  'address of no site',
  'too many sessions',
  'no prefix left',
  'resumed on a new connection',
  'its extranonce does not fit the pools left',
  'no pool for too long',
  'moved to another process',
  'the configuration has no place for it',
  'other',
] as const;
type CloseReason = (typeof CLOSE_REASONS)[number];

/** Times over which a lease's rate is stated; `period` is that of its service level, or the month. */
export const LEASE_WINDOWS = ['5m', '1h', '24h', 'period'] as const;
export type LeaseWindow = (typeof LEASE_WINDOWS)[number];
/** What a lease is in: exactly one of these is 1. */
export const LEASE_STATES = ['ok', 'low', 'dark', 'curtailed', 'over', 'unmeasured'] as const;
export type LeaseState = (typeof LEASE_STATES)[number];

/** What a proxy process is doing. */
export const PROCESS_STATES = ['starting', 'serving', 'draining', 'drained', 'down', 'looping'] as const;
export type ProcessState = (typeof PROCESS_STATES)[number];

/**
 * Labels that exist, and what they may hold. `string` is always a name of the configuration, or of one of our processes;
 * `worker` exists only where `metrics.workersMax` allows it. None holds an address, a session or free text.
 */
interface LabelValues {
  readonly site: string;
  readonly lessee: string;
  readonly lease: string;
  readonly pool: string;
  /** Place of a route in the configuration, from 0. */
  readonly route: string;
  readonly worker: string;
  readonly verdict: OwnVerdict | 'rejected' | 'unanswered';
  readonly reason: PoolReason | CloseReason | Trouble;
  readonly state: LeaseState | LinkState | ProcessState;
  readonly window: LeaseWindow;
  readonly kind: LeaseKind;
  readonly lessor: string;
  readonly performer: string;
  readonly component: 'fixed' | 'delivered' | 'revenueShare' | 'hosting';
  readonly currency: string;
  readonly direction: 'downstream' | 'upstream';
  readonly process: string;
  readonly version: string;
  readonly node: string;
}
type Label = keyof LabelValues;

export interface MetricEntry {
  readonly name: `weighbridge_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly Label[];
  /** Base unit, or what is counted. */
  readonly unit: string;
  readonly help: string;
}

type Row<N, T, L> = { readonly name: N; readonly type: T; readonly labels: L; readonly unit: string; readonly help: string };
function row<T extends MetricEntry['type']>(type: T) {
  return <const N extends MetricEntry['name'], const L extends readonly Label[]>(name: N, labels: L, unit: string, help: string): Row<N, T, L> => ({ name, type, labels, unit, help });
}
const counter = row('counter');
const gauge = row('gauge');
const histogram = row('histogram');

const DIFFICULTY = 'difficulty (1 is 2^48/65535 hashes)';
const HASH_RATE = 'hashes per second';

export const CATALOGUE = [
  // What was delivered, from the ledger.
  counter('weighbridge_shares_total', ['site', 'lessee', 'verdict'], 'shares', 'Shares by our own verdict; verdict="accepted" is the delivered ledger'),
  counter('weighbridge_work_total', ['site', 'lessee', 'verdict'], DIFFICULTY, 'Sum of the shares\' credits by our own verdict; verdict="accepted" is delivered work. Shares without a known job have none'),
  counter('weighbridge_expected_value_satoshis_total', ['site', 'lessee'], 'satoshi', 'What delivered work is expected to be worth, each share by the difficulty and the coinbase of its own job'),
  gauge('weighbridge_last_share_timestamp_seconds', ['site', 'lessee'], 'seconds since 1970', 'When the last accepted share came'),

  // The same under each lease. A machine may be under two leases, so leases do not add up to the above.
  gauge('weighbridge_lease_info', ['lease', 'kind', 'lessor', 'lessee', 'performer'], 'always 1', 'Parties of each lease; join on lease to select by lessor or lessee'),
  counter('weighbridge_lease_shares_total', ['lease', 'site', 'verdict'], 'shares', 'Shares under a lease by our own verdict'),
  counter('weighbridge_lease_work_total', ['lease', 'site', 'verdict'], DIFFICULTY, 'Work under a lease by our own verdict; do not add up leases of different kinds'),
  counter('weighbridge_lease_expected_value_satoshis_total', ['lease'], 'satoshi', 'What the work delivered under a lease is expected to be worth'),
  gauge('weighbridge_lease_contracted_hashes_per_second', ['lease'], HASH_RATE, 'Contracted rate, during the term'),
  gauge('weighbridge_lease_owed_hashes_per_second', ['lease'], HASH_RATE, 'Contracted rate, 0 while the lease is curtailed or suspended'),
  gauge('weighbridge_lease_installed_hashes_per_second', ['lease'], HASH_RATE, 'What the machines of the inventory make by their plates'),
  gauge('weighbridge_lease_seen_hashes_per_second', ['lease'], HASH_RATE, 'Plates of those machines that are connected'),
  gauge('weighbridge_lease_delivered_hashes_per_second', ['lease', 'window'], HASH_RATE, 'Delivered rate over the window that ends now'),
  gauge('weighbridge_lease_delivered_low_hashes_per_second', ['lease', 'window'], HASH_RATE, 'Lower end of the 95 % interval of the delivered rate'),
  gauge('weighbridge_lease_delivered_high_hashes_per_second', ['lease', 'window'], HASH_RATE, 'Upper end of the 95 % interval of the delivered rate'),
  gauge('weighbridge_lease_delivery_ratio', ['lease', 'window'], 'ratio', 'Delivered over owed work of the window; absent while nothing is owed'),
  gauge('weighbridge_lease_state', ['lease', 'state'], '0 or 1', 'The state a lease is in; low is the finding of the test that stays right however often it is looked at'),
  gauge('weighbridge_lease_last_share_timestamp_seconds', ['lease'], 'seconds since 1970', 'When the last accepted share under the lease came'),
  gauge('weighbridge_lease_rent_per_day', ['lease', 'component', 'currency'], 'currency units', 'Rent of a day at the present rates and value, before service credits, without metered energy; the statement is what is owed'),

  // What pools said of it, never crossed with the above: a pool does not know sites and lessees.
  counter('weighbridge_pool_shares_total', ['pool', 'verdict', 'reason'], 'shares', 'Forwarded shares by the verdict of the pool'),
  counter('weighbridge_pool_work_total', ['pool', 'verdict', 'reason'], DIFFICULTY, 'Sum of the upstream difficulties of forwarded shares; verdict="accepted" is credited work'),
  counter('weighbridge_capped_shares_total', [], 'shares', 'Shares good enough for the pool that were held back by the cap on submits, so that the pool cannot credit them'),
  counter('weighbridge_shed_shares_total', [], 'shares', 'Shares that gave way to later ones because the pool did not read or answer; journaled as unanswered'),
  counter('weighbridge_pool_names_refused_total', [], 'names', 'Worker names that a pool with identity: passthrough refused; their shares go under the account of the link'),
  counter('weighbridge_block_candidates_total', [], 'shares', 'Shares that met the target of the network'),
  histogram('weighbridge_pool_round_trip_seconds', ['pool'], 'seconds', "Time from forwarding a share to the pool's verdict"),

  // Connections.
  gauge('weighbridge_sessions', ['site', 'lessee'], 'sessions', 'Connected machines that have named themselves'),
  gauge('weighbridge_failover_sessions', ['pool'], 'sessions', 'Sessions working for a pool that is not the first of their route'),
  gauge('weighbridge_pool_avoided', ['pool', 'reason'], '0 or 1', 'Whether machines are kept from a pool that lives: it refuses shares, is behind other pools, or went back in height'),
  gauge('weighbridge_split_target_ratio', ['route', 'pool'], 'ratio', "Part of a route's work that a pool is to have by its weight; with its stand-ins, under the first of them"),
  gauge('weighbridge_split_actual_ratio', ['route', 'pool'], 'ratio', 'Part of the delivered work that it has had since the split began'),
  gauge('weighbridge_split_forgiven_ratio', ['route', 'pool'], 'ratio', 'Part of the delivered work that it missed beyond failover.splitDebtMax and that is not made good; below zero where it was had instead. Target less this is what the split is kept at'),
  counter('weighbridge_split_moves_total', ['route'], 'moves', 'Machines moved to keep a split, since it began'),
  gauge('weighbridge_links', ['pool', 'state'], 'links', 'Connections to pools by state; shares are forwarded in state="live"'),
  gauge('weighbridge_link_sessions', ['pool'], 'sessions', 'Sessions that share the links of the pool; over its live links this is the aggregation'),
  gauge('weighbridge_link_pending_shares', ['pool'], 'shares', 'Forwarded shares whose pool has not answered yet'),
  counter('weighbridge_link_reconnects_total', ['pool'], 'reconnects', 'How often a connection to the pool was made anew'),
  gauge('weighbridge_job_age_seconds', ['pool'], 'seconds', 'Time since the last job of the pool'),
  counter('weighbridge_jobs_total', [], 'jobs', 'Jobs taken from pools'),
  counter('weighbridge_jobs_refused_total', [], 'jobs', 'Jobs of pools that failed the checks and were not mined'),
  counter('weighbridge_pool_lines_refused_total', [], 'lines', 'Lines of pools that are not Stratum'),
  histogram('weighbridge_notify_fanout_seconds', [], 'seconds', "Time from reading a pool's job to having written it to the last session of the link"),
  counter('weighbridge_connects_total', [], 'connections', 'Connections accepted from machines'),
  counter('weighbridge_resumptions_total', [], 'sessions', 'Sessions resumed with their prefix after a lost connection'),
  counter('weighbridge_session_closes_total', ['reason'], 'closes', 'Sessions closed and connections refused, by reason'),
  counter('weighbridge_messages_total', ['direction'], 'messages', 'Messages exchanged with machines (downstream) and with pools (upstream)'),
  counter('weighbridge_replies_true_total', [], 'replies', 'Submits that were answered true'),
  histogram('weighbridge_reply_latency_seconds', [], 'seconds', 'Time from reading a submit to writing its reply'),

  // The journal and what follows it.
  counter('weighbridge_journal_written_bytes_total', [], 'bytes', 'Bytes appended to the journal'),
  histogram('weighbridge_journal_fsync_seconds', [], 'seconds', 'Time of one group commit of the journal, from write to durable'),
  gauge('weighbridge_journal_waiting_shares', [], 'shares', 'Shares whose machines wait for their record to be durable'),
  gauge('weighbridge_duplicate_hashes', [], 'hashes', 'Counted shares remembered to find duplicates; falls when a block is left behind'),
  gauge('weighbridge_further_planes', [], 'planes', 'Sets of short prefixes above the first, each with one more link to the pools; 0 unless a pool leaves little room'),
  gauge('weighbridge_journal_writable', [], '0 or 1', 'Whether every proxy process can write its journal; at 0 shares go unjournaled'),
  gauge('weighbridge_journal_free_bytes', [], 'bytes', 'Free space where the journal is written'),
  gauge('weighbridge_journal_corrupt_ranges', [], 'ranges', 'Unreadable ranges found in the journal; anything above 0 needs an audit'),
  counter('weighbridge_unjournaled_shares_total', [], 'shares', 'Shares, accepted or courtesy, that were answered while the journal could not be written, counted at once; they are in no delivered work'),
  gauge('weighbridge_ledger_unjournaled_shares', [], 'shares', 'The same as admitted in the ledger, over its whole life; the admission follows when the journal can be written again'),
  gauge('weighbridge_journal_lag_bytes', [], 'bytes', 'Durable journal not yet folded into the ledger'),
  gauge('weighbridge_journal_lag_seconds', [], 'seconds', 'Age of the oldest durable record not yet folded into the ledger; far behind, the ledger counters are left out'),
  gauge('weighbridge_ledger_writable', [], '0 or 1', 'Whether the ledger follows the journal; at 0 the journal keeps what it misses'),
  counter('weighbridge_validation_samples_total', [], 'shares', 'Shares validated a second time by bitcoinjs-lib'),
  counter('weighbridge_validation_mismatches_total', [], 'shares', 'Samples on which bitcoinjs-lib and the fast kernel disagreed; anything above 0 is an alarm'),

  // The shared ledger.
  gauge('weighbridge_redis_up', [], '0 or 1', 'Whether the shared ledger takes what this host publishes'),
  gauge('weighbridge_redis_lag_rows', [], 'row changes', 'Changes of ledger rows on this host that the shared ledger does not have yet'),
  gauge('weighbridge_redis_lag_seconds', [], 'seconds', 'Age of the oldest of these changes; figures by worker wait up to 15 s by design'),
  counter('weighbridge_redis_published_rows_total', [], 'rows', 'Ledger rows written to the shared ledger'),
  counter('weighbridge_redis_expired_rows_total', [], 'row changes', 'Changes never published because their bucket was past its retention'),
  counter('weighbridge_redis_missing_found_total', [], 'hashes', 'Published hashes that Redis had lost, found by comparison and published again'),
  counter('weighbridge_redis_errors_total', [], 'errors', 'Failed commands and connections to Redis; what failed is sent again'),

  // Power, where `sites.*.power` is configured.
  gauge('weighbridge_site_power_watts', ['site'], 'watts', 'Power that the site draws when all of it runs, as configured'),
  gauge('weighbridge_site_power_cost_satoshis_per_second', ['site'], 'satoshi per second', "What that power costs, at the latest known price of bitcoin where power is paid in another currency"),

  // Single machines, where `metrics.workersMax` is above 0.
  gauge('weighbridge_worker_hashes_per_second', ['site', 'worker'], HASH_RATE, 'Rate of all machines of one name over up to ten minutes; off unless metrics.workersMax is set'),
  gauge('weighbridge_worker_series_dropped', [], 'names', 'Names beyond metrics.workersMax, which have no series'),

  // Our own processes.
  histogram('weighbridge_event_loop_delay_seconds', ['process'], 'seconds', 'How late a timer fires that is set ten times a second: time in which the process did nothing else'),
  gauge('weighbridge_process_resident_memory_bytes', ['process'], 'bytes', 'Memory that the process holds'),
  counter('weighbridge_process_cpu_seconds_total', ['process'], 'seconds', 'Processor time of the process, in user and system mode'),
  counter('weighbridge_process_restarts_total', ['process'], 'restarts', 'Child processes started again after they ended unasked'),
  gauge('weighbridge_proxy_processes', ['state'], 'processes', 'Proxy processes by what they do; `down` ones are being started again, `looping` ones crash again and again'),
  gauge('weighbridge_start_time_seconds', [], 'seconds since 1970', 'When the supervisor started'),
  gauge('weighbridge_build_info', ['version', 'node'], 'always 1', 'Version of the product and of Node'),
] as const satisfies readonly MetricEntry[];

type Catalogue = (typeof CATALOGUE)[number];
export type MetricName = Catalogue['name'];
/** The labels of one metric, each exactly once. */
export type LabelsOf<N extends MetricName> = Readonly<Pick<LabelValues, Extract<Catalogue, { readonly name: N }>['labels'][number]>>;
export type NameOfType<T extends MetricEntry['type']> = Extract<Catalogue, { readonly type: T }>['name'];
