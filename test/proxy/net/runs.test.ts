/** What tells runs apart, and the sockets they share. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import { Doors, doorsOf } from '../../../proxy/net/doors.ts';
import { Runs } from '../../../proxy/net/runs.ts';
import { allPrefixes } from '../../../proxy/session/prefixes.ts';
import type { Run } from '../../../proxy/session/run.ts';

const directories: string[] = [];
function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'wb-runs-'));
  directories.push(made);
  return made;
}
afterEach(() => {
  for (const each of directories.splice(0)) rmSync(each, { recursive: true, force: true });
});

function overlap(a: Run, b: Run, length: number): boolean {
  const [x, y] = [a.prefixes[length]!, b.prefixes[length]!];
  return x.first < y.first + y.count && y.first < x.first + x.count;
}

describe('runs', () => {
  it.each([1, 2, 7, 64])('of %i processes, each being replaced, share no prefix and no begin of a job id', (processes) => {
    const runs = new Runs(directory(), seededRandom(processes), () => processes);
    const random = seededRandom(100 + processes);
    const living: Run[] = [];
    const faults: string[] = [];
    for (let turn = 0; turn < 300; turn += 1) {
      if (living.length === 2 * processes) runs.end(living.splice(random.u32() % living.length, 1)[0]!);
      const run = runs.take();
      for (const length of [2, 3, 4]) {
        const { first, count } = run.prefixes[length]!;
        const all = allPrefixes(length);
        if (first < all.first || first + count > all.first + all.count || count < 1) faults.push(`${length} bytes: ${first} + ${count}`);
        if (living.some((other) => overlap(run, other, length))) faults.push(`${length} bytes overlap in turn ${turn}`);
      }
      if (living.some(({ bootTag }) => bootTag === run.bootTag)) faults.push(`job ids in turn ${turn}`);
      living.push(run);
    }
    expect(faults).toEqual([]);
  });

  it('go on after a restart where they were, and know the session ids of before', () => {
    const data = directory();
    const before = new Runs(data, seededRandom(1), () => 1).take();
    const after = new Runs(data, seededRandom(2), () => 1).take();
    expect(after.sessionKey).toBe(before.sessionKey);
    expect(after.bootTag).not.toBe(before.bootTag);
    expect(overlap(before, after, 4)).toBe(false);
  });

  it('begin anywhere on a disk that takes no writes', () => {
    const data = join(directory(), 'gone');
    const tags = [1, 2].map((seed) => new Runs(data, seededRandom(seed), () => 1).take().bootTag);
    expect(new Set(tags).size).toBe(2);
  });
});

describe('doors', () => {
  const at = (host: string, port: number): { host: string; port: number } => ({ host, port });
  const site = (...listen: { host: string; port: number }[]): { listen: typeof listen; from: string[] } => ({ listen, from: [] });

  it('are one for each address, however many sites share it, and one for each port left to the system', () => {
    const sites = { north: site(at('0.0.0.0', 3333), at('127.0.0.1', 0)), south: site(at('0.0.0.0', 3333), at('127.0.0.1', 0)) };
    expect(doorsOf(sites)).toEqual([
      { key: '0.0.0.0:3333', host: '0.0.0.0', port: 3333, sites: ['north', 'south'] },
      { key: 'north 2', host: '127.0.0.1', port: 0, sites: ['north'] },
      { key: 'south 2', host: '127.0.0.1', port: 0, sites: ['south'] },
    ]);
  });

  it('open, close what is not wanted any more, and refuse an address in use with nothing changed', async () => {
    const doors = new Doors();
    await doors.open({ north: site(at('127.0.0.1', 0), at('localhost', 0)) });
    const [first, second] = doors.list();
    expect(first!.port).toBeGreaterThan(0);
    expect(second!.port).toBeGreaterThan(0);
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    const taken = { north: site(at('127.0.0.1', 0)), south: site(at('127.0.0.1', 0), at('127.0.0.1', port)) };
    await expect(doors.open(taken)).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: address already in use; choose another address in sites.*.listen`);
    await expect(doors.open({ north: site(at('192.0.2.1', port)) })).rejects.toThrow(/cannot listen on 192\.0\.2\.1:\d+: .*; choose another/);
    expect(doors.list()).toEqual([first, second]);
    doors.keepOnly({ north: site(at('127.0.0.1', 0)) });
    expect(doors.list()).toEqual([{ ...first, door: { ...first!.door } }]);
    doors.close();
    expect(doors.list()).toEqual([]);
    await new Promise((resolve) => holder.close(resolve));
  });
});
