/**
 * An issued statement made once more from the records, and every value in it that comes out otherwise. What it has from elsewhere
 * (prices, files that were imported, the inventory, statements before it) is made again too where it is at hand, and else taken as it says.
 */
import { midnightMs, type LocalDay } from '../../config/calendar.ts';
import type { Book } from '../reader.ts';
import { openingOf, type Opening } from './balance.ts';
import { compose, lateInventory, lateTerms, metersOf, NO_INVENTORY, openingNotes, OTHER_FILE, periodSpan, priceNotes, rowsUnder, unamendedOf, type Inventoried, type Sources } from './draft.ts';
import type { Earning } from './earnings.ts';
import type { Span } from './excused.ts';
import { inventoryPieces, rowsOfPieces } from './inventories.ts';
import type { ProvenInventory } from './inventory-proof.ts';
import { eventsOf, knownAt, type LeaseEvent, type LeaseHistory } from './history.ts';
import type { Imported } from './imported.ts';
import { correctedLines, type IssuedBody, type IssuedStatement } from './issue.ts';
import { paymentsOf, type Payment } from './payments.ts';
import { someOf } from './some-of.ts';
import { noteOf, situationOf, type Situation, type TermsPart } from './situation.ts';
import type { StatementDraft } from './statement.ts';
import { digestOf } from './terms.ts';
import { unlikeValues } from './unlike.ts';
import { chainOf, type Finding } from './verify.ts';

/** What a statement is made again from. */
export interface AtHand {
  readonly book: Book;
  /** Where the book's rows come from: "journals" were folded just now. */
  readonly source: 'ledger' | 'journals';
  readonly history: LeaseHistory;
  /** Other issued statements of the lease. */
  readonly others: readonly IssuedStatement[];
  readonly imported: Imported;
  readonly inventory: ProvenInventory;
}

/** With the statements before it, as far as they are there. */
type Chained = AtHand & ReturnType<typeof chainOf>;

