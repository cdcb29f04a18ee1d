/** A statement on paper: who owes what first, then why, then day by day. The same statement gives the same bytes. */
import PDFDocument from 'pdfkit';
import { chart } from './pdf-chart.ts';
import { ACCENT, BOLD, COMPONENT_WORDS, GREY, heading, INK, money, name, PAGE, percent, printable, quantity, REGULAR, table, WIDTH, workPlaces, wrappedTable, type Column, type Document } from './pdf-kit.ts';
import { amendments, corrections, downtime } from './pdf-notes.ts';
import type { Correction } from './issue.ts';
import type { StatementDraft } from './statement.ts';

/** What an issued statement has beside its draft. */
export interface Seal {
  readonly digest: string;
  readonly key: string;
  readonly issuedAt: string;
  readonly correction: Correction | null;
}

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
  document.font(REGULAR).fontSize(8.5);
  const lines = statement.completeness.reduce((height, sentence) => height + document.heightOfString(printable(`•  ${sentence}`), { width: WIDTH }) + 1, 0);
  const early = document.y + 40 + lines < PAGE.height - PAGE.margin;
  if (early) completeness(document, statement);
  document.addPage();
  corrections(document, statement, seal?.correction ?? null);
  amendments(document, statement);
  dayTable(document, statement);
  downtime(document, statement);
  stated(document, statement);
  termsAndSeal(document, statement, seal, early);
  footers(document, statement, seal);
  document.end();
  return done;
}

