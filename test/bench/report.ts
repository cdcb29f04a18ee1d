/** A bench's figures as a table for people, as the page docs/performance.md, and held against the ratios kept from an earlier run. */
import type { AuditResult, FoldResult } from './books.ts';
import { IDLE_CONNECTIONS, type Idle } from './idle.ts';
import type { KernelResult } from './kernel.ts';
import type { Bandwidth, ClosedLoop, Compared, Processes, Storm } from './paths.ts';

export interface Report {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGiB: number; readonly node: string };
  /** fdatasync of 4 KiB appends. */
  readonly disk: { readonly p50Ms: number; readonly p99Ms: number };
  readonly kernel: KernelResult;
  readonly closed: readonly ClosedLoop[];
  /** 2,000 shares a second, with fdatasync and without. */
  readonly open: Compared;
  readonly openOs: Compared;
  readonly upstream: Bandwidth;
  readonly processes?: Processes;
  readonly idle?: Idle & { readonly bareBytesPerConnection: number };
  readonly storm?: Storm;
  readonly fold: FoldResult;
  readonly audit: AuditResult;
}

interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

const fixed = (value: number, digits = 1): string => value.toFixed(digits);
const whole = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');

/** Each goal with what was measured. */
export function goals(report: Report): Goal[] {
  const { kernel, closed, open, openOs, upstream, processes, idle, storm, fold } = report;
  const rows: Goal[] = [
    { what: 'share validation, 260-byte coinbase, 12 branches', goal: '≤ 10 µs', measured: `${fixed(kernel.kernelMicros)} µs`, met: kernel.kernelMicros <= 10 },
    { what: '… against bitcoinjs-lib', goal: '≥ 6 ×', measured: `${fixed(kernel.ratio)} × (${fixed(kernel.referenceMicros)} µs)`, met: kernel.ratio >= 6 },
  ];
  const [first] = closed;
  if (first !== undefined) {
    const { proxy, rateRatio } = first;
    rows.push(
      { what: `whole path, closed loop, ${first.connections} connections`, goal: '≥ 66,000 shares/s', measured: whole(proxy.sharesPerSecond), met: proxy.sharesPerSecond >= 66_000 },
      { what: '… against the bare responder', goal: '≥ 40 %', measured: `${fixed(rateRatio * 100, 0)} %`, met: rateRatio >= 0.4 },
      { what: '… CPU a share', goal: '≤ 15 µs', measured: `${fixed(proxy.cpuMicrosPerShare)} µs`, met: proxy.cpuMicrosPerShare <= 15 },
    );
  }
  rows.push(
    { what: 'open loop, 2,000 shares/s: CPU against the bare responder', goal: '≤ 2 ×', measured: `${fixed(open.cpuRatio)} ×`, met: open.cpuRatio <= 2 },
    { what: '… reply p99, fsync', goal: '≤ 15 ms', measured: `${fixed(open.proxy.replyP99Ms)} ms`, met: open.proxy.replyP99Ms <= 15 },
    { what: '… reply p99, `durability: os`', goal: '≤ 4 ms', measured: `${fixed(openOs.proxy.replyP99Ms)} ms`, met: openOs.proxy.replyP99Ms <= 4 },
  );
  if (processes !== undefined) {
    const { one, two, cpuRatio } = processes;
    const figures = `${fixed(cpuRatio, 2)} × (${fixed(two.cpuMicrosPerShare)} µs at ${whole(two.sharesPerSecond)}/s; one: ${fixed(one.cpuMicrosPerShare)} µs at ${whole(one.sharesPerSecond)}/s)`;
    rows.push({ what: 'two processes: CPU a share against one’s', goal: '≤ 1.15 ×', measured: figures, met: cpuRatio <= 1.15 });
  }
  if (idle !== undefined) {
    const { bytesPerConnection, notifyFirstToLastMs = Infinity } = idle;
    rows.push(
      { what: `memory a connection, ${whole(IDLE_CONNECTIONS)} of them`, goal: '≤ 6 KiB', measured: `${fixed(bytesPerConnection / 1024)} KiB (bare ${fixed(idle.bareBytesPerConnection / 1024)})`, met: bytesPerConnection <= 6144 },
      { what: `new block to them, first to last`, goal: '≤ 150 ms', measured: `${fixed(notifyFirstToLastMs, 0)} ms`, met: notifyFirstToLastMs <= 150 },
    );
  }
  if (storm !== undefined) {
    rows.push(
      { what: 'connect + subscribe + authorize', goal: '≥ 6,000/s', measured: `${whole(storm.connectsPerSecond)}/s`, met: storm.connectsPerSecond >= 6000 },
      { what: `${whole(storm.machines)} machines at once all have work`, goal: '≤ 3 s', measured: `${fixed(storm.seconds)} s`, met: storm.seconds <= 3 },
    );
  }
  rows.push(
    { what: `upstream bytes, ${whole(upstream.machines)} machines at 1/256 of the link’s difficulty`, goal: '≤ 1 %', measured: `${fixed(upstream.ratio * 100, 2)} %`, met: upstream.ratio <= 0.01 },
    { what: 'folded into SQLite', goal: '≥ 300,000 records/s', measured: whole(fold.recordsPerSecond), met: fold.recordsPerSecond >= 300_000 },
  );
  return rows;
}

