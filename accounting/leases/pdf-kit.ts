/** What every part of a printed statement uses: measures, colours, texts that the fonts can show, tables. */
import type PDFDocument from 'pdfkit';
import type { StatementDraft } from './statement.ts';

export type Document = InstanceType<typeof PDFDocument>;

export const PAGE = { width: 595.28, height: 841.89, margin: 48 } as const;
export const WIDTH = PAGE.width - 2 * PAGE.margin;
/** Above the footer. */
export const BOTTOM = PAGE.height - PAGE.margin;
export const INK = '#1c2733';
export const GREY = '#667482';
const RULE = '#d4dae0';
export const ACCENT = '#1f5f8b';
export const REGULAR = 'Helvetica';
export const BOLD = 'Helvetica-Bold';

const COMPONENT_WORDS: Readonly<Record<string, string>> = {
  fixed: 'Fixed rent', delivered: 'Rent on delivered work', revenueShare: 'Share of the value', hosting: 'Hosting energy', serviceCredit: 'Service credit', gridPayment: "Grid's payment", tax: 'Tax',
};
/** What is paid to a host or for hash rate is no rent. */
const FIXED_WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hosting: { fixed: 'Fixed fee', delivered: 'Fee on delivered work' },
  purchase: { fixed: 'Fixed price', delivered: 'Price of delivered work' },
};

export function componentWords({ kind }: StatementDraft, component: string): string {
  return FIXED_WORDS[kind]?.[component] ?? COMPONENT_WORDS[component] ?? component;
}

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
  return text === null ? '–' : `${(Number(text) * 100).toFixed(2)}\u00a0%`;
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

/** Space between columns. */
const GAP = 7;

/**
 * A table over the width of the page; cells take as many lines as they need, for no figure and no name may be cut. The head is repeated on a new page.
 * Widths are parts of one. A row of one cell is the heading of those that follow.
 */
export function table(document: Document, columns: readonly Column[], rows: readonly (readonly string[])[], size: number, boldLast = false): void {
  const widths = columns.map(({ width }, index) => width * WIDTH - (index === columns.length - 1 ? 0 : GAP));
  const widthAt = (cells: readonly string[], index: number): number => (cells.length === 1 ? WIDTH : (widths[index] ?? 0));
  // A figure on two lines would be read as two: a word that is too long is set smaller.
  const set = (cells: readonly string[], index: number, font: string): string => {
    const cell = cells[index] ?? '';
    document.font(font).fontSize(size);
    const longest = Math.max(...cell.split(' ').map((word) => document.widthOfString(word)));
    document.fontSize(Math.min(size, (size * (widthAt(cells, index) - 0.5)) / longest));
    return cell;
  };
  const heightOf = (cells: readonly string[], font: string): number => Math.max(...cells.map((_, index) => document.heightOfString(set(cells, index, font), { width: widthAt(cells, index) })));
  const line = (cells: readonly string[], font: string, colour: string): void => {
    const [y, height] = [document.y, heightOf(cells, font)];
    let x: number = PAGE.margin;
    cells.forEach((_, index) => {
      const { width = 0, right } = columns[index] ?? {};
      const cell = set(cells, index, font);
      document.fillColor(colour).text(cell, x, y, { width: widthAt(cells, index), align: right === true ? 'right' : 'left' });
      x += width * WIDTH;
    });
    document.x = PAGE.margin;
    document.y = y + height + 3;
  };
  const top = (): void => {
    line(columns.map(({ title }) => title), BOLD, GREY);
    rule(document);
    document.y += 3;
  };
  top();
  rows.forEach((cells, index) => {
    const last = boldLast && index === rows.length - 1;
    if (document.y + heightOf(cells, last ? BOLD : REGULAR) > BOTTOM) {
      document.addPage();
      top();
    }
    if (last) rule(document);
    if (last) document.y += 3;
    line(cells, last || cells.length === 1 ? BOLD : REGULAR, INK);
  });
}

/** A label and what it says, line by line. */
export function facts(document: Document, rows: readonly (readonly [label: string, text: string])[]): void {
  const left = 92;
  for (const [label, text] of rows) {
    const y = document.y;
    document.font(REGULAR).fontSize(8.8).fillColor(GREY).text(label, PAGE.margin, y, { width: left - GAP });
    document.fillColor(INK).text(text, PAGE.margin + left, y, { width: WIDTH - left });
    document.x = PAGE.margin;
    document.y += 2.2;
  }
}

/** A remark in small print. */
export function small(document: Document, text: string): void {
  document.font(REGULAR).fontSize(7.5).fillColor(GREY).text(printable(text), PAGE.margin, document.y, { width: WIDTH, lineGap: 0.5 });
}
