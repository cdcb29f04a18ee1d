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

describe('a split over few machines', () => {
  it.each([2, 5, 10])('of %i is met as nearly as moves of one an hour allow', (count) => {
    const fleet = new SplitFleet(3, [65, 35], count);
    fleet.run(48);
    // A machine's half hour, of all the machine hours.
    expect(deviation([65, 35], [fleet]).ofWhole).toBeLessThan(1.5 / (48 * count));
    expect(fleet.hurried).toBe(0);
  });
});
