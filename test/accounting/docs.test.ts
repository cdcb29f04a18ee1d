/** docs/ledger.md names every table, column and JSON field there is. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { estimate } from '../../accounting/estimate.ts';
import { TABLE_NAMES, TABLES } from '../../accounting/rows.ts';

const text = readFileSync('docs/ledger.md', 'utf8');

describe('docs/ledger.md', () => {
  it.each(TABLE_NAMES)('describes %s', (table) => {
    for (const name of [table, ...Object.keys(TABLES[table])]) expect(text).toContain(`\`${name}\``);
  });

  it('has an example that adds up, with every field explained', () => {
    const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '') as { rows: Record<string, unknown>[] };
    const [row = {}] = example.rows;
    for (const field of Object.keys(row)) expect(text).toContain(`\`${field}\``);
    const found = estimate([[16, 360]], 3_600_000);
    expect(row).toMatchObject({ accepted: 360, workHashes: String(found.hashes) });
    expect(Number(row['rate'])).toBeCloseTo(found.rate ?? NaN, 0);
    expect(Number(row['rateLow']) / (found.low ?? NaN)).toBeCloseTo(1, 4);
    expect(Number(row['rateHigh']) / (found.high ?? NaN)).toBeCloseTo(1, 4);
    expect(Number(row['terahashDays'])).toBeCloseTo(Number(found.hashes) / 8.64e16, 9);
  });
});
