/** Turns an instance's figures into samples. */
import type { LedgerSeries } from '../accounting/series.ts';
import type { HistogramSnapshot } from '../config/timing.ts';
import type { LinkState } from '../proxy/session/states.ts';
import type { Trouble } from '../proxy/session/trust.ts';
import { CLOSE_REASONS, PROCESS_STATES, type LabelsOf, type NameOfType, type ProcessState } from './catalogue.ts';
import { Exposition } from './exposition.ts';
import { contractMetrics, leaseMetrics, ledgerMetrics, rentMetrics, type LeaseContract, type LeaseFigures, type LeaseRent, type SitePower } from './ledger.ts';

/** What the exporter reads of an instance. This room lies above the one that gathers it, so it names its needs itself. */
export interface MetricsInput {
  readonly version: string;
  readonly startedMs: number;
  /** Of each of our processes that reports, by its name. */
  readonly residentBytes: Readonly<Record<string, number>>;
  /** What each place for a proxy process is in. */
  readonly states: readonly ProcessState[];
  /** Proxy processes that report. */
  readonly proxies: readonly ProxyInput[];
  readonly totals: TotalsInput;
  /** As configured, at this moment. */
  readonly contracts: readonly LeaseContract[];
  readonly power: readonly SitePower[];
  readonly rents: readonly LeaseRent[];
  /** Undefined where no machine has a series. */
  readonly workers: { readonly rates: readonly { readonly site: string; readonly worker: string; readonly hashesPerSecond: number }[]; readonly dropped: number } | undefined;
  readonly accountant: AccountantInput;
}

interface SplitInput {
  readonly route: number;
  readonly parts: readonly { readonly pools: readonly string[]; readonly weight: number; readonly work: number; readonly forgiven: number }[];
  readonly moves: number;
}

interface ProxyInput {
  /** `site TAB lessee` → sessions. */
  readonly sessionsByGroup: Readonly<Record<string, number>>;
  readonly links: readonly {
    readonly pool: string;
    readonly state: LinkState;
    readonly trouble: Trouble | '';
    readonly sessions: number;
    readonly pending: number;
    readonly jobAgeMs?: number | undefined;
  }[];
  readonly splits: readonly SplitInput[];
  readonly measures: { readonly failover: Readonly<Record<string, number>>; readonly duplicateHashes: number; readonly furtherPlanes: number };
  readonly journal: { readonly state: string; readonly waitingShares: number; readonly freeBytes: number };
}

interface TotalsInput {
  readonly counters: Readonly<Record<CounterKey, number>>;
  readonly closes: Readonly<Record<string, number>>;
  readonly reconnects: Readonly<Record<string, number>>;
  readonly roundTrips: Readonly<Record<string, HistogramSnapshot>>;
  readonly writtenBytes: number;
  readonly fsync: HistogramSnapshot | undefined;
  readonly replies: HistogramSnapshot | undefined;
  readonly fanout: HistogramSnapshot | undefined;
  readonly redis: { readonly publishedRows: number; readonly expiredRows: number; readonly missingFound: number; readonly errors: number } | undefined;
  readonly cpuSeconds: Readonly<Record<string, number>>;
  readonly loops: Readonly<Record<string, HistogramSnapshot>>;
  readonly restarts: Readonly<Record<string, number>>;
}

interface AccountantInput {
  readonly lagBytes: number;
  readonly lagMs: number;
  readonly corruptRanges: number;
  readonly unjournaledShares: number;
  /** '' or what keeps the ledger from following the journals. */
  readonly problem: string;
  readonly series: LedgerSeries;
  readonly leases?: readonly LeaseFigures[] | undefined;
  readonly redis?: { readonly lagRows: number; readonly lagSeconds: number; readonly problem: string } | undefined;
}

