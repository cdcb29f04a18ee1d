/** Makes the draft of a statement: period and prices from the configuration, work from the ledger, openings from what was issued. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { localDays, midnightMs, periodDates, yearStartsMs, type LocalDay } from '../../config/calendar.ts';
import { parseInventory, type InventoryRow } from '../../config/inventory.ts';
import type { LeaseConfig } from '../../config/leases.ts';
import type { Config } from '../../config/schema.ts';
import { globMatches } from '../../proxy/session/routes.ts';
import type { Book } from '../reader.ts';
import { HOUR_MS } from '../rows.ts';
import { agreedTerms } from './agreed.ts';
import { uncovered, type EarnedPart } from './earned.ts';
import { importedEarnings, type Earning } from './earnings.ts';
import { openingOf, type Adjustment, type Balance } from './balance.ts';
import { decimal, minus } from './exact.ts';
import { excusedTime, type ExcusedTime, type Span, type Statement as Stated } from './excused.ts';
import type { IssuedBody, IssuedFile } from './issue.ts';
import { gatherLease } from './gathered.ts';
import { textDigest } from './files.ts';
import { inventoryPieces, inventoryReader, recordedLast, rowsOfPieces, unlikeWithin, type InventoryPiece } from './inventories.ts';
import { eventsOf, leaseHistory, type LeaseEvent, type LeaseHistory } from './history.ts';
import { importedReadings, readingsOf, unmetered, type Reading } from './meters.ts';
import { importedPayments, paymentsOf, type Payment } from './payments.ts';
import { dayPrices, parsePrices, type DayPrice } from './prices.ts';
import { retroactiveChanges } from './retroactive.ts';
import { amendmentsWithin, isSigned, noteOf, partsOf, situationBy, situationOf, type Situation, type TermsPart } from './situation.ts';
import { someOf } from './some-of.ts';
import { draftStatement, type StatementDraft, type Unamended } from './statement.ts';
import { leaseTerms, type LeaseTerms } from './terms.ts';
import { sharesEarnings } from './valuation.ts';

type Refusal = { readonly refused: string };

export interface DraftQuery {
  readonly lease: string;
  /** `2026-11` or `2026-11-05`, in the lease's time zone. */
  readonly period: string;
  readonly nowMs: number;
}

/** The lease of that id, or a sentence that names those there are. */
export function findLease(config: Pick<Config, 'leases' | 'parties'>, id: string): LeaseTerms | Refusal {
  const all = leaseTerms(config);
  const found = all.find((terms) => terms.id === id);
  if (found !== undefined) return found;
  return { refused: all.length === 0 ? 'this configuration has no leases' : `there is no lease ${JSON.stringify(id)}: there is ${all.map((terms) => terms.id).join(', ')}` };
}

/** Drafts a statement, by the terms on record; where there are none, by those of the configuration. `issued` are the statements of the lease that were issued so far, in their order. */
export async function draft(config: Config, query: DraftQuery, book: Book, issued: readonly IssuedFile[]): Promise<StatementDraft | Refusal> {
  const configured = findLease(config, query.lease);
  if ('refused' in configured) return configured;
  const history = leaseHistory(config.data);
  const zone = (agreedTerms(history, query.lease, query.nowMs)?.terms ?? configured).lease.timezone;
  const { fromMs, toMs } = periodSpan(query.period, zone);
  const situation = (leftOut: readonly LeaseEvent[]): Situation => situationOf(history, query.lease, { fromMs, toMs }, leftOut) ?? situationBy(configured, history, leftOut);
  const amendments = amendmentsWithin(eventsOf(history, query.lease), fromMs, toMs);
  const unsigned = amendments.filter((event) => !isSigned(event, issued));
  const agreed = situation([]);
  const meters = metersOf([...agreed.parts, ...situation(unsigned).parts]);
  const sources = (leftOut: readonly LeaseEvent[]): SourcesOf => sourcesOf(config, { history, leftOut, issued, meters }, query);
  const drafted = await compose(agreed, query, book, sources([]), [...(agreed.agreed === undefined ? [NO_TERMS] : []), ...lateTerms(history, configured, fromMs), ...otherConfiguration(config, history, query)]);
  if ('refused' in drafted || amendments.length === 0) return drafted;
  const before = unsigned.length === 0 ? undefined : await compose(situation(unsigned), query, book, sources(unsigned), []);
  if (before !== undefined && 'refused' in before) return before;
  return {
    ...drafted,
    amendments: amendments.map((event) => noteOf(event, !unsigned.includes(event))),
    unamended: before === undefined ? null : unamendedOf(before),
  };
}

