/** What a reader of a printed statement looks for first: whose it is, who owes what, what is still open, what it is made of. */
import { ACCENT, BOLD, componentWords, GREY, heading, INK, money, name, PAGE, printable, quantity, REGULAR, table, WIDTH, workPlaces, type Document } from './pdf-kit.ts';
import type { Seal } from './pdf.ts';
import type { StatementDraft } from './statement.ts';

const KIND_WORDS: Readonly<Record<string, string>> = { leaseback: 'Sale and leaseback', hosting: 'Hosting', purchase: 'Purchase of hash rate' };
const SIDES: Readonly<Record<string, readonly [lessor: string, lessee: string]>> = { hosting: ['Owner (lessor)', 'Host (lessee)'], purchase: ['Seller (lessor)', 'Buyer (lessee)'] };

export function head(document: Document, statement: StatementDraft, seal: Seal | undefined): void {
  const { period, contractRef, kind } = statement;
  document.font(BOLD).fontSize(19).fillColor(INK).text('Statement of delivered hash rate', PAGE.margin, PAGE.margin);
  document.font(REGULAR).fontSize(9.5).fillColor(GREY);
  const dot = '   •   ';
  const number = seal === undefined ? 'DRAFT – not signed, not issued' : `No. ${statement.number}${dot}issued ${seal.issuedAt.slice(0, 10)}`;
  const lines = [
    `${number}${dot}lease ${statement.lease}`,
    `${KIND_WORDS[kind] ?? kind}${contractRef === '' ? '' : `, contract ${printable(contractRef)}`}${dot}contracted ${statement.contracted}`,
    `Period ${statement.days[0]?.date ?? ''} to ${statement.days.at(-1)?.date ?? ''}, ${period.days} ${period.days === 1 ? 'day' : 'days'} in the time zone ${period.timezone}`,
  ];
  for (const line of lines) document.text(line, { width: WIDTH, lineGap: 1 });
  if (seal?.correction) document.fillColor(ACCENT).text(printable(`Corrects and replaces ${seal.correction.of}: ${seal.correction.reason}`), { width: WIDTH });
  document.moveDown(0.6);
  parties(document, statement);
}

/** The lessor first, then the lessee, then who is paid or pays beside them. */
function parties(document: Document, { parties: all, kind }: StatementDraft): void {
  const rank = ({ roles }: StatementDraft['parties'][number]): number => (roles.includes('lessor') ? 0 : roles.includes('lessee') ? 1 : 2);
  const columns = Math.min(3, Math.max(2, all.length));
  const width = WIDTH / columns;
  let [top, bottom] = [document.y, document.y];
  all.toSorted((a, b) => rank(a) - rank(b)).forEach((party, index) => {
    if (index > 0 && index % columns === 0) top = bottom + 6;
    const x = PAGE.margin + (index % columns) * width;
    document.font(BOLD).fontSize(9.5).fillColor(INK).text(printable(party.name), x, top, { width: width - 10 });
    const lines = [rolesText(kind, party.roles), party.address === '' ? 'address not stated' : party.address, party.taxId === '' ? '' : `Tax no. ${party.taxId}`];
    document.font(REGULAR).fontSize(8).fillColor(GREY).text(lines.filter((line) => line !== '').map(printable).join('\n'), { width: width - 10 });
    bottom = Math.max(bottom, document.y);
  });
  document.x = PAGE.margin;
  document.y = bottom + 8;
}

function rolesText(kind: string, roles: readonly string[]): string {
  const [lessor, lessee] = SIDES[kind] ?? ['Lessor', 'Lessee'];
  const words: Readonly<Record<string, string>> = { lessor, lessee, performer: 'owes the hash rate', residual: 'keeps the remaining value' };
  return roles.length === 0 ? 'Party to payments' : roles.map((role) => words[role] ?? role).join(', ');
}

interface Due {
  readonly who: string;
  readonly sum: string;
  readonly small: boolean;
}

/** Net due for the period, and what is open with earlier statements and payments where that is something else. */
export function netDue(document: Document, statement: StatementDraft): void {
  const period = statement.netDue.filter(({ amount }) => /[1-9]/.test(amount)).map(({ payer, payee, currency, amount }): Due => due(statement, payer, payee, amount, currency, false));
  const open = hasAccount(statement) ? statement.balance.map(({ first, second, currency, closing }) => (closing.startsWith('-') ? due(statement, second, first, closing.slice(1), currency, true) : due(statement, first, second, closing, currency, true))) : [];
  const sections = [
    { title: 'NET DUE FOR THE PERIOD', rows: period.length === 0 ? [{ who: 'Nothing is due.', sum: '', small: false }] : period },
    ...(open.length === 0 ? [] : [{ title: 'OPEN AFTER EARLIER STATEMENTS AND PAYMENTS', rows: open }]),
  ];
  const wide = WIDTH * 0.62;
  const heightOf = ({ who, small }: Due): number => Math.max(small ? 13 : 18, document.font(REGULAR).fontSize(small ? 9 : 11).heightOfString(who, { width: wide }) + 3);
  const height = sections.reduce((sum, { rows }) => sum + 20 + rows.reduce((rest, row) => rest + heightOf(row) + 3, 0), 6);
  const top = document.y;
  document.roundedRect(PAGE.margin, top, WIDTH, height, 4).fill('#eef4f8');
  let y = top + 8;
  for (const { title, rows } of sections) {
    document.font(BOLD).fontSize(8.5).fillColor(ACCENT).text(title, PAGE.margin + 12, y);
    y += 15;
    for (const row of rows) {
      document.font(REGULAR).fontSize(row.small ? 9 : 11).fillColor(INK).text(row.who, PAGE.margin + 12, y + (row.small ? 0 : 2), { width: wide });
      document.font(BOLD).fontSize(row.small ? 9.5 : 14.5).text(row.sum, PAGE.margin, y, { width: WIDTH - 12, align: 'right' });
      y += heightOf(row) + 3;
    }
    y += 5;
  }
  document.x = PAGE.margin;
  document.y = top + height + 2;
}