/** Counters of the proxy processes that are exported as they are. */
const PLAIN_COUNTERS = {
  jobs: 'weighbridge_jobs_total',
  jobsRefused: 'weighbridge_jobs_refused_total',
  poolLinesRefused: 'weighbridge_pool_lines_refused_total',
  connects: 'weighbridge_connects_total',
  resumptions: 'weighbridge_resumptions_total',
  sharesAnsweredTrue: 'weighbridge_replies_true_total',
  validationSamples: 'weighbridge_validation_samples_total',
  validationMismatches: 'weighbridge_validation_mismatches_total',
  cappedShares: 'weighbridge_capped_shares_total',
  shedShares: 'weighbridge_shed_shares_total',
  namesRefused: 'weighbridge_pool_names_refused_total',
  blockCandidates: 'weighbridge_block_candidates_total',
  unjournaledShares: 'weighbridge_unjournaled_shares_total',
} as const satisfies Record<string, NameOfType<'counter'>>;
type PlainCounter = keyof typeof PLAIN_COUNTERS;
type CounterKey = PlainCounter | 'downstreamMessages' | 'upstreamMessages';

/** Further behind than this the ledger says nothing of the present: its figures are left out rather than shown standing still. */
const LEDGER_LAG_MS_MAX = 30_000;

/** Whether the ledger's figures are shown. */
export function showsLedger({ lagMs }: { readonly lagMs: number }): boolean {
  return lagMs <= LEDGER_LAG_MS_MAX;
}

export function exportMetrics(input: MetricsInput): Exposition {
  const scrape = new Exposition();
  if (showsLedger(input.accountant)) {
    ledgerMetrics(scrape, input.accountant.series);
    leaseMetrics(scrape, input.accountant.leases ?? []);
    rentMetrics(scrape, input.rents);
  }
  contractMetrics(scrape, input.contracts, input.power);
  workerMetrics(scrape, input.workers);
  accountantMetrics(scrape, input.accountant);
  proxyMetrics(scrape, input.proxies);
  linkMetrics(scrape, input.proxies.flatMap(({ links }) => links));
  splitMetrics(scrape, input.proxies.flatMap(({ splits }) => splits));
  totalsMetrics(scrape, input.totals);
  processMetrics(scrape, input);
  return scrape;
}

function accountantMetrics(scrape: Exposition, accountant: AccountantInput): void {
  scrape.set('weighbridge_ledger_unjournaled_shares', {}, accountant.unjournaledShares);
  scrape.set('weighbridge_journal_corrupt_ranges', {}, accountant.corruptRanges);
  scrape.set('weighbridge_journal_lag_bytes', {}, accountant.lagBytes);
  scrape.set('weighbridge_journal_lag_seconds', {}, accountant.lagMs / 1000);
  scrape.set('weighbridge_ledger_writable', {}, accountant.problem === '' ? 1 : 0);
  const { redis } = accountant;
  if (redis === undefined) return;
  scrape.set('weighbridge_redis_up', {}, redis.problem === '' ? 1 : 0);
  scrape.set('weighbridge_redis_lag_rows', {}, redis.lagRows);
  scrape.set('weighbridge_redis_lag_seconds', {}, redis.lagSeconds);
}

/** Gauges of a proxy process that is down are left out: an absent series is true, an old value is not. */
function proxyMetrics(scrape: Exposition, proxies: readonly ProxyInput[]): void {
  if (proxies.length === 0) return;
  for (const [group, sessions] of sumByKey(proxies.map(({ sessionsByGroup }) => sessionsByGroup))) {
    const [site = '', lessee = ''] = group.split('\t');
    scrape.set('weighbridge_sessions', { site, lessee }, sessions);
  }
  for (const [pool, sessions] of sumByKey(proxies.map(({ measures }) => measures.failover))) scrape.set('weighbridge_failover_sessions', { pool }, sessions);
  scrape.set('weighbridge_duplicate_hashes', {}, proxies.reduce((sum, { measures }) => sum + measures.duplicateHashes, 0));
  scrape.set('weighbridge_further_planes', {}, proxies.reduce((sum, { measures }) => sum + measures.furtherPlanes, 0));
  const journals = proxies.map(({ journal }) => journal);
  scrape.set('weighbridge_journal_free_bytes', {}, Math.min(...journals.map(({ freeBytes }) => freeBytes)));
  scrape.set('weighbridge_journal_writable', {}, journals.every(({ state }) => state === 'open') ? 1 : 0);
  scrape.set('weighbridge_journal_waiting_shares', {}, journals.reduce((sum, { waitingShares }) => sum + waitingShares, 0));
}