/** The outcome of a draft without what nobody has signed. */
export function unamendedOf({ termsDigest, netDue, components, total: { ratio, installed, seen, machineHours, availability } }: StatementDraft): Unamended {
  return { termsDigest, netDue, components, ratio, machines: { installed, seen, machineHours, availability } };
}

/** What a statement takes from elsewhere than the ledger and the records of the lease. */
export interface Sources {
  readonly prices: readonly DayPrice[];
  readonly inventory: Inventoried;
  readonly earnings: readonly Earning[];
  /** Of the meters that are paid by, with or without amendments, at any time. */
  readonly readings: readonly Reading[];
  readonly opening: readonly Balance[];
  readonly adjustments: readonly Adjustment[];
  /** TH·day as decimal text. */
  readonly carriedIn: string;
  readonly payments: readonly Payment[];
  readonly notes: readonly string[];
}

type SourcesOf = (parts: readonly TermsPart[], days: readonly LocalDay[]) => Sources | Refusal;

/** The statement by the contract, part by part, and what was stated. */
export async function compose({ terms: last, parts: all, stated: everStated }: Situation, query: DraftQuery, book: Book, sourcesOf: SourcesOf, notes: readonly string[]): Promise<StatementDraft | Refusal> {
  const period = daysOf(last.lease, query);
  if ('refused' in period) return period;
  const { days, cut } = period;
  const [beginMs, endMs] = [days[0]?.fromMs ?? 0, days.at(-1)?.toMs ?? 0];
  // Those of earlier periods of the year use up its cap.
  const stated = everStated.filter(({ fromMs }) => fromMs < endMs);
  const parts = partsOf(all, days);
  const terms = parts.at(-1)?.terms ?? last;
  const sources = sourcesOf(parts, days);
  if ('refused' in sources) return sources;
  const { inventory, earnings, opening, adjustments, payments, prices } = sources;
  const excused = excusedIn(parts, stated);
  const readings = readingsOf(sources.readings, beginMs, endMs);
  const gathered = await gatherLease(book, terms.id, { days, timezone: terms.lease.timezone, excused, inventory: inventory.rows, earnings, readings });
  return draftStatement({
    terms, parts, period: query.period, gathered, inventory: inventory.pieces, stated, excused, carriedIn: decimal(sources.carriedIn), opening, adjustments, payments, prices,
    notes: [ATTRIBUTION, ...inventory.notes, ...notes, ...(cut === undefined ? [] : [cut]), ...unmetered(readings, metersOf(parts), beginMs, endMs), ...earningNotes(parts, days, earnings, gathered.earned), ...sources.notes],
  });
}

/** Meters that are paid by. */
export function metersOf(parts: readonly TermsPart[]): string[] {
  return [...new Set(parts.flatMap((part) => part.terms.lease.rent.flatMap(({ metered }) => metered ?? [])))];
}

interface Given {
  readonly history: LeaseHistory;
  /** Events that are taken not to have been. */
  readonly leftOut: readonly LeaseEvent[];
  readonly issued: readonly IssuedFile[];
  readonly meters: readonly string[];
}

/** What the configuration, the imports and the statements so far give. */
function sourcesOf(config: Config, { history, leftOut, issued, meters }: Given, { lease, period }: DraftQuery): SourcesOf {
  return (parts, days) => {
    const inventory = inventoryOf(config, history, parts, { fromMs: days[0]?.fromMs ?? 0, toMs: days.at(-1)?.toMs ?? 0 }, leftOut);
    if ('refused' in inventory) return inventory;
    const prices = pricesOf(config, days);
    if ('refused' in prices) return prices;
    const chain = issued.map((each) => each.issued.statement);
    const { before, adjustments, counted } = openingOf(chain, { name: period, from: new Date(days[0]?.fromMs ?? 0).toISOString() });
    return {
      prices: prices.prices, inventory, earnings: importedEarnings(config.data), readings: meters.length === 0 ? [] : importedReadings(config.data).filter(({ meter }) => meters.includes(meter)),
      opening: before?.balance ?? [], adjustments, carriedIn: before?.carriedOut ?? '0',
      payments: paymentsOf(importedPayments(config.data), lease, days.at(-1)?.toMs ?? 0, counted),
      notes: [...prices.notes, ...openingNotes(chain, before)],
    };
  };
}

