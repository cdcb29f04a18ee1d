/** What a lease's days are worth: a line for each payment and day, the service credit, and entries that add up to zero in each currency. */
import type { LeaseConfig, RentConfig } from '../../config/leases.ts';
import { decimal, exact, floor, greatest, halfEven, largestRemainder, least, minus, ONE, over, percentage, plus, times, total, ZERO, type Exact } from './exact.ts';
import type { ExcusedTime, Span } from './excused.ts';
import { noise, quantities, type DayQuantities, type LeaseDay } from './quantities.ts';
import { componentOf, type Component } from './terms.ts';

/** Decimals of a currency's smallest unit: cents, and the nano-satoshi. */
const BTC_PLACES = 17;
const FIAT_PLACES = 2;

export function placesOf(currency: string): number {
  return currency === 'BTC' ? BTC_PLACES : FIAT_PLACES;
}

export interface Line {
  /** Local date; '' for a line over the whole period. */
  readonly date: string;
  readonly payer: string;
  readonly payee: string;
  readonly component: Component | 'serviceCredit' | 'gridPayment' | 'tax';
  readonly quantity: Exact;
  /** Of a tax, the currency of what it is on. */
  readonly unit: string;
  /** Price of one unit, decimal text; of a share of the value and of a credit, its percentage. */
  readonly unitPrice: string;
  readonly currency: string;
  /** Whole smallest units: cents, or nano-satoshi. Never negative. */
  readonly amount: bigint;
}

/** What an account gains (positive) or gives, in whole smallest units. The account `pool` is where value comes from. */
export interface Entry {
  readonly account: string;
  readonly currency: string;
  readonly amount: bigint;
}

export interface Service {
  readonly target: Exact;
  /** Settled over owed work; undefined when nothing was owed. */
  readonly ratio: Exact | undefined;
  readonly noise: Exact;
  /** TH·day by which the target was missed although chance is excused. */
  readonly shortfall: Exact;
  /** Percentage points below target, beyond noise. */
  readonly points: Exact;
  /** Part of the rent that is credited. */
  readonly credit: Exact;
}

/** What a grid paid to `by` for curtailed hours; the amount in whole smallest units. */
export interface GridPayment extends Span {
  readonly by: string;
  readonly amount: bigint;
  readonly currency: string;
}

export interface Valuation {
  readonly days: readonly DayQuantities[];
  readonly lines: readonly Line[];
  /** One for the period, or one for each day, as the contract has it; without a service clause the measure against all that was owed. */
  readonly service: readonly (Service & { readonly date: string })[];
  readonly entries: readonly Entry[];
  /** What is left to pay after payments each way between two parties are set off. */
  readonly net: readonly { readonly payer: string; readonly payee: string; readonly currency: string; readonly amount: bigint }[];
  /** What shares of the value are taken from, over the period, nano-satoshi: expected worth, or what pools paid. */
  readonly value: bigint;
  /** TH·day that the next statement begins with. */
  readonly carriedOut: Exact;
}

/**
 * Pure and exact: the same days and terms give the same figures, whatever ran before.
 *
 * @param grid What a grid paid for curtailed hours, of any time.
 */
export function valueLease(lease: LeaseConfig, days: readonly LeaseDay[], excused: ExcusedTime, carriedIn: Exact, grid: readonly GridPayment[] = []): Valuation {
  const counted = quantities(lease, days, excused, carriedIn);
  const values = sharesEarnings(lease) ? days.map(({ earned }) => earned ?? 0n) : dailyValues(counted.days);
  const rentLines = counted.days.flatMap((day, index) => linesOf(lease, day, values[index] ?? 0n));
  const service = serviceOf(lease, counted.days);
  const lines = [...rentLines, ...creditLines(lease, rentLines, service), ...gridLines(lease, days, grid)];
  const value = values.reduce((a, b) => a + b, 0n);
  return { days: counted.days, lines, service, entries: entriesOf(lease, lines, value), net: netOf(lines), value, carriedOut: counted.carriedOut };
}

/**
 * Values days whose terms change from one to the next: each part is settled by its own terms, as if it were a period of its own.
 * What one part carries over is what the next begins with.
 *
 * @param parts Leases one after the other, and how many of the days each of them holds for.
 */
