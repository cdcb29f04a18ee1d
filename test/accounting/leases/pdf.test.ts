/** The printed statement: the same bytes for the same statement, one to three pages, and nothing a font cannot show. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { inflateSync } from 'node:zlib';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IssuedStatement } from '../../../accounting/leases/issue.ts';
import { issueStatement } from './issuing.ts';
import { signingKey } from '../../../accounting/leases/keys.ts';
import { statementPdf, type Seal } from '../../../accounting/leases/pdf.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { parseConfig } from '../../../config/load.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import { CURTAILED, workedDraft, writeWorkedMonth } from './worked.ts';

const ISSUED_MS = Date.parse('2026-12-02T09:00:00Z');
const CORRECTED_MS = Date.parse('2026-12-09T15:00:00Z');
let folder = '';
let first: StatementDraft;
let corrected: StatementDraft;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wb-worked-'));
  const { config } = parseConfig(readFileSync('examples/leaseback.yaml', 'utf8'), join(folder, 'x.yaml'), {});
  if (config === undefined) throw new Error('the example is right');
  writeWorkedMonth(folder);
  [first, corrected] = [await workedDraft(config, folder, []), await workedDraft(config, folder, [CURTAILED])];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sealOf({ statement, digest, signature }: IssuedStatement): Seal {
  return { digest, key: signature.key, issuedAt: statement.issuedAt, correction: statement.correction };
}

/** Everything that is printed, in the order of printing; what stands on two lines has a blank between them. */
function textOf(pdf: Buffer): string {
  const streams = [...pdf.toString('latin1').matchAll(/\/FlateDecode[^]*?stream\n([^]*?)\nendstream/g)].map(([, bytes = '']) => inflateSync(Buffer.from(bytes, 'latin1')).toString('latin1'));
  const words = streams.flatMap((stream) => [...stream.matchAll(/\[([^\]]*)\] TJ/g)].map(([, shown = '']) => [...shown.matchAll(/<([0-9a-f]*)>/g)].map(([, hex = '']) => Buffer.from(hex, 'hex').toString('latin1')).join('')));
  return words.join(' ').replaceAll('\u00a0', ' ').replaceAll(/ +/g, ' ');
}

function pagesOf(pdf: Buffer): number {
  return [...pdf.toString('latin1').matchAll(/\/Type \/Page\b(?!s)/g)].length;
}

