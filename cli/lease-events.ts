/** `lease curtail|suspend|terminate|amend`: what is stated of a lease, put on record in the journal. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { journalFacts } from '../accounting/journal/note.ts';
import { agreedTerms } from '../accounting/leases/agreed.ts';
import { isUnder } from '../accounting/leases/draft.ts';
import { accountProblem, payersOf } from '../accounting/leases/accounts.ts';
import { without } from '../accounting/leases/excused.ts';
import { readAmount } from '../accounting/leases/grid.ts';
import { eventsOf, leaseHistory, statedTimes } from '../accounting/leases/history.ts';
import { inventoryFact, inventoryPieces, inventoryReader, keepInventory, recordedLast, rowsOfPieces, unlikeWithin } from '../accounting/leases/inventories.ts';
import { canonicalJson, type LeaseTerms } from '../accounting/leases/terms.ts';
import { journalDirectory } from '../accounting/store.ts';
import { dateAt, midnightMs } from '../config/calendar.ts';
import { parseInventory, type InventoryRow } from '../config/inventory.ts';
import { askInstance, NotRunningError } from '../proxy/net/control.ts';
import { ensureHostId } from '../proxy/net/instance.ts';
import type { LeaseEventFact } from '../proxy/session/facts.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import { reasonText, type ParsedOptions } from './options.ts';
import { isoTime, parseTime } from './time.ts';

/** As for a reload: every session of every process is looked at. */
const TAKEN_OVER_LIMIT_MS = 30_000;

type StatedEvent = 'curtailment' | 'suspension' | 'termination';
type CommandEvent = StatedEvent | 'amendment' | 'grid-payment';
const EVENTS: ReadonlyMap<string, CommandEvent> = new Map<string, CommandEvent>([['grid', 'grid-payment'], ['curtail', 'curtailment'], ['suspend', 'suspension'], ['terminate', 'termination'], ['amend', 'amendment']]);

/** Undefined for an action that states nothing. */
export function eventOfAction(action: string): CommandEvent | undefined {
  return EVENTS.get(action);
}

/**
 * Records what the options say of a lease. Rejects with a sentence when it cannot be; then nothing holds.
 *
 * @param inventory Path of the configuration's inventory.
 */
export async function recordEvent(event: CommandEvent, terms: LeaseTerms, dataDir: string, options: ParsedOptions, io: Io, inventory?: string): Promise<ExitCode> {
  const nowMs = io.world.wallMs();
  const fact = factOf(event, terms, dataDir, options, nowMs, inventory);
  await journalFacts(journalDirectory(dataDir), ensureHostId(dataDir, io.world.random), io.world, [fact]);
  io.out(`On record: ${eventSentence(fact)}${event === 'termination' ? await takenOver(dataDir, io) : ''}`);
  return EXIT.ok;
}

function factOf(event: CommandEvent, terms: LeaseTerms, dataDir: string, options: ParsedOptions, nowMs: number, inventory: string | undefined): LeaseEventFact {
  if (event === 'grid-payment') return gridPayment(terms, dataDir, options, nowMs);
  if (event !== 'amendment') return stated(event, terms, options, nowMs);
  return options.flags.has('inventory') ? inventoryAmendment(terms, dataDir, inventory, options, nowMs) : amendment(terms, dataDir, options, nowMs);
}

/** A running instance ends the claim on new work; its configuration file is not read for it. What is on record holds however this goes. */
async function takenOver(dataDir: string, io: Io): Promise<string> {
  try {
    await askInstance(dataDir, 'terminations', io.world, TAKEN_OVER_LIMIT_MS);
    return ' The running instance claims no new work from then on.';
  } catch (error) {
    if (error instanceof NotRunningError) return ' No instance runs here; the next start claims no new work from then on.';
    return ` The running instance did not take it over (${error instanceof Error ? error.message : String(error)}): it claims new work until \`weighbridge reload\` or its next start.`;
  }
}

