/** Turns an instance's snapshot into the Prometheus text format. Keeps nothing between scrapes. */
import { AggregatorRegistry, Registry } from 'prom-client';
import { rationalOf } from '../accounting/worth.ts';
import type { Rational } from '../proxy/mining/difficulty.ts';
import { CATALOGUE, type LabelsOf, type MetricEntry, type MetricName, type NameOfType } from './catalogue.ts';

export const CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** Not cumulative; one more count than bounds. */
export interface HistogramInput {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

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
          readonly state: string;
          readonly pending: number;
          readonly reconnects: number;
          readonly jobAgeMs?: number | undefined;
        }[];
        readonly journal: { readonly state: string; readonly waitingShares: number; readonly freeBytes: number };
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
    readonly delivered: readonly { readonly site: string; readonly lessee: string; readonly pool: string; readonly verdict: string; readonly exponent: number; readonly count: number }[];
    readonly credited: readonly { readonly pool: string; readonly verdict: string; readonly reason: string; readonly difficulty: string; readonly count: number }[];
    readonly redis?:
      | {
          readonly lagRows: number;
          readonly lagSeconds: number;
          readonly publishedRows: number;
          readonly expiredRows: number;
          readonly missingFound: number;
          readonly errors: number;
        }
      | undefined;
  };
}

