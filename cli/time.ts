/** Time arguments: ISO 8601, seconds or milliseconds since 1970, or relative to now. All in UTC. */
import { usageError } from './io.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };
/** Numbers below it are seconds: as milliseconds they would lie before 1973, when nobody mined. */
const SECONDS_BELOW = 100_000_000_000;
const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * Reads the value of `option` as integer milliseconds since 1970. A date alone is its midnight UTC; a time without a zone
 * is UTC. `-1h`, `-30m`, `-7d` count back from now; `now`, `today` and `yesterday` (midnights UTC) are known.
 */
export function parseTime(option: string, text: string, nowMs: number): number {
  const today = nowMs - (nowMs % DAY_MS);
  if (text === 'now') return nowMs;
  if (text === 'today') return today;
  if (text === 'yesterday') return today - DAY_MS;
  const relative = /^([+-]?)(\d{1,6})([smhdw])$/.exec(text);
  if (relative !== null) {
    const [, sign, count = '', unit = ''] = relative;
    return nowMs + (sign === '+' ? 1 : -1) * Number(count) * (UNIT_MS[unit] ?? 0);
  }
  if (/^\d{1,15}$/.test(text)) return Number(text) < SECONDS_BELOW ? Number(text) * 1000 : Number(text);
  const iso = ISO.exec(text);
  if (iso !== null) {
    const [, date = '', time = '00:00', zone = 'Z'] = iso;
    const dayMs = dateMs(date);
    const offsetMs = clockMs(time) - (zone === 'Z' ? 0 : Number(`${zone.slice(0, 1)}1`) * clockMs(zone.slice(1)));
    if (dayMs !== undefined && !Number.isNaN(offsetMs)) return dayMs + offsetMs;
  }
  throw usageError(`${option} ${JSON.stringify(text)} is not a time; write 2026-01-31, 2026-01-31T12:00Z, seconds since 1970, -1h, now, today or yesterday.`);
}

/** A length of time such as `10m`, above nothing and at most `maxMs`, in milliseconds. */
export function parseSpan(option: string, text: string, maxMs: number): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? 0);
  if (ms <= 0 || ms > maxMs) throw usageError(`${option} ${JSON.stringify(text)} is not a length of time up to ${maxMs / HOUR_MS} h; write 30s, 10m or 2h.`);
  return ms;
}

/** Midnight UTC of `2026-01-31`; undefined for a day that no calendar has. */
function dateMs(date: string): number | undefined {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  const ms = daysSince1970(year, month, day) * DAY_MS;
  return isoTime(ms).startsWith(date) ? ms : undefined;
}

/** Milliseconds since midnight of `hh:mm[:ss[.mmm]]`; NaN when there is no such time. */
function clockMs(time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  if (hours > 23 || minutes > 59 || seconds >= 60) return Number.NaN;
  return hours * HOUR_MS + minutes * MINUTE_MS + Math.round(seconds * 1000);
}

/** Days of the Gregorian calendar, counted in years that begin on 1 March, so that the leap day is the last. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const monthsSinceMarch = (month + 9) % 12;
  const dayOfYear = Math.floor((153 * monthsSinceMarch + 2) / 5) + day - 1;
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}

/** `2026-01-31T12:00:00Z`, with milliseconds only when there are any. */
export function isoTime(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  // The inverse of daysSince1970: four centuries are 146,097 days.
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthsSinceMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthsSinceMarch + 2) / 5) + 1;
  const month = monthsSinceMarch < 10 ? monthsSinceMarch + 3 : monthsSinceMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const rest = ms - days * DAY_MS;
  const two = (n: number): string => String(n).padStart(2, '0');
  const millis = rest % 1000 === 0 ? '' : `.${String(rest % 1000).padStart(3, '0')}`;
  const clock = [Math.floor(rest / HOUR_MS), Math.floor(rest / MINUTE_MS) % 60, Math.floor(rest / 1000) % 60].map(two).join(':');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${clock}${millis}Z`;
}

/** How long ago, in the largest unit that leaves a figure: `12s`, `5m`, `3h`, `2d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}
