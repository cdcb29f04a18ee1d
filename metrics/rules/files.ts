/** The files that Prometheus and Alertmanager read, generated from the rules. */
import { ALERT_RULES, INHIBITIONS, type AlertRule } from './alerts.ts';
import { RECORDING_RULES, type RecordingRule } from './recording.ts';

const GENERATED = '# Generated from metrics/rules; do not edit by hand. `npx vitest run test/metrics -u` writes it anew.';

/** docker/prometheus/rules/weighbridge.yml. */
export function rulesYaml(): string {
  const recording = RECORDING_RULES.flatMap(({ record, about, expr }: RecordingRule) => [`      # ${about}.`, `      - record: ${record}`, ...block(expr)]);
  const alerts = ALERT_RULES.flatMap((rule: AlertRule) => [
    `      - alert: ${rule.alert}`,
    ...block(rule.expr),
    `        for: ${rule.for}`,
    '        labels:',
    `          severity: ${rule.severity}`,
    '        annotations:',
    `          summary: ${quoted(rule.summary)}`,
    `          runbook: docs/runbooks.md#${rule.alert.toLowerCase()}`,
  ]);
  return [GENERATED, 'groups:', '  - name: weighbridge', '    rules:', ...recording, '  - name: weighbridge-alerts', '    rules:', ...alerts, ''].join('\n');
}

/** The inhibit rules of docker/alertmanager/alertmanager.yml. */
export function inhibitYaml(): string {
  const rules = INHIBITIONS.flatMap(({ sources, targets, equal }) => [
    `  - source_matchers: ['alertname=~"${sources.join('|')}"']`,
    `    target_matchers: ['alertname=~"${targets.join('|')}"']`,
    `    equal: [${equal.join(', ')}]`,
  ]);
  return ['inhibit_rules:', ...rules, ''].join('\n');
}

function block(expr: string): string[] {
  return ['        expr: |-', `          ${expr}`];
}

/** As a YAML scalar: what JSON quotes, YAML reads. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
