/**
 * Samples as text, written by prom-client: Prometheus' own format, and OpenMetrics for who asks for it. The figures are other
 * processes' and the ledger's, so its own counters and histograms, which only count here, cannot hold them (decision 011).
 */
import { Registry, type Metric } from 'prom-client';
import type { HistogramSnapshot } from '../config/timing.ts';
import { CATALOGUE, type LabelsOf, type MetricEntry, type MetricName, type NameOfType } from './catalogue.ts';

export type ContentType = typeof Registry.PROMETHEUS_CONTENT_TYPE | typeof Registry.OPENMETRICS_CONTENT_TYPE;

interface Sample {
  readonly value: number;
  /** Written after `sharedLabels`. */
  readonly labels?: { readonly le: string };
  /** prom-client remembers the text of each such object: who gives the same one again is served faster. */
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly metricName?: string;
}

/** One metric with finished samples, as a registry asks for it. */
class Family {
  readonly type: MetricEntry['type'];
  /** The registry takes the suffix off a counter's name when it writes OpenMetrics. */
  name: string;
  readonly #help: string;
  readonly #values: readonly Sample[];

  constructor({ name, help, type }: MetricEntry, values: readonly Sample[]) {
    this.name = name;
    this.type = type;
    this.#help = help;
    this.#values = values;
  }

  get(): Promise<object> {
    return Promise.resolve({ name: this.name, help: this.#help, type: this.type, values: this.#values, aggregator: 'first' });
  }
}

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

  text(contentType: ContentType): Promise<string> {
    const registry = new Registry<ContentType>();
    registry.setContentType(contentType);
    for (const entry of CATALOGUE as readonly MetricEntry[]) {
      // All that a registry does with a metric is to ask its name, its type and its values.
      registry.registerMetric(new Family(entry, this.#samples.get(entry.name as MetricName) ?? []) as unknown as Metric);
    }
    return registry.metrics();
  }

  #push(metric: MetricName, sample: Sample): void {
    const samples = this.#samples.get(metric);
    if (samples === undefined) this.#samples.set(metric, [sample]);
    else samples.push(sample);
  }
}

/** With a decimal point in both formats, so that a change of format is not a change of series. */
function boundText(bound: number): string {
  if (bound === Infinity) return '+Inf';
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

/** The samples of some counters, in the catalogue's order, in a text of this type, one a line. */
export function samplesIn(text: string, contentType: ContentType, names: readonly NameOfType<'counter'>[]): string {
  const found: string[] = [];
  let from = 0;
  for (const name of names) {
    const family = contentType === Registry.OPENMETRICS_CONTENT_TYPE ? name.slice(0, -'_total'.length) : name;
    const head = `\n# TYPE ${family} counter\n`;
    const start = text.indexOf(head, from) + head.length;
    from = text.indexOf('\n#', start - 1);
    const lines = text.slice(start, from).trim();
    if (lines !== '') found.push(lines);
  }
  return found.join('\n');
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
