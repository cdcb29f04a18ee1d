/** Every metric that is exported: name, type, labels, unit and meaning. docs/metrics.md is generated from this list. */

/** Labels that exist. None names a machine: 50,000 series would block a scrape, and machines are in `machines` and `ledger`. */
export type Label = 'site' | 'lessee' | 'pool' | 'verdict' | 'reason' | 'state' | 'process' | 'direction' | 'version' | 'node';

export interface MetricEntry {
  readonly name: `weighbridge_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly Label[];
  /** Base unit, or what is counted. */
  readonly unit: string;
  readonly help: string;
}

export const CATALOGUE = [
  {
    name: 'weighbridge_shares_total',
    type: 'counter',
    labels: ['site', 'lessee', 'pool', 'verdict'],
    unit: 'shares',
    help: 'Shares by our own verdict, from the ledger; verdict="accepted" is the delivered ledger',
  },
  {
    name: 'weighbridge_work_total',
    type: 'counter',
    labels: ['site', 'lessee', 'pool', 'verdict'],
    unit: 'difficulty (1 is 2^48/65535 hashes)',
    help: "Sum of the shares' credits by our own verdict, from the ledger; verdict=\"accepted\" is delivered work. Shares without a known job have none",
  },
  {
    name: 'weighbridge_pool_shares_total',
    type: 'counter',
    labels: ['pool', 'verdict', 'reason'],
    unit: 'shares',
    help: 'Forwarded shares by the verdict of the pool, from the ledger',
  },
  {
    name: 'weighbridge_pool_work_total',
    type: 'counter',
    labels: ['pool', 'verdict'],
    unit: 'difficulty (1 is 2^48/65535 hashes)',
    help: 'Sum of the upstream difficulties of forwarded shares, from the ledger; verdict="accepted" is credited work',
  },
  {
    name: 'weighbridge_unjournaled_shares_total',
    type: 'counter',
    labels: [],
    unit: 'shares',
    help: 'Shares, accepted or courtesy, that were answered while the journal could not be written, counted at once; they are in no delivered work',
  },
  {
    name: 'weighbridge_ledger_unjournaled_shares',
    type: 'gauge',
    labels: [],
    unit: 'shares',
    help: 'The same as admitted in the ledger, over its whole life; the admission follows when the journal can be written again',
  },
  {
    name: 'weighbridge_journal_corrupt_ranges',
    type: 'gauge',
    labels: [],
    unit: 'ranges',
    help: 'Unreadable ranges found in the journal; anything above 0 needs an audit',
  },
  {
    name: 'weighbridge_journal_lag_bytes',
    type: 'gauge',
    labels: [],
    unit: 'bytes',
    help: 'Durable journal not yet folded into the ledger',
  },
  {
    name: 'weighbridge_journal_lag_seconds',
    type: 'gauge',
    labels: [],
    unit: 'seconds',
    help: 'Age of the oldest durable record not yet folded into the ledger',
  },
  {
    name: 'weighbridge_redis_lag_rows',
    type: 'gauge',
    labels: [],
    unit: 'row changes',
    help: 'Changes of ledger rows on this host that the shared ledger does not have yet',
  },
  {
    name: 'weighbridge_redis_lag_seconds',
    type: 'gauge',
    labels: [],
    unit: 'seconds',
    help: 'Age of the oldest of these changes; figures by worker wait up to 15 s by design',
  },
  {
    name: 'weighbridge_redis_published_rows_total',
    type: 'counter',
    labels: [],
    unit: 'rows',
    help: 'Ledger rows written to the shared ledger since the accountant started',
  },
  {
    name: 'weighbridge_redis_expired_rows_total',
    type: 'counter',
    labels: [],
    unit: 'row changes',
    help: 'Changes never published because their bucket was past its retention, since the accountant started',
  },
  {
    name: 'weighbridge_redis_missing_found_total',
    type: 'counter',
    labels: [],
    unit: 'hashes',
    help: 'Published hashes that Redis had lost, found by comparison and published again, since the accountant started',
  },
  {
    name: 'weighbridge_redis_errors_total',
    type: 'counter',
    labels: [],
    unit: 'errors',
    help: 'Failed commands and connections to Redis since the accountant started; what failed is sent again',
  },
  {
    name: 'weighbridge_journal_free_bytes',
    type: 'gauge',
    labels: [],
    unit: 'bytes',
    help: 'Free space where the journal is written',
  },
  {
    name: 'weighbridge_journal_writable',
    type: 'gauge',
    labels: [],
    unit: '0 or 1',
    help: 'Whether the journal takes records; at 0 shares go unjournaled',
  },
  {
    name: 'weighbridge_journal_waiting_shares',
    type: 'gauge',
    labels: [],
    unit: 'shares',
    help: 'Shares whose machines wait for their record to be durable',
  },
  {
    name: 'weighbridge_journal_fsync_seconds',
    type: 'histogram',
    labels: [],
    unit: 'seconds',
    help: 'Time of one group commit of the journal, from write to durable',
  },
  {
    name: 'weighbridge_reply_latency_seconds',
    type: 'histogram',
    labels: [],
    unit: 'seconds',
    help: 'Time from reading a submit to writing its reply',
  },
  {
    name: 'weighbridge_sessions',
    type: 'gauge',
    labels: ['site', 'lessee'],
    unit: 'sessions',
    help: 'Connected sessions; both labels are empty before a machine has named itself',
  },
  {
    name: 'weighbridge_links',
    type: 'gauge',
    labels: ['pool', 'state'],
    unit: 'links',
    help: 'Connections to pools by state; shares are forwarded in state="live"',
  },
  {
    name: 'weighbridge_link_pending_shares',
    type: 'gauge',
    labels: ['pool'],
    unit: 'shares',
    help: 'Forwarded shares whose pool has not answered yet',
  },
  {
    name: 'weighbridge_link_reconnects',
    type: 'gauge',
    labels: ['pool'],
    unit: 'reconnects',
    help: 'How often the connection to the pool was made anew since the proxy process started',
  },
  {
    name: 'weighbridge_job_age_seconds',
    type: 'gauge',
    labels: ['pool'],
    unit: 'seconds',
    help: 'Time since the last job of the pool',
  },
  {
    name: 'weighbridge_jobs_total',
    type: 'counter',
    labels: [],
    unit: 'jobs',
    help: 'Jobs taken from pools',
  },
  {
    name: 'weighbridge_jobs_refused_total',
    type: 'counter',
    labels: [],
    unit: 'jobs',
    help: 'Jobs of pools that failed the checks and were not mined',
  },
  {
    name: 'weighbridge_connects_total',
    type: 'counter',
    labels: [],
    unit: 'connections',
    help: 'Connections accepted from machines',
  },
  {
    name: 'weighbridge_resumptions_total',
    type: 'counter',
    labels: [],
    unit: 'sessions',
    help: 'Sessions resumed with their prefix after a lost connection',
  },
  {
    name: 'weighbridge_session_closes_total',
    type: 'counter',
    labels: ['reason'],
    unit: 'closes',
    help: 'Sessions closed and lines refused, by reason',
  },
  {
    name: 'weighbridge_messages_total',
    type: 'counter',
    labels: ['direction'],
    unit: 'messages',
    help: 'Messages exchanged with machines (downstream) and with pools (upstream)',
  },
  {
    name: 'weighbridge_replies_true_total',
    type: 'counter',
    labels: [],
    unit: 'replies',
    help: 'Submits that were answered true',
  },
  {
    name: 'weighbridge_validation_samples_total',
    type: 'counter',
    labels: [],
    unit: 'shares',
    help: 'Shares validated a second time by bitcoinjs-lib',
  },
  {
    name: 'weighbridge_validation_mismatches_total',
    type: 'counter',
    labels: [],
    unit: 'shares',
    help: 'Samples on which bitcoinjs-lib and the fast kernel disagreed; anything above 0 is an alarm',
  },
  {
    name: 'weighbridge_capped_shares_total',
    type: 'counter',
    labels: [],
    unit: 'shares',
    help: 'Shares good enough for the pool that were held back by the cap on submits, so that the pool cannot credit them',
  },
  {
    name: 'weighbridge_block_candidates_total',
    type: 'counter',
    labels: [],
    unit: 'shares',
    help: 'Shares that met the target of the network',
  },
  {
    name: 'weighbridge_process_restarts_total',
    type: 'counter',
    labels: ['process'],
    unit: 'restarts',
    help: 'Child processes started again after they ended unasked',
  },
  {
    name: 'weighbridge_start_time_seconds',
    type: 'gauge',
    labels: [],
    unit: 'seconds since 1970',
    help: 'When the supervisor started',
  },
  {
    name: 'weighbridge_build_info',
    type: 'gauge',
    labels: ['version', 'node'],
    unit: 'always 1',
    help: 'Version of the product and of Node',
  },
] as const satisfies readonly MetricEntry[];

export type MetricName = (typeof CATALOGUE)[number]['name'];
type Entry<N extends MetricName> = Extract<(typeof CATALOGUE)[number], { readonly name: N }>;
/** The labels of one metric, each exactly once. */
export type LabelsOf<N extends MetricName> = Readonly<Record<Entry<N>['labels'][number], string>>;
export type NameOfType<T extends MetricEntry['type']> = Extract<(typeof CATALOGUE)[number], { readonly type: T }>['name'];

/** docs/metrics.md as it must read. */
export function catalogueMarkdown(): string {
  const rows = CATALOGUE.map((entry: MetricEntry) => {
    const labels = entry.labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${entry.name}\` | ${entry.type} | ${labels} | ${entry.unit} | ${entry.help} |`;
  });
  return [...MARKDOWN_HEAD, '| metric | type | labels | unit | meaning |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

const MARKDOWN_HEAD = [
  '# Metrics',
  '',
  'Served at `http://<http>/metrics` in the Prometheus text format. Generated from `metrics/catalogue.ts`; do not edit by hand.',
  '',
  '- The ledger counters (`weighbridge_shares_total`, `…work_total`, `…pool_shares_total`, `…pool_work_total`) are read from the ledger,',
  "  which is folded from this host's own journals. They do not go backwards at a restart. While the ledger has not caught up with the",
  '  journal, /metrics answers 503 and says so.',
  '- The other counters are kept by the supervisor over restarts of the proxy process and begin at 0 when the supervisor starts.',
  '- Prometheus computes in doubles: bill from `weighbridge ledger`, never from here.',
  '- `site`, `lessee` and `pool` are the names of the configuration; `lessee=""` is hash rate of nobody in particular.',
  '- No label names a machine. `weighbridge machines` and `weighbridge ledger --by worker` do.',
  '',
];
