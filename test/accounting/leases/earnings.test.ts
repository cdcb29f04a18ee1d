/** What pools pay: imported once, divided by credited work to the nano-satoshi, held against our records. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { earningsImport, importedEarnings } from '../../../accounting/leases/earnings.ts';
import { decimal, decimalText, exact, total, ZERO } from '../../../accounting/leases/exact.ts';
import { parseImport } from '../../../accounting/leases/imports.ts';
import type { Flow } from '../../../accounting/leases/flow.ts';
import { reconcile } from '../../../accounting/leases/reconcile.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { seededRandom } from '../../../config/world.ts';
import { run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const HEAD = 'pool,account,scheme,earned_from,earned_to,pool_work,gross_sat,fee_sat,net_sat,paid_at,txid,payout_id';
const JANUARY_MS = Date.parse('2027-01-05T12:00:00Z');
const CHICAGO = 'America/Chicago';
let folder = '';
let file = '';
let data = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-earnings-'));
  file = join(folder, 'farm.yaml');
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  const text = readFileSync('examples/leaseback.yaml', 'utf8')
    .replace('- { pools: [main] }', '- { match: { worker: "acme.*" }, lessee: nfx, pools: [main] }\n  - { pools: [main] }')
    .replace('of: expected, poolFee: 1%', 'of: earnings');
  writeFileSync(file, text);
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  ({ data } = config);
  const [fromMs, toMs] = [midnightMs('2026-11-01', CHICAGO), midnightMs('2026-12-01', CHICAGO)];
  writeMonth(data, { fromMs, toMs, leases: 'acme-leaseback,host', rate: () => 12.5e15 }, { fromMs, toMs, leases: '', rate: () => 4e15, seed: 9 });
  recordTerms(config);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const row = (day: string, next: string, net: string, id: string, work = ''): string => `main,nfx,FPPS,2026-11-${day},2026-11-${next},${work},${net},0,${net},,,${id}`;
const importing = async (rows: readonly string[]): Promise<{ code: number; out: string; err: string }> => {
  const path = join(folder, 'earnings.csv');
  writeFileSync(path, `${[HEAD, ...rows].join('\n')}\n`);
  return run(['earnings', 'import', path, '--config', file], { nowMs: JANUARY_MS });
};
const drafted = async (): Promise<StatementDraft> => {
  const { code, out, err } = await run(['statement', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11'], { nowMs: JANUARY_MS });
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as StatementDraft;
};

describe('a file of earnings', () => {
  it('is refused with line and column of each fault', () => {
    const faults = (line: string): readonly string[] => {
      const parsed = parseImport(earningsImport(new Map([['main', 'nfx.farm']])), `${HEAD}\n${line}\n`);
      return 'problems' in parsed ? parsed.problems : [];
    };
    expect(faults(row('02', '03', '100', 'p1'))).toEqual([]);
    expect(faults('other,nfx,FPPS,2026-11-02,2026-11-03,,1,0,1,,,p')).toEqual(['has in line 2, column pool, "other", which is no pool of the configuration: there is main']);
    expect(faults('main,globex,FPPS,2026-11-02,2026-11-03,,1,0,1,,,p')).toEqual([expect.stringContaining('has in line 2, column account, "globex", but pool main is mined under nfx.farm')]);
    expect(faults('main,nfx,,2.11.2026,2026-11-03,x,1e3,0,1,,,')).toEqual([
      'has in line 2, column scheme, nothing: every payout needs one', 'has in line 2, column payout_id, nothing: every payout needs one',
      expect.stringContaining('column earned_from, "2.11.2026", which is no time in UTC'), expect.stringContaining('column pool_work, "x"'), expect.stringContaining('column gross_sat, "1e3"'),
    ]);
    expect(faults('main,nfx,FPPS,2026-11-03,2026-11-03,,1,0,1,,,p')[0]).toContain('which is not after earned_from');
    expect(faults('main,nfx,FPPS,2026-11-02,2026-11-03,,10.5,0.5,9,,,p')).toEqual(['has in line 2, column net_sat, 9, but gross_sat less fee_sat is 10.000000000']);
    expect(faults('main,nfx,FPPS,2026-11-02T00:00+02:00,2026-11-03,,1,0,1,,,p')[0]).toContain('no time in UTC');
    expect(parseImport(earningsImport(undefined), 'pool,account\n')).toEqual({ problems: [expect.stringContaining('has no column scheme, earned_from')] });
  });

  it('is imported once; what says otherwise, or would be earned twice, is refused as a whole', async () => {
    expect(await importing([row('02', '03', '480000', 'p2'), row('03', '04', '470000.000000001', 'p3')])).toMatchObject({ code: 0, out: '2 rows imported, 0 known already.\n' });
    expect(await importing([row('02', '03', '480000', 'p2'), row('04', '05', '460001', 'p4')])).toMatchObject({ out: '1 row imported, 1 known already.\n' });
    expect(await importing([row('05', '06', '1', 'p5'), row('02', '03', '480001', 'p2')])).toMatchObject({ code: 1, err: expect.stringContaining('has in line 3 the payout p2, which line 2 of earnings/000001.csv has with another gross_sat') });
    expect(await importing([row('04', '06', '1', 'p6')])).toMatchObject({ code: 1, err: expect.stringContaining('overlaps with line 2 of earnings/000002.csv: it would be earned twice') });
    expect(importedEarnings(data).map(({ payoutId, net }) => [payoutId, net])).toEqual([['p2', 480_000_000_000_000n], ['p3', 470_000_000_000_001n], ['p4', 460_001_000_000_000n]]);
    expect((await run(['earnings', '--config', file])).out).toMatch(/main +nfx +FPPS +2026-11-02T00:00 +2026-11-03T00:00 +0\.00480000000000000 +p2/);
    expect(await run(['earnings', 'import', '--config', file])).toMatchObject({ code: 2 });
  });
});

describe('a share of earnings', () => {
  it('is taken from the lease\'s part of each, on the day in which its interval ends, and adds up', async () => {
    const statement = await drafted();
    expect(statement.earnings.map(({ date, payoutId }) => [date, payoutId])).toEqual([['2026-11-02', 'p2'], ['2026-11-03', 'p3'], ['2026-11-04', 'p4']]);
    for (const { ourWork, allWork, share, net } of statement.earnings) {
      expect(Math.abs(Number(share) / Number(net) - Number(ourWork) / Number(allWork))).toBeLessThan(1e-9);
      expect(Number(ourWork) / Number(allWork)).toBeCloseTo(12.5 / 16.5, 1);
    }
    expect(decimalText(total(statement.earnings.map(({ share }) => decimal(share))), 17)).toBe(statement.value.amount);
    const lines = statement.lines.filter(({ component }) => component === 'revenueShare');
    expect(lines.filter(({ amount }) => /[1-9]/.test(amount)).map(({ date, unitPrice }) => [date, unitPrice])).toEqual([['2026-11-02', '35% of earnings'], ['2026-11-03', '35% of earnings'], ['2026-11-04', '35% of earnings']]);
    expect(total(statement.entries.filter(({ currency }) => currency === 'BTC').map(({ amount }) => decimal(amount)))).toEqual(ZERO);
    expect(statement.completeness.join(' ')).toContain('No earnings were imported for 2026-11-01T05:00Z to 2026-11-02T00:00Z (19.0 h), 2026-11-05T00:00Z to 2026-12-01T06:00Z');
  });

  it('is verified from the statement and the ledger', async () => {
    const path = join(folder, 'november.json');
    expect((await run(['statement', 'issue', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11', '--out', path], { nowMs: JANUARY_MS })).code).toBe(0);
    expect(await run(['verify', path, '--data', data])).toMatchObject({ code: 0, out: expect.stringContaining('is right.') });
  });

  it('must be of the same thing in all of a lease, and knows no fee of its own', () => {
    const problems = (rent: string): string => {
      const path = join(folder, 'other.yaml');
      writeFileSync(path, readFileSync(file, 'utf8').replace('{ revenueShare: 35%, of: earnings, payer: nfx, payee: acme }', rent));
      return JSON.stringify(loadConfig(path).problems);
    };
    expect(problems('{ revenueShare: 35%, of: earnings, poolFee: 1%, payer: nfx, payee: acme }')).toContain('must not stand beside of: earnings');
    expect(problems('{ revenueShare: 35%, of: earnings, payer: nfx, payee: acme }\n      - { revenueShare: 5%, payer: nfx, payee: acme }')).toContain('must take all shares of the value of the same');
  });
});

describe('reconciliation', () => {
  const reconciled = async (from: string, to: string): Promise<{ code: number; json: Record<string, unknown> & { findings: string[]; earnings: { payoutId: string; reconciliation: { findings: string[]; difference: string } }[] } }> => {
    const { code, out } = await run(['reconcile', '--config', file, '--pool', 'main', '--from', from, '--to', to, '--json'], { nowMs: JANUARY_MS });
    return { code, json: JSON.parse(out) as never };
  };

  it('has every forwarded share accepted, rejected or unanswered', async () => {
    const { code, json } = await reconciled('2026-11-10', '2026-11-12');
    expect(code).toBe(0);
    expect(json).toMatchObject({ unaccounted: 0, insideBand: true, findings: [] });
    expect(json['forwarded']).toBe((json['accepted'] as number) + ((json['rejected'] as { stale: number }).stale) + (json['unanswered'] as number));
    const text = await run(['reconcile', '--config', file, '--pool', 'main', '--from', '2026-11-10', '--to', '2026-11-12'], { nowMs: JANUARY_MS });
    expect(text.out).toMatch(/forwarded = [\d  ]+ accepted \+ [\d  ]+ rejected \(stale [\d  ]+\) \+ 0 unanswered, exactly\./);
    expect(await run(['reconcile', '--config', file, '--pool', 'mian', '--from', '2026-11-10'])).toMatchObject({ code: 2, err: expect.stringContaining('one of main') });
  });

  it('flags missing credit and skimming from what the pool states, and nothing where it states what we have', async () => {
    const { json: day } = await reconciled('2026-11-10', '2026-11-11');
    const credited = String(day['creditedWork']).split('.')[0] ?? '';
    const less = (BigInt(credited) * 97n) / 100n;
    expect((await importing([row('10', '11', '480000', 'right', credited), row('11', '12', '480000', 'less', String(less))])).code).toBe(0);
    const { code, json } = await reconciled('2026-11-10', '2026-11-12');
    expect(code).toBe(1);
    expect(json.earnings.map(({ payoutId, reconciliation: { findings } }) => [payoutId, findings.length])).toEqual([['right', 0], ['less', 2]]);
    expect(json.earnings[1]?.reconciliation.findings.map((finding) => finding.split(':')[0])).toEqual(['Missing credit', 'Skimming']);
    const { completeness } = await drafted();
    expect(completeness.filter((sentence) => sentence.startsWith('main, payout less: '))).toHaveLength(2);
  });

  it('allows what chance does: of a thousand honest days few are outside the band', () => {
    const random = seededRandom(4);
    const [n, ratio] = [2000, 16];
    let outside = 0;
    for (let day = 0; day < 1000; day += 1) {
      let up = 0;
      for (let share = 0; share < n; share += 1) if (random.fraction() < 1 / ratio) up += 1;
      const answered = exact(BigInt(up * ratio));
      const flow: Flow = { sent: up, accepted: up, rejected: new Map(), unanswered: 0, delivered: exact(BigInt(n)), deliveredSquares: exact(BigInt(n)), answered, answeredSquares: exact(BigInt(up * ratio * ratio)), refused: ZERO, credited: answered, creditedOf: new Map([['', answered]]) };
      if (!reconcile(flow, undefined).insideBand) outside += 1;
    }
    console.log(`honest: ${outside} of 1000 days outside the band of 2.6 standard deviations`);
    expect(outside).toBeLessThan(25);
    expect(outside).toBeGreaterThan(0);
  });

  it('says that answers are missing', () => {
    fc.assert(fc.property(fc.nat(50), fc.nat(50), fc.nat(50), fc.integer({ min: -20, max: 20 }), (accepted, rejected, unanswered, off) => {
      const flow: Flow = { sent: accepted + rejected + unanswered + off, accepted, rejected: new Map([['stale', rejected]]), unanswered, delivered: ZERO, deliveredSquares: ZERO, answered: ZERO, answeredSquares: ZERO, refused: ZERO, credited: ZERO, creditedOf: new Map() };
      const { unaccounted, findings } = reconcile(flow, undefined);
      expect([unaccounted, findings.length]).toEqual([off, off === 0 ? 0 : 1]);
    }));
  });
});
