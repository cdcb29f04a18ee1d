/** Hosts of a shared ledger that are put back in time, or that hold another host's journals: the shared ledger neither doubles nor forgets. */
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { audit } from '../../accounting/audit.ts';
import { journalDirectory } from '../../accounting/store.ts';
import { realWorld } from '../../config/world.ts';
import { totals } from './books.ts';
import { makeDirectory } from './instance.ts';
import { Scenario, settle } from './scenario.ts';
import { acceptedIn, differences, sharedLedger } from './shared-books.ts';
import { Cleanup, until } from './waiting.ts';

/** The product's wall clock: a minute passes in a second. */
const SPEED = 60;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** Replaces everything in a directory by a copy of another. */
function copyAll(from: string, to: string): void {
  for (const name of readdirSync(to)) rmSync(join(to, name), { recursive: true, force: true });
  cpSync(from, to, { recursive: true, filter: (path) => basename(path) !== 'control' });
}

describe('hosts of a shared ledger', () => {
  it('one whose whole data directory is restored from a snapshot of a minute ago: what was answered since stays in Redis, and the audit says it cannot be proven here', async () => {
    const clock = { startMs: realWorld.wallMs(), speed: SPEED };
    const scenario = await Scenario.begin({ topology: 'single', hosts: 1, seed: 205, clock }, cleanup);
    const [site, snapshot] = [scenario.first, makeDirectory(cleanup)];
    const { load, dataDir } = site;
    await load.answers(150);
    const pids = Object.values(await site.instance.pids());
    await site.instance.processes.stopped(pids);
    copyAll(dataDir, snapshot);
    const takenMs = realWorld.monoMs();
    for (const pid of pids) site.instance.processes.signal(pid, 'SIGCONT');
    await load.answers(150);
    await until('the snapshot is a minute old', () => (realWorld.monoMs() - takenMs) * SPEED >= 60_000);
    let published: Awaited<ReturnType<typeof acceptedIn>> | undefined;
    let before = 0;
    await site.crash(cleanup, async () => {
      await until('the machines have noticed', () => load.waiting === 0);
      before = load.answeredTrue;
      await settle(dataDir, scenario.rig);
      published = await acceptedIn(scenario.rig);
      expect(published.delivered_minute).toBe(totals(dataDir).get('accepted'));
      expect(published.delivered_minute).toBeGreaterThanOrEqual(before);
      copyAll(snapshot, dataDir);
    });
    await load.allMine();
    await load.answers(60);
    await scenario.rest();
    await site.instance.stop();
    await settle(dataDir, scenario.rig);
    const since = load.answeredTrue - before;
    const all = await acceptedIn(scenario.rig);
    // What was told true before the restoration is there, with what was told after it, each once.
    expect(all).toEqual(Object.fromEntries(Object.entries(published ?? {}).map(([table, n]) => [table, n + since])));
    expect(totals(dataDir).get('accepted')).toBeLessThan(all.delivered_minute);
    const report = await audit({ dataDir, threads: 0, shared: sharedLedger(dataDir, scenario.rig) });
    expect(report.ok).toBe(false);
    expect(new Set(report.differences.map(({ kind }) => kind))).toEqual(new Set(['shared-row']));
    expect(report.differences[0]?.message).toMatch(/counts what their journals do not show/);
  }, 120_000);

  it('two that are given the journals of a third: its runs are the same runs, and count once', async () => {
    const scenario = await Scenario.begin({ topology: 'single', hosts: 3, seed: 206, machines: 16 }, cleanup);
    await scenario.answers(80);
    await scenario.rest();
    for (const { instance } of scenario.sites) await instance.stop();
    for (const { dataDir } of scenario.sites) await settle(dataDir, scenario.rig);
    const accepted = await acceptedIn(scenario.rig);
    const own = scenario.dataDirs.map((dataDir) => totals(dataDir).get('accepted') ?? 0);
    expect(accepted.delivered_minute).toBe(own.reduce((sum, n) => sum + n, 0));
    const [third, ...others] = scenario.sites;
    for (const [index, { dataDir }] of others.entries()) {
      cpSync(journalDirectory(third?.dataDir ?? ''), journalDirectory(dataDir), { recursive: true });
      await settle(dataDir, scenario.rig);
      expect(totals(dataDir).get('accepted')).toBe((own[0] ?? 0) + (own[index + 1] ?? 0));
    }
    expect(await acceptedIn(scenario.rig)).toEqual(accepted);
    expect(await differences(scenario.rig, scenario.dataDirs)).toEqual([]);
  }, 120_000);
});
