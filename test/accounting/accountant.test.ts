/** The accountant when things fail: a ledger that cannot be written, a segment that cannot be read, a directory that appears late. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Accountant, type AccountantFigures } from '../../accounting/accountant.ts';
import { journalDirectory, ledgerFile, Store } from '../../accounting/store.ts';
import type { AccountantSnapshot } from '../../proxy/net/messages.ts';
import type { Fact } from '../../proxy/session/facts.ts';
import { estimate } from '../../accounting/estimate.ts';
import type { LeaseTerms } from '../../accounting/leases/terms.ts';
import { manualWorld, recordFarm, START_MS, writeJournal } from './farm.ts';
import { leaseOf } from './leases/contracts.ts';
import { dump } from './tables.ts';

const farm = recordFarm(5, 400);
let dataDir = '';
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'wb-accountant-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function journal(directory = journalDirectory(dataDir)): Promise<string> {
  return writeJournal({ directory, seed: 3, ...farm, segmentBytes: 12_000, commitFacts: 40 });
}

function drain(accountant: Accountant): void {
  while (accountant.step() > 0);
}

describe('the accountant', () => {
  it('reports what the supervisor expects', () => {
    const accountant = Accountant.open({ dataDir, world: manualWorld(1) });
    drain(accountant);
    const figures: AccountantFigures = accountant.snapshot();
    const snapshot: Omit<AccountantSnapshot, 'vitals'> = figures;
    expect(snapshot).toMatchObject({ pid: process.pid, caughtUp: true, lagBytes: 0, lagMs: 0, foldedRecords: 0, problem: '', delivered: [], credited: [] });
    accountant.close();
  });

  it('says what it lags behind while it works, and totals afterwards', async () => {
    await journal();
    const accountant = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => false, limits: { batchRecords: 50, batchRows: 50_000 } });
    accountant.step();
    const during = accountant.snapshot();
    expect(during.caughtUp).toBe(false);
    expect(during.lagBytes).toBeGreaterThan(0);
    drain(accountant);
    const after = accountant.snapshot();
    expect(after).toMatchObject({ caughtUp: true, lagBytes: 0, lagMs: 0, foldedRecords: farm.facts.length });
    const accepted = farm.facts.filter((fact) => fact.type === 'share' && fact.verdict === 'accepted').length;
    const counted = (figures: AccountantFigures): number => figures.delivered.filter(({ verdict }) => verdict === 'accepted').reduce((sum, { count }) => sum + count, 0);
    expect(counted(after)).toBe(accepted);
    accountant.close();
    // Totals come from the ledger, so they do not go backwards at a restart.
    const again = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => false });
    again.step();
    expect(counted(again.snapshot())).toBe(accepted);
    expect(again.snapshot().unjournaledShares).toBe(3 * farm.facts.filter((fact) => fact.type === 'unjournaled').length);
    again.close();
  });

  it('waits while another holds the ledger, with back-off, and then folds everything once', async () => {
    await journal();
    Store.open(dataDir).close();
    const other = new Database(ledgerFile(dataDir));
    other.exec('BEGIN IMMEDIATE');
    const world = manualWorld(1);
    const accountant = Accountant.open({ dataDir, world, isAlive: () => false, busyTimeoutMs: 1 });
    drain(accountant);
    expect(accountant.snapshot().problem).toMatch(/does not follow the journals: .*locked/);
    expect(accountant.snapshot().caughtUp).toBe(false);
    other.exec('ROLLBACK');
    other.close();
    expect(accountant.step()).toBe(0);
    world.advance(1000);
    drain(accountant);
    expect(accountant.snapshot()).toMatchObject({ problem: '', caughtUp: true, foldedRecords: farm.facts.length });
    accountant.close();
  });

  it('goes on after a ledger that cannot be opened, or is of another version', async () => {
    await journal();
    mkdirSync(ledgerFile(dataDir));
    const world = manualWorld(1);
    const accountant = Accountant.open({ dataDir, world, isAlive: () => false });
    drain(accountant);
    expect(accountant.snapshot().problem).toContain('cannot open the ledger');
    rmSync(ledgerFile(dataDir), { recursive: true });
    const foreign = new Database(ledgerFile(dataDir));
    foreign.exec('PRAGMA user_version = 99');
    foreign.close();
    world.advance(60_000);
    drain(accountant);
    expect(accountant.snapshot().problem).toContain('schema version 99');
    rmSync(ledgerFile(dataDir));
    world.advance(60_000);
    drain(accountant);
    expect(accountant.snapshot()).toMatchObject({ problem: '', foldedRecords: farm.facts.length });
    accountant.close();
  });

  it('watches its leases: what it shows is what the ledger has, also after a restart in the middle', async () => {
    await journal();
    const lease = (over: object): LeaseTerms => ({ id: 'acme-lb', lease: leaseOf({ term: { from: '2025-12-01', to: '2027-01-01' }, ...over }), parties: {} });
    const leases = [lease({}), { ...lease({ kind: 'hosting' }), id: 'north-host' }, { ...lease({}), id: 'nobody' }];
    const world = manualWorld(1);
    world.advance((farm.facts.at(-1)?.atMs ?? 0) - START_MS + 1000);
    const shown: unknown[] = [];
    for (const steps of [3, Infinity, Infinity]) {
      const accountant = Accountant.open({ dataDir, world, isAlive: () => false, limits: { batchRecords: 300, batchRows: 300 }, leases });
      for (let step = 0; step < steps && accountant.step() > 0; step += 1);
      shown.push(accountant.snapshot().leases.map(({ lease: id, windows, lastShareMs }) => [id, windows.map(({ window, rate }) => [window, rate]), lastShareMs]));
      accountant.close();
    }
    expect(shown[1]).toEqual(shown[2]);
    const store = Store.open(dataDir, { readonly: true });
    const rows = [...store.rows('delivered_minute')].filter(({ verdict, leases: ids }) => verdict === 'accepted' && ids.split(',').includes('acme-lb'));
    const observedMs = [...store.rows('observed_minute')].reduce((sum, { observed_ms }) => sum + observed_ms, 0);
    const { rate } = estimate(rows.map(({ exponent, n }) => [exponent, n] as const), observedMs);
    expect(shown[2]).toMatchObject([['acme-lb', [['5m', rate], ['1h', rate], ['24h', rate], ['period', rate]], expect.any(Number)], ['north-host', expect.anything(), expect.any(Number)], ['nobody', expect.anything(), undefined]]);
    store.close();
  });

  it('puts the ledger of an earlier version aside when the journals give all of it, and only then', async () => {
    await journal();
    const older = new Database(ledgerFile(dataDir));
    older.exec('CREATE TABLE position (segment TEXT PRIMARY KEY); PRAGMA user_version = 2;');
    older.prepare('INSERT INTO position VALUES (?)').run('1700000000000-0f0f0f0f-000001');
    older.close();
    const world = manualWorld(1);
    const notices: string[] = [];
    const accountant = Accountant.open({ dataDir, world, isAlive: () => false, onNotice: (sentence) => notices.push(sentence) });
    drain(accountant);
    expect(accountant.snapshot().problem).toMatch(/is of version 2, .* 1 of the segments in it are no longer there: restore them, or run `weighbridge rebuild --force`/);
    expect(() => Store.open(dataDir, { readonly: true })).toThrow(/schema version 2, this program reads \d+: start the instance/);
    const mended = new Database(ledgerFile(dataDir));
    mended.exec('DELETE FROM position');
    mended.close();
    world.advance(60_000);
    drain(accountant);
    expect(accountant.snapshot()).toMatchObject({ problem: '', caughtUp: true, foldedRecords: farm.facts.length });
    accountant.close();
    expect(notices).toEqual([`the ledger of an earlier version is now ${ledgerFile(dataDir)}.version-2; a new one is folded from the journals`]);
    expect(existsSync(`${ledgerFile(dataDir)}.version-2`)).toBe(true);
  });

  it('works in short steps also when a minute of a large fleet ends', async () => {
    const machines = 4000;
    const facts: Fact[] = [];
    for (let n = 1; n <= machines; n += 1) {
      facts.push({ type: 'session', session: n, sessionId: '', site: 'north', address: '10.0.0.1:1', prefix: new Uint8Array(4), extranonce2Bytes: 4, userAgent: '', atMs: START_MS });
      facts.push({ type: 'bind', bind: n, session: n, worker: `acme.${n}`, lessee: 'acme', atMs: START_MS });
    }
    for (let second = 1; second <= 60; second += 1) facts.push({ type: 'pulse', observedMs: 1000, sessions: machines, atMs: START_MS + second * 1000 });
    await writeJournal({ directory: journalDirectory(dataDir), seed: 3, facts, liveAt: () => [], segmentBytes: 1 << 24, commitFacts: 20_000 });
    // Each look at the clock takes two milliseconds: a step of some 20 ms has time for ten slices.
    let looks = 0;
    const accountant = Accountant.open({ dataDir, world: { ...manualWorld(1), monoMs: () => (looks += 1) * 2 }, isAlive: () => false });
    let longest = 0;
    for (let done = accountant.step(); done > 0 || accountant.busy; done = accountant.step()) {
      const before = looks;
      accountant.step();
      longest = Math.max(longest, looks - before);
    }
    expect(longest).toBeGreaterThan(5);
    expect(longest).toBeLessThan(15);
    accountant.close();
    const store = Store.open(dataDir, { readonly: true });
    const connected = new Map<string, number>();
    for (const { worker, connected_ms: ms } of store.rows('worker_connected')) connected.set(worker, (connected.get(worker) ?? 0) + ms);
    store.close();
    expect(connected.size).toBe(machines);
    expect(new Set(connected.values())).toEqual(new Set([60_000]));
  });

  it('rolls back what was being written when it is closed', async () => {
    await journal();
    const accountant = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => false });
    for (let step = 0; step < 3 && accountant.step() > 0; step += 1);
    accountant.close();
    const fresh = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => false });
    drain(fresh);
    fresh.close();
    const store = Store.open(dataDir, { readonly: true });
    expect(dump(store)['total']?.length).toBeGreaterThan(0);
    expect(store.positions().every(({ finished }) => finished)).toBe(true);
    store.close();
  });

  it('names a segment that cannot be read, and folds the others', async () => {
    await journal();
    const directory = journalDirectory(dataDir);
    const name = readdirSync(directory).find((each) => each.endsWith('.wbj')) ?? '';
    rmSync(join(directory, name));
    writeFileSync(join(directory, `${name}.gz`), 'not gzip');
    const accountant = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => false });
    drain(accountant);
    const { problem, foldedRecords } = accountant.snapshot();
    expect(problem).toContain(`${name}.gz cannot be read`);
    expect(foldedRecords).toBeGreaterThan(0);
    expect(foldedRecords).toBeLessThan(farm.facts.length);
    accountant.close();
  });

  it('compresses what is folded to its end and leaves what is not', async () => {
    await journal();
    const accountant = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => true });
    drain(accountant);
    const report = await accountant.retain(1e12, true, () => undefined);
    const segments = readdirSync(journalDirectory(dataDir)).filter((name) => /\.wbj(\.gz)?$/.test(name));
    expect(report.compressed.length).toBe(segments.length - 1);
    expect(segments.filter((name) => name.endsWith('.wbj'))).toHaveLength(1);
    accountant.close();
    // What is compressed still folds to the same.
    for (const suffix of ['', '-wal', '-shm']) rmSync(ledgerFile(dataDir) + suffix, { force: true });
    const second = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => true });
    drain(second);
    expect(second.snapshot()).toMatchObject({ problem: '', foldedRecords: farm.facts.length });
    second.close();
  });
});
