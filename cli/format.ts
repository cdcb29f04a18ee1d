/** Figures and tables for people. Machines get JSON or CSV with the full figures. */

const SI = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z'] as const;

/** Three significant digits and an SI prefix: `104 TH/s`, `1.2 PH/s`, `930 kH/s`. */
export function hashRate(hashesPerSecond: number): string {
  return scaled(hashesPerSecond, 'H/s');
}

export function scaled(value: number, unit: string): string {
  let figure = value;
  let step = 0;
  // 999.5 would be printed as 1000 in three digits, so it belongs to the next prefix.
  while (figure >= 999.5 && step < SI.length - 1) {
    figure /= 1000;
    step += 1;
  }
  return `${threeDigits(figure)} ${SI[step] ?? ''}${unit}`;
}

/** Three significant digits without an exponent. */
function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 99.95) return Math.round(value).toString();
  if (value >= 9.995) return value.toFixed(1);
  return value === 0 ? '0' : value.toFixed(value >= 0.9995 ? 2 : 3);
}

/** A rate with its 95 % interval relative to it: `104 TH/s −12/+14 %`; `±2.1 %` when both sides agree. */
export function rateWithInterval(rate: number | undefined, low: number | undefined, high: number | undefined): string {
  if (rate === undefined || !Number.isFinite(rate)) return '–';
  if (rate === 0) return high === undefined || !Number.isFinite(high) ? '0 H/s' : `0 H/s (< ${hashRate(high)})`;
  if (low === undefined || high === undefined) return hashRate(rate);
  const down = ((rate - low) / rate) * 100;
  const up = ((high - rate) / rate) * 100;
  const [downText, upText] = [percentFigure(down), percentFigure(up)];
  return downText === upText ? `${hashRate(rate)} ±${upText} %` : `${hashRate(rate)} −${downText}/+${upText} %`;
}

function percentFigure(value: number): string {
  return value >= 9.95 ? Math.round(value).toString() : value.toFixed(1);
}

/** A part of a whole in per cent; '–' when the whole is empty. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((part / whole) * 100).toFixed(2)} %`;
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
  let figure = count;
  let step = 0;
  while (figure >= 1024 && step < units.length - 1) {
    figure /= 1024;
    step += 1;
  }
  return `${step === 0 ? figure : threeDigits(figure)} ${units[step] ?? ''}`;
}

/** `1 234 567` with thin groups, so that long counts can be read. */
export function count(n: number | bigint): string {
  return n.toString().replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** Difficulty 2^k: a plain number where it is short, else the power. */
export function powerOfTwo(exponent: number): string {
  return exponent >= 0 && exponent <= 30 ? String(2 ** exponent) : `2^${exponent}`;
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** An aligned table with a head; cells hold no control characters (names come from machines). */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printable));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...clean.map((row) => width(row[i] ?? ''))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const gap = ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(cell)));
        return columns[i]?.right === true ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...clean.map(line)].join('\n');
}

/** Names are what machines sent: without control characters they cannot move a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�');
}

/** Code points; wide characters are rare in names and only disturb the alignment. */
function width(text: string): number {
  return Array.from(text).length;
}

/** RFC 4180, with a leading quote before what a spreadsheet would take for a formula. */
export function csv(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number): string => {
    if (typeof value === 'number') return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [head.join(','), ...rows.map((row) => row.map(cell).join(','))].join('\r\n');
}
