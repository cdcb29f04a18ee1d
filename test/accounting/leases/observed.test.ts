/** How long was observed is summed once for all leases, until more is observed. */
import { expect, it } from 'vitest';
import { Observed } from '../../../accounting/leases/observed.ts';
import { MINUTE_MS } from '../../../accounting/rows.ts';

it('follows what is observed, though it was asked before', () => {
  const observed = new Observed(48);
  const upTo = (ms: number): unknown => observed.add([{ minute: 600, process: 'one', observed_ms: ms, first_ms: 600 * MINUTE_MS, last_ms: 600 * MINUTE_MS + ms }]);
  const asked = (): number[] => [observed.between(600, 660), observed.between(595, 602), observed.between(601, 660)];
  upTo(20_000);
  expect(asked()).toEqual([20_000, 20_000, 0]);
  expect(asked()).toEqual([20_000, 20_000, 0]);
  upTo(15_000);
  expect(asked()).toEqual([35_000, 35_000, 0]);
});
