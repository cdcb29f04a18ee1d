/** Statements: drafts are the same bytes for the same ledger; issued ones are numbered, signed, chained, corrected, verified. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { draft } from '../../../accounting/leases/draft.ts';
import { decimal, decimalText, total } from '../../../accounting/leases/exact.ts';
import { verifyFigures } from '../../../accounting/leases/figures.ts';
import { NOT_AT_HAND } from '../../../accounting/leases/imported.ts';
import { proveInventory } from '../../../accounting/leases/inventory-proof.ts';
import { leaseHistory } from '../../../accounting/leases/history.ts';
import { stateOf } from '../../../accounting/leases/agreement.ts';
import { issuedStatements, type IssuedStatement } from '../../../accounting/leases/issue.ts';
import { issueStatement } from './issuing.ts';
import { keyProblem, listKeys, rotateKey, signingKey } from '../../../accounting/leases/keys.ts';
import { dayPrices, parsePrices } from '../../../accounting/leases/prices.ts';
import { STATEMENT_CSV_HEAD, statementCsvRows } from '../../../accounting/leases/statement-csv.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { readIssued, verifyIssued } from '../../../accounting/leases/verify.ts';
import { LocalBook } from '../../../accounting/local-book.ts';
import { midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/schema.ts';
import { realWorld, seededRandom, type World } from '../../../config/world.ts';
import { run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const CHICAGO = 'America/Chicago';
const fromMs = midnightMs('2026-11-01', CHICAGO);
const toMs = midnightMs('2026-12-01', CHICAGO);
const JANUARY_MS = Date.parse('2027-01-05T12:00:00Z');
const world: World = { ...realWorld, wallMs: () => JANUARY_MS, random: seededRandom(5) };

let folder = '';
let file = '';
let config: Config;

/** The examples' leaseback with its data in a folder of the test. Half of the machines are lost at noon of the 12th. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-statement-'));
  file = join(folder, 'farm.yaml');
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  writeFileSync(file, readFileSync('examples/leaseback.yaml', 'utf8').replace('- { pools: [main] }', '- { match: { worker: "acme.*" }, lessee: nfx, pools: [main] }\n  - { pools: [main] }'));
  const loaded = loadConfig(file);
  if (loaded.config === undefined) throw new Error(JSON.stringify(loaded.problems));
  ({ config } = loaded);
  const fireHour = (midnightMs('2026-11-12', CHICAGO) + 12 * 3_600_000) / 3_600_000;
  const noon = (hour: number): number => (hour < fireHour ? 12.6e15 : 6.2e15);
  writeMonth(
    config.data,
    { fromMs, toMs, leases: 'acme-leaseback', rate: noon, dark: (hour) => hour === fireHour + 100 },
    { fromMs, toMs, leases: 'other', rate: () => 1e15, seed: 9, dark: (hour) => hour === fireHour + 100 },
    { fromMs: toMs, toMs: midnightMs('2027-01-01', CHICAGO), leases: 'acme-leaseback,host-north', rate: () => 12.5e15 },
  );
  recordTerms(config);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function drafted(period = '2026-11', nowMs = JANUARY_MS, lease = 'acme-leaseback'): Promise<StatementDraft> {
  const book = LocalBook.open(config.data);
  const result = await draft(config, { lease, period, nowMs }, book, issuedStatements(config.data, lease));
  book.close();
  if ('refused' in result) throw new Error(result.refused);
  return result;
}

describe('a draft', () => {
  it('is the same bytes for the same ledger', async () => {
    expect(JSON.stringify(await drafted())).toBe(JSON.stringify(await drafted()));
  });

  it('has the days of the month in the lease\'s zone, the fall from 25 hours on, and who owes what', async () => {
    const statement = await drafted();
    expect(statement.days).toHaveLength(30);
    expect(statement.days[0]).toMatchObject({ date: '2026-11-01', hours: '25.0000', contracted: '13020.833333' });
    expect(statement.days[1]).toMatchObject({ hours: '24.0000', contracted: '12500.000000', installed: '1008.000000', observedHours: '24.0000' });
    const ratios = statement.days.map(({ ratio }) => Number(ratio));
    for (const ratio of ratios.slice(0, 11)) expect(ratio).toBeCloseTo(1.006, 1);
    for (const ratio of ratios.slice(12)) expect(ratio).toBeLessThan(0.53);
    expect(statement.components.map(({ component }) => component)).toEqual(['fixed', 'revenueShare', 'serviceCredit']);
    // 30 days and an hour of 12,500 TH/s at 0.042: each day's line is rounded by itself.
    expect(statement.components[0]).toMatchObject({ payer: 'nfx', payee: 'acme', amount: '15771.88', currency: 'USD' });
    // The credit is due from the performer; it is capped at half of the rent from ten points times ten percent on.
    const [measure] = statement.service;
    expect(Number(measure?.ratio)).toBeGreaterThan(0.65);
    expect(measure?.creditOfRent).toBe('0.500000');
    expect(statement.components[2]).toMatchObject({ payer: 'nfx', payee: 'acme', amount: '7885.94' });
  });

  it('adds up: lines to components, entries to zero, days to the total', async () => {
    const statement = await drafted();
    for (const component of statement.components) {
      const lines = statement.lines.filter((line) => line.component === component.component);
      expect(decimalText(total(lines.map(({ amount }) => decimal(amount))), component.currency === 'BTC' ? 17 : 2)).toBe(component.amount);
    }
    for (const currency of ['USD', 'BTC']) expect(total(statement.entries.filter((entry) => entry.currency === currency).map(({ amount }) => decimal(amount))).numerator).toBe(0n);
    expect(Number(decimalText(total(statement.days.map(({ delivered }) => decimal(delivered))), 3))).toBeCloseTo(Number(statement.total.delivered), 3);
    // The value of a day is one figure, wherever it stands, and the days add up to the last digit.
    expect(statement.days.map(({ expected }) => expected)).toEqual(statement.lines.filter(({ component }) => component === 'revenueShare').map(({ quantity }) => quantity));
    expect(decimalText(total(statement.days.map(({ expected }) => decimal(expected))), 17)).toBe(statement.total.expected);
    expect(statement.total.expected).toBe(statement.value.amount);
    const share = Number(statement.components[1]?.amount) / Number(statement.value.amount);
    expect(share).toBeCloseTo(0.35 * 0.99, 10);
  });

  it('says what is missing in it', async () => {
    const { completeness } = await drafted();
    expect(completeness).toContain('Not observed, and so unmeasured: 2026-11-16 (1.00 h).');
    expect(completeness).toContainEqual(expect.stringContaining('journaled when each share arrived'));
    expect((await drafted('2026-11', Date.parse('2026-11-20T12:00:00Z'))).completeness.join(' ')).toContain('The period is not over: this covers it up to 2026-11-19');
  });

  it('keeps to the term and to days that are over, and refuses else with a sentence', async () => {
    await expect(drafted('2026-10')).rejects.toThrow('2026-10 has no day of the lease');
    await expect(drafted('2027-02')).rejects.toThrow('no day of 2027-02 is over yet');
    await expect(drafted('soon')).rejects.toThrow('is not a month such as');
    await expect(drafted('2026-11', JANUARY_MS, 'other')).rejects.toThrow('there is acme-hosting, acme-leaseback');
    expect((await drafted('2026-11-01')).days.map(({ date }) => date)).toEqual(['2026-11-01']);
  });

  it('has a row for each line in CSV', async () => {
    const statement = await drafted();
    const rows = statementCsvRows(statement);
    expect(rows).toHaveLength(61);
    expect(rows[0]).toEqual(['draft', 0, 'acme-leaseback', 'SLB-2026-014', '2026-11-01T05:00:00.000Z', '2026-12-01T06:00:00.000Z', '2026-11-01', 'nfx', 'acme', 'fixed', '13020.833333', 'TH·day', '0.042', 'USD', '546.88', '', '']);
    expect(rows[0]).toHaveLength(STATEMENT_CSV_HEAD.length);
  });
});

describe('prices', () => {
  it('are the latest of the day, in its zone, and missing where there is none', () => {
    const parsed = parsePrices('instant,pair,price,source\n2026-11-02T00:00:00Z,BTC/USD,90000.5,x\n2026-11-01T12:00:00Z,BTC/USD,89000,x\n2026-11-03T00:00:01Z,BTC/USD,91000,x\n');
    if ('problem' in parsed) throw new Error(parsed.problem);
    const found = dayPrices(parsed.rows, ['2026-11-01', '2026-11-02'], 'UTC');
    expect(found.prices).toEqual([{ date: '2026-11-01', pair: 'BTC/USD', price: '90000.5', instant: '2026-11-02T00:00:00.000Z', source: 'x' }]);
    expect(found.missing).toEqual(['2026-11-02']);
    expect(parsePrices('instant,pair,price,source\n2026-11-31T00:00:00Z,BTC/USD,1,x\n')).toEqual({ problem: expect.stringContaining('has in line 2 the instant "2026-11-31') });
    expect(parsePrices('instant,pair,price,source\nnoon,BTC/USD,1,x\n')).toEqual({ problem: expect.stringContaining('has in line 2 the instant "noon"') });
  });
});

describe('an issued statement', () => {
  it('is numbered, signed and chained; issuing again gives the same bytes', async () => {
    const key = signingKey(config.data, world);
    const november = issueStatement(config.data, await drafted(), key, JANUARY_MS);
    expect(november.issued.statement).toMatchObject({ number: 'acme-leaseback-2026-11/0', state: 'issued', previous: null, correction: null });
    const again = issueStatement(config.data, await drafted('2026-11', JANUARY_MS + 1e9), key, JANUARY_MS + 1e9);
    expect(again.text).toBe(november.text);
    expect(readFileSync(again.file, 'utf8')).toBe(november.text);

    const december = issueStatement(config.data, await drafted('2026-12'), key, JANUARY_MS);
    expect(december.issued.statement.previous).toEqual({ number: 'acme-leaseback-2026-11/0', digest: november.issued.digest });
    const usd = (of: 'opening' | 'charges' | 'closing'): string | undefined => december.issued.statement.balance.find(({ currency }) => currency === 'USD')?.[of];
    expect(usd('opening')).toBe(november.issued.statement.balance.find(({ currency }) => currency === 'USD')?.closing);
    expect(decimalText(total([decimal(usd('opening') ?? ''), decimal(usd('charges') ?? '')]), 2)).toBe(usd('closing'));
  });

  it('is corrected by a revision that shows old, new and difference', async () => {
    const fixed = { ...(await drafted()) };
    const lines = fixed.lines.map((line) => (line.component === 'serviceCredit' ? { ...line, amount: '7000.00' } : line));
    const key = signingKey(config.data, world);
    expect(() => issueStatement(config.data, fixed, key, JANUARY_MS, { number: 'acme-leaseback-2026-11/7', reason: 'x' })).toThrow('is not the newest statement of acme-leaseback for 2026-11: that is acme-leaseback-2026-11/0');
    const corrected = issueStatement(config.data, { ...fixed, lines }, key, JANUARY_MS, { number: 'acme-leaseback-2026-11/0', reason: 'the 16th was curtailed' });
    expect(corrected.issued.statement).toMatchObject({ number: 'acme-leaseback-2026-11/1', revision: 1 });
    expect(corrected.issued.statement.correction).toEqual({
      of: 'acme-leaseback-2026-11/0', reason: 'the 16th was curtailed',
      lines: [{ line: ' serviceCredit nfx acme USD', currency: 'USD', old: '7885.94', new: '7000.00', difference: '-885.94' }],
    });
    const all = issuedStatements(config.data, 'acme-leaseback');
    expect(all.map((each) => stateOf(each, all, JANUARY_MS))).toEqual(['superseded', 'issued', 'issued']);
    expect(all.map((each) => stateOf(each, all, JANUARY_MS + 30 * 86_400_000))).toEqual(['superseded', 'final', 'final']);
  });

  it('is verified: signature, keys, chain, and every figure from the ledger', async () => {
    const all = issuedStatements(config.data, 'acme-leaseback').map(({ issued }) => issued);
    const december = all[1];
    if (december === undefined) throw new Error('December was issued');
    expect(verifyIssued(december, all, listKeys(config.data)).map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    const book = LocalBook.open(config.data);
    const atHand = { book, source: 'ledger', history: leaseHistory(config.data), others: all, imported: NOT_AT_HAND, inventory: proveInventory(december, [config.data]) } as const;
    expect(await verifyFigures(december, atHand)).toEqual([{ ok: true, sentence: expect.stringContaining('31 days and 62 lines agrees') }, { ok: true, sentence: 'Taken as it says: what the inventory says of machines.' }]);
    const [wrong] = await verifyFigures(all[2] ?? december, atHand);
    expect(wrong).toEqual({ ok: false, sentence: 'The ledger says otherwise of serviceCredit amount, correction.lines.0.' });
    book.close();
  });

  it('is found out when it, its key or what came before it was changed', () => {
    const all = issuedStatements(config.data, 'acme-leaseback').map(({ text }) => text);
    const parse = (text: string): IssuedStatement => {
      const issued = readIssued(text);
      if (issued === undefined) throw new Error('this is a statement');
      return issued;
    };
    const [november, december] = [parse(all[0] ?? ''), parse(all[1] ?? '')];
    const keys = listKeys(config.data);
    const changed = parse((all[1] ?? '').replace('"contracted": "12.5 PH/s"', '"contracted": "12.6 PH/s"'));
    expect(verifyIssued(changed, [november], keys).filter(({ ok }) => !ok).map(({ sentence }) => sentence)).toEqual([
      'The digest is not that of the statement: it was changed after it was issued.', `The signature is not by the key ${keys[0]?.id} that it names.`,
    ]);
    const other = parse((all[0] ?? '').replace('"revision": 0', '"revision": 3'));
    expect(verifyIssued(december, [other], keys).map(({ ok }) => ok)).toEqual([true, true, true, false]);
    const stranger = { ...december, signature: { ...december.signature, key: '0000000000000000' } };
    expect(verifyIssued(stranger, [], keys)[2]).toEqual({ ok: false, sentence: 'Key 0000000000000000 does not have the id of its bytes.' });
    expect(readIssued('{}')).toBeUndefined();
    expect(readIssued('not JSON')).toBeUndefined();
  });

  it('is signed by a key that the one before it signed; secrets are their owner\'s alone', () => {
    const second = rotateKey(config.data, world);
    const keys = listKeys(config.data);
    expect(keys).toHaveLength(2);
    expect(keys[1]).toMatchObject({ id: second.record.id, signedBy: keys[0]?.id });
    expect(keyProblem(keys)).toBeUndefined();
    expect(keyProblem([keys[0], { ...keys[1], createdAt: '2000-01-01T00:00:00.000Z' }] as never)).toContain('is not signed by key');
    expect(keyProblem([{ ...keys[0], publicKey: keys[1]?.publicKey }] as never)).toContain('does not have the id of its bytes');
    expect(statSync(join(config.data, 'keys', '0002.pem')).mode & 0o777).toBe(0o600);
    expect(signingKey(config.data, world).record).toEqual(second.record);
  });
});

describe('the commands', () => {
  const at = { nowMs: JANUARY_MS };

  it('lease list, show and check say who pays whom, what for', async () => {
    const list = await run(['lease', '--config', file], at);
    expect(list.out).toMatch(/acme-leaseback +leaseback +Acme Capital LLC +NFX Operations Inc +12\.5 PH\/s +2026-11-01 +2027-11-01 +in force/);
    const show = await run(['lease', 'show', '--config', file, '--lease', 'acme-leaseback'], at);
    expect(show.out).toContain('Acme Capital LLC leases the machines with worker names acme.* to NFX Operations Inc, from 2026-11-01 to 2027-10-31, days of America/Chicago.');
    expect(show.out).toContain('NFX Operations Inc pays Acme Capital LLC 0.042 USD for each contracted TH/s and day: 525.00 USD a day.');
    expect(show.out).toContain('NFX Operations Inc credits Acme Capital LLC 10% of the fixed rent for each percentage point and part of one below, at most 50% of it.');
    const check = await run(['lease', 'check', '--config', file, '--lease', 'acme-hosting'], at);
    expect(check.out).toContain('4 machines of the inventory now (acme.n001, acme.n002, acme.s001, acme.s002): 1.008 PH/s by their plates, 8% of what is contracted.');
    expect(await run(['lease', 'show', '--config', file, '--lease', 'acme'], at)).toMatchObject({ code: 1, err: expect.stringContaining('there is acme-hosting, acme-leaseback') });
    expect(await run(['lease', 'soon', '--config', file], at)).toMatchObject({ code: 2 });
  });

  it('statement prints drafts and issues, verify and keys check them', async () => {
    const json = await run(['statement', '--config', file, '--lease', 'acme-hosting', '--period', '2026-11'], at);
    expect(JSON.parse(json.out)).toMatchObject({ number: 'draft', lease: 'acme-hosting' });
    const csv = await run(['statement', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-12', '--format', 'csv'], at);
    expect(csv.out.split('\r\n')[0]).toBe(STATEMENT_CSV_HEAD.join(','));
    const out = join(folder, 'december.json');
    const issue = ['statement', 'issue', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-12'];
    expect((await run([...issue, '--out', out], at)).code).toBe(0);
    expect((await run(issue, at)).out).toBe(readFileSync(out, 'utf8'));
    expect(await run(['verify', out, '--data', config.data], at)).toMatchObject({ code: 0, out: expect.stringContaining('acme-leaseback-2026-12/0 is right.') });
    writeFileSync(out, readFileSync(out, 'utf8').replaceAll('nfx', 'nfy'));
    expect(await run(['verify', out, '--data', join(config.data, 'nowhere')], at)).toMatchObject({ code: 1, err: expect.stringMatching(/^--data .*nowhere is no directory\.\n$/) });
    expect(await run(['verify', out], at)).toMatchObject({ code: 1, out: expect.stringContaining('is wrong.') });
    expect(await run([...issue.slice(0, -1), '2027-01'], at)).toMatchObject({ code: 1, err: expect.stringContaining('2027-01 is not over in America/Chicago') });
    expect((await run(['statement', 'list', '--config', file, '--lease', 'acme-leaseback'], at)).out).toContain('superseded');
    expect((await run(['keys', '--config', file], at)).out).toContain(listKeys(config.data)[1]?.id);
    expect(await run(['statement', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11', '--format', 'pdf2'], at)).toMatchObject({ code: 2 });
  });
});
