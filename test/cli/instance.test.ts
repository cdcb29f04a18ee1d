/** The commands about an instance: status, machines, ledger, stop; on stand-in children and on a ledger of known rows. */
import { afterEach, describe, expect, it } from 'vitest';
import { HOUR_MS, type Deltas, emptyDeltas, MINUTE_MS, type KeptRow, type WorkerHourRow } from '../../accounting/rows.ts';
import { Store } from '../../accounting/store.ts';
import { machineRow } from '../../cli/machines.ts';
import type { MachineSnapshot } from '../../proxy/net/messages.ts';
import { scene, type Scene } from '../proxy/net/instance-fixture.ts';
import { NOON_MS, run } from './cli-fixture.ts';

const scenes: Scene[] = [];
function newScene(...args: Parameters<typeof scene>): Scene {
  const made = scene(...args);
  scenes.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((each) => each.end()));
});

/** Writes rows into the scene's ledger; keys only need to differ. */
function fill(data: string, put: (deltas: Deltas) => void): void {
  const deltas = emptyDeltas();
  put(deltas);
  const store = Store.open(data);
  store.apply(deltas, []);
  store.close();
}

const HOUR = Math.floor(NOON_MS / HOUR_MS);
const MINUTE = Math.floor(NOON_MS / MINUTE_MS);
const RUN = 'abcdef012345';

function workerRow(worker: string, lastMs: number, more: Partial<WorkerHourRow> = {}): KeptRow<'worker_hour'> {
  return { hour: HOUR, run: RUN, site: 'north', lessee: 'acme', leases: '', pool: 'main', worker, verdict: 'accepted', exponent: 16, n: 60, last_ms: lastMs, ...more };
}

function observe(deltas: Deltas, minutes: number): void {
  for (let minute = MINUTE - minutes; minute < MINUTE; minute++) {
    const first = minute * MINUTE_MS;
    deltas.observed_minute.set(String(minute), { minute, run: RUN, process: 'abcdef01', observed_ms: MINUTE_MS, first_ms: first, last_ms: first + MINUTE_MS });
  }
}

describe('status', () => {
  it('shows processes, links and problems, and the same as JSON', async () => {
    const s = newScene();
    await s.start();
    const { code, out } = await run(['status', '--data', s.data]);
    expect(code).toBe(0);
    expect(out).toContain('No problems.');
    expect(out).toMatch(/north 127\.0\.0\.1:[1-9]/);
    expect(out).toMatch(/main {2}stratum\+tcp:\/\/127\.0\.0\.1:1 {2}live/);
    expect(out).toContain('No ledger yet.');
    const json: unknown = JSON.parse((await run(['status', '--data', s.data, '--json'])).out);
    expect(json).toMatchObject({ pid: process.pid, problems: [], proxy: { sessions: 2 }, totals: { counters: { connects: 7 } } });
  });

  it('gives the rates of the last ten minutes from the ledger', async () => {
    const s = newScene();
    await s.start();
    fill(s.data, (deltas) => {
      observe(deltas, 10);
      const row = { minute: MINUTE - 5, run: RUN, site: 'north', lessee: 'acme', leases: '', pool: 'main', link: 'abcdef01.1', verdict: 'accepted', forwarding: 'forwarded', exponent: 16, nbits: 0, value: 0, n: 400 } as const;
      deltas.delivered_minute.set('a', { ...row });
      deltas.delivered_minute.set('b', { ...row, verdict: 'stale', n: 3 });
    });
    const { out } = await run(['status', '--data', s.data]);
    // 400 · 2^16 · 2^48/65535 hashes in 600 s.
    expect(out).toMatch(/site +north +188 TH\/s −9\.\d\/\+10 % +400 +3/);
  });
});

