/** Faults of a host: its processes, its clock, its disk, its ledger. Each is done to one host of a scenario under load and undone again. */
import { truncateSync } from 'node:fs';
import { admittedIn } from './books.ts';
import { makeDirectory } from './instance.ts';
import { tailOf } from './journal-tail.ts';
import { copyLedger, removeLedger, takeLedgerCopy } from './ledger-copy.ts';
import type { Scenario, Site } from './scenario.ts';
import { until } from './waiting.ts';

const HOUR_MS = 3_600_000;
const LIMIT_MS = 60_000;

export type HostFault = (scenario: Scenario, site: Site) => Promise<unknown>;

/** Machines have lost their connections for a moment and mine again. */
async function mineAgain({ load }: Site, lossesBefore: number): Promise<void> {
  await until('the machines have noticed', () => load.disconnects > lossesBefore, LIMIT_MS);
  await load.allMine();
}

async function crash(scenario: Scenario, site: Site, meanwhile: () => unknown): Promise<void> {
  const before = site.load.disconnects;
  await site.crash(scenario.cleanup, meanwhile);
  await mineAgain(site, before);
}

/** Of a proxy process that has machines. */
async function proxyPid(scenario: Scenario, { instance }: Site): Promise<number> {
  const processes = await instance.serving();
  return scenario.pick(processes.filter(({ sessions }) => sessions > 0)).pid ?? 0;
}

/** SIGSTOP, some time, SIGCONT. */
async function standStill(scenario: Scenario, { instance }: Site, pid: number): Promise<void> {
  await instance.processes.stopped([pid]);
  await scenario.wait(scenario.between(200, 2500));
  instance.processes.signal(pid, 'SIGCONT');
}

async function wrongClock(scenario: Scenario, site: Site, ms: number): Promise<void> {
  site.stepClock(ms);
  await scenario.wait(scenario.between(500, 2500));
  await site.load.answers(10);
  site.stepClock(0);
}

/** Replaces the ledger between the death of an accountant and the start of the next. */
async function replaceLedger({ instance }: Site, replace: () => void): Promise<void> {
  instance.world.hold();
  await instance.kill('accountant');
  replace();
  instance.world.release();
  await instance.foldedOnce();
}

export const HOST_FAULTS = {
  'a proxy process is killed': async (scenario, site) => {
    const pid = await proxyPid(scenario, site);
    const before = site.load.disconnects;
    await site.instance.kill('proxy', pid);
    await mineAgain(site, before);
  },
  'the accountant is killed': async (_, { instance }) => {
    await instance.kill('accountant');
    await until('another accountant answers', async () => (await instance.status()).accountant !== undefined, LIMIT_MS);
  },
  'everything is killed at once': (scenario, site) => crash(scenario, site, () => undefined),
  'everything stops dead and the journal is cut beyond its last durable marker': (scenario, site) => crash(scenario, site, () => {
    const { path, from, to } = tailOf(site.dataDir);
    truncateSync(path, scenario.between(from, to));
  }),
  'a proxy process stands still': async (scenario, site) => standStill(scenario, site, await proxyPid(scenario, site)),
  'the accountant stands still': async (scenario, site) => standStill(scenario, site, (await site.instance.pids()).accountant),
  'the wall clock is an hour fast': (scenario, site) => wrongClock(scenario, site, HOUR_MS),
  'the wall clock is an hour slow': (scenario, site) => wrongClock(scenario, site, -HOUR_MS),
  'the ledger is put back to an older copy': async (scenario, site) => {
    const copy = makeDirectory(scenario.cleanup);
    await takeLedgerCopy(site.instance, copy);
    await site.load.answers(scenario.between(20, 120));
    await replaceLedger(site, () => copyLedger(copy, site.dataDir));
  },
  'the ledger is deleted': (_, site) => replaceLedger(site, () => removeLedger(site.dataDir)),
  'the disk is full': async (scenario, site) => {
    const { instance, load } = site;
    site.fillDisk();
    await until('the journal has failed', async () => (await instance.status()).proxy?.journal.state === 'failed', LIMIT_MS);
    await load.answers(scenario.between(10, 60));
    site.relieveDisk();
    await until('the journal is open again', async () => (await instance.status()).proxy?.journal.state === 'open', LIMIT_MS);
    await until('what could not be written is admitted', async () => {
      const { proxy } = await instance.status();
      return proxy !== undefined && admittedIn(site.dataDir) >= proxy.counters.unjournaledShares;
    }, LIMIT_MS);
  },
} satisfies Record<string, HostFault>;
