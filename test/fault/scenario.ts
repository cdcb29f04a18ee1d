/**
 * Hosts that mine under load and share one ledger, to which faults are done one after another; in the end everything that is
 * always true is checked. Its random numbers come from a seed.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Accountant } from '../../accounting/accountant.ts';
import { openPublisher } from '../../accounting/redis/open.ts';
import { realWorld, seededRandom, type Random } from '../../config/world.ts';
import { FaultProxy } from '../rig/fault-proxy.ts';
import { RedisRig } from '../rig/redis.ts';
import { freePort, Instance, makeDirectory, type InstanceOptions } from './instance.ts';
import { Load } from './load.ts';
import { expectSharedBooks, lost, sharedLedger, untilNothingLost } from './shared-books.ts';
import { until, type Cleanup } from './waiting.ts';

export type Topology = 'single' | 'sentinel' | 'cluster';
export type RedisNode = RedisRig['nodes'][number];

export interface ScenarioOptions {
  readonly topology: Topology;
  readonly hosts: number;
  readonly seed: number;
  /** Machines of each host. */
  readonly machines?: number;
  /** Proxy processes of each host; one unless given. */
  readonly processes?: number;
  /** Each host listens on an address of its own, from 127.0.0.2 on. */
  readonly ownAddresses?: boolean;
  /** Given to the product's processes. */
  readonly clock?: { readonly startMs: number; readonly speed: number };
}

const MACHINES = 30;
const SETTLE_LIMIT_MS = 60_000;
/** The file of commands is read slowly enough, and interrupted often enough, that clients meet a server which is loading. */
const SERVER = [
  '--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0', '--enable-debug-command', 'yes',
  '--key-load-delay', '300', '--loading-process-events-interval-bytes', '1024',
];

/** In each data directory: what the clock is wrong by, and whether the disk is full. */
const FAULT_FILES = { wallStep: 'wall-step', fullWhile: 'disk-full' } as const;

/** One host: a data directory, the instance that runs on it now, and its machines. */
export class Site {
  readonly options: InstanceOptions;
  readonly load: Load;
  instance: Instance;

  constructor(options: InstanceOptions, load: Load, instance: Instance) {
    this.options = options;
    this.load = load;
    this.instance = instance;
  }

  get dataDir(): string {
    return this.options.dataDir;
  }

  /** The wall clock of its processes is wrong by so much from now on. */
  stepClock(ms: number): void {
    writeFileSync(join(this.dataDir, FAULT_FILES.wallStep), String(ms));
  }

  /** Nothing can be written to the journal until `relieveDisk`. */
  fillDisk(): void {
    writeFileSync(join(this.dataDir, FAULT_FILES.fullWhile), '');
  }

  relieveDisk(): void {
    rmSync(join(this.dataDir, FAULT_FILES.fullWhile));
  }

  /** kill -9 of everything of this host at once, and a new start once `meanwhile` is done. Settles when it listens. */
  async crash(cleanup: Cleanup, meanwhile: () => unknown = () => undefined): Promise<void> {
    await this.instance.killAll();
    // The supervisor lives in this process: it lets go of the directory, which a dead one's lock would not keep.
    await this.instance.stop();
    await meanwhile();
    this.instance = await Instance.start(this.options, cleanup);
  }
}

export class Scenario {
  readonly topology: Topology;
  readonly random: Random;
  readonly cleanup: Cleanup;
  readonly rig: RedisRig;
  /** Before a single Redis; the other topologies name their servers themselves. */
  readonly proxy: FaultProxy | undefined;
  readonly sites: readonly Site[];

  private constructor(topology: Topology, random: Random, cleanup: Cleanup, rig: RedisRig, proxy: FaultProxy | undefined, sites: readonly Site[]) {
    this.topology = topology;
    this.random = random;
    this.cleanup = cleanup;
    this.rig = rig;
    this.proxy = proxy;
    this.sites = sites;
  }

  /** Settles when every machine mines. */
  static async begin(options: ScenarioOptions, cleanup: Cleanup): Promise<Scenario> {
    const rig = await startRedis(options.topology);
    cleanup.add(() => rig.dispose());
    const proxy = options.topology === 'single' ? await FaultProxy.listen(rig.first.port) : undefined;
    cleanup.add(() => proxy?.close());
    const sites: Site[] = [];
    for (let number = 0; number < options.hosts; number += 1) sites.push(await startSite(options, number, proxy?.url ?? rig.url, cleanup));
    return new Scenario(options.topology, seededRandom(options.seed), cleanup, rig, proxy, sites);
  }

