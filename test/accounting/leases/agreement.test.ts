/** After a statement is issued: the counterparty signs or disputes it, and the journals under it stay as long as they may be needed. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heldPeriods } from '../../../accounting/leases/agreement.ts';
import { readIssued } from '../../../accounting/leases/verify.ts';
import { SegmentReader, listSegments } from '../../../accounting/journal/reader.ts';
import { listKeys, rotateKey } from '../../../accounting/leases/keys.ts';
import { midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import { run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const DAY_MS = 86_400_000;
const ISSUED_MS = Date.parse('2026-12-02T09:00:00Z');
const LEASE = ['--lease', 'acme-leaseback'];
let folder = '';
let file = '';
let data = '';
let ours = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-agreement-'));
  file = join(folder, 'farm.yaml');
  ours = join(folder, 'acme-data');
  const { record } = rotateKey(ours, { ...realWorld, random: seededRandom(8) });
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  const text = readFileSync('examples/leaseback.yaml', 'utf8').replace('acme: { name: Acme Capital LLC,', `acme: { name: Acme Capital LLC, key: "${record.publicKey}",`).replace('- { pools: [main] }', '- { match: { worker: "acme.*" }, lessee: nfx, pools: [main] }\n  - { pools: [main] }');
  writeFileSync(file, text);
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  ({ data } = config);
  writeMonth(data, { fromMs: midnightMs('2026-11-01', 'America/Chicago'), toMs: midnightMs('2026-12-01', 'America/Chicago'), leases: 'acme-leaseback', rate: () => 12.5e15 });
  recordTerms(config);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const statement = (action: string, args: readonly string[], nowMs = ISSUED_MS) => run(['statement', action, '--config', file, ...LEASE, ...args], { nowMs });
const states = async (nowMs = ISSUED_MS): Promise<string[]> => (await statement('list', [], nowMs)).out.split('\n').slice(1, -1).map((line) => line.split(/ {2,}/)[1] ?? '');

/** Kind and name of each document in the journal. */
function recorded(): string[] {
  return listSegments(join(data, 'journal')).flatMap(({ path }) => {
    const reader = SegmentReader.open(path);
    const found = [...reader.events(0)].flatMap((event) => (event.kind === 'fact' && event.fact.type === 'document' ? [`${event.fact.kind} ${event.fact.name} ${event.fact.digest.length}`] : []));
    reader.close();
    return found;
  });
}