/** Where the opening balance comes from, and what must be put right before it is. */
export function openingNotes(chain: readonly IssuedBody[], before: IssuedBody | undefined): string[] {
  return before === undefined ? [] : [`Opening balances are the closing ones of ${before.number}.`, ...carriedOtherwise(chain, before)];
}

/** A configuration that was changed without an amendment changes no statement, which is said. */
function otherConfiguration(config: Config, history: LeaseHistory, { lease, nowMs }: DraftQuery): string[] {
  return retroactiveChanges(config, history, nowMs).filter((each) => each.lease === lease).map(({ message }) => `The configuration ${message}. This is by the terms on record.`);
}

/** Work of before the terms were written down belongs to no lease. */
export function lateTerms({ terms: written }: LeaseHistory, { id, lease }: Pick<LeaseTerms, 'id' | 'lease'>, fromMs: number): string[] {
  const first = written.find((terms) => terms.lease === id);
  if (first === undefined || first.recorded_ms <= Math.max(fromMs, lease.term.fromMs)) return [];
  return [`Its terms were first journaled at ${new Date(first.recorded_ms).toISOString()}: work of before is in no lease, and not in this statement.`];
}

/** What the reader must know of earnings: those that are missing where they are shared, and what reconciling them found. */
function earningNotes(parts: readonly TermsPart[], days: readonly LocalDay[], earnings: readonly Earning[], earned: readonly EarnedPart[]): string[] {
  const pools = new Set(earned.map(({ earning }) => earning.pool));
  const ours = earnings.filter(({ pool }) => pools.has(pool));
  const findings = earned.flatMap(({ earning, reconciliation }) => reconciliation.findings.map((finding) => `${earning.pool}, payout ${earning.payoutId}: ${finding}`));
  return [...(parts.some(({ terms }) => sharesEarnings(terms.lease)) ? uncovered(days, ours) : []), ...findings];
}

/** Rows under the lease, for as long as its terms take them. */
export function rowsUnder(rows: readonly InventoryRow[], parts: readonly TermsPart[]): InventoryRow[] {
  return rows.flatMap((row): InventoryRow[] => {
    const under = parts.map(({ terms }) => isUnder(terms.lease, row));
    if (!under.includes(false)) return [row];
    const spans = parts.flatMap((_, index) => (under[index] === true ? [partSpan(parts, index)] : []));
    return spans.map(({ fromMs, toMs }) => ({ ...row, fromMs: Math.max(row.fromMs, fromMs), toMs: Math.min(row.toMs, toMs) })).filter(({ fromMs, toMs }) => fromMs < toMs);
  });
}

export interface Inventoried {
  /** Undefined without an inventory. */
  readonly rows: readonly InventoryRow[] | undefined;
  readonly pieces: readonly InventoryPiece[];
  readonly notes: readonly string[];
}

/** The inventory on record for the days; where none is, the file as it is now, which is said. */
function inventoryOf({ data, inventory: file }: Config, history: LeaseHistory, parts: readonly TermsPart[], span: Span, leftOut: readonly LeaseEvent[]): Inventoried | Refusal {
  const lease = parts.at(-1)?.terms.id ?? '';
  const pieces = inventoryPieces(history, lease, span, leftOut);
  const latest = recordedLast(history, lease);
  const now = file === undefined ? undefined : readFileSync(file, 'utf8');
  if (latest === undefined) {
    if (now === undefined) return { rows: undefined, pieces: [], notes: [] };
    return { rows: rowsUnder(parseInventory(now).rows, parts), pieces: [{ ...span, digest: textDigest(now), recordedMs: undefined }], notes: [NO_INVENTORY] };
  }
  const rowsOf = inventoryReader([data]);
  const [rows, late] = [rowsOfPieces(pieces, rowsOf), lateInventory(history, pieces, parts, span, rowsOf)];
  if (rows === undefined || late === undefined) return { refused: `a version of the inventory that is on record is missing in ${join(data, 'inventory')}, or was changed there: put it back from a copy` };
  const other = now === undefined || textDigest(now) === latest.digest ? [] : [`${OTHER_FILE}. A running instance puts it on record within two minutes.`];
  return { rows: rowsUnder(rows, parts), pieces, notes: [...late, ...other] };
}

