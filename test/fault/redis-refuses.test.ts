/** Redis refuses, loads, hangs up and is cut off, under load: machines notice nothing, nothing is lost, nothing counts twice. */
import { afterEach, describe, expect, it } from 'vitest';
import { SERVER_FAULTS, SINGLE_FAULTS } from './redis-faults.ts';
import { errorsMet, Scenario, type RedisNode } from './scenario.ts';
import { Cleanup, until } from './waiting.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** The server has answered with each of these errors since its start. */
async function metAll(node: RedisNode, codes: readonly string[], meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  await until(`${codes.join(', ')} are met`, async () => {
    await meanwhile();
    const met = await errorsMet(node);
    return codes.every((code) => (met[code] ?? 0) > 0);
  });
}

describe('one Redis under load', () => {
  it('is full, becomes read-only, loads, kills its connections, forgets scripts and stands still', async () => {
    const scenario = await Scenario.begin({ topology: 'single', hosts: 1, seed: 202 }, cleanup);
    const { first } = scenario.rig;
    await scenario.answers(100);
    await SERVER_FAULTS['commands are refused for want of memory'](scenario);
    await SINGLE_FAULTS['it becomes read-only'](scenario);
    await metAll(first, ['OOM', 'READONLY']);
    await SINGLE_FAULTS['the server is killed and is away'](scenario);
    await metAll(first, ['LOADING'], () => SINGLE_FAULTS['it loads its commands again'](scenario));
    // Scripts are loaded at each new connection: the moment must come after one.
    await metAll(first, ['NOSCRIPT'], () => SERVER_FAULTS['its scripts are forgotten'](scenario));
    await SERVER_FAULTS['connections are killed in a storm'](scenario);
    await SERVER_FAULTS['the server stands still for a while'](scenario);
    await scenario.answers(20);
    await scenario.nothingLost();
    expect(scenario.first.load.disconnects).toBe(0);
    await scenario.finish();
  }, 180_000);

  it('is cut off, half open, two seconds away, and its answers are lost on the way', async () => {
    const scenario = await Scenario.begin({ topology: 'single', hosts: 1, seed: 207 }, cleanup);
    await scenario.answers(60);
    const names = ['the network is cut', 'the connection is half open', 'answers come after two seconds', 'connections end before commands are answered'] as const;
    for (const name of names) {
      await SINGLE_FAULTS[name](scenario);
      await scenario.answers(20);
    }
    await scenario.nothingLost();
    expect(scenario.first.load.disconnects).toBe(0);
    await scenario.finish();
  }, 180_000);
});
