/** A period in which terms change: each part is settled by its own, whoever cuts where; what is shown, issued and verified says so. */
import fc from 'fast-check';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { excusedTime } from '../../../accounting/leases/excused.ts';
import { ZERO } from '../../../accounting/leases/exact.ts';
import { leaseHistory } from '../../../accounting/leases/history.ts';
import type { IssuedBody, IssuedStatement } from '../../../accounting/leases/issue.ts';
import { recordFindings } from '../../../accounting/leases/on-record.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { valueLease, valueParts } from '../../../accounting/leases/valuation.ts';
import { localDays, midnightMs } from '../../../config/calendar.ts';
import type { Config } from '../../../config/schema.ts';
import { run } from '../../cli/cli-fixture.ts';
import { anyLease, anyWork, dayOf } from './contracts.ts';
import { leasebackFile, rewrite } from './farm-file.ts';
import { recordTerms, writeMonth } from './month.ts';

const CHICAGO = 'America/Chicago';
const DECEMBER = { nowMs: Date.parse('2026-12-10T12:00:00Z') };
const PERIOD = ['--lease', 'acme-leaseback', '--period', '2026-11'];
let folder = '';
let file = '';
let text = '';
let data = '';

const write = (yaml: string): Config => rewrite(file, yaml);

beforeEach(() => {
  ({ folder, file, text } = leasebackFile('parts'));
  const config = write(text);
  ({ data } = config);
  writeMonth(data, { fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2026-12-01', CHICAGO), leases: 'acme-leaseback', rate: () => 11e15 });
  recordTerms(config);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const amend = (effective: string, laterMs = 0) => run(['lease', 'amend', 'acme-leaseback', '--effective', effective, '--by', 'nfx', '--reason', 'agreed', '--config', file], { nowMs: DECEMBER.nowMs + laterMs });

async function drafted(): Promise<StatementDraft> {
  return JSON.parse((await run(['statement', '--config', file, ...PERIOD], DECEMBER)).out) as StatementDraft;
}

describe('an amendment within a month', () => {
  it('settles the days before it as before, those from it on by the new terms, and is verified', async () => {
    const before = await drafted();
    expect(before.parts).toEqual([]);
    write(text.replace('contracted: 12.5 PH/s', 'contracted: 10 PH/s').replace('fixed: 0.042', 'fixed: 0.05'));
    expect(await amend('2026-11-12T07:00Z')).toMatchObject({ code: 1, err: expect.stringContaining('--effective must be a midnight in America/Chicago, such as 2026-11-12T06:00:00Z') });
    expect(await amend('2026-11-12T06:00Z')).toMatchObject({ code: 0 });
    const after = await drafted();
    expect(after.parts.map(({ from, contract }) => [from, contract.lease.contracted])).toEqual([['2026-11-01', '12500000000000000'], ['2026-11-12', '10000000000000000']]);
    expect(after.contracted).toBe('12.5 PH/s, from 2026-11-12 10 PH/s');
    expect(after.days.slice(0, 11)).toEqual(before.days.slice(0, 11));
    expect(after.days.slice(11).map(({ contracted, delivered }) => [contracted, delivered])).toEqual(before.days.slice(11).map(({ delivered }) => ['10000.000000', delivered]));
    expect(after.service.map(({ date, ratio }) => [date, Number(ratio).toFixed(2)])).toEqual([['2026-11-01 to 2026-11-11', '0.88'], ['2026-11-12 to 2026-11-30', '1.10']]);
    const fixed = after.lines.filter(({ component }) => component === 'fixed');
    expect(fixed.map(({ unitPrice }) => unitPrice)).toEqual([...Array.from({ length: 11 }, () => '0.042'), ...Array.from({ length: 19 }, () => '0.05')]);
    // Only the first part misses its target: the credit is of its rent alone.
    expect(after.lines.filter(({ component }) => component === 'serviceCredit').map(({ date }) => date)).toEqual(['2026-11-01 to 2026-11-11']);
    expect(after.unamended).toMatchObject({ netDue: before.netDue, termsDigest: before.termsDigest });
    const out = join(folder, 'november.json');
    expect(await run(['statement', 'issue', '--config', file, ...PERIOD, '--out', out], DECEMBER)).toMatchObject({ code: 0, err: '' });
    expect(await run(['verify', out, '--data', data], DECEMBER)).toMatchObject({ code: 0, out: expect.stringContaining('Every figure of 30 days and ') });
    expect((await run(['statement', '--config', file, ...PERIOD, '--format', 'pdf', '--out', join(folder, 'november.pdf')], DECEMBER)).code).toBe(0);
    const { statement } = JSON.parse(readFileSync(out, 'utf8')) as IssuedStatement;
    const wrong = (change: Partial<IssuedBody>): string[] => recordFindings({ statement: { ...statement, ...change } } as IssuedStatement, leaseHistory(data), 'ledger').filter(({ ok }) => !ok).map(({ sentence }) => sentence);
    expect(wrong({})).toEqual([]);
    expect(wrong({ parts: [] })).toEqual(['It settles the period by one set of terms, and on record are terms from 2026-11-01 and from 2026-11-12.']);
    expect(wrong({ parts: statement.parts.map((part) => ({ ...part, from: part.from.replace('12', '13') })) })).toEqual([expect.stringContaining('terms from 2026-11-01 and from 2026-11-13, and on record are terms from')]);
    const [first, second] = statement.parts;
    if (first === undefined || second === undefined) throw new Error('there are two parts');
    expect(wrong({ parts: [{ ...first, contract: { ...first.contract, lease: second.contract.lease } }, second] })).toEqual([expect.stringContaining('Its terms from 2026-11-01 are not those on record: contracted is 10 PH/s in the statement and 12.5 PH/s on record')]);
  });

  it('that a later one of the same day replaces leaves one change; a termination before it leaves none', async () => {
    write(text.replace('contracted: 12.5 PH/s', 'contracted: 10 PH/s'));
    await amend('2026-11-12T06:00Z');
    write(text.replace('contracted: 12.5 PH/s', 'contracted: 11 PH/s'));
    expect(await amend('2026-11-12T06:00Z', 1000)).toMatchObject({ code: 0 });
    expect((await drafted()).contracted).toBe('12.5 PH/s, from 2026-11-12 11 PH/s');
    await run(['lease', 'terminate', 'acme-leaseback', '--at', '2026-11-09T12:00Z', '--by', 'acme', '--reason', 'sold', '--amend', '--config', file], DECEMBER);
    const ended = await drafted();
    expect([ended.contracted, ended.parts, ended.days.length]).toEqual(['12.5 PH/s', [], 9]);
  });

  it('may not change what a month is', async () => {
    write(text.replace('timezone: America/Chicago', 'timezone: America/Denver'));
    expect(await amend('2026-11-12T07:00Z')).toMatchObject({ code: 1, err: expect.stringContaining('must hold from the beginning of a month, such as 2026-11-01T06:00:00Z') });
  });
});

describe('valuing in parts', () => {
  const days = localDays(midnightMs('2026-11-01', 'UTC'), midnightMs('2026-11-15', 'UTC'), 'UTC');

  it('is valuing each part alone, conserves every currency, and of one part is the whole', () => {
    const works = fc.array(anyWork, { minLength: days.length, maxLength: days.length });
    fc.assert(fc.property(anyLease, anyLease, works, fc.integer({ min: 1, max: days.length - 1 }), (left, right, drawn, cut) => {
      const measured = days.map((day, index) => dayOf(day, drawn[index]));
      const excused = excusedTime([], 0, []);
      const [a, b] = [{ ...left, timezone: 'UTC' }, { ...right, timezone: 'UTC' }];
      expect(valueParts([{ lease: a, days: days.length }], measured, excused, ZERO)).toEqual(valueLease(a, measured, excused, ZERO));
      const joined = valueParts([{ lease: a, days: cut }, { lease: b, days: days.length - cut }], measured, excused, ZERO);
      const first = valueLease(a, measured.slice(0, cut), excused, ZERO);
      const second = valueLease(b, measured.slice(cut), excused, first.carriedOut);
      expect(joined.days).toEqual([...first.days, ...second.days]);
      expect(joined.lines.map(({ amount }) => amount)).toEqual([...first.lines, ...second.lines].map(({ amount }) => amount));
      expect(joined.lines.every(({ date }) => date !== '')).toBe(true);
      expect(joined.carriedOut).toEqual(second.carriedOut);
      const sums = new Map<string, bigint>();
      for (const { currency, amount } of joined.entries) sums.set(currency, (sums.get(currency) ?? 0n) + amount);
      expect([...sums.values()].every((sum) => sum === 0n)).toBe(true);
      expect(joined.value).toBe(first.value + second.value);
    }), { numRuns: 60 });
  });
});
