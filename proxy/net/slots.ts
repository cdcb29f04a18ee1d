/** All proxy processes of an instance: started together, replaced one by one, and reported as one. */
import { logEvent, type Logger } from '../../config/log.ts';
import type { Config } from '../../config/schema.ts';
import type { Timer, World } from '../../config/world.ts';
import type { ProcessState } from '../../metrics/catalogue.ts';
import type { Reconfigured } from '../session/reconfigure.ts';
import { AHEAD_MIN, AWAIT_MS, giveRoom, shareHosts } from './among-processes.ts';
import type { ChildEvents, ChildHandle } from './child.ts';
import { Debugging } from './debugging.ts';
import { Doors } from './doors.ts';
import { trimExtranonces } from './extranonce-file.ts';
import { InstanceError } from './instance.ts';
import { mergeSnapshots } from './merge.ts';
import type { DebugOrder, MachineSnapshot, ProxySnapshot } from './messages.ts';
import type { Identity } from './proxy-process.ts';
import { Runs } from './runs.ts';
import { Slot, type Address } from './slot.ts';

/** A process that does not listen by then will not. */
const START_LIMIT_MS = 30_000;
/** A stop flushes the journal first. */
const STOP_LIMIT_MS = 1_100;
/** How long a drained process may take beyond its time: sessions that owe answers, pools that owe verdicts. */
const DRAIN_GRACE_MS = 12_000;
/** How often processes hear how many sessions an address has elsewhere. */
const HOSTS_MS = 1_000;

export interface ProcessStatus {
  /** From 1 on. */
  readonly process: number;
  readonly state: ProcessState;
  readonly pid: number | undefined;
  /** UUID of the run, as in the journal; undefined until it reports. */
  readonly run: string | undefined;
  readonly version: string | undefined;
  readonly startedMs: number | undefined;
  readonly sessions: number;
  /** Started again after a crash. */
  readonly restarts: number;
}

export interface Replaced {
  readonly process: number;
  readonly pidBefore: number | undefined;
  readonly pid: number | undefined;
  /** Machines that were moved. */
  readonly sessions: number;
  readonly tookMs: number;
}

export interface SlotsOptions {
  /** At the start. */
  readonly config: Config;
  readonly count: number;
  readonly world: World;
  readonly log: Logger;
  /** Told of every report of a process, with its name in metrics. */
  readonly onReport: (name: string, snapshot: ProxySnapshot) => void;
  readonly spawn: (config: Config, identity: Identity, events: ChildEvents) => ChildHandle;
}

export class Slots {
  readonly #options: SlotsOptions;
  #config: Config;
  readonly #doors = new Doors();
  readonly #runs: Runs;
  /** By number; one that is being replaced is in `#leaving`. */
  readonly #slots: Slot[];
  readonly #leaving = new Set<Slot>();
  readonly #debugging: Debugging;
  #endedRestarts = 0;
  #sharing: Timer | undefined;
  #awaiting: Timer | undefined;
  #busy = '';
  /** Configurations being put in force. */
  #configuring: Promise<unknown> = Promise.resolve();
  #emptying = false;
  #started = false;
  #stopped = false;

  constructor(options: SlotsOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#debugging = new Debugging(options.world);
    trimExtranonces(options.config.data);
    this.#runs = new Runs(options.config.data, options.world.random, () => options.count);
    this.#slots = Array.from({ length: options.count }, (_, index) => this.#newSlot(index + 1));
  }

