/** Counts of unjournaled shares outlive their process: no share is forgotten, and none admitted twice. */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Admissions, unadmittedShares, type Owner } from '../../../accounting/journal/admissions.ts';
import { listSegments } from '../../../accounting/journal/reader.ts';
import { sealDead } from '../../../accounting/journal/seal.ts';
import { seededRandom } from '../../../config/world.ts';
import type { Admission, Unadmitted } from '../../../proxy/session/facts.ts';
import { immediate, Recorder, START_MS, temporaryDirectory } from './support.ts';

const counted = (lessee: string, count: number): Unadmitted => ({ site: 'north', lessee, leases: '', exponent: 16, verdict: 'accepted', count, fromMs: START_MS });

/** Processes of one data directory, living and dead. */
class Site {
  readonly dataDir = temporaryDirectory();
  readonly dead = new Set<number>();
  readonly problems: string[] = [];
  nowMs = 0;
  private pids = 100;

  start(): Run {
    this.pids += 1;
    return new Run(this, { pid: this.pids, pidStart: `b007-1d/${this.pids}` });
  }
}

class Run {
  readonly inherited: Unadmitted[] = [];
  readonly process: string;
  readonly admissions: Admissions;
  readonly site: Site;
  readonly owner: Owner;

  constructor(site: Site, owner: Owner) {
    this.site = site;
    this.owner = owner;
    this.process = seededRandom(owner.pid).uuid();
    this.admissions = new Admissions({
      dataDir: site.dataDir,
      process: this.process,
      monoMs: () => site.nowMs,
      segment: () => 1,
      onInherited: (entries) => {
        this.inherited.push(...entries);
        this.admissions.keep(this.inherited, undefined);
      },
      onProblem: (sentence) => void site.problems.push(sentence),
      isAlive: ({ pid }) => !site.dead.has(pid),
      owner,
    });
    this.admissions.tick();
  }

  kill(): void {
    this.site.dead.add(this.owner.pid);
  }

  /** Ticks until nothing under way is being looked for. */
  async tick(): Promise<void> {
    this.admissions.tick();
    for (let turn = 0; turn < 20; turn += 1) await immediate();
  }
}

describe('counts not admitted when their process dies', () => {
  it('are inherited by the next process, and by one of several', () => {
    const site = new Site();
    const first = site.start();
    first.admissions.keep([counted('acme', 2)], undefined);
    first.admissions.keep([counted('acme', 3), counted('cobalt', 1)], undefined);
    expect(unadmittedShares(site.dataDir)).toBe(4);
    const beside = site.start();
    expect(beside.inherited).toEqual([]);
    first.kill();
    const [second, third] = [site.start(), site.start()];
    expect([second.inherited, third.inherited]).toEqual([[counted('acme', 3), counted('cobalt', 1)], []]);
    second.kill();
    // A process that runs on takes over later what nobody has.
    site.nowMs += 61_000;
    beside.admissions.tick();
    expect(beside.inherited).toEqual([counted('acme', 3), counted('cobalt', 1)]);
    expect(unadmittedShares(site.dataDir)).toBe(4);
    beside.admissions.keep([], undefined);
    expect(unadmittedShares(site.dataDir)).toBe(0);
    expect(site.problems).toEqual([]);
  });

  it('are written without needing a further block of the disk', () => {
    const site = new Site();
    const run = site.start();
    const [name = ''] = readdirSync(join(site.dataDir, 'unadmitted'));
    const before = statSync(join(site.dataDir, 'unadmitted', name));
    const many = Array.from({ length: 3000 }, (_, index) => counted(`lessee-with-a-long-name-${index}`, 1));
    for (const count of [1, 10, 3000]) run.admissions.keep(many.slice(0, count), undefined);
    const after = statSync(join(site.dataDir, 'unadmitted', name));
    expect([after.size, after.blocks, after.ino]).toEqual([before.size, before.blocks, before.ino]);
    const kept = unadmittedShares(site.dataDir);
    expect(kept).toBeGreaterThan(400);
    expect(site.problems).toEqual([expect.stringContaining(`of ${3000 - kept} combinations`)]);
  });

  it('are those of the last whole write when one was cut', () => {
    const site = new Site();
    const run = site.start();
    run.admissions.keep([counted('acme', 1)], undefined);
    run.admissions.keep([counted('acme', 2)], undefined);
    const [name = ''] = readdirSync(join(site.dataDir, 'unadmitted'));
    const path = join(site.dataDir, 'unadmitted', name);
    const { size } = statSync(path);
    const before = unadmittedShares(site.dataDir);
    const after = [size / 2, 0].map((slot) => {
      const descriptor = openSync(path, 'r+');
      writeSync(descriptor, Buffer.from('torn'), 0, 4, slot + 20);
      closeSync(descriptor);
      return unadmittedShares(site.dataDir);
    });
    expect(before).toBe(2);
    // The last write was to the second slot; with both damaged nothing is left.
    expect(after).toEqual([1, 0]);
  });

  it('are kept in memory while there is no room for the file, which is said and tried again', () => {
    const site = new Site();
    const blocked = join(site.dataDir, 'unadmitted');
    writeFileSync(blocked, 'in the way');
    const run = site.start();
    run.admissions.keep([counted('acme', 5)], undefined);
    expect(site.problems).toEqual([expect.stringContaining('unadmitted')]);
    rmSync(blocked);
    run.admissions.tick();
    expect(unadmittedShares(site.dataDir)).toBe(5);
  });
});

