/** Reads a generated dashboard, asks Prometheus each of its queries as Grafana would, and gives panels with their data. */

export interface Span {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly stepSeconds: number;
}

interface Threshold {
  readonly value: number | null;
  readonly color: string;
}

interface Property {
  readonly id: string;
  readonly value: unknown;
}

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly repeat?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly min?: number;
      readonly max?: number;
      readonly thresholds?: { readonly steps: readonly Threshold[] };
      readonly mappings?: readonly { readonly options: Readonly<Record<string, { readonly text: string; readonly color: string }>> }[];
      readonly custom?: { readonly stacking?: { readonly mode?: string }; readonly thresholdsStyle?: { readonly mode?: string } };
    };
    readonly overrides: readonly { readonly matcher: { readonly options: string }; readonly properties: readonly Property[] }[];
  };
}

export interface Board {
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string; readonly type: string }[] };
}

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [number, string])[];
  readonly value?: readonly [number, string];
}

interface DrawnSeries {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly properties: readonly Property[];
}

interface DrawnPanel {
  readonly type: string;
  readonly title: string;
  readonly unit: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly stacked: boolean;
  readonly steps: readonly Threshold[];
  readonly dashedSteps: boolean;
  readonly states: readonly { readonly text: string; readonly color: string }[];
  readonly series: readonly DrawnSeries[];
  readonly columns: readonly { readonly name: string; readonly unit: string }[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface Drawing {
  readonly title: string;
  readonly variables: readonly (readonly [name: string, value: string])[];
  readonly times: readonly number[];
  readonly panels: readonly DrawnPanel[];
}

export class Prometheus {
  readonly #address: string;

  /** `address`: `http://host:port`. */
  constructor(address: string) {
    this.#address = address;
  }

  async #get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.#address}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const body = (await response.json()) as { readonly status: string; readonly data?: unknown; readonly error?: string };
    if (body.status !== 'success') throw new Error(`Prometheus cannot answer ${JSON.stringify(parameters)}: ${body.error ?? ''}`);
    return body.data;
  }

  async range(expr: string, { fromSeconds, toSeconds, stepSeconds }: Span): Promise<readonly Result[]> {
    const data = await this.#get('query_range', { query: expr, start: String(fromSeconds), end: String(toSeconds), step: String(stepSeconds) });
    return (data as { readonly result: readonly Result[] }).result;
  }

  async instant(expr: string, atSeconds: number): Promise<readonly Result[]> {
    return ((await this.#get('query', { query: expr, time: String(atSeconds) })) as { readonly result: readonly Result[] }).result;
  }

  async values(metric: string, label: string): Promise<readonly string[]> {
    return (await this.#get(`label/${label}/values`, { 'match[]': metric })) as readonly string[];
  }
}

/** Expands a dashboard down to the row named `until` (which is left out), with all values of each variable and `chosen` ones. */
export async function draw(board: Board, prometheus: Prometheus, span: Span, chosen: Readonly<Record<string, string>>, until: string): Promise<Drawing> {
  const all = await variableValues(board, prometheus, chosen);
  const end = board.panels.findIndex(({ type, title }) => type === 'row' && title === until);
  const panels = board.panels.slice(0, end < 0 ? undefined : end).flatMap((panel) => repeated(panel, all));
  const drawn: DrawnPanel[] = [];
  for (const { panel, values } of panels) drawn.push(await fill(panel, values, prometheus, span));
  const times = Array.from({ length: Math.floor((span.toSeconds - span.fromSeconds) / span.stepSeconds) + 1 }, (_, index) => span.fromSeconds + index * span.stepSeconds);
  const variables = board.templating.list.map(({ name }) => [name, chosen[name] ?? 'All'] as const);
  return { title: board.title, variables, times, panels: drawn };
}

type Values = ReadonlyMap<string, readonly string[]>;

async function variableValues(board: Board, prometheus: Prometheus, chosen: Readonly<Record<string, string>>): Promise<Values> {
  const values = new Map<string, readonly string[]>();
  for (const { name, query } of board.templating.list) {
    const [, metric = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
    const given = chosen[name];
    values.set(name, given === undefined ? await prometheus.values(replaced(metric, values), label) : [given]);
  }
  return values;
}

/** A variable as Grafana writes it into a query: one value, or all of them as alternatives. */
function replaced(text: string, values: Values): string {
  return text.replaceAll(/\$(\w+)/g, (whole, name: string) => {
    const found = values.get(name);
    if (found === undefined) return whole;
    return found.length === 1 ? (found[0] ?? '') : `(${found.join('|')})`;
  });
}

function repeated(panel: Panel, values: Values): { readonly panel: Panel; readonly values: Values }[] {
  if (panel.repeat === undefined) return [{ panel, values }];
  const { repeat, gridPos } = panel;
  return (values.get(repeat) ?? []).map((value, index) => ({
    panel: { ...panel, gridPos: { ...gridPos, x: (index * gridPos.w) % 24, y: gridPos.y + gridPos.h * Math.floor((index * gridPos.w) / 24) } },
    values: new Map([...values, [repeat, [value]]]),
  }));
}

async function fill(panel: Panel, values: Values, prometheus: Prometheus, span: Span): Promise<DrawnPanel> {
  const { defaults, overrides = [] } = panel.fieldConfig ?? { defaults: {} };
  const targets = (panel.targets ?? []).map(({ expr, legendFormat }) => ({ expr: replaced(expr, values), legend: legendFormat }));
  const isTable = panel.type === 'table';
  const series: DrawnSeries[] = [];
  if (!isTable) {
    for (const { expr, legend } of targets) {
      for (const result of await prometheus.range(expr, span)) {
        const name = legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => result.metric[label] ?? '');
        series.push({ name, values: onGrid(result, span), properties: overrides.find(({ matcher }) => matcher.options === name)?.properties ?? [] });
      }
    }
  }
  return {
    type: panel.type,
    title: replaced(panel.title, values),
    unit: defaults.unit ?? '',
    ...panel.gridPos,
    min: defaults.min,
    max: defaults.max,
    stacked: defaults.custom?.stacking?.mode === 'normal',
    steps: defaults.thresholds?.steps ?? [],
    dashedSteps: defaults.custom?.thresholdsStyle?.mode === 'dashed',
    states: Object.values(defaults.mappings?.[0]?.options ?? {}),
    series,
    ...(isTable ? await rows(targets, overrides, prometheus, span) : { columns: [], rows: [] }),
  };
}

function onGrid(result: Result, { fromSeconds, toSeconds, stepSeconds }: Span): (number | null)[] {
  const found = new Map((result.values ?? []).map(([at, text]) => [Math.round((at - fromSeconds) / stepSeconds), Number(text)]));
  return Array.from({ length: Math.floor((toSeconds - fromSeconds) / stepSeconds) + 1 }, (_, index) => {
    const value = found.get(index);
    return value === undefined || Number.isNaN(value) ? null : value;
  });
}

/** What the transformations of a table panel do: one row for each lease, the labels first, then the values that have a head. */
async function rows(
  targets: readonly { readonly expr: string; readonly legend: string }[],
  overrides: NonNullable<Panel['fieldConfig']>['overrides'],
  prometheus: Prometheus,
  span: Span,
): Promise<Pick<DrawnPanel, 'columns' | 'rows'>> {
  const columns: { name: string; unit: string }[] = [];
  const byLease = new Map<string, Map<string, string | number>>();
  for (const { expr, legend } of targets) {
    for (const { metric, value } of await prometheus.instant(expr, span.toSeconds)) {
      const row = byLease.get(metric['lease'] ?? '') ?? new Map<string, string | number>();
      byLease.set(metric['lease'] ?? '', row);
      const cells = [...Object.entries(metric), ...(legend === '' ? [] : [[legend, Number(value?.[1])] as const])];
      for (const [name, cell] of cells) {
        row.set(name, cell);
        const unit = overrides.find(({ matcher }) => matcher.options === name)?.properties[0]?.value;
        if (!columns.some((column) => column.name === name)) columns.push({ name, unit: typeof unit === 'string' ? unit : '' });
      }
    }
  }
  columns.sort((a, b) => Number(b.name === 'lease') - Number(a.name === 'lease'));
  return { columns, rows: [...byLease.values()].map((row) => columns.map(({ name }) => row.get(name) ?? '')) };
}
