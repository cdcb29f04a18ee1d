/** A small lease prints figures that say something: as many decimals more as its rate has digits less, the same in every form. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { workPlaces } from '../../../accounting/leases/pdf-kit.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const folder = mkdtempSync(join(tmpdir(), 'wb-digits-'));
const LATER = { nowMs: Date.parse('2026-11-10T12:00:00Z') };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A day of one lease at this rate, as it is printed. */
async function day(contracted: string, rate: number): Promise<{ readonly statement: StatementDraft; readonly csv: string; readonly verified: string }> {
  const directory = mkdtempSync(join(folder, 'lease-'));
  const file = join(directory, 'farm.yaml');
  writeFileSync(file, `
data: ./data
sites: { home: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:3333", user: u } }
routes: [{ pools: [main] }]
parties: { acme: { name: Acme }, nfx: { name: NFX } }
leases:
  small:
    { kind: leaseback, lessor: acme, lessee: nfx, machines: { workers: ["*"] }, term: { from: 2026-11-01, to: 2027-11-01 }, timezone: UTC, contracted: ${contracted},
      rent: [{ fixed: 0.05 USD/TH/day, payer: nfx, payee: acme }, { hosting: 0.07 USD/kWh, efficiency: 17.5 J/TH, payer: acme, payee: nfx }] }
`);
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  writeMonth(config.data, { fromMs: midnightMs('2026-11-01', 'UTC'), toMs: midnightMs('2026-11-04', 'UTC'), leases: 'small', rate: () => rate });
  recordTerms(config);
  const printed = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await run(['statement', ...args, '--config', file, '--lease', 'small', '--period', '2026-11-02'], LATER);
    if (code !== 0) throw new Error(err);
    return out;
  };
  const out = join(directory, 'issued.json');
  await printed('issue', '--out', out);
  await printed('issue', '--format', 'pdf', '--out', join(directory, 'issued.pdf'));
  const verified = await run(['verify', out, '--data', config.data], LATER);
  expect(readFileSync(join(directory, 'issued.pdf')).subarray(0, 5).toString()).toBe('%PDF-');
  return { statement: JSON.parse(await printed()) as StatementDraft, csv: await printed('--format', 'csv'), verified: verified.out };
}

describe('a small lease', () => {
  it.each([
    ['12.5 PH/s', 12.5e15, '12500.000000', 1],
    ['10 TH/s', 10e12, '10.000000', 2],
    ['1 TH/s', 1e12, '1.000000', 3],
    ['500 GH/s', 5e11, '0.5000000', 4],
    ['1 GH/s', 1e12, '0.001000000', 6],
    ['3 kH/s', 1e12, '0.000000003000000', 12],
  ])('of %s prints all its digits, and verify finds them again', async (contracted, rate, whole, places) => {
    const { statement, csv, verified } = await day(contracted, rate);
    const [row] = statement.days;
    expect([row?.contracted, statement.total.owed, statement.components[0]?.quantity]).toEqual([whole, whole, whole]);
    expect(csv).toContain(`fixed,${whole},TH·day,`);
    const decimals = (text: string | undefined): number => text?.split('.')[1]?.length ?? 0;
    expect([decimals(row?.delivered), decimals(row?.credited), decimals(statement.components[1]?.quantity), decimals(row?.deliveredLow)]).toEqual([decimals(whole), decimals(whole), decimals(whole), decimals(whole) - 2]);
    expect(workPlaces(statement)).toBe(places);
    expect(verified).toContain('Every figure of 1 day and 2 lines agrees with the ledger');
    expect(verified).toContain('is right.');
  });
});
