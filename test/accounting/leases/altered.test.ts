/** The dishonest host: every value of issued statements is changed, removed or doubled by program, signed again with the host's own key, and must be found wrong or be listed as what only a party says. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Accountant } from '../../../accounting/accountant.ts';
import { listCountersignatures } from './issuing.ts';
import { leaseHistory, type LeaseHistory } from '../../../accounting/leases/history.ts';
import { issuedStatements, signedBytes, type IssuedBody, type IssuedFile, type IssuedStatement } from '../../../accounting/leases/issue.ts';
import { InventoryKeeper } from '../../../accounting/leases/inventory-keeper.ts';
import { proveInventory } from '../../../accounting/leases/inventory-proof.ts';
import { importedAt, type Imported } from '../../../accounting/leases/imported.ts';
import { journaledFindings, recordsOf, type Records as JournalRecords } from '../../../accounting/leases/journaled.ts';
import { listKeys, rotateKey, signingKey, type PublicKeyRecord, type SigningKey } from '../../../accounting/leases/keys.ts';
import { recordFindings } from '../../../accounting/leases/on-record.ts';
import { verifyFigures } from '../../../accounting/leases/figures.ts';
import { signedFindings, type Signed } from '../../../accounting/leases/signed.ts';
import { canonicalJson, digestOf, leaseTerms } from '../../../accounting/leases/terms.ts';
import { verifyIssued, wellFormed, type Finding } from '../../../accounting/leases/verify.ts';
import { LocalBook } from '../../../accounting/local-book.ts';
import type { Book } from '../../../accounting/reader.ts';
import type { BucketTable, Rows } from '../../../accounting/rows.ts';
import { journalDirectory } from '../../../accounting/store.ts';
import { loadConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/schema.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import type { Fact } from '../../../proxy/session/facts.ts';
import { run } from '../../cli/cli-fixture.ts';
import { manualWorld, recordFarm, START_MS, writeJournal } from '../farm.ts';

const farm = recordFarm(11, 900);
const DAY_MS = 86_400_000;
let folder = '';
let file = '';
let config: Config;
let atMs = START_MS + 10 * DAY_MS;

async function done(...args: readonly string[]): Promise<void> {
  atMs += 60_000;
  const { code, out, err } = await run(args, { nowMs: atMs });
  if (code !== 0) throw new Error(`${args.join(' ')}: ${out}${err}`);
}

const issue = (period: string, ...more: readonly string[]): Promise<void> => done('statement', 'issue', '--config', file, '--lease', 'acme-lb', '--period', period, '--out', join(folder, 'out.json'), ...more);
const suspend = (from: string, to: string): Promise<void> => done('lease', 'suspend', 'acme-lb', '--from', from, '--to', to, '--by', 'nfx', '--reason', 'works', '--amend', '--config', file);

async function imported(kind: string, text: string): Promise<void> {
  const path = join(folder, `${kind}.csv`);
  writeFileSync(path, text);
  await done(kind, 'import', path, '--config', file);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wb-altered-'));
  file = join(folder, 'farm.yaml');
  const acme = join(folder, 'acme-data');
  const { record } = rotateKey(acme, { ...realWorld, random: seededRandom(8) });
  writeFileSync(join(folder, 'prices.csv'), 'instant,pair,price,source\n2026-01-01T20:00:00Z,BTC/USD,89000,exchange\n2026-01-02T20:00:00Z,BTC/USD,90000.5,exchange\n');
  writeFileSync(join(folder, 'inventory.csv'), 'serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to\nS-1,,acme.1,north,m,1,1,acme,,2025-12-01,\nS-2,,acme.9,north,m,1,1,acme,,2025-12-01,\n');
  writeFileSync(file, `
data: ./data
sites: { north: { listen: ["127.0.0.1:0"] }, south: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:3333", user: u }, backup: { url: "stratum+tcp://127.0.0.1:3334", user: u } }
routes: [{ pools: [main, backup] }]
prices: { file: prices.csv, missing: omit }
inventory: inventory.csv
parties: { acme: { name: Acme, key: "${record.publicKey}" }, nfx: { name: NFX, address: Street 1, taxId: "7" } }
leases:
  acme-lb:
    { kind: leaseback, contractRef: C-1, lessor: acme, lessee: nfx, machines: { workers: ["acme.*"] }, term: { from: 2025-12-31, to: 2026-12-31 }, timezone: America/Chicago, contracted: 1 GH/s,
      overDelivery: { upTo: 5%, then: carry }, service: { target: 95%, creditPerPoint: 10%, of: fixed, cap: 50% },
      rent: [{ fixed: 50000 USD/TH/day, payer: nfx, payee: acme, tax: 7% }, { revenueShare: 35%, of: earnings, payer: nfx, payee: acme }, { hosting: 0.07 USD/kWh, metered: hall, payer: acme, payee: nfx }] }
`);
  const loaded = loadConfig(file);
  if (loaded.config === undefined) throw new Error(JSON.stringify(loaded.problems));
  ({ config } = loaded);
  const terms = canonicalJson(leaseTerms(config)[0]);
  const facts = farm.facts.map((fact): Fact => (fact.type === 'lease-terms' && fact.lease === 'acme-lb' ? { ...fact, terms } : fact));
  await writeJournal({ directory: journalDirectory(config.data), seed: 3, facts, liveAt: farm.liveAt, segmentBytes: 22_000, commitFacts: 40 });
  fold();
  const found = { ...realWorld, wallMs: () => START_MS - DAY_MS };
  await new InventoryKeeper({ dataDir: config.data, file: join(folder, 'inventory.csv'), host: 'test', world: found, onRows: () => undefined }).look();
  await imported('earnings', 'pool,account,scheme,earned_from,earned_to,pool_work,gross_sat,fee_sat,net_sat,paid_at,txid,payout_id\nmain,u,FPPS,2025-12-31T06:00Z,2026-01-01T06:00Z,5,2000,20,1980,2026-01-02,ab,P1\n');
  await imported('meters', 'meter,from,to,kwh\nhall,2025-12-31T06:00Z,2026-01-01T12:00Z,30\n');
  await issue('2025-12-31');
  await imported('payments', 'lease,payer,payee,paid_at,amount,currency,reference\nacme-lb,nfx,acme,2026-01-01T12:00Z,5.00,USD,WIRE-1\n');
  await issue('2026-01-01');
  await suspend('2025-12-31T22:00Z', '2025-12-31T23:00Z');
  await issue('2025-12-31', '--correct', 'acme-lb-2025-12-31/0', '--reason', 'an hour');
  await done('statement', 'countersign', '--file', join(folder, 'out.json'), '--by', 'acme', '--data', acme, '--out', join(folder, 'signed.json'));
  await done('statement', 'accept', '--config', file, '--lease', 'acme-lb', '--file', join(folder, 'signed.json'));
  await suspend('2025-12-31T20:00Z', '2025-12-31T21:00Z');
  await issue('2025-12-31', '--correct', 'acme-lb-2025-12-31/1', '--reason', 'another hour');
  await issue('2026-01-02');
  fold();
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fold(): void {
  const accountant = Accountant.open({ dataDir: config.data, world: manualWorld(1), isAlive: () => false });
  while (accountant.step() > 0);
  expect(accountant.snapshot().problem).toBe('');
  accountant.close();
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
interface Change {
  readonly path: string;
  readonly how: string;
  readonly value: Json;
}

/** "12.50" → "12.51"; other text is made longer. */
function otherText(text: string): string {
  return /\d$/.test(text) && !/[-/T]/.test(text.slice(1)) ? `${text.slice(0, -1)}${(Number(text.at(-1)) + 1) % 10}` : `${text}x`;
}

