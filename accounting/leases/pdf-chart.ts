/** The picture on a statement: contracted against delivered per day. */
import type PDFDocument from 'pdfkit';
import type { StatementDraft } from './statement.ts';

const HEIGHT = 190;
const LEFT = 92;
const RIGHT = 547.28;
const BAR = '#4c8fbd';
const SHORT = '#d08a3c';
const INK = '#1c2733';
const GREY = '#667482';

/** A round step so that about four lines fit: 1, 2 or 5 times a power of ten. */
function stepOf(most: number): number {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return factor * power;
}

/** Draws at the document's place and moves it below. Days that delivered less than `target` of what was owed are of another colour. */
export function chart(document: InstanceType<typeof PDFDocument>, days: StatementDraft['days'], target: number): void {
  const top = document.y + 16;
  const bottom = top + HEIGHT;
  const most = Math.max(1e-9, ...days.flatMap((day) => [Number(day.contracted), Number(day.delivered)])) * 1.06;
  const y = (value: number): number => bottom - (value / most) * HEIGHT;
  const slot = (RIGHT - LEFT) / Math.max(1, days.length);
  document.font('Helvetica').fontSize(7.5).fillColor(GREY).text('TH-days per day', 48, top - 14, { lineBreak: false });
  legend(document, top - 14, target);
  const step = stepOf(most);
  for (let value = 0; value <= most; value += step) {
    document.moveTo(LEFT, y(value)).lineTo(RIGHT, y(value)).lineWidth(0.4).strokeColor('#e3e8ec').stroke();
    document.fillColor(GREY).text(value.toLocaleString('en-US', { maximumFractionDigits: 2 }), 40, y(value) - 4, { width: LEFT - 46, align: 'right', lineBreak: false });
  }
  days.forEach((day, index) => {
    const x = LEFT + index * slot;
    const delivered = Number(day.delivered);
    const isShort = day.ratio !== null && Number(day.ratio) < target;
    document.rect(x + slot * 0.16, y(delivered), slot * 0.68, Math.max(0, bottom - y(delivered))).fill(isShort ? SHORT : BAR);
    document.moveTo(x, y(Number(day.contracted))).lineTo(x + slot, y(Number(day.contracted))).lineWidth(1.3).strokeColor(INK).stroke();
    if (Number(day.owed) < Number(day.contracted)) document.moveTo(x, y(Number(day.owed))).lineTo(x + slot, y(Number(day.owed))).lineWidth(1).dash(2, { space: 2 }).strokeColor(INK).stroke().undash();
    document.font('Helvetica').fontSize(6.8).fillColor(GREY).text(String(Number(day.date.slice(8))), x, bottom + 3, { width: slot, align: 'center', lineBreak: false });
  });
  document.x = 48;
  document.y = bottom + 18;
}

function legend(document: InstanceType<typeof PDFDocument>, y: number, target: number): void {
  const at = (x: number, text: string): void => void document.fillColor(GREY).text(text, x, y, { lineBreak: false });
  document.moveTo(300, y + 3.5).lineTo(314, y + 3.5).lineWidth(1.3).strokeColor(INK).stroke();
  at(318, 'contracted');
  document.rect(368, y, 8, 7).fill(BAR);
  at(380, 'delivered');
  document.rect(424, y, 8, 7).fill(SHORT);
  at(436, `delivered, below ${Number((target * 100).toFixed(2))} % of owed`);
}