function head(document: Document, statement: StatementDraft, seal: Seal | undefined): void {
  const { period, contractRef, kind } = statement;
  const kinds: Readonly<Record<string, string>> = { leaseback: 'Sale and leaseback', hosting: 'Hosting', purchase: 'Purchase of hash rate' };
  document.font(BOLD).fontSize(19).fillColor(INK).text('Statement of delivered hash rate', PAGE.margin, PAGE.margin);
  document.font(REGULAR).fontSize(9.5).fillColor(GREY);
  const number = seal === undefined ? 'DRAFT – not signed, not issued' : `No. ${statement.number}`;
  document.text(`${number}   •   ${kinds[kind] ?? kind}${contractRef === '' ? '' : `, contract ${printable(contractRef)}`}   •   lease ${statement.lease}`, { lineGap: 1 });
  document.text(`Period ${statement.days[0]?.date ?? ''} to ${statement.days.at(-1)?.date ?? ''}, ${period.days} ${period.days === 1 ? 'day' : 'days'} of ${period.timezone}   •   contracted ${statement.contracted}`);
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

function balance(document: Document, statement: StatementDraft): void {
  const rows = statement.balance.filter(({ opening, closing }) => /[1-9]/.test(opening) || /[1-9]/.test(closing));
  if (rows.length === 0) return;
  heading(document, 'Account');
  const corrected = rows.some(({ adjustments }) => /[1-9]/.test(adjustments));
  const wide = corrected ? 0.2 : 0.24;
  const columns = [{ title: 'owed by', width: wide }, { title: 'to', width: wide }, { title: 'opening', width: 0.13, right: true }, ...(corrected ? [{ title: 'corrections', width: 0.12, right: true }] : []), { title: 'charges', width: 0.12, right: true }, { title: 'payments', width: 0.12, right: true }, { title: 'closing', width: corrected ? 0.11 : 0.15, right: true }];
  table(document, columns, rows.map((row) => {
    const turned = row.closing.startsWith('-');
    const text = (amount: string): string => money(turned ? (amount.startsWith('-') ? amount.slice(1) : /[1-9]/.test(amount) ? `-${amount}` : amount) : amount, row.currency).replace(` ${row.currency}`, '');
    const [by, to] = turned ? [row.second, row.first] : [row.first, row.second];
    return [name(statement, by), name(statement, to), text(row.opening), ...(corrected ? [text(row.adjustments)] : []), text(row.charges), text(row.payments), `${text(row.closing)} ${row.currency}`];
  }), 8.5);
}

function components(document: Document, statement: StatementDraft): void {
  heading(document, 'What it is made of');
  table(document, [{ title: 'payment', width: 0.2 }, { title: 'from', width: 0.16 }, { title: 'to', width: 0.16 }, { title: 'quantity', width: 0.175, right: true }, { title: 'price', width: 0.155, right: true }, { title: 'amount', width: 0.15, right: true }], statement.components.map((row) => [
    COMPONENT_WORDS[row.component] ?? row.component, name(statement, row.payer), name(statement, row.payee),
    row.unit === 'BTC' ? money(row.quantity, 'BTC') : `${quantity(row.quantity, row.unit === 'point' || row.unit === 'hour' ? 2 : workPlaces(statement) + 1)} ${row.unit === 'TH·day' ? 'TH-days' : row.unit === 'point' ? 'points' : row.unit === 'hour' ? 'hours' : row.unit}`, priceText(row), money(row.amount, row.currency),
  ]), 8.5);
}

/** "0.042 USD", "35% after 1% fee", "10% a point". */
function priceText({ unit, unitPrice, currency }: StatementDraft['components'][number]): string {
  if (unit === currency || unit === 'hour') return printable(unitPrice);
  if (unit === 'point') return `${unitPrice.replace(/ of .*/, '')} a point`;
  return unit === 'BTC' ? printable(unitPrice) : `${unitPrice} ${currency}`;
}

function performance(document: Document, statement: StatementDraft): void {
  heading(document, 'Delivery');
  const { total, service, losses } = statement;
  const places = workPlaces(statement);
  // One for the period, or for each part of it by its own terms; those of single days stand in the file.
  const measures = service.length === 1 ? service : service.filter(({ date }) => date.includes(' to '));
  const lost = losses.filter(({ terahashDays }) => Number(terahashDays) > 0).map(({ cause, bearer, terahashDays }) => `${quantity(terahashDays, places + 1)} TH-days ${LOSS_WORDS[cause] ?? cause} (borne by ${name(statement, bearer)})`);
  const { availability, machineHours, curtailedHours, suspendedHours, excusedUnmeasuredHours } = total;
  const excused = [[curtailedHours, 'curtailed'], [suspendedHours, 'suspended'], [excusedUnmeasuredHours, 'unmeasured and excused']].filter(([hours]) => Number(hours) > 0).map(([hours = '', what = '']) => `${quantity(hours, 2)} hours were ${what}`);
  const lines = [
    `Delivered ${quantity(total.delivered, places)} of ${quantity(total.owed, places)} TH-days owed, between ${quantity(total.deliveredLow, places)} and ${quantity(total.deliveredHigh, places)} with 95 % confidence, from ${quantity(String(total.shares), 0)} shares; the pool credited ${quantity(total.credited, places)}.`,
    ...measures.map(({ date, ratio, target, noise, shortfallBeyondNoise, pointsBelowTarget }) =>
      `${service.length === 1 ? '' : `${date}: `}Delivery ratio ${percent(ratio)} against a target of ${percent(target)}. Chance excuses ${percent(noise)}; beyond that ${quantity(shortfallBeyondNoise, places)} TH-days are missing, ${quantity(pointsBelowTarget, 2)} percentage points.`),
    ...(availability === null ? [] : [`Machines reached half of their plate in ${percent(availability)} of ${quantity(String(machineHours), 0)} machine-hours.`]),
    ...(excused.length === 0 ? [] : [`${excused.join(' and ')}.`]),
    ...(lost.length > 0 ? [`Delivered and lost on the way: ${lost.join('; ')}.`] : []),
  ];
  document.font(REGULAR).fontSize(9).fillColor(INK).text(printable(lines.join(' ')), PAGE.margin, document.y, { width: WIDTH, lineGap: 1.5 });
  document.moveDown(0.5);
}

function dayTable(document: Document, statement: StatementDraft): void {
  heading(document, 'Day by day, in TH-days');
  const places = workPlaces(statement);
  const listed = statement.total.installed !== null;
  const columns: Column[] = [
    { title: 'day', width: 0.12 }, { title: 'contracted', width: 0.105, right: true }, { title: 'owed', width: 0.1, right: true },
    ...(listed ? [{ title: 'installed', width: 0.1, right: true }, { title: 'seen', width: 0.1, right: true }] : []),
    { title: 'delivered', width: 0.105, right: true }, { title: '95 % interval', width: listed ? 0.175 : 0.275, right: true }, { title: 'credited', width: 0.1, right: true }, { title: 'ratio', width: listed ? 0.095 : 0.195, right: true },
  ];
  const cells = (date: string, row: StatementDraft['total'] | StatementDraft['days'][number]): string[] => [
    date, quantity(row.contracted, places), quantity(row.owed, places), ...(listed ? [quantity(row.installed, places), quantity(row.seen, places)] : []), quantity(row.delivered, places),
    row.deliveredHigh === '' ? '–' : `${quantity(row.deliveredLow, places - 1)} – ${quantity(row.deliveredHigh, places - 1)}`, quantity(row.credited, places), row.ratio === null ? '–' : `${(Number(row.ratio) * 100).toFixed(1)} %`,
  ];
  table(document, columns, [...statement.days.map((day) => cells(day.date, day)), cells('total', statement.total)], 7.8, true);
}

/** Of the period, and of a time in which all worked; earlier times of the contract's year stand in the file, because they use up its cap. */
function stated(document: Document, statement: StatementDraft): void {
  const shown = statement.downtime.map(({ stated: said }) => said).join('; ');
  const rows = statement.stated.filter(({ from, to, reason }) => from < statement.period.to && to > statement.period.from && !shown.includes(`: ${reason}`));
  if (rows.length === 0) return;
  heading(document, 'Stated by a party');
  wrappedTable(document, [{ title: 'from (UTC)', width: 0.15 }, { title: 'to (UTC)', width: 0.15 }, { title: 'what', width: 0.11 }, { title: 'by', width: 0.2 }, { title: 'reason and document', width: 0.39 }], rows.map((row) => [
    row.from.slice(0, 16).replace('T', ' '), row.to.slice(0, 16).replace('T', ' '), row.what, name(statement, row.by), printable(`${row.amount === '' ? '' : `${row.amount} received: `}${row.reason}${row.document === '' ? '' : ` (${row.document.slice(0, 80)})`}`),
  ]), 7.8);
}

function completeness(document: Document, statement: StatementDraft): void {
  heading(document, 'Completeness');
  document.font(REGULAR).fontSize(8.5).fillColor(INK);
  for (const sentence of statement.completeness) document.text(printable(`•  ${sentence}`), PAGE.margin, document.y, { width: WIDTH, lineGap: 1 });
}

function termsAndSeal(document: Document, statement: StatementDraft, seal: Seal | undefined, completenessDone: boolean): void {
  const terms = printable(statement.terms.join(' '));
  const height = document.font(REGULAR).fontSize(7.8).heightOfString(terms, { width: WIDTH, lineGap: 1 }) + (seal === undefined ? 60 : 130);
  if (document.y + height > PAGE.height - PAGE.margin) document.addPage();
  if (!completenessDone) completeness(document, statement);
  heading(document, 'Terms in force');
  document.font(REGULAR).fontSize(7.8).fillColor(GREY).text(terms, PAGE.margin, document.y, { width: WIDTH, lineGap: 1 });
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
