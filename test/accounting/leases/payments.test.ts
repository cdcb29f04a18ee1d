/** Payments: imported once, and set against what a statement charges. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountProblem, type Payers } from '../../../accounting/leases/accounts.ts';
import { decimal, decimalText, minus, plus } from '../../../accounting/leases/exact.ts';
import { parseImport } from '../../../accounting/leases/imports.ts';
import { paymentsImport } from '../../../accounting/leases/payments.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const HEAD = 'lease,payer,payee,paid_at,amount,currency,reference';
const FEBRUARY = { nowMs: Date.parse('2027-02-05T12:00:00Z') };
const PAYERS: Payers = { parties: ['acme', 'nfx'], accounts: ['BTC', 'USD'].map((currency) => ({ first: 'acme', second: 'nfx', currency })) };
const CHICAGO = 'America/Chicago';
let folder = '';
let file = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-payments-'));
  file = join(folder, 'farm.yaml');
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  writeFileSync(file, readFileSync('examples/leaseback.yaml', 'utf8').replace('- { pools: [main] }', '- { match: { worker: "acme.*" }, lessee: nfx, pools: [main] }\n  - { pools: [main] }'));
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  writeMonth(config.data, { fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2027-01-01', CHICAGO), leases: 'acme-leaseback', rate: () => 12.5e15 });
  recordTerms(config);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const statement = async (action: string, period: string, ...args: string[]): Promise<StatementDraft> => {
  const { code, out, err } = await run(['statement', action, '--config', file, '--lease', 'acme-leaseback', '--period', period, ...args], FEBRUARY);
  expect([code, err]).toEqual([0, '']);
  const value = JSON.parse(out) as StatementDraft | { statement: StatementDraft };
  return 'statement' in value ? value.statement : value;
};

describe('payments', () => {
  it('are refused with line and column of each fault', () => {
    const faults = (line: string): readonly string[] => {
      const parsed = parseImport(paymentsImport({ leases: new Map([['a', PAYERS]]), nowMs: FEBRUARY.nowMs }), `${HEAD}\n${line}\n`);
      return 'problems' in parsed ? parsed.problems : [];
    };
    expect(faults('a,nfx,acme,2026-12-05,100.00,USD,r')).toEqual([]);
    expect(faults('b,nfx,acme,2026-12-05,100.00,USD,r')).toEqual([expect.stringContaining('has in line 2, column lease, "b", which is no lease of the configuration: there is a')]);
    expect(faults('a,nfx,nfx,5 Dec,100.001,USD,').map((fault) => fault.split(', ')[1])).toEqual(['column payee', 'column paid_at', 'column amount', 'column reference']);
    expect(faults('a,nfx,host,2026-12-05,0.00,usd,r').map((fault) => fault.split(', ')[1])).toEqual(['column payee', 'column currency', 'column amount']);
    expect(faults('a,nfx,acme,2026-12-05,0.00000000000000001,BTC,r')).toEqual([]);
    for (const none of ['-5.00', '0', '+1', '1e3', '']) expect(faults(`a,nfx,acme,2026-12-05,${none},USD,r`)).toEqual([expect.stringContaining(`column amount, "${none}", which is no amount above zero`)]);
    expect(faults('a,nfx,acme,2027-02-06,100.00,USD,r')).toEqual([expect.stringContaining('column paid_at, "2027-02-06", which is still to come')]);
    for (const never of ['2026-11-31', '2026-02-30T10:00Z', '2027-02-29']) expect(faults(`a,nfx,acme,${never},100.00,USD,r`)).toEqual([expect.stringContaining(`column paid_at, "${never}", which is no time`)]);
  });

  it('in a currency that the two have no account in are refused with row and currencies', async () => {
    const path = join(folder, 'euros.csv');
    writeFileSync(path, `${HEAD}\nacme-leaseback,nfx,acme,2026-12-05,1,USD,A\nacme-leaseback,nfx,acme,2026-12-05,1,EUR,B\nacme-hosting,acme,host,2026-12-05,1,BTC,C\n`);
    const { code, err } = await run(['payments', 'import', path, '--config', file], FEBRUARY);
    expect(code).toBe(1);
    expect(err.split('\n').slice(0, 2)).toEqual([
      expect.stringContaining('has in line 3, column currency, EUR, in which nfx and acme have no account: theirs are in BTC and USD.'),
      expect.stringContaining('has in line 4, column currency, BTC, in which acme and host have no account: theirs are in USD.'),
    ]);
    expect(accountProblem({ ...PAYERS, parties: ['acme', 'host', 'nfx'] }, 'nfx', 'host', 'USD')).toBe('but nfx and host settle nothing between them: there is acme with nfx in BTC, acme with nfx in USD');
  });

  it('with several faults are refused with all of them, and nothing is imported', async () => {
    const path = join(folder, 'faulty.csv');
    writeFileSync(path, `${HEAD}\nacme-leaseback,nfx,acme,2026-11-31,1,USD,W\nacme-leaseback,nfx,acme,2026-12-05,0,USD,W\n`);
    const { code, out, err } = await run(['payments', 'import', path, '--config', file], FEBRUARY);
    expect([code, out]).toEqual([1, '']);
    expect(err.split('\n')).toEqual([expect.stringContaining('has in line 2, column paid_at'), expect.stringContaining('has in line 3, column amount'), '']);
  });

  it('are set against charges: what a statement leaves open, the next one begins with', async () => {
    const november = await statement('issue', '2026-11');
    const due = november.balance.find(({ currency }) => currency === 'USD');
    const path = join(folder, 'paid.csv');
    const owed = due?.closing.replace('-', '') ?? '';
    writeFileSync(path, `${HEAD}\nacme-leaseback,nfx,acme,2026-12-05T10:00Z,${owed},USD,WIRE-1\nacme-leaseback,nfx,acme,2026-12-28,1000,USD,WIRE-2\nacme-leaseback,nfx,acme,2027-01-07,5,USD,WIRE-3\n`);
    expect(await run(['payments', 'import', path, '--config', file], FEBRUARY)).toMatchObject({ code: 0, out: '3 rows imported, 0 known already.\n' });
    expect(await run(['payments', 'import', path, '--config', file], FEBRUARY)).toMatchObject({ out: '0 rows imported, 3 known already.\n' });
    expect((await run(['payments', '--config', file])).out).toMatch(/acme-leaseback +nfx +acme +2026-12-05T10:00 +[\d.]+ USD +WIRE-1/);
    const december = await statement('issue', '2026-12');
    expect(december.payments.map(({ reference }) => reference)).toEqual(['WIRE-1', 'WIRE-2']);
    const usd = december.balance.find(({ currency }) => currency === 'USD');
    expect([usd?.first, usd?.opening]).toEqual(['acme', due?.closing]);
    expect(usd?.payments).toBe(decimalText(minus(decimal('-1000'), decimal(owed)), 2));
    expect(usd?.closing).toBe(decimalText(minus(plus(decimal(usd?.opening ?? ''), decimal(usd?.charges ?? '')), decimal(usd?.payments ?? '')), 2));
    expect(december.completeness.join(' ')).toContain('Opening balances are the closing ones of acme-leaseback-2026-11/0.');
    writeFileSync(join(folder, 'd.json'), (await run(['statement', 'issue', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-12'], FEBRUARY)).out);
    expect(await run(['verify', join(folder, 'd.json'), '--data', join(folder, 'data')])).toMatchObject({ code: 0 });
  });
});
