/** Turns an instance's snapshot into samples. Keeps nothing between scrapes. */
import { rationalOf } from '../accounting/worth.ts';
import type { Rational } from '../proxy/mining/difficulty.ts';
import type { OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import type { LinkState } from '../proxy/session/states.ts';
import { CLOSE_REASONS, type LabelsOf, type NameOfType } from './catalogue.ts';
import { Exposition, type Format, type HistogramInput } from './exposition.ts';

/** What the exporter reads of an instance's status. This room lies above the one that gathers it, so it names its needs itself. */
export interface MetricsInput {
  readonly version: string;
  readonly startedMs: number;
  readonly restarts: Readonly<Record<string, number>>;
  readonly proxy:
    | {
        readonly sessions: number;
        /** `site TAB lessee` → sessions. */
        readonly sessionsByGroup: Readonly<Record<string, number>>;
        readonly links: readonly {
          readonly pool: string;
          readonly state: LinkState;
          readonly sessions: number;
          readonly pending: number;
          readonly reconnects: number;
          readonly jobAgeMs?: number | undefined;
        }[];
        readonly journal: { readonly state: string; readonly writtenBytes: number; readonly waitingShares: number; readonly freeBytes: number };
      }
    | undefined;
  readonly totals: {
    readonly counters: Readonly<Record<CounterKey, number>>;
    readonly closes: Readonly<Record<string, number>>;
    readonly fsync: HistogramInput | undefined;
    readonly replies: HistogramInput | undefined;
  };
  readonly accountant: {
    readonly lagBytes: number;
    readonly lagMs: number;
    readonly corruptRanges: number;
    readonly unjournaledShares: number;
    /** '' or what keeps the ledger from following the journals. */
    readonly problem: string;
    readonly delivered: readonly { readonly site: string; readonly lessee: string; readonly pool: string; readonly verdict: OwnVerdict; readonly exponent: number; readonly count: number }[];
    readonly credited: readonly { readonly pool: string; readonly verdict: 'accepted' | 'rejected' | 'unanswered'; readonly reason: PoolReason; readonly difficulty: string; readonly count: number }[];
    readonly redis?:
      | {
          readonly lagRows: number;
          readonly lagSeconds: number;
          readonly publishedRows: number;
          readonly expiredRows: number;
          readonly missingFound: number;
          readonly errors: number;
          /** '' or what keeps the shared ledger from being whole. */
          readonly problem: string;
        }
      | undefined;
  };
}

/** Counters of the proxy process that are exported as they are. */
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
  blockCandidates: 'weighbridge_block_candidates_total',
  unjournaledShares: 'weighbridge_unjournaled_shares_total',
} as const satisfies Record<string, NameOfType<'counter'>>;
type PlainCounter = keyof typeof PLAIN_COUNTERS;
type CounterKey = PlainCounter | 'downstreamMessages' | 'upstreamMessages';

/** The body of /metrics. */
export function renderMetrics(input: MetricsInput, format: Format): string {
  const scrape = new Exposition();
  deliveredMetrics(scrape, input.accountant.delivered);
  creditedMetrics(scrape, input.accountant.credited);
  accountantMetrics(scrape, input.accountant);
  proxyMetrics(scrape, input.proxy);
  totalsMetrics(scrape, input.totals);
  for (const [process, restarts] of Object.entries(input.restarts)) scrape.set('weighbridge_process_restarts_total', { process }, restarts);
  scrape.set('weighbridge_start_time_seconds', {}, input.startedMs / 1000);
  scrape.set('weighbridge_build_info', { version: input.version, node: process.versions.node }, 1);
  return scrape.text(format);
}

/** Exponents are at least −32, so credits are whole multiples of 2^−32. */
const CREDIT_UNIT_EXPONENT = 32;

function deliveredMetrics(scrape: Exposition, delivered: MetricsInput['accountant']['delivered']): void {
  const groups = new Map<string, { labels: LabelsOf<'weighbridge_shares_total'>; shares: bigint; credit: bigint; hasJob: boolean }>();
  for (const { site, lessee, pool, verdict, exponent, count } of delivered) {
    const key = JSON.stringify([site, lessee, verdict]);
    const group = groups.get(key) ?? { labels: { site, lessee, verdict }, shares: 0n, credit: 0n, hasJob: false };
    group.shares += BigInt(count);
    // Without a job (pool '') there was no difficulty to credit: the exponent of such a row means nothing.
    if (pool !== '') {
      group.credit += BigInt(count) << BigInt(exponent + CREDIT_UNIT_EXPONENT);
      group.hasJob = true;
    }
    groups.set(key, group);
  }
  for (const { labels, shares, credit, hasJob } of groups.values()) {
    scrape.set('weighbridge_shares_total', labels, Number(shares));
    if (hasJob) scrape.set('weighbridge_work_total', labels, Number(credit) / 2 ** CREDIT_UNIT_EXPONENT);
  }
}

