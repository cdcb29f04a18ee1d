/** The account of a lease over corrections and payments in any order: every closing balance counts each charge and each payment once. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { balanceOf, openingOf } from '../../../accounting/leases/balance.ts';
import { decimal, decimalText, minus, plus, total, type Exact } from '../../../accounting/leases/exact.ts';
import { issuedStatements, type IssuedBody } from '../../../accounting/leases/issue.ts';
import type { Payment } from '../../../accounting/leases/payments.ts';
import { midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const CHICAGO = 'America/Chicago';
const HEAD = 'lease,payer,payee,paid_at,amount,currency,reference';
let folder = '';
let file = '';
let data = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-balance-'));
  file = join(folder, 'farm.yaml');
  writeFileSync(file, `
data: ./data
sites: { north: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:3333", user: u } }
routes: [{ pools: [main] }]
parties: { acme: { name: Acme }, nfx: { name: NFX } }
leases:
  lb:
    { kind: leaseback, lessor: acme, lessee: nfx, machines: { workers: ["acme.*"] }, term: { from: 2026-11-01, to: 2027-11-01 }, timezone: ${CHICAGO}, contracted: 12 PH/s,
      rent: [{ fixed: 0.042 USD/TH/day, payer: nfx, payee: acme }] }
`);
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  ({ data } = config);
  writeMonth(data, { fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2027-03-01', CHICAGO), leases: 'lb', rate: () => 12e15 });
  recordTerms(config);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let atMs = Date.parse('2026-12-01T12:00:00Z');

async function done(...args: readonly string[]): Promise<string> {
  atMs += 3_600_000;
  const { code, out, err } = await run([...args, '--config', file], { nowMs: atMs });
  if (code !== 0) throw new Error(`${args.join(' ')}: ${err}`);
  return out;
}

const issue = (period: string, ...more: readonly string[]): Promise<string> => done('statement', 'issue', '--lease', 'lb', '--period', period, ...more);
const suspend = (fromDay: string, toDay: string): Promise<string> => done('lease', 'suspend', 'lb', '--from', `${fromDay}T06:00Z`, '--to', `${toDay}T06:00Z`, '--by', 'nfx', '--reason', 'agreed', '--amend');

function paid(date: string, amount: string, reference: string): Promise<string> {
  const path = join(folder, `${reference}.csv`);
  writeFileSync(path, `${HEAD}\nlb,nfx,acme,${date},${amount},USD,${reference}\n`);
  return done('payments', 'import', path);
}

/** What nfx should owe: the newest revision of each period up to the statement's, less all that was paid up to its end, as of its issue. */
function owed(chain: readonly IssuedBody[], last: IssuedBody, payments: readonly Payment[]): Exact {
  const newest = new Map(chain.slice(0, chain.indexOf(last) + 1).filter(({ period }) => period.from <= last.period.from).map((each) => [each.period.name, each]));
  const charged = total([...newest.values()].flatMap(({ balance }) => balance.map(({ charges }) => decimal(charges))));
  return minus(charged, total(payments.filter(({ payer }) => payer === 'acme').map(({ amount }) => decimal(amount))));
}

