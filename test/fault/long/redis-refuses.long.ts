/** Redis refuses, becomes read-only, loads, stands still and is cut off, under load: machines notice nothing, nothing counts twice. */
import { afterEach, describe, expect, it } from 'vitest';
import { SERVER_FAULTS, SINGLE_FAULTS } from '../redis-faults.ts';
import { Scenario } from '../scenario.ts';
import { Cleanup } from '../waiting.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

describe('one Redis under load', () => {
  it('refuses, becomes read-only, loads, stands still and is cut off', async () => {
    const scenario = await Scenario.begin({ topology: 'single', hosts: 1, seed: 202 }, cleanup);
    const faults = { ...SINGLE_FAULTS, ...SERVER_FAULTS };
    for (const [name, fault] of Object.entries(faults)) {
      if (name.includes('of its commands')) continue;
      await scenario.answers(20);
      await fault(scenario);
    }
    await scenario.nothingLost();
    expect(scenario.first.load.disconnects).toBe(0);
    await scenario.finish();
  }, 120_000);
});
