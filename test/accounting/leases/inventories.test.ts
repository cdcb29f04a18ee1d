/** The inventory on record: what was found holds from then on, an earlier time takes an amendment, and statements, both results and verify rest on that alone. */
import fc from 'fast-check';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Accountant } from '../../../accounting/accountant.ts';
import { plus, total, ZERO } from '../../../accounting/leases/exact.ts';
import { leaseHistory, type LeaseEvent } from '../../../accounting/leases/history.ts';
import { foundLast, inventoryFact, inventoryPieces, inventoryReader, keepInventory, rowsOfPieces, unlikeWithin } from '../../../accounting/leases/inventories.ts';
import { InventoryKeeper } from '../../../accounting/leases/inventory-keeper.ts';
import { proveInventory } from '../../../accounting/leases/inventory-proof.ts';
import type { IssuedStatement } from '../../../accounting/leases/issue.ts';
import { installedOn } from '../../../accounting/leases/measure.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { journalDirectory } from '../../../accounting/store.ts';
import { localDays, midnightMs } from '../../../config/calendar.ts';
import { parseInventory, type InventoryRow } from '../../../config/inventory.ts';
import { loadConfig } from '../../../config/load.ts';
import { realWorld } from '../../../config/world.ts';
import { run, type Run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const CHICAGO = 'America/Chicago';
const HOUR = 3_600_000;
const HEAD = 'serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to';

function csv(...rows: readonly string[]): string {
  return `${[HEAD, ...rows].join('\n')}\n`;
}

function rowsOf(...rows: readonly string[]): readonly InventoryRow[] {
  return parseInventory(csv(...rows)).rows;
}

describe('versions', () => {
  const anyEvents = fc.array(fc.record({ digest: fc.constantFrom('a', 'b', 'c'), recorded: fc.integer({ min: 0, max: 40 }), back: fc.integer({ min: 0, max: 20 }), lease: fc.constantFrom('', 'mine', 'other') }), { maxLength: 8 });
  const eventsOf = (drawn: readonly { digest: string; recorded: number; back: number; lease: string }[]): LeaseEvent[] =>
    drawn.toSorted((a, b) => a.recorded - b.recorded).map(({ digest, recorded, back, lease }) => {
      const { fromMs, toMs, atMs, by: party, reason, document, terms } = inventoryFact(digest, lease === '' ? recorded : recorded - back, recorded, lease === '' ? undefined : { lease, by: 'nfx', reason: 'r', document: '' });
      return { lease, event: 'inventory', from_ms: fromMs, to_ms: toMs, recorded_ms: atMs, party, reason, document, terms };
    });

  it('hold at each moment as the one recorded last of those with effect by then, before all of them as the first', () => {
    fc.assert(fc.property(anyEvents, fc.integer({ min: -10, max: 30 }), fc.integer({ min: 1, max: 30 }), (drawn, fromMs, lengthMs) => {
      const events = eventsOf(drawn);
      const span = { fromMs, toMs: fromMs + lengthMs };
      const ours = events.filter(({ lease }) => lease !== 'other');
      const pieces = inventoryPieces({ terms: [], events }, 'mine', span);
      const held = Array.from({ length: lengthMs }, (_, index) => pieces.filter((piece) => piece.fromMs <= fromMs + index && fromMs + index < piece.toMs).map(({ digest }) => digest));
      expect(held).toEqual(held.map((_, index) => (ours.length === 0 ? [] : [(ours.findLast(({ from_ms }) => from_ms <= fromMs + index) ?? ours[0])?.terms])));
      expect(pieces.every((piece, index) => piece.digest !== pieces[index + 1]?.digest)).toBe(true);
      const [gone] = ours;
      expect(gone === undefined ? [] : inventoryPieces({ terms: [], events }, 'mine', span, [gone])).toEqual(gone === undefined ? [] : inventoryPieces({ terms: [], events: events.filter((event) => event !== gone) }, 'mine', span));
    }));
  });

  it('leave a machine that they have alike as one row, and what was installed before a change as it was', () => {
    const first = rowsOf('A,,a,north,m,100,1,,,2026-10-01,', 'B,,b,north,m,50,1,,,2026-10-01,');
    // Written down on the 20th: A burnt on the 12th, C has been there since the 5th, and B's owner has a name now.
    const second = rowsOf('A,,a,north,m,100,1,,burnt,2026-10-01,2026-11-12', 'B,,b,north,m,50,1,acme,,2026-10-01,', 'C,,c,north,m,10,1,,,2026-11-05,');
    const changeMs = Date.parse('2026-11-20T14:23Z');
    const span = { fromMs: Date.parse('2026-11-01'), toMs: Date.parse('2026-12-01') };
    const rows = rowsOfPieces([{ fromMs: span.fromMs, digest: 'first' }, { fromMs: changeMs, digest: 'second' }], (digest) => (digest === 'first' ? first : second)) ?? [];
    expect(rows.map(({ serial, fromMs, toMs }) => [serial, fromMs, toMs])).toEqual([['A', Date.parse('2026-10-01'), changeMs], ['B', Date.parse('2026-10-01'), Infinity], ['C', changeMs, Infinity]]);
    const days = localDays(span.fromMs, span.toMs, 'UTC');
    const installed = (list: readonly InventoryRow[], from: number, to: number) => total(days.slice(from, to).map((day) => installedOn(day, list)));
    expect(installed(rows, 0, 19)).toEqual(installed(first, 0, 19));
    expect(installed(rows, 20, 30)).toEqual(installed(second, 20, 30));
    expect(plus(installed(rows, 19, 20), ZERO)).not.toEqual(installed(first, 19, 20));
    expect(unlikeWithin(rows, second, span)).toEqual(['A', 'C']);
    expect(unlikeWithin(rows, second, { fromMs: changeMs, toMs: span.toMs })).toEqual([]);
    expect(rowsOfPieces([{ fromMs: 0, digest: 'lost' }], () => undefined)).toBeUndefined();
  });
});

it('versions are read by the lines they do not have in common, with and without quotes and empty lines', () => {
  const dir = mkdtempSync(join(tmpdir(), 'wb-versions-'));
  const texts = [
    csv('A,,a,north,m,100,1,,,2026-10-01,', 'B,,b,north,m,50,1,,,2026-10-01,'), csv('B,,b,north,m,50,1,,,2026-10-01,', '', 'C,,c,north,m,10,1,,,2026-11-05,'),
    csv('"A",,a,north,"m\n2",100,1,,,2026-10-01,'), `${HEAD},note\nA,,a,north,m,100,1,,,2026-10-01,,x\n`, csv('A,,a,north,m,100,1,,,2026-10-01,').replaceAll('\n', '\r\n'),
  ];
  const rowsIn = inventoryReader([join(dir, 'nowhere'), dir]);
  const without = (rows: readonly InventoryRow[] | undefined) => rows?.map((row) => ({ ...row, line: 0 }));
  for (const text of texts) expect(without(rowsIn(keepInventory(dir, text)))).toEqual(without(parseInventory(text).rows));
  expect(rowsIn('0'.repeat(64))).toBeUndefined();
  rmSync(dir, { recursive: true });
});

const DECEMBER = { nowMs: Date.parse('2026-12-10T12:00:00Z') };
const PERIOD = ['--lease', 'acme-leaseback', '--period', '2026-11'];
const FIRE_MS = midnightMs('2026-11-12', CHICAGO) + 12 * HOUR;
let folder = '';
let file = '';
let inventory = '';
let data = '';

const machines = (burnt: string): string => csv(...Array.from({ length: 8 }, (_, index) => `SN-${index + 1},,acme.${index + 1},${index < 4 ? 'north' : 'south'},S21 Pro,234,3510,acme,,2026-10-15,${index < 4 ? burnt : ''}`));

/** Half of the machines burn on the 12th. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-inventories-'));
  file = join(folder, 'farm.yaml');
  inventory = join(folder, 'inventory.csv');
  copyFileSync('examples/leaseback.yaml', file);
  writeFileSync(inventory, machines(''));
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  ({ data } = config);
  const fire = FIRE_MS / HOUR;
  writeMonth(data, {
    fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2026-12-01', CHICAGO), leases: 'acme-leaseback', rate: (hour) => (hour < fire ? 1.8e15 : 0.9e15),
    machines: { zone: CHICAGO, workers: Array.from({ length: 8 }, (_, index) => `acme.${index + 1}`), works: (worker, hour) => hour < fire || worker >= 4 },
  });
  recordTerms(config);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As a running instance does. */
function keeper(now: number | (() => number), onRows: (rows: readonly InventoryRow[]) => void = () => undefined): InventoryKeeper {
  return new InventoryKeeper({ dataDir: data, file: inventory, host: '00000000-0000-4000-8000-000000000000', world: { ...realWorld, wallMs: typeof now === 'number' ? () => now : now }, onRows });
}

/** What is in the journals goes into the ledger, and is then there alone. */
function fold(): void {
  const accountant = Accountant.open({ dataDir: data, world: realWorld, isAlive: () => false });
  while (accountant.step() > 0);
  accountant.close();
  rmSync(journalDirectory(data), { recursive: true });
}

const amend = (...args: string[]): Promise<Run> => run(['lease', 'amend', 'acme-leaseback', '--inventory', '--by', 'nfx', '--reason', 'fire report', ...args, '--config', file], DECEMBER);

async function drafted(): Promise<StatementDraft> {
  const { code, out, err } = await run(['statement', '--config', file, ...PERIOD], DECEMBER);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as StatementDraft;
}

describe('a running instance', () => {
  it('puts each version on record once, tells the rows, and keeps to the last one where the file is not right', async () => {
    const told: number[] = [];
    let nowMs = Date.parse('2026-10-30T12:00Z');
    const found = keeper(() => nowMs, (rows) => told.push(rows.length));
    const digest = await found.look();
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect([await found.look(), told]).toEqual([undefined, [8]]);
    expect(readFileSync(join(data, 'inventory', `${digest}.csv`), 'utf8')).toBe(machines(''));
    // After a restart it is known.
    expect(await keeper(Date.parse('2026-11-02T12:00Z')).look()).toBeUndefined();
    writeFileSync(inventory, csv('SN-1,,,north,m,1,1,,,2026-11-01,'));
    expect(await found.look()).toBeUndefined();
    await expect(found.look()).rejects.toThrow('has in line 2 no worker for SN-1');
    expect(foundLast(leaseHistory(data))).toBe(digest);
    writeFileSync(inventory, machines('2026-11-12T18:00Z'));
    nowMs += HOUR;
    // It may still be written: what is the same at the next look is meant.
    expect([await found.look(), foundLast(leaseHistory(data))]).toEqual([undefined, digest]);
    const second = await found.look();
    expect([second === digest, foundLast(leaseHistory(data))]).toEqual([false, second]);
    // What was there before comes again: it holds from then on.
    writeFileSync(inventory, machines(''));
    expect(await keeper(Date.parse('2026-11-03T12:00Z')).look()).toBe(digest);
  });
});

describe('a statement', () => {
  it('says that it rests on a file nobody put on record, and is verified as far as that goes', async () => {
    const draft = await drafted();
    expect(draft.inventory).toEqual([{ from: '2026-11-01T05:00:00.000Z', recorded: null, digest: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    expect(draft.completeness).toContain('No inventory is on record: this rests on the file as it is now. A running instance puts it on record.');
    expect(await amend('--effective', '2026-11-12T18:00Z')).toMatchObject({ code: 1, err: expect.stringContaining('No inventory is on record yet') });
    const out = join(folder, 'november.json');
    expect(await run(['statement', 'issue', '--config', file, ...PERIOD, '--out', out], DECEMBER)).toMatchObject({ code: 0 });
    expect(await run(['verify', out, '--data', data], DECEMBER)).toMatchObject({ code: 0, out: expect.stringMatching(/ok +No inventory was on record when it was issued: it rests on the file with digest .*\nok +The inventory it rests on is not in these directories/) });
  });

  it('rests on what was on record, whatever the file says since; an amendment shows both results; verify proves all of it', async () => {
    await keeper(Date.parse('2026-10-30T12:00Z')).look();
    const before = await drafted();
    expect(before.total.installed).toBe('56238.000000');
    expect(before.downtime.at(-1)).toMatchObject({ from: '2026-11-12T18:00:00.000Z', to: '2026-12-01T06:00:00.000Z' });
    writeFileSync(inventory, machines('2026-11-12T18:00Z'));
    expect({ ...(await drafted()), completeness: [] }).toEqual({ ...before, completeness: [] });
    expect((await drafted()).completeness).toContain('The file of the inventory is another one than is on record. A running instance puts it on record within two minutes.');
    // Found on the 20th: it holds from then on, and what it says of the time before is named.
    await keeper(Date.parse('2026-11-20T06:00Z')).look();
    const found = await drafted();
    expect(found.inventory.map(({ from, recorded }) => [from, recorded])).toEqual([['2026-11-01T05:00:00.000Z', '2026-10-30T12:00:00.000Z'], ['2026-11-20T06:00:00.000Z', '2026-11-20T06:00:00.000Z']]);
    expect(found.days.slice(0, 19)).toEqual(before.days.slice(0, 19));
    expect(found.days[25]).toMatchObject({ installed: '936.000000', availability: '1.000000' });
    expect(found.downtime.at(-1)?.to).toBe('2026-11-20T06:00:00.000Z');
    expect(found.completeness).toContain('The inventory recorded at 2026-11-20T06:00:00.000Z says otherwise of SN-1, SN-2, SN-3, SN-4 for times before it was recorded, which does not count: `lease amend acme-leaseback --inventory` says from when it holds.');
    expect(await amend('--effective', '2026-11-21T00:00Z')).toMatchObject({ code: 1, err: expect.stringContaining('what is on record from 2026-11-21T00:00:00Z on') });
    expect(await amend('--effective', '2027-11-21T00:00Z')).toMatchObject({ code: 1, err: expect.stringContaining('is still to come') });
    expect(await amend('--effective', '2026-11-12T18:00Z')).toMatchObject({ code: 0, out: expect.stringContaining('acme-leaseback has the machines of another inventory from 2026-11-12T18:00:00Z on, stated by nfx: fire report.') });
    const amended = await drafted();
    expect(amended.amendments).toMatchObject([{ event: 'inventory', from: '2026-11-12T18:00:00.000Z', by: 'nfx', signed: false }]);
    const { installed, seen, machineHours, availability } = found.total;
    expect(amended.unamended).toMatchObject({ netDue: found.netDue, ratio: found.total.ratio, machines: { installed, seen, machineHours, availability } });
    expect([amended.lines, amended.total.delivered]).toEqual([before.lines, before.total.delivered]);
    expect(amended.total.availability).toBe('1.000000');
    expect(amended.downtime).toEqual([]);
    // The other lease over the same machines goes by what was found.
    expect(JSON.parse((await run(['statement', '--config', file, '--lease', 'acme-hosting', '--period', '2026-11'], DECEMBER)).out)).toMatchObject({ amendments: [], total: { installed } });

    const out = join(folder, 'november.json');
    expect(await run(['statement', 'issue', '--config', file, ...PERIOD, '--out', out], DECEMBER)).toMatchObject({ code: 0 });
    expect((await run(['statement', '--config', file, ...PERIOD, '--format', 'pdf', '--out', join(folder, 'november.pdf')], DECEMBER)).code).toBe(0);
    // The month is in the ledger alone, so that is what it is verified from.
    fold();
    const verify = (): Promise<Run> => run(['verify', out, '--data', data], DECEMBER);
    expect(await verify()).toMatchObject({ code: 0, out: expect.stringContaining('ok     Its inventory is the one on record for its period.') });
    const issued = JSON.parse(readFileSync(out, 'utf8')) as IssuedStatement;
    const forged = { ...issued, statement: { ...issued.statement, inventory: before.inventory } };
    expect(proveInventory(forged, [data]).findings).toEqual([{ ok: false, sentence: expect.stringMatching(/^Its inventory is [0-9a-f]{16}…, and on record is [0-9a-f]{16}… from 2026-11-01T05:00:00.000Z, [0-9a-f]{16}… from 2026-11-12T18:00:00.000Z\.$/) }]);
    const text = readFileSync(out, 'utf8');
    for (const [figure, other] of [['"installed": "936.000000"', '"installed": "935.000000"'], ['"downtime": []', '"downtime": [{ "from": "", "to": "", "observed": "", "stated": "" }]']] as const) {
      expect(text).toContain(figure);
      writeFileSync(out, text.replaceAll(figure, other));
      expect(await verify()).toMatchObject({ code: 1, out: expect.stringContaining('The ledger says otherwise of ') });
    }
    writeFileSync(out, text);
    renameSync(join(data, 'inventory'), join(folder, 'elsewhere'));
    expect(await verify()).toMatchObject({ code: 0, out: expect.stringContaining('was not proven') });
    expect(await run(['statement', '--config', file, ...PERIOD], DECEMBER)).toMatchObject({ code: 1, err: expect.stringContaining('A version of the inventory that is on record is missing in ') });
    // Somebody changed a version: it is not taken for what it is not.
    const digest = keepInventory(data, machines('2026-11-12T18:00Z'));
    writeFileSync(join(data, 'inventory', `${digest}.csv`), machines(''));
    expect(await run(['statement', '--config', file, ...PERIOD], DECEMBER)).toMatchObject({ code: 1, err: expect.stringContaining('or was changed there') });
    expect(() => keepInventory(data, machines('2026-11-12T18:00Z'))).toThrow(`${digest}.csv is not what it was when it was put on record`);
  });
});
