/** Checks an issued statement: its digest, its signature, the keys up to it, and its place in the chain of its lease. */
import { localDays, midnightMs } from '../../config/calendar.ts';
import type { Book } from '../reader.ts';
import type { Earning } from './earnings.ts';
import { decimal } from './exact.ts';
import { excusedIn, rowsUnder } from './draft.ts';
import { gatherLease } from './gathered.ts';
import type { ProvenInventory } from './inventory-proof.ts';
import { draftStatement, type StatementDraft } from './statement.ts';
import { isSignedBy, keyProblem, type PublicKeyRecord } from './keys.ts';
import { partsOf } from './situation.ts';
import { signedBytes, type IssuedStatement } from './issue.ts';
import { digestOf } from './terms.ts';

export interface Finding {
  readonly ok: boolean;
  readonly sentence: string;
}

/** Whether a file's value has the shape of an issued statement; nothing in it is trusted yet. */
export function readIssued(text: string): IssuedStatement | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const has = (object: unknown, key: string): boolean => typeof object === 'object' && object !== null && Object.hasOwn(object, key);
  const shaped = has(value, 'statement') && has(value, 'digest') && has(value, 'signature');
  return shaped && has((value as IssuedStatement).statement, 'number') && has((value as IssuedStatement).signature, 'publicKey') ? (value as IssuedStatement) : undefined;
}

/**
 * @param others Other issued statements of the lease, as far as they are at hand.
 * @param keys The row of keys that is trusted; empty when none is known.
 */
export function verifyIssued(issued: IssuedStatement, others: readonly IssuedStatement[], keys: readonly PublicKeyRecord[]): Finding[] {
  const { statement, signature } = issued;
  const digest = digestOf(statement) === issued.digest;
  const signed = isSignedBy(signature.publicKey, signedBytes(statement), signature.value);
  return [
    { ok: digest, sentence: digest ? `The digest ${issued.digest.slice(0, 16)}… is that of the statement.` : 'The digest is not that of the statement: it was changed after it was issued.' },
    { ok: signed, sentence: signed ? `Signed by key ${signature.key}.` : `The signature is not by the key ${signature.key} that it names.` },
    keyFinding(issued, keys),
    ...chainFindings(issued, others),
  ];
}

function keyFinding({ signature }: IssuedStatement, keys: readonly PublicKeyRecord[]): Finding {
  if (keys.length === 0) return { ok: true, sentence: `Compare the key with the one you were given: ${signature.publicKey}.` };
  const problem = keyProblem(keys);
  if (problem !== undefined) return { ok: false, sentence: problem };
  const known = keys.some(({ id, publicKey }) => id === signature.key && publicKey === signature.publicKey);
  return { ok: known, sentence: known ? `Key ${signature.key} is one of the ${keys.length} of this instance, each signed by the one before.` : `Key ${signature.key} is not one of this instance.` };
}

function chainFindings(issued: IssuedStatement, others: readonly IssuedStatement[]): Finding[] {
  const findings: Finding[] = [];
  let at = issued;
  for (;;) {
    const { previous, lease, number } = at.statement;
    if (previous === null) return [...findings, { ok: true, sentence: `${number} is the first statement of ${lease}.` }];
    const before = others.find(({ statement }) => statement.number === previous.number);
    if (before === undefined) return [...findings, { ok: true, sentence: `${previous.number}, which came before ${number}, is not at hand: the chain was not followed further.` }];
    const whole = digestOf(before.statement) === previous.digest && before.digest === previous.digest;
    findings.push({ ok: whole, sentence: whole ? `${previous.number} came before ${number}, unchanged.` : `${previous.number} is not the statement that ${number} was chained to: one of them was changed.` });
    if (!whole || findings.length > others.length) return findings;
    at = before;
  }
}

/**
 * Measures and values the statement's days again from a ledger, by the contract that stands in the statement itself, and
 * compares every figure of every day and line. `audit` proves the ledger against the journals.
 *
 * @param inventory The rows it rests on; `unknown`: what machines are is not looked at.
 */