describe('an admission under way when its process dies', () => {
  const entries = [counted('acme', 7), { ...counted('acme', 2), verdict: 'courtesy' as const }];
  const admission: Admission = { atMs: START_MS + 5, entries };

  /** A process that dies after the first `written` records of its admission were journaled. */
  async function dies(written: number, markerCut: boolean): Promise<Site> {
    const site = new Site();
    const run = site.start();
    const journal = join(site.dataDir, 'journal');
    mkdirSync(journal);
    const recorder = await Recorder.open(journal, { process: run.process });
    // An earlier admission of the same kind of share, long since durable.
    await recorder.settled(recorder.writer.append({ type: 'unjournaled', ...entries[0]!, atMs: START_MS }));
    run.admissions.keep([counted('cobalt', 1)], admission);
    for (const entry of entries.slice(0, written)) await recorder.settled(recorder.writer.append({ type: 'unjournaled', ...entry, atMs: admission.atMs }));
    await recorder.writer.close();
    const [{ path } = { path: '' }] = listSegments(journal);
    if (markerCut) truncateSync(path, statSync(path).size - 10);
    run.kill();
    return site;
  }

  it.each([[0, false, [7, 2]], [1, false, [2]], [2, false, []], [2, true, []]] as const)('%i records of it journaled, last marker cut: %s', async (written, markerCut, missing) => {
    const site = await dies(written, markerCut);
    const heir = site.start();
    await heir.tick();
    // Nothing is decided before it is settled what of the journal counts.
    expect(heir.inherited.map(({ count }) => count)).toEqual([1]);
    sealDead(join(site.dataDir, 'journal'), () => false);
    await heir.tick();
    expect(heir.inherited.map(({ count }) => count)).toEqual([1, ...missing]);
    heir.admissions.keep([], undefined);
    heir.kill();
    const next = site.start();
    await next.tick();
    expect(next.inherited).toEqual([]);
    expect(site.problems).toEqual([]);
  });

  it('is still looked for by the heir of an heir', async () => {
    const site = await dies(1, false);
    const heir = site.start();
    await heir.tick();
    heir.kill();
    sealDead(join(site.dataDir, 'journal'), () => false);
    const next = site.start();
    await next.tick();
    expect(next.inherited.map(({ count }) => count)).toEqual([1, 2]);
  });
});
