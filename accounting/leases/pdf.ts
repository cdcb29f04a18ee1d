/** A statement on paper: who owes what first, then why, then day by day. The same statement gives the same bytes. */
import PDFDocument from 'pdfkit';
import { chart } from './pdf-chart.ts';
import type { StatementDraft } from './statement.ts';

type Document = InstanceType<typeof PDFDocument>;

/** What an issued statement has beside its draft. */
export interface Seal {
  readonly digest: string;
  readonly key: string;
  readonly issuedAt: string;
  readonly correction: { readonly of: string; readonly reason: string } | null;
}

const PAGE = { width: 595.28, height: 841.89, margin: 48 } as const;
const WIDTH = PAGE.width - 2 * PAGE.margin;
const INK = '#1c2733';
const GREY = '#667482';
const RULE = '#d4dae0';
const ACCENT = '#1f5f8b';
const REGULAR = 'Helvetica';
const BOLD = 'Helvetica-Bold';

const COMPONENT_WORDS: Readonly<Record<string, string>> = {
  fixed: 'Fixed rent', delivered: 'Rent on delivered work', revenueShare: 'Share of expected value', hosting: 'Hosting energy', serviceCredit: 'Service credit',
};
const LOSS_WORDS: Readonly<Record<string, string>> = {
  poolStale: 'refused by the pool as stale', poolOther: 'refused otherwise or unanswered', noPool: 'found no pool', unjournaled: 'could not be journaled',
};

/** Renders a statement; `seal` is undefined for a draft. */
export function statementPdf(statement: StatementDraft, seal: Seal | undefined): Promise<Buffer> {
  const created = new Date(seal?.issuedAt ?? statement.period.to);
  const title = seal === undefined ? `Draft statement ${statement.lease} ${statement.period.name}` : `Statement ${statement.number}`;
  const document = new PDFDocument({ size: 'A4', margin: PAGE.margin, bufferPages: true, info: { Title: title, CreationDate: created, ModDate: created } });
  const chunks: Buffer[] = [];
  const done = new Promise<Buffer>((resolve, reject) => {
    document.on('data', (chunk: Buffer) => chunks.push(chunk));
    document.on('end', () => resolve(Buffer.concat(chunks)));
    document.on('error', reject);
  });
  head(document, statement, seal);
  netDue(document, statement);
  balance(document, statement);
  components(document, statement);
  performance(document, statement);
  chart(document, statement.days, Number(statement.service[0]?.target ?? 1));
  const early = document.y + 40 + 12 * statement.completeness.length < PAGE.height - PAGE.margin;
  if (early) completeness(document, statement);
  dayTable(document, statement);
  termsAndSeal(document, statement, seal, early);
  footers(document, statement, seal);
  document.end();
  return done;
}

/** The standard fonts know Windows-1252 only; what they lack is written out. */
function printable(text: string): string {
  return text.replaceAll('−', '-').replace(/[^\x20-\x7e\xa0-\xff–—‘’“”•…€™]/g, '?');
}

function name({ parties }: StatementDraft, id: string): string {
  return printable(parties.find((party) => party.id === id)?.name ?? id);
}

/** "12,345.67"; bitcoin is shown to the satoshi, for the statement's JSON has every digit. */
function money(amount: string, currency: string): string {
  const [units = '', decimals = ''] = amount.split('.');
  const places = currency === 'BTC' ? 8 : 2;
  return `${units.replace(/\B(?=(\d{3})+$)/g, ',')}.${decimals.slice(0, places)} ${currency}`;
}

function quantity(text: string | null, places: number): string {
  if (text === null) return '–';
  const [units = '', decimals = ''] = Number(text).toFixed(places).split('.');
  return `${units.replace(/\B(?=(\d{3})+$)/g, ',')}${places > 0 ? `.${decimals}` : ''}`;
}

function percent(text: string | null): string {
  return text === null ? '–' : `${(Number(text) * 100).toFixed(2)} %`;
}

function heading(document: Document, text: string): void {
  document.moveDown(0.9).font(BOLD).fontSize(10.5).fillColor(ACCENT).text(text, PAGE.margin, document.y, { width: WIDTH });
  document.moveDown(0.25);
}

