/** A proxy process that dies whenever it starts: backed off and reported, while the others serve its machines. And one that starts again without a pool. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { expectTrueBooks } from './books.ts';
import { freePort, Instance, makeDirectory } from './instance.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const PROCESSES = 3;
const VICTIM = 2;
const MACHINES = 60;
/** Crashes in a row that are a loop, and some more to see that the pauses grow: 0.1, 0.2, 0.4, 0.8 s. */
const CRASHES = 5;
/** Less than what an instance waits for its first pool. */
const BACK_LIMIT_MS = 9000;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

async function metric(instance: Instance, series: string): Promise<number | undefined> {
  const text = await (await fetch(`http://${(await instance.status()).http}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('a proxy process that dies whenever it starts', () => {
  it('is backed off and reported; its machines mine with the others, whose own notice nothing; it comes back when it can', async () => {
    const load = await Load.begin(121, cleanup);
    const dataDir = makeDirectory(cleanup);
    const port = await freePort();
    const instance = await Instance.start({ dataDir, port, poolUrl: load.pool.url, processes: PROCESSES, faults: { dies: { process: VICTIM, while: 'broken' } } }, cleanup);
    await load.connect(port, 121, MACHINES);
    await until('each has a fair part of the machines', async () => (await instance.serving()).every(({ sessions }) => sessions >= MACHINES / 10));
    const before = await instance.serving();
    const victim = before.find(({ process }) => process === VICTIM)!;

    writeFileSync(join(dataDir, 'broken'), '');
    await instance.kill('proxy', victim.pid);
    const tookMs = await until('it has crashed again and again', async () => (await instance.status()).restarts.proxy >= CRASHES);
    // Five pauses that double, less the last, which has begun.
    expect(tookMs).toBeGreaterThan(100 + 200 + 400 + 800);
    await load.allMine();
    await load.answers(100);
    const { problems, processes } = await instance.status();
    expect(processes.map(({ process, state }) => [process, state])).toEqual([[1, 'serving'], [VICTIM, 'looping'], [3, 'serving']]);
    expect(processes.filter(({ process }) => process !== VICTIM).map(({ run }) => run)).toEqual(before.filter(({ process }) => process !== VICTIM).map(({ run }) => run));
    expect(problems.filter((problem) => problem.includes(`roxy process ${VICTIM}`))).toHaveLength(1);
    expect(await metric(instance, 'weighbridge_proxy_processes{state="looping"}')).toBe(1);
    expect(await metric(instance, 'weighbridge_proxy_processes{state="serving"}')).toBe(2);
    expect((await fetch(`http://${(await instance.status()).http}/healthz`)).status).toBe(200);
    // Its own machines lost their connection, and nobody else.
    expect(load.disconnects).toBe(victim.sessions);
    expect(load.refusals).toBe(0);

    rmSync(join(dataDir, 'broken'));
    await until('it is back', async () => (await instance.status()).processes.every(({ state, run }) => state !== 'down' && run !== undefined));
    await load.answers(50);
    await load.rest();
    await instance.stop();
    const { counted, untold } = await expectTrueBooks(dataDir, load.records());
    expect(counted - untold).toBe(load.answeredTrue);
  }, 60_000);
});

describe('a proxy process that starts again', () => {
  it('does not wait for pools that nobody has met, neither after a crash nor as a replacement', async () => {
    const load = await Load.begin(122, cleanup);
    const dataDir = makeDirectory(cleanup);
    const port = await freePort();
    const instance = await Instance.start({ dataDir, port, poolUrl: load.pool.url }, cleanup);
    load.pool.kill();
    rmSync(join(dataDir, 'pools.json'));
    const { proxy } = await instance.pids();
    await instance.kill('proxy');
    const tookMs = await until('it listens again', async () => (await instance.status()).processes.every(({ state, pid }) => state === 'serving' && pid !== proxy));
    expect(tookMs).toBeLessThan(BACK_LIMIT_MS);
    const [replaced] = await instance.ask('restart', 0);
    expect(replaced?.tookMs).toBeLessThan(BACK_LIMIT_MS);
    await load.pool.revive();
    await load.connect(port, 122, 4);
    await load.answers(20);
    await load.rest();
    await instance.stop();
    await expectTrueBooks(dataDir, load.records());
  }, 60_000);
});
