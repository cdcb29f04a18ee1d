/** Leases in a configuration: amounts are exact, terms are local midnights, and what contradicts itself is said with path and line. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dateAt, localDays, midnightMs, periodDates } from '../../config/calendar.ts';
import { readCsv } from '../../config/csv.ts';
import { globCovers, globsMeet } from '../../config/glob.ts';
import { parseInventory } from '../../config/inventory.ts';
import { loadConfig, parseConfig } from '../../config/load.ts';

const LEASEBACK = readFileSync('examples/leaseback.yaml', 'utf8');
const INVENTORY = readFileSync('examples/inventory.csv', 'utf8');

function problems(change: (yaml: string) => string, inventory = INVENTORY): string[] {
  const yaml = change(LEASEBACK);
  if (yaml === LEASEBACK && inventory === INVENTORY) throw new Error('the change changed nothing');
  const loaded = parseConfig(yaml, '/etc/weighbridge/farm.yaml', {}, () => parseInventory(inventory));
  return (loaded.problems ?? []).map(({ path, line, message }) => `${line} ${path} ${message}`);
}

const swap = (from: string | RegExp, to: string) => (yaml: string) => yaml.replace(from, to);

describe('a lease', () => {
  const lease = parseConfig(LEASEBACK, 'x.yaml', {}).config?.leases?.['acme-leaseback'];

  it('keeps amounts as decimal text and its term as local midnights', () => {
    expect(lease).toMatchObject({
      performer: 'nfx', residual: 'nfx', contracted: '12500000000000000', basis: 'delivered', link: 'shared',
      term: { fromMs: Date.parse('2026-11-01T05:00:00Z'), toMs: Date.parse('2027-11-01T05:00:00Z') },
      lossBorneBy: { poolStale: 'performer', poolOther: 'performer', noPool: 'performer', unjournaled: 'performer' },
    });
    expect(lease?.rent[0]).toMatchObject({ fixed: { amount: '0.042', currency: 'USD' }, payer: 'nfx', payee: 'acme' });
    expect(lease?.rent[1]).toMatchObject({ revenueShare: '35', poolFee: '1' });
  });

  it('takes its defaults from its kind', () => {
    const { leases } = parseConfig(LEASEBACK, 'x.yaml', {}).config ?? {};
    expect(leases?.['acme-hosting']).toMatchObject({ performer: 'host', residual: 'acme', lossBorneBy: { poolOther: 'lessor', unjournaled: 'performer' } });
    const purchase = parseConfig(readFileSync('examples/purchase.yaml', 'utf8'), 'x.yaml', {}).config?.leases?.['buyer-q1'];
    expect(purchase).toMatchObject({ performer: 'farm', residual: 'buyer', lossBorneBy: { noPool: 'lessee' } });
    expect(purchase?.rent[0]?.delivered).toEqual({ amount: '0.00000047', currency: 'BTC' });
  });

  it('survives JSON, in which it travels to the processes', () => {
    expect(JSON.parse(JSON.stringify(lease))).toEqual(lease);
  });

  it.each(['leaseback', 'hosting', 'purchase'])('of examples/%s.yaml is right with the inventory beside it', (name) => {
    expect(loadConfig(`examples/${name}.yaml`).problems).toBeUndefined();
  });
});

describe('what contradicts itself', () => {
  it.each([
    ['a party that is not there', swap('lessor: acme', 'lessor: acmee'), /^\d+ leases\.acme-leaseback\.lessor names the party "acmee", which is not in parties: did you mean "acme"\?/],
    ['a payee that is not there', swap('payer: nfx, payee: acme }', 'payer: nfx, payee: bank }'), /^\d+ leases\.acme-leaseback\.rent\[0\]\.payee names the party "bank"/],
    ['a currency that is not known', swap('0.042 USD', '0.042 XYZ'), /^\d+ leases\.acme-leaseback\.rent\[0\]\.fixed must be a price such as .* currencies are BTC, USD.*it is "0.042 XYZ/],
    ['two leases of one kind over one machine', swap('kind: hosting', 'kind: leaseback'), /^39 leases\.acme-hosting\.machines shares machines with lease "acme-leaseback", and both "acme-leaseback" and "acme-hosting" are leaseback/],
    ['a label of somebody else', swap('- { pools: [main] }', '- { lessee: acme, pools: [main] }'), /^10 routes\[0\]\.lessee names "acme", which is another party than the lessee "nfx" of lease "acme-leaseback"/],
    ['workers that are not in the inventory', swap('["acme.*"]', '["acne.*"]'), /^\d+ leases\.acme-leaseback\.machines\.workers\[0\] names workers that no row of the inventory has during the term: "acne\.\*"/],
    ['a term that ends before it begins', swap('to: 2027-11-01', 'to: 2026-10-01'), /^\d+ leases\.acme-leaseback\.term\.to must be after from/],
    ['a day that no calendar has', swap('from: 2026-11-01', 'from: 2026-11-31'), /^\d+ leases\.acme-leaseback\.term\.from must be a date/],
    ['a time zone that is none', swap('America/Chicago', 'America/Chigaco'), /^\d+ leases\.acme-leaseback\.timezone must be a time zone/],
    ['a payment of two kinds', swap('fixed: 0.042 USD/TH/day,', 'fixed: 0.042 USD/TH/day, delivered: 1 USD/TH/day,'), /rent\[0\] must have exactly one of fixed, delivered, revenueShare, hosting/],
    ['energy without an efficiency', swap(' efficiency: 15.2 J/TH,', ''), /leases\.acme-hosting\.rent\[0\]\.efficiency is missing: it must be given with hosting/],
    ['a share that someone else pays', swap('poolFee: 1%, payer: nfx, payee: acme', 'poolFee: 1%, payer: host, payee: acme'), /rent\[1\]\.payer must be the residual, "nfx"/],
    ['a credit on a payment that is not there', swap('of: fixed', 'of: hosting'), /service\.of names hosting, but no payment of this lease is hosting/],
    ['machines that are all machines', swap('machines: { workers: ["acme.*"] }', 'machines: {}'), /machines must name workers, sites or address ranges/],
    ['a route for a lease that is not there', swap('- { pools: [main] }', '- { match: { lease: acme-leasebck }, pools: [main] }'), /routes\[0\]\.match\.lease names the lease "acme-leasebck", which is not in leases: did you mean "acme-leaseback"\?/],
    ['an account at a pool that no route names', swap('kind: leaseback', 'accounts: { mian: x }\n    kind: leaseback'), /leases\.acme-leaseback\.accounts\.mian is no pool of any route: "main" is/],
    ['two leases with links of their own for one machine', (yaml: string) => yaml.replaceAll(/kind: (?=leaseback|hosting)/g, 'link: exclusive\n    kind: '), /leases\.acme-hosting\.link wants links of its own for machines that lease "acme-leaseback" has on links of its own/],
    ['a lessor who is the lessee', swap('lessee: nfx', 'lessee: acme'), /lessee names "acme", who is the lessor too/],
  ])('%s', (_, change, sentence) => {
    expect(problems(change)).toContainEqual(expect.stringMatching(sentence));
  });

  it('a label is right when a lease over the machines has that lessee, or a route before takes them all', () => {
    expect(problems(swap('- { pools: [main] }', '- { lessee: nfx, pools: [main] }'))).toEqual([]);
    expect(problems(swap('- { pools: [main] }', '- { lessee: host, pools: [main] }'))).toEqual([]);
    expect(problems(swap('- { pools: [main] }', '- { match: { worker: "acme.*" }, lessee: nfx, pools: [main] }\n  - { lessee: acme, pools: [main] }'))).toEqual([]);
  });

  it('leases of one kind may follow one another, stand at other sites, or have other names', () => {
    const second = (over: string): string => LEASEBACK.replace('kind: hosting', 'kind: leaseback').replace(/(acme-hosting:[\s\S]*?)machines: .*\n/, `$1${over}\n`);
    for (const over of ['machines: { workers: ["acme.n*"], sites: [south] }', 'machines: { workers: ["acme.s*"] }']) {
      const yaml = second(over).replace('workers: ["acme.*"] }', over.includes('sites') ? 'workers: ["acme.*"], sites: [north] }' : 'workers: ["acme.n*"] }');
      expect(parseConfig(yaml, 'x.yaml', {}).problems?.map(({ message }) => message)).toBeUndefined();
    }
    const later = LEASEBACK.replace('kind: hosting', 'kind: leaseback').replace(/(acme-hosting:[\s\S]*?)from: 2026-11-01, to: 2027-11-01/, '$1from: 2027-11-01, to: 2028-11-01');
    expect(parseConfig(later, 'x.yaml', {}).problems).toBeUndefined();
  });
});

describe('an inventory', () => {
  it.each([
    ['SN-0001,00', 'SN-0002,00', /inventory has SN-0002 in lines 2 and 3 at one time/],
    ['234,3510,acme,active,2026-10-15,\n', 'a lot,3510,acme,active,2026-10-15,\n', /inventory has in line 2 the nameplate_th "a lot"/],
    [',north,S21 Pro,234,3510,acme,active,2026-10-15,\n', ',nroth,S21 Pro,234,3510,acme,active,2026-10-15,\n', /inventory has in line 2 a site that is not in sites: .*did you mean "north"/],
    ['acme,active,2026-10-15,2026-12-03', 'acme,active,2026-12-15,2026-12-03', /inventory has in line 3 from 2026-12-15, which is not before/],
    ['acme,active,2026-10-15,2026-12-03', 'acme,active,2026-10-15,2026-11-31', /inventory has in line 3 the dates "2026-10-15" and "2026-11-31", of which one is none/],
    ['serial,mac', 'serial,nic', /inventory has no column mac in its first line/],
  ])('with %s as %s', (from, to, sentence) => {
    expect(problems((yaml) => yaml, INVENTORY.replace(from, to)).join('\n')).toMatch(sentence);
  });

  it('that is not there is a problem of the file that names it', () => {
    expect(loadConfig('examples/leaseback.yaml').problems).toBeUndefined();
    expect(parseInventory(INVENTORY).rows).toHaveLength(5);
    expect(parseInventory(INVENTORY).rows[1]).toMatchObject({ serial: 'SN-0002', nameplateHashes: 234_000_000_000_000n, toMs: Date.parse('2026-12-03') });
  });

  it('and a lease may be as small as a hobby device', () => {
    expect(parseInventory(INVENTORY.replace('S21 Pro,234,', 'NerdMiner,0.000000078,')).rows[0]?.nameplateHashes).toBe(78_000n);
    const contracted = (rate: string): unknown => parseConfig(LEASEBACK.replace('contracted: 12.5 PH/s', `contracted: ${rate}`), 'x.yaml', {}).config?.leases?.['acme-leaseback']?.contracted;
    expect(['36.4 kH/s', '0.001 kH/s', '1.2 MH/s', '0.0005 kH/s', '36 H/s'].map(contracted)).toEqual(['36400', '1', '1200000', undefined, undefined]);
  });

  it('is read with quotes, other column orders and line ends', () => {
    const read = readCsv('b,"a"\r\n"x ""y"", z",1\r\n\r\n2,\n', ['a', 'b']);
    expect(read).toEqual({ rows: [{ line: 2, cells: { b: 'x "y", z', a: '1' } }, { line: 4, cells: { b: '2', a: '' } }] });
    expect(readCsv('a\n"x" y\n', ['a'])).toEqual({ problem: 'has a quote in line 2 that does not enclose a whole cell' });
    expect(readCsv('a,b\n1\n', ['a'])).toEqual({ problem: 'has 1 cells in line 2, and 2 in its first line' });
  });
});

describe('globs', () => {
  it.each([
    ['acme.*', 'acme.17', true], ['acme.*', '*.17', true], ['acme.*', 'globex.*', false], ['a?c', 'ab*', true], ['a?', 'a', false],
    ['*', '', true], ['', '', true], ['a*b*c', 'ac*', true], ['*a', '*b', false], ['a*', '*b', true], ['??', '*x', true],
  ])('%s and %s can match one name: %s', (a, b, meets) => {
    expect(globsMeet(a, b)).toBe(meets);
    expect(globsMeet(b, a)).toBe(meets);
  });

  it.each([['acme.*', 'acme.rack.*', true], ['*', 'x?', true], ['acme.*', 'acme*', false], ['a?', 'ab', false]])('%s takes all of %s: %s', (wide, narrow, covers) => {
    expect(globCovers(wide, narrow)).toBe(covers);
  });
});

describe('local days', () => {
  it('have 25 and 23 hours where clocks change', () => {
    const hours = (date: string): number => (midnightMs(`${date.slice(0, 8)}${String(Number(date.slice(8)) + 1).padStart(2, '0')}`, 'America/Chicago') - midnightMs(date, 'America/Chicago')) / 3_600_000;
    expect(hours('2026-11-01')).toBe(25);
    expect(hours('2027-03-14')).toBe(23);
    expect(hours('2026-11-02')).toBe(24);
  });

  it('fill a period without gaps, cut at its ends', () => {
    const [fromMs, toMs] = [midnightMs('2028-02-01', 'Europe/Oslo') + 90_500, midnightMs('2028-03-01', 'Europe/Oslo')];
    const days = localDays(fromMs, toMs, 'Europe/Oslo');
    expect(days).toHaveLength(29);
    expect(days[0]?.fromMs).toBe(fromMs);
    expect(days.at(-1)).toMatchObject({ date: '2028-02-29', toMs });
    days.slice(1).forEach((day, index) => expect(day.fromMs).toBe(days[index]?.toMs));
    expect(dateAt(toMs, 'Europe/Oslo')).toBe('2028-03-01');
  });

  it('make months and days of what people write', () => {
    expect(periodDates('2026-11')).toEqual({ from: '2026-11-01', to: '2026-12-01' });
    expect(periodDates('2028-02-29')).toEqual({ from: '2028-02-29', to: '2028-03-01' });
    expect(periodDates('2026-13')).toBeUndefined();
    expect(periodDates('November')).toBeUndefined();
  });
});
