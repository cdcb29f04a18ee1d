/** Time in which nobody observed: borne by the performer unless the contract excuses it; told apart in statements, changed by amendment only, found again by verify. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { excusedTime } from '../../../accounting/leases/excused.ts';
import { ZERO } from '../../../accounting/leases/exact.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { digestOf, leaseTerms } from '../../../accounting/leases/terms.ts';
import { valueLease } from '../../../accounting/leases/valuation.ts';
import { midnightMs } from '../../../config/calendar.ts';
import type { Config } from '../../../config/schema.ts';
import { run, type Run } from '../../cli/cli-fixture.ts';
import { dayOf, leaseOf } from './contracts.ts';
import { leasebackFile, rewrite } from './farm-file.ts';
import { recordTerms, writeMonth } from './month.ts';

const CHICAGO = 'America/Chicago';
const HOUR = 3_600_000;
const DECEMBER = { nowMs: Date.parse('2026-12-10T12:00:00Z') };
const PERIOD = ['--lease', 'acme-leaseback', '--period', '2026-11'];
const CONTRACTED = 'contracted: 12.5 PH/s';
const EXCUSED = `${CONTRACTED}\n    unmeasured: excused`;
let folder = '';
let file = '';
let text = '';
let data = '';

const write = (yaml: string): Config => rewrite(file, yaml);

/** The whole rate but for 36 hours, from 18:00 of the 5th and of the 20th on, in which no proxy ran. */
beforeEach(() => {
  ({ folder, file, text } = leasebackFile('unmeasured'));
  const config = write(text);
  ({ data } = config);
  const dark = ['2026-11-05', '2026-11-20'].map((date) => midnightMs(date, CHICAGO) / HOUR + 18);
  writeMonth(data, {
    fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2026-12-01', CHICAGO), leases: 'acme-leaseback', rate: () => 12.5e15,
    dark: (hour) => dark.some((from) => hour >= from && hour < from + 36),
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lease = (...args: string[]): Promise<Run> => run(['lease', ...args, '--config', file], DECEMBER);

async function drafted(): Promise<StatementDraft> {
  const { code, out, err } = await run(['statement', '--config', file, ...PERIOD], DECEMBER);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as StatementDraft;
}

describe('the terms', () => {
  it('of before there was a choice are those of the performer, under the same digest; another choice is another digest', () => {
    const termsBy = (more: string) => leaseTerms(write(text.replace(CONTRACTED, more))).find(({ id }) => id === 'acme-leaseback');
    const [silent, performer, excused] = [termsBy(CONTRACTED), termsBy(`${CONTRACTED}\n    unmeasured: performer`), termsBy(EXCUSED)];
    expect(Object.keys(JSON.parse(JSON.stringify(silent?.lease)) as object)).not.toContain('unmeasured');
    expect(digestOf(performer)).toBe(digestOf(silent));
    expect(digestOf(excused)).not.toBe(digestOf(silent));
  });

  it('say in a sentence who bears it, and refuse what is no choice', async () => {
    expect((await lease('show', 'acme-leaseback')).out).toContain('Time in which nobody observed is owed, and nothing counts as delivered in it.');
    write(text.replace(CONTRACTED, EXCUSED));
    expect((await lease('show', 'acme-leaseback')).out).toContain('Time in which nobody observed, because no proxy process ran, is not owed; fixed rent stays due for it.');
    writeFileSync(file, text.replace(CONTRACTED, `${CONTRACTED}\n    unmeasured: nobody`));
    expect(await run(['check', '--config', file])).toMatchObject({ code: 1, out: expect.stringContaining('unmeasured must be one of performer, excused') });
  });
});

describe('a month with 72 hours that nobody observed', () => {
  it('is owed in full where the performer bears them', async () => {
    recordTerms(write(text));
    const { total, days, completeness } = await drafted();
    expect([total.owed, total.observedHours, total.excusedUnmeasuredHours]).toEqual([total.contracted, '649.0000', '0.0000']);
    expect(Number(total.ratio)).toBeCloseTo(0.9, 2);
    expect(days[5]).toMatchObject({ date: '2026-11-06', observedHours: '0.0000', ratio: '0.000000' });
    expect(completeness.join(' ')).not.toContain('Excused');
  });

  it('owes the other hours where they are excused, tells so, leaves fixed rent due, and is verified', async () => {
    recordTerms(write(text));
    const borne = await drafted();
    recordTerms(write(text.replace(CONTRACTED, EXCUSED)), Date.parse('2026-10-30T13:00Z'));
    expect(await lease('suspend', 'acme-leaseback', '--from', '2026-11-06T06:00Z', '--to', '2026-11-06T16:00Z', '--by', 'nfx', '--reason', 'works', '--amend')).toMatchObject({ code: 0 });
    const excused = await drafted();
    const { total, days } = excused;
    expect([total.suspendedHours, total.excusedUnmeasuredHours, total.observedHours]).toEqual(['10.0000', '62.0000', '649.0000']);
    expect(days[4]).toMatchObject({ date: '2026-11-05', excusedUnmeasuredHours: '6.0000', owed: '9375.000000' });
    expect(days[5]).toMatchObject({ excusedUnmeasuredHours: '14.0000', suspendedHours: '10.0000', owed: '0.000000', ratio: null });
    expect(Number(total.ratio)).toBeCloseTo(1, 2);
    expect(excused.unamended?.ratio).toBe(total.ratio);
    expect(excused.service[0]?.shortfallBeyondNoise).toBe('0.000000');
    const rent = (of: StatementDraft, date: string): string[] => of.lines.filter((line) => line.component === 'fixed' && line.date === date).map(({ amount }) => amount);
    expect(rent(excused, '2026-11-20')).toEqual(rent(borne, '2026-11-20'));
    expect(excused.completeness).toContain('Excused as unmeasured, and so not owed: 2026-11-05 (6.00 h), 2026-11-06 (14.00 h), 2026-11-07 (6.00 h), 2026-11-20 (6.00 h), 2026-11-21 (24.00 h), 2026-11-22 (6.00 h).');
    expect(excused.downtime.filter(({ observed }) => observed === 'No proxy process observed: unmeasured.').map(({ from, to }) => [from, to])).toEqual([
      ['2026-11-06T00:00:00.000Z', '2026-11-07T12:00:00.000Z'], ['2026-11-21T00:00:00.000Z', '2026-11-22T12:00:00.000Z'],
    ]);
    const out = join(folder, 'november.json');
    expect(await run(['statement', 'issue', '--config', file, ...PERIOD, '--out', out], DECEMBER)).toMatchObject({ code: 0, err: '' });
    expect(await run(['verify', out, '--data', data], DECEMBER)).toMatchObject({ code: 0, out: expect.stringContaining('Every figure of 30 days and ') });
    expect(await run(['statement', '--config', file, ...PERIOD, '--format', 'pdf', '--out', join(folder, 'november.pdf')], DECEMBER)).toMatchObject({ code: 0 });
    writeFileSync(out, readFileSync(out, 'utf8').replaceAll('"excusedUnmeasuredHours": "24.0000"', '"excusedUnmeasuredHours": "12.0000"'));
    expect(await run(['verify', out, '--data', data], DECEMBER)).toMatchObject({ code: 1, out: expect.stringContaining('The ledger says otherwise of 2026-11-21 ') });
  });

  it('becomes excused by an amendment only, from its effect on: the part before stays owed', async () => {
    recordTerms(write(text));
    write(text.replace(CONTRACTED, EXCUSED));
    expect(await run(['check', '--config', file], DECEMBER)).toMatchObject({ code: 1, out: expect.stringContaining('has other terms (unmeasured)') });
    expect(await lease('amend', 'acme-leaseback', '--effective', '2026-11-12T06:00Z', '--by', 'nfx', '--reason', 'the proxy is now run by Acme')).toMatchObject({ code: 0 });
    const { parts, days, service, unamended } = await drafted();
    expect(parts.map(({ from, contract }) => [from, contract.lease.unmeasured])).toEqual([['2026-11-01', undefined], ['2026-11-12', 'excused']]);
    expect(days.map(({ excusedUnmeasuredHours }) => Number(excusedUnmeasuredHours)).filter((hours) => hours > 0)).toEqual([6, 24, 6]);
    expect(days[5]?.ratio).toBe('0.000000');
    expect(service.map(({ ratio }) => Number(ratio).toFixed(2))).toEqual(['0.86', '1.00']);
    expect(Number(unamended?.ratio)).toBeCloseTo(0.9, 2);
  });
});

describe('valuing it', () => {
  it('leaves chance to the time that was owed, and nothing to owe where nobody observed at all', () => {
    const service = { target: '95%', creditPerPoint: '10%', of: 'fixed', cap: '50%' };
    const day = dayOf({ date: '2026-11-02', fromMs: 0, toMs: 24 * HOUR });
    const valued = (over: Record<string, unknown>, hours: number) => valueLease(leaseOf({ timezone: 'UTC', service, ...over }), [{ ...day, unmeasuredMs: hours * HOUR }], excusedTime([], 0, []), ZERO);
    const noises = [valued({ unmeasured: 'excused' }, 18), valued({ unmeasured: 'performer' }, 18)].map(({ service: [measure] }) => measure?.noise);
    // A quarter of the time has half of the shares' root: twice the noise.
    const [quarter, whole] = noises.map((noise) => Number(noise?.numerator) / Number(noise?.denominator));
    expect((quarter ?? 0) / (whole ?? 1)).toBeCloseTo(2, 3);
    expect(valued({ unmeasured: 'excused' }, 24)).toMatchObject({ service: [{ ratio: undefined, credit: ZERO }], lines: [{ component: 'fixed', amount: 500n }] });
    expect(valued({}, 24).lines.map(({ component }) => component)).toEqual(['fixed', 'serviceCredit']);
  });
});
