/** Reload, restart, drain and stop in each other's way, under load over TCP: nobody is disconnected without need, nothing is lost, and nothing is left running. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { expectTrueBooks } from './books.ts';
import { ApartInstance, freePort, Instance, makeDirectory, writeConfiguration } from './instance.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const MACHINES = 40;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

async function underLoad(seed: number, processes = 2): Promise<{ instance: Instance; load: Load; port: number }> {
  const load = await Load.begin(seed, cleanup);
  const port = await freePort();
  const instance = await Instance.start({ dataDir: makeDirectory(cleanup), port, poolUrl: load.pool.url, processes }, cleanup);
  await load.connect(port, seed, MACHINES);
  return { instance, load, port };
}

/** Ends the load and the instance, and expects that what machines were told is what the books say. */
async function close(instance: Instance, load: Load): Promise<void> {
  await load.rest();
  await instance.stop();
  const { counted, untold } = await expectTrueBooks(instance.dataDir, load.records());
  expect(counted - untold).toBe(load.answeredTrue);
}

/** Lessees of the sessions of all processes. */
async function lessees(instance: Instance): Promise<string[]> {
  const { proxy } = await instance.status();
  return Object.keys(proxy?.sessionsByGroup ?? {}).map((group) => group.split('\t')[1] ?? '').toSorted();
}

/** Processes of this machine that were started for a data directory and live. */
function livingFor(dataDir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && Number(pid) !== process.pid && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(dataDir);
    } catch {
      return false;
    }
  });
}

describe('while processes are being replaced', () => {
  it('a new configuration reaches all of them: the one that leaves, the one that comes, and those after', async () => {
    const { instance, load } = await underLoad(201);
    const restarted = instance.ask('restart', 2500);
    await until('machines are being moved', async () => (await instance.status()).processes.some(({ state }) => state === 'draining'));
    const { changes } = await instance.reload((yaml) => yaml.replace('lessee: acme', 'lessee: delta'));
    expect(changes.map(({ path }) => path)).toEqual(['routes[0].lessee']);
    await until('all machines are of the new lessee', async () => (await lessees(instance)).join() === 'cobalt,delta');
    expect((await instance.status()).processes.some(({ state }) => state === 'draining')).toBe(true);
    expect((await restarted).map(({ process }) => process)).toEqual([1, 2]);
    await load.allMine();
    expect(await lessees(instance)).toEqual(['cobalt', 'delta']);
    expect(load.refusals).toBe(0);
    await load.answers(50);
    await close(instance, load);
  }, 60_000);

  it('a stop ends all of them, also the one that is just being started, and nothing starts again', async () => {
    const { instance, load } = await underLoad(202);
    const restarted = instance.ask('restart', 3000).then(() => 'done', () => 'broken off');
    await until('machines are being moved', async () => (await instance.status()).processes.some(({ state }) => state === 'draining'));
    await load.rest();
    await instance.stop();
    expect(await restarted).toBe('broken off');
    await until('no process is left', () => livingFor(instance.dataDir).length === 0);
    const { counted, untold } = await expectTrueBooks(instance.dataDir, load.records());
    expect(counted - untold).toBe(load.answeredTrue);
    expect(livingFor(instance.dataDir)).toEqual([]);
  }, 60_000);

  it('one that is killed while it hands over, and one that is killed while it leaves, cost their machines a moment', async () => {
    const { instance, load } = await underLoad(203);
    const [first] = await instance.serving();
    const restarted = instance.ask('restart', 2000, 1);
    // At once: it has just been asked how far its splits have come, or its successor starts.
    await instance.processes.kill(first!.pid!);
    expect((await restarted)[0]).toMatchObject({ process: 1 });
    await load.allMine();
    const again = instance.ask('restart', 5000, 1);
    await until('machines are being moved', async () => (await instance.status()).processes.some(({ state }) => state === 'draining'));
    const leaving = (await instance.status()).processes.find(({ state }) => state === 'draining');
    await instance.processes.kill(leaving!.pid!);
    await again;
    await load.allMine();
    expect((await instance.serving()).map(({ process, state }) => [process, state])).toEqual([[1, 'serving'], [2, 'serving']]);
    expect(load.refusals).toBe(0);
    await load.answers(50);
    await close(instance, load);
  }, 60_000);
});

