/** Prices of bitcoin from a file the user keeps: rows of instant, pair, price, source. Nothing is fetched. */
import { isDate, midnightMs, nextDate } from '../../config/calendar.ts';
import { readCsv } from '../../config/csv.ts';

interface PriceRow {
  readonly atMs: number;
  readonly pair: string;
  readonly price: string;
  readonly source: string;
}

/** The price that holds for a day. */
export interface DayPrice {
  readonly date: string;
  /** `BTC/USD`. */
  readonly pair: string;
  /** Decimal text. */
  readonly price: string;
  /** ISO 8601, UTC. */
  readonly instant: string;
  readonly source: string;
}

const COLUMNS = ['instant', 'pair', 'price', 'source'] as const;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/;

/** Reads the rows of a price file in order of time; `problem` is a sentence without its subject. */
export function parsePrices(text: string): { readonly rows: readonly PriceRow[] } | { readonly problem: string } {
  const read = readCsv(text, COLUMNS);
  if ('problem' in read) return read;
  const rows: PriceRow[] = [];
  for (const { line, cells } of read.rows) {
    const { instant = '', pair = '', price = '', source = '' } = cells;
    const atMs = INSTANT.test(instant) && isDate(instant.slice(0, 'yyyy-mm-dd'.length)) ? Date.parse(instant) : Number.NaN;
    if (Number.isNaN(atMs)) return { problem: `has in line ${line} the instant ${JSON.stringify(instant)}, which is none: write 2026-11-01T00:00:00Z` };
    if (!/^BTC\/[A-Z]{3}$/.test(pair)) return { problem: `has in line ${line} the pair ${JSON.stringify(pair)}, which is none: write BTC/USD` };
    if (!/^\d{1,12}(\.\d{1,12})?$/.test(price)) return { problem: `has in line ${line} the price ${JSON.stringify(price)}, which is no decimal number` };
    rows.push({ atMs, pair, price, source });
  }
  return { rows: rows.toSorted((a, b) => a.atMs - b.atMs || (a.pair < b.pair ? -1 : 1)) };
}

/**
 * For each date the latest price of each pair up to the close of that date in `zone`, and none older than that day.
 * `missing` are the dates that lack one.
 */
export function dayPrices(rows: readonly PriceRow[], dates: readonly string[], zone: string): { readonly prices: readonly DayPrice[]; readonly missing: readonly string[] } {
  const pairs = [...new Set(rows.map(({ pair }) => pair))].toSorted();
  const prices = dates.flatMap((date) => {
    const [openMs, closeMs] = [midnightMs(date, zone), midnightMs(nextDate(date), zone)];
    return pairs.flatMap((pair): DayPrice[] => {
      const row = rows.findLast((each) => each.pair === pair && each.atMs > openMs && each.atMs <= closeMs);
      return row === undefined ? [] : [{ date, pair, price: row.price, instant: new Date(row.atMs).toISOString(), source: row.source }];
    });
  });
  const missing = dates.filter((date) => pairs.length === 0 || pairs.some((pair) => !prices.some((price) => price.date === date && price.pair === pair)));
  return { prices, missing };
}
