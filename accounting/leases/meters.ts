/** What energy meters counted, from files the user imports. */
import type { LocalDay } from '../../config/calendar.ts';
import type { CsvRow } from '../../config/csv.ts';
import { decimal, decimalText, exact, plus, times, ZERO, type Exact } from './exact.ts';
import { importedRows, utcMs, type Fault, type Importable, type Placed } from './imports.ts';

export interface Reading {
  readonly meter: string;
  /** [from, to), milliseconds since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Energy within it, decimal text. */
  readonly kwh: string;
}

const COLUMNS = ['meter', 'from', 'to', 'kwh'] as const;
type Column = (typeof COLUMNS)[number];

export const METERS_IMPORT: Importable<Reading> = {
  folder: 'meters',
  columns: COLUMNS,
  read: readingOf,
  cells: ({ meter, fromMs, toMs, kwh }) => [meter, new Date(fromMs).toISOString(), new Date(toMs).toISOString(), kwh],
  key: ({ meter, fromMs }) => JSON.stringify([meter, fromMs]),
  name: ({ meter, fromMs }) => `reading of ${meter} from ${new Date(fromMs).toISOString()}`,
};

function readingOf({ cells }: CsvRow): Reading | readonly Fault[] {
  const cell = (column: Column): string => cells[column] ?? '';
  const faults: Fault[] = [];
  const fault = (column: Column, message: string): void => void faults.push({ column, message });
  if (cell('meter') === '') fault('meter', 'nothing: name it as leases do');
  const [fromMs, toMs] = [utcMs(cell('from')), utcMs(cell('to'))];
  if (fromMs === undefined) fault('from', `${JSON.stringify(cell('from'))}, which is no time in UTC: write 2026-11-01 or 2026-11-01T06:30Z`);
  if (toMs === undefined) fault('to', `${JSON.stringify(cell('to'))}, which is no time in UTC: write 2026-11-02 or 2026-11-01T07:30Z`);
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) fault('to', `${JSON.stringify(cell('to'))}, which is not after from ${cell('from')}`);
  if (!/^\d{1,12}(?:\.\d{1,9})?$/.test(cell('kwh'))) fault('kwh', `${JSON.stringify(cell('kwh'))}, which is no energy: write 1234.5`);
  return faults.length > 0 ? faults : { meter: cell('meter'), fromMs: fromMs ?? 0, toMs: toMs ?? 0, kwh: cell('kwh') };
}

/** Sentences about new readings that overlap with another of the same meter: the energy would be paid twice. */
export function overlapsOfReadings(before: readonly Placed<Reading>[], fresh: readonly Placed<Reading>[]): string[] {
  const known = [...before];
  return fresh.flatMap((placed) => {
    const { row, where } = placed;
    const other = known.find(({ row: { meter, fromMs, toMs } }) => meter === row.meter && row.fromMs < toMs && fromMs < row.toMs);
    known.push(placed);
    return other === undefined ? [] : [`has in ${where} a reading of ${row.meter} that overlaps with ${other.where}: the energy would be paid twice`];
  });
}

/** Everything that was imported. Throws a sentence when a file was damaged. */
export function importedReadings(dataDir: string): Reading[] {
  return readingsInOrder(importedRows(dataDir, METERS_IMPORT).map(({ row }) => row));
}

/** By time. */
export function readingsInOrder(rows: readonly Reading[]): Reading[] {
  return rows.toSorted((a, b) => a.fromMs - b.fromMs || (a.meter < b.meter ? -1 : 1));
}

/** Readings that touch [fromMs, toMs). */
export function readingsOf(all: readonly Reading[], fromMs: number, toMs: number): Reading[] {
  return all.filter((reading) => reading.fromMs < toMs && fromMs < reading.toMs);
}

/** Meter → kWh of a day, exactly: a reading that reaches over its ends is divided by time. */
export function energyOf({ fromMs, toMs }: Pick<LocalDay, 'fromMs' | 'toMs'>, readings: readonly Reading[]): ReadonlyMap<string, Exact> {
  const energy = new Map<string, Exact>();
  for (const reading of readings) {
    const ms = Math.min(reading.toMs, toMs) - Math.max(reading.fromMs, fromMs);
    if (ms > 0) energy.set(reading.meter, plus(energy.get(reading.meter) ?? ZERO, times(decimal(reading.kwh), exact(BigInt(ms), BigInt(reading.toMs - reading.fromMs)))));
  }
  return energy;
}

/** Sentences about time of the period that a meter's readings do not cover: nothing is charged for it. */
export function unmetered(readings: readonly Reading[], meters: readonly string[], fromMs: number, toMs: number): string[] {
  return meters.flatMap((meter) => {
    const covered = readings.reduce((ms, reading) => (reading.meter === meter ? ms + Math.min(toMs, reading.toMs) - Math.max(fromMs, reading.fromMs) : ms), 0);
    return covered >= toMs - fromMs ? [] : [`No readings of meter ${meter} were imported for ${decimalText(exact(BigInt(toMs - fromMs - covered), 3_600_000n), 2)} hours of the period: nothing is charged for them.`];
  });
}
