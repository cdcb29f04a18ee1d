/** The catalogue against Prometheus' naming rules, and the documentation generated from it. */
import { describe, expect, it } from 'vitest';
import { CATALOGUE, type MetricEntry } from '../../metrics/catalogue.ts';
import { catalogueMarkdown } from '../../metrics/document.ts';

const entries: readonly MetricEntry[] = CATALOGUE;

describe('the catalogue', () => {
  it('names every metric once', () => {
    expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
  });

  it.each(entries.map((entry) => [entry.name, entry] as const))('%s follows the naming rules', (name, { type, labels, help, unit }) => {
    expect(name).toMatch(/^weighbridge_[a-z][a-z0-9_]*[a-z0-9]$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    // Base units only, and the suffix the unit's own.
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|hours|kib|mib|kilobytes|percent)(_|$)/);
    const bare = name.replace(/_total$/, '');
    expect(/(?<!_per)_seconds$/.test(bare)).toBe(unit.startsWith('seconds'));
    expect(bare.endsWith('_bytes')).toBe(unit === 'bytes');
    expect(bare.endsWith('_hashes_per_second')).toBe(unit === 'hashes per second');
    expect(bare.endsWith('_satoshis')).toBe(unit === 'satoshi');
    // Suffixes that the text format gives to parts of a histogram.
    expect(name).not.toMatch(/_(count|sum|bucket)$/);
    expect(labels).not.toContain('le');
    for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
    expect(help).toMatch(/^[A-Z].*[^.]$/);
  });

  it('has no label that grows with the number of machines', () => {
    const labels: string[] = entries.flatMap((entry) => entry.labels);
    for (const unbounded of ['machine', 'address', 'session', 'link', 'job']) expect(labels).not.toContain(unbounded);
    // Off unless it is asked for, and capped.
    expect(entries.filter((entry) => entry.labels.includes('worker')).map(({ name }) => name)).toEqual(['weighbridge_worker_hashes_per_second']);
  });

  // `npx vitest run test/metrics -u` writes the file anew.
  it('is what docs/metrics.md says', async () => {
    await expect(catalogueMarkdown()).toMatchFileSnapshot('../../docs/metrics.md');
  });
});
