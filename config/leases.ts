/** Parties, leases and prices: contracts over machines as a configuration states them. Amounts stay decimal text, for no figure of money may pass through a float. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { isDate, isTimeZone, midnightMs } from './calendar.ts';
import { name, text, whole } from './fields.ts';
import { networkBlock } from './networks.ts';
import { list, named, oneOf, option, section, yesOrNo } from './sections.ts';

/** The order is wire format of the journal: append only. */
export const LEASE_KINDS = ['leaseback', 'hosting', 'purchase'] as const;
export type LeaseKind = (typeof LEASE_KINDS)[number];

/** Currencies of two decimals, which lines of a statement are rounded to; BTC goes to the nano-satoshi. */
const CURRENCIES = ['BTC', 'USD', 'EUR', 'GBP', 'CHF', 'CAD', 'AUD', 'NZD', 'SGD', 'HKD', 'NOK', 'SEK', 'DKK', 'PLN', 'CZK', 'BRL', 'MXN', 'ZAR', 'AED', 'INR', 'CNY', 'KZT'] as const;

/** A price per unit: `amount` is decimal text in `currency`. */
export interface Price {
  readonly amount: string;
  readonly currency: string;
}

const HASH_UNITS: Readonly<Record<string, number>> = { 'kH/s': 3, 'MH/s': 6, 'GH/s': 9, 'TH/s': 12, 'PH/s': 15, 'EH/s': 18 };

/** `12.5 PH/s` as hashes per second, decimal text of a whole number. */
function hashRate() {
  const error = 'must be a hash rate above 0, in whole hashes, with kH/s, MH/s, GH/s, TH/s, PH/s or EH/s, such as 12.5 PH/s';
  return z
    .string({ error })
    .regex(/^\d{1,9}(\.(\d{1,9} [GTPE]|\d{1,6} M|\d{1,3} k)| [kMGTPE])H\/s$/, { error, abort: true })
    .transform((value) => {
      const [figure = '', unit = ''] = value.split(' ');
      const [units = '', decimals = ''] = figure.split('.');
      return String(BigInt(`${units}${decimals}${'0'.repeat((HASH_UNITS[unit] ?? 0) - decimals.length)}`));
    })
    .refine((hashes) => hashes !== '0', { error });
}

/** `0.042 USD/TH/day`: a price for one of `units`. PH/day becomes TH/day by its factor. */
export function price(units: readonly string[], example: string) {
  const error = `must be a price such as ${example}; currencies are ${CURRENCIES.join(', ')}`;
  const pattern = new RegExp(`^\\d{1,9}(\\.\\d{1,12})? [A-Z]{3}/(${units.map((unit) => unit.replaceAll('/', '\\/')).join('|')})$`);
  return z
    .string({ error })
    .regex(pattern, { error, abort: true })
    .transform((value): Price => {
      const [amount = '', rest = ''] = value.split(' ');
      const perPetahash = rest.endsWith('/PH/day');
      return { amount: perPetahash ? thousandth(amount) : amount, currency: rest.slice(0, 3) };
    })
    .refine(({ currency }) => CURRENCIES.some((known) => known === currency), { error });
}

/** Decimal text divided by a thousand, exactly. */
function thousandth(amount: string): string {
  const [units = '', decimals = ''] = amount.split('.');
  const digits = units.padStart(4, '0');
  return `${digits.slice(0, -3)}.${digits.slice(-3)}${decimals}`;
}

/** `35%` as the decimal text `35`, within bounds. */
function percent(least: number, most: number) {
  const error = `must be a percentage from ${least}% to ${most}%, such as 5%`;
  return z
    .string({ error })
    .regex(/^\d{1,4}(\.\d{1,6})?%$/, { error, abort: true })
    .transform((value) => value.slice(0, -1))
    .refine((value) => Number(value) >= least && Number(value) <= most, { error });
}

function efficiency() {
  const error = 'must be an efficiency above 0 such as 21.5 J/TH';
  return z
    .string({ error })
    .regex(/^\d{1,4}(\.\d{1,6})? J\/TH$/, { error, abort: true })
    .transform((value) => value.split(' ')[0] ?? '')
    .refine((value) => Number(value) > 0, { error });
}