function rule(document: Document, colour: string = RULE): void {
  document.moveTo(PAGE.margin, document.y).lineTo(PAGE.width - PAGE.margin, document.y).lineWidth(0.6).strokeColor(colour).stroke();
}

function head(document: Document, statement: StatementDraft, seal: Seal | undefined): void {
  const { period, contractRef, kind } = statement;
  const kinds: Readonly<Record<string, string>> = { leaseback: 'Sale and leaseback', hosting: 'Hosting', purchase: 'Purchase of hash rate' };
  document.font(BOLD).fontSize(19).fillColor(INK).text('Statement of delivered hash rate', PAGE.margin, PAGE.margin);
  document.font(REGULAR).fontSize(9.5).fillColor(GREY);
  const number = seal === undefined ? 'DRAFT – not signed, not issued' : `No. ${statement.number}`;
  document.text(`${number}   •   ${kinds[kind] ?? kind}${contractRef === '' ? '' : `, contract ${printable(contractRef)}`}   •   lease ${statement.lease}`, { lineGap: 1 });
  document.text(`Period ${statement.days[0]?.date ?? ''} to ${statement.days.at(-1)?.date ?? ''}, ${period.days} days of ${period.timezone}   •   contracted ${statement.contracted}`);
  if (seal?.correction) document.fillColor(ACCENT).text(printable(`Corrects ${seal.correction.of}: ${seal.correction.reason}`));
  document.moveDown(0.6);
  const top = document.y;
  const width = WIDTH / Math.max(2, statement.parties.length);
  let bottom = top;
  statement.parties.forEach((party, index) => {
    const x = PAGE.margin + index * width;
    document.font(BOLD).fontSize(9.5).fillColor(INK).text(printable(party.name), x, top, { width: width - 10 });
    document.font(REGULAR).fontSize(8).fillColor(GREY).text([party.roles.join(', '), party.address, party.taxId === '' ? '' : `Tax no. ${party.taxId}`].filter((line) => line !== '').map(printable).join('\n'), { width: width - 10 });
    bottom = Math.max(bottom, document.y);
  });
  document.y = bottom + 8;
}

function netDue(document: Document, statement: StatementDraft): void {
  const rows = statement.netDue.filter(({ amount }) => /[1-9]/.test(amount));
  const height = 22 + 24 * Math.max(1, rows.length);
  const top = document.y;
  document.roundedRect(PAGE.margin, top, WIDTH, height, 4).fill('#eef4f8');
  document.font(BOLD).fontSize(9).fillColor(ACCENT).text('NET DUE FOR THE PERIOD', PAGE.margin + 12, top + 9);
  if (rows.length === 0) document.font(REGULAR).fontSize(12).fillColor(INK).text('Nothing is due.', PAGE.margin + 12, top + 24);
  rows.forEach(({ payer, payee, currency, amount }, index) => {
    const y = top + 24 + 24 * index;
    document.font(REGULAR).fontSize(11).fillColor(INK).text(`${name(statement, payer)}  pays  ${name(statement, payee)}`, PAGE.margin + 12, y + 3, { width: WIDTH * 0.6, height: 16, ellipsis: true });
    document.font(BOLD).fontSize(15).fillColor(INK).text(money(amount, currency), PAGE.margin, y, { width: WIDTH - 12, align: 'right' });
  });
  document.x = PAGE.margin;
  document.y = top + height + 2;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: boolean;
}

/** A table over the width of the page; its head is repeated on a new page. Widths are parts of one. */
function table(document: Document, columns: readonly Column[], rows: readonly (readonly string[])[], size: number, boldLast = false): void {
  const height = size + 5;
  const line = (cells: readonly string[], font: string, colour: string): void => {
    const y = document.y;
    let x: number = PAGE.margin;
    columns.forEach(({ width, right }, index) => {
      document.font(font).fontSize(size).fillColor(colour).text(cells[index] ?? '', x, y, { width: width * WIDTH - 4, align: right === true ? 'right' : 'left', height, lineBreak: false, ellipsis: true });
      x += width * WIDTH;
    });
    document.x = PAGE.margin;
    document.y = y + height;
  };
  const top = (): void => {
    line(columns.map(({ title }) => title), BOLD, GREY);
    rule(document);
    document.y += 3;
  };
  top();
  rows.forEach((cells, index) => {
    if (document.y + height > PAGE.height - PAGE.margin - 20) {
      document.addPage();
      top();
    }
    const last = boldLast && index === rows.length - 1;
    if (last) rule(document);
    if (last) document.y += 3;
    line(cells, last ? BOLD : REGULAR, INK);
  });
}

