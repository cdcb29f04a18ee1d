/** The kinds of panel that the dashboards are made of, on top of Grafana's own builders. Every one has a unit and says what to do. */
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { type DynamicConfigValue, MappingType, type Threshold, ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The provisioned data source. */
export const DATASOURCE = { type: 'prometheus', uid: 'prometheus' };

/** Units by Grafana's names. */
export const UNIT = {
  hashRate: 'Hs',
  count: 'short',
  perSecond: 'cps',
  ratio: 'percentunit',
  seconds: 's',
  bytes: 'bytes',
  bytesPerSecond: 'Bps',
  cores: 'suffix: cores',
  satoshisPerDay: 'suffix: sat/day',
  moneyPerDay: 'suffix: /day',
  none: 'none',
} as const;
type Unit = (typeof UNIT)[keyof typeof UNIT];

/** Good, doubtful, bad. */
export const GREEN = 'green';
export const YELLOW = 'yellow';
export const RED = 'red';

export interface Query {
  readonly expr: string;
  /** As Grafana writes it: `{{label}}` is replaced. */
  readonly legend: string;
}

export interface Plot {
  readonly title: string;
  /** What it shows, and what to do when it looks bad. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Of 24 columns. */
  readonly width: number;
  readonly height?: number;
  /** Colours from a value on; the first begins at minus infinity, written null. */
  readonly thresholds?: readonly Threshold[];
}

export interface SeriesPlot extends Plot {
  readonly stacked?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** By the name in the legend. */
  readonly overrides?: Readonly<Record<string, DynamicConfigValue[]>>;
  /** Draws the panel once for each value of this variable. */
  readonly repeat?: string;
}

const HEIGHT = 8;

function targets(queries: readonly Query[], instant: boolean): DataqueryBuilder[] {
  return queries.map(({ expr, legend }, index) => {
    const query = new DataqueryBuilder().refId(String.fromCharCode(65 + index)).expr(expr).legendFormat(legend);
    return instant ? query.instant() : query.range();
  });
}

function steps(thresholds: readonly Threshold[] = [{ value: null, color: GREEN }]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...thresholds]);
}

/** Lines over time. */
export function series(plot: SeriesPlot): TimeSeriesBuilder {
  const panel = new TimeSeriesBuilder()
    .title(plot.title)
    .description(plot.description)
    .unit(plot.unit)
    .datasource(DATASOURCE)
    .span(plot.width)
    .height(plot.height ?? HEIGHT)
    .targets(targets(plot.queries, false))
    .lineWidth(plot.stacked === true ? 1 : 2)
    .fillOpacity(plot.stacked === true ? 50 : 0)
    .showPoints(VisibilityMode.Never)
    .thresholds(steps(plot.thresholds))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom).showLegend(true).calcs([]));
  if (plot.min !== undefined) panel.min(plot.min);
  if (plot.max !== undefined) panel.max(plot.max);
  if (plot.stacked === true) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  if (plot.thresholds !== undefined) panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  if (plot.repeat !== undefined) panel.repeat(plot.repeat).repeatDirection('h').maxPerRow(Math.floor(24 / plot.width));
  for (const [name, properties] of Object.entries(plot.overrides ?? {})) panel.overrideByName(name, properties);
  return panel;
}

/** The newest values as large figures. */
export function figures(plot: Plot): StatBuilder {
  return new StatBuilder()
    .title(plot.title)
    .description(plot.description)
    .unit(plot.unit)
    .datasource(DATASOURCE)
    .span(plot.width)
    .height(plot.height ?? 4)
    .targets(targets(plot.queries, false))
    .thresholds(steps(plot.thresholds))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false));
}

/** States over time: each series' value is a number that `states` names and colours. */
export function states(plot: Plot, names: readonly (readonly [text: string, color: string])[]): StateTimelineBuilder {
  const options = Object.fromEntries(names.map(([text, color], index) => [String(index), { text, color, index }]));
  return new StateTimelineBuilder()
    .title(plot.title)
    .description(plot.description)
    .unit(plot.unit)
    .datasource(DATASOURCE)
    .span(plot.width)
    .height(plot.height ?? HEIGHT)
    .targets(targets(plot.queries, false))
    .mergeValues(true)
    .mappings([{ type: MappingType.ValueToText, options }])
    .legend(new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom).showLegend(true).calcs([]));
}

export interface Column extends Query {
  readonly unit: Unit;
}

/**
 * One row for each value of the label that all queries share. The legend of a query is the head of its column; a query whose value
 * says nothing has an empty legend and gives its labels only.
 */
export function table(plot: Omit<Plot, 'queries' | 'unit' | 'thresholds'> & { readonly columns: readonly Column[] }): TableBuilder {
  const { columns } = plot;
  const valueName = (index: number): string => `Value #${String.fromCharCode(65 + index)}`;
  const hidden = Object.fromEntries([['Time', true], ...columns.flatMap(({ legend }, index) => (legend === '' ? [[valueName(index), true]] : []))]);
  const renamed = Object.fromEntries(columns.flatMap(({ legend }, index) => (legend === '' ? [] : [[valueName(index), legend]])));
  const panel = new TableBuilder()
    .title(plot.title)
    .description(plot.description)
    .unit(UNIT.none)
    .datasource(DATASOURCE)
    .span(plot.width)
    .height(plot.height ?? HEIGHT)
    .targets(targets(columns, true).map((query) => query.format(PromQueryFormat.Table)))
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({ id: 'organize', options: { excludeByName: hidden, renameByName: renamed } });
  for (const { legend, unit } of columns) if (legend !== '') panel.overrideByName(legend, [{ id: 'unit', value: unit }]);
  return panel;
}
