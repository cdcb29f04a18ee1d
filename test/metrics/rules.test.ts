/** The rules: what is committed is what the code says, Prometheus reads it, and alerts fire when they should and only then. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CATALOGUE } from '../../metrics/catalogue.ts';
import { ALERT_RULES, INHIBITIONS, type AlertRule } from '../../metrics/rules/alerts.ts';
import { inhibitYaml, rulesYaml } from '../../metrics/rules/files.ts';
import { RECORDING_RULES, type RecordingRule } from '../../metrics/rules/recording.ts';
import { promtool } from '../rig/prometheus.ts';
import { metricsIn, syntaxErrors } from './promql.ts';
import { promtoolTest, SCENARIOS } from './scenarios.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${ROOT}${path}`, 'utf8');
const rules: readonly (readonly [string, string])[] = [
  ...RECORDING_RULES.map(({ record, expr }: RecordingRule) => [record, expr] as const),
  ...ALERT_RULES.map(({ alert, expr }: AlertRule) => [alert, expr] as const),
];

describe('the rules', () => {
  it('are what docker/prometheus holds', async () => {
    await expect(rulesYaml()).toMatchFileSnapshot('../../docker/prometheus/rules/weighbridge.yml');
  });

  it('are what promtool takes, with the configuration around them', () => {
    expect(promtool(['check', 'rules', 'docker/prometheus/rules/weighbridge.yml'], '', ROOT)).toBe('');
    expect(promtool(['check', 'config', 'docker/prometheus/prometheus.yml'], '', ROOT)).toBe('');
  });

  it.each(rules)('%s is correct PromQL and names only what exists', (_name, expr) => {
    expect(syntaxErrors(expr)).toEqual([]);
    const known = new Set<string>(['up', ...RECORDING_RULES.map(({ record }) => record)]);
    for (const { name, type } of CATALOGUE) for (const suffix of type === 'histogram' ? ['_bucket', '_count', '_sum'] : ['']) known.add(name + suffix);
    expect(metricsIn(expr).filter((name) => !known.has(name))).toEqual([]);
  });

  it('fire and keep silent as they should', () => {
    expect(promtoolTest(`${ROOT}docker/prometheus/rules/weighbridge.yml`, SCENARIOS)).toBe('');
  });

  it('are all tried', () => {
    const firing = SCENARIOS.flatMap(({ expect: moments }) => moments.flatMap(([, alert, where]) => (where.length > 0 ? [alert] : [])));
    const silent = SCENARIOS.flatMap(({ expect: moments }) => moments.flatMap(([, alert, where]) => (where.length === 0 ? [alert] : [])));
    expect(ALERT_RULES.map(({ alert }) => alert).filter((alert) => !firing.includes(alert) || !silent.includes(alert))).toEqual([]);
  });
});

describe('the runbooks', () => {
  it('have an entry for each alert, in the order of the rules, and no other', () => {
    const runbooks = read('docs/runbooks.md');
    expect([...runbooks.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(ALERT_RULES.map(({ alert }) => alert));
    for (const { alert, severity } of ALERT_RULES) expect(runbooks).toContain(`## ${alert}\n\n*${severity}.* `);
  });
});

describe('inhibition', () => {
  it('is what the Alertmanager is configured with', () => {
    expect(read('docker/alertmanager/alertmanager.yml').endsWith(`\n${inhibitYaml()}`)).toBe(true);
    expect(parse(read('docker/alertmanager/alertmanager.yml'))).toMatchObject({ inhibit_rules: INHIBITIONS.map(({ equal }) => ({ equal })) });
  });

  it('silences no alert by itself, and none of an alert that is silenced by it', () => {
    const silences = INHIBITIONS.flatMap(({ sources, targets }) => sources.flatMap((source) => targets.map((target) => `${source} ${target}`)));
    for (const pair of silences) expect(silences).not.toContain(pair.split(' ').toReversed().join(' '));
  });
});

it('the parser finds what is wrong', () => {
  expect(parser.parse('sum by (site (x)').length).toBeGreaterThan(0);
  expect(syntaxErrors('sum by (site (x)')).not.toEqual([]);
  expect(metricsIn('rate(a_total{b="c_d"}[5m]) / on (e) weighbridge:x:y')).toEqual(['a_total', 'weighbridge:x:y']);
});