/** `acme-leaseback is curtailed from … to …, stated by grid: called off.` */
export function eventSentence(fact: Omit<LeaseEventFact, 'type'>): string {
  const { lease, event, fromMs, toMs, by, reason, document, atMs } = fact;
  const from = isoTime(fromMs);
  const what = {
    curtailment: `is curtailed from ${from} to ${isoTime(toMs)}`, suspension: `is suspended from ${from} to ${isoTime(toMs)}`,
    termination: `ends at ${from}`, amendment: `has other terms from ${from} on`, inventory: `has the machines of another inventory from ${from} on`, 'grid-payment': `was paid for by the grid from ${from} to ${isoTime(toMs)}, ${fact.terms} received`,
  }[event];
  const who = by === '' ? '' : `, stated by ${by}`;
  const past = fromMs < atMs ? ' It was recorded afterwards: statements show both results until the other side has signed one.' : '';
  return `${lease} ${what}${who}: ${reason}${document === '' ? '' : ` (${document})`}.${past}`;
}

function stated(event: StatedEvent, terms: LeaseTerms, options: ParsedOptions, nowMs: number): LeaseEventFact {
  const { text, flags } = options;
  const ends = event === 'termination';
  const fromMs = parseTime(ends ? '--at' : '--from', needed(text, ends ? 'at' : 'from'), nowMs);
  const toMs = ends ? fromMs : parseTime('--to', needed(text, 'to'), nowMs);
  const by = needed(text, 'by');
  const { term } = terms.lease;
  if (!ends && fromMs >= toMs) throw usageError('--from must be before --to.');
  if (toMs < term.fromMs || fromMs >= term.toMs) throw new CommandError(`${terms.id} runs from ${isoTime(term.fromMs)} to ${isoTime(term.toMs)}: that time is outside.`);
  refuseStranger(by, terms);
  if (event === 'curtailment' && terms.lease.curtailment === undefined) throw new CommandError(`${terms.id} has no clause of curtailment, so all hours are owed: agree on one, or use \`lease suspend\`.`);
  if (fromMs < nowMs && !flags.has('amend')) throw new CommandError(`${isoTime(fromMs)} is past: what is stated afterwards is an amendment, which statements show beside what held before. Say --amend if that is meant.`);
  return { type: 'lease-event', lease: terms.id, event, fromMs, toMs, by, reason: reasonText(needed(text, 'reason')), document: documentOf(text['document']), terms: '', atMs: nowMs };
}

function amendment(terms: LeaseTerms, dataDir: string, { text }: ParsedOptions, nowMs: number): LeaseEventFact {
  const fromMs = parseTime('--effective', needed(text, 'effective'), nowMs);
  const by = needed(text, 'by');
  refuseStranger(by, terms);
  const { timezone, term } = terms.lease;
  const date = dateAt(fromMs, timezone);
  if (midnightMs(date, timezone) !== fromMs) {
    throw new CommandError(`--effective must be a midnight in ${timezone}, such as ${isoTime(midnightMs(date, timezone))}: a day has one price, one value and one set of terms.`);
  }
  if (fromMs >= term.toMs) throw new CommandError(`${terms.id} ends before, at ${isoTime(term.toMs)}.`);
  const held = agreedTerms(leaseHistory(dataDir), terms.id, fromMs);
  if (held === undefined) throw new CommandError(`No terms of ${terms.id} are in the journal yet: what the configuration says will hold from the start on, and needs no amendment.`);
  const before = held.terms.lease;
  if (!date.endsWith('-01') && (before.timezone !== timezone || before.term.from !== term.from || before.term.toMs <= fromMs)) {
    throw new CommandError(`Another time zone, another beginning of the term, or a term that goes on after its end must hold from the beginning of a month, such as ${isoTime(midnightMs(`${date.slice(0, 8)}01`, timezone))}.`);
  }
  if (canonicalJson(held.terms) === canonicalJson(terms)) throw new CommandError(`The configuration has the terms of ${terms.id} that hold at ${isoTime(fromMs)} by what is on record: change them there first.`);
  return { type: 'lease-event', lease: terms.id, event: 'amendment', fromMs, toMs: fromMs, by, reason: reasonText(needed(text, 'reason')), document: documentOf(text['document']), terms: canonicalJson(terms), atMs: nowMs };
}

