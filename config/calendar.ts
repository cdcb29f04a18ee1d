/** Days of a time zone: where its midnights lie. A day has 23, 24 or 25 hours, in some places other lengths. */
import { Temporal } from 'temporal-polyfill';

/** Whether the IANA time zone is known. */
export function isTimeZone(zone: string): boolean {
  try {
    Temporal.PlainDate.from('2026-01-01').toZonedDateTime(zone);
    // Offsets such as +02:00 would be taken too, and never follow daylight saving: a contract means a place.
    return /^[A-Za-z]/.test(zone);
  } catch {
    return false;
  }
}

/** Whether `2026-02-30` and the like: a day that no calendar has, or not a date at all. */
export function isDate(text: string): boolean {
  try {
    return /^\d{4}-\d{2}-\d{2}$/.test(text) && Temporal.PlainDate.from(text, { overflow: 'reject' }).toString() === text;
  } catch {
    return false;
  }
}

/** First moment of the local day, milliseconds since 1970: midnight, or the end of the gap where midnight does not exist. */
export function midnightMs(date: string, zone: string): number {
  return Temporal.PlainDate.from(date).toZonedDateTime(zone).epochMilliseconds;
}

/** The date after. */
export function nextDate(date: string): string {
  return Temporal.PlainDate.from(date).add({ days: 1 }).toString();
}

/** The date before. */
export function previousDate(date: string): string {
  return Temporal.PlainDate.from(date).subtract({ days: 1 }).toString();
}

/** The local date of a moment. */
export function dateAt(ms: number, zone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone).toPlainDate().toString();
}

/** First moments of the years of a term: its first day, and that day of each year until it ends. */
export function yearStartsMs(from: string, toMs: number, zone: string): number[] {
  const starts: number[] = [];
  for (let years = 0; ; years += 1) {
    const startMs = midnightMs(Temporal.PlainDate.from(from).add({ years }).toString(), zone);
    if (startMs >= toMs) return starts;
    starts.push(startMs);
  }
}

export interface LocalDay {
  readonly date: string;
  /** [from, to), milliseconds since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** The local days that touch [fromMs, toMs), in order, cut to it. */
export function localDays(fromMs: number, toMs: number, zone: string): LocalDay[] {
  const days: LocalDay[] = [];
  let date = dateAt(fromMs, zone);
  let startMs = midnightMs(date, zone);
  while (startMs < toMs) {
    const next = nextDate(date);
    const endMs = midnightMs(next, zone);
    if (endMs > fromMs) days.push({ date, fromMs: Math.max(startMs, fromMs), toMs: Math.min(endMs, toMs) });
    date = next;
    startMs = endMs;
  }
  return days;
}

/** `2026-11` or `2026-11-05` as its first and last date; undefined when it is neither. */
export function periodDates(period: string): { readonly from: string; readonly to: string } | undefined {
  if (isDate(period)) return { from: period, to: nextDate(period) };
  if (!/^\d{4}-\d{2}$/.test(period) || !isDate(`${period}-01`)) return undefined;
  return { from: `${period}-01`, to: Temporal.PlainDate.from(`${period}-01`).add({ months: 1 }).toString() };
}