export function valueParts(parts: readonly { readonly lease: LeaseConfig; readonly days: number }[], days: readonly LeaseDay[], excused: ExcusedTime, carriedIn: Exact, grid: readonly GridPayment[] = []): Valuation {
  let [first, carriedOut] = [0, carriedIn];
  const valued = parts.map(({ lease, days: count }) => {
    const part = days.slice(first, first + count);
    first += count;
    const found = valueLease(lease, part, excused, carriedOut, grid);
    carriedOut = found.carriedOut;
    // What is taken over the whole of a part names its days.
    const name = parts.length === 1 ? '' : `${part[0]?.date ?? ''} to ${part.at(-1)?.date ?? ''}`;
    const named = <T extends { readonly date: string }>(row: T): T => (row.date === '' ? { ...row, date: name } : row);
    return { ...found, lines: found.lines.map(named), service: found.service.map(named) };
  });
  const lines = valued.flatMap((part) => part.lines);
  return {
    days: valued.flatMap((part) => part.days), lines, service: valued.flatMap(({ service }) => service), entries: joinedEntries(valued.flatMap(({ entries }) => entries)),
    net: netOf(lines), value: valued.reduce((sum, { value }) => sum + value, 0n), carriedOut,
  };
}

function joinedEntries(entries: readonly Entry[]): Entry[] {
  const sums = new Map<string, Entry>();
  for (const entry of entries) {
    const key = `${entry.currency} ${entry.account}`;
    sums.set(key, { ...entry, amount: (sums.get(key)?.amount ?? 0n) + entry.amount });
  }
  return [...sums.values()].toSorted(byCurrency);
}

/** Whether shares of the value are shares of what pools paid. */
export function sharesEarnings({ rent }: LeaseConfig): boolean {
  return rent.some(({ of }) => of === 'earnings');
}

/** Expected worth of each day in nano-satoshi, such that the days up to any one add up to the exact sum rounded down. */
export function dailyValues(days: readonly DayQuantities[]): bigint[] {
  const nano = 10n ** 9n;
  let exactSum = 0n;
  return days.map(({ worth }) => {
    const before = exactSum / nano;
    exactSum += worth;
    return exactSum / nano - before;
  });
}

function linesOf(lease: LeaseConfig, day: DayQuantities, value: bigint): Line[] {
  const shares = sharesOf(lease, value);
  return lease.rent.flatMap((rent, index) => taxed(rent, rentLine(rent, day, value, shares.get(index) ?? 0n)));
}

/** A line, and its tax where a rate is stated. */
function taxed({ tax }: RentConfig, line: Line): Line[] {
  if (tax === undefined) return [line];
  const { date, payer, payee, currency, component, amount } = line;
  const quantity = exact(amount, 10n ** BigInt(placesOf(currency)));
  return [line, { date, payer, payee, component: 'tax', quantity, unit: currency, unitPrice: `${tax}% of ${component}`, currency, amount: minorAmount(times(quantity, percentage(tax)), currency) }];
}

/** The line of a payment; `share` is its part of the day's value in nano-satoshi, for shares of the value. */
function rentLine(rent: RentConfig, day: DayQuantities, value: bigint, share: bigint): Line {
  const line = { date: day.date, payer: rent.payer, payee: rent.payee };
  if (rent.revenueShare !== undefined) {
    return { ...line, component: 'revenueShare', quantity: exact(value, 10n ** BigInt(BTC_PLACES)), unit: 'BTC', unitPrice: shareText(rent), currency: 'BTC', amount: share };
  }
  const { component, quantity, unit } = priced(rent, day);
  const price = rent[component] ?? { amount: '0', currency: 'BTC' };
  return { ...line, component, quantity, unit, unitPrice: price.amount, currency: price.currency, amount: minorAmount(times(quantity, decimal(price.amount)), price.currency) };
}

function priced(rent: RentConfig, day: DayQuantities): { component: 'fixed' | 'delivered' | 'hosting'; quantity: Exact; unit: 'TH·day' | 'kWh' } {
  const component = componentOf(rent);
  if (component === 'fixed') return { component, quantity: day.due, unit: 'TH·day' };
  if (component === 'hosting' && rent.metered !== undefined) return { component, quantity: day.metered.get(rent.metered) ?? ZERO, unit: 'kWh' };
  if (component === 'hosting') return { component, quantity: energy(day.delivered, rent.efficiency ?? '0'), unit: 'kWh' };
  return { component: 'delivered', quantity: day.billable, unit: 'TH·day' };
}

