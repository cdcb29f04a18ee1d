/** `status`: one page about a running instance. */
import { type LedgerKey, type LedgerRow, readLedger } from '../accounting/ledger.ts';
import { MINUTE_MS } from '../accounting/rows.ts';
import type { Book } from '../accounting/reader.ts';
import { askInstance } from '../proxy/net/control.ts';
import type { HistogramSnapshot } from '../config/timing.ts';
import type { LinkSnapshot, RedisSnapshot, SplitSnapshot } from '../proxy/net/messages.ts';
import type { InstanceStatus } from '../proxy/net/status.ts';
import { openBook } from './book.ts';
import { bytes, count, rateWithInterval, table } from './format.ts';
import { dataDirectory } from './instance.ts';
import { leaseTable } from './lease-now.ts';
import { EXIT, type ExitCode, type Io } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { age } from './time.ts';

/** The instance itself waits up to 2 s for its accountant. */
const ANSWER_LIMIT_MS = 5_000;
const WINDOW_MINUTES = 10;
const KEYS = ['site', 'lessee', 'pool'] as const satisfies readonly LedgerKey[];

/** Ledger of the last ten minutes, one row per key. */
export type RecentRows = Readonly<Record<(typeof KEYS)[number], readonly LedgerRow[]>>;

export async function status(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const data = dataDirectory(options);
  const found = await askInstance(data, 'status', io.world, ANSWER_LIMIT_MS);
  const recent = await recentRows(options, io);
  if (options.flags.has('json')) io.out(JSON.stringify({ ...found, recent }, null, 2));
  else io.out(statusText(found, recent));
  return EXIT.ok;
}

/** The same ledger as `weighbridge ledger`; undefined before the accountant has made it, or while Redis is away. */
async function recentRows(options: ParsedOptions, io: Io): Promise<RecentRows | undefined> {
  let book: Book;
  try {
    book = await openBook(options, io);
  } catch {
    return undefined; // The status itself says what is wrong with the accountant or with Redis.
  }
  try {
    const toMs = io.world.wallMs();
    const fromMs = toMs - WINDOW_MINUTES * MINUTE_MS;
    const rowsBy = async (by: LedgerKey): Promise<readonly LedgerRow[]> => {
      const report = await readLedger(book, { by, fromMs, toMs, step: '1m' });
      return 'refused' in report ? [] : report.totals;
    };
    return { site: await rowsBy('site'), lessee: await rowsBy('lessee'), pool: await rowsBy('pool') };
  } finally {
    book.close();
  }
}

/** The page for people. */
function statusText(status: InstanceStatus, recent: RecentRows | undefined): string {
  const sections = [
    headText(status),
    status.problems.length === 0 ? 'No problems.' : `Problems:\n${status.problems.map((problem) => `  ${problem}`).join('\n')}`,
    recent === undefined ? 'No ledger yet.' : recentTable(recent),
    ...((status.accountant?.leases ?? []).length === 0 ? [] : [leaseTable(status.accountant?.leases ?? [], status.nowMs)]),
    status.proxy === undefined ? 'No proxy process reports.' : linkTable(status.proxy.links),
    ...(status.proxy?.splits ?? []).map(splitText),
    ...(status.processes.length > 1 ? [processTable(status)] : []),
    figures(status),
  ];
  return sections.join('\n\n');
}

function headText(status: InstanceStatus): string {
  const sites = status.listening.map(({ site, address }) => `  ${site} ${address}`);
  return [
    `Weighbridge ${status.version}, pid ${status.pid}, up ${age(status.nowMs - status.startedMs)}, data in ${status.data}`,
    `Metrics: http://${status.http}/metrics`,
    ...(status.debug === '' ? [] : [`Debug lines are written about machines named ${status.debug}`]),
    `Machines (${count(status.proxy?.sessions ?? 0)} connected) are served at`,
    ...sites,
  ].join('\n');
}

function recentTable(recent: RecentRows): string {
  const rows = KEYS.flatMap((by) =>
    recent[by].map((row) => [
      by,
      row.key === '' ? '(none)' : row.key,
      rateWithInterval(row.rate ?? undefined, row.rateLow ?? undefined, row.rateHigh ?? undefined),
      count(row.accepted),
      count(row.rejectedTotal),
    ]),
  );
  if (rows.length === 0) return `Last ${WINDOW_MINUTES} minutes: no shares.`;
  const head = [{ title: `last ${WINDOW_MINUTES} min by` }, { title: 'name' }, { title: 'rate', right: true }, { title: 'accepted', right: true }, { title: 'rejected', right: true }];
  return table(head, rows);
}

const TROUBLE_WORDS = { refusing: 'refusing', behind: 'behind', height: 'gone back' } as const;

function linkTable(links: readonly LinkSnapshot[]): string {
  if (links.length === 0) return 'No links to pools.';
  const rows = links.map((link) => [
    link.pool,
    link.url,
    link.trouble === '' ? link.state : `${link.state}, ${TROUBLE_WORDS[link.trouble]}`,
    link.difficulty === '' ? '–' : link.difficulty,
    count(link.sessions),
    link.jobAgeMs === undefined ? '–' : age(link.jobAgeMs),
    count(link.pending),
    count(link.reconnects),
    link.lastError,
  ]);
  const right = true;
  return table(
    [{ title: 'pool' }, { title: 'url' }, { title: 'state' }, { title: 'difficulty', right }, { title: 'sessions', right }, { title: 'job age', right }, { title: 'pending', right }, { title: 'reconnects', right }, { title: 'last error' }],
    rows,
  );
}

