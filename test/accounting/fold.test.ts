/** The fold: the same facts give the same tables, however they are cut, restarted and killed. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Accountant, type AccountantFigures } from '../../accounting/accountant.ts';
import { journalDirectory, ledgerFile, Store } from '../../accounting/store.ts';
import type { Rows, TableName } from '../../accounting/rows.ts';
import type { Fact, LeaseTermsFact } from '../../proxy/session/facts.ts';
import { globMatches } from '../../proxy/session/routes.ts';
import { seededRandom } from '../../config/world.ts';
import { manualWorld, recordFarm, writeJournal } from './farm.ts';
import { dump } from './tables.ts';

const FACTS = 1500;
let root = '';
let made = 0;
const farm = recordFarm(7, FACTS);

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'wb-fold-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function newDir(): string {
  made += 1;
  return join(root, String(made));
}

function drain(accountant: Accountant, steps = Infinity): void {
  for (let step = 0; step < steps; step += 1) if (accountant.step() === 0) return;
}

function open(dataDir: string, batchRecords = 200_000, alive = false): Accountant {
  return Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => alive, limits: { batchRecords, batchRows: 50_000 } });
}

function tablesOf(dataDir: string): Record<string, string[]> {
  const store = Store.open(dataDir, { readonly: true });
  try {
    return dump(store);
  } finally {
    store.close();
  }
}

async function journal(segmentBytes: number, commitFacts = 40, onCommit?: (dataDir: string) => void): Promise<string> {
  const dataDir = newDir();
  await writeJournal({ directory: journalDirectory(dataDir), seed: 3, ...farm, segmentBytes, commitFacts, onCommit: () => onCommit?.(dataDir) });
  return dataDir;
}

/** The counts a ledger must come to, straight from the facts. */
function expectedAccepted(facts: readonly Fact[]): number {
  return facts.filter((fact) => fact.type === 'share' && fact.verdict === 'accepted').length;
}

/** Accepted shares and pool verdicts by their leases, told from the facts alone: the last version journaled before each share. */
function leasesByFact(facts: readonly Fact[]): { delivered: Map<string, number>; credited: Map<string, number> } {
  const terms = new Map<string, LeaseTermsFact>();
  const sites = new Map<number, string>();
  const binds = new Map<number, { worker: string; site: string }>();
  const ofShare = new Map<number, string>();
  const found = { delivered: new Map<string, number>(), credited: new Map<string, number>() };
  for (const fact of facts) {
    if (fact.type === 'lease-terms') terms.set(fact.lease, fact);
    else if (fact.type === 'session') sites.set(fact.session, fact.site);
    else if (fact.type === 'bind') binds.set(fact.bind, { worker: fact.worker, site: sites.get(fact.session) ?? '' });
    else if (fact.type === 'share') {
      const { worker, site } = binds.get(fact.bind) ?? { worker: '', site: '' };
      const claims = [...terms.values()].filter((each) => each.fromMs <= fact.atMs && fact.atMs < each.toMs
        && (each.workers.length === 0 || each.workers.some((glob) => globMatches(glob, worker))) && (each.sites.length === 0 || each.sites.includes(site)));
      const leases = claims.map(({ lease }) => lease).toSorted().join(',');
      ofShare.set(fact.share, leases);
      if (fact.verdict === 'accepted') found.delivered.set(leases, (found.delivered.get(leases) ?? 0) + 1);
    } else if (fact.type === 'pool-verdict') {
      const leases = ofShare.get(fact.share) ?? '';
      found.credited.set(leases, (found.credited.get(leases) ?? 0) + 1);
    }
  }
  return found;
}

function counted(rows: readonly { readonly leases: string; readonly n: number }[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { leases, n } of rows) sums.set(leases, (sums.get(leases) ?? 0) + n);
  return sums;
}

