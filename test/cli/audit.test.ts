/** `audit` as people and programs see it. What it proves is tested in its own room. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { AuditReport } from '../../accounting/audit-report.ts';
import { emptyDeltas } from '../../accounting/rows.ts';
import { Store } from '../../accounting/store.ts';
import { auditText } from '../../cli/audit.ts';
import { run } from './cli-fixture.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A data directory whose ledger claims a share that no journal holds, or nothing at all. */
function ledgerOf(claimed: number): string {
  const data = mkdtempSync(join(tmpdir(), 'wb-audit-'));
  directories.push(data);
  mkdirSync(join(data, 'journal'));
  const store = Store.open(data);
  const deltas = emptyDeltas();
  if (claimed > 0) deltas.total.set('a', { site: 'north', lessee: '', leases: '', pool: 'main', verdict: 'accepted', exponent: 4, n: claimed, last_ms: 0, worth: 0n });
  store.apply(deltas, []);
  store.close();
  return data;
}

const REPORT: AuditReport = {
  ok: true, differences: [], differencesTotal: 0, shares: 12_345, validated: 12_345, unproven: 0, duplicates: 0, corrupt: [], corruptBytes: 0,
  segments: 3, records: 20_000, notFolded: 0, rowsCompared: 77, rowsBounded: 0, shared: null, notes: [], sample: null, seconds: 1.25,
};

describe('audit', () => {
  it('proves nothing of an empty ledger, and exits 1 on one that claims too much', async () => {
    const empty = await run(['audit', '--data', ledgerOf(0)]);
    expect(empty).toMatchObject({ code: 0, out: expect.stringContaining('There was nothing to audit') });
    const claimed = ledgerOf(5);
    const differs = await run(['audit', '--data', claimed]);
    expect(differs).toMatchObject({ code: 1, out: expect.stringContaining('NOT what the journals prove') });
    const json = await run(['audit', '--data', claimed, '--json']);
    expect(json).toMatchObject({ code: 1, err: '' });
    expect(JSON.parse(json.out)).toMatchObject({ ok: false, differencesTotal: expect.any(Number) });
  });

  it('refuses ranges and samples that mean nothing', async () => {
    const data = ledgerOf(0);
    expect(await run(['audit', '--data', data, '--from', 'now', '--to', '-1h'])).toMatchObject({ code: 2, err: '--from must be before --to.\n' });
    expect(await run(['audit', '--data', data, '--sample', '0'])).toMatchObject({ code: 2 });
    expect(await run(['audit', '--data', `${data}/none`])).toMatchObject({ code: 1, err: expect.stringContaining('The audit could not be made') });
  });

  it('puts the verdict first and says what was not done', () => {
    expect(auditText(REPORT).split('\n')[0]).toBe('The ledger is what the journals prove: 12 345 of 12 345 accepted shares validated with bitcoinjs-lib.');
    const sampled = auditText({ ...REPORT, duplicates: null, validated: 300, sample: { size: 300, confidenceOnePercent: 0.951, confidenceOnePerMille: 0.26 } });
    expect(sampled).toContain('were not looked for');
    expect(sampled).toContain('Sample of 300: had 1 % of all shares been faulty, it would have met one with 95.10 % probability');
    const differences = Array.from({ length: 25 }, (_, i) => ({ kind: 'duplicate' as const, where: `s:${i}`, message: 'a\u001b[2J' }));
    const broken = auditText({ ...REPORT, ok: false, differences, differencesTotal: 25, corrupt: [{ file: 'x.wbj', offset: 1, end: 9, sharesMissing: 2 }] });
    expect(broken).toContain('25 differences, 1 corrupt ranges');
    expect(broken).toContain('… and 5 more');
    expect(broken).toContain('corrupt: x.wbj bytes 1 to 9, 2 shares missing');
    expect(broken).not.toContain('\u001b');
  });
});
