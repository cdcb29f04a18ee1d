/**
 * Machines of a lease, hour by hour: which were seen, which reached half of their plate, which found nothing. An hour counts from
 * local midnight, as the ledger keeps them. What a machine is comes from the inventory, by the name it works under.
 */
import { midnightMs, nextDate, type LocalDay } from '../../config/calendar.ts';
import type { InventoryRow } from '../../config/inventory.ts';
import { HASHES_PER_DIFFICULTY } from '../../proxy/mining/difficulty.ts';
import { DAY_MS, HOUR_MS, type LeaseDayRow } from '../rows.ts';
import { exact, type Exact } from './exact.ts';
import { difficultyOf, terahashDays } from './quantities.ts';

export interface MachineDay {
  /** TH·day of the plates of machines in those hours in which their name found a share; undefined without an inventory. */
  readonly seen: Exact | undefined;
  /** Hours of installed machines that were observed and not excused, and those of them in which half of the plate was reached. */
  readonly slots: number;
  readonly available: number;
}

/** Names that found no share from one whole hour to another. */
export interface SilentStretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly workers: readonly string[];
  /** Earliest and latest of their last shares before it, where the ledger tells. */
  readonly lastMs: readonly [number, number] | undefined;
}

export interface Machines {
  readonly days: readonly MachineDay[];
  readonly stretches: readonly SilentStretch[];
  /** Names that worked under the lease while no row of the inventory had them. */
  readonly unlisted: readonly { readonly worker: string; readonly from: string; readonly to: string; readonly delivered: Exact }[];
  /** Serial numbers whose name found no share in all of the time that they were installed within the period. */
  readonly silent: readonly { readonly serial: string; readonly worker: string }[];
}

/** Whether an hour counts: machines can only be seen while a proxy observes, and owe nothing while they are excused. */
export interface HourView {
  readonly isObserved: (fromMs: number, toMs: number) => boolean;
  readonly isExcused: (fromMs: number, toMs: number) => boolean;
}

/** The hours of a day, counted from local midnight and cut to the period. */
interface Slot {
  readonly index: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly observed: boolean;
  /** A whole hour that was observed and is not excused. */
  readonly counts: boolean;
}

/** Half of a plate for an hour, as Σ difficulty for each hash a second. Powers of two and their counts are exact in a double. */
const HALF_HOUR_DIFFICULTY = (1800 * Number(HASHES_PER_DIFFICULTY.denominator)) / Number(HASHES_PER_DIFFICULTY.numerator);
/** Hexadecimal digits of one hour in `slots`. */
const SLOT_DIGITS = 8;
/** Hours of the longest day, in any zone. */
const SLOTS_MAX = 27;

export function machinesOf(rows: Iterable<LeaseDayRow>, days: readonly LocalDay[], zone: string, inventory: readonly InventoryRow[] | undefined, view: HourView): Machines {
  const fleet = new Fleet(inventory);
  const byDay = groupedByDay(rows, days);
  const counted = days.map((day, index) => fleet.day(day.date, slotsOf(day, zone, view), byDay[index] ?? new Map()));
  const [first, last] = [days[0], days.at(-1)];
  const unseen = fleet.unseen();
  return {
    days: counted,
    stretches: fleet.stretches(last?.toMs ?? 0),
    unlisted: fleet.unlisted(),
    silent: (inventory ?? []).filter((row) => row.fromMs < (last?.toMs ?? 0) && row.toMs > (first?.fromMs ?? 0) && unseen.has(row)).map(({ serial, worker }) => ({ serial, worker })),
  };
}

/** Days from 1970 to the local date, as the ledger numbers them. */
export function dayNumberOf(date: string): number {
  return Date.parse(`${date}T00:00Z`) / DAY_MS;
}

function groupedByDay(rows: Iterable<LeaseDayRow>, days: readonly LocalDay[]): Map<string, LeaseDayRow[]>[] {
  const place = new Map(days.map(({ date }, index) => [dayNumberOf(date), index]));
  const result = days.map(() => new Map<string, LeaseDayRow[]>());
  for (const row of rows) {
    const ofDay = result[place.get(row.day) ?? -1];
    if (ofDay === undefined) continue;
    const known = ofDay.get(row.worker);
    if (known === undefined) ofDay.set(row.worker, [row]);
    else known.push(row);
  }
  return result;
}