/** A TH/s for a day at so many joules a terahash, in kWh: 86,400/3,600,000 of it. */
function energy(delivered: Exact, joulesPerTerahash: string): Exact {
  return times(times(delivered, decimal(joulesPerTerahash)), exact(24n, 1000n));
}

function shareText({ revenueShare, poolFee, of }: RentConfig): string {
  if (of === 'earnings') return `${revenueShare}% of earnings`;
  return poolFee === undefined ? `${revenueShare}%` : `${revenueShare}% after ${poolFee}% fee`;
}

/** Index of a payment → its part of a day's value. What is left is the residual's. */
function sharesOf(lease: LeaseConfig, value: bigint): Map<number, bigint> {
  const claims = lease.rent.flatMap((rent, index) => {
    if (rent.revenueShare === undefined) return [];
    const part = times(percentage(rent.revenueShare), minus(ONE, percentage(rent.poolFee ?? '0')));
    return [{ index, part: times(part, exact(value)) }];
  });
  const left = minus(exact(value), total(claims.map(({ part }) => part)));
  const divided = largestRemainder(value, [...claims.map(({ part }) => part), left]);
  return new Map(claims.map(({ index }, place) => [index, divided[place] ?? 0n]));
}

/** In whole smallest units, half-even. */
function minorAmount(amount: Exact, currency: string): bigint {
  return halfEven(times(amount, exact(10n ** BigInt(placesOf(currency)))));
}

function serviceOf(lease: LeaseConfig, counted: readonly DayQuantities[]): (Service & { date: string })[] {
  const groups = lease.service?.per === 'day' ? counted.map((_, index) => [index]) : [counted.map((_, index) => index)];
  return groups.map((group) => {
    const chosen = group.flatMap((index) => counted[index] ?? []);
    const [settled, variance] = [total(chosen.map((day) => day.settled)), total(chosen.map((day) => day.variance))];
    const owedMs = chosen.reduce((ms, day) => ms + owedMsOf(day), 0);
    const date = lease.service?.per === 'day' ? (chosen[0]?.date ?? '') : '';
    const excused = plus(noise(settled, variance, lease.minSharesPerMinute, owedMs), lease.service?.offset === false && lease.service.per === 'month' ? clipping(lease, chosen) : ZERO);
    return { date, ...measured(lease, chosen, excused) };
  });
}

function owedMsOf({ fromMs, toMs, curtailedMs, suspendedMs, unmeasuredMs }: DayQuantities): number {
  return toMs - fromMs - curtailedMs - suspendedMs - unmeasuredMs;
}

/** 0.4 standard deviations of 2.6: what cutting off a day's work above what is owed takes on average from one who delivers exactly that (1/√2π). */
const CLIPPED = exact(4n, 26n);

/**
 * What is excused where a good day makes up for no bad one: of each day what chance takes on average, never more than was cut
 * off, as a part of all that is settled. Rounded down to a millionth.
 */
function clipping(lease: LeaseConfig, days: readonly DayQuantities[]): Exact {
  const owing = days.filter(({ owed }) => owed.numerator > 0n);
  const settled = total(owing.map((day) => day.settled));
  if (settled.numerator === 0n) return ZERO;
  const byChance = times(CLIPPED, total(owing.map((day) => times(day.settled, noise(day.settled, day.variance, lease.minSharesPerMinute, owedMsOf(day))))));
  const cutOff = total(owing.map((day) => greatest(ZERO, minus(day.settled, day.owed))));
  return exact(floor(times(over(least(byChance, cutOff), settled), exact(1_000_000n))), 1_000_000n);
}

