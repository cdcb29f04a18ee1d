/** Expressions that several dashboards share. */

/** Hashes for one unit of difficulty, 2^48/65535, to the unit. */
const HASHES_PER_DIFFICULTY = 4295032833;
/** Long enough for a steady figure: 5 minutes of 1000 machines at six shares a minute are ±1.1 % (95 %). */
const RATE_WINDOW = '5m';

/** Delivered hash rate by some labels, from accepted shares at the difficulty each was sent with. */
export function delivered(by: string, selector: string): string {
  return rateOf('weighbridge_work_total', by, `verdict="accepted",${selector}`);
}

/** Hash rate by some labels from a counter of work. */
export function rateOf(counter: string, by: string, selector: string): string {
  return `sum by (${by}) (rate(${counter}{${selector}}[${RATE_WINDOW}])) * ${HASHES_PER_DIFFICULTY}`;
}

/** Shares a second by some labels, over the same window as hash rates. */
export function sharesOf(counter: string, by: string, selector: string): string {
  return `sum by (${by}) (rate(${counter}{${selector}}[${RATE_WINDOW}]))`;
}

/** Part of a whole by some labels; 0 where there is a whole and no part. */
export function partOf(counter: string, by: string, part: string, whole: string): string {
  const all = sharesOf(counter, by, whole);
  return `(${sharesOf(counter, by, `${part},${whole}`)} or 0 * ${all}) / ${all}`;
}

/** A quantile of a histogram by some labels besides its buckets. */
export function quantile(q: number, histogram: string, by = '', selector = ''): string {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${histogram}_bucket{${selector}}[${RATE_WINDOW}])))`;
}