export async function verifyFigures(issued: IssuedStatement, atHand: AtHand): Promise<Finding[]> {
  const { statement } = issued;
  const subject = atHand.source === 'ledger' ? 'The ledger says' : 'The journals say';
  const chained: Chained = { ...atHand, ...chainOf(issued, atHand.others) };
  let fresh: IssuedBody;
  let unlike: string[];
  try {
    fresh = await again(issued, chained);
    unlike = unlikeValues(shown(statement, chained), shown(fresh, chained));
  } catch (error) {
    return [{ ok: false, sentence: `Its figures cannot be made again: ${error instanceof Error ? error.message : String(error)}.` }];
  }
  if (unlike.length > 0) return [{ ok: false, sentence: `${subject} otherwise of ${someOf(unlike, 'figures')}.` }];
  const [days, lines] = [counted(fresh.days.length, 'day'), counted(fresh.lines.length, 'line')];
  const figuresText = `Every figure of ${days} and ${lines}`;
  const taken = takenOf(issued, chained);
  return [
    { ok: true, sentence: atHand.source === 'ledger' ? `${figuresText} agrees with the ledger; no journal of the period is here to prove it from.` : `${figuresText} follows from the journals.` },
    ...(taken.length === 0 ? [] : [{ ok: true, sentence: `Taken as it says: ${taken.join('; ')}.` }]),
  ];
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** What the figures rest on that nothing here proves. */
function takenOf(issued: IssuedStatement, { whole, imported, inventory }: Chained): string[] {
  const { prices, payments, earnings, readings, previous } = issued.statement;
  return [
    ...(whole ? [] : [`what ${previous?.number ?? ''} and those before it left open, carried and were corrected in`]),
    ...(prices.length === 0 ? [] : ['prices']),
    ...(payments.length === 0 || imported.payments !== undefined ? [] : ['payments']),
    ...(earnings.length === 0 || imported.earnings !== undefined ? [] : ['what pools paid']),
    ...(readings.length === 0 || imported.readings !== undefined ? [] : ['readings of meters']),
    ...(inventory.rows === 'unknown' ? ['what the inventory says of machines'] : []),
  ];
}

/** The whole statement as it should be. Throws a sentence where it can be none. */
async function again(issued: IssuedStatement, atHand: Chained): Promise<IssuedBody> {
  const { statement } = issued;
  const { book, history } = atHand;
  const { lease, period, issuedAt } = statement;
  const issuedMs = Date.parse(issuedAt);
  const known = knownAt(history, issuedMs);
  const query = { lease, period: period.name, nowMs: issuedMs };
  const span = periodSpan(period.name, period.timezone);
  const unsigned = new Set(statement.amendments.filter(({ signed }) => !signed).map((note) => digestOf(note)));
  const leftOut = eventsOf(known, lease).filter((event) => unsigned.has(digestOf(noteOf(event, false))));
  const without = leftOut.length === 0 ? undefined : situationOf(known, lease, span, leftOut);
  const contract = contractOf(statement);
  const meters = metersOf([...contract.parts, ...(without?.parts ?? [])]);
  const made = async (situation: Situation, without: readonly LeaseEvent[], notes: readonly string[]): Promise<StatementDraft> => {
    const draft = await compose(situation, query, book, (parts, days) => sourcesOf(issued, atHand, { parts, days, meters, leftOut: without }), notes);
    if ('refused' in draft) throw new Error(draft.refused);
    return draft;
  };
  const draft = await made(contract, [], lateTerms(known, statement.contract, span.fromMs));
  return { ...draft, ...identityOf(issued, atHand, draft), amendments: statement.amendments, unamended: without === undefined ? null : unamendedOf(await made(without, leftOut, [])) };
}

/** The contract that stands in the statement: whether it is the one on record is a question of its own. */
function contractOf({ contract, parts, period, stated }: IssuedBody): Situation {
  const all = parts.length === 0 ? [{ fromMs: 0, terms: contract }] : parts.map((part) => ({ fromMs: midnightMs(part.from, period.timezone), terms: part.contract }));
  return { terms: contract, parts: all, stated: stated.map((each) => ({ ...each, fromMs: Date.parse(each.from), toMs: Date.parse(each.to) })), agreed: undefined };
}

interface Wanted {
  readonly parts: readonly TermsPart[];
  readonly days: readonly LocalDay[];
  readonly meters: readonly string[];
  /** Events that are taken not to have been. */
  readonly leftOut: readonly LeaseEvent[];
}

function sourcesOf(issued: IssuedStatement, atHand: Chained, { parts, days, meters, leftOut }: Wanted): Sources {
  const { statement } = issued;
  const { chain, whole, imported } = atHand;
  const from = new Date(days[0]?.fromMs ?? 0).toISOString();
  const opened = whole ? openingOf(chain, { name: statement.period.name, from }) : undefined;
  return {
    // Each day has one, and no more is said of it than that.
    prices: days.flatMap(({ date }) => statement.prices.find((price) => price.date === date) ?? []).map(({ date, pair, price, instant, source }) => ({ date, pair: String(pair), price: String(price), instant, source })),
    inventory: inventoryFor(statement, atHand, parts, { fromMs: days[0]?.fromMs ?? 0, toMs: days.at(-1)?.toMs ?? 0 }, leftOut),
    earnings: imported.earnings ?? statement.earnings.map(importedAs),
    readings: imported.readings?.filter(({ meter }) => meters.includes(meter)) ?? statement.readings.map(({ from: begin, to, ...row }) => ({ ...row, fromMs: Date.parse(begin), toMs: Date.parse(to) })),
    opening: opened === undefined ? statement.balance.map((row) => ({ ...row, closing: row.opening })) : (opened.before?.balance ?? []),
    adjustments: opened?.adjustments ?? statement.adjustments,
    carriedIn: opened === undefined ? statement.carriedIn : (opened.before?.carriedOut ?? '0'),
    payments: paymentsFor(statement, imported, opened, days.at(-1)?.toMs ?? 0),
    notes: [...priceNotes(days.map(({ date }) => date), statement.prices, statement.completeness), ...(opened === undefined ? statement.completeness.filter((sentence) => OPENING_NOTE.test(sentence)) : openingNotes(chain, opened.before))],
  };
}

/** The versions on record, without some of which others may hold; where none is, the one that the statement names. Rows as far as they are at hand. */
function inventoryFor({ lease, inventory }: IssuedBody, { inventory: { history, rows, rowsOf } }: Chained, parts: readonly TermsPart[], span: Span, leftOut: readonly LeaseEvent[]): Inventoried {
  if (history === undefined) {
    const pieces = inventory.map(({ digest }) => ({ ...span, digest: String(digest), recordedMs: undefined }));
    return { rows: rows === 'unknown' ? undefined : rows && rowsUnder(rows, parts), pieces, notes: pieces.length === 0 ? [] : [NO_INVENTORY] };
  }
  const left = new Set(leftOut.map(digestOf));
  const pieces = inventoryPieces(history, lease, span, history.events.filter((event) => left.has(digestOf(event))));
  const held = rowsOfPieces(pieces, rowsOf);
  return { rows: held && rowsUnder(held, parts), pieces, notes: lateInventory(history, pieces, parts, span, rowsOf) ?? [] };
}

/** All that are due in it; without the statements before, of its own those that were imported. */
function paymentsFor({ lease, payments }: IssuedBody, imported: Imported, opened: Opening | undefined, endMs: number): Payment[] {
  if (imported.payments !== undefined && opened !== undefined) return paymentsOf(imported.payments, lease, endMs, opened.counted);
  const own = payments.map((row) => ({ lease, payer: row.payer, payee: row.payee, paidMs: Date.parse(row.paidAt), amount: row.amount, currency: row.currency, reference: row.reference }));
  const known = imported.payments && new Set(imported.payments.map(digestOf));
  return paymentsOf(own, lease, endMs, opened?.counted ?? new Set()).filter((row) => known?.has(digestOf(row)) !== false);
}

/** An earning as it was imported, out of the statement. */
function importedAs(row: StatementDraft['earnings'][number]): Earning {
  const { pool, account, scheme, poolWork, paidAt, txid, payoutId } = row;
  const nano = (btc: string): bigint => BigInt(btc.replace('.', ''));
  return { pool, account, scheme, poolWork, paidAt, txid, payoutId, fromMs: Date.parse(row.from), toMs: Date.parse(row.to), gross: nano(row.gross), fee: nano(row.fee), net: nano(row.net) };
}

/** What makes it a document, as far as it follows from the rest and from the chain. */
function identityOf(issued: IssuedStatement, { chain, whole }: Chained, draft: StatementDraft): Pick<IssuedBody, 'number' | 'revision' | 'state' | 'issuedAt' | 'previous' | 'correction'> {
  const { statement } = issued;
  const earlier = chain.filter(({ period }) => period.name === statement.period.name);
  const revision = whole ? earlier.length : statement.revision;
  const { previous, correction } = statement;
  const old = earlier.at(-1);
  return {
    number: `${draft.lease}-${draft.period.name}/${revision}`, revision, state: 'issued',
    issuedAt: new Date(statement.issuedAt).toISOString(),
    previous: previous === null ? null : { number: previous.number, digest: previous.digest },
    correction: revision === 0 ? null : {
      of: `${draft.lease}-${draft.period.name}/${revision - 1}`, reason: String(correction?.reason ?? ''),
      lines: old === undefined ? (correction?.lines ?? []) : correctedLines(old, draft),
    },
  };
}

/** Sentences that rest on what is not at hand. */
const INVENTORY_NOTE = /^(?:Worked under the lease and in no row of the inventory|Installed, and their names found no share|The inventory recorded at |\d+ shorter stretches without a share)/;
const EARNINGS_NOTE = /^No earnings were imported for /;
const OPENING_NOTE = /^(?:Opening balances are the closing ones of |\S+ carries \S+ TH·day, and )/;

/** A statement without what only files can tell that are not here. */
function shown(body: IssuedBody, { imported, inventory }: Chained): IssuedBody {
  const completeness = body.completeness.filter((sentence) => !sentence.startsWith(OTHER_FILE) && (imported.earnings !== undefined || !EARNINGS_NOTE.test(sentence)));
  if (inventory.rows !== 'unknown') return { ...body, completeness };
  const machines = { installed: null, seen: null, machineHours: 0, availability: null };
  return {
    ...body,
    days: body.days.map((day) => ({ ...day, ...machines })), total: { ...body.total, ...machines },
    unamended: body.unamended && { ...body.unamended, machines },
    unlisted: [], silent: [], downtime: body.downtime.filter(({ observed }) => !observed.includes(' found no share: ')),
    completeness: completeness.filter((sentence) => !INVENTORY_NOTE.test(sentence)),
  };
}
