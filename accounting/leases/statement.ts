/** A statement as a document: figures as decimal text in a fixed order, so that the same input gives the same bytes. */
import { dateAt } from '../../config/calendar.ts';
import { estimate } from '../estimate.ts';
import { DAY_MS } from '../rows.ts';
import { decimalText, exact, minorText, over, total, type Exact } from './exact.ts';
import { balanceOf, type Adjustment, type Balance } from './balance.ts';
import { completeness } from './completeness.ts';
import { downtimes } from './downtime.ts';
import type { EarnedPart } from './earned.ts';
import type { ExcusedTime, Statement as Stated } from './excused.ts';
import type { Gathered } from './gathered.ts';
import { gridPayments } from './grid.ts';
import type { InventoryPiece } from './inventories.ts';
import type { MachineDay, Machines } from './machines.ts';
import type { Payment } from './payments.ts';
import type { DayPrice } from './prices.ts';
import { answersOf, LOSS_CAUSES, type Answers, type DayQuantities, type LeaseDay } from './quantities.ts';
import { leaseSentences, rateText } from './sentences.ts';
import type { AmendmentNote, TermsPart } from './situation.ts';
import { digestOf, partyName, type LeaseTerms } from './terms.ts';
import { dailyValues, placesOf, valueParts, type Line, type Valuation } from './valuation.ts';

const STATEMENT_FORMAT = 'weighbridge-statement/1';

/** Decimals of quantities in TH·day and kWh of a lease of 1 TH/s or more. Amounts come from the exact quantity, not from these. */
const QUANTITY_PLACES = 6;
/** Digits of 1 TH/s in H/s. */
const TERAHASH_DIGITS = 13;

/** A lease of less has as many more decimals as its rate has digits less, so that a day of it never reads 0.000000. */
function quantityPlaces(parts: readonly TermsPart[]): number {
  const digits = Math.min(...parts.map(({ terms }) => terms.lease.contracted.length));
  return QUANTITY_PLACES + Math.max(0, TERAHASH_DIGITS - digits);
}

export interface StatementInput {
  /** Those at the end of the period. */
  readonly terms: LeaseTerms;
  /** Where they change within the period, all of them in order, and for how many of the days each holds. Left out: `terms` for all days. */
  readonly parts?: readonly (TermsPart & { readonly days: number })[];
  /** What the ledger says of the days. */
  readonly gathered: Gathered;
  /** As asked for: `2026-11`. */
  readonly period: string;
  readonly excused: ExcusedTime;
  readonly stated: readonly Stated[];
  readonly carriedIn: Exact;
  /** Versions of the inventory that the machines are known by, in order; empty without one. */
  readonly inventory: readonly InventoryPiece[];
  readonly prices: readonly DayPrice[];
  /** Closing balances of the statement before. */
  readonly opening: readonly Balance[];
  /** What corrections since then have changed in earlier periods. */
  readonly adjustments: readonly Adjustment[];
  /** To the end of the period, as far as the opening balances do not count them. */
  readonly payments: readonly Payment[];
  /** What was stated or changed with effect in the past, and what the statement would come to without what nobody has signed of it. */
  readonly amendments?: readonly AmendmentNote[];
  readonly unamended?: Unamended | undefined;
  /** Sentences for the completeness box beside those that follow from the days. */
  readonly notes: readonly string[];
}

/** The outcome by what held before. */
export interface Unamended {
  readonly termsDigest: string;
  readonly netDue: readonly { readonly payer: string; readonly payee: string; readonly currency: string; readonly amount: string }[];
  /** Of each payment over the period. */
  readonly components: readonly { readonly component: string; readonly payer: string; readonly payee: string; readonly currency: string; readonly amount: string }[];
  readonly ratio: string | null;
  readonly machines: { readonly installed: string | null; readonly seen: string | null; readonly machineHours: number; readonly availability: string | null };
}