function balance(document: Document, statement: StatementDraft): void {
  const rows = statement.balance.filter(({ opening, closing }) => /[1-9]/.test(opening) || /[1-9]/.test(closing));
  if (rows.length === 0) return;
  heading(document, 'Account');
  table(document, [{ title: 'owed by', width: 0.24 }, { title: 'to', width: 0.24 }, { title: 'opening', width: 0.13, right: true }, { title: 'charges', width: 0.13, right: true }, { title: 'payments', width: 0.12, right: true }, { title: 'closing', width: 0.14, right: true }], rows.map((row) => {
    const turned = row.closing.startsWith('-');
    const text = (amount: string): string => money(turned ? (amount.startsWith('-') ? amount.slice(1) : /[1-9]/.test(amount) ? `-${amount}` : amount) : amount, row.currency).replace(` ${row.currency}`, '');
    const [by, to] = turned ? [row.second, row.first] : [row.first, row.second];
    return [name(statement, by), name(statement, to), text(row.opening), text(row.charges), text(row.payments), `${text(row.closing)} ${row.currency}`];
  }), 8.5);
}

function components(document: Document, statement: StatementDraft): void {
  heading(document, 'What it is made of');
  table(document, [{ title: 'payment', width: 0.2 }, { title: 'from', width: 0.16 }, { title: 'to', width: 0.16 }, { title: 'quantity', width: 0.175, right: true }, { title: 'price', width: 0.155, right: true }, { title: 'amount', width: 0.15, right: true }], statement.components.map((row) => [
    COMPONENT_WORDS[row.component] ?? row.component, name(statement, row.payer), name(statement, row.payee),
    row.unit === 'BTC' ? money(row.quantity, 'BTC') : `${quantity(row.quantity, 2)} ${row.unit === 'TH·day' ? 'TH-days' : row.unit === 'point' ? 'points' : row.unit}`, priceText(row), money(row.amount, row.currency),
  ]), 8.5);
}

/** "0.042 USD", "35% after 1% fee", "10% a point". */
function priceText({ unit, unitPrice, currency }: StatementDraft['components'][number]): string {
  if (unit === 'point') return `${unitPrice.replace(/ of .*/, '')} a point`;
  return unit === 'BTC' ? printable(unitPrice) : `${unitPrice} ${currency}`;
}

function performance(document: Document, statement: StatementDraft): void {
  heading(document, 'Delivery');
  const { total, service, losses } = statement;
  const [measure] = service;
  const lost = losses.filter(({ terahashDays }) => Number(terahashDays) > 0).map(({ cause, bearer, terahashDays }) => `${quantity(terahashDays, 2)} TH-days ${LOSS_WORDS[cause] ?? cause} (borne by ${name(statement, bearer)})`);
  const lines = [
    `Delivered ${quantity(total.delivered, 1)} of ${quantity(total.owed, 1)} TH-days owed, between ${quantity(total.deliveredLow, 1)} and ${quantity(total.deliveredHigh, 1)} with 95 % confidence, from ${quantity(String(total.shares), 0)} shares; the pool credited ${quantity(total.credited, 1)}.`,
    ...(service.length === 1 && measure !== undefined ? [`Delivery ratio ${percent(measure.ratio)} against a target of ${percent(measure.target)}. Chance excuses ${percent(measure.noise)}; beyond that ${quantity(measure.shortfallBeyondNoise, 1)} TH-days are missing, ${quantity(measure.pointsBelowTarget, 2)} percentage points.`] : []),
    ...(lost.length > 0 ? [`Delivered and lost on the way: ${lost.join('; ')}.`] : []),
  ];
  document.font(REGULAR).fontSize(9).fillColor(INK).text(printable(lines.join(' ')), PAGE.margin, document.y, { width: WIDTH, lineGap: 1.5 });
  document.moveDown(0.5);
}

