/** Parts of a printed statement that not every statement has: what was corrected, what nobody has signed yet, when less worked. */
import type { Correction } from './issue.ts';
import { COMPONENT_WORDS, GREY, heading, INK, money, name, PAGE, percent, printable, quantity, REGULAR, table, WIDTH, wrappedTable, type Document } from './pdf-kit.ts';
import type { StatementDraft } from './statement.ts';

/** Rows that fit on paper beside everything else; the file has all of them. */
const CORRECTED_MAX = 10;
const DOWNTIME_MAX = 9;

function minute(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

function small(document: Document, text: string): void {
  document.font(REGULAR).fontSize(7.8).fillColor(GREY).text(printable(text), PAGE.margin, document.y, { width: WIDTH });
}

/** "2026-11-07, fixed rent, NFX Operations Inc to Acme Capital LLC" of "2026-11-07 fixed nfx acme USD"; a line over the whole period has no date. */
function lineText(statement: StatementDraft, line: string): string {
  const [date = '', component = '', payer = '', payee = ''] = line.split(' ');
  return `${date === '' ? 'period' : date}, ${(COMPONENT_WORDS[component] ?? component).toLowerCase()}, ${name(statement, payer)} to ${name(statement, payee)}`;
}

/** Old, new and difference of each line that this revision changes, the largest first. */
export function corrections(document: Document, statement: StatementDraft, correction: Correction | null): void {
  if (correction === null || correction.lines.length === 0) return;
  heading(document, `What changes against ${correction.of}`);
  const largest = correction.lines.toSorted((a, b) => Math.abs(Number(b.difference)) - Math.abs(Number(a.difference)));
  const columns = [{ title: 'line', width: 0.52 }, { title: 'before', width: 0.16, right: true }, { title: 'now', width: 0.16, right: true }, { title: 'difference', width: 0.16, right: true }];
  table(document, columns, largest.slice(0, CORRECTED_MAX).map((row) => [lineText(statement, row.line), money(row.old, row.currency), money(row.new, row.currency), money(row.difference, row.currency)]), 8.2);
  if (largest.length > CORRECTED_MAX) small(document, `and ${largest.length - CORRECTED_MAX} more lines, in the file`);
}

/** What was changed with effect in the past, and what would be due without what the counterparty has not signed. */
export function amendments(document: Document, statement: StatementDraft): void {
  if (statement.amendments.length === 0) return;
  heading(document, 'Changed with effect in the past');
  document.font(REGULAR).fontSize(8.5).fillColor(INK);
  for (const each of statement.amendments) {
    document.text(printable(`•  ${each.event}, effective ${minute(each.from)}, recorded ${minute(each.recorded)}${each.by === '' ? '' : ` by ${name(statement, each.by)}`}: ${each.reason}${each.signed ? '. Signed.' : '. Not signed by the counterparty yet.'}`), PAGE.margin, document.y, { width: WIDTH, lineGap: 1 });
  }
  if (statement.unamended === null) return;
  const due = statement.unamended.netDue.filter(({ amount }) => /[1-9]/.test(amount)).map(({ payer, payee, currency, amount }) => `${name(statement, payer)} pays ${name(statement, payee)} ${money(amount, currency)}`);
  document.text(printable(`Without what is not signed: ${due.length === 0 ? 'nothing is due' : due.join('; ')}.`), { width: WIDTH });
  const { machines } = statement.unamended;
  const { installed, availability } = statement.total;
  if (machines.installed === installed && machines.availability === availability) return;
  document.text(printable(`Without it, installed are ${quantity(machines.installed, 1)} TH-days instead of ${quantity(installed, 1)}, and availability is ${percent(machines.availability)} instead of ${percent(availability)}.`), { width: WIDTH });
}

/** In two columns, of which the second is empty where nobody stated anything. */
export function downtime(document: Document, statement: StatementDraft): void {
  const all = statement.downtime;
  if (all.length === 0) return;
  heading(document, 'When less worked');
  const hours = ({ from, to }: StatementDraft['downtime'][number]): number => Date.parse(to) - Date.parse(from);
  const longest = new Set(all.toSorted((a, b) => hours(b) - hours(a)).slice(0, DOWNTIME_MAX));
  const rows = all.filter((each) => longest.has(each)).map(({ from, to, observed, stated }) => [minute(from), minute(to), printable(observed), stated === '' ? '–' : printable(stated)]);
  wrappedTable(document, [{ title: 'from (UTC)', width: 0.15 }, { title: 'to (UTC)', width: 0.15 }, { title: 'observed', width: 0.42 }, { title: 'stated by a party', width: 0.28 }], rows, 7.8);
  if (all.length > DOWNTIME_MAX) small(document, `and ${all.length - DOWNTIME_MAX} shorter ones, in the file. Causes are never guessed.`);
}