function slotsOf({ date, fromMs, toMs }: LocalDay, zone: string, view: HourView): Slot[] {
  const [startMs, endMs] = [midnightMs(date, zone), midnightMs(nextDate(date), zone)];
  const slots: Slot[] = [];
  for (let index = 0; startMs + index * HOUR_MS < endMs; index += 1) {
    const from = Math.max(fromMs, startMs + index * HOUR_MS);
    const to = Math.min(toMs, endMs, startMs + (index + 1) * HOUR_MS);
    if (from >= to) continue;
    const observed = view.isObserved(from, to);
    slots.push({ index, fromMs: from, toMs: to, observed, counts: observed && to - from === HOUR_MS && !view.isExcused(from, to) });
  }
  return slots;
}

/** Σ difficulty that each hour of a day found. */
function workByHour(rows: readonly LeaseDayRow[], into: Float64Array): void {
  into.fill(0);
  for (const { exponent, slots } of rows) {
    const digits = slots.toString(16);
    const bytes = Buffer.from(digits.padStart(Math.ceil(digits.length / SLOT_DIGITS) * SLOT_DIGITS, '0'), 'hex');
    const [each, last] = [2 ** exponent, bytes.length / 4 - 1];
    for (let index = 0; index <= last; index += 1) into[index] = (into[index] ?? 0) + bytes.readUInt32BE((last - index) * 4) * each;
  }
}

interface Machine {
  readonly rows: readonly InventoryRow[];
  /** Those of them in whose time no share was found so far. */
  unseen: readonly InventoryRow[];
  /** When it fell silent; undefined while it finds shares. */
  silentMs: number | undefined;
  lastShareMs: number | undefined;
  /** Its last share when it fell silent. */
  before: number | undefined;
  seen: boolean;
}

class Fleet {
  readonly #machines = new Map<string, Machine>();
  readonly #listed: boolean;
  readonly #unlisted = new Map<string, { from: string; to: string; shares: Map<number, number> }>();
  readonly #stretches = new Map<string, { fromMs: number; toMs: number; workers: string[]; last: number[] }>();
  readonly #hours = new Float64Array(SLOTS_MAX + 1);

