/** Draws the demo's table. Pure: a view in, lines of text out. */
import type { Estimate } from '../../accounting/estimate.ts';

export interface RateRow {
  readonly what: string;
  readonly name: string;
  readonly estimate: Estimate;
  /** Nominal hash rate, for comparison only. */
  readonly set: number;
  readonly accepted: number;
  readonly rejected: number;
}

export interface DemoView {
  readonly elapsedSeconds: number;
  readonly windowSeconds: number;
  readonly machines: number;
  readonly sessions: number;
  readonly rows: readonly RateRow[];
  readonly verdicts: readonly (readonly [verdict: string, count: number])[];
  readonly downstreamMessages: number;
  readonly upstreamMessages: number;
  /** Undefined before the first flush. */
  readonly fsyncP99Ms: number | undefined;
  readonly lagMs: number | undefined;
  readonly blocks: number;
  readonly problems: readonly string[];
  readonly darkUser: string;
  readonly badUser: string;
  readonly darkSinceSeconds: number | undefined;
}

const UNITS = ['H/s', 'kH/s', 'MH/s', 'GH/s', 'TH/s', 'PH/s', 'EH/s'];

/** Three significant digits with a unit. */
export function rateText(hashesPerSecond: number): string {
  const step = hashesPerSecond < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(hashesPerSecond) / 3));
  return `${(hashesPerSecond / 1000 ** step).toPrecision(3)} ${UNITS[step] ?? ''}`;
}

function count(value: number): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `±3.9 %`, half the interval's width of the rate; a dash while there is nothing to divide by. */
function errorText({ rate, low, high }: Estimate): string {
  if (rate === undefined || low === undefined || high === undefined || rate === 0) return '–';
  return `±${((100 * (high - low)) / 2 / rate).toFixed(1)} %`;
}

function intervalText({ low, high }: Estimate): string {
  return low === undefined || high === undefined ? '–' : `${rateText(low)} – ${rateText(high)}`;
}

function tableLines(view: DemoView): string[] {
  const head = ['', '', 'hash rate', '±95 %', '95 % interval', 'set', 'accepted', 'rejected'];
  const cells = view.rows.map(({ what, name, estimate, set, accepted, rejected }) => [
    what,
    name,
    estimate.rate === undefined ? '–' : rateText(estimate.rate),
    errorText(estimate),
    intervalText(estimate),
    rateText(set),
    count(accepted),
    count(rejected),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ').trimEnd();
  const groups = view.rows.map(({ what }, index) => (index > 0 && view.rows[index - 1]?.what !== what ? [''] : []));
  return [line(head), ...cells.flatMap((row, index) => [...(groups[index] ?? []), line(row)])];
}

function trafficText({ downstreamMessages, upstreamMessages }: DemoView): string {
  const ratio = upstreamMessages === 0 ? '' : `, ${(downstreamMessages / upstreamMessages).toFixed(1)} : 1`;
  return `${count(downstreamMessages)} downstream, ${count(upstreamMessages)} upstream${ratio}`;
}

/** The whole picture. */
export function drawView(view: DemoView): string[] {
  const dark = view.darkSinceSeconds === undefined ? `${view.darkUser} will go dark` : `${view.darkUser} has been dark for ${view.darkSinceSeconds} s`;
  return [
    `Weighbridge demo, ${view.elapsedSeconds} s: ${view.machines} simulated machines, real TCP, real proof of work at a tiny difficulty.`,
    `Measured from the ledger over the last ${view.windowSeconds} s; "set" is what the machines were told to do.`,
    '',
    ...tableLines(view),
    '',
    `shares     ${view.verdicts.map(([verdict, n]) => `${verdict} ${count(n)}`).join(', ') || 'none yet'}`,
    `messages   ${trafficText(view)}`,
    `sessions   ${view.sessions} of ${view.machines}; ${dark}; ${view.badUser} sends bad shares; ${view.blocks} ${view.blocks === 1 ? 'block' : 'blocks'} found`,
    `journal    fsync p99 ${view.fsyncP99Ms === undefined ? '–' : `${view.fsyncP99Ms.toFixed(1)} ms`}, ledger ${view.lagMs === undefined ? '–' : `${(view.lagMs / 1000).toFixed(1)} s`} behind`,
    ...view.problems.map((problem) => `problem    ${problem}`),
  ];
}

/** One line, for output that is not a terminal. */
export function summaryLine(view: DemoView): string {
  const sites = view.rows.filter(({ what }) => what === 'site').map(({ name, estimate, set }) => `${name} ${estimate.rate === undefined ? '–' : rateText(estimate.rate)} ${errorText(estimate)} (set ${rateText(set)})`);
  return `${String(view.elapsedSeconds).padStart(4)} s  ${sites.join('  ')}  sessions ${view.sessions}  ${view.verdicts.map(([verdict, n]) => `${verdict} ${count(n)}`).join(' ')}`;
}

/** What else there is to look at while it runs. */
export function introduction(dataDir: string, http: string): string[] {
  const data = quoted(dataDir);
  const commands = [`bin/weighbridge machines --data ${data}`, `bin/weighbridge machines --data ${data} --rejects`, ...readings(dataDir)];
  return [`Metrics: http://${http}/metrics   In another terminal:`, ...commands.map((command) => `  ${command}`), 'Ctrl-C stops the demo and keeps its data.'];
}

/** Commands that read the data also after the demo has ended. */
export function readings(dataDir: string): string[] {
  const data = quoted(dataDir);
  return [`bin/weighbridge ledger --data ${data} --by lessee --step 1m`, `bin/weighbridge audit --data ${data}`];
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
