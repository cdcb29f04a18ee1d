/** A statement is proven from journals alone: every share by bitcoinjs-lib, every figure anew; what was tampered with is found. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Accountant } from '../../../accounting/accountant.ts';
import { InventoryKeeper } from '../../../accounting/leases/inventory-keeper.ts';
import { canonicalJson, leaseTerms } from '../../../accounting/leases/terms.ts';
import { journalDirectory } from '../../../accounting/store.ts';
import { loadConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/schema.ts';
import type { Fact } from '../../../proxy/session/facts.ts';
import { run } from '../../cli/cli-fixture.ts';
import { manualWorld, recordFarm, START_MS, writeJournal } from '../farm.ts';

const LATER = { nowMs: START_MS + 10 * 86_400_000 };
const farm = recordFarm(11, 1500);
let folder = '';
let file = '';
let config: Config;
let statement = '';

/** The farm's facts, whose lease has the terms of the configuration. */
function facts(change: (fact: Fact) => Fact = (fact) => fact): Fact[] {
  const terms = canonicalJson(leaseTerms(config)[0]);
  return farm.facts.map((fact) => change(fact.type === 'lease-terms' && fact.lease === 'acme-lb' ? { ...fact, terms } : fact));
}

async function journal(dataDir: string, written: readonly Fact[]): Promise<void> {
  await writeJournal({ directory: journalDirectory(dataDir), seed: 3, facts: written, liveAt: farm.liveAt, segmentBytes: 22_000, commitFacts: 40 });
}

