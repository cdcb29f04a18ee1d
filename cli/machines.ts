/** `machines`: what is connected now, what has gone dark, what rejects. */
import { estimate } from '../accounting/estimate.ts';
import { NotRunningError } from '../proxy/net/control.ts';
import { openBook } from './book.ts';
import { type DarkMachine, darkMachines, darkRanges } from './dark.ts';
import { count, powerOfTwo, rateWithInterval, table } from './format.ts';
import { EXIT, type ExitCode, type Io, usageError } from './io.ts';
import { type LiveMachine, liveMachines } from './live.ts';
import type { ParsedOptions } from './options.ts';
import { age, isoTime } from './time.ts';

/** One live machine as printed by --json. */
export interface MachineRow extends LiveMachine {
  /** Hashes per second over `windowMs` with the 95 % interval; null where nothing can be said. */
  readonly rate: number | null;
  readonly rateLow: number | null;
  readonly rateHigh: number | null;
  readonly rejectedTotal: number;
  /** Rejected of all judged shares since it connected; null when there was none. */
  readonly rejectRatio: number | null;
}

export async function machines(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { flags } = options;
  if (flags.has('dark') && flags.has('rejects')) throw usageError('--dark and --rejects exclude each other; give one of them.');
  if (flags.has('dark')) return printDark(await findDark(options, io), options, io);
  const live = await liveMachines(options, io);
  const rows = live.filter(selected(options)).map(machineRow).toSorted(flags.has('rejects') ? byRejects : byName);
  if (flags.has('json')) {
    io.out(JSON.stringify({ at: isoTime(io.world.wallMs()), machines: rows }, null, 2));
    return EXIT.ok;
  }
  io.out(rows.length === 0 ? 'No such machine is connected.' : machineTable(rows, io.world.wallMs()));
  return EXIT.ok;
}

function selected({ text }: ParsedOptions): (machine: { readonly site: string; readonly lessee: string; readonly leases: readonly string[] }) => boolean {
  const { site, lessee, lease } = text;
  return (machine) => (site === undefined || machine.site === site) && (lessee === undefined || machine.lessee === lessee) && (lease === undefined || machine.leases.includes(lease));
}

/** Adds what follows from the counts. */
export function machineRow(machine: LiveMachine): MachineRow {
  // The difficulty in force bounds from above what may have been done under it without a share.
  const { rate, low, high } = estimate([...machine.accepted, [machine.exponent, 0]], machine.windowMs);
  const rejectedTotal = Object.values(machine.rejects).reduce((sum, n) => sum + n, 0);
  const judged = rejectedTotal + machine.acceptedTotal;
  return { ...machine, rate: rate ?? null, rateLow: low ?? null, rateHigh: high ?? null, rejectedTotal, rejectRatio: judged === 0 ? null : rejectedTotal / judged };
}

function byName(a: MachineRow, b: MachineRow): number {
  return compare(a.site, b.site) || compare(a.worker, b.worker) || compare(a.address, b.address);
}

function byRejects(a: MachineRow, b: MachineRow): number {
  return (b.rejectRatio ?? -1) - (a.rejectRatio ?? -1) || b.rejectedTotal - a.rejectedTotal || byName(a, b);
}

/** By code unit: the same order everywhere, whatever the locale. */
function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function machineTable(rows: readonly MachineRow[], nowMs: number): string {
  // Each process numbers its links from 1 on.
  const several = rows.some(({ process }) => process > 1);
  const cells = rows.map((row) => [
    row.worker,
    row.site,
    row.lessee,
    row.leases.join(' '),
    row.address,
    row.firmware,
    powerOfTwo(row.exponent),
    row.lastShareMs === undefined ? 'never' : `${age(nowMs - row.lastShareMs)} ago`,
    rateWithInterval(row.rate ?? undefined, row.rateLow ?? undefined, row.rateHigh ?? undefined),
    count(row.acceptedTotal),
    row.pool === '' ? '–' : `${row.pool}#${several ? `${row.process}.` : ''}${row.link}`,
    rejectText(row),
  ]);
  return table(
    [
      { title: 'worker' },
      { title: 'site' },
      { title: 'lessee' },
      { title: 'leases' },
      { title: 'address' },
      { title: 'firmware' },
      { title: 'difficulty', right: true },
      { title: 'last share', right: true },
      { title: 'rate', right: true },
      { title: 'accepted', right: true },
      { title: 'link' },
      { title: 'rejected' },
    ],
    cells,
  );
}

/** `12 (0.8 %): stale 10, duplicate 2`. */
function rejectText(row: MachineRow): string {
  if (row.rejectedTotal === 0) return '0';
  const reasons = Object.entries(row.rejects)
    .filter(([, n]) => n > 0)
    .toSorted(([, a], [, b]) => b - a)
    .map(([verdict, n]) => `${verdict} ${n}`);
  return `${row.rejectedTotal} (${((row.rejectRatio ?? 0) * 100).toFixed(1)} %): ${reasons.join(', ')}`;
}

async function findDark(options: ParsedOptions, io: Io): Promise<DarkMachine[]> {
  const connected = await connectedNames(options, io);
  const nowMs = io.world.wallMs();
  const book = await openBook(options, io);
  try {
    return (await book.read(darkRanges(nowMs), (reader) => darkMachines(reader, connected, nowMs))).filter(selected(options));
  } finally {
    book.close();
  }
}

/** Names connected now by site; a stopped instance has none, which is worth saying but no failure: its ledger still tells. */
async function connectedNames(options: ParsedOptions, io: Io): Promise<readonly LiveMachine[]> {
  try {
    return await liveMachines(options, io);
  } catch (error) {
    if (!(error instanceof NotRunningError)) throw error;
    io.err('The instance is not running; this is what its ledger says.\n');
    return [];
  }
}

function printDark(rows: readonly DarkMachine[], { flags }: ParsedOptions, io: Io): ExitCode {
  const nowMs = io.world.wallMs();
  if (flags.has('json')) {
    io.out(JSON.stringify({ at: isoTime(nowMs), dark: rows }, null, 2));
    return EXIT.ok;
  }
  if (rows.length === 0) {
    io.out('No machine of the last 24 hours is dark.');
    return EXIT.ok;
  }
  const cells = rows.map((row) => [
    row.worker,
    row.site,
    row.lessee,
    row.leases.join(' '),
    row.lastShareMs === null ? 'none within 24 h' : `${isoTime(row.lastShareMs - (row.lastShareMs % 1000))} (${age(nowMs - row.lastShareMs)} ago)`,
    row.connected ? 'yes' : 'no',
  ]);
  io.out(table([{ title: 'worker' }, { title: 'site' }, { title: 'lessee' }, { title: 'leases' }, { title: 'last accepted share' }, { title: 'connected' }], cells));
  return EXIT.ok;
}