function pathRow(name: string, { bare, proxy, rateRatio, cpuRatio }: Compared): string[] {
  return [
    name, whole(proxy.sharesPerSecond), whole(bare.sharesPerSecond), fixed(rateRatio, 2), fixed(proxy.cpuMicrosPerShare), fixed(bare.cpuMicrosPerShare), fixed(cpuRatio),
    fixed(proxy.replyP50Ms), fixed(proxy.replyP99Ms),
  ];
}

const PATH_HEAD = ['', 'shares/s', 'bare', 'ratio', 'µs CPU/share', 'bare', 'ratio', 'reply p50 ms', 'p99 ms'];

function pathRows({ closed, open, openOs }: Report): string[][] {
  return [
    ...closed.map((row) => pathRow(`closed loop, ${row.connections} connections`, row)),
    pathRow('open loop, fsync', open),
    pathRow('open loop, os', openOs),
  ];
}

function headline({ machine, disk }: Report): string {
  return `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}; fdatasync p50 ${fixed(disk.p50Ms, 2)} ms, p99 ${fixed(disk.p99Ms, 2)} ms`;
}

function auditLine({ audit }: Report): string {
  return `audit, all ${audit.cores} cores: ${whole(audit.sharesPerSecond)} shares/s (${whole(audit.shares)} shares${audit.ok ? '' : ', DIFFERENCES FOUND'}); a month of 5,000 machines in ${fixed(audit.monthHours)} h`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')).join('\n');
}

/** For a terminal. */
export function table(report: Report): string {
  const kept = goals(report).map(({ what, goal, measured, met }) => [what, goal, measured, met ? 'met' : 'NOT MET']);
  return `${headline(report)}\n\n${columns([PATH_HEAD, ...pathRows(report)])}\n\n${columns([['', 'goal', 'measured', ''], ...kept])}\n\n${auditLine(report)}\n`;
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** Why the goal against the bare responder is out of reach: what validation alone leaves. */
function ceiling({ closed: [first], kernel }: Report): string {
  if (first === undefined) return '';
  const bare = first.bare.cpuMicrosPerShare;
  return (
    `A share's hashes alone take ${fixed(kernel.kernelMicros)} µs, about forty compressions of SHA-256 in TypeScript at the pace of scalar machine code; reading and answering as the bare\n` +
    `responder does takes ${fixed(bare)} µs. A path of nothing but these two would reach ${fixed((100 * bare) / (bare + kernel.kernelMicros), 0)} % of the bare responder's rate. At 2,000 shares a second\n` +
    'commits keep a distance of 8 ms: a write that goes through to the disk and a marker, each by way of another thread, whether they are for one share or a hundred.'
  );
}

/** docs/performance.md. */
export function page(report: Report): string {
  const kept = goals(report).map(({ what, goal, measured, met }) => [what, goal, measured, met ? 'yes' : '**no**']);
  return `# Performance

Written by \`npm run bench -- --write docs/performance.md\`. The bare responder is a Node server that parses each line and answers
true, nothing else (test/bench/responder.ts): it is measured in turn with the product in one run, so the ratios hold on other
machines where the figures do not. The product reads, judges, journals with fdatasync and answers. Medians of three rounds, both
warm; the load runs on the same machine, so both share its cores.

${headline(report)}

${markdown(['what', 'goal', 'measured', 'met'], kept)}

${markdown(PATH_HEAD, pathRows(report))}

${auditLine(report)}.

${ceiling(report)}

\`npm run profile\` shows where the time of a share goes and leaves a CPU profile.
`;
}

/** A ratio may be so many times worse than the one kept before anybody is told: machines differ, and neighbours disturb. */
const TOLERANCE = 2;

/** Ratios that must not grow, by name. */
export function ratios({ kernel, closed, upstream, idle }: Report): Readonly<Record<string, number>> {
  const found: Record<string, number> = { 'kernel to bitcoinjs-lib': 1 / kernel.ratio, 'upstream to downstream bytes': upstream.ratio };
  for (const { connections, cpuRatio } of closed) found[`CPU a share to the bare responder’s, ${connections} connections`] = cpuRatio;
  if (idle !== undefined) found['memory a connection to the bare responder’s'] = idle.bytesPerConnection / idle.bareBytesPerConnection;
  return found;
}

/** Sentences on what is worse than \`kept\` by more than the tolerance. */
export function worse(report: Report, kept: Readonly<Record<string, number>>): string[] {
  return Object.entries(ratios(report)).flatMap(([name, value]) => {
    const before = kept[name];
    if (before === undefined || value <= before * TOLERANCE) return [];
    return [`${name}: ${value.toPrecision(3)}, more than ${TOLERANCE} times the ${before.toPrecision(3)} of the baseline`];
  });
}
