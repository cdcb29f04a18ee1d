/** kill -9 of a process under load, ten times each: nothing answered true is missing, nothing counts twice. */
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../config/world.ts';
import { expectTrueBooks } from './books.ts';
import { freePort, Instance, makeDirectory, type Faults } from './instance.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const KILLS = 10;
/** The supervisor waits 0.1 s and a process needs some 0.3 s to start; the rest is for a busy test machine. */
const BACK_LIMIT_MS = 5000;
/** A slow disk: answers are always under way when the process dies. */
const SYNC_DELAY_MS = 10;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** A moment between two kills, in answers. */
function moments(seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: KILLS }, () => 20 + (random.u32() % 150));
}

async function underLoad(seed: number, faults?: Faults): Promise<{ instance: Instance; load: Load }> {
  const load = await Load.begin(seed, cleanup);
  const port = await freePort();
  const instance = await Instance.start({ dataDir: makeDirectory(cleanup), port, poolUrl: load.pool.url, faults }, cleanup);
  await load.connect(port, seed);
  return { instance, load };
}

describe('kill -9 under load', () => {
  it('of the proxy process, ten times: machines come back, and the ledger is what they were told', async () => {
    const { instance, load } = await underLoad(101, { syncDelayMs: SYNC_DELAY_MS });
    for (const moment of moments(1)) {
      await load.answers(moment);
      const before = load.disconnects;
      await instance.kill('proxy');
      await until('the machines have noticed', () => load.disconnects > before);
      const backMs = await load.allMine();
      expect(backMs).toBeLessThan(BACK_LIMIT_MS);
    }
    await load.answers(50);
    await load.rest();
    await instance.stop();
    const { counted, untold, open } = await expectTrueBooks(instance.dataDir, load.records());
    // The kills did hit: answers were under way, and some of those shares were durable already.
    expect(open).toBeGreaterThan(KILLS);
    expect(counted - untold).toBe(load.answeredTrue);
  }, 60_000);

  it('of the accountant, ten times: no machine notices, and the sums are the same', async () => {
    const { instance, load } = await underLoad(102);
    for (const moment of moments(2)) {
      await load.answers(moment);
      await instance.kill('accountant');
      await until('another accountant answers', async () => (await instance.status()).accountant !== undefined, BACK_LIMIT_MS);
    }
    await load.rest();
    expect(load.disconnects).toBe(0);
    await instance.stop();
    const { counted, untold, open } = await expectTrueBooks(instance.dataDir, load.records());
    expect({ counted, untold, open }).toEqual({ counted: load.answeredTrue, untold: 0, open: 0 });
  }, 60_000);
});