function date() {
  const error = 'must be a date such as 2026-11-01';
  return z.string({ error }).refine(isDate, { error });
}

function timeZone() {
  const error = 'must be a time zone of the IANA database, such as America/Chicago or UTC';
  return z.string({ error }).refine(isTimeZone, { error });
}

function publicKey() {
  const error = 'must be an Ed25519 public key: 64 lower-case hex digits, as `weighbridge keys` of the party prints it';
  return z.string({ error }).regex(/^[0-9a-f]{64}$/, { error });
}

const party = () => name();

/** The section `parties`. */
export const partiesSchema = named(
  section({
    name: text(200).describe('Legal name, as it stands on statements.'),
    address: text(500).optional().describe('Postal address, on one line.'),
    taxId: text(100).optional().describe('Tax number, as it stands on statements.'),
    key: publicKey().optional().describe("Ed25519 public key, 64 hex digits, with which this party countersigns statements and amendments. Agree on it when the contract is made."),
  }),
  'party',
);

const rentSchema = section({
  fixed: price(['TH/day', 'PH/day'], '0.042 USD/TH/day').optional().describe('Price of a contracted TH/s and day, delivered or not.'),
  delivered: price(['TH/day', 'PH/day'], '0.046 USD/TH/day').optional().describe('Price of a delivered TH·day: 1 TH/s for 86,400 seconds, so a day of 25 hours counts 25/24.'),
  revenueShare: percent(0, 100).optional().describe('Share of what the delivered work is worth, paid in bitcoin.'),
  of: oneOf(['expected', 'earnings']).optional().describe("With revenueShare, of what: `expected` is each share's worth by its own job's nBits and coinbase; `earnings` what pools paid net, as imported. Left out: expected."),
  poolFee: percent(0, 100).optional().describe('With revenueShare of what is expected: fee of the pool, taken off before the share. Left out: none.'),
  hosting: price(['kWh'], '0.065 USD/kWh').optional().describe('Price of energy: of the delivered work times `efficiency`, or what a meter counted (`metered`).'),
  efficiency: efficiency().optional().describe('With hosting: energy that the contract grants a terahash.'),
  metered: name().optional().describe('With hosting: the meter whose imported readings are paid (`weighbridge meters import`).'),
  tax: percent(0, 100).optional().describe('Tax on this payment, at the rate that the parties state; also on a service credit of it. Left out: none, for no tax is ever assumed.'),
  payer: party().describe('Who pays. A name of parties.'),
  payee: party().describe('Who is paid. A name of parties.'),
}).superRefine((rent, context) => {
  const kinds = (['fixed', 'delivered', 'revenueShare', 'hosting'] as const).filter((key) => rent[key] !== undefined);
  const wrong = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
  if (kinds.length !== 1) context.addIssue({ code: 'custom', message: 'must have exactly one of fixed, delivered, revenueShare, hosting' });
  if (kinds[0] !== 'revenueShare' && rent.of !== undefined) wrong('of', 'must stand beside revenueShare');
  if (kinds[0] !== 'revenueShare' && rent.poolFee !== undefined) wrong('poolFee', 'must stand beside revenueShare');
  if (rent.of === 'earnings' && rent.poolFee !== undefined) wrong('poolFee', 'must not stand beside of: earnings: what pools paid is after their fee');
  if (rent.hosting !== undefined && rent.efficiency === undefined && rent.metered === undefined) wrong('efficiency', 'must be given with hosting, unless metered is');
  if (rent.efficiency !== undefined && rent.metered !== undefined) wrong('metered', 'must not stand beside efficiency: energy is granted or counted');
  if (rent.hosting === undefined && rent.metered !== undefined) wrong('metered', 'must stand beside hosting');
  if (rent.hosting === undefined && rent.efficiency !== undefined) wrong('efficiency', 'must stand beside hosting');
});

