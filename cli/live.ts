/** Machines connected now: of this host from its instance, of the others from the shared ledger. */
import { hostname } from 'node:os';
import { readHostId } from '../accounting/redis/host.ts';
import { readLive } from '../accounting/redis/live.ts';
import { openRedis } from '../accounting/redis/open.ts';
import { askInstance, NotRunningError } from '../proxy/net/control.ts';
import type { MachineSnapshot } from '../proxy/net/messages.ts';
import { sharedConfig } from './book.ts';
import { dataDirectory } from './instance.ts';
import type { Io } from './io.ts';
import type { ParsedOptions } from './options.ts';

const ANSWER_LIMIT_MS = 5_000;

export interface LiveMachine extends MachineSnapshot {
  /** Name of the computer whose instance it is connected to. */
  readonly host: string;
}

/** Rejects with NotRunningError when this host's instance does not run and there are no others to tell of. */
export async function liveMachines(options: ParsedOptions, io: Io): Promise<LiveMachine[]> {
  const others = await machinesElsewhere(options, io);
  try {
    const own = await askInstance(dataDirectory(options), 'machines', io.world, ANSWER_LIMIT_MS);
    return [...own.map((machine) => ({ ...machine, host: hostname() })), ...(others ?? [])];
  } catch (error) {
    if (others === undefined || !(error instanceof NotRunningError)) throw error;
    io.err('The instance of this host is not running; these are the machines of the others.\n');
    return others;
  }
}

/** Undefined where nothing is shared. A host's list is up to ten seconds old. */
async function machinesElsewhere(options: ParsedOptions, io: Io): Promise<LiveMachine[] | undefined> {
  const shared = sharedConfig(options);
  if (shared === undefined) return undefined;
  const redis = await openRedis(shared, io.world);
  try {
    const own = readHostId(dataDirectory(options));
    const hosts = (await readLive(redis, shared.prefix)).filter(({ host }) => host !== own);
    // Written by the same program on another host, perhaps of an earlier version.
    return hosts.flatMap(({ name, machines }) => (machines as MachineSnapshot[]).map((machine) => ({ ...machine, leases: machine.leases ?? [], host: name })));
  } finally {
    redis.close();
  }
}