describe('many reloads at once', () => {
  it('are followed one after the other, and the last file is the one in force', async () => {
    const { instance, load } = await underLoad(204);
    const reloads: ReturnType<Instance['reload']>[] = [];
    for (let index = 0; index < 12; index += 1) {
      // Each changes what machines work for and what the accountant reads, while those before are still being followed.
      reloads.push(instance.reload((yaml) => `${yaml.replace(/lessee: (acme|l\d+),/, `lessee: l${index},`).replace(/^journal:.*\n/m, '')}journal: { retain: ${30 + index}d }\n`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const outcomes = await Promise.all(reloads);
    expect(outcomes.filter(({ changes }) => changes.length > 0).length).toBeGreaterThan(1);
    await until('the last lessee is in force', async () => (await lessees(instance)).join() === 'cobalt,l11');
    await load.answers(50);
    expect({ disconnects: load.disconnects, refusals: load.refusals }).toEqual({ disconnects: 0, refusals: 0 });
    await instance.foldedOnce();
    await close(instance, load);
  }, 60_000);
});

describe('a storm of SIGHUP', () => {
  it('leaves the last file in force, whatever stood in it meanwhile, and machines at work', async () => {
    const load = await Load.begin(206, cleanup);
    const options = { dataDir: makeDirectory(cleanup), port: await freePort(), poolUrl: load.pool.url };
    const apart = await ApartInstance.start(options, cleanup);
    await load.connect(options.port, 206, MACHINES);
    const farm = (limits: string): string => `
pools: { main: { url: "${load.pool.url}", user: farm } }
routes: [ { match: { worker: "acme.*" }, lessee: acme, pools: [ main ] }, { lessee: cobalt, pools: [ main ] } ]
difficulty: { start: "2^-24", min: "2^-24", max: "2^-24", sharesPerMinute: 300 }
limits: { ${limits} }`;
    const signal = (limits: string): void => {
      writeConfiguration({ ...options, farm: farm(limits) });
      apart.processes.signal(apart.pid, 'SIGHUP');
    };
    for (let storm = 0; storm < 60; storm += 1) {
      signal(storm % 5 === 4 ? 'sesionsMax: 1' : `sessionsMax: ${1000 + storm}`);
      await load.answers(1);
    }
    // Of those before some were never read: others stood in the file by then.
    signal('sessionsMax: 2000');
    await until('the last file is in force', () => apart.output.includes('limits.sessionsMax is now 2000'));
    signal('sesionsMax: 1');
    await until('a bad file is refused', () => apart.output.lastIndexOf('did you mean') > apart.output.lastIndexOf('is now 2000'));
    expect({ disconnects: load.disconnects, refusals: load.refusals }).toEqual({ disconnects: 0, refusals: 0 });
    await load.rest();
    expect((await apart.end('SIGTERM')).code).toBe(0);
    const { counted, untold } = await expectTrueBooks(options.dataDir, load.records());
    expect(counted - untold).toBe(load.answeredTrue);
  }, 60_000);
});

describe('while the instance is being emptied', () => {
  it('a new configuration is refused with a sentence, and opens no listener again', async () => {
    const { instance, load } = await underLoad(205, 1);
    const drained = instance.ask('drain', 2000);
    await until('machines are being sent away', async () => (await instance.status()).processes.some(({ state }) => state === 'draining'));
    await expect(instance.reload((yaml) => yaml.replace('lessee: acme', 'lessee: delta'))).rejects.toThrow('The instance is being emptied');
    await drained;
    await instance.stop();
    const { counted, untold } = await expectTrueBooks(instance.dataDir, load.records());
    expect(counted - untold).toBe(load.answeredTrue);
  }, 60_000);
});