/** An unsigned draft. Plain JSON: every figure is text or a whole number. docs/leases.md describes the fields. */
export function draftStatement(input: StatementInput) {
  const { terms, gathered } = input;
  const { days, machines } = gathered;
  const parts = input.parts ?? [{ fromMs: days[0]?.fromMs ?? 0, terms, days: days.length }];
  const valued = valueParts(parts.map((part) => ({ lease: part.terms.lease, days: part.days })), days, input.excused, input.carriedIn, gridPayments(input.stated));
  const expected = expectedOf(parts, valued.days);
  const places = quantityPlaces(parts);
  const { lease } = terms;
  const [first, last] = [days[0], days.at(-1)];
  const down = downtimes(gathered.gaps, machines.stretches, gathered.ended, input.stated, (party) => partyName(terms, party));
  return {
    format: STATEMENT_FORMAT,
    number: 'draft',
    revision: 0,
    state: 'draft' as 'draft' | 'issued',
    lease: terms.id,
    kind: lease.kind,
    contractRef: lease.contractRef ?? '',
    parties: Object.entries(Object.assign({}, ...parts.map((part) => part.terms.parties)) as LeaseTerms['parties']).map(([id, party]) => ({ id, name: party.name, address: party.address ?? '', taxId: party.taxId ?? '', roles: rolesOf(lease, id) })),
    period: { name: input.period, from: iso(first?.fromMs ?? 0), to: iso(last?.toMs ?? 0), timezone: lease.timezone, days: days.length },
    contracted: parts.map((part, index) => `${index === 0 ? '' : `from ${partDate(part)} `}${rateText(part.terms.lease.contracted)}`).join(', '),
    termsDigest: digestOf(parts.length === 1 ? terms : parts.map((part) => ({ from: partDate(part), terms: part.terms }))),
    inventory: versionsShown(input.inventory),
    terms: parts.length === 1 ? leaseSentences(terms) : parts.flatMap((part) => [`From ${partDate(part)}:`, ...leaseSentences(part.terms)]),
    contract: terms,
    parts: parts.length === 1 ? [] : parts.map((part) => ({ from: partDate(part), termsDigest: digestOf(part.terms), contract: part.terms })),
    netDue: valued.net.map(({ payer, payee, currency, amount }) => ({ payer, payee, currency, amount: minorText(amount, placesOf(currency)) })),
    balance: balanceOf(valued.net, input.opening, input.adjustments, input.payments),
    adjustments: input.adjustments,
    payments: input.payments.map(({ payer, payee, paidMs, amount, currency, reference }) => ({ paidAt: iso(paidMs), payer, payee, amount, currency, reference })),
    components: componentsOf(valued.lines, places),
    service: valued.service.map((each) => serviceOf(each, places)),
    days: valued.days.map((day, index) => dayOf(day, expected[index] ?? 0n, { measured: days[index], machines: machines.days[index], places })),
    total: totalOf(valued.days, expected, { measured: days, machines, places }),
    losses: lossesOf(parts, valued.days, places),
    value: { currency: 'BTC', amount: minorText(valued.value, placesOf('BTC')) },
    lines: valued.lines.map((line) => lineOf(line, input.prices, places)),
    entries: valued.entries.map(({ account, currency, amount }) => ({ account, currency, amount: minorText(amount, placesOf(currency)) })),
    readings: gathered.readings.map(({ meter, fromMs, toMs, kwh }) => ({ meter, from: iso(fromMs), to: iso(toMs), kwh })),
    earnings: gathered.earned.map((part) => earningOf(part, days[part.day]?.date ?? '')),
    carriedIn: decimalText(input.carriedIn, places),
    carriedOut: decimalText(valued.carriedOut, places),
    prices: input.prices.map((price) => ({ ...price })),
    stated: input.stated.map(({ fromMs, toMs, what, by, reason, document, amount }) => ({ from: iso(fromMs), to: iso(toMs), what, by, reason, document, amount: amount ?? '' })),
    amendments: input.amendments ?? [],
    unamended: input.unamended ?? null,
    downtime: down.list.map(({ fromMs, toMs, observed, stated }) => ({ from: iso(fromMs), to: iso(toMs), observed, stated })),
    unlisted: machines.unlisted.map(({ worker, from, to, delivered }) => ({ worker, from, to, delivered: decimalText(delivered, places) })),
    silent: machines.silent.map(({ serial, worker }) => ({ serial, worker })),
    completeness: [...completeness(valued.days, days, machines, places), ...down.notes, ...input.notes],
  };
}

export type StatementDraft = ReturnType<typeof draftStatement>;

/** From when each version holds, and when that was put on record; null where it never was. */
export function versionsShown(pieces: readonly InventoryPiece[]) {
  return pieces.map(({ fromMs, recordedMs, digest }) => ({ from: iso(fromMs), recorded: recordedMs === undefined ? null : iso(recordedMs), digest }));
}