describe('machines', () => {
  const machine: MachineSnapshot = {
    worker: 'acme.1', site: 'north', lessee: 'acme', leases: ['acme-lb'], address: '127.0.0.1:5', firmware: 'f/1', exponent: 16, pool: 'main', link: 1, process: 1,
    connectedMs: 1000, lastShareMs: undefined, windowMs: 600_000, accepted: [], rejects: {}, acceptedTotal: 0,
  };

  it('are listed, filtered and counted', async () => {
    const s = newScene();
    await s.start();
    const { out } = await run(['machines', '--data', s.data]);
    expect(out).toMatch(/^worker +site/);
    expect(out).toMatch(/acme\.1 +north +acme +acme-lb +127\.0\.0\.1:5 +f\/1 +16/);
    expect(out).toContain('main#1');
    expect((await run(['machines', '--data', s.data, '--lease', 'acme-lb'])).out).toMatch(/acme\.1 +north +acme +acme-lb/);
    expect(await run(['machines', '--data', s.data, '--lease', 'acme'])).toMatchObject({ code: 0, out: 'No such machine is connected.\n' });
    expect(await run(['machines', '--data', s.data, '--site', 'south'])).toMatchObject({ code: 0, out: 'No such machine is connected.\n' });
    const json: unknown = JSON.parse((await run(['machines', '--data', s.data, '--rejects', '--json'])).out);
    expect(json).toMatchObject({ at: '2026-03-01T12:34:56Z', machines: [{ worker: 'acme.1', acceptedTotal: 30, rate: expect.any(Number) }] });
    expect(await run(['machines', '--data', s.data, '--dark', '--rejects'])).toMatchObject({ code: 2 });
  });

  it('have a rate with bounds, also before their first share', () => {
    const live = { ...machine, host: 'h' };
    expect(machineRow(live)).toMatchObject({ rate: 0, rateLow: 0, rejectedTotal: 0, rejectRatio: null });
    expect(machineRow(live).rateHigh).toBeGreaterThan(1e9);
    const busy = machineRow({ ...live, accepted: [[16, 100]], acceptedTotal: 90, rejects: { stale: 9, duplicate: 1 } });
    expect(busy.rejectRatio).toBe(0.1);
    expect(busy.rate).toBeCloseTo((100 * 65536 * 2 ** 48) / 65535 / 600, -3);
    // Raised to 2^16 since: two shares of 2^10 do not say that nothing was done under it.
    const raised = machineRow({ ...live, exponent: 16, accepted: [[10, 2]] });
    expect(raised.rateHigh ?? 0).toBeGreaterThan(10 * (machineRow({ ...live, exponent: 10, accepted: [[10, 2]] }).rateHigh ?? Infinity));
    expect(machineRow({ ...live, windowMs: 0 })).toMatchObject({ rate: null, rateLow: null, rateHigh: null });
  });

  it('are dark when the ledger knows them and their last accepted share is ten minutes old', async () => {
    const s = newScene();
    fill(s.data, (deltas) => {
      const rows = [
        workerRow('lively', NOON_MS - 599_000),
        workerRow('dark', NOON_MS - 601_000),
        workerRow('darker', NOON_MS - 5 * HOUR_MS, { hour: HOUR - 5 }),
        workerRow('revived', NOON_MS - 5 * HOUR_MS, { hour: HOUR - 5 }),
        workerRow('revived', NOON_MS - 1000),
        workerRow('rejecting', NOON_MS - 1000, { verdict: 'low-difficulty' }),
        workerRow('gone', NOON_MS - 30 * HOUR_MS, { hour: HOUR - 30 }),
        workerRow('elsewhere', NOON_MS - HOUR_MS, { hour: HOUR - 1, site: 'south', leases: 'acme-lb,host' }),
      ];
      rows.forEach((row, i) => deltas.worker_hour.set(String(i), row));
      deltas.worker_connected.set('0', { hour: HOUR, run: RUN, site: 'north', lessee: 'acme', leases: '', worker: 'mute', connected_ms: 1000 });
    });
    const { code, out, err } = await run(['machines', '--data', s.data, '--dark', '--json']);
    expect(code).toBe(0);
    expect(err).toBe('The instance is not running; this is what its ledger says.\n');
    const { dark } = JSON.parse(out) as { dark: { worker: string; lastShareMs: number | null; connected: boolean }[] };
    expect(dark.map(({ worker }) => worker)).toEqual(['dark', 'elsewhere', 'darker', 'mute', 'rejecting']);
    expect(dark[0]).toMatchObject({ lastShareMs: NOON_MS - 601_000, connected: false });
    expect(dark[4]).toMatchObject({ lastShareMs: null });
    expect(JSON.parse((await run(['machines', '--data', s.data, '--dark', '--lease', 'host', '--json'])).out)).toMatchObject({ dark: [{ worker: 'elsewhere', leases: ['acme-lb', 'host'] }] });
    const table = await run(['machines', '--data', s.data, '--dark', '--site', 'south']);
    expect(table.out).toMatch(/elsewhere {2}south {2}acme {4}acme-lb host {2}2026-03-01T11:34:56Z \(60m ago\) {2}no/);
  });
});

