/** Time arguments and the calendar behind them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { age, isoTime, parseTime } from '../../cli/time.ts';
import { NOON_MS } from './cli-fixture.ts';

describe('time arguments', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['now', '2026-03-01T12:34:56Z'],
    ['today', '2026-03-01T00:00:00Z'],
    ['yesterday', '2026-02-28T00:00:00Z'],
    ['-1h', '2026-03-01T11:34:56Z'],
    ['-90m', '2026-03-01T11:04:56Z'],
    ['-7d', '2026-02-22T12:34:56Z'],
    ['+1d', '2026-03-02T12:34:56Z'],
    ['1h', '2026-03-01T11:34:56Z'],
    ['2026-01-31', '2026-01-31T00:00:00Z'],
    ['2026-01-31T12:00', '2026-01-31T12:00:00Z'],
    ['2026-01-31 12:00', '2026-01-31T12:00:00Z'],
    ['2026-01-31T12:00:30Z', '2026-01-31T12:00:30Z'],
    ['2026-01-31T12:00:30.25Z', '2026-01-31T12:00:30.250Z'],
    ['2026-01-31T12:00+02:00', '2026-01-31T10:00:00Z'],
    ['2026-01-31T12:00-05:30', '2026-01-31T17:30:00Z'],
    ['2024-02-29', '2024-02-29T00:00:00Z'],
    ['1700000000', '2023-11-14T22:13:20Z'],
    ['1700000000123', '2023-11-14T22:13:20.123Z'],
  ];
  it.each(cases)('reads %s', (text, expected) => {
    expect(isoTime(parseTime('--from', text, NOON_MS))).toBe(expected);
  });

  it.each(['', 'noon', '2026-02-30', '2025-02-29', '2026-13-01', '2026-1-1', '2026-01-31T24:00', '2026-01-31T12:60', '2026-01-31T12:00+25:00', '-1y', '1e3', '--1h'])(
    'refuses %j with a way out',
    (text) => {
      expect(() => parseTime('--from', text, NOON_MS)).toThrow(`--from ${JSON.stringify(text)} is not a time; write 2026-01-31`);
    },
  );

  it('has the calendar of the platform', () => {
    const last = Date.UTC(9999, 11, 31);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: last }), (ms) => {
        expect(isoTime(ms)).toBe(new Date(ms).toISOString().replace('.000Z', 'Z'));
        expect(parseTime('--to', isoTime(ms), NOON_MS)).toBe(ms);
      }),
      { numRuns: 2000 },
    );
  });

  it('says how long ago in one figure', () => {
    expect([0, 99_000, 100_000, 3_600_000, 47 * 3_600_000, 72 * 3_600_000].map(age)).toEqual(['0s', '99s', '2m', '60m', '47h', '3d']);
  });
});
