/** The audit finds nothing where nothing is wrong, and finds each thing that is. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Accountant } from '../../accounting/accountant.ts';
import { audit, type AuditOptions } from '../../accounting/audit.ts';
import type { AuditProgress, AuditReport } from '../../accounting/audit-report.ts';
import { findTwice, RunWriter } from '../../accounting/audit-runs.ts';
import { listSegments } from '../../accounting/journal/reader.ts';
import { journalDirectory, ledgerFile } from '../../accounting/store.ts';
import type { Fact, ShareFact } from '../../proxy/session/facts.ts';
import { manualWorld, recordFarm, START_MS, writeJournal } from './farm.ts';

let root = '';
let made = 0;
const farm = recordFarm(11, 1500);
const accepted = farm.facts.filter((fact): fact is ShareFact => fact.type === 'share' && fact.verdict === 'accepted');

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'wb-audit-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function newDir(): string {
  made += 1;
  return join(root, String(made));
}

function fold(dataDir: string, alive = false): void {
  const accountant = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => alive });
  while (accountant.step() > 0);
  expect(accountant.snapshot().problem).toBe('');
  accountant.close();
}

async function journal(facts: readonly Fact[] = farm.facts, seed = 3): Promise<string> {
  const dataDir = newDir();
  await writeJournal({ directory: journalDirectory(dataDir), seed, facts, liveAt: farm.liveAt, segmentBytes: 22_000, commitFacts: 40 });
  return dataDir;
}

function run(dataDir: string | string[], options: Partial<AuditOptions> = {}): Promise<AuditReport> {
  return audit({ dataDir, threads: 0, world: manualWorld(2), ...options });
}

function kinds(report: AuditReport): string[] {
  return [...new Set(report.differences.map(({ kind }) => kind))];
}

/** The farm's facts with one accepted share changed. */
function tampered(change: (share: ShareFact) => Partial<ShareFact>, at = 100): Fact[] {
  const victim = accepted[at];
  return farm.facts.map((fact) => (fact === victim && victim !== undefined ? { ...victim, ...change(victim) } : fact));
}

