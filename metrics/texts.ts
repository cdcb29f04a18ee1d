/**
 * How prom-client writes series, remembered from scrape to scrape. Of tens of thousands of lines only the values are new: the
 * text before a value, which costs ten times as much, is asked of prom-client when a series appears or stands in another place.
 */
import { Registry, type Metric } from 'prom-client';
import { CATALOGUE, type MetricEntry } from './catalogue.ts';

export type ContentType = typeof Registry.PROMETHEUS_CONTENT_TYPE | typeof Registry.OPENMETRICS_CONTENT_TYPE;

export interface Sample {
  readonly value: number;
  /** Written before `sharedLabels`. */
  readonly labels?: { readonly le: string };
  /** One object may be given for many samples; the labels of a metric are always the same ones. */
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly metricName?: string;
}

/** One metric with finished samples, as a registry asks for it (decision 011). */
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

function writtenByClient(families: readonly Family[], type: ContentType): Promise<string> {
  const registry = new Registry<ContentType>();
  registry.setContentType(type);
  // All that a registry does with a metric is to ask its name, its type and its values.
  for (const family of families) registry.registerMetric(family as unknown as Metric);
  return registry.metrics();
}

/** What comes before the samples of each metric of the catalogue, in its order, and after all of them. */
export type Frame = readonly string[];

interface Series {
  readonly sample: Sample;
  /** Up to its value; `bytes` in UTF-8. */
  readonly text: string;
  readonly bytes: number;
}

export class SeriesTexts {
  readonly #frames = new Map<ContentType, Frame>();
  /** By metric, in the order of the last scrape; holds as many as the largest scrape had. */
  readonly #known = new Map<string, readonly Series[]>();
  readonly #lines = new Map<string, Lines>();

  /** A scrape without samples is the frame of every scrape. */
  async frame(type: ContentType): Promise<Frame> {
    const known = this.#frames.get(type);
    if (known !== undefined) return known;
    const text = await writtenByClient(CATALOGUE.map((entry) => new Family(entry, [])), type);
    const frame = text.split(/(?<=^# TYPE .*\n)/m);
    this.#frames.set(type, frame);
    return frame;
  }

  /** The lines of a metric's samples, which are the same in both formats; each ends with a newline. */
  async lines(entry: MetricEntry, samples: readonly Sample[]): Promise<Uint8Array> {
    const series = await this.#series(entry, samples);
    const before = this.#lines.get(entry.name);
    const lines = (before?.series === series ? patched(before, samples) : undefined) ?? written(series, samples);
    this.#lines.set(entry.name, lines);
    return lines.bytes;
  }

  async #series(entry: MetricEntry, samples: readonly Sample[]): Promise<readonly Series[]> {
    const known = this.#known.get(entry.name) ?? [];
    const fresh = samples.filter((sample, i) => !isSeriesOf(known[i], sample));
    if (fresh.length === 0) return known;
    const text = await writtenByClient([new Family(entry, fresh.map((sample) => ({ ...sample, value: 0 })))], Registry.PROMETHEUS_CONTENT_TYPE);
    const texts = text.split('\n').slice(HEAD_LINES).values();
    const series = samples.map((sample, i) => (isSeriesOf(known[i], sample) ? known[i]! : seriesOf(sample, texts.next().value!)));
    this.#known.set(entry.name, [...series, ...known.slice(series.length)]);
    return series;
  }
}

/** What was written of a metric, and where each value stands in it. Never changed: it may still be on its way. */
interface Lines {
  readonly series: readonly Series[];
  readonly bytes: Buffer;
  readonly values: readonly string[];
  readonly places: readonly number[];
}

function written(series: readonly Series[], samples: readonly Sample[]): Lines {
  const values = samples.map(({ value }) => valueText(value));
  const places: number[] = [];
  let text = '';
  let length = 0;
  for (let i = 0; i < values.length; i += 1) {
    text += `${series[i]!.text}${values[i]!}\n`;
    places.push(length + series[i]!.bytes);
    length += series[i]!.bytes + values[i]!.length + 1;
  }
  return { series, bytes: Buffer.from(text), values, places };
}

/** The same lines with other values; undefined where one is longer or shorter than before. Counters seldom are. */
function patched(before: Lines, samples: readonly Sample[]): Lines | undefined {
  if (before.values.length !== samples.length) return undefined;
  const bytes = Buffer.from(before.bytes);
  const values = before.values.slice();
  for (let i = 0; i < samples.length; i += 1) {
    const value = valueText(samples[i]!.value);
    if (value === values[i]) continue;
    if (value.length !== values[i]!.length) return undefined;
    bytes.write(value, before.places[i]!, 'latin1');
    values[i] = value;
  }
  return { ...before, bytes, values };
}

/** HELP and TYPE. */
const HEAD_LINES = 2;

function seriesOf(sample: Sample, line: string): Series {
  const text = line.slice(0, -'0'.length);
  return { sample, text, bytes: Buffer.byteLength(text) };
}

function isSeriesOf(known: Series | undefined, { sharedLabels, labels, metricName }: Sample): boolean {
  if (known === undefined || known.sample.metricName !== metricName || known.sample.labels?.le !== labels?.le) return false;
  const knownLabels = known.sample.sharedLabels;
  for (const name in sharedLabels) if (knownLabels[name] !== sharedLabels[name]) return false;
  return true;
}

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
