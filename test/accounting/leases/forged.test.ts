/** Statements that were drafted by other terms than those on record, and signed with the operator's own key: each is found wrong, and says in what. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Accountant } from '../../../accounting/accountant.ts';
import { draft } from '../../../accounting/leases/draft.ts';
import { leaseHistory } from '../../../accounting/leases/history.ts';
import { issuedStatements, nextStatement, type IssuedStatement } from '../../../accounting/leases/issue.ts';
import { rotateKey, signingKey } from '../../../accounting/leases/keys.ts';
import { recordFindings } from '../../../accounting/leases/on-record.ts';
import { canonicalJson, leaseTerms } from '../../../accounting/leases/terms.ts';
import { LocalBook } from '../../../accounting/local-book.ts';
import { journalDirectory } from '../../../accounting/store.ts';
import { loadConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/schema.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import type { Fact } from '../../../proxy/session/facts.ts';
import { run } from '../../cli/cli-fixture.ts';
import { manualWorld, recordFarm, START_MS, writeJournal } from '../farm.ts';

const NOW_MS = START_MS + 10 * 86_400_000;
const LATER = { nowMs: NOW_MS };
const PERIOD = '2025-12-31';
const farm = recordFarm(11, 900);
let folder = '';
let text = '';
let forgers = 0;

function load(yaml: string, data: string): Config {
  const file = `${data}.yaml`;
  writeFileSync(file, yaml.replace('data: ./data', `data: ${data}`));
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}

/** The farm's journal; with the terms of the configuration, or with none that say anything. */
async function journal(config: Config, told: boolean): Promise<void> {
  const terms = canonicalJson(leaseTerms(config)[0]);
  const facts = farm.facts.map((fact): Fact => (told && fact.type === 'lease-terms' && fact.lease === 'acme-lb' ? { ...fact, terms } : fact));
  await writeJournal({ directory: journalDirectory(config.data), seed: 3, facts, liveAt: farm.liveAt, segmentBytes: 22_000, commitFacts: 40 });
  fold(config);
}

