/** `lease now`: what each lease delivers at present, against what is contracted, installed and seen. */
import type { Book, LedgerRange } from '../accounting/reader.ts';
import { leaseHistory } from '../accounting/leases/history.ts';
import type { LeaseTerms } from '../accounting/leases/terms.ts';
import { firstMinute } from '../accounting/leases/evidence.ts';
import { LeaseWatch } from '../accounting/leases/watch.ts';
import { periodStartMs } from '../accounting/leases/months.ts';
import type { LeaseFigures } from '../accounting/leases/watched.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type Rows } from '../accounting/rows.ts';
import { readInventory } from '../config/inventory.ts';
import type { Config } from '../config/schema.ts';
import { askInstance } from '../proxy/net/control.ts';
import { openBook, sharedConfig } from './book.ts';
import { rateWithInterval, scaled, table } from './format.ts';
import { CommandError, type Io } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { age, isoTime } from './time.ts';

const ANSWER_LIMIT_MS = 5_000;

/** Figures of the leases among `chosen` that are in their term, of all hosts where the ledger is shared. */
async function leasesNow(chosen: readonly LeaseTerms[], config: Config, options: ParsedOptions, io: Io): Promise<LeaseFigures[]> {
  const nowMs = io.world.wallMs();
  const book = await openBook(options, io);
  try {
    const figures = await measured(chosen, config, book, nowMs);
    return await withStates(figures, config.data, sharedConfig(options) !== undefined, io);
  } finally {
    book.close();
  }
}

async function measured(chosen: readonly LeaseTerms[], config: Config, book: Book, nowMs: number): Promise<LeaseFigures[]> {
  const watch = new LeaseWatch(chosen, config.inventory === undefined ? undefined : readInventory(config.inventory).rows);
  watch.told(leaseHistory(config.data).events);
  const hour = Math.floor(nowMs / HOUR_MS);
  const first = Math.floor(Math.min(nowMs - DAY_MS, ...chosen.map(({ lease }) => periodStartMs(lease, nowMs))) / HOUR_MS);
  const minutes = { from: firstMinute(nowMs), to: Math.floor(nowMs / MINUTE_MS) + 1 };
  const seen = { from: hour - 1, to: hour + 1 };
  const ranges: LedgerRange[] = [
    { table: 'delivered_hour', from: first, to: minutes.from / 60 }, { table: 'observed_minute', from: Math.min(first * 60, minutes.from), to: minutes.to },
    { table: 'delivered_minute', ...minutes }, { table: 'worker_hour', ...seen }, { table: 'worker_connected', ...seen },
  ];
  return book.read(ranges, (reader) => {
    const rows = <T extends LedgerRange['table']>(table: T): Iterable<Rows[T]> => {
      const { from, to } = ranges.find((range) => range.table === table) ?? minutes;
      return reader.rows(table, from, to);
    };
    watch.begin(accepted(rows('delivered_hour')), rows('observed_minute'));
    for (const row of accepted(rows('delivered_minute'))) watch.count(row);
    for (const { leases, last_ms } of accepted(rows('worker_hour'))) watch.lastShare(leases, last_ms);
    for (const { hour: bucket, leases, worker } of rows('worker_connected')) if (bucket === hour) watch.saw(leases, worker, nowMs);
    watch.complete(nowMs);
    return watch.figures(nowMs);
  });
}

function accepted<R extends { readonly verdict: string }>(rows: Iterable<R>): R[] {
  return [...rows].filter(({ verdict }) => verdict === 'accepted');
}

/** The running instance has watched for longer than the ledger was read here. */
async function withStates(figures: readonly LeaseFigures[], dataDir: string, shared: boolean, io: Io): Promise<LeaseFigures[]> {
  let watched: readonly LeaseFigures[];
  try {
    watched = (await askInstance(dataDir, 'status', io.world, ANSWER_LIMIT_MS)).accountant?.leases ?? [];
  } catch {
    return [...figures];
  }
  return figures.map((each) => {
    const known = watched.find(({ lease }) => lease === each.lease);
    if (known === undefined) return each;
    // What it sees of machines is this host's alone.
    return { ...each, state: known.state, shortfall: known.shortfall, waitsFor: known.waitsFor, ...(shared ? {} : { seen: known.seen }) };
  });
}

/** Prints them. */
export async function leaseNow(chosen: readonly LeaseTerms[], config: Config, options: ParsedOptions, io: Io): Promise<void> {
  const nowMs = io.world.wallMs();
  printFigures(await leasesNow(chosen, config, options, io), nowMs, options, io);
}

/** Prints what the running instance knows, where there is no configuration at hand. Rejects with a sentence when none runs. */
export async function watchedLeases(dataDir: string, id: string | undefined, options: ParsedOptions, io: Io): Promise<void> {
  const { accountant, nowMs } = await askInstance(dataDir, 'status', io.world, ANSWER_LIMIT_MS);
  if (accountant === undefined) throw new CommandError('The accountant of this instance is not running; with --config the ledger is read without it.');
  const figures = accountant.leases.filter(({ lease }) => id === undefined || lease === id);
  if (id !== undefined && figures.length === 0) throw new CommandError(`The instance watches no lease ${JSON.stringify(id)}: there is ${accountant.leases.map(({ lease }) => lease).join(', ') || 'none in its term'}.`);
  printFigures(figures, nowMs, options, io);
}

function printFigures(figures: readonly LeaseFigures[], nowMs: number, options: ParsedOptions, io: Io): void {
  if (options.flags.has('json')) io.out(JSON.stringify({ at: isoTime(nowMs), leases: figures }, null, 2));
  else io.out(figures.length === 0 ? 'No lease is in its term.' : leaseTable(figures, nowMs));
}

/** A line for each lease. */
export function leaseTable(figures: readonly LeaseFigures[], nowMs: number): string {
  const rate = (value: number | undefined): string => (value === undefined ? '–' : scaled(value, 'H/s'));
  const rows = figures.map(({ lease, state, contracted, installed, seen, windows, lastShareMs, shortfall, waitsFor }) => [
    lease,
    stateText(state, shortfall, waitsFor),
    rate(contracted), rate(installed), rate(seen),
    ...windows.map((each) => rateWithInterval(each.rate, each.low, each.high)),
    percent(windows.at(-1)?.ratio),
    lastShareMs === undefined ? 'none' : `${age(nowMs - lastShareMs)} ago`,
  ]);
  const right = (title: string) => ({ title, right: true });
  return table([{ title: 'lease' }, { title: 'state' }, right('contracted'), right('installed'), right('seen'), right('5 m'), right('1 h'), right('24 h'), right('period'), right('of owed, period'), right('last share')], rows);
}

function stateText(state: LeaseFigures['state'], shortfall: LeaseFigures['shortfall'], waitsFor: readonly string[]): string {
  const text = state === 'low' && shortfall !== undefined ? `low since ${isoTime(shortfall.sinceMs).slice(0, 16)}Z or later` : state;
  return waitsFor.length === 0 ? text : `${text}, no word of ${waitsFor.join(', ')}`;
}

function percent(ratio: number | undefined): string {
  return ratio === undefined ? '–' : `${(ratio * 100).toFixed(1)} %`;
}