function sumByKey(records: readonly Readonly<Record<string, number>>[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const record of records) for (const [key, value] of Object.entries(record)) sums.set(key, (sums.get(key) ?? 0) + value);
  return sums;
}

/** Every process divides its own machines: the sums are what counts. */
function splitMetrics(scrape: Exposition, splits: readonly SplitInput[]): void {
  for (const index of new Set(splits.map(({ route }) => route))) {
    const [first, ...others] = splits.filter(({ route }) => route === index);
    if (first === undefined) continue;
    const route = String(index);
    const sumOf = (what: 'work' | 'forgiven', place: number): number => [first, ...others].reduce((sum, { parts }) => sum + (parts[place]?.[what] ?? 0), 0);
    const work = first.parts.map((_, place) => sumOf('work', place));
    const [weights, total] = [first.parts.reduce((sum, { weight }) => sum + weight, 0), work.reduce((sum, each) => sum + each, 0)];
    for (const [place, { pools, weight }] of first.parts.entries()) {
      const labels = { route, pool: pools[0] ?? '' };
      scrape.set('weighbridge_split_target_ratio', labels, weight / weights);
      if (total === 0) continue;
      scrape.set('weighbridge_split_actual_ratio', labels, work[place]! / total);
      scrape.set('weighbridge_split_forgiven_ratio', labels, sumOf('forgiven', place) / total);
    }
    scrape.set('weighbridge_split_moves_total', { route }, others.reduce((sum, { moves }) => sum + moves, first.moves));
  }
}

const TROUBLES: readonly Trouble[] = ['refusing', 'behind', 'height'];

/** A pool may have several links: counts add up, the freshest job is the pool's. */
function linkMetrics(scrape: Exposition, links: ProxyInput['links']): void {
  const states = new Map<string, { labels: LabelsOf<'weighbridge_links'>; count: number }>();
  const pools = new Map<string, { sessions: number; pending: number; jobAgeMs: number | undefined }>();
  for (const { pool, state, sessions, pending, jobAgeMs } of links) {
    // A pool without a live link has none, and says so.
    for (const each of new Set<LinkState>(['live', state])) {
      const key = JSON.stringify([pool, each]);
      const inState = states.get(key) ?? { labels: { pool, state: each }, count: 0 };
      if (each === state) inState.count += 1;
      states.set(key, inState);
    }
    const sum = pools.get(pool) ?? { sessions: 0, pending: 0, jobAgeMs: undefined };
    sum.sessions += sessions;
    sum.pending += pending;
    if (jobAgeMs !== undefined) sum.jobAgeMs = Math.min(jobAgeMs, sum.jobAgeMs ?? jobAgeMs);
    pools.set(pool, sum);
  }
  for (const pool of new Set(links.map((link) => link.pool))) {
    for (const reason of TROUBLES) scrape.set('weighbridge_pool_avoided', { pool, reason }, links.some((link) => link.pool === pool && link.trouble === reason) ? 1 : 0);
  }
  for (const { labels, count } of states.values()) scrape.set('weighbridge_links', labels, count);
  for (const [pool, { sessions, pending, jobAgeMs }] of pools) {
    scrape.set('weighbridge_link_sessions', { pool }, sessions);
    scrape.set('weighbridge_link_pending_shares', { pool }, pending);
    if (jobAgeMs !== undefined) scrape.set('weighbridge_job_age_seconds', { pool }, jobAgeMs / 1000);
  }
}