/** What the configuration's file is at the moment of a draft, nobody can tell later. */
export const OTHER_FILE = 'The file of the inventory is another one than is on record';
export const NO_INVENTORY = 'No inventory is on record: this rests on the file as it is now. A running instance puts it on record.';

/** A later version that says otherwise of earlier times does not count, which is said; undefined where a version is not at hand. */
export function lateInventory(history: LeaseHistory, pieces: readonly Pick<InventoryPiece, 'fromMs' | 'digest'>[], parts: readonly TermsPart[], span: Span, rowsOf: (digest: string) => readonly InventoryRow[] | undefined): string[] | undefined {
  const lease = parts.at(-1)?.terms.id ?? '';
  const latest = recordedLast(history, lease);
  const [rows, newest] = [rowsOfPieces(pieces, rowsOf), latest === undefined ? [] : rowsOf(latest.digest)];
  if (rows === undefined || newest === undefined) return undefined;
  const late = latest === undefined ? [] : unlikeWithin(rowsUnder(rows, parts), rowsUnder(newest, parts), span);
  return late.length === 0 ? [] : [`The inventory recorded at ${new Date(latest?.recordedMs ?? 0).toISOString()} says otherwise of ${someOf(late)} for times before it was recorded, which does not count: \`lease amend ${lease} --inventory\` says from when it holds.`];
}

/** The time of a part; the first and the last have no end of their own. */
function partSpan(parts: readonly TermsPart[], index: number): Span {
  return { fromMs: index === 0 ? -Infinity : (parts[index]?.fromMs ?? 0), toMs: parts[index + 1]?.fromMs ?? Infinity };
}

/** What of the stated times excuses, in each part by its own terms. */
function excusedIn(parts: readonly TermsPart[], stated: readonly Stated[]): ExcusedTime {
  const each = parts.map(({ terms }, index) => ({ excused: excusedBy(terms.lease, stated), part: partSpan(parts, index) }));
  const cut = (what: keyof ExcusedTime): Span[] => each.flatMap(({ excused, part }) =>
    excused[what].map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, part.fromMs), toMs: Math.min(toMs, part.toMs) })).filter(({ fromMs, toMs }) => fromMs < toMs));
  return { curtailed: cut('curtailed'), beyondCap: cut('beyondCap'), suspended: cut('suspended') };
}

/** What of the stated times excuses under this lease. Suspension needs no clause: both sides have agreed to it. */
export function excusedBy(lease: LeaseConfig, stated: readonly Stated[]): ExcusedTime {
  const capMs = (lease.curtailment?.annualCapHours ?? 0) * HOUR_MS;
  return excusedTime(stated, capMs, yearStartsMs(lease.term.from, lease.term.toMs, lease.timezone));
}

/** The whole period in a zone, milliseconds since 1970; empty where it is none. */
export function periodSpan(period: string, zone: string): Span {
  const dates = periodDates(period);
  return dates === undefined ? { fromMs: 0, toMs: 0 } : { fromMs: midnightMs(dates.from, zone), toMs: midnightMs(dates.to, zone) };
}

