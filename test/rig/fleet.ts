/** Many machines from one seed, ground in turn so that one core's time is shared fairly and no tick runs long. */
import { seededRandom, type Timer, type World } from '../../config/world.ts';
import type { FirmwareName } from './firmware.ts';
import type { MachineOptions, Reply } from './machine-options.ts';
import { SimulatedMachine } from './machine.ts';

const TICK_MS = 25;
/** Longest a tick may grind; what is left is owed to the next. */
const TICK_BUDGET_MS = 20;

/** One machine of a fleet; everything that a machine takes but the world and the seed. */
export type FleetMember = Omit<MachineOptions, 'world' | 'seed'>;

export interface FleetOptions {
  readonly seed: number;
  readonly members: readonly FleetMember[];
  /** Machines are switched on one after another over this time. */
  readonly rampMs?: number;
}

/** What one machine did, as it can be sent between processes. */
export interface MachineSummary {
  readonly user: string;
  readonly hashesPerSecond: number;
  readonly hashes: number;
  readonly hashesSkipped: number;
  readonly submits: number;
  readonly answeredTrue: number;
  readonly answeredFalse: number;
  readonly waiting: number;
  readonly unanswered: number;
  readonly connects: number;
  readonly disconnects: number;
  readonly notifies: number;
  readonly mining: boolean;
}

/** Every reply and every submit that never got one. */
export interface MachineRecord {
  readonly user: string;
  readonly replies: readonly Reply[];
  readonly unanswered: readonly { readonly headerHex: string; readonly exponent: number }[];
}

export class Fleet {
  readonly machines: readonly SimulatedMachine[];
  readonly #world: World;
  readonly #rampMs: number;
  #timers: Timer[] = [];
  #first = 0;

  constructor(world: World, options: FleetOptions) {
    const random = seededRandom(options.seed);
    this.#world = world;
    this.#rampMs = options.rampMs ?? 0;
    this.machines = options.members.map((member) => new SimulatedMachine({ ...member, world, seed: random.u32() }));
  }

  start(): void {
    const gapMs = this.#rampMs / Math.max(1, this.machines.length);
    this.machines.forEach((machine, index) => {
      if (this.#rampMs === 0) machine.start();
      else this.#timers.push(this.#world.after(index * gapMs, () => machine.start()));
    });
    this.#timers.push(this.#world.every(TICK_MS, () => this.#tick()));
  }

  /** All machines stop hashing but stay connected, so that the last answers arrive. */
  rest(): void {
    for (const machine of this.machines) machine.rest();
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    for (const machine of this.machines) machine.stop();
  }

  summaries(): MachineSummary[] {
    return this.machines.map(summaryOf);
  }

  records(): MachineRecord[] {
    return this.machines.map(({ options, replies, unanswered }) => ({ user: options.user, replies, unanswered }));
  }

  /** Begins where the last tick ended, so that a tick cut short starves nobody twice. */
  #tick(): void {
    const deadlineMs = this.#world.monoMs() + TICK_BUDGET_MS;
    const count = this.machines.length;
    let done = 0;
    while (done < count && this.#world.monoMs() < deadlineMs) {
      this.machines[(this.#first + done) % count]?.tick(deadlineMs);
      done += 1;
    }
    this.#first = (this.#first + done) % Math.max(1, count);
  }
}

function summaryOf(machine: SimulatedMachine): MachineSummary {
  const { options, hashes, hashesSkipped, submits, waiting, connects, disconnects, notifies, mining } = machine;
  const answeredTrue = machine.replies.reduce((sum, reply) => sum + (reply.value ? 1 : 0), 0);
  return {
    user: options.user,
    hashesPerSecond: options.hashesPerSecond,
    hashes,
    hashesSkipped,
    submits,
    answeredTrue,
    answeredFalse: machine.replies.length - answeredTrue,
    waiting,
    unanswered: machine.unanswered.length,
    connects,
    disconnects,
    notifies,
    mining,
  };
}

export interface GroupSpec {
  readonly port: number;
  /** Worker names are `<prefix><two digits>`. */
  readonly prefix: string;
  readonly count: number;
}

const COMMON_FIRMWARES: readonly FirmwareName[] = ['antminer', 'bitaxe', 'braiins', 'whatsminer', 'luxminer', 'cgminer'];

/** `spec.count` members of firmware and strength drawn from `seed`: 1 to `spread` times `hashesPerSecond`. */
export function drawMembers(spec: GroupSpec, seed: number, hashesPerSecond: number, spread: number): FleetMember[] {
  const random = seededRandom(seed);
  return Array.from({ length: spec.count }, (_, index) => ({
    port: spec.port,
    user: `${spec.prefix}${String(index + 1).padStart(2, '0')}`,
    firmware: COMMON_FIRMWARES[random.u32() % COMMON_FIRMWARES.length] ?? 'cgminer',
    hashesPerSecond: Math.round(hashesPerSecond * (1 + random.fraction() * (spread - 1))),
    resumes: true,
  }));
}