function due(statement: StatementDraft, payer: string, payee: string, amount: string, currency: string, small: boolean): Due {
  const [from, to] = [name(statement, payer), name(statement, payee)];
  return { who: `${from}  ${small ? 'owes' : 'pays'}  ${to}`, sum: money(amount, currency), small };
}

/** Whether there is more than this period's charges: else the account says nothing that net due does not. */
function hasAccount({ balance: rows }: StatementDraft): boolean {
  return rows.some(({ opening, adjustments, payments }) => [opening, adjustments, payments].some((amount) => /[1-9]/.test(amount)));
}

export function account(document: Document, statement: StatementDraft): void {
  if (!hasAccount(statement)) return;
  const rows = statement.balance.filter((row) => [row.opening, row.adjustments, row.charges, row.payments, row.closing].some((amount) => /[1-9]/.test(amount)));
  heading(document, 'Account');
  const corrected = rows.some(({ adjustments }) => /[1-9]/.test(adjustments));
  const width = corrected ? 0.18 : 0.225;
  const columns = [{ title: '', width: 0.1 }, ...['opening', ...(corrected ? ['corrections'] : []), 'charges', 'payments', 'closing'].map((title) => ({ title, width, right: true }))];
  const groups = grouped(rows, ({ first, second, closing }) => (closing.startsWith('-') ? [second, first] : [first, second]).map((id) => name(statement, id)).join(' owes '));
  table(document, columns, [...groups].flatMap(([who, each]) => [[who], ...each.map((row) => {
    const turned = row.closing.startsWith('-');
    const text = (amount: string): string => money(turned ? (amount.startsWith('-') ? amount.slice(1) : /[1-9]/.test(amount) ? `-${amount}` : amount) : amount, row.currency).replace(` ${row.currency}`, '');
    return [row.currency, text(row.opening), ...(corrected ? [text(row.adjustments)] : []), text(row.charges), text(row.payments), text(row.closing)];
  })]), 8.3);
}

function grouped<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}

/** By who pays whom, each in the order of the contract, credits after them. */
export function components(document: Document, statement: StatementDraft): void {
  heading(document, 'What it is made of');
  type Row = StatementDraft['components'][number];
  const isCredit = ({ component, unitPrice }: Row): boolean => component === 'serviceCredit' || unitPrice.endsWith(' of serviceCredit');
  const groups = grouped([...statement.components.filter((row) => !isCredit(row)), ...statement.components.filter(isCredit)], ({ payer, payee }) => `${name(statement, payer)} pays ${name(statement, payee)}`);
  const cells = (row: Row): string[] => [componentWords(statement, row.component), quantityText(statement, row), priceText(statement, row), money(row.amount, row.currency)];
  const columns = [{ title: 'payment', width: 0.3 }, { title: 'quantity', width: 0.22, right: true }, { title: 'price', width: 0.28, right: true }, { title: 'amount', width: 0.2, right: true }];
  table(document, columns, [...groups].flatMap(([who, rows]) => [[who], ...rows.map(cells)]), 8.3);
}

function quantityText(statement: StatementDraft, { quantity: text, unit, currency }: StatementDraft['components'][number]): string {
  if (unit === currency || unit === 'BTC') return money(text, unit);
  return `${quantity(text, unit === 'point' || unit === 'hour' ? 2 : workPlaces(statement) + 1)} ${unit === 'TH·day' ? 'TH-days' : unit === 'point' ? 'points' : unit === 'hour' ? 'hours' : unit}`;
}

/** "0.042 USD per TH-day", "35% after 1% fee", "10% a point, up to 50%", "8.25% of the service credit". */
function priceText(statement: StatementDraft, { component, unit, unitPrice, currency }: StatementDraft['components'][number]): string {
  if (component === 'tax') return unitPrice.replace(/ of (\w+)$/, (_, taxed: string) => ` of ${componentWords(statement, taxed).toLowerCase()}`);
  if (unit === 'point') return unitPrice.replace(/ of \w+/, ' a point,');
  if (unit === currency || unit === 'BTC' || unit === 'hour') return printable(unitPrice);
  return `${unitPrice} ${currency} per ${unit === 'TH·day' ? 'TH-day' : unit}`;
}