function rolesOf(lease: LeaseTerms['lease'], id: string): string[] {
  return (['lessor', 'lessee', 'performer', 'residual'] as const).filter((role) => lease[role] === id);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** A row as it was imported, whose it is, and how it agrees with our records. Work is Σ difficulty. */
function earningOf({ earning, ourWork, allWork, share, reconciliation }: EarnedPart, date: string) {
  const { pool, account, scheme, fromMs, toMs, poolWork, gross, fee, net, paidAt, txid, payoutId } = earning;
  const btc = (nano: bigint): string => minorText(nano, placesOf('BTC'));
  return {
    date, pool, account, scheme, from: iso(fromMs), to: iso(toMs), poolWork, gross: btc(gross), fee: btc(fee), net: btc(net), paidAt, txid, payoutId,
    ourWork: decimalText(ourWork, 3), allWork: decimalText(allWork, 3), share: btc(share), reconciliation,
  };
}

function dayOf(day: DayQuantities, expected: bigint, { measured, machines, places }: { readonly measured: LeaseDay | undefined; readonly machines: MachineDay | undefined; readonly places: number }) {
  const quantity = (value: Exact): string => decimalText(value, places);
  return {
    date: day.date,
    hours: decimalText(exact(BigInt(day.toMs - day.fromMs), 3_600_000n), 4),
    contracted: quantity(day.contracted),
    owed: quantity(day.owed),
    installed: day.installed === undefined ? null : quantity(day.installed),
    seen: machines?.seen === undefined ? null : quantity(machines.seen),
    delivered: quantity(day.delivered),
    ...intervalOf(measured?.shares ?? new Map<number, number>(), places),
    credited: quantity(day.credited),
    settled: quantity(day.settled),
    ratio: ratioText(day.settled, day.owed),
    shares: sharesOf(measured?.shares ?? new Map<number, number>()),
    ...(measured?.answers ?? NO_ANSWERS),
    ...availabilityOf(machines === undefined ? [] : [machines]),
    losses: Object.fromEntries(LOSS_CAUSES.map((cause) => [cause, quantity(day.losses[cause])])),
    expected: minorText(expected, placesOf('BTC')),
    curtailedHours: hoursText(day.curtailedMs),
    suspendedHours: hoursText(day.suspendedMs),
    excusedUnmeasuredHours: hoursText(day.unmeasuredMs),
    observedHours: hoursText(Math.round(day.observedMs)),
  };
}

/** The 95 % interval of delivered TH·day, two digits shorter: it is no more certain than that. */
function intervalOf(shares: ReadonlyMap<number, number>, places: number): { deliveredLow: string; deliveredHigh: string } {
  const { low, high } = estimate(shares, DAY_MS);
  const text = (rate: number | undefined): string => (rate === undefined ? '' : (rate / 1e12).toFixed(places - 2));
  return { deliveredLow: text(low), deliveredHigh: text(high) };
}

function ratioText(settled: Exact, owed: Exact): string | null {
  return owed.numerator === 0n ? null : decimalText(over(settled, owed), 6);
}

function totalOf(days: readonly DayQuantities[], expected: readonly bigint[], { measured, machines, places }: { readonly measured: readonly LeaseDay[]; readonly machines: Machines; readonly places: number }) {
  const quantity = (value: Exact): string => decimalText(value, places);
  const sum = (of: (day: DayQuantities) => Exact): Exact => total(days.map(of));
  const shares = new Map<number, number>();
  for (const day of measured) for (const [exponent, n] of day.shares) shares.set(exponent, (shares.get(exponent) ?? 0) + n);
  const installed = days.every((day) => day.installed !== undefined) ? total(days.flatMap((day) => day.installed ?? [])) : undefined;
  const [owed, settled] = [sum((day) => day.owed), sum((day) => day.settled)];
  return {
    contracted: quantity(sum((day) => day.contracted)),
    owed: quantity(owed),
    installed: installed === undefined ? null : quantity(installed),
    seen: machines.days.some(({ seen }) => seen === undefined) ? null : quantity(total(machines.days.flatMap(({ seen }) => seen ?? []))),
    delivered: quantity(sum((day) => day.delivered)),
    ...intervalOf(shares, places),
    credited: quantity(sum((day) => day.credited)),
    settled: quantity(settled),
    ratio: ratioText(settled, owed),
    shares: sharesOf(shares),
    ...answersOf(measured),
    ...availabilityOf(machines.days),
    expected: minorText(expected.reduce((a, b) => a + b, 0n), placesOf('BTC')),
    curtailedHours: hoursText(days.reduce((ms, { curtailedMs }) => ms + curtailedMs, 0)),
    suspendedHours: hoursText(days.reduce((ms, { suspendedMs }) => ms + suspendedMs, 0)),
    excusedUnmeasuredHours: hoursText(days.reduce((ms, { unmeasuredMs }) => ms + unmeasuredMs, 0)),
    observedHours: hoursText(Math.round(days.reduce((ms, { observedMs }) => ms + observedMs, 0))),
  };
}

function hoursText(ms: number): string {
  return decimalText(exact(BigInt(ms), 3_600_000n), 4);
}

function sharesOf(counts: ReadonlyMap<number, number>): number {
  return [...counts.values()].reduce((a, b) => a + b, 0);
}

const NO_ANSWERS: Answers = { forwarded: 0, accepted: 0, rejected: 0, unanswered: 0 };

/** Machine-hours that were observed and not excused, and the part of them in which half of the plate was reached. */
function availabilityOf(days: readonly MachineDay[]) {
  const [slots, available] = [days.reduce((n, day) => n + day.slots, 0), days.reduce((n, day) => n + day.available, 0)];
  return { machineHours: slots, availability: slots === 0 ? null : decimalText(exact(BigInt(available), BigInt(slots)), 6) };
}

function serviceOf({ date, target, ratio, noise, shortfall, points, credit }: Valuation['service'][number], places: number) {
  return {
    date,
    measure: 'deliveryRatio',
    target: decimalText(target, 6),
    ratio: ratio === undefined ? null : decimalText(ratio, 6),
    noise: decimalText(noise, 6),
    shortfallBeyondNoise: decimalText(shortfall, places),
    pointsBelowTarget: decimalText(points, 6),
    creditOfRent: decimalText(credit, 6),
  };
}

/** Expected worth of each day, rounded part by part as the lines are. */
function expectedOf(parts: NonNullable<StatementInput['parts']>, days: readonly DayQuantities[]): bigint[] {
  let first = 0;
  return parts.flatMap((part) => dailyValues(days.slice(first, (first += part.days))));
}

/** One row for each cause and whose loss it is. */
function lossesOf(parts: NonNullable<StatementInput['parts']>, days: readonly DayQuantities[], places: number) {
  const leases = parts.flatMap((part) => Array.from({ length: part.days }, () => part.terms.lease));
  return LOSS_CAUSES.flatMap((cause) => {
    const bearers = new Set(leases.map((lease) => lease[lease.lossBorneBy[cause]]));
    return [...bearers].map((bearer) => {
      const borne = days.filter((_, index) => leases[index]?.[leases[index].lossBorneBy[cause]] === bearer);
      return { cause, bearer, terahashDays: decimalText(total(borne.map((day) => day.losses[cause])), places) };
    });
  });
}

/** The local day from which a part holds. */
function partDate({ fromMs, terms }: TermsPart): string {
  return dateAt(fromMs, terms.lease.timezone);
}

/** Work and the energy for it shrink with a lease; money and percentage points do not. */
function unitPlaces(unit: string, places: number): number {
  if (unit === 'BTC') return placesOf('BTC');
  return unit === 'TH·day' || unit === 'kWh' ? places : QUANTITY_PLACES;
}

function lineOf(line: Line, prices: readonly DayPrice[], places: number) {
  const price = line.currency === 'BTC' ? prices.find(({ date }) => date === line.date) : undefined;
  return {
    date: line.date,
    payer: line.payer,
    payee: line.payee,
    component: line.component,
    quantity: decimalText(line.quantity, unitPlaces(line.unit, places)),
    unit: line.unit,
    unitPrice: line.unitPrice,
    currency: line.currency,
    amount: minorText(line.amount, placesOf(line.currency)),
    priceInstant: price?.instant ?? '',
    priceSource: price?.source ?? '',
  };
}

/** One row for each payment, over all days. */
function componentsOf(lines: readonly Line[], places: number) {
  const rows = new Map<string, { line: Line; quantity: Exact; amount: bigint }>();
  for (const line of lines) {
    const key = [line.component, line.payer, line.payee, line.unitPrice, line.currency].join(' ');
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { line, quantity: line.quantity, amount: line.amount });
    else rows.set(key, { line, quantity: total([row.quantity, line.quantity]), amount: row.amount + line.amount });
  }
  return [...rows.values()].map(({ line, quantity: sum, amount }) => ({
    component: line.component, payer: line.payer, payee: line.payee,
    quantity: decimalText(sum, unitPlaces(line.unit, places)), unit: line.unit, unitPrice: line.unitPrice,
    currency: line.currency, amount: minorText(amount, placesOf(line.currency)),
  }));
}
