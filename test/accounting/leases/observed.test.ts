/** How long was observed is summed once for all leases, until more is observed. */
import { expect, it } from 'vitest';
import { Observed } from '../../../accounting/leases/observed.ts';
import { MINUTE_MS } from '../../../accounting/rows.ts';

it('follows what is observed, though it was asked before', () => {
  const observed = new Observed();
  const upTo = (ms: number): unknown => observed.add([{ minute: 600, process: 'one', observed_ms: ms, first_ms: 600 * MINUTE_MS, last_ms: 600 * MINUTE_MS + ms }]);
  const asked = (): number[] => [observed.between(600, 660), observed.between(595, 602), observed.between(601, 660)];
  upTo(20_000);
  expect(asked()).toEqual([20_000, 20_000, 0]);
  expect(asked()).toEqual([20_000, 20_000, 0]);
  upTo(15_000);
  expect(asked()).toEqual([35_000, 35_000, 0]);
});

it('tells what was observed since a moment: to the moment of late, and of older minutes no more than what was left of them', () => {
  const observed = new Observed();
  const pulses = (from: number, to: number): unknown =>
    observed.add(Array.from({ length: to - from }, (_, index) => ({ minute: from + index, process: 'one', observed_ms: 50_000, first_ms: (from + index) * MINUTE_MS, last_ms: (from + index) * MINUTE_MS + 50_000 })));
  pulses(600, 603);
  expect([20_000, 50_000, 55_000, 60_000].map((ms) => observed.since(600 * MINUTE_MS + ms))).toEqual([130_000, 100_000, 100_000, 100_000]);
  expect(observed.since(603 * MINUTE_MS)).toBe(0);
  pulses(603, 703);
  expect([0, 20_000, 55_000].map((ms) => observed.since(600 * MINUTE_MS + ms))).toEqual([102 * 50_000 + 50_000, 102 * 50_000 + 40_000, 102 * 50_000 + 5_000]);
});
