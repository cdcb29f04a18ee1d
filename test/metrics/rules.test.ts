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
import { alertmanagerHolds } from '../rig/alertmanager.ts';
import { promtool } from '../rig/prometheus.ts';
import { metricsIn, syntaxErrors } from './promql.ts';
import { promtoolTest, SCENARIOS } from './scenarios.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${ROOT}${path}`, 'utf8');
const rules: readonly (readonly [string, string])[] = [
  ...RECORDING_RULES.map(({ record, expr }: RecordingRule) => [record, expr] as const),
  ...ALERT_RULES.map(({ alert, expr }: AlertRule) => [alert, expr] as const),
];

/** Alerts that fire at once, and whether somebody is to be told of each. */
const FIRING: readonly (readonly [(typeof ALERT_RULES)[number]['alert'], Readonly<Record<string, string>>, boolean])[] = [
  // North is dark: its leases say nothing more. Lease wide is dark at south too, which is not.
  ['WeighbridgeSiteDark', { site: 'north' }, true],
  ['WeighbridgeLeaseDark', { lease: 'narrow', site: 'north' }, false],
  ['WeighbridgeLeaseDark', { lease: 'wide', site: 'north' }, false],
  ['WeighbridgeLeaseDark', { lease: 'wide', site: 'south' }, true],
  ['WeighbridgeLeaseLow', { lease: 'wide', site: 'south' }, false],
  ['WeighbridgeIncomeBelowPowerCost', { site: 'north' }, false],
  // One lease at east is curtailed, and east is dark: the other lease there must be heard of.
  ['WeighbridgeLeaseCurtailed', { lease: 'off', site: 'east' }, true],
  ['WeighbridgeLeaseShortfallFast', { lease: 'off', site: 'east' }, false],
  ['WeighbridgeLeaseDark', { lease: 'on', site: 'east' }, false],
  ['WeighbridgeSiteDark', { site: 'east' }, true],
  // All leases at west are.
  ['WeighbridgeLeaseCurtailed', { lease: 'off', site: 'west' }, true],
  ['WeighbridgeSiteCurtailed', { site: 'west' }, true],
  ['WeighbridgeSiteDark', { site: 'west' }, false],
  // A lease that never delivered has no site, and no site speaks for it.
  ['WeighbridgeLeaseDark', { lease: 'never' }, true],
  ['WeighbridgeLeaseLow', { lease: 'short', site: 'south' }, false],
  ['WeighbridgeLeaseShortfallFast', { lease: 'short', site: 'south' }, true],
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

  it('leaves one alert of each trouble, in the real Alertmanager', async () => {
    const told = (await alertmanagerHolds(`${ROOT}docker/alertmanager/alertmanager.yml`, FIRING.map(([alert, labels]) => ({ alertname: alert, ...labels })), [
      { alertname: 'WeighbridgeLeaseDark', lease: 'last' },
      { alertname: 'WeighbridgeLeaseLow', lease: 'last' },
    ])).filter(({ inhibited }) => !inhibited).map(({ labels: { alertname, ...labels } }) => [alertname, labels]);
    const expected = [...FIRING.filter(([, , told]) => told).map(([alert, labels]) => [alert, labels]), ['WeighbridgeLeaseDark', { lease: 'last' }]];
    expect(told.map((each) => JSON.stringify(each)).toSorted()).toEqual(expected.map((each) => JSON.stringify(each)).toSorted());
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
