/** Curtailment, suspension, termination and amendments: put on record by command, respected by statements, both results shown until the other side has signed. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Accountant } from '../../../accounting/accountant.ts';
import { journalFacts } from '../../../accounting/journal/note.ts';
import { rotateKey } from '../../../accounting/leases/keys.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { leaseTermsFacts } from '../../../accounting/leases/terms.ts';
import { journalDirectory } from '../../../accounting/store.ts';
import { midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import { loadForInstance } from '../../../cli/instance.ts';
import { run, type Run } from '../../cli/cli-fixture.ts';
import { writeMonth } from './month.ts';

const CHICAGO = 'America/Chicago';
const OCTOBER_MS = Date.parse('2026-10-30T12:00:00Z');
const DECEMBER_MS = Date.parse('2026-12-03T12:00:00Z');

let folder = '';
let file = '';
let data = '';
let text = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-events-'));
  file = join(folder, 'farm.yaml');
  const { record } = rotateKey(join(folder, 'acme-data'), { ...realWorld, random: seededRandom(8) });
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  text = readFileSync('examples/leaseback.yaml', 'utf8').replace('acme: { name: Acme Capital LLC,', `acme: { name: Acme Capital LLC, key: "${record.publicKey}",`);
  write(text);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(yaml: string): void {
  writeFileSync(file, yaml);
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  ({ data } = config);
}

/** As if an instance with this configuration had started then, and its accountant had folded all there is. */
async function started(nowMs: number): Promise<void> {
  const { config } = loadConfig(file);
  if (config === undefined) throw new Error('not right');
  await journalFacts(journalDirectory(data), 'host', realWorld, leaseTermsFacts(config, nowMs));
  fold();
}

function fold(): void {
  const accountant = Accountant.open({ dataDir: data, world: realWorld, isAlive: () => false });
  while (accountant.step() > 0);
  expect(accountant.snapshot()).toMatchObject({ problem: '', caughtUp: true });
  accountant.close();
}

const lease = (args: readonly string[], nowMs: number): Promise<Run> => run(['lease', ...args, '--config', file], { nowMs });
const curtail = (more: readonly string[], nowMs: number): Promise<Run> =>
  lease(['curtail', 'acme-leaseback', '--from', '2026-11-07T14:00Z', '--to', '2026-11-07T22:00Z', '--by', 'nfx', '--reason', 'called off by the grid', ...more], nowMs);

async function statement(args: readonly string[] = [], nowMs = DECEMBER_MS): Promise<StatementDraft> {
  const { code, out, err } = await run(['statement', ...args, '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11'], { nowMs });
  expect([code, err]).toEqual([0, '']);
  const printed = JSON.parse(out) as StatementDraft | { statement: StatementDraft };
  return 'statement' in printed ? printed.statement : printed;
}