export async function verifyFigures({ statement }: IssuedStatement, book: Book, source: 'ledger' | 'journals' = 'ledger', inventory: ProvenInventory['rows'] = 'unknown'): Promise<Finding[]> {
  const { contract, period } = statement;
  const days = localDays(Date.parse(period.from), Date.parse(period.to), period.timezone);
  const stated = statement.stated.map((each) => ({ ...each, fromMs: Date.parse(each.from), toMs: Date.parse(each.to) }));
  const parts = partsOf(statement.parts.length === 0 ? [{ fromMs: 0, terms: contract }] : statement.parts.map((part) => ({ fromMs: midnightMs(part.from, period.timezone), terms: part.contract })), days);
  const excused = excusedIn(parts, stated);
  const gathered = await gatherLease(book, contract.id, { days, timezone: period.timezone, excused, inventory: inventory === 'unknown' ? undefined : inventory && rowsUnder(inventory, parts), earnings: statement.earnings.map(importedAs), readings: statement.readings.map(({ from, to, ...row }) => ({ ...row, fromMs: Date.parse(from), toMs: Date.parse(to) })) });
  const fresh = draftStatement({
    terms: contract, parts, period: period.name, gathered, stated, excused, inventory: [], carriedIn: decimal(statement.carriedIn),
    prices: statement.prices, opening: statement.balance.map((row) => ({ ...row, closing: row.opening })), adjustments: statement.adjustments, payments: statement.payments.map((row) => ({ ...row, lease: statement.lease, paidMs: Date.parse(row.paidAt) })), notes: [],
  });
  const known = inventory !== 'unknown';
  const unlike = [
    ...fresh.days.filter((day, index) => figures(day, known) !== figures(statement.days[index], known)).map(({ date }) => date),
    ...fresh.earnings.filter((earning, index) => digestOf(earning) !== digestOf(statement.earnings[index])).map(({ payoutId }) => `payout ${payoutId}`),
    ...fresh.balance.filter((row, index) => digestOf(row) !== digestOf(statement.balance[index])).map(({ currency }) => `the balance in ${currency}`),
    ...fresh.lines.filter((line, index) => digestOf(line) !== digestOf(statement.lines[index])).map(({ date, component }) => `${component} ${date}`),
    ...(statement.lines.length > fresh.lines.length ? ['lines that no payment gives'] : []),
    ...(known ? ON_MACHINES.filter((key) => digestOf(fresh[key]) !== digestOf(statement[key])) : []),
    ...SUMMED.filter((key) => digestOf(fresh[key]) !== digestOf(statement[key])),
    ...(figures(fresh.total, known) === figures(statement.total, known) ? [] : ['total']),
  ];
  if (unlike.length > 0) return [{ ok: false, sentence: `The ${source === 'ledger' ? 'ledger says' : 'journals say'} otherwise of ${unlike.slice(0, 5).join(', ')}${unlike.length > 5 ? ` and ${unlike.length - 5} more figures` : ''}.` }];
  const figuresText = `Every figure of ${fresh.days.length} days and ${fresh.lines.length} lines`;
  return [{ ok: true, sentence: source === 'ledger' ? `${figuresText} agrees with the ledger; no journal of the period is here to prove it from.` : `${figuresText} follows from the journals.` }];
}

/** An earning as it was imported, out of the statement. */
function importedAs(row: StatementDraft['earnings'][number]): Earning {
  const { pool, account, scheme, poolWork, paidAt, txid, payoutId } = row;
  const nano = (btc: string): bigint => BigInt(btc.replace('.', ''));
  return { pool, account, scheme, poolWork, paidAt, txid, payoutId, fromMs: Date.parse(row.from), toMs: Date.parse(row.to), gross: nano(row.gross), fee: nano(row.fee), net: nano(row.net) };
}

/** What follows from days and lines. */
const SUMMED = ['netDue', 'components', 'service', 'losses', 'value', 'entries', 'carriedOut', 'termsDigest', 'terms', 'contracted', 'contract', 'parts'] as const satisfies readonly (keyof StatementDraft)[];

/** What follows from the ledger and the inventory. */
const ON_MACHINES = ['downtime', 'unlisted', 'silent'] as const satisfies readonly (keyof StatementDraft)[];

/** What the ledger decides of a day; what machines are only where the inventory is known. */
function figures(day: StatementDraft['days'][number] | StatementDraft['total'] | undefined, known: boolean): string {
  if (day === undefined) return '';
  return digestOf(known ? day : { ...day, installed: null, seen: null, machineHours: null, availability: null });
}