describe('the account of a lease', () => {
  it('November, December, a correction of November, January: each difference once, with payments between', async () => {
    atMs = Date.parse('2027-01-02T12:00:00Z');
    await issue('2026-11');
    await paid('2026-12-10', '15000.00', 'P1');
    await issue('2026-12');
    // Made in November and imported only now.
    await paid('2026-11-20', '100.00', 'LATE');
    await suspend('2026-11-10', '2026-11-12');
    await issue('2026-11', '--correct', 'lb-2026-11/0', '--reason', 'two days');
    atMs = Date.parse('2027-02-02T12:00:00Z');
    await paid('2027-01-10', '16000.00', 'P2');
    await issue('2027-01');
    const [november, december, corrected, january] = issuedStatements(data, 'lb').map(({ issued }) => issued.statement.balance[0]);
    expect([november?.closing, december?.closing, corrected?.charges]).toEqual(['-15141.00', '-15765.00', '-14133.00']);
    const statement = issuedStatements(data, 'lb').at(-1)?.issued.statement;
    expect(statement?.adjustments).toEqual([{ number: 'lb-2026-11/1', of: 'lb-2026-11/0', first: 'acme', second: 'nfx', currency: 'USD', amount: '1008.00' }]);
    expect(statement?.payments.map(({ reference }) => reference)).toEqual(['LATE', 'P2']);
    expect(january).toEqual({ first: 'acme', second: 'nfx', currency: 'USD', opening: '-15765.00', adjustments: '1008.00', charges: '-15624.00', payments: '-16100.00', closing: '-14281.00' });
    // Three months as they stand now, less all that was paid.
    expect(decimalText(plus(total(['-14133.00', '-15624.00', '-15624.00'].map(decimal)), decimal('31100.00')), 2)).toBe(january?.closing);
    // A correction of the middle month counts the corrected one, and then the month after does too.
    await suspend('2026-12-10', '2026-12-11');
    await issue('2026-12', '--correct', 'lb-2026-12/0', '--reason', 'a day');
    atMs = Date.parse('2027-03-02T12:00:00Z');
    await issue('2027-02');
    const february = issuedStatements(data, 'lb').at(-1)?.issued.statement;
    expect(february?.adjustments).toEqual([expect.objectContaining({ number: 'lb-2026-12/1', of: 'lb-2026-12/0', amount: '504.00' })]);
    expect(february?.balance[0]).toMatchObject({ opening: '-14281.00', closing: decimalText(total(['-14281.00', '504.00', '-14112.00'].map(decimal)), 2) });
    const out = join(folder, 'february.json');
    await issue('2027-02', '--out', out);
    expect(readFileSync(out, 'utf8')).toContain('lb-2026-12/1');
  }, 60_000);

  it('has no day twice', async () => {
    await expect(issue('2026-11-05')).rejects.toThrow('2026-11-05 shares days with lb-2026-11/0, which was issued: they would be charged twice');
  });

  it('comes to the newest charges less all payments, in whatever order months are issued, corrected and paid', () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('issue' as const), month: fc.integer({ min: 1, max: 6 }), charge: fc.integer({ min: 0, max: 999 }) }),
      fc.record({ what: fc.constant('pay' as const), month: fc.integer({ min: 1, max: 6 }), amount: fc.integer({ min: 1, max: 999 }) }),
    );
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const chain: IssuedBody[] = [];
      const payments: (Payment & { readonly month: number })[] = [];
      for (const [index, each] of steps.entries()) {
        if (each.what === 'pay') {
          payments.push({ lease: 'lb', payer: 'acme', payee: 'nfx', paidMs: 0, amount: `${each.amount}.00`, currency: 'USD', reference: `R${index}`, month: each.month });
          continue;
        }
        const period = { name: `2026-0${each.month}`, from: `2026-0${each.month}-01T00:00:00.000Z` };
        const { before, adjustments, counted } = openingOf(chain, period);
        const mine = payments.filter(({ reference, month }) => month <= each.month && !counted.has(reference));
        const balance = balanceOf([{ payer: 'acme', payee: 'nfx', currency: 'USD', amount: BigInt(each.charge) * 100n }], before?.balance ?? [], adjustments, mine);
        const revision = chain.filter(({ period: { name } }) => name === period.name).length;
        const statement = { number: `lb-${period.name}/${revision}`, period, adjustments, balance, payments: mine } as unknown as IssuedBody;
        chain.push(statement);
        expect(balance[0]?.closing).toBe(decimalText(owed(chain, statement, payments.filter(({ month }) => month <= each.month)), 2));
      }
    }), { numRuns: 300, seed: 4 });
  });
});
