/**
 * A whole farm in one process from one seed: the real `Farm`, machines that really search, pools that really judge, a journal
 * that commits, stalls and fails, and a clock that moves by hand. Whatever breaks, breaks again with the same seed.
 */
import { parseConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { seededRandom, type Random } from '../../config/world.ts';
import { parseDownstream } from '../../proxy/protocol/downstream.ts';
import { parseUpstream } from '../../proxy/protocol/upstream.ts';
import { Farm } from '../../proxy/session/farm.ts';
import type { Link } from '../../proxy/session/link.ts';
import { onlyRun } from '../../proxy/session/run.ts';
import type { Session } from '../../proxy/session/session.ts';
import type { Now } from '../../proxy/session/sink.ts';
import { Evidence } from './evidence.ts';
import { EventQueue } from './queue.ts';
import { Recorder, type Peers } from './recorder.ts';
import { SimMachine, type MachineHabits } from './sim-machine.ts';
import { SimPool, type PoolHabits } from './sim-pool.ts';

const START_WALL_MS = 1_760_000_000_000;
const STEP_MS = 100;

/** A configuration from YAML, for tests. */
export function configOf(yaml: string): Config {
  const parsed = parseConfig(yaml, '/nowhere/weighbridge.yaml');
  if (parsed.config === undefined) throw new Error(parsed.problems?.map(({ path, message }) => `${path} ${message}`).join('; '));
  return parsed.config;
}

export interface SimOptions {
  readonly seed: number;
  readonly yaml: string;
  readonly pools: readonly { readonly habits: PoolHabits; readonly difficulty: string }[];
  /** Longest time a line is under way. */
  readonly latencyMs?: number;
}

export class SimFarm implements Peers {
  readonly random: Random;
  readonly recorder = new Recorder();
  readonly config: Config;
  readonly farm: Farm;
  readonly machines: SimMachine[] = [];
  readonly pools = new Map<string, SimPool>();
  /** Sessions closed by the farm, by reason. */
  readonly closes = new Map<string, number>();
  readonly faults: string[] = [];
  journal: 'commits' | 'stalls' | 'fails' = 'commits';
  monoMs = 0;
  private readonly queue: EventQueue;
  private readonly latencyMs: number;
  private readonly sessionOf = new Map<SimMachine, Session>();
  private readonly machineOf = new Map<Session, SimMachine>();
  private readonly linkOf = new Map<SimPool, Link>();
  private port = 10_000;

  constructor(options: SimOptions) {
    this.random = seededRandom(options.seed);
    this.queue = new EventQueue(this.random);
    this.latencyMs = options.latencyMs ?? 60;
    this.config = configOf(options.yaml);
    for (const { habits, difficulty } of options.pools) this.pools.set(habits.name, new SimPool(habits, difficulty, this.random));
    this.recorder.peers = this;
    this.farm = new Farm({ config: this.config, random: this.random, sink: this.recorder, run: onlyRun('b001'), learnt: new Map() }, this.now);
    this.farm.start(this.now);
  }

  get now(): Now {
    return { wallMs: START_WALL_MS + Math.round(this.monoMs), monoMs: this.monoMs };
  }

  get nowS(): number {
    return Math.floor(this.now.wallMs / 1000);
  }

  pool(name: string): SimPool {
    const pool = this.pools.get(name);
    if (pool === undefined) throw new Error(`no pool ${name} in this simulation`);
    return pool;
  }

  private later(from: object, fire: () => void): void {
    this.queue.add(from, this.monoMs, this.latencyMs, fire);
  }

  // Machines

  addMachine(habits: MachineHabits): SimMachine {
    const machine = new SimMachine(habits, this.random);
    this.machines.push(machine);
    return machine;
  }

  connect(machine: SimMachine): void {
    const session = this.farm.connected('north', `10.0.0.1:${this.port++}`, this.now);
    if (session === undefined) return;
    this.sessionOf.set(machine, session);
    this.machineOf.set(session, machine);
    machine.connect((line) => {
      this.later(session, () => {
        if (this.sessionOf.get(machine) === session) this.farm.message(session, parseDownstream(line, 16), this.now);
      });
    });
  }

  /** The machine's side closes; `notices` false leaves the proxy with a half-open socket. */
  disconnect(machine: SimMachine, notices = true): void {
    const session = this.sessionOf.get(machine);
    machine.gone();
    this.sessionOf.delete(machine);
    if (session === undefined) return;
    this.machineOf.delete(session);
    if (notices) this.farm.disconnected(session, 'closed by the machine', this.now);
  }

  sessionFor(machine: SimMachine): Session | undefined {
    return this.sessionOf.get(machine);
  }

  toMachine(session: Session, line: string): void {
    const machine = this.machineOf.get(session);
    if (machine === undefined) return;
    this.later(machine, () => {
      if (this.machineOf.get(session) === machine) machine.line(line);
    });
  }

  closed(session: Session, reason: string): void {
    this.closes.set(reason, (this.closes.get(reason) ?? 0) + 1);
    const machine = this.machineOf.get(session);
    this.machineOf.delete(session);
    if (machine === undefined || this.sessionOf.get(machine) !== session) return;
    this.sessionOf.delete(machine);
    machine.gone();
  }

  // Pools

  dialled(link: Link): void {
    const pool = this.pool(link.pool);
    this.later(link, () => {
      if (!pool.up) {
        this.farm.linkClosed(link, 'connection refused', this.now);
        return;
      }
      this.linkOf.set(pool, link);
      pool.connect((line) => this.later(link, () => this.linkOf.get(pool) === link && this.farm.linkMessage(link, parseUpstream(line), this.now)));
      this.farm.linkOpened(link, this.now);
    });
  }

  toPool(link: Link, line: string): void {
    const pool = this.pool(link.pool);
    if (this.linkOf.get(pool) !== link) return;
    this.later(pool, () => this.linkOf.get(pool) === link && pool.line(line, this.nowS));
  }

  hungUp(link: Link): void {
    const pool = this.pool(link.pool);
    if (this.linkOf.get(pool) !== link) return;
    this.linkOf.delete(pool);
    pool.gone();
  }

  /** The pool's host dies: its connection breaks and nothing listens. */
  kill(pool: SimPool): void {
    pool.up = false;
    const link = this.linkOf.get(pool);
    this.linkOf.delete(pool);
    pool.gone();
    if (link !== undefined) this.farm.linkClosed(link, 'connection reset', this.now);
  }

  // Time

  /** Moves the clock, with everything that happens meanwhile; machines mine and hand in what `act` does not keep. */
  run(ms: number, act?: (machine: SimMachine) => void): void {
    const until = this.monoMs + ms;
    while (this.monoMs < until) {
      this.monoMs += STEP_MS;
      for (let fire = this.queue.next(this.monoMs); fire !== undefined; fire = this.queue.next(this.monoMs)) fire();
      for (const machine of this.machines) {
        if (act !== undefined) act(machine);
        else for (const share of machine.mine(STEP_MS / 1000)) machine.submit(share);
      }
      if (this.monoMs % 1000 === 0) this.farm.tick(this.now);
      if (this.journal === 'commits') this.recorder.commit(this.farm, this.now);
      else if (this.journal === 'fails') this.recorder.fail(this.farm, this.now);
    }
  }

  /** Lets everything under way arrive or be given up, without any new share. */
  settle(): void {
    this.journal = 'commits';
    this.run(this.config.timeouts.poolSilentMs + 5000, () => {});
  }

  /** A journal segment that began now: what is live, then what is not durable yet. Says what refers to nothing. */
  orphansAfterRotation(): string[] {
    const evidence = new Evidence();
    for (const fact of this.farm.liveFacts()) evidence.read(fact, true);
    for (const fact of this.recorder.facts.slice(this.recorder.settled)) evidence.read(fact);
    return evidence.orphans;
  }
}