/** The days of the period that lie in the term and are over. */
export function daysOf(lease: LeaseConfig, { period, nowMs }: DraftQuery): { readonly days: LocalDay[]; readonly cut: string | undefined } | Refusal {
  const dates = periodDates(period);
  if (dates === undefined) return { refused: `--period ${JSON.stringify(period)} is not a month such as 2026-11 or a day such as 2026-11-05` };
  const fromMs = Math.max(midnightMs(dates.from, lease.timezone), lease.term.fromMs);
  const toMs = Math.min(midnightMs(dates.to, lease.timezone), lease.term.toMs);
  if (fromMs >= toMs) return { refused: `${period} has no day of the lease, whose term is from ${lease.term.from} to ${lease.term.to}` };
  const all = localDays(fromMs, toMs, lease.timezone);
  const days = all.filter((day) => day.toMs <= nowMs);
  const last = days.at(-1);
  if (last === undefined) return { refused: `no day of ${period} is over yet in ${lease.timezone}` };
  return { days, cut: days.length === all.length ? undefined : `The period is not over: this covers it up to ${last.date} and is no final figure.` };
}

function pricesOf({ prices }: Config, days: readonly LocalDay[]): { readonly prices: readonly DayPrice[]; readonly notes: readonly string[] } | Refusal {
  if (prices === undefined) return { prices: [], notes: [] };
  const where = `prices (${prices.at} in ${prices.zone})`;
  let text: string;
  try {
    text = readFileSync(prices.file, 'utf8');
  } catch (error) {
    return { refused: `${where}: ${prices.file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})` };
  }
  const parsed = parsePrices(text);
  if ('problem' in parsed) return { refused: `${where}: ${prices.file} ${parsed.problem}` };
  const found = dayPrices(parsed.rows, days.map(({ date }) => date), prices.zone);
  if (found.missing.length === 0) return { prices: found.prices, notes: [] };
  const sentence = `${prices.file} has no price for ${someOf(found.missing)}`;
  return prices.missing === 'error' ? { refused: `${where}: ${sentence}; add it, or set missing: omit` } : { prices: found.prices, notes: [withoutPrice(found.missing)] };
}

function withoutPrice(dates: readonly string[]): string {
  return `Days without a price of bitcoin: ${dates.join(', ')}.`;
}

/** What a statement must say of its prices: none at all needs no word, for then nothing asked for them. */
export function priceNotes(dates: readonly string[], prices: readonly DayPrice[], said: readonly string[]): string[] {
  const missing = dates.filter((date) => !prices.some((price) => price.date === date));
  const note = withoutPrice(missing);
  return missing.length === 0 || (prices.length === 0 && !said.includes(note)) ? [] : [note];
}

/** Whether a row of the inventory is of the lease's machines, as far as name and site tell. */
export function isUnder({ machines }: LeaseConfig, { worker, site }: InventoryRow): boolean {
  if (machines.sites.length > 0 && !machines.sites.includes(site)) return false;
  return machines.workers.length === 0 || machines.workers.some((glob) => globMatches(glob, worker));
}

const ATTRIBUTION = "Work is attributed by the machines in the lease's terms as they were journaled when each share arrived.";

/** Work that was carried is carried by a statement alone: a correction of an earlier period needs one of the statements after it. */
function carriedOtherwise(chain: readonly IssuedBody[], last: IssuedBody): string[] {
  const from = openingOf(chain, last.period).before;
  if (from === undefined || minus(decimal(from.carriedOut), decimal(last.carriedIn)).numerator === 0n) return [];
  return [`${from.number} carries ${from.carriedOut} TH·day, and ${last.number} began with ${last.carriedIn}: correct ${last.number} too.`];
}

const NO_TERMS = 'Its terms are not on record: these are those of the configuration, nothing shows that they were agreed, and it cannot be issued.';

/** Why a statement of a lease cannot be issued whose terms nobody has written down; undefined where somebody has. */
export function unrecordedTerms(history: LeaseHistory, lease: string): string | undefined {
  if (agreedTerms(history, lease, Number.MAX_SAFE_INTEGER) !== undefined) return undefined;
  return `the terms of ${lease} are not on record, so nothing would show that they were agreed, and \`verify --data\` would find the statement wrong: \`weighbridge start\` with this configuration journals them (\`reload\` where an instance runs). Without \`issue\` a draft is printed`;
}

/** Whether the draft covers its whole period, as an issued statement must. */
export function isWhole(statement: StatementDraft, lease: LeaseConfig): boolean {
  const dates = periodDates(statement.period.name);
  if (dates === undefined) return false;
  const toMs = Math.min(midnightMs(dates.to, lease.timezone), lease.term.toMs);
  return Date.parse(statement.period.to) === toMs;
}
