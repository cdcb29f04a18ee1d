/** On which day of a time zone a moment lies, asked so often that answers are remembered. */
import { dateAt, midnightMs, nextDate } from '../config/calendar.ts';
import { DAY_MS } from './rows.ts';

export interface NumberedDay {
  /** Days from 1970-01-01 to the local date. */
  readonly day: number;
  /** [from, to), milliseconds since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Days remembered of each zone: shares come in the order of time, verdicts a little behind. */
const DAYS_MAX = 8;

const remembered = new Map<string, NumberedDay[]>();

/** The number of a local date. */
function numberOfDate(date: string): number {
  return Date.parse(`${date}T00:00Z`) / DAY_MS;
}

/** The local day of a moment. A zone that this program's time zone database lacks counts as UTC. */
export function dayNumber(atMs: number, zone: string): NumberedDay {
  const days = remembered.get(zone) ?? [];
  const known = days.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
  if (known !== undefined) return known;
  const found = numberedDay(atMs, zone);
  remembered.set(zone, [found, ...days].slice(0, DAYS_MAX));
  return found;
}

function numberedDay(atMs: number, zone: string): NumberedDay {
  try {
    const date = dateAt(atMs, zone);
    return { day: numberOfDate(date), fromMs: midnightMs(date, zone), toMs: midnightMs(nextDate(date), zone) };
  } catch {
    const day = Math.floor(atMs / DAY_MS);
    return { day, fromMs: day * DAY_MS, toMs: (day + 1) * DAY_MS };
  }
}
