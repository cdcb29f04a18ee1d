/** The supervisor dies or is told to stop under load: its children end by themselves, and the next start loses nothing. */
import { afterEach, describe, expect, it } from 'vitest';
import { expectTrueBooks } from './books.ts';
import { ApartInstance, freePort, makeDirectory, type InstanceOptions } from './instance.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const ROUNDS = 3;
const STOP_LIMIT_MS = 2000;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

async function prepare(seed: number): Promise<{ load: Load; options: InstanceOptions }> {
  const load = await Load.begin(seed, cleanup);
  return { load, options: { dataDir: makeDirectory(cleanup), port: await freePort(), poolUrl: load.pool.url } };
}

describe('the supervisor', () => {
  it('killed with -9 takes its children with it, and a new start goes on in the same directory', async () => {
    const { load, options } = await prepare(105);
    let instance = await ApartInstance.start(options, cleanup);
    await load.connect(options.port, 105);
    for (let round = 0; round < ROUNDS; round += 1) {
      await load.answers(100 + 37 * round);
      const children = await instance.children();
      await instance.end('SIGKILL');
      await until('both children have ended', () => children.every((pid) => !instance.processes.lives(pid)), STOP_LIMIT_MS);
      instance = await ApartInstance.start(options, cleanup);
      await load.allMine();
    }
    await load.answers(100);
    await load.rest();
    await instance.end('SIGINT');
    const { counted, untold } = await expectTrueBooks(options.dataDir, load.records());
    expect(counted - untold).toBe(load.answeredTrue);
  }, 60_000);

  it('stops in less than two seconds under load and loses nothing', async () => {
    const { load, options: healthy } = await prepare(106);
    // Time enough for shares to arrive while the last ones are being written.
    const options = { ...healthy, faults: { syncDelayMs: 40 } };
    let instance = await ApartInstance.start(options, cleanup);
    await load.connect(options.port, 106);
    for (let round = 0; round < ROUNDS; round += 1) {
      await load.answers(100 + 41 * round);
      const { code, tookMs } = await instance.end('SIGINT');
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(STOP_LIMIT_MS);
      expect(instance.output).not.toContain('was killed');
      await expectTrueBooks(options.dataDir, load.records());
      instance = await ApartInstance.start(options, cleanup);
      await load.allMine();
    }
    await load.rest();
    await instance.end('SIGINT');
    await expectTrueBooks(options.dataDir, load.records());
  }, 60_000);

  it('that stands still for a while is not missed: machines mine on, and it answers again afterwards', async () => {
    const { load, options } = await prepare(111);
    const instance = await ApartInstance.start(options, cleanup);
    await load.connect(options.port, 111);
    await load.answers(100);
    await instance.processes.stopped([instance.pid]);
    await load.answers(600);
    instance.processes.signal(instance.pid, 'SIGCONT');
    await instance.caughtUp();
    await load.rest();
    expect(load.disconnects).toBe(0);
    await instance.end('SIGINT');
    const { counted, untold } = await expectTrueBooks(options.dataDir, load.records());
    expect({ counted, untold }).toEqual({ counted: load.answeredTrue, untold: 0 });
  }, 60_000);

  it('is outlived by an accountant that stood still: two of them fold into one ledger, and nothing counts twice', async () => {
    const { load, options } = await prepare(107);
    const first = await ApartInstance.start(options, cleanup);
    await load.connect(options.port, 107);
    await load.answers(100);
    const [proxy, accountant] = await first.children();
    await first.processes.stopped([accountant]);
    await load.answers(200);
    await first.end('SIGKILL');
    await until('the proxy process has ended', () => !first.processes.lives(proxy), STOP_LIMIT_MS);
    const second = await ApartInstance.start(options, cleanup);
    await load.allMine();
    await second.caughtUp();
    first.processes.signal(accountant, 'SIGCONT');
    await until('the old accountant has ended', () => !first.processes.lives(accountant), STOP_LIMIT_MS);
    await load.answers(100);
    await load.rest();
    await second.caughtUp();
    await second.end('SIGINT');
    const { counted, untold } = await expectTrueBooks(options.dataDir, load.records());
    expect(counted - untold).toBe(load.answeredTrue);
  }, 60_000);
});