function fold(dataDir: string): void {
  const accountant = Accountant.open({ dataDir, world: manualWorld(1), isAlive: () => false });
  while (accountant.step() > 0);
  expect(accountant.snapshot().problem).toBe('');
  accountant.close();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wb-proof-'));
  file = join(folder, 'farm.yaml');
  writeFileSync(file, `
data: ./data
inventory: inventory.csv
sites: { north: { listen: ["127.0.0.1:0"] }, south: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:3333", user: u }, backup: { url: "stratum+tcp://127.0.0.1:3334", user: u } }
routes: [{ pools: [main, backup] }]
parties: { acme: { name: Acme }, nfx: { name: NFX } }
leases:
  acme-lb:
    { kind: leaseback, lessor: acme, lessee: nfx, machines: { workers: ["acme.*"] }, term: { from: 2025-12-31, to: 2026-12-31 }, timezone: America/Chicago, contracted: 1 GH/s,
      rent: [{ fixed: 0.05 USD/TH/day, payer: nfx, payee: acme }, { revenueShare: 35%, payer: nfx, payee: acme }], service: { target: 95%, creditPerPoint: 10%, of: fixed, cap: 50% } }
`);
  writeFileSync(join(folder, 'inventory.csv'), 'serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to\nS1,,acme.1,north,m,0.001,1,,,2025-12-01,\nS2,,acme.none,north,m,0.001,1,,,2025-12-01,\n');
  const loaded = loadConfig(file);
  if (loaded.config === undefined) throw new Error(JSON.stringify(loaded.problems));
  ({ config } = loaded);
  await journal(config.data, facts());
  await new InventoryKeeper({ dataDir: config.data, file: join(folder, 'inventory.csv'), host: 'h', world: manualWorld(5), onRows: () => undefined }).look();
  fold(config.data);
  statement = join(folder, 'statement.json');
  const issued = await run(['statement', 'issue', '--config', file, '--lease', 'acme-lb', '--period', '2025-12-31', '--out', statement], LATER);
  if (issued.code !== 0) throw new Error(issued.err);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a statement with journals at hand', () => {
  it('has every share validated and every figure computed again, from the journals alone', async () => {
    const { total } = (JSON.parse(readFileSync(statement, 'utf8')) as { statement: { total: { shares: number; forwarded: number } } }).statement;
    expect(total.shares).toBeGreaterThan(50);
    expect(total.forwarded).toBeGreaterThan(5);
    const copy = join(folder, 'copy');
    mkdirSync(copy);
    cpSync(journalDirectory(config.data), journalDirectory(copy), { recursive: true });
    for (const dir of [config.data, copy, `${copy},${config.data}`]) {
      const { code, out } = await run(['verify', statement, '--data', dir], LATER);
      expect(out).toMatch(/All \d+ accepted shares of these journals in the period were validated with bitcoinjs-lib, and no header counts twice\./);
      expect(out).toContain('Every figure of 1 day and 2 lines follows from the journals.');
      expect(out).toMatch(/Its terms were journaled at 2026-01-01T00:59:30/);
      expect(out).toContain('ok     Its inventory is the one on record for its period.');
      expect(out.includes('was not proven')).toBe(dir === copy);
      expect(code).toBe(0);
    }
    expect((await run(['verify', statement, '--data', copy, '--sample', '20'], LATER)).out).toMatch(/20 were drawn at random and validated/);
  }, 60_000);

  it('that excuses hours says whether the journals have a record of them', async () => {
    const before = join(folder, 'before');
    mkdirSync(before);
    cpSync(journalDirectory(config.data), journalDirectory(before), { recursive: true });
    const suspend = ['lease', 'suspend', 'acme-lb', '--from', '2025-12-31T22:00Z', '--to', '2025-12-31T23:00Z', '--by', 'nfx', '--reason', 'agreed', '--amend', '--config', file];
    expect(await run(suspend, LATER)).toMatchObject({ code: 0 });
    const corrected = join(folder, 'corrected.json');
    const nowhere = ['--out', join(folder, 'no', 'such.json')];
    const issue = ['statement', 'issue', '--config', file, '--lease', 'acme-lb', '--period', '2025-12-31'];
    expect(await run([...issue, ...nowhere], LATER)).toMatchObject({ code: 1, err: expect.stringMatching(/^--out .*such\.json cannot be written \(ENOENT\)\.\n$/) });
    expect(await run([...issue, '--correct', 'acme-lb-2025-12-31/0', '--reason', 'the hour of the 31st', '--out', corrected], LATER)).toMatchObject({ code: 0, err: '' });
    expect((await run(['verify', corrected, '--data', config.data], LATER)).out).toContain('What was stated of hours (1) is on record in the journals.');
    expect((await run(['verify', corrected, '--data', before], LATER)).out).toContain('WRONG  The journals have no record of what was stated: suspended 2025-12-31T22:00:00.000Z to 2025-12-31T23:00:00.000Z by nfx.');
  }, 60_000);

  it('is found wrong where a share proves no work, one is missing, or the contract is another', async () => {
    const wrong = async (name: string, written: readonly Fact[]): Promise<string> => {
      const dir = join(folder, name);
      await journal(dir, written);
      const { code, out } = await run(['verify', statement, '--data', dir], LATER);
      expect(code).toBe(1);
      return out;
    };
    const shares = farm.facts.filter((fact) => fact.type === 'share' && fact.verdict === 'accepted');
    // At this difficulty one hash in two is good enough, so ten are forged.
    const victims = new Set<Fact>(shares.slice(60, 70));
    expect(await wrong('forged', facts((fact) => (victims.has(fact) && fact.type === 'share' ? { ...fact, nonce: fact.nonce ^ 1 } : fact)))).toContain('WRONG  The journals do not prove themselves: ');
    const ours = new Set(farm.facts.flatMap((fact) => (fact.type === 'bind' && fact.worker.startsWith('acme.') ? [fact.bind] : [])));
    const mine = shares.filter((fact) => fact.type === 'share' && ours.has(fact.bind));
    expect(await wrong('missing', facts().filter((fact) => !mine.includes(fact)))).toContain('WRONG  The journals say otherwise of 2025-12-31');
    expect(await wrong('contract', farm.facts)).toContain('WRONG  The journals hold no terms of acme-lb for 2025-12-31');
  }, 60_000);
});