describe('the audit', () => {
  let whole = '';
  beforeAll(async () => {
    whole = await journal();
    fold(whole);
  });

  it('agrees with a ledger that is right, and leaves nothing behind', async () => {
    const progress: AuditProgress[] = [];
    const report = await run(whole, { onProgress: (each) => progress.push(each) });
    expect(report).toMatchObject({
      ok: true, differences: [], differencesTotal: 0, shares: accepted.length, validated: accepted.length, duplicates: 0, corrupt: [], corruptBytes: 0,
      notFolded: 0, rowsBounded: 0, notes: [], sample: null,
    });
    expect(report.segments).toBeGreaterThan(3);
    expect(report.rowsCompared).toBeGreaterThan(100);
    expect(report.unproven).toBeLessThan(accepted.length / 4);
    expect(new Set(progress.map(({ phase }) => phase))).toEqual(new Set(['fold', 'validate', 'duplicates', 'compare']));
    for (const { done, total } of progress) expect(done).toBeLessThanOrEqual(total);
    expect(readdirSync(whole).filter((name) => name.startsWith('audit-'))).toEqual([]);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('works beside a running instance: what is not folded yet is no difference', async () => {
    const dataDir = newDir();
    let commits = 0;
    await writeJournal({
      directory: journalDirectory(dataDir), seed: 3, ...farm, segmentBytes: 22_000, commitFacts: 40,
      onCommit: () => {
        commits += 1;
        if (commits === 12) fold(dataDir, true);
      },
    });
    const report = await run(dataDir);
    expect(report).toMatchObject({ ok: true, shares: accepted.length, validated: accepted.length });
    expect(report.notFolded).toBeGreaterThan(0);
    expect(report.notFolded).toBeLessThan(accepted.length);
  });

  it('compares only what a range holds', async () => {
    const fromMs = START_MS + 30_000;
    const toMs = fromMs + 30_000;
    const report = await run(whole, { fromMs, toMs });
    expect(report).toMatchObject({ ok: true, shares: accepted.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).length });
    expect(report.validated).toBe(report.shares);
    expect(report.shares).toBeGreaterThan(0);
  });

  it('clears away what a killed audit left, and nothing of a living one', async () => {
    const [dead, living] = [join(whole, 'audit-999999999-abc'), join(whole, `audit-${process.pid}-abc`)];
    for (const directory of [dead, living]) mkdirSync(directory);
    await run(whole, { sample: 1 });
    expect([existsSync(dead), existsSync(living)]).toEqual([false, true]);
    rmSync(living, { recursive: true });
  });

  it('states the confidence of a sample', async () => {
    const report = await run(whole, { sample: 50 });
    expect(report).toMatchObject({ ok: true, validated: 50, shares: accepted.length, duplicates: null });
    expect(report.sample?.confidenceOnePercent).toBeCloseTo(1 - 0.99 ** 50, 12);
    expect(report.sample?.confidenceOnePerMille).toBeCloseTo(1 - 0.999 ** 50, 12);
    expect((await run(whole, { sample: 10_000 })).validated).toBe(accepted.length);
  });

  it.each<[string, (share: ShareFact) => Partial<ShareFact>]>([
    ['low-hash', (share) => ({ exponent: share.exponent + 20 })],
    ['unknown-job', () => ({ job: 99_999 })],
    ['unknown-name', () => ({ bind: 99_999 })],
    ['bad-length', (share) => ({ extranonce2: share.extranonce2.slice(1) })],
    ['bad-time', (share) => ({ ntime: share.ntime + 8000 })],
    ['bad-time', (share) => ({ ntime: share.ntime - 90 })],
    ['bad-version', (share) => ({ version: (share.version ^ 1) >>> 0 })],
  ])('finds a share tampered with: %s', async (kind, change) => {
    const dataDir = await journal(tampered(change));
    fold(dataDir);
    const report = await run(dataDir);
    expect(report.ok).toBe(false);
    expect(kinds(report)).toEqual([kind]);
    expect(report.differencesTotal).toBe(1);
    expect(report.differences[0]?.where).toContain(`share ${accepted[100]?.share}`);
  });

  it('finds a difficulty that was never announced', async () => {
    // −33 is easier than any that was: the hash fits, the announcement is missing.
    const first = accepted.findIndex(({ atMs }) => atMs < START_MS + 2000);
    const dataDir = await journal(tampered(() => ({ exponent: -33 }), first));
    expect(kinds(await run(dataDir))).toEqual(['unannounced-difficulty']);
  });

  it('finds a header that counts twice, within a segment, over segments and over hosts', async () => {
    const victim = accepted[50];
    if (victim === undefined) throw new Error('no such share');
    const near = farm.facts.flatMap((fact): Fact[] => (fact === victim ? [fact, { ...victim, share: 50_001 }] : [fact]));
    const dataDir = await journal([...near.slice(0, 1000), { ...victim, share: 50_002 }, ...near.slice(1000)]);
    fold(dataDir);
    const report = await run(dataDir);
    expect(report).toMatchObject({ ok: false, duplicates: 2, differencesTotal: 2 });
    expect(report.differences.map(({ where }) => where.split(' ').at(-1)).toSorted((a = '', b = '') => a.localeCompare(b))).toEqual(['50001', '50002']);

    const otherHost = await journal(farm.facts, 4);
    fold(otherHost);
    expect((await run([whole, otherHost])).duplicates).toBe(accepted.length);
  });

  it('finds a second pool verdict for one share', async () => {
    const verdict = farm.facts.find((fact) => fact.type === 'pool-verdict');
    if (verdict === undefined) throw new Error('no verdict');
    const dataDir = await journal([...farm.facts, verdict]);
    fold(dataDir);
    expect(kinds(await run(dataDir))).toEqual(['pool-verdict-twice']);
  });

  it.each([
    ['delivered_minute', 'UPDATE delivered_minute SET n = n + 1 WHERE rowid_is(1)'],
    ['worker_hour', 'UPDATE worker_hour SET n = n - 1'],
    ['delivered_day', "UPDATE delivered_day SET worth = '1'"],
    ['credited_hour', 'DELETE FROM credited_hour'],
    ['total', 'UPDATE total SET n = n + 1'],
    ['observed_minute', 'UPDATE observed_minute SET observed_ms = observed_ms + 1000'],
    ['unjournaled_minute', 'DELETE FROM unjournaled_minute'],
  ])('finds a row of %s tampered with', async (table, sql) => {
    const dataDir = newDir();
    cpSync(whole, dataDir, { recursive: true });
    const database = new Database(ledgerFile(dataDir));
    database.exec(sql.replace(' WHERE rowid_is(1)', ' WHERE minute = (SELECT min(minute) FROM delivered_minute)'));
    database.close();
    const report = await run(dataDir);
    expect(report.ok).toBe(false);
    expect(new Set(report.differences.map(({ where }) => where))).toEqual(new Set([table]));
    expect(report.differences[0]?.message).toMatch(/the ledger has .* the journals give /);
  });

  it('reports damage with file and offset and goes on', async () => {
    const dataDir = newDir();
    cpSync(whole, dataDir, { recursive: true });
    const file = listSegments(journalDirectory(dataDir))[1];
    if (file === undefined) throw new Error('no such segment');
    const bytes = readFileSync(file.path);
    const at = bytes.length - 6000;
    bytes.fill(0x55, at, at + 700);
    writeFileSync(file.path, bytes);
    const report = await run(dataDir);
    expect(report.ok).toBe(false);
    expect(report.corrupt).toHaveLength(1);
    const [range] = report.corrupt;
    expect(range).toMatchObject({ file: file.path });
    expect(range?.offset).toBeLessThanOrEqual(at);
    expect(range?.end).toBeGreaterThanOrEqual(at + 700);
    expect(range?.sharesMissing).toBeGreaterThan(0);
    expect(report.validated).toBe(report.shares);
    expect(report.shares).toBeLessThan(accepted.length);
    // The ledger was folded before the damage: it has what the journal no longer proves.
    expect(kinds(report)).toContain('table-row');
  });

  it('finds segments that are compressed while it runs', async () => {
    const dataDir = newDir();
    cpSync(whole, dataDir, { recursive: true });
    const files = listSegments(journalDirectory(dataDir));
    let compressed = false;
    const report = await run(dataDir, {
      onProgress: () => {
        if (compressed) return;
        compressed = true;
        for (const { path } of files) {
          writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)));
          rmSync(path);
        }
      },
    });
    expect(report).toMatchObject({ ok: true, validated: accepted.length });
  });

  it('takes what retention deleted as given, and still checks the rest', async () => {
    const dataDir = newDir();
    cpSync(whole, dataDir, { recursive: true });
    const gone = listSegments(journalDirectory(dataDir)).at(-1);
    if (gone === undefined) throw new Error('no such segment');
    rmSync(gone.path);
    rmSync(gone.path.replace(/\.wbj$/, '.seal'));
    const report = await run(dataDir);
    expect(report).toMatchObject({ ok: true, duplicates: 0 });
    expect(report.rowsBounded).toBeGreaterThan(0);
    expect(report.rowsCompared).toBeGreaterThan(0);
    const database = new Database(ledgerFile(dataDir));
    database.exec('UPDATE total SET n = 0');
    database.close();
    expect(kinds(await run(dataDir))).toEqual(['table-row']);
  });

  it('validates journals without a ledger, and folds a directory given twice once', async () => {
    const dataDir = newDir();
    cpSync(journalDirectory(whole), journalDirectory(dataDir), { recursive: true });
    const alone = await run(dataDir);
    expect(alone).toMatchObject({ ok: true, shares: accepted.length, rowsCompared: 0 });
    expect(alone.notes).toHaveLength(1);
    const twice = await run([whole, dataDir]);
    expect(twice).toMatchObject({ ok: true, shares: accepted.length, duplicates: 0 });
    expect(twice.notes.some((note) => note.includes('is the same segment as'))).toBe(true);
  });
});

describe('the search for duplicates', () => {
  it('compares whole digests, not their first bytes', () => {
    const directory = mkdtempSync(join(root, 'runs-'));
    const writer = new RunWriter(directory, 'header', 0);
    const other = new RunWriter(directory, 'header', 1);
    const digest = (last: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, index) => (index === 31 ? last : 7));
    for (let last = 0; last < 200; last += 1) writer.add(digest(last), 1, last);
    other.add(digest(199), 2, 2 ** 40);
    writer.flush();
    other.flush();
    expect(findTwice(directory, readdirSync(directory), 'header', 7)).toEqual([
      { hash: Buffer.from(digest(199)).reverse().toString('hex'), first: { segment: 1, share: 199 }, again: { segment: 2, share: 2 ** 40 } },
    ]);
    expect(findTwice(directory, readdirSync(directory), 'verdict', 7)).toEqual([]);
  });
});