function totalsMetrics(scrape: Exposition, totals: TotalsInput): void {
  const { counters, fsync, replies, fanout, redis } = totals;
  for (const key of Object.keys(PLAIN_COUNTERS) as PlainCounter[]) scrape.set(PLAIN_COUNTERS[key], {}, counters[key]);
  scrape.set('weighbridge_messages_total', { direction: 'downstream' }, counters.downstreamMessages);
  scrape.set('weighbridge_messages_total', { direction: 'upstream' }, counters.upstreamMessages);
  scrape.set('weighbridge_journal_written_bytes_total', {}, totals.writtenBytes);
  for (const [reason, count] of boundedCloses(totals.closes)) scrape.set('weighbridge_session_closes_total', { reason }, count);
  for (const [pool, reconnects] of Object.entries(totals.reconnects)) scrape.set('weighbridge_link_reconnects_total', { pool }, reconnects);
  for (const [pool, timing] of Object.entries(totals.roundTrips)) scrape.histogram('weighbridge_pool_round_trip_seconds', { pool }, timing);
  if (fsync !== undefined) scrape.histogram('weighbridge_journal_fsync_seconds', {}, fsync);
  if (replies !== undefined) scrape.histogram('weighbridge_reply_latency_seconds', {}, replies);
  if (fanout !== undefined) scrape.histogram('weighbridge_notify_fanout_seconds', {}, fanout);
  if (redis === undefined) return;
  scrape.set('weighbridge_redis_published_rows_total', {}, redis.publishedRows);
  scrape.set('weighbridge_redis_expired_rows_total', {}, redis.expiredRows);
  scrape.set('weighbridge_redis_missing_found_total', {}, redis.missingFound);
  scrape.set('weighbridge_redis_errors_total', {}, redis.errors);
}

/** Reasons are sentences of the code: one that the catalogue does not list must not make a series of its own. */
function boundedCloses(closes: Readonly<Record<string, number>>): ReadonlyMap<(typeof CLOSE_REASONS)[number], number> {
  const bounded = new Map<(typeof CLOSE_REASONS)[number], number>();
  for (const [reason, count] of Object.entries(closes)) {
    const known = CLOSE_REASONS.find((each) => each === reason) ?? 'other';
    bounded.set(known, (bounded.get(known) ?? 0) + count);
  }
  return bounded;
}

function workerMetrics(scrape: Exposition, workers: MetricsInput['workers']): void {
  if (workers === undefined) return;
  for (const { site, worker, hashesPerSecond } of workers.rates) scrape.set('weighbridge_worker_hashes_per_second', { site, worker }, hashesPerSecond);
  scrape.set('weighbridge_worker_series_dropped', {}, workers.dropped);
}

function processMetrics(scrape: Exposition, { version, startedMs, residentBytes, states, totals }: MetricsInput): void {
  for (const state of PROCESS_STATES) scrape.set('weighbridge_proxy_processes', { state }, states.filter((each) => each === state).length);
  for (const [process, bytes] of Object.entries(residentBytes)) scrape.set('weighbridge_process_resident_memory_bytes', { process }, bytes);
  for (const [process, seconds] of Object.entries(totals.cpuSeconds)) scrape.set('weighbridge_process_cpu_seconds_total', { process }, seconds);
  for (const [process, loop] of Object.entries(totals.loops)) scrape.histogram('weighbridge_event_loop_delay_seconds', { process }, loop);
  for (const [process, restarts] of Object.entries(totals.restarts)) scrape.set('weighbridge_process_restarts_total', { process }, restarts);
  scrape.set('weighbridge_start_time_seconds', {}, startedMs / 1000);
  scrape.set('weighbridge_build_info', { version, node: process.versions.node }, 1);
}