  constructor(inventory: readonly InventoryRow[] | undefined) {
    this.#listed = inventory !== undefined;
    for (const row of inventory ?? []) {
      const rows = [...(this.#machines.get(row.worker)?.rows ?? []), row];
      this.#machines.set(row.worker, { rows, unseen: rows, silentMs: undefined, lastShareMs: undefined, before: undefined, seen: false });
    }
  }

  day(date: string, slots: readonly Slot[], found: ReadonlyMap<string, readonly LeaseDayRow[]>): MachineDay {
    const sum = { hashMs: 0n, slots: 0, available: 0 };
    for (const [worker, rows] of found) if (!this.#machines.has(worker)) this.#addUnknown(worker, date, rows);
    for (const [worker, machine] of this.#machines) {
      const rows = found.get(worker);
      if (rows !== undefined) workByHour(rows, this.#hours);
      this.#machineDay(worker, machine, slots, rows, sum);
      if (this.#listed && rows !== undefined && slots.every((slot) => plateAt(machine, slot) === 0)) this.#note(worker, date, rows);
      const last = rows?.reduce((ms, { last_ms }) => Math.max(ms, last_ms), 0);
      if (last !== undefined) machine.lastShareMs = last;
    }
    return { seen: this.#listed ? exact(sum.hashMs, 10n ** 12n * BigInt(DAY_MS)) : undefined, slots: sum.slots, available: sum.available };
  }

  #machineDay(worker: string, machine: Machine, slots: readonly Slot[], rows: readonly LeaseDayRow[] | undefined, sum: { hashMs: bigint; slots: number; available: number }): void {
    const whole = wholePlate(machine, slots);
    let seenMs = 0;
    for (const slot of slots) {
      const plate = whole ?? plateAt(machine, slot);
      const work = rows === undefined ? 0 : (this.#hours[slot.index] ?? 0);
      if (plate > 0 && slot.counts) {
        sum.slots += 1;
        if (work >= plate * HALF_HOUR_DIFFICULTY) sum.available += 1;
      }
      if (work > 0) {
        if (whole === undefined) sum.hashMs += BigInt(plate) * BigInt(slot.toMs - slot.fromMs);
        else seenMs += slot.toMs - slot.fromMs;
        if (machine.seen && machine.silentMs === undefined && machine.unseen.length === 0) continue;
      }
      this.#follow(worker, machine, slot, work, plate, rows);
    }
    if (whole !== undefined && seenMs > 0) sum.hashMs += BigInt(whole) * BigInt(seenMs);
  }

  /** Without an inventory a name is a machine from its first share on. */
  #addUnknown(worker: string, date: string, rows: readonly LeaseDayRow[]): void {
    if (this.#listed) this.#note(worker, date, rows);
    else this.#machines.set(worker, { rows: [], unseen: [], silentMs: undefined, lastShareMs: undefined, before: undefined, seen: false });
  }

  #note(worker: string, date: string, rows: readonly LeaseDayRow[]): void {
    const known = this.#unlisted.get(worker) ?? { from: date, to: date, shares: new Map<number, number>() };
    known.to = date;
    for (const { exponent, n } of rows) known.shares.set(exponent, (known.shares.get(exponent) ?? 0) + n);
    this.#unlisted.set(worker, known);
  }

  #follow(worker: string, machine: Machine, slot: Slot, work: number, plate: number, rows: readonly LeaseDayRow[] | undefined): void {
    const expected = this.#listed ? plate > 0 : machine.seen;
    if (work > 0) {
      machine.seen = true;
      machine.unseen = machine.unseen.filter((row) => row.fromMs >= slot.toMs || slot.fromMs >= row.toMs);
    }
    if (machine.silentMs !== undefined && (work > 0 || !expected)) this.#end(worker, machine, slot.fromMs);
    if (machine.silentMs !== undefined || work > 0 || !expected || !slot.observed) return;
    machine.silentMs = slot.fromMs;
    const today = rows?.map(({ last_ms }) => last_ms).filter((ms) => ms < slot.fromMs) ?? [];
    const latest = rows?.reduce((ms, { last_ms }) => Math.max(ms, last_ms), 0) ?? 0;
    machine.before = latest > 0 && latest < slot.fromMs ? Math.max(...today) : latest === 0 ? machine.lastShareMs : undefined;
  }

  #end(worker: string, machine: Machine, atMs: number): void {
    const fromMs = machine.silentMs ?? atMs;
    machine.silentMs = undefined;
    const key = `${fromMs} ${atMs}`;
    const known = this.#stretches.get(key) ?? { fromMs, toMs: atMs, workers: [], last: [] };
    known.workers.push(worker);
    if (machine.before !== undefined) known.last.push(machine.before);
    this.#stretches.set(key, known);
  }

  /** Of names that were ever seen: who never was is listed as silent. */
  stretches(endMs: number): SilentStretch[] {
    for (const [worker, machine] of this.#machines) if (machine.silentMs !== undefined && machine.silentMs < endMs) this.#end(worker, machine, endMs);
    return [...this.#stretches.values()]
      .map(({ fromMs, toMs, workers, last }) => ({ fromMs, toMs, workers: workers.filter((worker) => this.#machines.get(worker)?.seen === true).toSorted(byNumber), last }))
      .filter(({ workers }) => workers.length > 0)
      .toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs)
      .map(({ last, ...stretch }) => ({ ...stretch, lastMs: last.length === 0 ? undefined : [Math.min(...last), Math.max(...last)] }));
  }

  unlisted(): Machines['unlisted'] {
    return [...this.#unlisted.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([worker, { from, to, shares }]) => ({ worker, from, to, delivered: terahashDays(difficultyOf(shares)) }));
  }

  /** Rows in whose time their name found no share. */
  unseen(): Set<InventoryRow> {
    return new Set([...this.#machines.values()].flatMap(({ unseen }) => unseen));
  }
}

/** "acme.2" before "acme.10". */
function byNumber(a: string, b: string): number {
  const padded = (text: string): string => text.replace(/\d+/g, (digits) => digits.padStart(12, '0'));
  const [left, right] = [padded(a), padded(b)];
  return left < right || (left === right && a < b) ? -1 : 1;
}

/** Hashes a second that stand under a name in an hour; a machine counts in an hour that it was installed in throughout. */
function plateAt({ rows }: Machine, { fromMs, toMs }: Slot): number {
  let plate = 0;
  for (const row of rows) if (row.fromMs <= fromMs && toMs <= row.toMs) plate += Number(row.nameplateHashes);
  return plate;
}

/** The same where it is one for all hours; undefined where it changes. */
function wholePlate(machine: Machine, slots: readonly Slot[]): number | undefined {
  const [first, last] = [slots[0], slots.at(-1)];
  if (first === undefined || last === undefined) return 0;
  for (const row of machine.rows) if (row.fromMs > first.fromMs || row.toMs < last.toMs) return undefined;
  return plateAt(machine, first);
}
