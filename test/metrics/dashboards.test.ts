/** The dashboards: what is committed is what is generated, every panel can be read and acted on, and asks for metrics that exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CATALOGUE, type MetricEntry } from '../../metrics/catalogue.ts';
import { RECORDING_RULES } from '../../metrics/rules/recording.ts';
import { DASHBOARDS_FOLDER, dashboardFiles } from '../../metrics/dashboards/dashboards.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Board {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
}

const files = dashboardFiles();
const boards = [...files].map(([name, text]) => ({ name, board: JSON.parse(text) as Board }));
const panels = boards.flatMap(({ name, board }) => board.panels.filter(({ type }) => type !== 'row').map((panel) => ({ where: `${name}: ${panel.title}`, panel })));
const expressions = panels.flatMap(({ where, panel }) => (panel.targets ?? []).map(({ expr, legendFormat }) => ({ where, expr, legend: legendFormat })));

/** What Prometheus itself adds. */
const ADDED_LABELS = ['instance', 'job', 'le'];
const metrics = new Map(CATALOGUE.map((entry: MetricEntry) => [entry.name as string, entry]));

/** What a recorded name stands for. */
const recorded = new Map(RECORDING_RULES.map(({ record, expr }) => [record as string, expr as string]));

/** Names in an expression, a histogram's parts as the histogram, and those that a recording rule is made of. */
function metricsIn(expr: string): string[] {
  const records = [...expr.matchAll(/weighbridge:[\w:]+/g)].flatMap(([name]) => metricsIn(recorded.get(name) ?? 'weighbridge_unknown_record'));
  const own = [...expr.matchAll(/weighbridge_\w+/g)].map(([name]) => (metrics.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')));
  return [...own, ...records];
}

/** Metrics that no panel shows, and why. */
const NOT_SHOWN = new Set([
  'weighbridge_worker_hashes_per_second', // Off by default; `machines` shows it better.
  'weighbridge_worker_series_dropped',
  'weighbridge_link_pending_shares', // Part of the round trip.
  'weighbridge_replies_true_total', // For the audit of a scrape against the ledger.
  'weighbridge_ledger_unjournaled_shares', // Follows the counter that is shown.
  'weighbridge_journal_lag_bytes', // Says the same as the seconds that are shown.
  'weighbridge_redis_lag_rows',
  'weighbridge_pool_names_refused_total', // Only with identity: passthrough, and the log names them.
  'weighbridge_further_planes', // Of few farms only; the links themselves are shown.
  'weighbridge_site_power_watts', // Its cost is shown.
]);

describe('the dashboards', () => {
  it('are committed as they are generated; `npm run dashboards` makes them anew', () => {
    expect(readdirSync(DASHBOARDS_FOLDER).toSorted()).toEqual([...files.keys()]);
    for (const [name, text] of files) expect(readFileSync(join(DASHBOARDS_FOLDER, name), 'utf8') === text).toBe(true);
    expect(new Set(boards.map(({ board }) => board.uid)).size).toBe(files.size);
  });

  it('have panels with a title, a unit, and a description that says what to do', () => {
    const lacking = panels.filter(({ panel }) => panel.title === '' || (panel.fieldConfig?.defaults.unit ?? '') === '' || (panel.description ?? '').length < 80);
    expect(lacking.map(({ where }) => where)).toEqual([]);
    expect(new Set(panels.map(({ panel }) => panel.description)).size).toBe(panels.length);
  });

  it('lay their panels side by side, within 24 columns, each with a number of its own', () => {
    for (const { board } of boards) {
      expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
      const wrong = board.panels.filter(
        ({ id, gridPos: a }) => a.x + a.w > 24 || board.panels.some(({ id: other, gridPos: b }) => id < other && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h),
      );
      expect(wrong.map(({ title }) => title)).toEqual([]);
    }
  });

  it('ask for metrics of the catalogue, by labels that these have', () => {
    const unknown = expressions.flatMap(({ where, expr }) => metricsIn(expr).filter((name) => !metrics.has(name)).map((name) => `${where}: ${name}`));
    expect(unknown).toEqual([]);
    const selectors = expressions.flatMap(({ where, expr }) => [...expr.matchAll(/(weighbridge_\w+)\{([^}]*)\}/g)].map(([, name = '', inner = '']) => ({ where, name: metricsIn(name)[0] ?? '', inner })));
    const strange = selectors.flatMap(({ where, name, inner }) => {
      const labels: readonly string[] = [...(metrics.get(name)?.labels ?? []), ...ADDED_LABELS];
      return [...inner.matchAll(/(\w+)(?:=~|!~|!=|=)/g)].flatMap(([, label = '']) => (labels.includes(label) ? [] : [`${where}: ${name} has no ${label}`]));
    });
    expect(strange).toEqual([]);
  });

  it('name series by labels that their expressions keep', () => {
    const wrong = expressions.flatMap(({ where, expr, legend }) => {
      const kept = new Set([...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ')));
      return [...legend.matchAll(/\{\{(\w+)\}\}/g)].flatMap(([, label = '']) => (kept.has(label) ? [] : [`${where}: ${label}`]));
    });
    expect(wrong).toEqual([]);
  });

  it('use variables that they have', () => {
    for (const { board } of boards) {
      const names = board.templating.list.map(({ name }) => name);
      const used = [...JSON.stringify(board).matchAll(/\$(\w+)/g)].map(([, name = '']) => name).filter((name) => !name.startsWith('__'));
      expect([...new Set(used)].filter((name) => !names.includes(name))).toEqual([]);
    }
  });

  it('for leases ask for nothing but figures of leases, so that a proxy can keep lessors apart by the label', () => {
    const asked = expressions.filter(({ where }) => where.startsWith('leases.json')).flatMap(({ expr }) => [...expr.matchAll(/weighbridge[_:][\w:]+/g)].map(([name]) => name));
    expect(asked.filter((name) => !name.startsWith('weighbridge:lease_') && !(metrics.get(name)?.labels as readonly string[] | undefined)?.includes('lease'))).toEqual([]);
  });

  it('show every metric that there is a reason to look at', () => {
    const shown = new Set([...expressions.map(({ expr }) => expr), ...boards.flatMap(({ board }) => board.templating.list.map(({ query }) => query))].flatMap(metricsIn));
    expect([...metrics.keys()].filter((name) => !shown.has(name) && !NOT_SHOWN.has(name))).toEqual([]);
    expect([...NOT_SHOWN].filter((name) => shown.has(name) || !metrics.has(name))).toEqual([]);
  });
});