describe('ledger', () => {
  function worked(): Scene {
    const s = newScene();
    fill(s.data, (deltas) => {
      observe(deltas, 60);
      const roll = { hour: HOUR, run: RUN, site: 'north', lessee: 'acme', leases: '', pool: 'main', verdict: 'accepted', forwarding: 'forwarded', exponent: 16, n: 1000, worth: 10n ** 18n } as const;
      deltas.delivered_hour.set('a', { ...roll });
      deltas.delivered_hour.set('b', { ...roll, lessee: '', verdict: 'stale', n: 2 });
    });
    return s;
  }

  it('prints a table, JSON and CSV of the same rows', async () => {
    const s = worked();
    const args = ['ledger', '--data', s.data, '--by', 'lessee', '--from', '-1h', '--to', 'now'];
    const { code, out } = await run(args);
    expect(code).toBe(0);
    expect(out).toMatch(/^2026-03-01 11:00 to 2026-03-01 13:00 UTC, by lessee, step 1h\n/);
    expect(out).toMatch(/2026-03-01 12:00 +acme +\S+ TH\/s .* 1 000/);
    expect(out).toMatch(/all +total/);
    const json = JSON.parse((await run([...args, '--json'])).out) as { rows: { key: string; accepted: number; workHashes: string }[] };
    const acme = json.rows.find(({ key, accepted }) => key === 'acme' && accepted > 0);
    expect(acme).toMatchObject({ accepted: 1000, workHashes: String((1000n * 2n ** 64n) / 65535n) });
    const csv = (await run([...args, '--csv'])).out.split('\r\n');
    expect(csv[0]).toMatch(/^from,key,accepted,courtesy,rejected,work_hashes,/);
    expect(csv.slice(1).map((line) => line.split(',').length)).toEqual(json.rows.map(() => csv[0]?.split(',').length));
    expect(csv.some((line) => line.startsWith('2026-03-01T12:00:00.000Z,acme,1000,0,0,'))).toBe(true);
  });

  it('refuses what it cannot answer, saying why', async () => {
    const { data } = worked();
    const ask = (...args: string[]): ReturnType<typeof run> => run(['ledger', '--data', data, ...args]);
    expect(await ask('--by', 'worker', '--step', '1m')).toMatchObject({ code: 2, err: expect.stringContaining('too few shares in a minute') });
    expect(await ask('--by', 'machine')).toMatchObject({ code: 2, err: expect.stringContaining('must be one of site, lessee, worker, pool') });
    expect(await ask('--from', 'now', '--to', '-1h')).toMatchObject({ code: 2, err: expect.stringContaining('must be before') });
    expect(await ask('--json', '--csv')).toMatchObject({ code: 2 });
    expect(await run(['ledger', '--data', `${data}-none`])).toMatchObject({ code: 1, err: expect.stringMatching(/^There is no ledger at .*\?\n$/) });
  });
});

describe('stop', () => {
  it('waits until the instance is gone', async () => {
    const s = newScene();
    const supervisor = await s.start();
    const { code, out } = await run(['stop', '--data', s.data]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Stopped the instance on .* in \d\.\d s\.\n$/);
    await supervisor.stopped;
    expect(await run(['stop', '--data', s.data])).toMatchObject({ code: 1, err: expect.stringContaining('No instance runs') });
  });
});