  get dataDirs(): string[] {
    return this.sites.map(({ dataDir }) => dataDir);
  }

  get first(): Site {
    return this.site(0);
  }

  site(index: number): Site {
    const site = this.sites[index];
    if (site === undefined) throw new Error(`this scenario has no host ${index + 1}`);
    return site;
  }

  pick<T>(from: readonly T[]): T {
    const found = from[this.random.u32() % from.length];
    if (found === undefined) throw new Error('there is nothing to pick from');
    return found;
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + (this.random.u32() % (to - from + 1));
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void realWorld.after(ms, resolve));
  }

  /** Each host's machines get so many further answers. */
  async answers(count: number): Promise<void> {
    await Promise.all(this.sites.map(({ load }) => load.answers(count)));
  }

  /** Waits until what is marked as published is in Redis, under load. */
  nothingLost(): Promise<number> {
    return untilNothingLost(this.rig, this.dataDirs);
  }

  /** Machines rest and every answer has arrived. */
  async rest(): Promise<void> {
    await Promise.all(this.sites.map(({ load }) => load.rest()));
  }

  /** Ends everything as the next start would find it, and holds replies, journals, SQLite and Redis against each other. */
  async finish(): Promise<void> {
    await this.rest();
    await Promise.all(this.sites.map(({ instance }) => instance.stop()));
    for (const { instance } of this.sites) await settle(instance.dataDir, this.rig);
    await expectSharedBooks(this.rig, this.sites.map(({ dataDir, load }) => ({ dataDir, records: load.records() })));
  }
}

/** Errors that a server has answered since its start, by their first word. */
export async function errorsMet({ client }: RedisNode): Promise<Record<string, number>> {
  const info = await client.info('errorstats');
  return Object.fromEntries([...info.matchAll(/^errorstat_(\w+):count=(\d+)/gm)].map(([, code = '', count]) => [code, Number(count)]));
}

async function startRedis(topology: Topology): Promise<RedisRig> {
  if (topology === 'cluster') return RedisRig.cluster();
  return topology === 'sentinel' ? RedisRig.sentinel() : RedisRig.single(SERVER);
}

async function startSite({ seed, machines = MACHINES, processes, ownAddresses = false, clock }: ScenarioOptions, number: number, redisUrl: string, cleanup: Cleanup): Promise<Site> {
  const load = await Load.begin(seed + number, cleanup);
  const dataDir = makeDirectory(cleanup);
  const options: InstanceOptions = {
    dataDir,
    port: await freePort(),
    poolUrl: load.pool.url,
    host: ownAddresses ? `127.0.0.${number + 2}` : '127.0.0.1',
    site: `site${number + 1}`,
    redisUrl,
    processes,
    faults: { ...FAULT_FILES, ...(clock === undefined ? {} : { clock }) },
  };
  const instance = await Instance.start(options, cleanup);
  await load.connect(options.port, seed + number, machines, options.host);
  return new Site(options, load, instance);
}

/** Folds a stopped host's journals to their end and publishes what is due, as its next start would. */
export async function settle(dataDir: string, rig: RedisRig): Promise<void> {
  const accountant = Accountant.open({ dataDir, world: realWorld });
  const publisher = openPublisher(sharedLedger(dataDir, rig), dataDir, realWorld);
  // Turns without hurry compare what was published before.
  let hurry = true;
  let missing: string[] = [];
  try {
    await until('everything is folded and published', async () => {
      accountant.step();
      const { caughtUp, problem } = accountant.snapshot();
      if (problem !== '') throw new Error(problem);
      accountant.between((units) => publisher.turn(units, hurry));
      hurry = !hurry;
      if (!caughtUp || accountant.busy || accountant.between((units) => units.lag().rows) !== 0) return false;
      missing = await lost(rig, [dataDir]).catch((error: unknown) => [String(error)]);
      return missing.length === 0;
    }, SETTLE_LIMIT_MS);
  } catch (error) {
    throw new Error(`${String(error)}; ${publisher.figures(undefined).problem}; missing are ${missing.slice(0, 5).join('; ')}`, { cause: error });
  } finally {
    accountant.close();
    await publisher.close();
  }
}
