/**
 * What stays open between two parties from statement to statement. The closing balance of a statement counts the charges of each
 * period up to its own once, by the newest revision there was, and each payment once. So the next one begins with the closing
 * balance of the statement before, adds what revisions issued since then have changed in earlier periods, and takes every payment
 * up to its end that no statement counted before.
 */
import type { IssuedBody } from './issue.ts';
import { decimal, exact, floor, minorText, times } from './exact.ts';
import { minorOf, type Payment } from './payments.ts';
import { placesOf, type Valuation } from './valuation.ts';

/** Between two parties and in one currency; positive: the first owes the second. Amounts are decimal text. */
export interface Balance {
  readonly first: string;
  readonly second: string;
  readonly currency: string;
  readonly opening: string;
  readonly adjustments: string;
  readonly charges: string;
  readonly payments: string;
  readonly closing: string;
}

/** By how much a revision of an earlier period differs from what the opening balance counts of that period. */
export interface Adjustment {
  readonly number: string;
  /** The revision that the opening balance counts; '' where it counts none. */
  readonly of: string;
  readonly first: string;
  readonly second: string;
  readonly currency: string;
  readonly amount: string;
}

/** What a period's statement begins with. */
export interface Opening {
  readonly before: IssuedBody | undefined;
  readonly adjustments: readonly Adjustment[];
  /** References of payments that are counted in the opening balance. */
  readonly counted: ReadonlySet<string>;
}

type Period = Pick<IssuedBody['period'], 'name' | 'from'>;

/** Statements of periods that begin before. Revisions of one period may begin at other moments, where its time zone was amended. */
function earlierThan(chain: readonly IssuedBody[], { name, from }: Period): IssuedBody[] {
  return chain.filter(({ period }) => period.name !== name && Date.parse(period.from) < Date.parse(from));
}

/** The newest revision of the latest period before. */
function lastBefore(chain: readonly IssuedBody[], period: Period): IssuedBody | undefined {
  const earlier = earlierThan(chain, period);
  const [latest] = earlier.toSorted((a, b) => Date.parse(b.period.from) - Date.parse(a.period.from));
  return earlier.findLast((each) => each.period.name === latest?.period.name);
}

/** Period → the revision that a statement's closing balance counts, and the payments in it: its own, and those of all that it began with. */
function countedBy(chain: readonly IssuedBody[], last: IssuedBody | undefined): { readonly revisions: Map<string, IssuedBody>; readonly payments: Set<string> } {
  const line: IssuedBody[] = [];
  for (let at = last; at !== undefined; at = lastBefore(chain.slice(0, chain.indexOf(at)), at.period)) line.unshift(at);
  const revisions = new Map<string, IssuedBody>();
  for (const each of line) {
    for (const { number } of each.adjustments) {
      const revision = chain.find((other) => other.number === number);
      if (revision !== undefined) revisions.set(revision.period.name, revision);
    }
    revisions.set(each.period.name, each);
  }
  return { revisions, payments: new Set(line.flatMap(({ payments }) => payments.map(({ reference }) => reference))) };
}

/** @param chain Statements of the lease in the order of their issue, up to this one. */
export function openingOf(chain: readonly IssuedBody[], period: Period): Opening {
  const last = lastBefore(chain, period);
  const { revisions, payments } = countedBy(chain, last);
  const newest = new Map(earlierThan(chain, period).map((each) => [each.period.name, each]));
  const adjustments = [...newest.values()].toSorted((a, b) => Date.parse(a.period.from) - Date.parse(b.period.from)).flatMap((revision) => {
    const was = revisions.get(revision.period.name);
    return was === revision ? [] : differenceOf(revision, was);
  });
  return { before: last, adjustments, counted: payments };
}

function differenceOf(revision: IssuedBody, was: IssuedBody | undefined): Adjustment[] {
  const sums = new Map<string, { readonly row: Balance; amount: bigint }>();
  const add = (rows: readonly Balance[], sign: bigint): void => {
    for (const row of rows) {
      const key = `${row.currency} ${row.first} ${row.second}`;
      sums.set(key, { row, amount: (sums.get(key)?.amount ?? 0n) + sign * minor(row.charges, row.currency) });
    }
  };
  add(revision.balance, 1n);
  add(was?.balance ?? [], -1n);
  return [...sums.values()].filter(({ amount }) => amount !== 0n).map(({ row: { first, second, currency }, amount }) => (
    { number: revision.number, of: was?.number ?? '', first, second, currency, amount: minorText(amount, placesOf(currency)) }
  ));
}

function minor(text: string, currency: string): bigint {
  return floor(times(decimal(text), exact(10n ** BigInt(placesOf(currency)))));
}

/** What was open, what corrections of earlier periods changed, what is charged and paid, what is open now. */
export function balanceOf(net: Valuation['net'], opening: readonly Balance[], adjustments: readonly Adjustment[], payments: readonly Payment[]): Balance[] {
  const rows = new Map<string, { first: string; second: string; currency: string; opening: bigint; adjustments: bigint; charges: bigint; payments: bigint }>();
  const at = (a: string, b: string, currency: string) => {
    const [first, second] = a < b ? [a, b] : [b, a];
    const key = `${currency} ${first} ${second}`;
    const row = rows.get(key) ?? { first, second, currency, opening: 0n, adjustments: 0n, charges: 0n, payments: 0n };
    rows.set(key, row);
    return row;
  };
  for (const { first, second, currency, closing } of opening) at(first, second, currency).opening += minor(closing, currency);
  for (const { first, second, currency, amount } of adjustments) at(first, second, currency).adjustments += minor(amount, currency);
  for (const { payer, payee, currency, amount } of net) at(payer, payee, currency).charges += payer < payee ? amount : -amount;
  for (const payment of payments) at(payment.payer, payment.payee, payment.currency).payments += payment.payer < payment.payee ? minorOf(payment) : -minorOf(payment);
  return [...rows.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => {
    const text = (amount: bigint): string => minorText(amount, placesOf(row.currency));
    return {
      first: row.first, second: row.second, currency: row.currency, opening: text(row.opening), adjustments: text(row.adjustments), charges: text(row.charges), payments: text(row.payments),
      closing: text(row.opening + row.adjustments + row.charges - row.payments),
    };
  });
}