/** Every way to change one value of a document, with the document changed so. */
function* changes(value: Json, path: string): Generator<Change> {
  if (typeof value === 'string') yield { path, how: 'another text', value: otherText(value) };
  else if (typeof value === 'number') yield { path, how: 'one more', value: value + 1 };
  else if (typeof value === 'boolean') yield { path, how: 'the opposite', value: !value };
  else if (value === null) yield { path, how: 'something for nothing', value: 'x' };
  else if (isList(value)) {
    for (const [index, each] of value.entries()) {
      for (const change of changes(each, `${path}[]`)) yield { ...change, value: value.with(index, change.value) };
      yield { path: `${path}[]`, how: 'left out', value: value.toSpliced(index, 1) };
      yield { path: `${path}[]`, how: 'twice', value: value.toSpliced(index, 0, each) };
    }
    if (value.length === 0) yield { path: `${path}[]`, how: 'invented', value: ['x'] };
  } else {
    for (const [key, each] of Object.entries(value)) {
      for (const change of changes(each, `${path}.${key}`)) yield { ...change, value: { ...value, [key]: change.value } };
      yield { path: `${path}.${key}`, how: 'left out', value: Object.fromEntries(Object.entries(value).filter(([other]) => other !== key)) };
    }
    yield { path: `${path}.extra`, how: 'added', value: { ...value, extra: 1 } };
  }
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function signedAgain(statement: unknown, key: SigningKey): IssuedStatement {
  const { record } = key;
  return { statement, digest: digestOf(statement), signature: { algorithm: 'ed25519', key: record.id, publicKey: record.publicKey, value: key.sign(signedBytes(statement)) } } as IssuedStatement;
}

/** The ledger does not change meanwhile. */
function remembering(ledger: LocalBook): Book {
  const known = new Map<string, readonly unknown[]>();
  return {
    close: () => ledger.close(),
    read: (ranges, use) => ledger.read(ranges, (reader) => use({
      rows<T extends BucketTable>(...args: readonly [T, number, number, string?]) {
        const key = args.join(' ');
        const rows = known.get(key) ?? [...reader.rows(...args)];
        known.set(key, rows);
        return rows as readonly Rows[T][];
      },
    })),
  };
}

/** Of each kind of value, in all statements. */
const TRIES_MAX = 2;

interface Records {
  readonly all: readonly IssuedFile[];
  readonly history: LeaseHistory;
  readonly signed: Signed;
  readonly book: Book;
  readonly keys: readonly PublicKeyRecord[];
}

/** The journals of a host that put this statement there in place of the one of its number, or of its place in the chain. */
function asIfJournaled({ statement, digest }: IssuedStatement, original: IssuedStatement, { documents, reachedMs }: JournalRecords): JournalRecords {
  return { reachedMs, documents: documents.map((each) => (each.digest === original.digest ? { ...each, name: statement.number, digest } : each)) };
}

/** Sentences that say that a statement is wrong; the host has journaled what it signed. */
async function wrongs(issued: IssuedStatement, original: IssuedStatement, { all, history, signed, book, keys }: Records, imported: Imported): Promise<string[]> {
  const others = all.map((each) => each.issued).filter((each) => each !== original);
  const wrong = (findings: readonly Finding[]): string[] => findings.filter(({ ok }) => !ok).map(({ sentence }) => sentence);
  const soon = wrong(wellFormed(() => [...verifyIssued(issued, others, keys), ...recordFindings(issued, history, 'journals'), ...signedFindings(issued, history, signed), ...journaledFindings(issued, asIfJournaled(issued, original, signed.records))]));
  const inventory = proveInventory(issued, [config.data]);
  if (inventory.findings.some(({ ok }) => !ok)) return wrong(inventory.findings);
  return soon.length > 0 ? soon : wrong(await verifyFigures(issued, { book, source: 'journals', history, others, imported, inventory }));
}

describe('statements of a host that signs what it likes', () => {
  it('are found wrong in every value, or are listed', async () => {
    const all = issuedStatements(config.data, 'acme-lb');
    const ledger = LocalBook.open(config.data);
    const records: Records = {
      all, book: remembering(ledger), keys: listKeys(config.data), history: leaseHistory(config.data),
      signed: { statements: all.map(({ issued }) => issued), countersignatures: listCountersignatures(all), records: recordsOf([config.data]) },
    };
    const escaped = new Set<string>();
    const key = signingKey(config.data, realWorld);
    const tried = new Map<string, number>();
    for (const { issued } of all) {
      const imported = importedAt([config.data], records.signed.records, Date.parse(issued.statement.issuedAt));
      expect(await wrongs(issued, issued, records, imported)).toEqual([]);
      for (const { path, how, value } of changes(issued.statement as unknown as Json, '')) {
        const pattern = `${path.slice(1)}: ${how}`;
        const times = (tried.get(pattern) ?? 0) + 1;
        tried.set(pattern, times);
        if (times > TRIES_MAX) continue;
        if ((await wrongs(signedAgain(value, key), issued, records, imported)).length === 0) escaped.add(pattern);
      }
    }
    ledger.close();
    expect(tried.size).toBeGreaterThan(600);
    // What only a party says: docs/trust.md names each.
    expect([...escaped].toSorted()).toEqual(['correction.reason: another text', 'prices[].pair: another text', 'prices[].price: another text']);
  }, 120_000);

  it('say in words what is wrong with signatures, with what nobody signed, and with what was left open', async () => {
    const records = recordsOf([config.data]);
    const all = issuedStatements(config.data, 'acme-lb');
    const last = all.at(2)?.issued;
    const key = signingKey(config.data, realWorld);
    const wrongWith = async (change: (statement: IssuedBody) => IssuedBody, given = all.at(2)?.issued): Promise<string> => {
      if (given === undefined) throw new Error('it was issued');
      const path = join(folder, 'changed.json');
      writeFileSync(path, JSON.stringify(signedAgain(change(given.statement), key)));
      const { out } = await run(['verify', path, '--data', config.data], { nowMs: atMs });
      return out.split('\n').filter((line) => line.startsWith('WRONG')).join('\n');
    };
    const corrected = all.at(3)?.issued;
    expect(corrected?.statement.amendments.map(({ signed }) => signed)).toEqual([true, false]);
    expect(last?.statement.amendments.map(({ signed }) => signed)).toEqual([false]);
    const flags = (...signed: readonly boolean[]) => (statement: IssuedBody): IssuedBody => ({ ...statement, amendments: statement.amendments.map((note, index) => ({ ...note, signed: signed[index] ?? false })) });
    expect(await wrongWith(flags(true))).toContain('It says that a counterparty has signed the amendment (suspension) recorded at ');
    expect(await wrongWith(flags(false, false), corrected)).toMatch(/It says that nobody has signed the amendment \(suspension\) recorded at \S+, and acme had, with acme-lb-2025-12-31\/1 at /);
    expect(await wrongWith((statement) => ({ ...statement, unamended: null }))).toContain('otherwise of unamended');
    expect(await wrongWith((statement) => statement)).toBe('');
    expect(await wrongWith((statement) => ({ ...statement, issuedAt: '2026-01-11T00:00:00.000Z' }))).toContain('It is not the statement that was journaled under its number: that has the digest ');
    expect(await wrongWith((statement) => ({ ...statement, number: 'acme-lb-2025-12-31/9', revision: 9 }))).toContain('Its digest is in none of these journals, which reach to ');
    if (last === undefined) throw new Error('it was issued');
    const journaledAs = (change: (documents: JournalRecords['documents']) => JournalRecords['documents'], issued = last) => journaledFindings(issued, { ...records, documents: change(records.documents) }).map(({ sentence }) => sentence).join('\n');
    const own = records.documents.find(({ digest }) => digest === last.digest);
    if (own === undefined) throw new Error('it was journaled');
    expect(journaledAs((documents) => documents)).toMatch(/^Its digest was journaled at \S+\nacme-lb-2026-01-01\/0 was journaled before it, with the digest that it names\.$/);
    expect(journaledAs((documents) => [...documents, { ...own, digest: 'f'.repeat(64), atMs: atMs }])).toContain('Another statement was journaled under its number at');
    expect(journaledAs((documents) => documents.map((each) => (each === own ? { ...own, atMs: own.atMs + 3_600_000 } : each)))).toContain('It says that it was issued at ');
    expect(journaledAs((documents) => documents.toSpliced(documents.indexOf(own), 0, { ...own, name: 'acme-lb-2026-01-01/1', digest: 'f'.repeat(64) }))).toContain('Before it acme-lb-2026-01-01/1 was journaled, with digest ffffffffffffffff…, and it names acme-lb-2026-01-01/0');
    expect(journaledFindings(last, { documents: [], reachedMs: START_MS })).toEqual([{ ok: true, sentence: expect.stringContaining('before it was issued: whether its digest was journaled then, only later ones tell') }]);
    expect(journaledFindings(last, { documents: [], reachedMs: undefined })).toEqual([{ ok: true, sentence: expect.stringContaining('No journal is here to tell') }]);
  }, 60_000);

  it('are found wrong where a name stands twice in the file, or anything beside what was signed', async () => {
    const path = join(folder, 'twice.json');
    const text = issuedStatements(config.data, 'acme-lb')[0]?.text ?? '';
    writeFileSync(path, text.replace('"netDue": [', '"netDue": [],\n    "netDue": ['));
    expect(await run(['verify', path], { nowMs: atMs })).toMatchObject({ code: 1, out: expect.stringContaining('A name stands twice in one object of the file') });
    writeFileSync(path, text.replace('"signature": {', '"note": "paid",\n  "signature": {'));
    expect(await run(['verify', path], { nowMs: atMs })).toMatchObject({ code: 1, out: expect.stringContaining('nothing of that was signed') });
    writeFileSync(path, text);
    expect(await run(['verify', path], { nowMs: atMs })).toMatchObject({ code: 0 });
  });

  it('have payments that were imported, or are taken at their word where the files are not here', async () => {
    const copy = join(folder, 'journal-only');
    cpSync(journalDirectory(config.data), journalDirectory(copy), { recursive: true });
    const path = join(folder, 'last.json');
    writeFileSync(path, issuedStatements(config.data, 'acme-lb').at(0)?.text ?? '');
    const whole = await run(['verify', path, '--data', config.data], { nowMs: atMs });
    expect(whole).toMatchObject({ code: 0, out: expect.not.stringContaining('Taken as it says') });
    const alone = await run(['verify', path, '--data', copy], { nowMs: atMs });
    expect(alone).toMatchObject({ code: 0, out: expect.stringContaining('Taken as it says: what pools paid; readings of meters; what the inventory says of machines.') });
  }, 60_000);
});