/** Counters of the proxy process that are exported as they are. */
const PLAIN_COUNTERS = {
  jobs: 'weighbridge_jobs_total',
  jobsRefused: 'weighbridge_jobs_refused_total',
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

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** One scrape's samples by metric; what gets none is exported without samples, with its help. */
class Scrape {
  readonly #samples = new Map<string, Sample[]>();

  set<N extends NameOfType<'counter' | 'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void {
    this.#push(name, { value, labels });
  }

  histogram(name: NameOfType<'histogram'>, input: HistogramInput | undefined): void {
    if (input === undefined) return;
    let count = 0;
    input.counts.forEach((n, i) => {
      count += n;
      this.#push(name, { value: count, labels: { le: input.bounds[i] ?? '+Inf' }, metricName: `${name}_bucket` });
    });
    this.#push(name, { value: input.sumSeconds, labels: {}, metricName: `${name}_sum` });
    this.#push(name, { value: count, labels: {}, metricName: `${name}_count` });
  }

  /** prom-client formats and escapes; `aggregate` is its way to take finished samples, and `first` leaves them as they are. */
  async text(): Promise<string> {
    const families = CATALOGUE.map(({ name, help, type }: MetricEntry) => ({ name, help, type, aggregator: 'first', values: this.#samples.get(name) ?? [] }));
    return AggregatorRegistry.aggregate([families]).metrics();
  }

  #push(name: MetricName, sample: Sample): void {
    const samples = this.#samples.get(name);
    if (samples === undefined) this.#samples.set(name, [sample]);
    else samples.push(sample);
  }
}

/** The body of /metrics. */
export function renderMetrics(input: MetricsInput): Promise<string> {
  const scrape = new Scrape();
  deliveredMetrics(scrape, input.accountant.delivered);
  creditedMetrics(scrape, input.accountant.credited);
  accountantMetrics(scrape, input.accountant);
  proxyMetrics(scrape, input.proxy);
  totalsMetrics(scrape, input.totals);
  for (const [process, restarts] of Object.entries(input.restarts)) scrape.set('weighbridge_process_restarts_total', { process }, restarts);
  scrape.set('weighbridge_start_time_seconds', {}, input.startedMs / 1000);
  scrape.set('weighbridge_build_info', { version: input.version, node: process.versions.node }, 1);
  return scrape.text();
}

/** Exponents are at least −32, so credits are whole multiples of 2^−32. */
const CREDIT_UNIT_EXPONENT = 32;

function deliveredMetrics(scrape: Scrape, delivered: MetricsInput['accountant']['delivered']): void {
  const groups = new Map<string, { labels: LabelsOf<'weighbridge_shares_total'>; shares: bigint; credit: bigint }>();
  for (const { site, lessee, pool, verdict, exponent, count } of delivered) {
    const key = JSON.stringify([site, lessee, pool, verdict]);
    const group = groups.get(key) ?? { labels: { site, lessee, pool, verdict }, shares: 0n, credit: 0n };
    group.shares += BigInt(count);
    group.credit += BigInt(count) << BigInt(exponent + CREDIT_UNIT_EXPONENT);
    groups.set(key, group);
  }
  for (const { labels, shares, credit } of groups.values()) {
    scrape.set('weighbridge_shares_total', labels, Number(shares));
    // Without a job (pool '') there was no difficulty to credit: the exponent of such a row means nothing.
    if (labels.pool !== '') scrape.set('weighbridge_work_total', labels, Number(credit) / 2 ** CREDIT_UNIT_EXPONENT);
  }
}

function creditedMetrics(scrape: Scrape, credited: MetricsInput['accountant']['credited']): void {
  const shares = new Map<string, { labels: LabelsOf<'weighbridge_pool_shares_total'>; count: bigint }>();
  const work = new Map<string, { labels: LabelsOf<'weighbridge_pool_work_total'>; sum: Rational }>();
  for (const { pool, verdict, reason, difficulty, count } of credited) {
    const shareKey = JSON.stringify([pool, verdict, reason]);
    const group = shares.get(shareKey) ?? { labels: { pool, verdict, reason }, count: 0n };
    group.count += BigInt(count);
    shares.set(shareKey, group);
    const workKey = JSON.stringify([pool, verdict]);
    const total = work.get(workKey) ?? { labels: { pool, verdict }, sum: { numerator: 0n, denominator: 1n } };
    total.sum = plus(total.sum, rationalOf(difficulty), count);
    work.set(workKey, total);
  }
  for (const { labels, count } of shares.values()) scrape.set('weighbridge_pool_shares_total', labels, Number(count));
  for (const { labels, sum } of work.values()) scrape.set('weighbridge_pool_work_total', labels, nearestNumber(sum));
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

function accountantMetrics(scrape: Scrape, accountant: MetricsInput['accountant']): void {
  scrape.set('weighbridge_ledger_unjournaled_shares', {}, accountant.unjournaledShares);
  scrape.set('weighbridge_journal_corrupt_ranges', {}, accountant.corruptRanges);
  scrape.set('weighbridge_journal_lag_bytes', {}, accountant.lagBytes);
  scrape.set('weighbridge_journal_lag_seconds', {}, accountant.lagMs / 1000);
  const { redis } = accountant;
  if (redis === undefined) return;
  scrape.set('weighbridge_redis_lag_rows', {}, redis.lagRows);
  scrape.set('weighbridge_redis_lag_seconds', {}, redis.lagSeconds);
  scrape.set('weighbridge_redis_published_rows_total', {}, redis.publishedRows);
  scrape.set('weighbridge_redis_expired_rows_total', {}, redis.expiredRows);
  scrape.set('weighbridge_redis_missing_found_total', {}, redis.missingFound);
  scrape.set('weighbridge_redis_errors_total', {}, redis.errors);
}

/** Gauges of a proxy process that is down are left out: an absent series is true, an old value is not. */
function proxyMetrics(scrape: Scrape, proxy: MetricsInput['proxy']): void {
  if (proxy === undefined) return;
  for (const [group, sessions] of Object.entries(proxy.sessionsByGroup)) {
    const [site = '', lessee = ''] = group.split('\t');
    scrape.set('weighbridge_sessions', { site, lessee }, sessions);
  }
  scrape.set('weighbridge_journal_free_bytes', {}, proxy.journal.freeBytes);
  scrape.set('weighbridge_journal_writable', {}, proxy.journal.state === 'open' ? 1 : 0);
  scrape.set('weighbridge_journal_waiting_shares', {}, proxy.journal.waitingShares);
  linkMetrics(scrape, proxy.links);
}

/** A pool may have several links: counts add up, the freshest job is the pool's. */
function linkMetrics(scrape: Scrape, links: NonNullable<MetricsInput['proxy']>['links']): void {
  const states = new Map<string, { labels: LabelsOf<'weighbridge_links'>; count: number }>();
  const pools = new Map<string, { pending: number; reconnects: number; jobAgeMs: number | undefined }>();
  for (const { pool, state, pending, reconnects, jobAgeMs } of links) {
    const key = JSON.stringify([pool, state]);
    const inState = states.get(key) ?? { labels: { pool, state }, count: 0 };
    inState.count += 1;
    states.set(key, inState);
    const sum = pools.get(pool) ?? { pending: 0, reconnects: 0, jobAgeMs: undefined };
    sum.pending += pending;
    sum.reconnects += reconnects;
    if (jobAgeMs !== undefined) sum.jobAgeMs = Math.min(jobAgeMs, sum.jobAgeMs ?? jobAgeMs);
    pools.set(pool, sum);
  }
  for (const { labels, count } of states.values()) scrape.set('weighbridge_links', labels, count);
  for (const [pool, { pending, reconnects, jobAgeMs }] of pools) {
    scrape.set('weighbridge_link_pending_shares', { pool }, pending);
    scrape.set('weighbridge_link_reconnects', { pool }, reconnects);
    if (jobAgeMs !== undefined) scrape.set('weighbridge_job_age_seconds', { pool }, jobAgeMs / 1000);
  }
}

function totalsMetrics(scrape: Scrape, { counters, closes, fsync, replies }: MetricsInput['totals']): void {
  for (const key of Object.keys(PLAIN_COUNTERS) as PlainCounter[]) scrape.set(PLAIN_COUNTERS[key], {}, counters[key]);
  scrape.set('weighbridge_messages_total', { direction: 'downstream' }, counters.downstreamMessages);
  scrape.set('weighbridge_messages_total', { direction: 'upstream' }, counters.upstreamMessages);
  for (const [reason, count] of Object.entries(closes)) scrape.set('weighbridge_session_closes_total', { reason }, count);
  scrape.histogram('weighbridge_journal_fsync_seconds', fsync);
  scrape.histogram('weighbridge_reply_latency_seconds', replies);
}
