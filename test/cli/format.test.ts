/** Figures, tables and CSV. */
import { describe, expect, it } from 'vitest';
import { bytes, count, csv, hashRate, percent, powerOfTwo, printable, rateWithInterval, table } from '../../cli/format.ts';

describe('figures', () => {
  it('gives hash rates three digits and their unit', () => {
    const cases = [0, 0.5, 999.4, 999.6, 12_340, 930_000, 1e12, 104.4e12, 1.234e15, 5e19, 3e22];
    expect(cases.map(hashRate)).toEqual(['0 H/s', '0.500 H/s', '999 H/s', '1.00 kH/s', '12.3 kH/s', '930 kH/s', '1.00 TH/s', '104 TH/s', '1.23 PH/s', '50.0 EH/s', '30.0 ZH/s']);
  });

  it('shows the interval beside the rate', () => {
    expect(rateWithInterval(100e12, 98e12, 102e12)).toBe('100 TH/s ±2.0 %');
    expect(rateWithInterval(100e12, 80e12, 130e12)).toBe('100 TH/s −20/+30 %');
    expect(rateWithInterval(0, 0, 5e9)).toBe('0 H/s (< 5.00 GH/s)');
    expect(rateWithInterval(0, 0, undefined)).toBe('0 H/s');
    expect(rateWithInterval(undefined, undefined, undefined)).toBe('–');
  });

  it('groups counts, scales bytes, writes difficulties', () => {
    expect([0, 999, 1000, 1_234_567, 10n ** 18n].map(count)).toEqual(['0', '999', '1 000', '1 234 567', '1 000 000 000 000 000 000']);
    expect([0, 1023, 1024, 5 * 2 ** 30].map(bytes)).toEqual(['0 B', '1023 B', '1.00 KiB', '5.00 GiB']);
    expect([-20, 0, 16, 30, 31].map(powerOfTwo)).toEqual(['2^-20', '1', '65536', '1073741824', '2^31']);
    expect([percent(1, 3), percent(0, 0)]).toEqual(['33.33 %', '–']);
  });
});

describe('tables', () => {
  it('align by code points, without trailing blanks', () => {
    const text = table([{ title: 'name' }, { title: 'n', right: true }], [['acme', '7'], ['größer-als', '1 000']]);
    expect(text).toBe('name            n\nacme            7\ngrößer-als  1 000');
  });

  it('let no name move the cursor', () => {
    expect(printable('a\u001b[2Jb\nc\u202ed')).toBe('a�[2Jb�c�d');
    expect(table([{ title: 'x' }], [['\u001b[31m']])).not.toContain('\u001b');
  });
});

describe('csv', () => {
  it('quotes, and disarms what a spreadsheet would run', () => {
    expect(csv(['a', 'b'], [['x,y', 1], ['say "hi"', -2], ['=1+1', 0], ['-5', 0], ['-x', 0]])).toBe('a,b\r\n"x,y",1\r\n"say ""hi""",-2\r\n\'=1+1,0\r\n-5,0\r\n\'-x,0');
  });
});