function dayTable(document: Document, statement: StatementDraft): void {
  document.addPage();
  heading(document, 'Day by day, in TH-days');
  const columns: Column[] = [
    { title: 'day', width: 0.13 }, { title: 'contracted', width: 0.125, right: true }, { title: 'owed', width: 0.125, right: true }, { title: 'installed', width: 0.115, right: true }, { title: 'delivered', width: 0.125, right: true },
    { title: '95 % interval', width: 0.19, right: true }, { title: 'credited', width: 0.115, right: true }, { title: 'ratio', width: 0.075, right: true },
  ];
  const cells = (date: string, row: StatementDraft['total'] | StatementDraft['days'][number]): string[] => [
    date, quantity(row.contracted, 1), quantity(row.owed, 1), quantity(row.installed, 1), quantity(row.delivered, 1), row.deliveredHigh === '' ? '–' : `${quantity(row.deliveredLow, 0)} – ${quantity(row.deliveredHigh, 0)}`, quantity(row.credited, 1), row.ratio === null ? '–' : `${(Number(row.ratio) * 100).toFixed(1)} %`,
  ];
  table(document, columns, [...statement.days.map((day) => cells(day.date, day)), cells('total', statement.total)], 8.2, true);
  if (statement.stated.length === 0) return;
  heading(document, 'Stated by a party');
  table(document, [{ title: 'from (UTC)', width: 0.17 }, { title: 'to (UTC)', width: 0.17 }, { title: 'what', width: 0.12 }, { title: 'by', width: 0.2 }, { title: 'reason', width: 0.34 }], statement.stated.map((row) => [row.from.slice(0, 16).replace('T', ' '), row.to.slice(0, 16).replace('T', ' '), row.what, name(statement, row.by), printable(row.reason)]), 8.2);
}

function completeness(document: Document, statement: StatementDraft): void {
  heading(document, 'Completeness');
  document.font(REGULAR).fontSize(8.5).fillColor(INK);
  for (const sentence of statement.completeness) document.text(printable(`•  ${sentence}`), PAGE.margin, document.y, { width: WIDTH, lineGap: 1 });
}

function termsAndSeal(document: Document, statement: StatementDraft, seal: Seal | undefined, completenessDone: boolean): void {
  if (document.y > PAGE.height - 245) document.addPage();
  if (!completenessDone) completeness(document, statement);
  heading(document, 'Terms in force');
  document.font(REGULAR).fontSize(7.8).fillColor(GREY).text(printable(statement.terms.join(' ')), PAGE.margin, document.y, { width: WIDTH, lineGap: 1 });
  document.moveDown(0.4).text(`Digest of the terms: ${statement.termsDigest}`);
  if (seal === undefined) return;
  heading(document, 'Verify');
  document.font('Courier').fontSize(8).fillColor(INK).text('weighbridge verify STATEMENT.json', PAGE.margin, document.y);
  document.moveDown(0.5);
  document.font(REGULAR).fontSize(7.8).fillColor(GREY).text(`Key ${seal.key} (Ed25519). Digest of the signed statement: ${seal.digest}. This paper is a rendering of that file, which has every figure in full.`, { width: WIDTH });
}

function footers(document: Document, statement: StatementDraft, seal: Seal | undefined): void {
  const { start, count } = document.bufferedPageRange();
  const label = seal === undefined ? `Draft, ${statement.lease} ${statement.period.name}` : `${statement.number}, issued ${seal.issuedAt.slice(0, 10)}, key ${seal.key}`;
  for (let page = start; page < start + count; page += 1) {
    document.switchToPage(page);
    // Below the margin text would start a page of its own.
    document.page.margins.bottom = 0;
    document.font(REGULAR).fontSize(7.5).fillColor(GREY).text(label, PAGE.margin, PAGE.height - 34, { width: WIDTH / 2, lineBreak: false });
    document.text(`page ${page - start + 1} of ${count}`, PAGE.margin, PAGE.height - 34, { width: WIDTH, align: 'right', lineBreak: false });
  }
}
