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
  'Served at `http://<http>/metrics` in the Prometheus text format, or as OpenMetrics to who asks for it. Generated from the catalogue in `metrics/`; do not edit by hand.',
  '',
  '- The ledger counters (shares, work and expected value, of sites, leases and pools) are read from the ledger, which is folded from',
  "  this host's own journals and never from the shared ledger. No counter ever goes back: what was shown last is kept in the file",
  '  `exported` of the data directory, and after a restart /metrics answers 503, with the reason, until the ledger is past it.',
  '  A ledger more than 30 s behind the journal is left out rather than shown standing still.',
  '- The other counters are added up by the supervisor over all processes and their restarts, and go on from the same file when the',
  '  supervisor itself starts again. A process that is killed takes up to a second of them with it, but no share: shares are journaled.',
  '- Prometheus computes in doubles: bill from `weighbridge statement` and `weighbridge ledger`, never from here.',
  '- `site`, `lessee`, `lease` and `pool` are names of the configuration; `lessee=""` is hash rate of nobody in particular.',
  '- Hash rate is `sum by (…) (rate(weighbridge_work_total{verdict="accepted"}[5m])) * 4295032833`.',
  '- No label names a machine, unless `metrics.workersMax` allows it: `weighbridge machines` and `weighbridge ledger --by worker` do.',
  '',
  `\`window\` is one of ${quoted(LEASE_WINDOWS)}; \`state\` of a lease one of ${quoted(LEASE_STATES)};`,
  `\`reason\` of a close one of ${quoted(CLOSE_REASONS)}.`,
  '',
];
