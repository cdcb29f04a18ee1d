/** `reconcile`: what a pool was sent, answered and paid in an interval, held against our records. */
import { importedEarnings, type Earning } from '../accounting/leases/earnings.ts';
import { decimal, decimalText } from '../accounting/leases/exact.ts';
import { flowOf, flowRanges } from '../accounting/leases/flow.ts';
import { terahashDays } from '../accounting/leases/quantities.ts';
import { reconcile as reconciled, statedWork, type Reconciliation } from '../accounting/leases/reconcile.ts';
import { openBook } from './book.ts';
import { count } from './format.ts';
import { readConfig } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { parseTime } from './time.ts';

export async function reconcile(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { config: file, pool, from, to } = options.text;
  if (file === undefined) throw usageError('Say which instance: --config FILE.');
  const config = readConfig(file);
  const pools = Object.keys(config.pools);
  if (pool === undefined || !pools.includes(pool)) throw usageError(`Say which pool: --pool, one of ${pools.join(', ')}.`);
  const nowMs = io.world.wallMs();
  if (from === undefined) throw usageError('Say from when: --from TIME.');
  const span = { fromMs: parseTime('--from', from, nowMs), toMs: to === undefined ? nowMs : parseTime('--to', to, nowMs) };
  if (span.fromMs >= span.toMs) throw usageError('--from must be before --to.');
  const inside = importedEarnings(config.data).filter((each) => each.pool === pool && each.fromMs >= span.fromMs && each.toMs <= span.toMs);
  const { whole, rows } = await read(options, span, pool, inside, io);
  const ok = whole.findings.length === 0 && rows.every((row) => row.reconciliation.findings.length === 0);
  if (options.flags.has('json')) io.out(JSON.stringify({ pool, from: iso(span.fromMs), to: iso(span.toMs), ok, ...whole, earnings: rows }, null, 2));
  else io.out(report(`${pool}, ${iso(span.fromMs)} to ${iso(span.toMs)}`, whole, rows));
  return ok ? EXIT.ok : EXIT.failed;
}

interface Row {
  readonly payoutId: string;
  readonly from: string;
  readonly to: string;
  readonly reconciliation: Reconciliation;
}

async function read(options: ParsedOptions, span: { fromMs: number; toMs: number }, pool: string, inside: readonly Earning[], io: Io): Promise<{ readonly whole: Reconciliation; readonly rows: Row[] }> {
  const book = await openBook(options, io);
  try {
    return await book.read([span, ...inside].flatMap(flowRanges), (reader) => ({
      whole: reconciled(flowOf(reader, span, pool, () => ''), undefined),
      rows: inside.map((earning) => ({ payoutId: earning.payoutId, from: iso(earning.fromMs), to: iso(earning.toMs), reconciliation: reconciled(flowOf(reader, earning, pool, () => ''), statedWork(earning)) })),
    }));
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(error instanceof Error ? error.message : String(error));
  } finally {
    book.close();
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Σ difficulty as text in TH·day. */
function work(text: string): string {
  return `${decimalText(terahashDays(decimal(text)), 3)} TH·day`;
}

function report(title: string, whole: Reconciliation, rows: readonly Row[]): string {
  const reasons = Object.entries(whole.rejected);
  const rejected = reasons.reduce((sum, [, n]) => sum + n, 0);
  const detail = reasons.length === 0 ? '' : ` (${reasons.map(([reason, n]) => `${reason} ${count(n)}`).join(', ')})`;
  const lines = [
    `${title}:`,
    `  ${count(whole.forwarded)} forwarded = ${count(whole.accepted)} accepted + ${count(rejected)} rejected${detail} + ${count(whole.unanswered)} unanswered${whole.unaccounted === 0 ? ', exactly' : ` + ${whole.unaccounted} without an answer on record`}.`,
    `  Delivered ${work(whole.deliveredWork)}; the pool credited ${work(whole.creditedWork)} and refused ${work(whole.refusedWork)}; chance allows ${work(whole.band)} between them.`,
    ...rows.map(({ payoutId, from, to, reconciliation }) => `  Payout ${payoutId}, earned ${from} to ${to}: ${reconciliation.poolWork === '' ? 'the pool states no work' : `the pool states ${work(reconciliation.poolWork)}, its answers add up to ${work(reconciliation.creditedWork)}`}.`),
    ...[...whole.findings, ...rows.flatMap(({ payoutId, reconciliation }) => reconciliation.findings.map((finding) => `Payout ${payoutId}: ${finding}`))].map((finding) => `  ! ${finding}`),
  ];
  return lines.join('\n');
}
