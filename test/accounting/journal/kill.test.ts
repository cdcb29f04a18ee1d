/** A real process, really killed: what it was told is durable is in the journal, once and in order. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isWriterAlive, processStart } from '../../../accounting/journal/liveness.ts';
import { listSegments } from '../../../accounting/journal/reader.ts';
import { sealDead } from '../../../accounting/journal/seal.ts';
import { seededRandom } from '../../../config/world.ts';
import { eventsOf, Follower, temporaryDirectory } from './support.ts';

const ROUNDS = 10;
/** As `npm test` has built it. */
const APPENDER = fileURLToPath(new URL('../../../dist/test/accounting/journal/appender.js', import.meta.url));

describe('a process that is killed', () => {
  /** Runs an appender until it has acknowledged `enough`, kills it, and returns its last acknowledgement. */
  async function killed(directory: string, durability: string, enough: number, whileAlive: () => void): Promise<number> {
    const child = spawn(process.execPath, [APPENDER, directory, durability], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    let acknowledged = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const first = acknowledged < enough;
      acknowledged = Number(line);
      if (first && acknowledged >= enough) {
        try {
          whileAlive();
        } finally {
          child.kill('SIGKILL');
        }
      }
    }
    expect(await exit).toEqual([null, 'SIGKILL']);
    return acknowledged;
  }

  for (const durability of ['fsync', 'os']) {
    it(`ten times over (${durability}) has lost nothing it was told is durable`, async () => {
      const directory = temporaryDirectory();
      const random = seededRandom(durability.length);
      const follower = new Follower();
      const expected: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const before = new Set(listSegments(directory).map((file) => file.path));
        const acknowledged = await killed(directory, durability, 1 + (random.u32() % 3000), () => {
          sealDead(directory, isWriterAlive);
          // It may have gone on to another since; the newest is never sealed while its writer lives.
          expect(listSegments(directory).at(-1)?.sealed).toBe(false);
          follower.step(directory);
        });
        sealDead(directory, isWriterAlive);
        const files = listSegments(directory).filter((file) => !before.has(file.path));
        expect(files.every((file) => file.sealed)).toBe(true);
        const shares = files.flatMap((file) => eventsOf(file.path)).map((event) => (event.kind === 'fact' && event.fact.type === 'share' ? event.fact.share : NaN));
        expect(shares).toEqual(shares.map((_, index) => index + 1));
        expect(shares.length).toBeGreaterThanOrEqual(acknowledged);
        expected.push(...shares);
        follower.step(directory);
      }
      expect(follower.shares).toEqual(expected);
      expect(follower.corrupt).toBe(0);
    }, 30_000);
  }
});

describe('whether a writer is alive', () => {
  const header = { segment: '', process: '', host: 'any', sequence: 1, createdMs: 0 };

  it('is told by pid and start time together', () => {
    const pidStart = processStart(process.pid);
    expect(isWriterAlive({ ...header, pid: process.pid, pidStart })).toBe(true);
    expect(isWriterAlive({ ...header, pid: 2 ** 30, pidStart: '' })).toBe(false);
    expect(isWriterAlive({ ...header, pid: process.pid, pidStart: '' })).toBe(true);
    expect(isWriterAlive({ ...header, pid: process.pid, pidStart: 'another-boot/1' })).toBe(false);
  });
});
