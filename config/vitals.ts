/** How one of our processes fares: memory, processor time, and how long it is busy with one thing. */
import { Timing, type HistogramSnapshot } from './timing.ts';
import type { World } from './world.ts';

/** Counts are since the process started. */
export interface VitalsSnapshot {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly loop: HistogramSnapshot;
}

const LOOK_MS = 100;

export class Vitals {
  readonly #loop = new Timing('loop');

  /** Looks ten times a second how late its timer is: for so long the process could answer nobody. */
  constructor(world: Pick<World, 'monoMs' | 'every'>) {
    let lastMs = world.monoMs();
    world.every(LOOK_MS, () => {
      const nowMs = world.monoMs();
      this.#loop.observe(Math.max(0, nowMs - lastMs - LOOK_MS) / 1000);
      lastMs = nowMs;
    });
  }

  snapshot(): VitalsSnapshot {
    const { user, system } = process.cpuUsage();
    return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, loop: this.#loop.snapshot() };
  }
}
