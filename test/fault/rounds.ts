/** Random sequences of faults from one seed: topology, hosts, faults, their moments, and what happens at the same time. */
import { seededRandom, type Random } from '../../config/world.ts';
import { HOST_FAULTS, type HostFault } from './host-faults.ts';
import { failOverToStale, loseMaster, moveSlots, SERVER_FAULTS, SINGLE_FAULTS, type Fault } from './redis-faults.ts';
import { Scenario, type ScenarioOptions, type Topology } from './scenario.ts';
import { Cleanup } from './waiting.ts';

/** Faults of Redis that a topology can suffer. */
const REDIS_FAULTS: Readonly<Record<Topology, Readonly<Record<string, Fault>>>> = {
  single: { ...SERVER_FAULTS, ...SINGLE_FAULTS },
  sentinel: { ...SERVER_FAULTS, 'a replica that had stopped takes over': failOverToStale },
  cluster: { ...SERVER_FAULTS, 'a master is lost': loseMaster, 'slots move': moveSlots },
};

interface Step {
  /** Further answers before it. */
  readonly after: number;
  readonly redis?: string | undefined;
  /** Fault of a host, and which. */
  readonly host?: { readonly name: string; readonly site: number } | undefined;
}

export interface Plan {
  readonly options: ScenarioOptions;
  readonly steps: readonly Step[];
}

function pick<T>(random: Random, from: readonly T[]): T {
  const found = from[random.u32() % from.length];
  if (found === undefined) throw new Error('there is nothing to pick from');
  return found;
}

/** Everything about a round that its seed decides beforehand. */
export function planOf(seed: number): Plan {
  const random = seededRandom(seed);
  const topology = pick(random, ['single', 'single', 'single', 'cluster', 'sentinel'] as const);
  const hosts = 1 + (random.u32() % (topology === 'single' ? 2 : 3));
  const steps = Array.from({ length: 2 + (random.u32() % 4) }, (): Step => {
    const kind = random.u32() % 3;
    const host = { name: pick(random, Object.keys(HOST_FAULTS)), site: random.u32() % hosts };
    const redis = pick(random, Object.keys(REDIS_FAULTS[topology]));
    return { after: random.u32() % 80, redis: kind === 0 ? undefined : redis, host: kind === 1 ? undefined : host };
  });
  return { options: { topology, hosts, seed, machines: 12 + (random.u32() % 20), processes: 1 + (random.u32() % 2), ownAddresses: random.u32() % 2 === 0 }, steps };
}

function describeStep({ after, redis, host }: Step): string {
  const parts = [redis, host === undefined ? undefined : `site${host.site + 1}: ${host.name}`];
  return `after ${after} answers ${parts.filter((part) => part !== undefined).join(' + ')}`;
}

/** One line: what the round does. */
export function describePlan({ options, steps }: Plan): string {
  return `${options.topology}, ${options.hosts} hosts of ${options.machines} machines and ${options.processes} proxy processes: ${steps.map(describeStep).join('; ')}`;
}

/** Plays a round and checks everything that is always true. Rejects with what is not. */
export async function playRound({ options, steps }: Plan): Promise<void> {
  const cleanup = new Cleanup();
  try {
    const scenario = await Scenario.begin(options, cleanup);
    for (const step of steps) {
      await scenario.answers(step.after);
      await play(scenario, step).catch((error: unknown) => {
        throw new Error(`${describeStep(step)}: ${String(error)}`, { cause: error });
      });
    }
    await scenario.answers(20);
    await scenario.nothingLost();
    await scenario.finish();
  } finally {
    await cleanup.run();
  }
}

function named<F>(faults: Readonly<Record<string, F>>, name: string): F {
  const found = faults[name];
  if (found === undefined) throw new Error(`there is no fault "${name}" here`);
  return found;
}

async function play(scenario: Scenario, { redis, host }: Step): Promise<void> {
  const results = await Promise.allSettled([
    redis === undefined ? undefined : named(REDIS_FAULTS[scenario.topology], redis)(scenario),
    host === undefined ? undefined : named<HostFault>(HOST_FAULTS, host.name)(scenario, scenario.site(host.site)),
  ]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
