/** The alarm does not punish luck and is not blind: simulated days, with the figures printed. */
import { describe, expect, it } from 'vitest';
import { isDark, ShortfallAlarm } from '../../../accounting/leases/alarm.ts';
import { seededRandom } from '../../../config/world.ts';

const MINUTE = 60_000;
const PER_MINUTE = 20;
const BUDGET = 0.01;

/** Shares of a minute, by waiting times. */
function sharesOf(mean: number, random: () => number): number {
  let count = 0;
  for (let left = mean + Math.log(1 - random()); left > 0; left += Math.log(1 - random())) count += 1;
  return count;
}

/** Minutes until the alarm after `warmMinutes` at `before` times the contracted rate and then at `after`; undefined within `watchMinutes`. */
function minutesToAlarm(seed: number, before: number, warmMinutes: number, after: number, watchMinutes: number): number | undefined {
  const source = seededRandom(seed);
  const random = (): number => source.fraction();
  const alarm = new ShortfallAlarm(BUDGET, 0);
  for (let minute = 1; minute <= warmMinutes; minute += 1) alarm.observe(minute * MINUTE, sharesOf(PER_MINUTE * before, random), PER_MINUTE);
  for (let minute = 1; minute <= watchMinutes; minute += 1) {
    if (alarm.observe((warmMinutes + minute) * MINUTE, sharesOf(PER_MINUTE * after, random), PER_MINUTE) !== undefined) return minute;
  }
  return undefined;
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? Number.NaN;
}

describe(`the alarm at ${PER_MINUTE} shares a minute, α = ${BUDGET}`, () => {
  it('is false on at most one honest day in a hundred', () => {
    const days = 1000;
    let alarms = 0;
    const source = seededRandom(1);
    // One long run, as it is in life: 36 tests alive all the time after the first day.
    const alarm = new ShortfallAlarm(BUDGET, 0);
    for (let minute = 1; minute <= days * 1440; minute += 1) {
      if (alarm.observe(minute * MINUTE, sharesOf(PER_MINUTE, () => source.fraction()), PER_MINUTE) !== undefined) alarms += 1;
    }
    console.log(`honest: ${alarms} false alarms in ${days} days`);
    expect(alarms / days).toBeLessThanOrEqual(0.01);
  });

  it.each([
    ['half of the fleet lost after an honest day', 1, 0.5, 15, 1],
    ['half of the fleet lost after a day 5 % above contract', 1.05, 0.5, 15, 1],
    ['10 % missing after an honest day', 1, 0.9, 180, 0.8],
  ])('finds %s in time', (name, before, after, limit, least) => {
    const found = Array.from({ length: 200 }, (_, seed) => minutesToAlarm(seed + 10, before, 1470, after, 1440) ?? Infinity);
    const within = found.filter((minutes) => minutes <= limit).length / found.length;
    console.log(`${name}: median ${quantile(found, 0.5)} min, 95 % within ${quantile(found, 0.95)} min, slowest ${Math.max(...found)} min; ${(within * 100).toFixed(1)} % within ${limit} min`);
    expect(within).toBeGreaterThanOrEqual(least);
  });

  it('starts anew at a curtailment or a change of rate', () => {
    const alarm = new ShortfallAlarm(BUDGET, 0);
    for (let minute = 0; minute < 10; minute += 1) alarm.observe(minute * MINUTE, 12, PER_MINUTE);
    alarm.restart(10 * MINUTE);
    for (let minute = 10; minute < 200; minute += 1) expect(alarm.observe(minute * MINUTE, 10, 10)).toBeUndefined();
    expect(Array.from({ length: 200 }, (_, i) => alarm.observe((200 + i) * MINUTE, 5, 10)).find((each) => each !== undefined)).toMatchObject({ sinceMs: expect.any(Number) });
  });

  it('notices a lease gone dark within a minute, and silence of luck not', () => {
    expect([20, 53, 54, 60].map((seconds) => isDark(seconds * 1000, PER_MINUTE))).toEqual([false, false, true, true]);
  });
});
