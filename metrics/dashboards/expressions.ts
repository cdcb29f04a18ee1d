/** Expressions that several dashboards share. */
import type { RECORDING_RULES } from '../rules/recording.ts';

type Record = (typeof RECORDING_RULES)[number]['record'];

/** Over which shares are counted: as the recording rules of hash rates have it. */
const RATE_WINDOW = '5m';

/** Delivered hash rate by some labels: the one recording rule that all others are built on too. */
export function delivered(by: string, selector: string): string {
  return sumOf('weighbridge:hashrate:rate5m', by, selector);
}

/** The sum of a recorded rate, by some labels. */
export function sumOf(record: Record, by: string, selector: string): string {
  return `sum by (${by}) (${record}{${selector}})`;
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
