/** When commits begin: an idle process's at once, a busy one's at a distance, unless many facts wait or the journal closes. */
import { describe, expect, it } from 'vitest';
import { Pace } from '../../../accounting/journal/pace.ts';
import { seededRandom } from '../../../config/world.ts';
import type { World } from '../../../config/world.ts';
import { immediate } from './support.ts';

/** Time stands still until it is wound on. */
class Clock implements World {
  nowMs = 1000;
  readonly random = seededRandom(1);
  private timer: { readonly atMs: number; readonly fire: () => void } | undefined;

  wallMs(): number {
    return this.nowMs;
  }

  monoMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, fire: () => void): { cancel(): void } {
    this.timer = { atMs: this.nowMs + delayMs, fire };
    return { cancel: () => (this.timer = undefined) };
  }

  every(): { cancel(): void } {
    return { cancel: () => undefined };
  }

  get resting(): boolean {
    return this.timer !== undefined;
  }

  wind(ms: number): void {
    this.nowMs += ms;
    if (this.timer !== undefined && this.nowMs >= this.timer.atMs) this.timer.fire();
  }
}

async function begun(durability: 'fsync' | 'os'): Promise<{ clock: Clock; pace: Pace }> {
  const clock = new Clock();
  const pace = new Pace(clock, durability);
  await pace.next(() => 1);
  return { clock, pace };
}

describe('a commit', () => {
  it('of an idle process begins at once, and so does the next one after a rest', async () => {
    const { clock, pace } = await begun('fsync');
    clock.wind(8);
    await pace.next(() => 2);
    expect(clock.resting).toBe(false);
  });

  it.each([['fsync', 8], ['os', 1]] as const)('with %s begins %d ms after the one before', async (durability, restMs) => {
    const { clock, pace } = await begun(durability);
    const next = pace.next(() => 2);
    clock.wind(restMs - 0.5);
    await immediate();
    expect(clock.resting).toBe(true);
    pace.grown(63);
    expect(clock.resting).toBe(true);
    clock.wind(0.5);
    expect(clock.resting).toBe(false);
    await next;
  });

  it('begins sooner when 64 facts wait for it, or when the journal closes', async () => {
    const { clock, pace } = await begun('fsync');
    for (const hasten of [() => pace.grown(64), () => pace.hurry()]) {
      const next = pace.next(() => 2);
      expect(clock.resting).toBe(true);
      hasten();
      expect(clock.resting).toBe(false);
      await next;
    }
  });

  it('of a busy process gathers while turns of the loop bring more, for 2 ms', async () => {
    const { clock, pace } = await begun('fsync');
    clock.wind(8);
    let turns = 0;
    await pace.next(() => {
      clock.wind(0.25);
      return (turns += 1);
    });
    expect([turns > 4, clock.nowMs - 1008 <= 3]).toEqual([true, true]);
  });
});