function measured(lease: LeaseConfig, days: readonly DayQuantities[], excused: Exact): Service {
  const { service } = lease;
  const target = service === undefined ? ONE : percentage(service.target);
  const owed = total(days.map((day) => day.owed));
  const settled = total(days.map((day) => (service?.offset === false ? least(day.settled, day.owed) : day.settled)));
  if (owed.numerator === 0n) return { target, ratio: undefined, noise: excused, shortfall: ZERO, points: ZERO, credit: ZERO };
  const generous = times(settled, plus(ONE, excused));
  const missing = greatest(ZERO, minus(times(target, owed), generous));
  const points = times(over(missing, owed), exact(100n));
  const counted = service?.step === 'points' ? exact(floor(points)) : points;
  const credit = service === undefined ? ZERO : least(percentage(service.cap), times(counted, percentage(service.creditPerPoint)));
  return { target, ratio: over(settled, owed), noise: excused, shortfall: missing, points, credit };
}

/** Paid by the performer to the other side of the rent that the credit is a part of. */
function creditLines(lease: LeaseConfig, lines: readonly Line[], service: Valuation['service']): Line[] {
  const rent = lease.service && lease.rent.find((each) => lease.service && each[lease.service.of] !== undefined);
  if (lease.service === undefined || rent === undefined) return [];
  const based = lines.filter(({ component }) => component === lease.service?.of);
  const currency = based[0]?.currency ?? 'BTC';
  return service.flatMap(({ date, credit, points }) => {
    const base = based.reduce((sum, line) => (date === '' || line.date === date ? sum + line.amount : sum), 0n);
    const amount = halfEven(times(credit, exact(base)));
    if (amount === 0n) return [];
    const payee = rent.payer === lease.performer ? rent.payee : rent.payer;
    const unitPrice = `${lease.service?.creditPerPoint}% of ${lease.service?.of} up to ${lease.service?.cap}%`;
    return taxed(rent, { date, payer: lease.performer, payee, component: 'serviceCredit', quantity: points, unit: 'point', unitPrice, currency, amount });
  });
}

/** Who received it pays it on, on the day in which the curtailed hours ended. */
function gridLines({ curtailment }: LeaseConfig, days: readonly LeaseDay[], payments: readonly GridPayment[]): Line[] {
  if (curtailment === undefined) return [];
  return payments.flatMap(({ fromMs, toMs, by, amount, currency }): Line[] => {
    const day = days.find((each) => each.fromMs < toMs && toMs <= each.toMs);
    if (day === undefined || by === curtailment.creditTo || amount === 0n) return [];
    return [{ date: day.date, payer: by, payee: curtailment.creditTo, component: 'gridPayment', quantity: exact(BigInt(toMs - fromMs), 3_600_000n), unit: 'hour', unitPrice: 'as stated', currency, amount }];
  });
}

/** Every payment moves from payer to payee; the value comes from the pool to the residual, who pays the shares of it. */
function entriesOf(lease: LeaseConfig, lines: readonly Line[], value: bigint): Entry[] {
  const sums = new Map<string, Entry>();
  const add = (account: string, currency: string, amount: bigint): void => {
    const key = `${currency} ${account}`;
    sums.set(key, { account, currency, amount: (sums.get(key)?.amount ?? 0n) + amount });
  };
  if (lease.rent.some(({ revenueShare }) => revenueShare !== undefined)) {
    add('pool', 'BTC', -value);
    add(lease.residual, 'BTC', value);
  }
  for (const { payer, payee, currency, amount } of lines) {
    add(payer, currency, -amount);
    add(payee, currency, amount);
  }
  return [...sums.values()].toSorted(byCurrency);
}

function byCurrency(a: Entry, b: Entry): number {
  if (a.currency !== b.currency) return a.currency < b.currency ? -1 : 1;
  return a.account < b.account ? -1 : 1;
}

function netOf(lines: readonly Line[]): Valuation['net'] {
  const sums = new Map<string, { first: string; second: string; currency: string; amount: bigint }>();
  for (const { payer, payee, currency, amount } of lines) {
    const [first, second] = payer < payee ? [payer, payee] : [payee, payer];
    const key = `${currency} ${first} ${second}`;
    const sum = sums.get(key) ?? { first, second, currency, amount: 0n };
    sum.amount += payer === first ? amount : -amount;
    sums.set(key, sum);
  }
  return [...sums.values()]
    .toSorted((a, b) => (`${a.currency} ${a.first} ${a.second}` < `${b.currency} ${b.first} ${b.second}` ? -1 : 1))
    .map(({ first, second, currency, amount }) => (amount >= 0n ? { payer: first, payee: second, currency, amount } : { payer: second, payee: first, currency, amount: -amount }));
}