/** What a grid paid for curtailed hours, stated by who received it: against himself, so that nobody else need prove it. */
function gridPayment(terms: LeaseTerms, dataDir: string, { text }: ParsedOptions, nowMs: number): LeaseEventFact {
  const [fromMs, toMs] = [parseTime('--from', needed(text, 'from'), nowMs), parseTime('--to', needed(text, 'to'), nowMs)];
  const by = needed(text, 'by');
  const amount = needed(text, 'amount');
  const document = documentOf(needed(text, 'document'));
  refuseStranger(by, terms);
  const { curtailment } = terms.lease;
  if (curtailment === undefined) throw new CommandError(`${terms.id} has no clause of curtailment, so nothing says whom a grid's payment belongs to.`);
  if (fromMs >= toMs) throw usageError('--from must be before --to.');
  const read = readAmount(amount);
  if (read === undefined) throw usageError(`--amount ${JSON.stringify(amount)} is no amount such as "9500.00 USD".`);
  const history = leaseHistory(dataDir);
  const events = eventsOf(history, terms.id);
  const curtailed = statedTimes(events).filter(({ what }) => what === 'curtailed');
  if (without([{ fromMs, toMs }], curtailed).length > 0) throw new CommandError(`No curtailment is on record for all of ${isoTime(fromMs)} to ${isoTime(toMs)}: say which hours the grid paid for, or put them on record with \`lease curtail\`.`);
  const other = statedTimes(events).find((each) => each.what === 'paid' && each.by === by && each.fromMs < toMs && fromMs < each.toMs && (each.fromMs !== fromMs || each.toMs !== toMs));
  if (other !== undefined) throw new CommandError(`On record is already what ${by} received for ${isoTime(other.fromMs)} to ${isoTime(other.toMs)}: give the same hours to correct that.`);
  const problem = by === curtailment.creditTo ? undefined : accountProblem(payersOf([terms]), by, curtailment.creditTo, read.currency);
  if (problem !== undefined) throw new CommandError(`It is owed on in ${read.currency}, ${problem}.`);
  return { type: 'lease-event', lease: terms.id, event: 'grid-payment', fromMs, toMs, by, reason: reasonText(needed(text, 'reason')), document, terms: amount, atMs: nowMs };
}

/** The inventory as it is now, from a moment on that may be past: for the machines of this lease alone. */
function inventoryAmendment(terms: LeaseTerms, dataDir: string, file: string | undefined, { text }: ParsedOptions, nowMs: number): LeaseEventFact {
  const fromMs = parseTime('--effective', needed(text, 'effective'), nowMs);
  const by = needed(text, 'by');
  refuseStranger(by, terms);
  if (file === undefined) throw new CommandError('The configuration has no inventory.');
  if (fromMs >= nowMs) throw new CommandError(`${isoTime(fromMs)} is still to come: write it into the dates of the inventory's rows, which a running instance puts on record.`);
  const history = leaseHistory(dataDir);
  const span = { fromMs, toMs: nowMs };
  const held = rowsOfPieces(inventoryPieces(history, terms.id, span), inventoryReader([dataDir]));
  if (recordedLast(history, terms.id) === undefined) throw new CommandError('No inventory is on record yet: what the file says holds, and needs no amendment. A running instance puts it on record.');
  const inventory = readFileSync(file, 'utf8');
  const under = (rows: readonly InventoryRow[]): InventoryRow[] => rows.filter((row) => isUnder(terms.lease, row));
  if (held !== undefined && unlikeWithin(under(held), under(parseInventory(inventory).rows), span).length === 0) {
    throw new CommandError(`${file} says of the machines of ${terms.id} what is on record from ${isoTime(fromMs)} on: change its rows first.`);
  }
  return inventoryFact(keepInventory(dataDir, inventory), fromMs, nowMs, { lease: terms.id, by, reason: reasonText(needed(text, 'reason')), document: documentOf(text['document']) });
}

function refuseStranger(by: string, { id, parties }: LeaseTerms): void {
  if (!Object.hasOwn(parties, by)) throw new CommandError(`--by ${by} is not a party of ${id}: there is ${Object.keys(parties).join(', ')}.`);
}

function needed(text: ParsedOptions['text'], name: string): string {
  const value = text[name];
  if (value === undefined) throw usageError(`This needs --${name}.`);
  return value;
}

/** Name and digest, so that the document can be told from another later. */
function documentOf(file: string | undefined): string {
  if (file === undefined) return '';
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new CommandError(`The document ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
  }
  return `${basename(file)}, SHA-256 ${createHash('sha256').update(bytes).digest('hex')}`;
}
