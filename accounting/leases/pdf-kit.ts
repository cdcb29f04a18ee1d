/** What every part of a printed statement uses: measures, colours, texts that the fonts can show, tables. */
import type PDFDocument from 'pdfkit';
import type { StatementDraft } from './statement.ts';

export type Document = InstanceType<typeof PDFDocument>;

export const PAGE = { width: 595.28, height: 841.89, margin: 48 } as const;
export const WIDTH = PAGE.width - 2 * PAGE.margin;
export const INK = '#1c2733';
export const GREY = '#667482';
const RULE = '#d4dae0';
export const ACCENT = '#1f5f8b';
export const REGULAR = 'Helvetica';
export const BOLD = 'Helvetica-Bold';

export const COMPONENT_WORDS: Readonly<Record<string, string>> = {
  fixed: 'Fixed rent', delivered: 'Rent on delivered work', revenueShare: 'Share of the value', hosting: 'Hosting energy', serviceCredit: 'Service credit', gridPayment: "Grid's payment", tax: 'Tax',
};
/** The standard fonts know Windows-1252 only; what they lack is written out. */
export function printable(text: string): string {
  return text.replaceAll('−', '-').replace(/[^\x20-\x7e\xa0-\xff–—‘’“”•…€™]/g, '?');
}

export function name({ parties }: StatementDraft, id: string): string {
  return printable(parties.find((party) => party.id === id)?.name ?? id);
}

/** "12,345.67"; bitcoin is shown to the satoshi, for the statement's JSON has every digit. */
export function money(amount: string, currency: string): string {
  const [units = '', decimals = ''] = amount.split('.');
  const places = currency === 'BTC' ? 8 : 2;
  return `${units.replace(/\B(?=(\d{3})+$)/g, ',')}.${decimals.slice(0, places)} ${currency}`;
}

export function quantity(text: string | null, places: number): string {
  if (text === null) return '–';
  const [units = '', decimals = ''] = Number(text).toFixed(places).split('.');
  return `${units.replace(/\B(?=(\d{3})+$)/g, ',')}${places > 0 ? `.${decimals}` : ''}`;
}

/** Decimals of TH-days on paper: one from 100 TH/s on, and as many more as the contracted rate has digits less. */
export function workPlaces({ days }: Pick<StatementDraft, 'days'>): number {
  const most = Math.max(...days.map(({ contracted, hours }) => (Number(contracted) * 24) / Number(hours)));
  return most > 0 ? Math.max(1, 3 - Math.floor(Math.log10(most) + 1e-9)) : 1;
}

export function percent(text: string | null): string {
  return text === null ? '–' : `${(Number(text) * 100).toFixed(2)} %`;
}

export function heading(document: Document, text: string): void {
  document.moveDown(0.9).font(BOLD).fontSize(10.5).fillColor(ACCENT).text(text, PAGE.margin, document.y, { width: WIDTH });
  document.moveDown(0.25);
}

function rule(document: Document, colour: string = RULE): void {
  document.moveTo(PAGE.margin, document.y).lineTo(PAGE.width - PAGE.margin, document.y).lineWidth(0.6).strokeColor(colour).stroke();
}

export interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: boolean;
}

/** A table over the width of the page; its head is repeated on a new page. Widths are parts of one. */
export function table(document: Document, columns: readonly Column[], rows: readonly (readonly string[])[], size: number, boldLast = false): void {
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

/** Rows whose cells may take several lines; the head is repeated on a new page. */
export function wrappedTable(document: Document, columns: readonly Column[], rows: readonly (readonly string[])[], size: number): void {
  const widths = columns.map(({ width }) => width * WIDTH - 8);
  const line = (cells: readonly string[], font: string, colour: string): void => {
    document.font(font).fontSize(size);
    const height = Math.max(...cells.map((cell, index) => document.heightOfString(cell, { width: widths[index] ?? 0 })));
    if (document.y + height > PAGE.height - PAGE.margin - 20) document.addPage();
    const y = document.y;
    let x: number = PAGE.margin;
    cells.forEach((cell, index) => {
      document.font(font).fontSize(size).fillColor(colour).text(cell, x, y, { width: widths[index] ?? 0 });
      x += (columns[index]?.width ?? 0) * WIDTH;
    });
    document.x = PAGE.margin;
    document.y = y + height + 3.5;
  };
  line(columns.map(({ title }) => title), BOLD, GREY);
  rule(document);
  document.y += 3;
  for (const cells of rows) line(cells, REGULAR, INK);
}
