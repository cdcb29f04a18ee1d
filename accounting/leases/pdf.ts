/** A statement on paper: who owes what first, then why, then day by day. The same statement gives the same bytes. */
import PDFDocument from 'pdfkit';
import { DISPUTABLE_MS } from './agreement.ts';
import { chart, CHART_MIN } from './pdf-chart.ts';
import { dayTable, delivery, targetOn } from './pdf-delivery.ts';
import { account, components, head, netDue } from './pdf-front.ts';
import { BOTTOM, GREY, heading, INK, PAGE, printable, REGULAR, small, WIDTH, type Document } from './pdf-kit.ts';
import { amendments, corrections, downtime, stated } from './pdf-notes.ts';
import type { Correction } from './issue.ts';
import type { StatementDraft } from './statement.ts';

/** What an issued statement has beside its draft. */
export interface Seal {
  readonly digest: string;
  readonly key: string;
  readonly issuedAt: string;
  readonly correction: Correction | null;
}

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
  account(document, statement);
  components(document, statement);
  delivery(document, statement);
  if (document.y + CHART_MIN > BOTTOM) document.addPage();
  chart(document, statement.days, (date) => targetOn(statement, date));
  const early = document.y + completenessHeight(document, statement) < BOTTOM;
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

/** What the figures rest on; hashes prove work and nothing else. */
const RESTS_ON = 'Shares prove work, not which machine did it or why one stood still. Inventory, stated times, prices, payments and earnings are what a party stated or imported.';

function completenessHeight(document: Document, statement: StatementDraft): number {
  document.font(REGULAR).fontSize(8.3);
  return statement.completeness.reduce((height, sentence) => height + document.heightOfString(printable(`•  ${sentence}`), { width: WIDTH }) + 1, 52);
}

function completeness(document: Document, statement: StatementDraft): void {
  heading(document, 'Completeness');
  document.font(REGULAR).fontSize(8.3).fillColor(INK);
  for (const sentence of statement.completeness) document.text(printable(`•  ${sentence}`), PAGE.margin, document.y, { width: WIDTH, lineGap: 1 });
  document.y += 2;
  small(document, RESTS_ON);
}

function termsAndSeal(document: Document, statement: StatementDraft, seal: Seal | undefined, completenessDone: boolean): void {
  if (!completenessDone) {
    if (document.y + completenessHeight(document, statement) > BOTTOM) document.addPage();
    completeness(document, statement);
  }
  const terms = printable(statement.terms.join(' '));
  const height = document.font(REGULAR).fontSize(7.5).heightOfString(terms, { width: WIDTH, lineGap: 0.5 }) + (seal === undefined ? 36 : 102);
  if (document.y + height > BOTTOM) document.addPage();
  heading(document, 'Terms in force');
  small(document, terms);
  document.y += 3;
  small(document, `Digest of the terms: ${statement.termsDigest}`);
  if (seal !== undefined) verification(document, statement, seal);
}

/** What the paper is, how it is checked, and until when it can be disputed. */
function verification(document: Document, { number }: StatementDraft, seal: Seal): void {
  heading(document, 'Verify, sign or dispute');
  const until = new Date(Date.parse(seal.issuedAt) + DISPUTABLE_MS).toISOString().slice(0, 16).replace('T', ' ');
  small(document, `The statement is the signed file; this paper shows it, bitcoin to the satoshi and rounded down. Ed25519 key ${seal.key}, digest ${seal.digest}.`);
  document.y += 3;
  document.font('Courier').fontSize(7.5).fillColor(INK).text('weighbridge verify FILE', PAGE.margin, document.y, { continued: true }).font(REGULAR).fillColor(GREY).text('   shows that the file is what was signed; with --data and the journals every share and figure is computed anew.', { width: WIDTH });
  document.y += 3;
  small(document, `The counterparty signs it with “weighbridge statement countersign”, or disputes ${number} until ${until} UTC, 30 days after its issue.`);
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
