/** Parts of a printed statement that not every statement has: what was corrected, what nobody has signed yet, when less worked. */
import type { Correction } from './issue.ts';
import { componentWords, heading, INK, money, name, PAGE, percent, printable, quantity, REGULAR, small, table, WIDTH, type Document } from './pdf-kit.ts';
import type { StatementDraft } from './statement.ts';

/** Rows that fit on paper beside everything else; the file has all of them. */
const CORRECTED_MAX = 10;
const DOWNTIME_MAX = 9;

function minute(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** "2026-11-07, fixed rent, NFX Operations Inc to Acme Capital LLC" of "2026-11-07 fixed nfx acme USD"; the date may be that of a part, "2026-11-01 to 2026-11-11", or none. */
function lineText(statement: StatementDraft, line: string): string {
  const words = line.split(' ');
  const [component = '', payer = '', payee = ''] = words.slice(-4);
  const date = words.slice(0, -4).join(' ');
  return `${date === '' ? 'period' : date}, ${componentWords(statement, component).toLowerCase()}, ${name(statement, payer)} to ${name(statement, payee)}`;
}

/** Old, new and difference of each line that this revision changes, the largest first. */
export function corrections(document: Document, statement: StatementDraft, correction: Correction | null): void {
  if (correction === null || correction.lines.length === 0) return;
  heading(document, `What changes against ${correction.of}`);
  const largest = correction.lines.toSorted((a, b) => Math.abs(Number(b.difference)) - Math.abs(Number(a.difference)));
  const columns = [{ title: 'line', width: 0.52 }, { title: 'before', width: 0.16, right: true }, { title: 'now', width: 0.16, right: true }, { title: 'difference', width: 0.16, right: true }];
  table(document, columns, largest.slice(0, CORRECTED_MAX).map((row) => [lineText(statement, row.line), money(row.old, row.currency), money(row.new, row.currency), money(row.difference, row.currency)]), 8);
  if (largest.length > CORRECTED_MAX) small(document, `and ${largest.length - CORRECTED_MAX} more lines, in the file`);
}

/** What was changed with effect in the past, and what would be due without what the counterparty has not signed. */
export function amendments(document: Document, statement: StatementDraft): void {
  if (statement.amendments.length === 0) return;
  heading(document, 'Changed with effect in the past');
  document.font(REGULAR).fontSize(8.5).fillColor(INK);
  for (const each of statement.amendments) {
    document.text(printable(`•  ${each.event}, effective ${minute(each.from)} UTC, recorded ${minute(each.recorded)} UTC${each.by === '' ? '' : ` by ${name(statement, each.by)}`}: ${each.reason}${each.signed ? '. Signed.' : '. Not signed by the counterparty yet.'}`), PAGE.margin, document.y, { width: WIDTH, lineGap: 1 });
  }
  if (statement.unamended === null) return;
  const due = statement.unamended.netDue.filter(({ amount }) => /[1-9]/.test(amount)).map(({ payer, payee, currency, amount }) => `${name(statement, payer)} pays ${name(statement, payee)} ${money(amount, currency)}`);
  document.text(printable(`Without what is not signed, for the period: ${due.length === 0 ? 'nothing is due' : due.join('; ')}.`), { width: WIDTH });
  const { machines } = statement.unamended;
  const { installed, availability } = statement.total;
  if (machines.installed === installed && machines.availability === availability) return;
  document.text(printable(`Without it, installed are ${quantity(machines.installed, 1)} TH-days instead of ${quantity(installed, 1)}, and availability is ${percent(machines.availability)} instead of ${percent(availability)}.`), { width: WIDTH });
}

/** Of the period, and of a time in which all worked; earlier times of the contract's year stand in the file, because they use up its cap. */
export function stated(document: Document, statement: StatementDraft): void {
  const shown = statement.downtime.map(({ stated: said }) => said).join('; ');
  const rows = statement.stated.filter(({ from, to, reason }) => from < statement.period.to && to > statement.period.from && !shown.includes(`: ${reason}`));
  if (rows.length === 0) return;
  heading(document, 'Stated by a party');
  table(document, [{ title: 'from (UTC)', width: 0.15 }, { title: 'to (UTC)', width: 0.15 }, { title: 'what', width: 0.11 }, { title: 'by', width: 0.2 }, { title: 'reason and document', width: 0.39 }], rows.map((row) => [
    minute(row.from), minute(row.to), row.what, name(statement, row.by), printable(`${row.amount === '' ? '' : `${row.amount} received: `}${row.reason}${row.document === '' ? '' : ` (${row.document.slice(0, 80)})`}`),
  ]), 7.5);
}

/** In two columns, of which the second is empty where nobody stated anything. */
export function downtime(document: Document, statement: StatementDraft): void {
  const all = statement.downtime;
  if (all.length === 0) return;
  heading(document, 'When less worked');
  const hours = ({ from, to }: StatementDraft['downtime'][number]): number => Date.parse(to) - Date.parse(from);
  const longest = new Set(all.toSorted((a, b) => hours(b) - hours(a)).slice(0, DOWNTIME_MAX));
  const rows = all.filter((each) => longest.has(each)).map(({ from, to, observed, stated }) => [minute(from), minute(to), printable(observed), stated === '' ? '–' : printable(stated)]);
  table(document, [{ title: 'from (UTC)', width: 0.15 }, { title: 'to (UTC)', width: 0.15 }, { title: 'observed', width: 0.42 }, { title: 'stated by a party', width: 0.28 }], rows, 7.5);
  if (all.length > DOWNTIME_MAX) small(document, `and ${all.length - DOWNTIME_MAX} more, none of them longer, in the file. Causes are never guessed.`);
}
