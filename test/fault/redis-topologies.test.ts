/** Failovers under load: Sentinels promote a replica that had stopped copying; three hosts share a Cluster that loses a master. */
import { afterEach, describe, expect, it } from 'vitest';
import { failOverToStale, loseMaster } from './redis-faults.ts';
import { Scenario } from './scenario.ts';
import { Cleanup } from './waiting.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

describe('failovers under load', () => {
  it('by Sentinels to a replica that stood still: what it never saw is published again', async () => {
    const scenario = await Scenario.begin({ topology: 'sentinel', hosts: 1, seed: 203 }, cleanup);
    await scenario.answers(150);
    await failOverToStale(scenario);
    await scenario.nothingLost();
    expect(scenario.first.load.disconnects).toBe(0);
    await scenario.finish();
  }, 120_000);

  it('in a Cluster that three proxies on addresses of their own publish to, while a master dies', async () => {
    const scenario = await Scenario.begin({ topology: 'cluster', hosts: 3, seed: 204, machines: 16, ownAddresses: true }, cleanup);
    await scenario.answers(80);
    await loseMaster(scenario);
    await scenario.answers(40);
    await scenario.nothingLost();
    for (const { load } of scenario.sites) expect(load.disconnects).toBe(0);
    await scenario.finish();
  }, 120_000);
});
