/** Splits by weight in simulated time: how near delivered work comes to what was asked for, from many seeds, and at how many moves. */
import { describe, expect, it } from 'vitest';
import { deviation, SplitFleet } from './split-fleet.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
/** Weights, and how many seeds. */
const DIVISIONS = [[[65, 35], 8], [[50, 30, 20], 3], [[97, 3], 2]] as const;
const percent = (part: number): string => `${(100 * part).toFixed(3)} %`;

describe('a split over 100 unequal machines', () => {
  it.each(DIVISIONS.map(([weights, seeds]) => [weights.join('/'), weights, seeds] as const))('of %s is met within 1 % after an hour and 0.1 % after a day', (name, weights, seeds) => {
    const hours: number[] = [];
    const days: number[] = [];
    const moves: number[] = [];
    for (const seed of SEEDS.slice(0, seeds)) {
      const fleet = new SplitFleet(seed, weights, 100);
      fleet.run(1);
      hours.push(deviation(weights, [fleet]).ofWhole);
      fleet.run(23);
      days.push(deviation(weights, [fleet]).ofWhole);
      moves.push(fleet.split.moves);
      expect(fleet.hurried).toBe(0);
    }
    console.log(`split ${name}, ${seeds} seeds: off by at most ${percent(Math.max(...hours))} after 1 h, ${percent(Math.max(...days))} after 24 h; ${Math.min(...moves)} to ${Math.max(...moves)} moves a day`);
    expect(Math.max(...hours)).toBeLessThan(0.01);
    expect(Math.max(...days)).toBeLessThan(0.001);
    // Some two moves a machine and day.
    expect(Math.max(...moves)).toBeLessThan(250);
  });

  it('is met though machines come and go', () => {
    for (const seed of SEEDS.slice(0, 3)) {
      const fleet = new SplitFleet(seed, [65, 35], 100);
      fleet.run(24, 0.2);
      expect(deviation([65, 35], [fleet]).ofWhole).toBeLessThan(0.001);
      expect(fleet.hurried).toBe(0);
    }
  });

  it('is met over restarts of the process', () => {
    for (const seed of SEEDS.slice(0, 3)) {
      const fleet = new SplitFleet(seed, [65, 35], 100);
      for (let hour = 0; hour < 24; hour += 3) {
        fleet.run(3);
        fleet.restart();
      }
      expect(deviation([65, 35], [fleet]).ofWhole).toBeLessThan(0.001);
    }
  });

  it('is met in sum where several processes each keep their own', () => {
    for (const seed of SEEDS.slice(0, 3)) {
      const fleets = [40, 33, 27].map((count, process) => new SplitFleet(10 * seed + process, [65, 35], count));
      for (const fleet of fleets) fleet.run(24);
      expect(deviation([65, 35], fleets).ofWhole).toBeLessThan(0.001);
    }
  });

  it('makes good what a part missed while its pool was away', () => {
    const fleet = new SplitFleet(1, [65, 35], 100);
    fleet.run(2);
    const homes = fleet.machines.map(({ part }) => part);
    for (const machine of fleet.machines) machine.part = 0;
    for (let minute = 0; minute < 60; minute += 1) {
      // No job comes from the dead pool: nobody is moved to it.
      for (const machine of fleet.machines) machine.part = 0;
      fleet.run(1 / 60);
    }
    fleet.machines.forEach((machine, index) => (machine.part = homes[index]!));
    fleet.run(9);
    expect(deviation([65, 35], [fleet]).ofWhole).toBeLessThan(0.002);
  });
});

describe('a part whose pools were away for days', () => {
  /** A fleet whose first part had nothing for so many hours, and the hours after that in which the other part had less than half of its share. */
  const afterOutage = (hoursAway: number, debtHours: number): { fleet: SplitFleet; starved: number } => {
    const fleet = new SplitFleet(2, [65, 35], 40, debtHours);
    fleet.run(3);
    for (const machine of fleet.machines) machine.part = 1;
    fleet.away = 0;
    fleet.run(hoursAway);
    fleet.away = undefined;
    let starved = 0;
    for (let hour = 0; hour < 100; hour += 1) {
      const before = fleet.split.work;
      fleet.run(1);
      const [first, second] = fleet.split.work.map((work, part) => work - before[part]!) as [number, number];
      if (second / (first + second) < 0.35 / 2) starved += 1;
    }
    return { fleet, starved };
  };

  it('is made good for its share of the hours that count and no more, and what is not is known', () => {
    const { fleet, starved } = afterOutage(30, 6);
    const { work, forgiven } = fleet.split;
    const total = work[0]! + work[1]!;
    // Its share of six hours is paid back by the other's share, in 6 · 65 / 35 hours.
    expect(starved).toBeGreaterThanOrEqual(9);
    expect(starved).toBeLessThanOrEqual(14);
    expect(forgiven[0]! + forgiven[1]!).toBeCloseTo(0, 0);
    // What it has had and what it was let off are what it was to have.
    expect(Math.abs((work[0]! + forgiven[0]!) / total - 0.65)).toBeLessThan(0.001);
    // Twenty-four of thirty hours, an hour of grace.
    const hours = (133 * forgiven[0]!) / (0.65 * total);
    expect(hours).toBeGreaterThan(22.5);
    expect(hours).toBeLessThan(24.5);
  });

  it('is made good in full where it was away for less, also over a restart', () => {
    const { fleet } = afterOutage(3, 6);
    expect(fleet.split.forgiven).toEqual([0, 0]);
    fleet.restart();
    expect(fleet.split.forgiven).toEqual([0, 0]);
    expect(deviation([65, 35], [fleet]).ofWhole).toBeLessThan(0.001);
    const { fleet: let_off } = afterOutage(30, 6);
    const before = let_off.split.forgiven;
    let_off.restart();
    expect(let_off.split.forgiven).toEqual(before);
  });
});

describe('a split over few machines', () => {
  it.each([2, 5, 10])('of %i is met as nearly as moves of one an hour allow', (count) => {
    const fleet = new SplitFleet(3, [65, 35], count);
    fleet.run(48);
    // A machine's half hour, of all the machine hours.
    expect(deviation([65, 35], [fleet]).ofWhole).toBeLessThan(1.5 / (48 * count));
    expect(fleet.hurried).toBe(0);
  });
});
