/** docs/metrics.md as it must read, from the catalogue. */
import { CATALOGUE, CLOSE_REASONS, LEASE_STATES, LEASE_WINDOWS, type MetricEntry } from './catalogue.ts';

export function catalogueMarkdown(): string {
  const rows = CATALOGUE.map((entry: MetricEntry) => {
    const labels = entry.labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${entry.name}\` | ${entry.type} | ${labels} | ${entry.unit} | ${entry.help} |`;
  });
  return [...HEAD, '| metric | type | labels | unit | meaning |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

const quoted = (values: readonly string[]): string => values.map((value) => `\`${value}\``).join(', ');

const HEAD = [
  '# Metrics',
  '',
  'Served at `http://<http>/metrics` in the Prometheus text format. Generated from the catalogue in `metrics/`; do not edit by hand.',
  '',
  '- The ledger counters (shares, work and expected value, of sites, leases and pools) are read from the ledger, which is folded from',
  "  this host's own journals. They do not go backwards at a restart. While the ledger has not caught up with the journal, /metrics",
  '  answers 503 and says so.',
  '- The other counters are kept by the supervisor over restarts of its children and begin at 0 when the supervisor starts.',
  '- Prometheus computes in doubles: bill from `weighbridge statement` and `weighbridge ledger`, never from here.',
  '- `site`, `lessee`, `lease` and `pool` are names of the configuration; `lessee=""` is hash rate of nobody in particular.',
  '- Hash rate is `sum by (…) (rate(weighbridge_work_total{verdict="accepted"}[5m])) * 4295032833`.',
  '- No label names a machine, unless `metrics.workersMax` allows it: `weighbridge machines` and `weighbridge ledger --by worker` do.',
  '',
  `\`window\` is one of ${quoted(LEASE_WINDOWS)}; \`state\` of a lease one of ${quoted(LEASE_STATES)};`,
  `\`reason\` of a close one of ${quoted(CLOSE_REASONS)}.`,
  '',
];
