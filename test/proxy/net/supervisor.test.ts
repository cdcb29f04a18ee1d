/** The supervisor with stand-in children: start, refusal, restart, totals, stop. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { processStart } from '../../../accounting/journal/liveness.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import { askInstance } from '../../../proxy/net/control.ts';
import { acquireLock, ensureHostId, isAlive, lockHolder } from '../../../proxy/net/instance.ts';
import { mergeSnapshots } from '../../../proxy/net/merge.ts';
import type { ProxySnapshot } from '../../../proxy/net/messages.ts';
import { Requests } from '../../../proxy/net/requests.ts';
import { CounterTotals } from '../../../proxy/net/totals.ts';
import { zeroCounters } from '../../../proxy/session/sink.ts';
import { linesOf, scene, type Scene, until } from './instance-fixture.ts';

const scenes: Scene[] = [];
function newScene(...args: Parameters<typeof scene>): Scene {
  const made = scene(...args);
  scenes.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((each) => each.end()));
});

describe('starting', () => {
  it('starts both processes, reports where machines connect, and answers status', async () => {
    const s = newScene();
    const supervisor = await s.start();
    expect(supervisor.listening).toEqual([{ site: 'north', address: expect.stringMatching(/^127\.0\.0\.1:[1-9]/) }]);
    const status = await supervisor.status();
    expect(status.problems).toEqual([]);
    expect(status.proxy?.sessions).toBe(2);
    expect(status.accountant?.foldedRecords).toBe(12);
    expect(status.restarts).toEqual({ proxy: 0, accountant: 0 });
    expect(status.host).toBe(readFileSync(join(s.data, 'host'), 'utf8').trim());
    expect(await supervisor.machines()).toMatchObject([{ worker: 'acme.1' }]);
  });

  it('ends with the sentence of a child that cannot start, and leaves nothing behind', async () => {
    const s = newScene('fatal');
    await expect(s.start()).rejects.toThrow('The address 0.0.0.0:3333 of site north is in use.');
    expect(lockHolder(s.data)).toBeUndefined();
    expect(existsSync(join(s.data, 'control', 'socket'))).toBe(false);
  });

  it('ends when the proxy process dies before it listens', async () => {
    await expect(newScene('crash').start()).rejects.toThrow('The proxy process ended (exit code 3) before it listened');
  });

  it('ends at once when it is told to stop meanwhile, by a signal or over the control socket', async () => {
    const interrupted = new AbortController();
    const s = newScene('mute');
    const first = s.start(interrupted.signal);
    await until(() => (linesOf(s, 'proxy-starts').length === 1 ? true : undefined));
    interrupted.abort();
    await expect(first).rejects.toThrow('stopped before machines could connect');
    expect(lockHolder(s.data)).toBeUndefined();
    await expect(s.start(interrupted.signal)).rejects.toThrow('stopped before machines could connect');

    const second = s.start().then(
      () => 'started',
      (error: unknown) => String(error),
    );
    await until(() => (linesOf(s, 'proxy-starts').length >= 2 ? true : undefined));
    await askInstance(s.data, 'stop', realWorld, 2000);
    expect(await second).toContain('stopped before machines could connect');
    expect(lockHolder(s.data)).toBeUndefined();
  });

  it('refuses a data directory that a live instance holds, naming its pid', async () => {
    const s = newScene();
    await s.start();
    await expect(s.start()).rejects.toThrow(`Another instance (pid ${process.pid}) runs on ${s.data}`);
  });

  it('says so when the data directory cannot be made', async () => {
    const s = newScene('normal', 'file/data');
    writeFileSync(join(s.directory, 'file'), '');
    await expect(s.start()).rejects.toThrow(/The data directory .* cannot be used/);
  });
});

describe('keeping alive', () => {
  it('starts a killed proxy process again within a second and keeps its totals', { timeout: 10_000 }, async () => {
    const s = newScene();
    const supervisor = await s.start();
    const before = await supervisor.status();
    expect(before.totals.counters.connects).toBe(7);
    process.kill(before.proxy?.pid ?? 0, 'SIGKILL');
    const after = await until(async () => {
      const status = await supervisor.status();
      return status.proxy !== undefined && status.proxy.pid !== before.proxy?.pid ? status : undefined;
    });
    expect(after.totals.counters.connects).toBe(14);
    expect(after.totals.closes).toEqual({ idle: 2 });
    expect(after.totals.fsync?.counts).toEqual([2, 4, 6]);
    expect(after.restarts.proxy).toBe(1);
    expect(linesOf(s, 'proxy-starts')).toHaveLength(2);
    expect(s.logLines.join('')).toMatch(/The proxy process ended \(signal SIGKILL\) after \d+ ms; it is started again in 100 ms\./);
  });

  it('starts a killed accountant again while machines are served', { timeout: 10_000 }, async () => {
    const s = newScene();
    const supervisor = await s.start();
    const before = await supervisor.status();
    process.kill(before.accountant?.pid ?? 0, 'SIGKILL');
    const after = await until(async () => {
      const status = await supervisor.status();
      return status.accountant !== undefined && status.accountant.pid !== before.accountant?.pid ? status : undefined;
    });
    expect(after.restarts).toEqual({ proxy: 0, accountant: 1 });
    expect(after.proxy?.pid).toBe(before.proxy?.pid);
  });
});

describe('reloading', () => {
  it('follows what it can, says so, and starts the accountant again only where that reads it', { timeout: 10_000 }, async () => {
    const s = newScene();
    const supervisor = await s.start();
    const before = await supervisor.status();
    expect(await supervisor.reload()).toEqual({ changes: [], accountant: false, rerouted: 0, leaving: 0 });
    s.yaml = s.firstYaml.replace('lessee: acme', 'lessee: cobalt').replace('[ "127.0.0.1:0" ]', '[ "127.0.0.1:0", "127.0.0.1:0" ]') + 'durability: os\njournal: { retain: 30d }\n';
    const reloaded = await askInstance(s.data, 'reload', realWorld, 5000);
    expect(reloaded).toMatchObject({ accountant: true, rerouted: 2, leaving: 1 });
    expect(reloaded.changes).toEqual([
      { path: 'sites.north.listen', sentence: 'sites.north.listen is now [127.0.0.1:0, 127.0.0.1:0], before [127.0.0.1:0].', now: true },
      { path: 'routes[0].lessee', sentence: 'routes[0].lessee is now "cobalt", before "acme".', now: true },
      { path: 'durability', sentence: 'durability is now "os", before "fsync".', now: false },
      { path: 'journal.retain', sentence: 'journal.retain is now 30d, before 90d.', now: true },
    ]);
    expect(supervisor.listening).toHaveLength(2);
    const after = await until(async () => {
      const status = await supervisor.status();
      return status.accountant !== undefined ? status : undefined;
    });
    expect(after.accountant?.pid).not.toBe(before.accountant?.pid);
    expect(after.restarts).toEqual({ proxy: 0, accountant: 0 });
  });

  it('changes nothing when the file has a problem, asks for what cannot change, or wants an address that is taken', async () => {
    const s = newScene();
    const supervisor = await s.start();
    const refused = async (yaml: string): Promise<string> => {
      s.yaml = yaml;
      return supervisor.reload().then(() => 'done', (error: unknown) => (error instanceof Error ? error.message : ''));
    };
    expect(await refused(s.firstYaml.replace('lessee: acme', 'lesee: acme'))).toMatch(/nothing was changed:\nline \d+: routes\[0\]\.lesee is not an option: did you mean "lessee"\?/);
    expect(await refused(s.firstYaml.replace('data: data', 'data: other').replace('lessee: acme', 'lessee: cobalt'))).toMatch(
      /^Cannot be changed while the instance runs: data is now ".*other", before ".*data"\.\nNothing was changed\. Stop the instance and start it again for that/,
    );
    s.yaml = s.firstYaml.replace('lessee: acme', 'lesee: acme');
    await expect(askInstance(s.data, 'reload', realWorld, 5000)).rejects.toThrow(/^The configuration is not right, and nothing was changed:\nline \d+: routes\[0\]\.lesee is not/);
    const { http } = supervisor;
    expect(await refused(s.firstYaml.replace('"127.0.0.1:0"', JSON.stringify(http)))).toContain(`cannot listen on ${http}: address already in use`);
    expect(supervisor.listening).toHaveLength(1);
    s.yaml = undefined;
    expect((await supervisor.reload()).changes).toEqual([]);
  });
});

describe('replacing a process', () => {
  it('leaves the old one where it is when a new one does not come up, and says why', { timeout: 20_000 }, async () => {
    const s = newScene();
    const supervisor = await s.start();
    const [before] = (await supervisor.status()).processes;
    s.yaml = s.firstYaml.replace('user: normal', 'user: crash');
    await supervisor.reload();
    await expect(askInstance(s.data, { type: 'restart', process: undefined, overMs: 0 }, realWorld, 10_000)).rejects.toThrow('The proxy process ended (exit code 3) before it listened');
    const { processes, problems, restarts } = await supervisor.status();
    expect(processes).toEqual([{ ...before, sessions: before?.sessions }]);
    expect({ problems, restarts: restarts.proxy }).toEqual({ problems: [], restarts: 0 });
    s.yaml = s.firstYaml;
    await supervisor.reload();
    const [replaced] = await askInstance(s.data, { type: 'restart', process: 1, overMs: 0 }, realWorld, 10_000);
    expect(replaced).toMatchObject({ process: 1, pidBefore: before?.pid });
    expect((await supervisor.status()).processes).toMatchObject([{ process: 1, state: 'serving', pid: replaced?.pid }]);
    await expect(askInstance(s.data, { type: 'drain', process: 1, overMs: 0 }, realWorld, 10_000)).rejects.toThrow('No other process would serve');
  });
});

describe('stopping', () => {
  it('stops the proxy process first, then the accountant, and frees the data directory', async () => {
    const s = newScene();
    const supervisor = await s.start();
    const beganMs = performance.now();
    await supervisor.stop();
    expect(performance.now() - beganMs).toBeLessThan(2000);
    const [proxyAt = '0'] = linesOf(s, 'proxy-stopped');
    const [accountantAt = '0'] = linesOf(s, 'accountant-stopped');
    expect(BigInt(proxyAt)).toBeGreaterThan(0n);
    expect(BigInt(accountantAt)).toBeGreaterThan(BigInt(proxyAt));
    expect(lockHolder(s.data)).toBeUndefined();
    await supervisor.stopped;
    await s.start();
  });

  it('kills a child that does not end, still under two seconds', { timeout: 10_000 }, async () => {
    const s = newScene('deaf');
    const supervisor = await s.start();
    const beganMs = performance.now();
    await supervisor.stop();
    expect(performance.now() - beganMs).toBeLessThan(2000);
    expect(s.logLines.join('')).toContain('child killed');
  });
});

describe('the lock', () => {
  it('takes over the lock of a dead process, of a recycled pid, and what is no lock', async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => dead.on('exit', resolve));
    const left = [
      (path: string) => symlinkSync(`${dead.pid}:1`, path),
      (path: string) => symlinkSync(`${process.pid}:of another boot`, path),
      (path: string) => symlinkSync('elsewhere', path),
      (path: string) => writeFileSync(path, ''),
    ];
    for (const leave of left) {
      const { data } = newScene();
      mkdirSync(join(data, 'control'), { recursive: true });
      leave(join(data, 'control', 'lock'));
      const lock = acquireLock(data, seededRandom(1));
      expect(lockHolder(data)).toEqual({ pid: process.pid, pidStart: processStart(process.pid) });
      lock.release();
      lock.release();
      expect(lockHolder(data)).toBeUndefined();
    }
  });

  it('keeps the control directory to its owner, also when it was open before', () => {
    const { data } = newScene();
    mkdirSync(join(data, 'control'), { recursive: true, mode: 0o755 });
    const lock = acquireLock(data, realWorld.random);
    expect(statSync(join(data, 'control')).mode & 0o777).toBe(0o700);
    lock.release();
  });

  it('knows itself alive and a pid that never was dead', () => {
    expect(isAlive({ pid: process.pid, pidStart: processStart(process.pid) })).toBe(true);
    expect(isAlive({ pid: 2 ** 22 + 1, pidStart: '' })).toBe(false);
  });
});

describe('the host id', () => {
  it('is made once and kept; something else in its file is refused', () => {
    const { data } = newScene();
    mkdirSync(data, { recursive: true });
    const id = ensureHostId(data, seededRandom(7));
    expect(ensureHostId(data, seededRandom(8))).toBe(id);
    writeFileSync(join(data, 'host'), 'my host');
    expect(() => ensureHostId(data, seededRandom(9))).toThrow('"my host", which is not a host id');
  });
});

describe('totals over replaced processes', () => {
  const snapshot = (process: string, connects: number): ProxySnapshot => ({
    process,
    pid: 1,
    version: '0',
    startedMs: 0,
    sessions: 0,
    sessionsByGroup: {},
    links: [],
    splits: [],
    counters: { ...zeroCounters(), connects },
    closes: connects > 5 ? { idle: 1 } : {},
    fsync: { bounds: [1], counts: [connects, 0], sumSeconds: connects },
    replies: { bounds: [connects], counts: [1, 0], sumSeconds: 1 },
    measures: { roundTrips: {}, fanout: { bounds: [], counts: [0], sumSeconds: 0 }, reconnects: { main: 1 }, failover: {}, duplicateHashes: 0, furtherPlanes: 1 },
    vitals: { residentBytes: 0, cpuSeconds: connects / 10, loop: { bounds: [], counts: [0], sumSeconds: 0 } },
    journal: { state: 'open', segment: '', writtenBytes: 0, waitingShares: 0, freeBytes: 0 },
  });

  it('never go backwards', () => {
    const totals = new CounterTotals();
    expect(totals.totals().counters.connects).toBe(0);
    const seen = (['a', 'a', 'b', 'b', 'c'] as const).map((process, i) => {
      totals.proxy('proxy', snapshot(process, [5, 9, 2, 3, 0][i] ?? 0));
      return totals.totals().counters.connects;
    });
    expect(seen).toEqual([5, 9, 11, 12, 12]);
    expect(totals.totals().closes).toEqual({ idle: 1 });
    expect(totals.totals().fsync).toEqual({ bounds: [1], counts: [12, 0], sumSeconds: 12 });
    expect(totals.totals().cpuSeconds['proxy']).toBeCloseTo(1.2);
  });

  it('add up processes side by side, and lose none of what an ended one had reported', () => {
    const totals = new CounterTotals();
    for (const [process, connects] of [['a', 5], ['b', 7], ['a', 6], ['b', 9], ['c', 4], ['b', 10]] as const) totals.proxy(process, snapshot(process, connects));
    expect(totals.totals().counters.connects).toBe(6 + 10 + 4);
    expect(totals.totals().reconnects).toEqual({ main: 3 });
  });

  it('go on from what an earlier supervisor has exported', () => {
    const first = new CounterTotals();
    first.proxy('proxy', snapshot('a', 8));
    const second = new CounterTotals(JSON.parse(JSON.stringify(first.totals())));
    expect(second.totals()).toEqual(first.totals());
    second.proxy('proxy', snapshot('b', 3));
    expect(second.totals().counters.connects).toBe(11);
    expect(new CounterTotals('nonsense').totals().counters.connects).toBe(0);
  });

  it('are one report of all processes', () => {
    const [a, b] = [snapshot('a', 1), snapshot('b', 2)];
    const split = (work: number): ProxySnapshot['splits'] => [{ route: 3, parts: [{ pools: ['main'], weight: 1, work, forgiven: 3 }, { pools: ['backup'], weight: 2, work: 2, forgiven: -3 }], moves: 4 }];
    const failed = { ...b, sessions: 2, splits: split(5), sessionsByGroup: { x: 1, y: 1 }, journal: { ...b.journal, state: 'failed' as const, freeBytes: -1 } };
    const merged = mergeSnapshots([{ ...a, sessionsByGroup: { x: 1, z: 4 }, splits: split(7) }, failed]);
    expect(merged?.splits).toEqual([{ route: 3, parts: [{ pools: ['main'], weight: 1, work: 12, forgiven: 6 }, { pools: ['backup'], weight: 2, work: 4, forgiven: -6 }], moves: 8 }]);
    expect(merged).toMatchObject({
      process: 'a', sessions: 2, sessionsByGroup: { x: 2, y: 1, z: 4 }, counters: { connects: 3 }, fsync: { bounds: [1], counts: [3, 0], sumSeconds: 3 },
      measures: { reconnects: { main: a.measures.reconnects['main']! + b.measures.reconnects['main']! } }, journal: { state: 'failed', freeBytes: -1 },
    });
    expect(mergeSnapshots([a])).toEqual(a);
    expect(mergeSnapshots([])).toBeUndefined();
  });
});

describe('questions to a child', () => {
  it('settle with the answer, without one at the limit, and when the child goes', async () => {
    const fires: (() => void)[] = [];
    const world = { ...realWorld, after: (_delayMs: number, fire: () => void) => (fires.push(fire), { cancel: () => undefined }) };
    const requests = new Requests<string>(world, 1000);
    const asked: number[] = [];
    const ask = (): Promise<string | undefined> => requests.ask((request) => asked.push(request) > 0);
    const [first, second, third] = [ask(), ask(), ask()];
    requests.answer(asked[1] ?? 0, 'yes');
    requests.answer(99, 'nobody asked');
    fires[0]?.();
    requests.abandon();
    expect(await Promise.all([first, second, third, requests.ask(() => false)])).toEqual([undefined, 'yes', undefined, undefined]);
  });
});