/** `Split of routes[0]: a 65.000 % of 65 %, b 35.000 % of 35 %; 12 moves`. */
function splitText({ route, parts, moves }: SplitSnapshot): string {
  const total = parts.reduce((sum, { work }) => sum + work, 0);
  const weights = parts.reduce((sum, { weight }) => sum + weight, 0);
  const each = parts.map(({ pools, weight, work, forgiven }) => {
    const percent = (part: number): string => `${((100 * part) / total).toFixed(3)} %`;
    const had = total === 0 ? 'nothing yet' : percent(work);
    const missed = forgiven > 0 ? ` (${percent(forgiven)} that it missed is not made good)` : '';
    return `${pools.join(' or ')} has had ${had} of ${Number(((100 * weight) / weights).toFixed(3))} %${missed}`;
  });
  return `Split of routes[${route}]: ${each.join(', ')}; ${count(moves)} moves`;
}

function processTable({ processes, nowMs }: InstanceStatus): string {
  const rows = processes.map(({ process, state, pid, startedMs, sessions, restarts, version }) => [
    String(process),
    state === 'looping' ? 'crashes again and again' : state,
    pid === undefined ? '–' : String(pid),
    startedMs === undefined ? '–' : age(nowMs - startedMs),
    count(sessions),
    count(restarts),
    version ?? '–',
  ]);
  const right = true;
  return table([{ title: 'process' }, { title: 'state' }, { title: 'pid', right }, { title: 'up', right }, { title: 'sessions', right }, { title: 'restarts', right }, { title: 'version' }], rows);
}

function figures({ proxy, accountant, totals, restarts }: InstanceStatus): string {
  const { counters } = totals;
  const lines = [
    `Messages: ${count(counters.downstreamMessages)} downstream, ${count(counters.upstreamMessages)} upstream`,
    `Replies: ${count(counters.sharesAnsweredTrue)} true; half within ${quantile(totals.replies, 0.5)}, 99 % within ${quantile(totals.replies, 0.99)}`,
  ];
  if (proxy !== undefined) {
    const { journal } = proxy;
    lines.push(`Journal: ${journal.state}, ${bytes(journal.writtenBytes)} written, ${bytes(journal.freeBytes)} free, 99 % of commits within ${quantile(totals.fsync, 0.99)}`);
    const { duplicateHashes, furtherPlanes } = proxy.measures;
    lines.push(`Duplicates: ${count(duplicateHashes)} hashes remembered`);
    if (furtherPlanes > 0) lines.push(`Prefixes: ${count(furtherPlanes)} more link${furtherPlanes === 1 ? '' : 's'} to each pool, because a pool leaves too few for all machines`);
  }
  if (accountant !== undefined) {
    const lag = accountant.lagBytes === 0 ? 'up to date' : `${bytes(accountant.lagBytes)} (${age(accountant.lagMs)}) behind`;
    lines.push(`Ledger: ${lag}, ${count(accountant.foldedRecords)} records folded, ${count(accountant.corruptRanges)} corrupt ranges`);
  }
  if (accountant?.redis !== undefined) lines.push(`Shared ledger: ${sharedText(accountant.redis)}`);
  const unjournaled = Math.max(accountant?.unjournaledShares ?? 0, counters.unjournaledShares);
  lines.push(
    `Validation: ${count(counters.validationSamples)} samples, ${count(counters.validationMismatches)} mismatches. Unjournaled shares: ${count(unjournaled)}. ` +
      `Held back by a cap: ${count(counters.cappedShares)}, shed before a pool that does not read: ${count(counters.shedShares)}. Block candidates: ${count(counters.blockCandidates)}`,
    `Restarts: proxy ${restarts.proxy}, accountant ${restarts.accountant}`,
  );
  return lines.join('\n');
}

function sharedText({ lagRows, lagSeconds, publishedRows, expiredRows, errors }: RedisSnapshot): string {
  const lag = lagRows === 0 ? 'up to date' : `${count(lagRows)} row changes (${age(lagSeconds * 1000)}) behind`;
  return `${lag}, ${count(publishedRows)} rows published, ${count(expiredRows)} past their retention, ${count(errors)} errors`;
}

/** Upper bound of the bucket in which the quantile lies. */
function quantile(histogram: HistogramSnapshot | undefined, q: number): string {
  const total = histogram?.counts.reduce((sum, n) => sum + n, 0) ?? 0;
  if (histogram === undefined || total === 0) return '–';
  let seen = 0;
  const bucket = histogram.counts.findIndex((n) => {
    seen += n;
    return seen >= q * total;
  });
  const bound = histogram.bounds[bucket];
  if (bound === undefined) return `more than ${milliseconds(histogram.bounds.at(-1) ?? 0)}`;
  return milliseconds(bound);
}

function milliseconds(seconds: number): string {
  return seconds >= 1 ? `${seconds} s` : `${Number((seconds * 1000).toPrecision(3))} ms`;
}
