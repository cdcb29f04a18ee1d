/** Two proxy processes behind one listener: killed, replaced and drained under load. It costs their machines a moment and nobody a share. */
import { afterEach, describe, expect, it } from 'vitest';
import { readJournal } from '../e2e/journal-shares.ts';
import { expectTrueBooks } from './books.ts';
import { freePort, Instance, makeDirectory } from './instance.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const MACHINES = 60;
const KILLS = 4;
/** The supervisor waits 0.1 s and a process needs some 0.3 s to start; the rest is for a busy test machine. */
const BACK_LIMIT_MS = 5000;
/** Longer than a process must live for its crash not to count as one of a series. */
const HEALTHY_MS = 31_000;
const OVER_MS = 1500;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

async function twoUnderLoad(seed: number): Promise<{ instance: Instance; load: Load; port: number }> {
  const load = await Load.begin(seed, cleanup);
  const port = await freePort();
  const instance = await Instance.start({ dataDir: makeDirectory(cleanup), port, poolUrl: load.pool.url, processes: 2, faults: { syncDelayMs: 5 } }, cleanup);
  await load.connect(port, seed, MACHINES);
  await until('both have a fair part of the machines', async () => (await instance.serving()).every(({ sessions }) => sessions >= MACHINES / 4));
  return { instance, load, port };
}

/** Ends the load and the instance, and expects that what machines were told is what the books say. */
async function close(instance: Instance, load: Load): Promise<void> {
  await load.answers(50);
  await load.rest();
  await instance.stop();
  const { counted, untold } = await expectTrueBooks(instance.dataDir, load.records());
  expect(counted - untold).toBe(load.answeredTrue);
}

/** A prefix goes to one session, and comes back only with that session's id. */
function expectOnePrefixEach(dataDir: string): void {
  const holders = new Map<string, Set<string>>();
  for (const { prefix, sessionId } of readJournal(dataDir).sessions) {
    const key = Buffer.from(prefix).toString('hex');
    holders.set(key, (holders.get(key) ?? new Set()).add(sessionId));
  }
  expect([...holders].filter(([, ids]) => ids.size > 1)).toEqual([]);
}

describe('two proxy processes', () => {
  it('share the machines; one killed with -9 is back and its machines with it, each with its prefix', async () => {
    const { instance, load } = await twoUnderLoad(111);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await load.answers(40 + 17 * kill);
      const before = await instance.serving();
      const [victim, other] = [before[kill % 2]!, before[1 - (kill % 2)]!];
      const { disconnects } = load;
      instance.world.skip(HEALTHY_MS);
      await instance.processes.kill(victim.pid!);
      await until('its machines have noticed', () => load.disconnects > disconnects);
      expect(await load.allMine()).toBeLessThan(BACK_LIMIT_MS);
      const after = await instance.serving();
      expect(after.find(({ process }) => process === other.process)?.run).toBe(other.run);
      expect(after.find(({ process }) => process === victim.process)?.run).not.toBe(victim.run);
    }
    const { totals, restarts } = await instance.status();
    expect(restarts.proxy).toBe(KILLS);
    expect(totals.counters.resumptions).toBeGreaterThan(0);
    expect(load.refusals).toBe(0);
    await close(instance, load);
    expectOnePrefixEach(instance.dataDir);
  }, 60_000);

  it('are replaced one by one: nobody is refused, machines are moved at an even pace, and nothing is lost', async () => {
    const { instance, load } = await twoUnderLoad(112);
    const before = await instance.serving();
    const replaced = await instance.ask('restart', OVER_MS);
    expect(replaced.map(({ process }) => process)).toEqual([1, 2]);
    await load.allMine();
    const after = await instance.serving();
    expect(after.map(({ process }) => process)).toEqual([1, 2]);
    expect(after.map(({ run }) => run).filter((run) => before.some((old) => old.run === run))).toEqual([]);
    // Whoever was moved off the first may have been moved off the second too.
    expect(load.disconnects).toBeGreaterThanOrEqual(MACHINES);
    expect(load.disconnects).toBeLessThanOrEqual(2 * MACHINES);
    expect(load.refusals).toBe(0);
    expect(load.absencesMs.at(-1)).toBeLessThan(BACK_LIMIT_MS);
    const { restarts, problems } = await instance.status();
    expect({ restarts: restarts.proxy, problems }).toEqual({ restarts: 0, problems: [] });
    await close(instance, load);
    expectOnePrefixEach(instance.dataDir);
  }, 60_000);

  it('follow a new configuration under load: another lessee, a further listener, the pool under another name; nobody is disconnected', async () => {
    const { instance, load, port } = await twoUnderLoad(114);
    const further = await freePort();
    await load.answers(100);
    const reloaded = await instance.reload((yaml) =>
      yaml.replace('lessee: acme', 'lessee: delta').replace(`"127.0.0.1:${port}"`, `"127.0.0.1:${port}", "127.0.0.1:${further}"`).replace('user: farm', 'user: farm2'),
    );
    expect(reloaded.changes.map(({ path }) => path)).toEqual(['sites.north.listen', 'pools.main.user', 'routes[0].lessee']);
    expect(reloaded).toMatchObject({ rerouted: MACHINES / 2, leaving: 0 });
    await load.connect(further, 115, 4);
    await load.answers(100);
    await until('both processes work under the new name alone', async () => {
      const live = (await instance.status()).proxy?.links.filter(({ state }) => state === 'live');
      return live?.length === 2 && live.every(({ link }) => link > 1);
    });
    await expect(instance.reload((yaml) => yaml.replace('user: farm2', 'usr: farm2'))).rejects.toThrow(/nothing was changed:\n[^]*pools\.main\.usr is not an option: did you mean "user"\?/);
    await load.answers(100);
    expect({ disconnects: load.disconnects, refusals: load.refusals }).toEqual({ disconnects: 0, refusals: 0 });
    await close(instance, load);
    const lessees = new Set(readJournal(instance.dataDir).shares.filter(({ worker }) => worker.startsWith('acme.114')).map(({ lessee }) => lessee));
    expect(lessees).toEqual(new Set(['acme', 'delta']));
  }, 60_000);

  it('are drained: one into the other and brought back, then the instance, which stops', async () => {
    const { instance, load, port } = await twoUnderLoad(113);
    await instance.ask('drain', OVER_MS, 2);
    await until('all machines are with the other', async () => (await instance.status()).processes[0]?.sessions === MACHINES);
    const drained = await instance.status();
    expect(drained.processes).toMatchObject([{ state: 'serving' }, { state: 'drained', sessions: 0 }]);
    expect(drained.problems).toEqual(['Proxy process 2 is drained; `weighbridge restart --process 2` brings it back.']);
    await expect(instance.ask('drain', 0, 1)).rejects.toThrow('No other process would serve the machines of process 1');
    await expect(instance.ask('restart', 0, 3)).rejects.toThrow('There is no process 3; there are processes 1 to 2.');
    await instance.ask('restart', 0, 2);
    expect((await instance.serving()).map(({ state }) => state)).toEqual(['serving', 'serving']);
    expect(load.refusals).toBe(0);
    await load.answers(50);
    const { sessions } = await instance.ask('drain', OVER_MS);
    expect({ sessions, port }).toEqual({ sessions: MACHINES, port });
    await instance.stop();
    // They have nowhere else to go, and knock at a closed door.
    expect(load.refusals).toBeGreaterThan(0);
    const { counted, untold } = await expectTrueBooks(instance.dataDir, load.records());
    expect(counted - untold).toBe(load.answeredTrue);
  }, 60_000);
});
