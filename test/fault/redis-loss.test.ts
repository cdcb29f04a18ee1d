/** Redis loses what it had acknowledged, under load: all of it comes back, and nothing counts twice. */
import { afterEach, describe, expect, it } from 'vitest';
import { SERVER_FAULTS, SINGLE_FAULTS } from './redis-faults.ts';
import { Scenario } from './scenario.ts';
import { Cleanup } from './waiting.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

describe('one Redis under load', () => {
  it('loses seconds of its commands, is emptied, and has all again while machines mine on', async () => {
    const scenario = await Scenario.begin({ topology: 'single', hosts: 1, seed: 201 }, cleanup);
    await scenario.answers(150);
    for (const name of ['the last second of its commands is lost', 'the last three seconds of its commands are lost'] as const) {
      expect(await SINGLE_FAULTS[name](scenario)).toBeGreaterThan(0);
      await scenario.answers(20);
      await scenario.nothingLost();
    }
    await SERVER_FAULTS['everything in one server is deleted'](scenario);
    await scenario.nothingLost();
    await SERVER_FAULTS['some keys are deleted'](scenario);
    await scenario.nothingLost();
    expect(scenario.first.load.disconnects).toBe(0);
    await scenario.finish();
  }, 120_000);
});
