/** Samples as text: Prometheus' own format, and OpenMetrics for who asks for it. Formats only; knows no figure. */
import type { HistogramSnapshot } from '../config/timing.ts';
import { CATALOGUE, type LabelsOf, type MetricEntry, type MetricName, type NameOfType } from './catalogue.ts';

export type Format = 'text' | 'openmetrics';
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** One scrape's samples by metric; what gets none is exported without samples, with its help. */
export class Exposition {
  readonly #lines = new Map<MetricName, string[]>();

  set<N extends NameOfType<'counter' | 'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void {
    this.#push(name, name, labelText(labels), value);
  }

  /** Counts of one series, turned into the cumulative ones that Prometheus takes. */
  histogram<N extends NameOfType<'histogram'>>(name: N, labels: LabelsOf<N>, input: HistogramSnapshot): void {
    const own = labelText(labels);
    const before = own === '' ? '' : `${own},`;
    let count = 0;
    input.counts.forEach((n, i) => {
      count += n;
      this.#push(name, `${name}_bucket`, `${before}le="${boundText(input.bounds[i] ?? Infinity)}"`, count);
    });
    this.#push(name, `${name}_sum`, own, input.sumSeconds);
    this.#push(name, `${name}_count`, own, count);
  }

  /** Samples of some metrics, one a line, the same in both formats. */
  samples(names: readonly MetricName[]): string {
    return names.flatMap((name) => this.#lines.get(name) ?? []).join('\n');
  }

  text(format: Format): string {
    const open = format === 'openmetrics';
    const parts: string[] = [];
    for (const { name, help, type } of CATALOGUE as readonly MetricEntry[]) {
      // There a counter's family is named without the suffix that its samples bear.
      const family = open && type === 'counter' ? name.slice(0, -'_total'.length) : name;
      parts.push(`# HELP ${family} ${help.replaceAll('\\', '\\\\').replaceAll('"', open ? '\\"' : '"')}\n# TYPE ${family} ${type}`);
      const lines = this.#lines.get(name as MetricName);
      if (lines !== undefined) parts.push(lines.join('\n'));
    }
    return `${parts.join('\n')}\n${open ? '# EOF\n' : ''}`;
  }

  #push(metric: MetricName, sample: string, labels: string, value: number): void {
    const line = labels === '' ? `${sample} ${numberText(value)}` : `${sample}{${labels}} ${numberText(value)}`;
    const lines = this.#lines.get(metric);
    if (lines === undefined) this.#lines.set(metric, [line]);
    else lines.push(line);
  }
}

function labelText(labels: Readonly<Record<string, string>>): string {
  let text = '';
  for (const name in labels) {
    const value = labels[name] ?? '';
    text += `${text === '' ? '' : ','}${name}="${/[\\"\n]/.test(value) ? escaped(value) : value}"`;
  }
  return text;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

/** With a decimal point in both formats, so that a change of format is not a change of series. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : numberText(bound);
}

/** What an Accept header prefers; Prometheus' own text where it leaves both equal or asks for neither. */
export function formatFor(accept: string): Format {
  let [open, plain] = [0, 0];
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    const q = parameters.find((each) => each.startsWith('q='));
    const weight = q === undefined ? 1 : Number(q.slice(2)) || 0;
    if (type === 'application/openmetrics-text') open = Math.max(open, weight);
    else if (type === 'text/plain' || type === 'text/*' || type === '*/*') plain = Math.max(plain, weight);
  }
  return open > plain ? 'openmetrics' : 'text';
}