describe('a statement on paper', () => {
  it('has the same bytes every time, on at most three pages, as draft and issued', async () => {
    const key = signingKey(folder, { ...realWorld, wallMs: () => ISSUED_MS, random: seededRandom(3) });
    issueStatement(folder, first, key, ISSUED_MS);
    const { issued } = issueStatement(folder, corrected, key, CORRECTED_MS, { number: 'acme-leaseback-2026-11/0', reason: 'curtailment of the 7th stated late' });
    for (const [statement, seal] of [[first, undefined], [issued.statement, sealOf(issued)]] as const) {
      const pdf = await statementPdf(statement, seal);
      expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
      expect(pagesOf(pdf)).toBe(seal === undefined ? 2 : 3);
      expect((await statementPdf(statement, seal)).equals(pdf)).toBe(true);
    }
  });

  it('cuts no name and no figure, however long they are', async () => {
    const long = { acme: 'Acme Digital Infrastructure Capital Partners IV, L.P., a Delaware limited partnership', nfx: 'Nordlys Digital Assets Beteiligungsgesellschaft mbH & Co. KG' };
    const tax = { component: 'tax' as const, payer: 'nfx', payee: 'acme', quantity: '7798.44', unit: 'USD', unitPrice: '8.25% of serviceCredit', currency: 'USD', amount: '643.37' };
    const balance = [{ first: 'acme', second: 'nfx', currency: 'USD', opening: '-1234567890.12', adjustments: '0.00', charges: '-23395.32', payments: '0.00', closing: '-1234591285.44' }];
    const statement = { ...corrected, parties: corrected.parties.map((party) => ({ ...party, name: long[party.id as 'acme' | 'nfx'] })), components: [...corrected.components, tax], balance };
    const text = textOf(await statementPdf(statement, undefined));
    expect(text).toContain(`${long.nfx} pays ${long.acme} 0.04593438 BTC`);
    expect(text).toContain(`OPEN AFTER EARLIER STATEMENTS AND PAYMENTS ${long.nfx} owes ${long.acme} 1,234,591,285.44 USD`);
    expect(text).toContain(`Account opening charges payments closing ${long.nfx} owes ${long.acme} USD 1,234,567,890.12 23,395.32 0.00 1,234,591,285.44`);
    expect(text).toContain('Tax 7,798.44 USD 8.25% of service credit 643.37 USD');
    expect(text).not.toContain('…');
  });

  it('says what was measured against what, names who is not described, and until when it can be disputed', async () => {
    const seal = { digest: 'd'.repeat(64), key: 'k'.repeat(16), issuedAt: '2026-12-09T15:00:00.000Z', correction: { of: 'acme-leaseback-2026-11/0', reason: 'told late', lines: [{ line: '2026-11-01 to 2026-11-11 serviceCredit nfx acme USD', currency: 'USD', old: '525.00', new: '350.00', difference: '-175.00' }] } };
    const text = textOf(await statementPdf(corrected, seal));
    expect(text).toContain('Owed 371,354.2 TH-days: 375,520.8 contracted, less 8.00 hours curtailed');
    expect(text).toContain('Settled 255,607.1 TH-days: what was delivered, as losses are borne; 68.83 % of what is owed');
    expect(text).toMatch(/68\.83 % settled against a target of 95\.00 %: missed by 26\.11 percentage points \(96,965\.\d TH-days\), with 0\.08 % of what is settled excused as chance/);
    expect(text).toContain('NFX Operations Inc Lessee, owes the hash rate, keeps the remaining value address not stated');
    expect(text).toContain('2026-11-01 has 25 hours');
    expect(text).toContain('2026-11-01 to 2026-11-11, service credit, NFX Operations Inc to Acme Capital LLC 525.00 USD 350.00 USD -175.00 USD');
    expect(text).toContain('until 2027-01-08 15:00 UTC, 30 days after its issue');
    const none = { ...corrected, contract: { ...corrected.contract, lease: { ...corrected.contract.lease, service: undefined } } };
    expect(textOf(await statementPdf(none, undefined))).toContain('Service level none is agreed');
  });

  it('keeps to three pages with everything that a statement can have', async () => {
    const name = Array.from({ length: 40 }, () => 'a long name of a machine').join(', ');
    const from = '2026-11-05T00:00:00.000Z';
    const stretches = Array.from({ length: 40 }, (_, index) => ({ from, to: `2026-11-${String(6 + (index % 20)).padStart(2, '0')}T00:00:00.000Z`, observed: `${index} names found no share: ${name.slice(0, 120)}.`, stated: index % 2 === 0 ? '' : 'suspended, by NFX Operations Inc: works on the transformer' }));
    const lines = Array.from({ length: 60 }, (_, index) => ({ line: `2026-11-${index} fixed nfx acme USD`, currency: 'USD', old: '525.00', new: '350.00', difference: '-175.00' }));
    const amendments = [{ event: 'curtailment' as const, from, to: from, by: 'nfx', reason: 'told late', document: '', recorded: '2026-12-05T00:00:00.000Z', signed: false }];
    const full = { ...corrected, downtime: stretches, amendments, unamended: { termsDigest: '', netDue: corrected.netDue, components: [], ratio: null, machines: { installed: null, seen: null, machineHours: 0, availability: null } }, completeness: [...corrected.completeness, ...Array.from({ length: 6 }, () => name.slice(0, 200))] };
    const pdf = await statementPdf(full, { digest: 'd'.repeat(64), key: 'k'.repeat(16), issuedAt: new Date(CORRECTED_MS).toISOString(), correction: { of: 'acme-leaseback-2026-11/0', reason: 'told late', lines } });
    expect(pagesOf(pdf)).toBe(3);
  });

  it('is drawn also for a day, for nothing delivered, and for names no font has', async () => {
    const nothing = { ...first, days: first.days.slice(0, 1).map((day) => ({ ...day, delivered: '0.000000', ratio: null, deliveredHigh: '' })), netDue: [], balance: [], parties: first.parties.map((party) => ({ ...party, name: '算力公司 ☃' })) };
    expect(pagesOf(await statementPdf(nothing, undefined))).toBeLessThanOrEqual(3);
  });
});