describe('the fold', () => {
  let reference: Record<string, string[]> = {};
  let figures: AccountantFigures;
  beforeAll(async () => {
    const dataDir = await journal(1 << 26);
    const accountant = open(dataDir);
    drain(accountant);
    figures = accountant.snapshot();
    accountant.close();
    reference = tablesOf(dataDir);
  });

  it('counts what the facts say', () => {
    expect(figures).toMatchObject({ caughtUp: true, lagBytes: 0, lagMs: 0, problem: '', corruptRanges: 0, foldedRecords: farm.facts.length });
    const rows = (table: string): Record<string, unknown>[] => (reference[table] ?? []).map((text) => JSON.parse(text) as Record<string, unknown>);
    const sum = (table: string, where: (row: Record<string, unknown>) => boolean, column = 'n'): number =>
      rows(table).filter(where).reduce((total, row) => total + Number(row[column]), 0);
    const accepted = expectedAccepted(farm.facts);
    for (const table of ['delivered_minute', 'delivered_hour', 'delivered_day', 'worker_hour', 'total']) {
      expect(sum(table, (row) => row['verdict'] === 'accepted')).toBe(accepted);
    }
    const rejected = farm.facts.reduce((total, fact) => total + (fact.type === 'rejects' ? fact.count : fact.type === 'share' && fact.verdict === 'stale' ? 1 : 0), 0);
    expect(sum('total', (row) => row['verdict'] === 'stale' || row['verdict'] === 'unauthorised')).toBe(rejected);
    const verdicts = farm.facts.filter((fact) => fact.type === 'pool-verdict').length;
    for (const table of ['credited_minute', 'credited_hour', 'credited_day', 'credited_total']) expect(sum(table, () => true)).toBe(verdicts);
    const observed = farm.facts.reduce((total, fact) => total + (fact.type === 'pulse' ? fact.observedMs : 0), 0);
    expect(sum('observed_minute', () => true, 'observed_ms')).toBe(observed);
    expect(rows('observed_minute').length).toBeGreaterThan(1);
    expect(sum('unjournaled_minute', () => true)).toBe(3 * farm.facts.filter((fact) => fact.type === 'unjournaled').length);
    // Nothing that was journaled without context loss is counted under empty names.
    expect(sum('delivered_minute', (row) => row['verdict'] === 'accepted' && (row['site'] === '' || row['pool'] === ''))).toBe(0);
  });

  it('counts the sessions that ended, once for each set of leases that their names were under', () => {
    const bound = new Set(farm.facts.flatMap((fact) => (fact.type === 'bind' ? [fact.session] : [])));
    const ends = farm.facts.flatMap((fact) => (fact.type === 'session-end' && bound.has(fact.session) ? [fact.atMs] : []));
    const rows = (reference['ended_hour'] ?? []).map((text) => JSON.parse(text) as Rows['ended_hour']).filter(({ what }) => what === 'session');
    expect(ends.length).toBeGreaterThan(5);
    expect(rows.reduce((sum, { n }) => sum + n, 0)).toBeGreaterThanOrEqual(ends.length);
    expect(Math.min(...rows.map(({ first_ms }) => first_ms))).toBe(Math.min(...ends));
    expect(Math.max(...rows.map(({ last_ms }) => last_ms))).toBe(Math.max(...ends));
    for (const { reason, site, pool, hour, first_ms } of rows) expect([reason, site === '', pool, Math.floor(first_ms / 3_600_000)]).toEqual(['closed', false, '', hour]);
  });

  it('counts under the leases whose terms stood in the journal before the share', () => {
    const rows = <T extends TableName>(table: T): Rows[T][] => (reference[table] ?? []).map((text) => JSON.parse(text) as Rows[T]);
    const expected = leasesByFact(farm.facts);
    expect(new Set(expected.delivered.keys())).toEqual(new Set(['', 'acme-lb', 'north-host', 'acme-lb,north-host']));
    for (const table of ['delivered_minute', 'delivered_hour', 'delivered_day', 'worker_hour', 'total'] as const) {
      expect(counted(rows(table).filter(({ verdict }) => verdict === 'accepted'))).toEqual(expected.delivered);
    }
    for (const table of ['credited_minute', 'credited_hour', 'credited_day'] as const) expect(counted(rows(table))).toEqual(expected.credited);
    const connected = new Set(rows('worker_connected').map(({ leases }) => leases));
    expect(connected.size).toBe(4);
    for (const lease of ['acme-lb', 'north-host']) {
      const days = rows('lease_day').filter((row) => row.lease === lease);
      const all = [...expected.delivered].reduce((sum, [leases, n]) => (leases.split(',').includes(lease) ? sum + n : sum), 0);
      expect(days.reduce((sum, { n }) => sum + n, 0)).toBe(all);
      // 2026-01-01T01:00Z is 19:00 of the day before in Chicago and 06:30 of the same day in Kolkata.
      expect(new Set(days.map(({ day }) => day))).toEqual(new Set([lease === 'acme-lb' ? 20_453 : 20_454]));
      for (const { n, slots, first_ms, last_ms } of days) {
        const hours = lease === 'acme-lb' ? [18n, 19n] : [6n];
        expect(hours.reduce((sum, hour) => sum + ((BigInt(slots) >> (32n * hour)) & 0xffff_ffffn), 0n)).toBe(BigInt(n));
        expect(first_ms).toBeLessThanOrEqual(last_ms);
      }
    }
  });

  it('gives the same tables for any segments, batches, restarts and kills', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 2000 }), fc.integer(), async (size, batchRecords, seed) => {
        const random = seededRandom(seed);
        const segmentBytes = [20_000, 60_000, 200_000, 1 << 26][size] ?? 0;
        // The accountant follows while the journal is written, and is killed again and again.
        let accountant: Accountant | undefined;
        const dataDir = await journal(segmentBytes, 10 + (random.u32() % 40), (directory) => {
          accountant ??= open(directory, batchRecords, true);
          drain(accountant, random.u32() % 12);
          if (random.u32() % 3 > 0) return;
          accountant.close();
          accountant = undefined;
        });
        accountant?.close();
        const last = open(dataDir, batchRecords);
        drain(last);
        expect(last.snapshot()).toMatchObject({ caughtUp: true, problem: '', foldedRecords: farm.facts.length });
        last.close();
        const tables = tablesOf(dataDir);
        // A session's end after the last pulse of a segment is known to the second only.
        const connected = (from: Record<string, string[]>): number =>
          (from['worker_connected'] ?? []).reduce((total, text) => total + Number((JSON.parse(text) as { connected_ms: number }).connected_ms), 0);
        expect(Math.abs(connected(tables) - connected(reference))).toBeLessThan(0.01 * connected(reference));
        expect({ ...tables, worker_connected: [] }).toEqual({ ...reference, worker_connected: [] });
      }),
      { numRuns: 6, seed: 5 },
    );
  });

  it('gives identical tables, machine time included, for the same segments', async () => {
    const dataDir = await journal(30_000);
    const one = open(dataDir);
    drain(one);
    one.close();
    const expected = tablesOf(dataDir);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 900 }), fc.integer(), (batchRecords, seed) => {
        const random = seededRandom(seed);
        const copy = newDir();
        cpSync(journalDirectory(dataDir), journalDirectory(copy), { recursive: true });
        for (let kills = 0; kills < 8; kills += 1) {
          const accountant = open(copy, batchRecords);
          drain(accountant, random.u32() % 30);
          accountant.close();
        }
        const last = open(copy, batchRecords);
        drain(last);
        last.close();
        expect(tablesOf(copy)).toEqual(expected);
      }),
      { numRuns: 6, seed: 9 },
    );
  });

  it('folds on from a ledger restored from an old copy', async () => {
    let old = '';
    const dataDir = await journal(50_000, 100, (directory) => {
      const accountant = open(directory, 200_000, true);
      drain(accountant);
      accountant.close();
      if (old !== '') return;
      old = join(root, `old-${made}.sqlite`);
      const store = Store.open(directory, { readonly: true });
      // A plain copy of the file would need its WAL.
      store.close();
      cpSync(ledgerFile(directory), old);
    });
    for (const suffix of ['', '-wal', '-shm']) rmSync(ledgerFile(dataDir) + suffix, { force: true });
    cpSync(old, ledgerFile(dataDir));
    const accountant = open(dataDir);
    drain(accountant);
    expect(accountant.snapshot()).toMatchObject({ problem: '', foldedRecords: farm.facts.length });
    accountant.close();
    expect({ ...tablesOf(dataDir), worker_connected: [] }).toEqual({ ...reference, worker_connected: [] });
  });

  it('says so when a segment is gone before it was folded whole', async () => {
    const dataDir = await journal(50_000, 100);
    const accountant = open(dataDir, 300, true);
    drain(accountant);
    accountant.close();
    const directory = journalDirectory(dataDir);
    const newest = readdirSync(directory).filter((name) => name.endsWith('.wbj')).toSorted().at(-1) ?? '';
    rmSync(join(directory, newest));
    const again = open(dataDir);
    drain(again);
    expect(again.snapshot().problem).toContain(`segment ${newest.replace('.wbj', '')} is gone`);
    again.close();
  });
});