function creditedMetrics(scrape: Exposition, credited: MetricsInput['accountant']['credited']): void {
  const groups = new Map<string, { labels: LabelsOf<'weighbridge_pool_shares_total'>; shares: bigint; sum: Rational }>();
  for (const { pool, verdict, reason, difficulty, count } of credited) {
    const key = JSON.stringify([pool, verdict, reason]);
    const group = groups.get(key) ?? { labels: { pool, verdict, reason }, shares: 0n, sum: { numerator: 0n, denominator: 1n } };
    group.shares += BigInt(count);
    group.sum = plus(group.sum, rationalOf(difficulty), count);
    groups.set(key, group);
  }
  for (const { labels, shares, sum } of groups.values()) {
    scrape.set('weighbridge_pool_shares_total', labels, Number(shares));
    scrape.set('weighbridge_pool_work_total', labels, nearestNumber(sum));
  }
}

/** sum + count·each. Denominators are powers of ten, so the larger one serves both. */
function plus(sum: Rational, each: Rational, count: number): Rational {
  const denominator = sum.denominator > each.denominator ? sum.denominator : each.denominator;
  const numerator = sum.numerator * (denominator / sum.denominator) + BigInt(count) * each.numerator * (denominator / each.denominator);
  return { numerator, denominator };
}

/** For export only; exact to a double's precision for anything above 2^-32. */
function nearestNumber({ numerator, denominator }: Rational): number {
  return Number((numerator << 96n) / denominator) / 2 ** 96;
}

function accountantMetrics(scrape: Exposition, accountant: MetricsInput['accountant']): void {
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
  scrape.set('weighbridge_redis_published_rows_total', {}, redis.publishedRows);
  scrape.set('weighbridge_redis_expired_rows_total', {}, redis.expiredRows);
  scrape.set('weighbridge_redis_missing_found_total', {}, redis.missingFound);
  scrape.set('weighbridge_redis_errors_total', {}, redis.errors);
}

/** Gauges of a proxy process that is down are left out: an absent series is true, an old value is not. */
function proxyMetrics(scrape: Exposition, proxy: MetricsInput['proxy']): void {
  if (proxy === undefined) return;
  for (const [group, sessions] of Object.entries(proxy.sessionsByGroup)) {
    const [site = '', lessee = ''] = group.split('\t');
    scrape.set('weighbridge_sessions', { site, lessee }, sessions);
  }
  scrape.set('weighbridge_journal_written_bytes_total', {}, proxy.journal.writtenBytes);
  scrape.set('weighbridge_journal_free_bytes', {}, proxy.journal.freeBytes);
  scrape.set('weighbridge_journal_writable', {}, proxy.journal.state === 'open' ? 1 : 0);
  scrape.set('weighbridge_journal_waiting_shares', {}, proxy.journal.waitingShares);
  linkMetrics(scrape, proxy.links);
}

/** A pool may have several links: counts add up, the freshest job is the pool's. */
function linkMetrics(scrape: Exposition, links: NonNullable<MetricsInput['proxy']>['links']): void {
  const states = new Map<string, { labels: LabelsOf<'weighbridge_links'>; count: number }>();
  const pools = new Map<string, { sessions: number; pending: number; reconnects: number; jobAgeMs: number | undefined }>();
  for (const { pool, state, sessions, pending, reconnects, jobAgeMs } of links) {
    const key = JSON.stringify([pool, state]);
    const inState = states.get(key) ?? { labels: { pool, state }, count: 0 };
    inState.count += 1;
    states.set(key, inState);
    const sum = pools.get(pool) ?? { sessions: 0, pending: 0, reconnects: 0, jobAgeMs: undefined };
    sum.sessions += sessions;
    sum.pending += pending;
    sum.reconnects += reconnects;
    if (jobAgeMs !== undefined) sum.jobAgeMs = Math.min(jobAgeMs, sum.jobAgeMs ?? jobAgeMs);
    pools.set(pool, sum);
  }
  for (const { labels, count } of states.values()) scrape.set('weighbridge_links', labels, count);
  for (const [pool, { sessions, pending, reconnects, jobAgeMs }] of pools) {
    scrape.set('weighbridge_link_sessions', { pool }, sessions);
    scrape.set('weighbridge_link_pending_shares', { pool }, pending);
    scrape.set('weighbridge_link_reconnects_total', { pool }, reconnects);
    if (jobAgeMs !== undefined) scrape.set('weighbridge_job_age_seconds', { pool }, jobAgeMs / 1000);
  }
}

function totalsMetrics(scrape: Exposition, { counters, closes, fsync, replies }: MetricsInput['totals']): void {
  for (const key of Object.keys(PLAIN_COUNTERS) as PlainCounter[]) scrape.set(PLAIN_COUNTERS[key], {}, counters[key]);
  scrape.set('weighbridge_messages_total', { direction: 'downstream' }, counters.downstreamMessages);
  scrape.set('weighbridge_messages_total', { direction: 'upstream' }, counters.upstreamMessages);
  for (const [reason, count] of boundedCloses(closes)) scrape.set('weighbridge_session_closes_total', { reason }, count);
  if (fsync !== undefined) scrape.histogram('weighbridge_journal_fsync_seconds', {}, fsync);
  if (replies !== undefined) scrape.histogram('weighbridge_reply_latency_seconds', {}, replies);
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