  #newSlot(number: number): Slot {
    const { count, world, log, spawn, onReport } = this.#options;
    const slot: Slot = new Slot({
      number,
      name: count === 1 ? 'proxy process' : `proxy process ${number}`,
      world,
      spawn: (run, events) => spawn(this.#config, { process: number, run, waitsForPools: !this.#started }, events),
      takeRun: () => this.#runs.take(),
      endRun: (run) => this.#runs.end(run),
      doors: () => this.#doors.list(),
      firstRoom: () => (count === 1 ? undefined : AHEAD_MIN),
      onSnapshot: (snapshot) => onReport(this.#metricsName(number), snapshot),
      onBrought: (sessionId, atMs) => this.#brought(slot, sessionId, atMs),
      onWishes: (wishes) => this.#slots.forEach((slot) => slot.send({ type: 'wishes', wishes })),
      // To the one that has its place by now.
      onSplits: (added) => this.#slots[number - 1]?.send({ type: 'splits', added }),
      onChange: () => this.#balance(),
      debug: () => this.#debugging.order,
      onTrouble: (event, sentence) => logEvent(log, event, { child: this.#metricsName(number) }, sentence),
    });
    return slot;
  }

  get #all(): Slot[] {
    return [...this.#slots, ...this.#leaving];
  }

  /** Binds the listeners and starts every process; resolves when all of them listen. Rejects with InstanceError. */
  async start(): Promise<void> {
    await this.#doors.open(this.#config.sites);
    if (this.#stopped) return;
    await Promise.all(this.#slots.map((slot) => slot.start(START_LIMIT_MS)));
    this.#started = true;
    if (this.#slots.length > 1) this.#sharing = this.#options.world.every(HOSTS_MS, () => shareHosts(this.#all, this.#config.limits.sessionsPerAddressMax));
  }

  /** Debug lines of every process, also of those that begin while they are wanted. */
  debug(order: DebugOrder): void {
    this.#debugging.take(order);
    for (const slot of this.#all) slot.send(order);
  }

  /** Machines about which debug lines are written now, as a glob; '' for none. */
  get debugged(): string {
    return this.#debugging.order?.worker ?? '';
  }

  /** Where machines connect; empty when no process listens. */
  get listening(): readonly Address[] {
    if (!this.#slots.some(({ state }) => state === 'serving')) return [];
    return this.#doors.list().flatMap(({ door, port }) =>
      door.sites.map((site) => ({ site, address: `${door.host.includes(':') ? `[${door.host}]` : door.host}:${port}` })),
    );
  }

  get restarts(): number {
    return this.#all.reduce((sum, { child }) => sum + child.restarts, this.#endedRestarts);
  }

  /** Metrics tell processes apart by it. */
  #metricsName(number: number): string {
    return this.#options.count === 1 ? 'proxy' : `proxy-${number}`;
  }

  /** Last reports of the processes that are well. */
  reports(): (readonly [name: string, snapshot: ProxySnapshot])[] {
    return this.#all.flatMap(({ number, snapshot }) => (snapshot === undefined ? [] : [[this.#metricsName(number), snapshot] as const]));
  }

  /** What all that report hold, as one process; undefined when none does. */
  snapshot(): ProxySnapshot | undefined {
    const staying = this.#slots.flatMap(({ snapshot }) => snapshot ?? []);
    // How far splits had come has been taken over by the successor.
    const leaving = [...this.#leaving].flatMap(({ snapshot }) => (snapshot === undefined ? [] : { ...snapshot, splits: [] }));
    return mergeSnapshots([...staying, ...leaving]);
  }

  slots(): readonly Slot[] {
    return this.#all;
  }

  processes(): ProcessStatus[] {
    return this.#all.map((slot) => ({
      process: slot.number,
      state: slot.state,
      pid: slot.child.pid,
      run: slot.snapshot?.process,
      version: slot.snapshot?.version,
      startedMs: slot.snapshot?.startedMs,
      sessions: slot.sessions,
      restarts: slot.child.restarts,
    }));
  }

  /** Machines of all processes that answer; undefined when none does within 2 s. */
  async machines(): Promise<readonly MachineSnapshot[] | undefined> {
    const answers = await Promise.all(this.#all.map((slot) => slot.machines()));
    const given = answers.filter((answer) => answer !== undefined);
    return given.length === 0 ? undefined : given.flat();
  }

  #balance(): void {
    if (this.#slots.length === 1 || this.#stopped) return;
    this.#awaiting?.cancel();
    this.#awaiting = giveRoom(this.#slots) ? this.#options.world.after(AWAIT_MS, () => this.#balance()) : undefined;
  }

  #brought(to: Slot, sessionId: string, atMs: number): void {
    for (const slot of this.#all) if (slot !== to) slot.send({ type: 'taken', sessionId, atMs });
  }

  /**
   * Puts another configuration in force in every process, also in those that come and go at the moment. Rejects with InstanceError,
   * and nothing has changed, when an address it wants to listen on cannot be had, or the instance is on its way out.
   */
  configure(config: Config): Promise<Reconfigured> {
    const outcome = this.#configuring.then(() => this.#configure(config));
    this.#configuring = outcome.catch(() => undefined);
    return outcome;
  }

  async #configure(config: Config): Promise<Reconfigured> {
    const state = this.#stopped ? 'stopping' : this.#emptying ? 'being emptied' : this.#started ? undefined : 'still starting';
    if (state !== undefined) throw new InstanceError(`The instance is ${state}, and nothing was changed.`);
    await this.#doors.open(config.sites);
    this.#config = config;
    const outcomes = await Promise.all(this.#all.filter(({ child }) => child.running).map((slot) => slot.configure(config)));
    this.#doors.keepOnly(config.sites);
    this.#balance();
    const given = outcomes.filter((outcome) => outcome !== undefined);
    return { rerouted: given.reduce((sum, each) => sum + each.rerouted, 0), leaving: given.reduce((sum, each) => sum + each.leaving, 0) };
  }

  /**
   * Replaces processes one by one: the new one listens before the old one's machines are moved over `overMs`. Rejects with
   * InstanceError when a new one does not come up; the old one then goes on, and what was replaced before stays replaced.
   */
  restart(numbers: readonly number[], overMs: number): Promise<Replaced[]> {
    return this.#exclusively('restart', async () => {
      const replaced: Replaced[] = [];
      for (const number of numbers) replaced.push(await this.#replace(number, overMs));
      return replaced;
    });
  }

  async #replace(number: number, overMs: number): Promise<Replaced> {
    const { world, log } = this.#options;
    const beganMs = world.monoMs();
    const old = this.#slots[number - 1]!;
    const next = this.#newSlot(number);
    await old.handOver(true);
    this.#goesOn();
    this.#leaving.add(next);
    try {
      await next.start(START_LIMIT_MS);
    } catch (error) {
      next.child.kill();
      await old.handOver(false);
      throw error;
    } finally {
      this.#leaving.delete(next);
    }
    this.#slots[number - 1] = next;
    const { sessions } = old;
    const pidBefore = old.child.pid;
    logEvent(log, 'process replaced', { child: this.#metricsName(number), sessions, overMs });
    this.#leaving.add(old);
    await old.drain(overMs, STOP_LIMIT_MS, DRAIN_GRACE_MS);
    this.#leaving.delete(old);
    this.#endedRestarts += old.child.restarts;
    this.#goesOn();
    return { process: number, pidBefore, pid: next.child.pid, sessions, tookMs: Math.round(world.monoMs() - beganMs) };
  }

  /** Nothing may be started any more once the instance stops. */
  #goesOn(): void {
    if (this.#stopped) throw new InstanceError('The instance has been told to stop.');
  }

  /** Takes the machines away from one process and ends it. Rejects with InstanceError when no other one serves. */
  drain(number: number, overMs: number): Promise<{ readonly sessions: number }> {
    return this.#exclusively('drain', async () => {
      const slot = this.#slots[number - 1]!;
      if (!this.#slots.some((other) => other !== slot && other.state === 'serving')) {
        throw new InstanceError(`No other process would serve the machines of process ${number}; leave out --process to empty the instance, or use restart.`);
      }
      const { sessions } = slot;
      await slot.drain(overMs, STOP_LIMIT_MS, DRAIN_GRACE_MS);
      return { sessions };
    });
  }

  /** Closes the listeners, so that machines turn to where else they are configured, and takes all machines away. */
  drainAll(overMs: number): Promise<{ readonly sessions: number }> {
    return this.#exclusively('drain', async () => {
      this.#emptying = true;
      await this.#configuring;
      const sessions = this.#slots.reduce((sum, slot) => sum + slot.sessions, 0);
      this.#doors.close();
      await Promise.all(this.#slots.map((slot) => slot.drain(overMs, STOP_LIMIT_MS, DRAIN_GRACE_MS)));
      return { sessions };
    });
  }

  /** The numbers of all processes, or the one asked for; throws InstanceError when there is no such process. */
  numbers(asked: number | undefined): number[] {
    const all = this.#slots.map(({ number }) => number);
    if (asked === undefined) return all;
    if (all.includes(asked)) return [asked];
    throw new InstanceError(`There is no process ${asked}; there ${all.length === 1 ? 'is process 1' : `are processes 1 to ${all.length}`}.`);
  }

  async #exclusively<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (!this.#started) throw new InstanceError('The instance is still starting; try again when machines can connect.');
    if (this.#busy !== '') throw new InstanceError(`A ${this.#busy} is going on; try again when it is done (\`weighbridge status\` shows it).`);
    this.#busy = what;
    try {
      return await work();
    } finally {
      this.#busy = '';
    }
  }

  /** Ends all processes; resolves to the numbers of those that had to be killed. */
  async stop(): Promise<number[]> {
    this.#stopped = true;
    this.#close();
    const slots = this.#all;
    const ends = await Promise.all(slots.map(({ child }) => child.stop(STOP_LIMIT_MS)));
    return slots.filter((_, index) => ends[index] === 'killed').map(({ number }) => number);
  }

  kill(): void {
    this.#stopped = true;
    this.#close();
    for (const { child } of this.#all) child.kill();
  }

  #close(): void {
    this.#sharing?.cancel();
    this.#awaiting?.cancel();
    this.#doors.close();
    for (const slot of this.#all) slot.abandon();
  }
}