const serviceSchema = section({
  measure: option(oneOf(['deliveryRatio']), 'deliveryRatio', 'What is promised: delivered over contracted work.'),
  target: percent(1, 100).describe('Below it a credit is due.'),
  per: option(oneOf(['month', 'day']), 'month', 'Over what the measure is taken.'),
  offset: option(yesOrNo(), true, 'Whether a day above contract makes up for one below it within the same month.'),
  creditPerPoint: percent(0, 1000).describe('Credit for each percentage point below the target.'),
  step: option(oneOf(['proRata', 'points']), 'proRata', '`proRata` credits fractions of a point; `points` whole ones only.'),
  of: option(oneOf(['fixed', 'delivered', 'hosting']), 'fixed', 'The rent that the credit is a part of.'),
  cap: percent(0, 100).describe('Most of that rent that is credited.'),
});

const lossBearer = () => oneOf(['performer', 'lessor', 'lessee']).optional();
const lossSchema = section({
  poolStale: lossBearer().describe('Work that a pool refused as stale. Left out: the performer.'),
  poolOther: lossBearer().describe('Work that a pool refused otherwise or never answered. Left out: the performer in a leaseback, the lessor in hosting, the lessee in a purchase.'),
  noPool: lossBearer().describe('Work that found no pool, or a pool at its cap. Left out: as with poolOther.'),
  unjournaled: lossBearer().describe('Work that was answered and could not be journaled. Left out: the performer.'),
});

type Loss = z.output<typeof lossSchema>;

/** What a kind of lease means where the file says nothing. Roles are named by role. */
const KIND_DEFAULTS = {
  leaseback: { performer: 'lessee', residual: 'lessee', lossBorneBy: { poolStale: 'performer', poolOther: 'performer', noPool: 'performer', unjournaled: 'performer' } },
  hosting: { performer: 'lessee', residual: 'lessor', lossBorneBy: { poolStale: 'performer', poolOther: 'lessor', noPool: 'lessor', unjournaled: 'performer' } },
  purchase: { performer: 'lessor', residual: 'lessee', lossBorneBy: { poolStale: 'performer', poolOther: 'lessee', noPool: 'lessee', unjournaled: 'performer' } },
} as const satisfies Record<LeaseKind, { performer: 'lessor' | 'lessee'; residual: 'lessor' | 'lessee'; lossBorneBy: Required<Loss> }>;

