/** What a grid paid for curtailed hours: a line only where its receiver states it, to whom the contract gives it, conserved, on record and verified. */
import fc from 'fast-check';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Accountant } from '../../../accounting/accountant.ts';
import { excusedTime } from '../../../accounting/leases/excused.ts';
import { ZERO } from '../../../accounting/leases/exact.ts';
import { readAmount } from '../../../accounting/leases/grid.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { valueLease } from '../../../accounting/leases/valuation.ts';
import { journalDirectory } from '../../../accounting/store.ts';
import { localDays, midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { realWorld } from '../../../config/world.ts';
import { run, type Run } from '../../cli/cli-fixture.ts';
import { anyLease, anyWork, dayOf } from './contracts.ts';
import { recordTerms, writeMonth } from './month.ts';

const CHICAGO = 'America/Chicago';
const HOUR = 3_600_000;
const DECEMBER_MS = Date.parse('2026-12-10T12:00:00Z');
const PERIOD = ['--lease', 'acme-leaseback', '--period', '2026-11'];
let folder = '';
let file = '';
let data = '';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wb-grid-'));
  file = join(folder, 'farm.yaml');
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  copyFileSync('examples/leaseback.yaml', file);
  writeFileSync(join(folder, 'settlement.pdf'), 'the settlement');
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  ({ data } = config);
  writeMonth(data, { fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2026-12-01', CHICAGO), leases: 'acme-leaseback', rate: () => 12.5e15 });
  recordTerms(config);
  await run(['lease', 'curtail', 'acme-leaseback', '--from', '2026-11-07T20:00Z', '--to', '2026-11-08T04:00Z', '--by', 'nfx', '--reason', 'dispatch', '--config', file], { nowMs: Date.parse('2026-10-31T12:00Z') });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

let ticks = 0;
/** Each a second after the one before. */
function grid(...args: string[]): Promise<Run> {
  const given = Object.entries({ '--from': '2026-11-07T20:00Z', '--to': '2026-11-08T04:00Z', '--by': 'nfx', '--amount': '9500.00 USD', '--document': join(folder, 'settlement.pdf') });
  const rest = given.flatMap(([name, value]) => (args.includes(name) ? [] : [name, value]));
  return run(['lease', 'grid', 'acme-leaseback', ...args, ...rest, '--reason', 'settled by the grid', '--config', file], { nowMs: DECEMBER_MS - 60_000 + 1000 * (ticks += 1) });
}

async function drafted(): Promise<StatementDraft> {
  const { code, out, err } = await run(['statement', '--config', file, ...PERIOD], { nowMs: DECEMBER_MS });
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as StatementDraft;
}

/** What is in the journals goes into the ledger, and is then there alone. */
function fold(): void {
  const accountant = Accountant.open({ dataDir: data, world: realWorld, isAlive: () => false });
  while (accountant.step() > 0);
  accountant.close();
  rmSync(journalDirectory(data), { recursive: true });
}

const gridLines = ({ lines }: StatementDraft) => lines.filter(({ component }) => component === 'gridPayment');

describe('a grid\'s payment', () => {
  it('is a line from who states it to whom the contract gives it, with both results until it is signed, and verified', async () => {
    const before = await drafted();
    expect(gridLines(before)).toEqual([]);
    expect(await grid()).toMatchObject({ code: 0, out: expect.stringContaining('acme-leaseback was paid for by the grid from 2026-11-07T20:00:00Z to 2026-11-08T04:00:00Z, 9500.00 USD received, stated by nfx: settled by the grid (settlement.pdf, SHA-256 ') });
    const after = await drafted();
    expect(gridLines(after)).toEqual([{ date: '2026-11-07', payer: 'nfx', payee: 'acme', component: 'gridPayment', quantity: '8.000000', unit: 'hour', unitPrice: 'as stated', currency: 'USD', amount: '9500.00', priceInstant: '', priceSource: '' }]);
    expect(after.lines.filter(({ component }) => component !== 'gridPayment')).toEqual(before.lines);
    const usd = (of: Pick<StatementDraft, 'netDue'>): number => Number(of.netDue.find(({ currency }) => currency === 'USD')?.amount);
    expect(usd(after)).toBeCloseTo(usd(before) + 9500, 2);
    expect(after.unamended?.netDue).toEqual(before.netDue);
    expect(after.amendments).toMatchObject([{ event: 'grid-payment', by: 'nfx', signed: false }]);
    expect(after.stated.at(-1)).toMatchObject({ what: 'paid', by: 'nfx', amount: '9500.00 USD' });
    const out = join(folder, 'november.json');
    expect(await run(['statement', 'issue', '--config', file, ...PERIOD, '--out', out], { nowMs: DECEMBER_MS })).toMatchObject({ code: 0, err: '' });
    // The month is in the ledger alone, so that is what it is verified from.
    fold();
    expect(await run(['verify', out, '--data', data], { nowMs: DECEMBER_MS })).toMatchObject({ code: 0, out: expect.stringContaining('What was stated of hours (2) is on record in the ledger.') });
    expect((await run(['statement', '--config', file, ...PERIOD, '--format', 'pdf', '--out', join(folder, 'n.pdf')], { nowMs: DECEMBER_MS })).code).toBe(0);
    writeFileSync(out, readFileSync(out, 'utf8').replaceAll('9500.00', '9000.00'));
    expect(await run(['verify', out, '--data', data], { nowMs: DECEMBER_MS })).toMatchObject({ code: 1, out: expect.stringContaining('no record of what was stated: paid 2026-11-07T20:00:00.000Z') });
  });

  it('is replaced by what the same party says of the same hours later, and is none where it belongs to who received it', async () => {
    await grid();
    expect(await grid('--amount', '9000.50 USD')).toMatchObject({ code: 0 });
    expect(gridLines(await drafted()).map(({ amount }) => amount)).toEqual(['9000.50']);
    expect(await grid('--amount', '0.00 USD')).toMatchObject({ code: 0 });
    expect(gridLines(await drafted())).toEqual([]);
    expect(await grid('--by', 'acme')).toMatchObject({ code: 0 });
    expect(gridLines(await drafted())).toEqual([]);
    expect((await run(['lease', 'show', 'acme-leaseback', '--config', file])).out).toContain('9000.50 USD received');
  });

  it.each([
    [['--to', '2026-11-08T05:00Z'], 'No curtailment is on record for all of 2026-11-07T20:00:00Z to 2026-11-08T05:00:00Z'],
    [['--amount', '9500 EUR'], 'It is owed on in EUR, in which nfx and acme have no account: theirs are in BTC and USD.'],
    [['--amount', '9500.001 USD'], '--amount "9500.001 USD" is no amount such as "9500.00 USD".'],
    [['--by', 'host'], '--by host is not a party of acme-leaseback'],
    [['--document', '/nowhere/x.pdf'], 'The document /nowhere/x.pdf cannot be read (ENOENT).'],
  ])('is refused with a sentence: %j', async (args, sentence) => {
    const refused = await grid(...args);
    expect(refused.code).toBeGreaterThan(0);
    expect(refused.err).toContain(sentence);
    expect((await drafted()).stated).toHaveLength(1);
  });

  it('is for whole hours of a party once: a part of them is not stated beside them', async () => {
    await grid();
    expect(await grid('--to', '2026-11-07T22:00Z')).toMatchObject({ code: 1, err: expect.stringContaining('On record is already what nfx received for 2026-11-07T20:00:00Z to 2026-11-08T04:00:00Z') });
  });
});

describe('valuing it', () => {
  it('changes nothing else, and adds up to zero over random contracts', () => {
    const days = localDays(0, 10 * 24 * HOUR, 'UTC');
    const anyPayments = fc.array(fc.record({ from: fc.nat(12 * 24), hours: fc.integer({ min: 1, max: 30 }), by: fc.constantFrom('acme', 'nfx', 'host'), amount: fc.bigInt(0n, 10n ** 9n), currency: fc.constantFrom('USD', 'BTC') }), { maxLength: 5 });
    fc.assert(fc.property(anyLease, fc.array(anyWork, { minLength: 10, maxLength: 10 }), anyPayments, (lease, work, drawn) => {
      const measured = days.map((day, index) => dayOf(day, work[index] ?? {}));
      const payments = drawn.map(({ from, hours, ...rest }) => ({ ...rest, fromMs: from * HOUR, toMs: (from + hours) * HOUR }));
      const excused = excusedTime([], 0, []);
      const [without, found] = [valueLease(lease, measured, excused, ZERO), valueLease(lease, measured, excused, ZERO, payments)];
      const ours = found.lines.filter(({ component }) => component === 'gridPayment');
      expect(found.lines.filter(({ component }) => component !== 'gridPayment')).toEqual(without.lines);
      const meant = lease.curtailment === undefined ? [] : payments.filter(({ by, amount, toMs }) => by !== lease.curtailment?.creditTo && amount > 0n && toMs <= 240 * HOUR);
      expect(ours.map(({ payer, amount, currency }) => [payer, amount, currency])).toEqual(meant.map(({ by, amount, currency }) => [by, amount, currency]));
      for (const currency of ['USD', 'BTC', 'EUR']) expect(found.entries.reduce((sum, entry) => (entry.currency === currency ? sum + entry.amount : sum), 0n)).toBe(0n);
    }), { numRuns: 100 });
  });

  it('reads amounts to the last place of their currency', () => {
    expect([readAmount('9500.5 USD'), readAmount('0.00000001 BTC'), readAmount('0.00 USD')]).toEqual([{ amount: 950_050n, currency: 'USD' }, { amount: 1_000_000_000n, currency: 'BTC' }, { amount: 0n, currency: 'USD' }]);
    for (const wrong of ['', 'USD', '9500', '-1 USD', '1.001 USD', '1e3 USD', '1 usd']) expect(readAmount(wrong)).toBeUndefined();
  });
});
