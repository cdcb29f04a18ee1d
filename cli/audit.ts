/** `audit`: recomputes the ledger from the journals with bitcoinjs-lib alone, shows progress, exits 1 on any difference. */
import { resolve } from 'node:path';
import { audit as runAudit } from '../accounting/audit.ts';
import type { AuditProgress, AuditReport } from '../accounting/audit-report.ts';
import { sharedConfig } from './book.ts';
import { bytes, count, percent, printable } from './format.ts';
import { dataDirectory } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import { type ParsedOptions, wholeNumber } from './options.ts';
import { age, parseTime } from './time.ts';

const SAMPLE_MAX = 100_000_000;
/** On a terminal a line may be drawn over at this pace; elsewhere each phase gets its lines at the other. */
const DRAW_EVERY_MS = 200;
const PRINT_EVERY_MS = 10_000;
/** Differences printed for people; --json has up to a thousand. */
const SHOWN_MAX = 20;

const PHASES: Readonly<Record<AuditProgress['phase'], string>> = {
  fold: 'Folding the journals again',
  validate: 'Validating shares with bitcoinjs-lib',
  duplicates: 'Looking for headers that count twice',
  compare: 'Comparing with the ledger',
};

export async function audit(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { text, flags } = options;
  const dataDir = dataDirectory(options);
  const nowMs = io.world.wallMs();
  const time = (name: 'from' | 'to'): number | undefined => {
    const given = text[name];
    return given === undefined ? undefined : parseTime(`--${name}`, given, nowMs);
  };
  const [fromMs, toMs] = [time('from'), time('to')];
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) throw usageError('--from must be before --to.');
  const sample = text['sample'] === undefined ? undefined : wholeNumber('sample', text['sample'], SAMPLE_MAX);
  const progress = new Progress(io, flags.has('json'));
  const shared = sharedConfig(options);
  const also = (text['also'] ?? '').split(',').filter((directory) => directory !== '').map((directory) => resolve(directory));
  const report = await runAudit({
    dataDir: [dataDir, ...also],
    ...(shared === undefined ? {} : { shared }),
    world: io.world,
    onProgress: (step) => progress.show(step),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
    ...(sample === undefined ? {} : { sample }),
  }).catch((error: unknown) => {
    throw new CommandError(`The audit could not be made: ${error instanceof Error ? error.message : String(error)}`);
  });
  progress.end();
  io.out(flags.has('json') ? JSON.stringify(report, null, 2) : auditText(report));
  return report.ok ? EXIT.ok : EXIT.failed;
}

/** Shows where an audit is and how long it still takes. */
class Progress {
  readonly #io: Io;
  /** With JSON, whoever reads is a program: only a terminal is shown progress. */
  readonly #quiet: boolean;
  #phase: AuditProgress['phase'] | undefined;
  #shownMs = -Infinity;

  constructor(io: Io, json: boolean) {
    this.#io = io;
    this.#quiet = json && !io.interactive;
  }

  show({ phase, done, total, etaMs }: AuditProgress): void {
    const nowMs = this.#io.world.monoMs();
    const every = this.#io.interactive ? DRAW_EVERY_MS : PRINT_EVERY_MS;
    if (this.#quiet || (phase === this.#phase && nowMs - this.#shownMs < every)) return;
    this.#phase = phase;
    this.#shownMs = nowMs;
    const left = etaMs === undefined || done >= total ? '' : `, ${age(etaMs)} left`;
    const line = `${PHASES[phase]}: ${percent(Math.min(done, total), total)}${left}`;
    this.#io.err(this.#io.interactive ? `\r\u001B[K${line}` : `${line}\n`);
  }

  end(): void {
    if (this.#io.interactive && this.#phase !== undefined) this.#io.err('\r\u001B[K');
  }
}

/** What was found, for people: the verdict first. */
export function auditText(report: AuditReport): string {
  const lines = [verdict(report)];
  for (const { kind, where, message } of report.differences.slice(0, SHOWN_MAX)) lines.push(printable(`  ${kind} at ${where}: ${message}`));
  if (report.differencesTotal > SHOWN_MAX) lines.push(`  … and ${count(report.differencesTotal - SHOWN_MAX)} more; --json lists up to a thousand.`);
  for (const { file, offset, end, sharesMissing } of report.corrupt.slice(0, SHOWN_MAX)) {
    lines.push(printable(`  corrupt: ${file} bytes ${offset} to ${end}${sharesMissing === undefined ? '' : `, ${count(sharesMissing)} shares missing`}`));
  }
  lines.push(
    report.duplicates === null ? 'Headers that count twice were not looked for.' : `Headers that count more than once: ${count(report.duplicates)}.`,
    `Rows compared to the unit: ${count(report.rowsCompared)}${report.rowsBounded === 0 ? '' : `; checked as "at least", their journals being past retention: ${count(report.rowsBounded)}`}.`,
    `Read ${count(report.records)} records in ${count(report.segments)} segments in ${report.seconds.toFixed(1)} s${report.corruptBytes === 0 ? '' : `; ${bytes(report.corruptBytes)} unreadable`}.`,
  );
  if (report.shared !== null) lines.push(sharedText(report.shared));
  if (report.notFolded > 0) lines.push(`${count(report.notFolded)} durable shares are not in the ledger yet; the accountant folds them.`);
  if (report.unproven > 0) lines.push(`${count(report.unproven)} shares have their difficulty announced in an earlier segment; it was taken from the record.`);
  if (report.sample !== null) lines.push(confidence(report.sample));
  return [...lines, ...report.notes].join('\n');
}

function sharedText({ compared, underWay, expired }: NonNullable<AuditReport['shared']>): string {
  const others = [...(underWay === 0 ? [] : [`${count(underWay)} are being published`]), ...(expired === 0 ? [] : [`${count(expired)} are past their retention`])];
  return `Units compared with the shared ledger, row by row: ${count(compared)}${others.length === 0 ? '' : `; ${others.join(', ')}`}.`;
}

function verdict({ ok, shares, validated, rowsCompared, rowsBounded, differencesTotal, corrupt }: AuditReport): string {
  if (!ok) return `The ledger is NOT what the journals prove: ${count(differencesTotal)} differences, ${count(corrupt.length)} corrupt ranges.`;
  // An empty instance agrees with everything; that must not read like a proof.
  if (shares === 0 && rowsCompared + rowsBounded === 0) return 'There was nothing to audit: no accepted shares in the journals, no rows in the ledger.';
  return `The ledger is what the journals prove: ${count(validated)} of ${count(shares)} accepted shares validated with bitcoinjs-lib.`;
}

function confidence({ size, confidenceOnePercent, confidenceOnePerMille }: NonNullable<AuditReport['sample']>): string {
  return (
    `Sample of ${count(size)}: had 1 % of all shares been faulty, it would have met one with ${(confidenceOnePercent * 100).toFixed(2)} % probability; ` +
    `had 1 in 1000 been, with ${(confidenceOnePerMille * 100).toFixed(2)} %.`
  );
}