/** One entry of `leases`. */
export const leaseSchema = section({
  kind: oneOf(LEASE_KINDS).describe('Sets defaults only; `weighbridge lease show` prints them.'),
  contractRef: text(100).optional().describe('Number of the contract on paper, as it stands on statements.'),
  lessor: party().describe('Owner of the machines, or seller of the hash rate. A name of parties.'),
  lessee: party().describe('Who takes them on lease, hosts them, or buys the hash rate. A name of parties.'),
  performer: party().optional().describe('Who owes the hash rate: alarms and service credits run against it. Left out: the lessee, in a purchase the lessor.'),
  residual: party().optional().describe('Who keeps what value is left after all claims. Left out: the lessee, in hosting the lessor.'),
  machines: section({
    workers: z.array(text(255), { error: 'must be a list of worker names or globs' }).prefault([]).describe('Globs over worker names: * is any run of characters, ? is one. Empty: any name.'),
    sites: z.array(name(), { error: 'must be a list of sites' }).prefault([]).describe('Sites. Empty: any site.'),
    from: z.array(networkBlock(), { error: 'must be a list of address ranges' }).prefault([]).describe('Addresses that the machines have. Empty: any address.'),
  })
    .refine(({ workers, sites, from }) => workers.length + sites.length + from.length > 0, { error: 'must name workers, sites or address ranges: one of the lists at least' })
    .describe('Which machines: what all of the lists that are not empty take.'),
  term: section({
    from: date().describe('First day.'),
    to: date().describe('The day after the last.'),
  }).describe('Days of the contract, from midnight to midnight in `timezone`.'),
  timezone: timeZone().describe("Where the contract's days begin and end."),
  contracted: hashRate().describe('Hash rate owed.'),
  link: option(oneOf(['shared', 'exclusive']), 'shared', "`exclusive`: an upstream link of this lease alone, which the pool's own extranonce then marks."),
  accounts: z
    .record(name(), text(255), { error: 'must be a section with a user name for each pool' })
    .optional()
    .describe("Pool accounts of this lease: for each pool the name to authorise with in place of the pool's `user`, on links of its own. Left out: the account of the pool."),
  basis: option(oneOf(['delivered', 'credited']), 'delivered', 'Whether work counts when it is delivered to the proxy or when the pool credits it.'),
  lossBorneBy: lossSchema.prefault({}).describe('Whose loss it is when delivered work does not reach the pool: what the performer bears does not count as delivered.'),
  unmeasured: oneOf(['performer', 'excused'])
    .optional()
    .describe('Who bears time in which no proxy process ran, so that nobody observed: `performer`, it is owed and nothing counts as delivered in it; `excused`, it is not owed, and fixed rent stays due for it. Left out: the performer, in every kind of lease, for he would else gain by stopping a proxy that he runs.'),
  rent: list(rentSchema, 'payments').describe('What is paid, by whom, to whom.'),
  service: serviceSchema.optional().describe('Credit for hash rate that was not delivered. Left out: none.'),
  minSharesPerMinute: option(whole(1, 100_000), 20, 'Shares a minute of the whole lease that are promised as a measure. Chance excuses at most what this many would.'),
  overDelivery: section({
    upTo: percent(0, 1000).describe('How far above contract work is paid as delivered.'),
    then: option(oneOf(['paid', 'free', 'carry']), 'free', 'What becomes of work above it: `paid` too, `free`, or carried (`carry`) to the next statement.'),
  })
    .optional()
    .describe('What becomes of work above contract. Left out: all of it is paid.'),
  curtailment: section({
    annualCapHours: whole(0, 8784).describe('Hours a year that may be curtailed without being owed.'),
    rent: option(oneOf(['suspended', 'due']), 'suspended', 'Whether fixed rent is due for curtailed hours.'),
    creditTo: party().describe("Who the grid's payment for curtailment belongs to. Another party that states what it received (`lease grid`) owes it on. A name of parties."),
  })
    .optional()
    .describe('What holds while machines are switched off for the grid. Left out: all hours are owed.'),
})
  .refine(({ rent }) => new Set(rent.flatMap((each) => (each.revenueShare === undefined ? [] : [each.of ?? 'expected']))).size < 2, {
    path: ['rent'], error: 'must take all shares of the value of the same: of: expected or of: earnings',
  })
  .refine(({ term }) => term.from < term.to, { path: ['term', 'to'], error: 'must be after from' })
  .transform((lease) => {
    const defaults = KIND_DEFAULTS[lease.kind];
    const { from, to } = lease.term;
    return {
      ...lease,
      // Terms that were journaled before there was a choice do not name it and mean the performer: so equal terms stay equal, and so does their digest.
      unmeasured: lease.unmeasured === 'excused' ? ('excused' as const) : undefined,
      performer: lease.performer ?? lease[defaults.performer],
      residual: lease.residual ?? lease[defaults.residual],
      lossBorneBy: { ...defaults.lossBorneBy, ...definedOf(lease.lossBorneBy) } satisfies Required<Loss>,
      term: { from, to, fromMs: midnightMs(from, lease.timezone), toMs: midnightMs(to, lease.timezone) },
    };
  });

function definedOf(loss: Loss): Loss {
  return Object.fromEntries(Object.entries(loss).filter(([, bearer]) => bearer !== undefined));
}

export const leasesSchema = named(leaseSchema, 'lease');

/** The section `prices`. */
export function pricesSchema(folder: string) {
  return section({
    file: text(4096)
      .transform((path) => resolve(folder, path))
      .describe('CSV file with the columns instant, pair, price, source. Relative to the configuration file.'),
    at: option(oneOf(['dayClose']), 'dayClose', 'Which price holds for a day: the latest up to its end.'),
    zone: option(timeZone(), 'UTC', 'Time zone whose day closes.'),
    missing: option(oneOf(['error', 'omit']), 'error', 'Whether a statement without a price for each of its days is refused or says so.'),
  });
}

export type PartyConfig = z.output<typeof partiesSchema>[string];
export type LeaseConfig = z.output<typeof leaseSchema>;
export type RentConfig = LeaseConfig['rent'][number];