describe('an issued statement', () => {
  it('has its digest in the journal, once, however often it is printed', async () => {
    const first = await statement('issue', ['--period', '2026-11', '--out', join(folder, 'november.json')]);
    expect(first).toMatchObject({ code: 0 });
    expect((await statement('issue', ['--period', '2026-11'])).code).toBe(0);
    expect(recorded()).toEqual(['statement acme-leaseback-2026-11/0 64']);
    expect(await states()).toEqual(['issued']);
  });

  it('holds the journals of its period for 30 days, disputed for as long as it takes', async () => {
    const period = { fromMs: midnightMs('2026-11-01', 'America/Chicago'), toMs: midnightMs('2026-12-01', 'America/Chicago') };
    expect(heldPeriods(data, ISSUED_MS + 30 * DAY_MS - 1)).toEqual([period]);
    expect(heldPeriods(data, ISSUED_MS + 30 * DAY_MS)).toEqual([]);
    expect(heldPeriods(join(folder, 'nowhere'), ISSUED_MS)).toEqual([]);
    const dispute = ['--number', 'acme-leaseback-2026-11/0', '--reason', 'the 7th was curtailed'];
    expect(await statement('dispute', [...dispute, '--by', 'host'])).toMatchObject({ code: 2, err: expect.stringContaining('is not a party of acme-leaseback-2026-11/0: there is acme, nfx') });
    expect(await statement('dispute', [...dispute, '--by', 'acme'], ISSUED_MS + 30 * DAY_MS)).toMatchObject({ code: 1, err: expect.stringContaining('is final: its 30 days are over') });
    expect(await statement('dispute', [...dispute, '--by', 'acme'])).toMatchObject({ code: 0 });
    expect(await statement('dispute', [...dispute, '--by', 'nfx'])).toMatchObject({ code: 1, err: expect.stringContaining('is disputed: its first dispute stands') });
    expect(await states(ISSUED_MS + 400 * DAY_MS)).toEqual(['disputed']);
    expect(heldPeriods(data, ISSUED_MS + 400 * DAY_MS)).toEqual([period]);
  });

  it('is signed by the counterparty with a key of its own, which ends its dispute', async () => {
    const signed = join(folder, 'signed.json');
    const sign = ['statement', 'countersign', '--file', join(folder, 'november.json'), '--data', ours, '--out', signed];
    expect(await run([...sign, '--by', 'host'], { nowMs: ISSUED_MS })).toMatchObject({ code: 2, err: expect.stringContaining('--by host is not a party') });
    expect(await run([...sign, '--by', 'acme'], { nowMs: ISSUED_MS })).toMatchObject({ code: 0 });
    const changed = join(folder, 'changed.json');
    writeFileSync(changed, readFileSync(signed, 'utf8').replace('2026-12-02', '2026-12-03'));
    expect(await statement('accept', ['--file', changed])).toMatchObject({ code: 1, err: expect.stringContaining('its signature does not fit what it says') });
    writeFileSync(changed, readFileSync(signed, 'utf8').replace(listKeys(ours)[0]?.publicKey ?? '', '0'.repeat(64)));
    expect(await statement('accept', ['--file', changed])).toMatchObject({ code: 1, err: expect.stringContaining('it is signed by key 0000000000000000…, and parties.acme.key is') });
    expect(await statement('accept', ['--file', join(folder, 'november.json')])).toMatchObject({ code: 1, err: expect.stringContaining('is no countersignature') });
    expect(await statement('accept', ['--file', signed])).toMatchObject({ code: 0, out: expect.stringContaining('acme has signed acme-leaseback-2026-11/0 on 2026-12-02') });
    expect((await statement('accept', ['--file', signed])).out).toContain('had signed');
    expect((await statement('list', [])).out).toMatch(/acme-leaseback-2026-11\/0 +issued +2026-12-02 09:00 +acme /);
    expect(await states(ISSUED_MS + 30 * DAY_MS)).toEqual(['final']);
  });

  it('is signed, and keys are made, in no directory that was mistyped', async () => {
    const typed = join(folder, 'acme-dat');
    const rotate = (directory: string) => run(['keys', 'rotate', '--data', directory], { nowMs: ISSUED_MS });
    expect(await rotate(typed)).toMatchObject({ code: 1, err: expect.stringContaining('acme-dat is no directory: make it first') });
    expect(await run(['statement', 'countersign', '--file', join(folder, 'november.json'), '--data', typed, '--by', 'acme'])).toMatchObject({ code: 1, err: expect.stringContaining('is no directory') });
    expect(await rotate(folder)).toMatchObject({ code: 1, err: expect.stringContaining('is no data directory, for it has neither a journal nor keys') });
    expect(existsSync(typed) || existsSync(join(folder, 'keys'))).toBe(false);
    mkdirSync(typed);
    expect(await rotate(typed)).toMatchObject({ code: 0 });
    expect(await rotate(typed)).toMatchObject({ code: 0 });
    expect(listKeys(typed)).toHaveLength(2);
  });

  it('is refused without a key that was agreed on', async () => {
    const sign = await run(['statement', 'countersign', '--file', join(folder, 'november.json'), '--data', ours, '--by', 'nfx'], { nowMs: ISSUED_MS });
    const path = join(folder, 'nfx.json');
    writeFileSync(path, sign.out);
    expect(await statement('accept', ['--file', path])).toMatchObject({ code: 1, err: expect.stringContaining('parties.nfx.key is not set') });
    expect(readIssued(sign.out)).toBeUndefined();
  });

  it('gives way to its correction, if there is anything to correct', async () => {
    const correct = ['--period', '2026-11', '--correct', 'acme-leaseback-2026-11/0', '--reason', 'agreed'];
    expect(await statement('issue', correct, ISSUED_MS + DAY_MS)).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^Nothing would change: by what is on record now acme-leaseback for 2026-11 comes to what acme-leaseback-2026-11\/0 says, in every figure/) });
    expect(await states()).toHaveLength(1);
    const suspend = ['lease', 'suspend', 'acme-leaseback', '--from', '2026-11-05T08:00Z', '--to', '2026-11-05T10:00Z', '--by', 'nfx', '--reason', 'agreed', '--amend', '--config', file];
    expect(await run(suspend, { nowMs: ISSUED_MS + DAY_MS })).toMatchObject({ code: 0 });
    expect(await statement('issue', correct, ISSUED_MS + DAY_MS)).toMatchObject({ code: 0 });
    expect(await states()).toEqual(['superseded', 'issued']);
    expect(recorded().at(-1)).toBe('statement acme-leaseback-2026-11/1 64');
  });
});
