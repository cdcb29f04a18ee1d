/** The alarm does not punish luck and is not blind: simulated days, with the figures printed. */
import { describe, expect, it } from 'vitest';
import { isDark, ShortfallAlarm, type Alarm } from '../../../accounting/leases/alarm.ts';
import { seededRandom } from '../../../config/world.ts';

const MINUTE = 60_000;
const PER_MINUTE = 20;
const BUDGET = 0.005;

/** Shares of a minute of a mean, by how often there are at most so many. */
const sharesOf = ((tables: Map<number, number[]>) => (mean: number, random: () => number): number => {
  let table = tables.get(mean);
  if (table === undefined) {
    tables.set(mean, (table = []));
    for (let n = 0, part = Math.exp(-mean), sum = part; sum < 1 - 1e-12; part *= mean / n, sum += part) {
      table.push(sum);
      n += 1;
    }
  }
  const at = random();
  let n = Math.floor(mean / 2);
  if ((table[n] ?? 1) >= at) n = 0;
  while (n < table.length && (table[n] ?? 1) < at) n += 1;
  return n;
})(new Map());

/** An alarm that is told minute by minute. */
class Watched {
  readonly alarm = new ShortfallAlarm(BUDGET);
  #minute = 0;

  minute(count: number, expected = PER_MINUTE): Alarm | undefined {
    const fromMs = this.#minute * MINUTE;
    this.#minute += 1;
    return this.alarm.observe(fromMs, fromMs + MINUTE, count, expected);
  }
}

/** Minutes until the alarm after `warmMinutes` at `before` times the contracted rate and then at `after`; undefined within `watchMinutes`. */
function minutesToAlarm(seed: number, before: number, warmMinutes: number, after: number, watchMinutes: number): number | undefined {
  const source = seededRandom(seed);
  const random = (): number => source.fraction();
  const watched = new Watched();
  for (let minute = 1; minute <= warmMinutes; minute += 1) watched.minute(sharesOf(PER_MINUTE * before, random));
  for (let minute = 1; minute <= watchMinutes; minute += 1) if (watched.minute(sharesOf(PER_MINUTE * after, random)) !== undefined) return minute;
  return undefined;
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? Number.NaN;
}

describe(`the alarm at ${PER_MINUTE} shares a minute, α = ${BUDGET}`, () => {
  it('is false on at most one honest day in two hundred', () => {
    const days = 2000;
    let alarms = 0;
    const source = seededRandom(1);
    // One long run, as it is in life.
    const watched = new Watched();
    for (let minute = 1; minute <= days * 1440; minute += 1) if (watched.minute(sharesOf(PER_MINUTE, () => source.fraction())) !== undefined) alarms += 1;
    console.log(`honest: ${alarms} false alarms in ${days} days`);
    expect(alarms / days).toBeLessThanOrEqual(BUDGET);
  });

  it.each([
    ['half of the fleet lost after an honest day', 1, 0.5, 15, 1],
    ['half of the fleet lost after a day 5 % above contract', 1.05, 0.5, 15, 1],
    ['10 % missing after an honest day', 1, 0.9, 180, 0.94],
    ['5 % missing after an honest day', 1, 0.95, 720, 0.94],
  ])('finds %s in time', (name, before, after, limit, least) => {
    const found = Array.from({ length: 400 }, (_, seed) => minutesToAlarm(seed + 10, before, 1440 + (seed * 37) % 1440, after, 2880) ?? Infinity);
    const within = found.filter((minutes) => minutes <= limit).length / found.length;
    console.log(`${name}: median ${quantile(found, 0.5)} min, 95 % within ${quantile(found, 0.95)} min, slowest ${Math.max(...found)} min; ${(within * 100).toFixed(1)} % within ${limit} min`);
    expect(within).toBeGreaterThanOrEqual(least);
  });

  it('finds 10 % missing hardly later than whoever knew the moment and the size of the loss', () => {
    // Wald's test of the one rate against the other, begun at the very moment: nothing with that budget is quicker on average.
    const source = seededRandom(3);
    const minutes = Array.from({ length: 4000 }, () => {
      let minute = 0;
      for (let log = 0; log < -Math.log(BUDGET); minute += 1) log += sharesOf(PER_MINUTE * 0.9, () => source.fraction()) * Math.log(0.9) + PER_MINUTE * 0.1;
      return minute;
    });
    const within = minutes.filter((each) => each <= 180).length / minutes.length;
    console.log(`10 % missing, moment and size known: median ${quantile(minutes, 0.5)} min, ${(within * 100).toFixed(1)} % within 180 min, slowest ${Math.max(...minutes)} min`);
    expect(within).toBeLessThan(0.999);
  });

  it('says since when shares are missing, and finds the same again only by what comes later', () => {
    const watched = new Watched();
    for (let minute = 0; minute < 600; minute += 1) watched.minute(PER_MINUTE);
    const found = Array.from({ length: 60 }, () => watched.minute(8));
    const [first, second] = found.filter((each) => each !== undefined);
    expect(first?.sinceMs).toBe(600 * MINUTE);
    expect(first?.expected).toBe((found.findIndex((each) => each !== undefined) + 1) * PER_MINUTE);
    expect(first?.count).toBe(((first?.expected ?? 0) / PER_MINUTE) * 8);
    expect(second?.sinceMs).toBeGreaterThanOrEqual((first?.sinceMs ?? 0) + ((first?.expected ?? 0) / PER_MINUTE) * MINUTE);
  });

  it('is not deafened by a stretch that says more than a float can hold', () => {
    const watched = new Watched();
    expect(watched.minute(0, 1e6)).toMatchObject({ count: 0, expected: 1e6 });
    for (let minute = 0; minute < 3000; minute += 1) expect(watched.minute(1e6, 1e6)).toBeUndefined();
    expect(watched.minute(0, 1e6)).toMatchObject({ count: 0, expected: 1e6 });
  });

  it('starts anew at a curtailment or a change of rate', () => {
    const watched = new Watched();
    for (let minute = 0; minute < 4; minute += 1) expect(watched.minute(12)).toBeUndefined();
    watched.alarm.restart();
    for (let minute = 0; minute < 200; minute += 1) expect(watched.minute(10, 10)).toBeUndefined();
    expect(Array.from({ length: 200 }, () => watched.minute(5, 10)).find((each) => each !== undefined)).toMatchObject({ sinceMs: 204 * MINUTE });
  });

  it('notices a lease gone dark within a minute, and silence of luck not', () => {
    expect([20, 53, 54, 60].map((seconds) => isDark(seconds * 1000, PER_MINUTE))).toEqual([false, false, true, true]);
  });
});
