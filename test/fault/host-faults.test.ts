/** A host whose clock is wrong, whose processes stand still and whose ledger vanishes, under load and sharing its ledger: no machine notices. */
import { afterEach, describe, expect, it } from 'vitest';
import { HOST_FAULTS } from './host-faults.ts';
import { Scenario } from './scenario.ts';
import { Cleanup } from './waiting.ts';

const UNNOTICED = ['the wall clock is an hour fast', 'a proxy process stands still', 'the wall clock is an hour slow', 'the accountant stands still', 'the ledger is deleted'] as const;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

describe('a host of a shared ledger', () => {
  it(`loses nothing: ${UNNOTICED.join(', ')}`, async () => {
    const scenario = await Scenario.begin({ topology: 'single', hosts: 1, seed: 209, processes: 2 }, cleanup);
    for (const name of UNNOTICED) {
      await scenario.answers(40);
      await HOST_FAULTS[name](scenario, scenario.first);
    }
    await scenario.answers(40);
    await scenario.nothingLost();
    expect(scenario.first.load.disconnects).toBe(0);
    await scenario.finish();
  }, 180_000);
});