function month(): void {
  writeMonth(data, { fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2026-12-01', CHICAGO), leases: 'acme-leaseback', rate: () => 12.5e15 });
}

describe('what is stated of a lease', () => {
  it('is on record at once, with its document, and takes hours off what is owed', async () => {
    month();
    writeFileSync(join(folder, 'order.pdf'), 'the order');
    const told = await curtail(['--document', join(folder, 'order.pdf')], OCTOBER_MS);
    expect(told).toMatchObject({ code: 0, out: expect.stringMatching(/^On record: acme-leaseback is curtailed from 2026-11-07T14:00:00Z to 2026-11-07T22:00:00Z, stated by nfx: called off by the grid \(order\.pdf, SHA-256 [0-9a-f]{64}\)\.\n$/) });
    // Before the accountant has folded it, and after.
    for (const folded of [false, true]) {
      if (folded) fold();
      expect((await lease(['show', 'acme-leaseback'], DECEMBER_MS)).out).toContain('is curtailed from 2026-11-07T14:00:00Z');
      const drafted = await statement();
      expect(drafted.stated).toMatchObject([{ from: '2026-11-07T14:00:00.000Z', what: 'curtailed', by: 'nfx' }]);
      expect(drafted.days[6]).toMatchObject({ date: '2026-11-07', curtailedHours: '8.0000', owed: '8333.333333' });
      expect(drafted).toMatchObject({ amendments: [], unamended: null });
    }
    expect(JSON.parse((await lease(['show', 'acme-leaseback', '--json'], DECEMBER_MS)).out)).toMatchObject([{ events: [{ event: 'curtailment', retroactive: false, recorded: '2026-10-30T12:00:00Z' }] }]);
  });

  it('afterwards is an amendment: both results stand in the statement until the other side has signed one', async () => {
    month();
    expect(await curtail([], DECEMBER_MS)).toMatchObject({ code: 1, err: expect.stringContaining('is past: what is stated afterwards is an amendment') });
    const before = await statement();
    expect(await curtail(['--amend'], DECEMBER_MS)).toMatchObject({ code: 0, out: expect.stringContaining('both results') });
    const amended = await statement();
    expect(amended.amendments).toMatchObject([{ event: 'curtailment', by: 'nfx', recorded: '2026-12-03T12:00:00.000Z', signed: false }]);
    expect(amended.unamended?.netDue).toEqual(before.netDue);
    expect(amended.netDue).not.toEqual(before.netDue);
    expect(amended.completeness.join(' ')).toContain('Its terms are not on record: these are those of the configuration, nothing shows that they were agreed, and it cannot be issued.');
    const out = join(folder, 'issued.json');
    const refused = await run(['statement', 'issue', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11', '--out', out], { nowMs: DECEMBER_MS });
    expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/^The terms of acme-leaseback are not on record, .*`weighbridge start` with this configuration journals them/) });
    await started(OCTOBER_MS);
    expect(await run(['statement', 'issue', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11', '--out', out], { nowMs: DECEMBER_MS })).toMatchObject({ code: 0 });
    const signed = join(folder, 'signed.json');
    expect(await run(['statement', 'countersign', '--file', out, '--by', 'acme', '--data', join(folder, 'acme-data'), '--out', signed], { nowMs: DECEMBER_MS })).toMatchObject({ code: 0 });
    expect(await run(['statement', 'accept', '--config', file, '--lease', 'acme-leaseback', '--file', signed], { nowMs: DECEMBER_MS })).toMatchObject({ code: 0 });
    const agreed = await statement();
    expect(agreed.amendments).toMatchObject([{ signed: true }]);
    expect(agreed.unamended).toBeNull();
    expect(agreed.netDue).toEqual(amended.netDue);
  });

  it('ends it before its term', async () => {
    month();
    expect(await lease(['terminate', 'acme-leaseback', '--at', '2026-11-20T18:00Z', '--by', 'acme', '--reason', 'breach'], OCTOBER_MS)).toMatchObject({ code: 0, out: expect.stringContaining('No instance runs here; the next start claims no new work from then on.') });
    // What a start or a reload puts in force.
    const endsMs = Date.parse('2026-11-20T18:00Z');
    expect(loadForInstance(file, DECEMBER_MS).config?.leases?.['acme-leaseback']?.term.toMs).toBe(endsMs);
    const drafted = await statement();
    expect(drafted.days).toHaveLength(20);
    expect(drafted.days.at(-1)).toMatchObject({ date: '2026-11-20', hours: '12.0000' });
    expect(drafted.period.to).toBe('2026-11-20T18:00:00.000Z');
    // Its term may be written down to end there, so that another lease over the machines can follow; no earlier.
    await started(OCTOBER_MS);
    for (const [to, code] of [['2026-11-21', 0], ['2026-11-20', 1]] as const) {
      write(text.replace('term: { from: 2026-11-01, to: 2027-11-01 }', `term: { from: 2026-11-01, to: ${to} }`));
      expect(await run(['check', '--config', file], { nowMs: DECEMBER_MS })).toMatchObject({ code });
    }
  });

  it.each([
    [['curtail', '--from', '2026-11-07', '--to', '2026-11-06', '--by', 'nfx', '--reason', 'r'], /--from must be before --to/],
    [['curtail', '--from', '2026-11-07', '--to', '2026-11-08', '--by', 'grid', '--reason', 'r'], /--by grid is not a party of acme-leaseback: there is acme, nfx/],
    [['suspend', '--from', '2026-11-07', '--to', '2026-11-08', '--by', 'constructor', '--reason', 'r'], /--by constructor is not a party of acme-leaseback/],
    [['suspend', '--from', '2026-11-07', '--to', '2026-11-08', '--by', 'nfx', '--reason', 'two\nlines'], /--reason must be one line/],
    [['suspend', '--from', '2026-11-07', '--to', '2026-11-08', '--by', 'nfx', '--reason', 'r'.repeat(501)], /--reason has 501 characters; at most 500/],
    [['toString', '--from', '2026-11-07'], /There is no `lease toString`/],
    [['suspend', '--from', '2030-01-01', '--to', '2030-01-02', '--by', 'nfx', '--reason', 'r'], /that time is outside/],
    [['suspend', '--from', '2026-11-07', '--to', '2026-11-08', '--by', 'nfx'], /needs --reason/],
    [['terminate', '--by', 'nfx', '--reason', 'r'], /needs --at/],
    [['amend', '--effective', '2026-12-01T06:00Z', '--reason', 'r'], /needs --by/],
    [['amend', '--effective', '2026-12-01T06:00Z', '--by', 'grid', '--reason', 'r'], /--by grid is not a party of acme-leaseback: there is acme, nfx/],
    [['amend', '--effective', '2026-11-07', '--by', 'nfx', '--reason', 'r'], /--effective must be a midnight in America\/Chicago, such as 2026-11-06T06:00:00Z/],
    [['amend', '--effective', '2026-12-01T06:00Z', '--by', 'nfx', '--reason', 'r'], /No terms of acme-leaseback are in the journal yet/],
    [['curtail', '--from', '2026-11-07', '--to', '2026-11-08', '--by', 'nfx', '--reason', 'r', '--document', '/nowhere/x.pdf'], /cannot be read \(ENOENT\)/],
  ])('is refused with a sentence: %j', async ([action = '', ...rest], sentence) => {
    const refused = await lease([action, 'acme-leaseback', ...rest], OCTOBER_MS);
    expect(refused.code).toBeGreaterThan(0);
    expect(refused.err).toMatch(sentence);
  });
});

describe('without a configuration', () => {
  it('leases are shown, and stated of, by what is on record in a data directory', async () => {
    const at = (args: readonly string[]): Promise<Run> => run(['lease', ...args, '--data', data], { nowMs: DECEMBER_MS });
    expect(await at(['list'])).toMatchObject({ code: 1, err: expect.stringContaining('has no terms of leases on record') });
    await started(OCTOBER_MS);
    expect((await at(['list'])).out).toMatch(/^acme-leaseback +leaseback .* in force$/m);
    expect((await at(['show', 'acme-leaseback'])).out).toBe((await lease(['show', 'acme-leaseback'], DECEMBER_MS)).out);
    expect(await at(['show', 'acme'])).toMatchObject({ code: 1, err: expect.stringContaining('on record: there is acme-hosting, acme-leaseback') });
    expect(await at(['check'])).toMatchObject({ code: 2, err: expect.stringContaining('`lease check` needs the configuration') });
    expect(await at(['amend', 'acme-leaseback', '--effective', '2027-01-01T06:00Z', '--by', 'nfx', '--reason', 'r'])).toMatchObject({ code: 2, err: expect.stringContaining('An amendment records the terms that a configuration has') });
    expect(await at(['terminate', 'acme-leaseback', '--at', '2026-12-04', '--by', 'acme', '--reason', 'sold'])).toMatchObject({ code: 0 });
    expect((await run(['lease', 'list', '--data', data], { nowMs: DECEMBER_MS + 86_400_000 })).out).toMatch(/^acme-leaseback .* terminated$/m);
  });

  it('a lease may follow on one of its kind that was terminated', async () => {
    await started(OCTOBER_MS);
    const second = text.replace('leases:', `leases:
  second:
    { kind: leaseback, lessor: acme, lessee: nfx, machines: { workers: ["acme.*"] }, term: { from: 2026-12-05, to: 2027-11-01 }, timezone: America/Chicago, contracted: 1 PH/s,
      rent: [{ fixed: 0.05 USD/TH/day, payer: nfx, payee: acme }] }`);
    writeFileSync(file, second);
    const refused = await run(['check', '--config', file], { nowMs: DECEMBER_MS });
    expect(refused).toMatchObject({ code: 1, out: expect.stringContaining('shares machines with lease "second", and both "second" and "acme-leaseback" are leaseback: make their machines or their terms disjoint, or put on record that one has ended') });
    expect(await run(['lease', 'terminate', 'acme-leaseback', '--at', '2026-12-05T06:00Z', '--by', 'acme', '--reason', 'sold', '--data', data], { nowMs: DECEMBER_MS })).toMatchObject({ code: 0 });
    expect(await run(['check', '--config', file], { nowMs: DECEMBER_MS })).toMatchObject({ code: 0 });
    writeFileSync(file, second.replace('from: 2026-12-05', 'from: 2026-12-04'));
    expect(await run(['check', '--config', file], { nowMs: DECEMBER_MS })).toMatchObject({ code: 1 });
  });
});

describe('a change of the configuration', () => {
  it('that would reach back is refused by check and start until it is an amendment; its month has the terms of before', async () => {
    await started(OCTOBER_MS);
    month();
    const old = await statement();
    const nowMs = Date.parse('2026-12-10T12:00:00Z');
    expect(await run(['check', '--config', file], { nowMs })).toMatchObject({ code: 0 });
    write(text.replace('contracted: 12.5 PH/s', 'contracted: 12 PH/s'));
    const refused = await run(['check', '--config', file], { nowMs });
    expect(refused.code).toBe(1);
    expect(refused.out).toContain('leases.acme-leaseback has other terms (contracted) than those journaled at 2026-10-30T12:00:00.000Z, and has begun: run `weighbridge lease amend acme-leaseback');
    expect(await run(['start', '--config', file], { nowMs })).toMatchObject({ code: 1, err: expect.stringContaining('has other terms (contracted)') });
    expect(await run(['statement', 'issue', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11'], { nowMs })).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^acme-leaseback has other terms \(contracted\) than those journaled/) });
    expect(await lease(['amend', 'acme-leaseback', '--effective', '2026-12-01T06:00Z', '--by', 'nfx', '--reason', 'burnt machines'], nowMs)).toMatchObject({ code: 0 });
    expect(await run(['check', '--config', file], { nowMs })).toMatchObject({ code: 0 });
    const november = await statement([], nowMs);
    expect([november.contracted, november.netDue]).toEqual(['12.5 PH/s', old.netDue]);
    // With effect in November it is shown beside what held.
    expect(await lease(['amend', 'acme-leaseback', '--effective', '2026-11-01T05:00Z', '--by', 'nfx', '--reason', 'agreed on 9 December'], nowMs)).toMatchObject({ code: 0 });
    const amended = await statement([], nowMs);
    expect(amended.contracted).toBe('12 PH/s');
    expect(amended.unamended?.netDue).toEqual(old.netDue);
    const out = join(folder, 'amended.json');
    await run(['statement', 'issue', '--config', file, '--lease', 'acme-leaseback', '--period', '2026-11', '--out', out], { nowMs });
    expect((await run(['verify', out, '--data', data], { nowMs })).out).toContain('Its terms are those of the amendment that was recorded at 2026-12-10T12:00:00.000Z: ');
  });

  it('that is put back after an amendment changes nothing: what holds is what was recorded', async () => {
    await started(OCTOBER_MS);
    month();
    const nowMs = Date.parse('2026-12-10T12:00:00Z');
    write(text.replace('contracted: 12.5 PH/s', 'contracted: 12 PH/s'));
    expect(await lease(['amend', 'acme-leaseback', '--effective', '2026-11-01T05:00Z', '--by', 'nfx', '--reason', 'agreed'], nowMs)).toMatchObject({ code: 0 });
    expect(await lease(['amend', 'acme-leaseback', '--effective', '2026-12-01T06:00Z', '--by', 'nfx', '--reason', 'agreed'], nowMs)).toMatchObject({ code: 1, err: expect.stringContaining('that hold at 2026-12-01T06:00:00Z by what is on record') });
    const amended = await statement([], nowMs);
    write(text);
    expect((await run(['check', '--config', file], { nowMs })).out).toContain('has other terms (contracted) than those of the amendment recorded at 2026-12-10T12:00:00.000Z');
    // A start that got by all the same agrees nothing.
    for (const restarted of [false, true]) {
      if (restarted) await started(nowMs + 1000);
      const again = await statement([], nowMs + 2000);
      expect([again.contracted, again.termsDigest, again.netDue]).toEqual(['12 PH/s', amended.termsDigest, amended.netDue]);
      expect(again.completeness.at(-1)).toMatch(/^The configuration has other terms \(contracted\) than .* This is by the terms on record\.$/);
    }
    // Back by agreement, from December on.
    expect(await lease(['amend', 'acme-leaseback', '--effective', '2026-12-01T06:00Z', '--by', 'nfx', '--reason', 'put back'], nowMs + 3000)).toMatchObject({ code: 0 });
    expect(await run(['check', '--config', file], { nowMs: nowMs + 4000 })).toMatchObject({ code: 0 });
    expect((await statement([], nowMs + 4000)).contracted).toBe('12 PH/s');
  });

  it('that names a lease for the first time says so where its term had begun', async () => {
    await started(Date.parse('2026-11-10T12:00:00Z'));
    month();
    expect((await statement()).completeness).toContain('Its terms were first journaled at 2026-11-10T12:00:00.000Z: work of before is in no lease, and not in this statement.');
  });

  it('that reaches forward only is free: machines, a longer term, a lease that has not begun', async () => {
    await started(OCTOBER_MS);
    const nowMs = Date.parse('2026-12-10T12:00:00Z');
    for (const change of [text.replace('workers: ["acme.*"]', 'workers: ["acme.*", "acme2.*"]').replace('inventory: inventory.csv', ''), text.replace('to: 2027-11-01', 'to: 2028-11-01')]) {
      expect(change).not.toBe(text);
      write(change);
      expect(await run(['check', '--config', file], { nowMs })).toMatchObject({ code: 0, err: '' });
    }
    write(text.replace('contracted: 12.5 PH/s', 'contracted: 12 PH/s'));
    expect(await run(['check', '--config', file], { nowMs: OCTOBER_MS })).toMatchObject({ code: 0 });
  });
});
