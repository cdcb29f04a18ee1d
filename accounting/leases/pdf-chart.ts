/** The picture on a statement: contracted against delivered per day. */
import { BOTTOM, GREY, INK, PAGE, type Document } from './pdf-kit.ts';
import type { StatementDraft } from './statement.ts';

const HEIGHT = 190;
const HEIGHT_MIN = 90;
/** Legend above and days below. */
const AROUND = 40;
/** Below it there must be so much room. */
export const CHART_MIN = HEIGHT_MIN + AROUND;
const LEFT = 92;
const RIGHT = 547.28;
const BAR = '#4c8fbd';
const SHORT = '#d08a3c';

/** A round step so that about four lines fit: 1, 2 or 5 times a power of ten. */
function stepOf(most: number): number {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return factor * power;
}

/**
 * Draws at the document's place, as high as there is room, and moves it below. Days that settled less of what was owed than their target are of another colour.
 *
 * @param targetOf Of a date; undefined where none is agreed.
 */
export function chart(document: Document, days: StatementDraft['days'], targetOf: (date: string) => number | undefined): void {
  const height = Math.min(HEIGHT, BOTTOM - document.y - AROUND);
  const top = document.y + 22;
  const bottom = top + height;
  const most = Math.max(1e-9, ...days.flatMap((day) => [Number(day.contracted), Number(day.delivered)])) * 1.06;
  const y = (value: number): number => bottom - (value / most) * height;
  const slot = (RIGHT - LEFT) / Math.max(1, days.length);
  document.font('Helvetica').fontSize(7.5).fillColor(GREY).text('TH-days per day', 48, top - 14, { lineBreak: false });
  legend(document, top - 14, days, [...new Set(days.flatMap(({ date }) => targetOf(date) ?? []))]);
  const step = stepOf(most);
  for (let value = 0; value <= most; value += step) {
    document.moveTo(LEFT, y(value)).lineTo(RIGHT, y(value)).lineWidth(0.4).strokeColor('#e3e8ec').stroke();
    document.fillColor(GREY).text(value.toLocaleString('en-US', { maximumFractionDigits: 2 }), 40, y(value) - 4, { width: LEFT - 46, align: 'right', lineBreak: false });
  }
  days.forEach((day, index) => {
    const x = LEFT + index * slot;
    const delivered = Number(day.delivered);
    const isShort = day.ratio !== null && Number(day.ratio) < (targetOf(day.date) ?? 0);
    const wide = Math.min(slot * 0.68, 40);
    document.rect(x + (slot - wide) / 2, y(delivered), wide, Math.max(0, bottom - y(delivered))).fill(isShort ? SHORT : BAR);
    document.moveTo(x, y(Number(day.contracted))).lineTo(x + slot, y(Number(day.contracted))).lineWidth(1.3).strokeColor(INK).stroke();
    if (Number(day.owed) < Number(day.contracted)) document.moveTo(x, y(Number(day.owed))).lineTo(x + slot, y(Number(day.owed))).lineWidth(1).dash(2, { space: 2 }).strokeColor(INK).stroke().undash();
    document.font('Helvetica').fontSize(6.8).fillColor(GREY).text(String(Number(day.date.slice(8))), x, bottom + 3, { width: slot, align: 'center', lineBreak: false });
  });
  document.x = PAGE.margin;
  document.y = bottom + 18;
}

/** From the right edge to the left, each entry as wide as its words. */
function legend(document: Document, y: number, days: StatementDraft['days'], targets: readonly number[]): void {
  const [target] = targets;
  const entries: { readonly text: string; readonly draw: (x: number) => void }[] = [
    { text: 'contracted', draw: (x) => void document.moveTo(x, y + 3.5).lineTo(x + 12, y + 3.5).lineWidth(1.3).strokeColor(INK).stroke() },
    ...(days.some(({ owed, contracted }) => Number(owed) < Number(contracted)) ? [{ text: 'owed', draw: (x: number) => void document.moveTo(x, y + 3.5).lineTo(x + 12, y + 3.5).lineWidth(1).dash(2, { space: 2 }).strokeColor(INK).stroke().undash() }] : []),
    { text: 'delivered', draw: (x) => void document.rect(x + 2, y, 8, 7).fill(BAR) },
    ...(target === undefined ? [] : [{ text: targets.length > 1 ? 'delivered, settled below the target' : `delivered, settled below ${Number((target * 100).toFixed(2))} % of owed`, draw: (x: number) => void document.rect(x + 2, y, 8, 7).fill(SHORT) }]),
  ];
  let x = RIGHT;
  for (const { text, draw } of entries.toReversed()) {
    x -= document.widthOfString(text);
    document.fillColor(GREY).text(text, x, y, { lineBreak: false });
    draw((x -= 16));
    x -= 12;
  }
}