function fold({ data }: Config): void {
  const accountant = Accountant.open({ dataDir: data, world: manualWorld(1), isAlive: () => false });
  while (accountant.step() > 0);
  accountant.close();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wb-forged-'));
  const { record } = rotateKey(join(folder, 'acme-data'), { ...realWorld, random: seededRandom(8) });
  text = `
data: ./data
sites: { north: { listen: ["127.0.0.1:0"] }, south: { listen: ["127.0.0.1:0"] } }
pools: { main: { url: "stratum+tcp://127.0.0.1:3333", user: u }, backup: { url: "stratum+tcp://127.0.0.1:3334", user: u } }
routes: [{ pools: [main, backup] }]
parties: { acme: { name: Acme, key: "${record.publicKey}" }, nfx: { name: NFX } }
leases:
  acme-lb:
    { kind: leaseback, lessor: acme, lessee: nfx, machines: { workers: ["acme.*"] }, term: { from: 2025-12-31, to: 2026-12-31 }, timezone: America/Chicago, contracted: 1 GH/s,
      rent: [{ fixed: 0.05 USD/TH/day, payer: nfx, payee: acme }, { revenueShare: 35%, payer: nfx, payee: acme }], service: { target: 95%, creditPerPoint: 10%, of: fixed, cap: 50% } }
`;
  await journal(load(text, join(folder, 'untold')), false);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FORGERIES = [
  ['the rent', 'fixed: 0.05 USD', 'fixed: 0.06 USD', 'rent[0].fixed.amount is "0.06" in the statement and "0.05" on record'],
  ['the share of the value', '35%', '36%', 'rent[1].revenueShare is "36" in the statement and "35" on record'],
  ['the contracted rate', 'contracted: 1 GH/s', 'contracted: 2 GH/s', 'contracted is 2 GH/s in the statement and 1 GH/s on record'],
  ['the service target', 'target: 95%', 'target: 90%', 'service.target is "90" in the statement and "95" on record'],
  ['who bears a loss', 'contracted: 1 GH/s,', 'contracted: 1 GH/s, lossBorneBy: { poolStale: lessor },', 'lossBorneBy.poolStale is "lessor" in the statement and "performer" on record'],
  ['the end of the term', 'to: 2026-12-31', 'to: 2026-11-30', 'term.to is "2026-11-30" in the statement and "2026-12-31" on record'],
  ['the machines', 'workers: ["acme.*"]', 'workers: ["acme.1"]', 'machines.workers[0] is "acme.1" in the statement and "acme.*" on record'],
  ['a payment', 'payee: acme }, {', 'payee: acme }, { delivered: 0.01 USD/TH/day, payer: nfx, payee: acme }, {', 'is {"payee":"acme","payer":"nfx","revenueShare":"35"} in the statement and nothing on record'],
  ['a party', 'name: NFX', 'name: NFY', 'parties.nfx.name is "NFY" in the statement and "NFX" on record'],
] as const;

/** A whole statement by a changed contract, over the same work, signed with the operator's own key. */
async function forged(honest: Config, from: string, to: string): Promise<IssuedStatement> {
  const config = load(text.replace(from, to), join(folder, `forger-${forgers++}`));
  cpSync(join(folder, 'untold'), config.data, { recursive: true });
  cpSync(join(honest.data, 'keys'), join(config.data, 'keys'), { recursive: true });
  const book = LocalBook.open(config.data);
  const drafted = await draft(config, { lease: 'acme-lb', period: PERIOD, nowMs: NOW_MS }, book, []);
  book.close();
  if ('refused' in drafted) throw new Error(drafted.refused);
  const real = issuedStatements(honest.data, 'acme-lb').at(-1)?.issued.statement;
  return nextStatement(config.data, { ...drafted, amendments: real?.amendments ?? [], completeness: real?.completeness ?? [] }, signingKey(config.data, realWorld), NOW_MS).issued;
}

/** What a command printed, which must succeed. */
async function done(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await run(args, LATER);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${out}${err}`);
  return out;
}

const SCENARIOS: readonly (readonly [name: string, events: readonly (readonly string[])[], signed: boolean])[] = [
  ['nothing else on record', [], false],
  ['an amendment of later on record', [['amend', '--effective', '2026-02-01T06:00Z', '--by', 'nfx', '--reason', 'less from February on']], false],
  ['a termination on record', [['terminate', '--at', '2026-06-01', '--by', 'acme', '--reason', 'sold']], false],
  ['an amendment of another month that the counterparty has signed, and a termination', [['terminate', '--at', '2026-06-01', '--by', 'acme', '--reason', 'sold'], ['amend', '--effective', '2025-12-01T06:00Z', '--by', 'nfx', '--reason', 'found out late']], true],
];

describe.each(SCENARIOS)('with %s', (name, events, signed) => {
  let honest: Config;

  beforeAll(async () => {
    honest = load(text, join(folder, `honest-${name.length}`));
    await journal(honest, true);
    const file = `${honest.data}.yaml`;
    for (const [action = '', ...args] of events) {
      // An amendment of what the forgeries do not touch.
      if (action === 'amend') load(text.replace('cap: 50%', 'cap: 60%'), honest.data);
      await done('lease', action, 'acme-lb', ...args, '--config', file);
    }
    const out = join(honest.data, 'honest.json');
    const issue = ['statement', 'issue', '--config', file, '--lease', 'acme-lb', '--period', PERIOD, '--out', out];
    await done(...issue);
    if (signed) {
      const path = join(folder, 'signed.json');
      await done('statement', 'countersign', '--file', out, '--by', 'acme', '--data', join(folder, 'acme-data'), '--out', path);
      await done('statement', 'accept', '--config', file, '--lease', 'acme-lb', '--file', path);
      await done(...issue, '--correct', `acme-lb-${PERIOD}/0`, '--reason', 'once more');
    }
    fold(honest);
  }, 60_000);

  it('the statement by the terms on record is right', async () => {
    const verified = await done('verify', join(honest.data, 'honest.json'), '--data', honest.data);
    expect(verified).toContain(signed ? 'ok     Its terms are those of the amendment that was recorded at' : 'ok     Its terms were journaled at 2026-01-01T00:59:30');
  }, 60_000);

  it.each(FORGERIES)('a statement by other terms is wrong: %s', async (_what, from, to, sentence) => {
    const issued = await forged(honest, from, to);
    const [terms] = recordFindings(issued, leaseHistory(honest.data), 'journals');
    expect(terms).toMatchObject({ ok: false, sentence: expect.stringMatching(signed ? /^Its terms are not those on record for its period, which were amended at / : /^Its terms are not those on record for its period, which were journaled at /) });
    expect(terms?.sentence).toContain(sentence);
  });

  it('the command finds it from the journals, though all its figures follow from them', async () => {
    const path = join(mkdtempSync(join(folder, 'given-')), 'forged.json');
    writeFileSync(path, JSON.stringify(await forged(honest, 'fixed: 0.05 USD', 'fixed: 0.06 USD')));
    const { code, out } = await run(['verify', path, '--data', honest.data], LATER);
    expect(code).toBe(1);
    expect(out).toContain('Every figure of 1 day and 2 lines follows from the journals.');
    expect(out.split('\n').filter((line) => line.startsWith('WRONG'))).toEqual([
      expect.stringContaining('It is not the statement that was journaled under its number'),
      expect.stringContaining('rent[0].fixed.amount is "0.06" in the statement and "0.05" on record'),
    ]);
  }, 60_000);
});
