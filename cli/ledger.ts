/** `ledger`: delivered and credited work per bucket and key, as a table, JSON or CSV. */
import { readLedger, type LedgerReport, type LedgerRow } from '../accounting/ledger.ts';
import { parseLedgerQuery } from '../accounting/ledger-args.ts';
import { openBook } from './book.ts';
import { type Column, count, csv, rateWithInterval, scaled, table } from './format.ts';
import { EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { parseTime } from './time.ts';

export async function ledger(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { text, flags } = options;
  if (flags.has('json') && flags.has('csv')) throw usageError('--json and --csv exclude each other; give one of them.');
  const nowMs = io.world.wallMs();
  const query = parseLedgerQuery({ by: text['by'], step: text['step'], from: timeText('from', text, nowMs), to: timeText('to', text, nowMs) }, nowMs);
  if ('refused' in query) throw usageError(query.refused);
  const book = await openBook(options, io);
  try {
    const report = await readLedger(book, query);
    if ('refused' in report) throw usageError(report.refused);
    if (flags.has('json')) io.out(JSON.stringify(report, null, 2));
    else if (flags.has('csv')) io.out(ledgerCsv(report));
    else io.out(ledgerTable(report));
  } finally {
    book.close();
  }
  return EXIT.ok;
}

/** The option's time as milliseconds in text, which is what the ledger's own arguments take. */
function timeText(name: 'from' | 'to', text: ParsedOptions['text'], nowMs: number): string | undefined {
  const given = text[name];
  if (given === undefined) return undefined;
  const ms = parseTime(`--${name}`, given, nowMs);
  // The ledger reads up to 11 digits as seconds.
  return ms >= 100_000_000_000 ? String(ms) : String(Math.max(0, Math.floor(ms / 1000)));
}

/** People see what matters at a glance; everything else is in --json and --csv. */
function ledgerTable(report: LedgerReport): string {
  const byWorker = report.by === 'worker';
  const columns: Column[] = [
    { title: 'from' },
    { title: report.by },
    { title: 'rate', right: true },
    { title: 'delivered', right: true },
    { title: 'accepted', right: true },
    { title: 'rejected', right: true },
    ...(byWorker ? [{ title: 'connected', right: true }, { title: 'last share' }] : [{ title: 'credited', right: true }, { title: 'pool rejects', right: true }, { title: 'expected sat', right: true }]),
  ];
  const cells = (row: LedgerRow, from: string, key: string): string[] => [
    from,
    key,
    rateWithInterval(row.rate ?? undefined, row.rateLow ?? undefined, row.rateHigh ?? undefined),
    work(row.terahashDays),
    count(row.accepted),
    count(row.rejectedTotal),
    ...(byWorker
      ? [`${Math.round((row.connectedSeconds ?? 0) / 60)} min`, shortTime(row.lastShare ?? '')]
      : [work(row.credited?.terahashDays ?? 0), count(row.credited?.rejectedTotal ?? 0), satsFigure(row.expectedSats)]),
  ];
  const rows = report.rows.map((row) => cells(row, shortTime(row.from), nameOf(row.key)));
  const totals = report.totals.map((row) => cells(row, 'all', nameOf(row.key)));
  const foot = report.totals.length > 1 ? [cells(report.total, 'all', 'total')] : [];
  const head = `${shortTime(report.from)} to ${shortTime(report.to)} UTC, by ${report.by}, step ${report.step}`;
  if (rows.length === 0) return `${head}\nNothing was observed in this time.`;
  return `${head}\n${table(columns, [...rows, ...totals, ...foot])}`;
}

/** Hashes of a day at a steady rate: what leases are written in, `3.26 TH·d`. */
function work(terahashDays: number): string {
  return terahashDays === 0 ? '0' : scaled(terahashDays * 1e12, 'H·d');
}

function nameOf(key: string): string {
  return key === '' ? '(none)' : key;
}

/** `2026-01-31 12:00`; the ledger's buckets never need seconds. */
function shortTime(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

function satsFigure(sats: string | null): string {
  return sats === null ? '–' : sats.replace(/(\.\d{3})\d*$/, '$1');
}

/** Column names are published (docs/cli.md): append only. */
const CSV_HEAD = [
  'from', 'key', 'accepted', 'courtesy', 'rejected', 'work_hashes', 'terahash_days', 'exposure_seconds', 'rate', 'rate_low', 'rate_high',
  'expected_sats', 'uncreditable', 'unjournaled', 'connected_seconds', 'last_share',
  'credited_accepted', 'credited_rejected', 'credited_unanswered', 'credited_work_hashes', 'credited_expected_sats',
] as const;

function ledgerCsv(report: LedgerReport): string {
  const rows = report.rows.map((row) => [
    row.from, row.key, row.accepted, row.courtesy, row.rejectedTotal, row.workHashes, row.terahashDays, row.exposureSeconds, row.rate ?? '', row.rateLow ?? '', row.rateHigh ?? '',
    row.expectedSats ?? '', row.uncreditable ?? '', row.unjournaled ?? '', row.connectedSeconds ?? '', row.lastShare ?? '',
    row.credited?.accepted ?? '', row.credited?.rejectedTotal ?? '', row.credited?.unanswered ?? '', row.credited?.workHashes ?? '', row.credited?.expectedSats ?? '',
  ]);
  return csv(CSV_HEAD, rows);
}
