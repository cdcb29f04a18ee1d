/**
 * Samples as text: Prometheus' own format, and OpenMetrics for who asks for it. The figures are other processes' and the
 * ledger's, so prom-client's counters and histograms, which only count here, cannot hold them (decision 011).
 */
import { Registry } from 'prom-client';
import type { HistogramSnapshot } from '../config/timing.ts';
import { CATALOGUE, type LabelsOf, type MetricEntry, type MetricName, type NameOfType } from './catalogue.ts';
import { SeriesTexts, type ContentType, type Frame, type Sample } from './texts.ts';

/** One scrape's samples by metric; what gets none is exported without samples, with its help. */
export class Exposition {
  readonly #samples = new Map<MetricName, Sample[]>();

  set<N extends NameOfType<'counter' | 'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void {
    this.#push(name, { value, sharedLabels: labels });
  }

  /** Counts of one series, turned into the cumulative ones that Prometheus takes. */
  histogram<N extends NameOfType<'histogram'>>(name: N, labels: LabelsOf<N>, input: HistogramSnapshot): void {
    let count = 0;
    input.counts.forEach((n, i) => {
      count += n;
      this.#push(name, { value: count, labels: { le: boundText(input.bounds[i] ?? Infinity) }, sharedLabels: labels, metricName: `${name}_bucket` });
    });
    this.#push(name, { value: input.sumSeconds, sharedLabels: labels, metricName: `${name}_sum` });
    this.#push(name, { value: count, sharedLabels: labels, metricName: `${name}_count` });
  }

  /** `texts` remembers what was written in earlier scrapes. */
  async written(contentType: ContentType, texts = new SeriesTexts()): Promise<Written> {
    const lines = new Map<string, Uint8Array>();
    let since = 0;
    for (const entry of CATALOGUE as readonly MetricEntry[]) {
      const samples = this.#samples.get(entry.name as MetricName);
      if (samples === undefined) continue;
      lines.set(entry.name, await texts.lines(entry, samples));
      since += samples.length;
      if (since < SAMPLES_AT_ONCE) continue;
      since = 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return new Written(await texts.frame(contentType), lines);
  }

  #push(metric: MetricName, sample: Sample): void {
    const samples = this.#samples.get(metric);
    if (samples === undefined) this.#samples.set(metric, [sample]);
    else samples.push(sample);
  }
}

/** What waits for this process's thread gets its turn after as many: a millisecond or two. */
const SAMPLES_AT_ONCE = 5_000;

/** One scrape as it leaves. */
class Written {
  readonly #frame: Frame;
  readonly #lines: ReadonlyMap<string, Uint8Array>;

  constructor(frame: Frame, lines: ReadonlyMap<string, Uint8Array>) {
    this.#frame = frame;
    this.#lines = lines;
  }

  text(): Buffer {
    const parts = CATALOGUE.flatMap(({ name }, i) => [Buffer.from(this.#frame[i]!), this.#lines.get(name) ?? EMPTY]);
    return Buffer.concat([...parts, Buffer.from(this.#frame[CATALOGUE.length] ?? '')]);
  }

  /** The samples of some metrics alone, one a line: the same in both formats. */
  samples(names: readonly MetricName[]): Buffer {
    return Buffer.concat(names.map((name) => this.#lines.get(name) ?? EMPTY));
  }
}
const EMPTY = new Uint8Array();

/** With a decimal point in both formats, so that a change of format is not a change of series. */
function boundText(bound: number): string {
  if (bound === Infinity) return '+Inf';
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

/** What an Accept header prefers; Prometheus' own text where it leaves both equal or asks for neither. */
export function contentTypeFor(accept: string): ContentType {
  let [open, plain] = [0, 0];
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    const q = parameters.find((each) => each.startsWith('q='));
    const weight = q === undefined ? 1 : Number(q.slice(2)) || 0;
    if (type === 'application/openmetrics-text') open = Math.max(open, weight);
    else if (type === 'text/plain' || type === 'text/*' || type === '*/*') plain = Math.max(plain, weight);
  }
  return open > plain ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
}
