/** Failovers under load: Sentinels promote a replica that had stopped copying; three hosts share a Cluster whose slots move and that loses a master. */
import { afterEach, describe, expect, it } from 'vitest';
import { failOverToStale, loseMaster, moveSlots } from './redis-faults.ts';
import { errorsMet, Scenario } from './scenario.ts';
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

  it('in a Cluster that three proxies on addresses of their own publish to, while slots move and a master dies', async () => {
    const scenario = await Scenario.begin({ topology: 'cluster', hosts: 3, seed: 204, machines: 16, ownAddresses: true }, cleanup);
    await scenario.answers(80);
    await moveSlots(scenario);
    const met = await Promise.all(scenario.rig.nodes.map(errorsMet));
    for (const code of ['ASK', 'MOVED']) expect(met.reduce((sum, errors) => sum + (errors[code] ?? 0), 0)).toBeGreaterThan(0);
    await loseMaster(scenario);
    await scenario.answers(40);
    await scenario.nothingLost();
    for (const { load } of scenario.sites) expect(load.disconnects).toBe(0);
    await scenario.finish();
  }, 120_000);
});
