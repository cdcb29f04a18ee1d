/** One of the places for a proxy process: the process in it, started again when it crashes, and what it last reported. */
import type { LogEvent } from '../../config/log-events.ts';
import type { Config } from '../../config/schema.ts';
import type { World } from '../../config/world.ts';
import type { ProcessState } from '../../metrics/catalogue.ts';
import type { Reconfigured } from '../session/reconfigure.ts';
import type { Run } from '../session/run.ts';
import { Child, type ChildEvents, type ChildHandle } from './child.ts';
import type { OpenDoor } from './doors.ts';
import { InstanceError } from './instance.ts';
import type { DebugOrder, FromProxy, MachineSnapshot, ProxySnapshot, SplitsAdded, ToProxy } from './messages.ts';
import { Requests } from './requests.ts';

const ANSWER_LIMIT_MS = 2_000;
/** Every session of a process is looked at. */
const CONFIGURE_LIMIT_MS = 10_000;
/** Snapshots come every second; a process silent for this long is not well. */
export const PROCESS_SILENT_MS = 5_000;

export type Address = { readonly site: string; readonly address: string };

type Trouble = Extract<LogEvent, 'child ended' | 'child failed' | 'unknown message'>;

export interface SlotOptions {
  /** From 1 on. */
  readonly number: number;
  /** How sentences call it. */
  readonly name: string;
  readonly world: World;
  readonly spawn: (run: Run, events: ChildEvents) => ChildHandle;
  readonly takeRun: () => Run;
  readonly endRun: (run: Run) => void;
  readonly doors: () => readonly OpenDoor[];
  /** Sessions that a new process may take before it is told more; undefined: any number. */
  readonly firstRoom: () => number | undefined;
  readonly onSnapshot: (snapshot: ProxySnapshot) => void;
  readonly onBrought: (sessionId: string, atMs: number) => void;
  /** What it knows of machines that are about to leave it. */
  readonly onWishes: (wishes: Extract<FromProxy, { type: 'wishes' }>['wishes']) => void;
  /** What its splits had since its successor began. */
  readonly onSplits: (added: SplitsAdded) => void;
  /** It has more or fewer sessions than before, listens, or is gone. */
  readonly onChange: () => void;
  /** Debug lines that are wanted of a process that begins. */
  readonly debug: () => DebugOrder | undefined;
  readonly onTrouble: (event: Trouble, sentence: string) => void;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: InstanceError) => void;
}

export class Slot {
  readonly number: number;
  readonly child: Child;
  hosts: Readonly<Record<string, number>> = {};
  /** Connections as of a few milliseconds ago. */
  sessions = 0;
  #accepts = true;
  #room = Number.POSITIVE_INFINITY;
  #listening: readonly Address[] = [];
  readonly #options: SlotOptions;
  readonly #machines: Requests<readonly MachineSnapshot[]>;
  readonly #configurations: Requests<Reconfigured>;
  readonly #handOvers: Requests<true>;
  #snapshot: ProxySnapshot | undefined;
  #snapshotMonoMs = 0;
  #run: Run | undefined;
  #intent: 'serve' | 'drain' | 'rest' = 'serve';
  #start: Waiting | undefined;
  #drained: () => void = () => undefined;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.number = options.number;
    this.#machines = new Requests(options.world, ANSWER_LIMIT_MS);
    this.#configurations = new Requests(options.world, CONFIGURE_LIMIT_MS);
    this.#handOvers = new Requests(options.world, ANSWER_LIMIT_MS);
    this.child = new Child({
      name: options.name,
      world: options.world,
      spawn: (events) => this.#spawn(events),
      onMessage: (message) => this.#hear(message as FromProxy),
      onCrash: (sentence) => this.#crashed(sentence),
      onGone: () => this.#gone(),
    });
  }

  get listening(): readonly Address[] {
    return this.#listening;
  }

  /** `drained`: nothing runs here, and nothing is to, until it is restarted by command. */
  get state(): ProcessState {
    if (this.#intent === 'rest') return 'drained';
    if (this.#intent === 'drain') return 'draining';
    if (!this.child.running) return this.child.looping ? 'looping' : 'down';
    if (this.child.looping) return 'looping';
    return this.#listening.length > 0 ? 'serving' : 'starting';
  }

  /** What it reported last; undefined when that is long ago. */
  get snapshot(): ProxySnapshot | undefined {
    return this.#options.world.monoMs() - this.#snapshotMonoMs <= PROCESS_SILENT_MS ? this.#snapshot : undefined;
  }

  /** Resolves when it listens; rejects with InstanceError when its first process cannot, or ends before. */
  start(limitMs: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const limit = this.#options.world.after(limitMs, () =>
        this.#start?.reject(new InstanceError(`The ${this.#options.name} did not listen within ${limitMs / 1000} s; its log lines say what it waits for.`)),
      );
      const settle = (then: () => void): void => {
        this.#start = undefined;
        limit.cancel();
        then();
      };
      this.#start = { resolve: () => settle(resolve), reject: (error) => settle(() => reject(error)) };
      this.child.start();
    });
  }

  #spawn(events: ChildEvents): ChildHandle {
    this.#run = this.#options.takeRun();
    const handle = this.#options.spawn(this.#run, events);
    const room = this.#options.firstRoom();
    if (room !== undefined) {
      handle.send({ type: 'room', room } satisfies ToProxy);
      this.#room = room;
    }
    const debug = this.#options.debug();
    if (debug !== undefined) handle.send(debug);
    this.#sendDoors(handle);
    return handle;
  }

  #sendDoors(to: { send(message: object, handle?: unknown): boolean }): void {
    for (const { door, handle, port } of this.#options.doors()) to.send({ type: 'door', key: door.key, port } satisfies ToProxy, handle);
  }

  /**
   * Lets it take connections up to so many sessions. `margin`: a change smaller than that is not worth a message as long as it
   * has more room than that left.
   */
  makeRoom(room: number, margin: number): void {
    if (room < this.#room || this.sessions + margin >= this.#room) {
      if (room !== this.#room) this.send({ type: 'room', room });
      this.#room = room;
    }
    // Whoever reached its limit has let go of the sockets.
    if (!this.#accepts && this.sessions < this.#room) this.#sendDoors(this.child);
  }

  send(message: ToProxy): boolean {
    return this.child.send(message);
  }

  machines(): Promise<readonly MachineSnapshot[] | undefined> {
    return this.#machines.ask((request) => this.send({ type: 'machines', request }));
  }

  /** Puts another configuration in force; undefined when the process does not answer: it then ends or has ended, and starts with it. */
  configure(config: Config): Promise<Reconfigured | undefined> {
    this.send({ type: 'configure', config });
    if (this.#intent === 'serve') this.#sendDoors(this.child);
    // Messages keep their order: when this one is answered, the process listens.
    return this.#configurations.ask((request) => this.send({ type: 'outcome', request }));
  }

  /** Another process is about to take its place (`on`), or could not; settles when it knows. */
  async handOver(on: boolean): Promise<void> {
    await this.#handOvers.ask((request) => this.send({ type: 'hand-over', request, on }));
  }

  /** Takes the machines away over `overMs` and ends the process; resolves when it is gone. It is not started again. */
  async drain(overMs: number, stopLimitMs: number, graceMs: number): Promise<void> {
    this.#intent = 'drain';
    this.#listening = [];
    this.child.retire();
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      this.#options.world.after(overMs + graceMs, resolve);
      if (!this.send({ type: 'drain', overMs })) resolve();
    });
    await this.child.stop(stopLimitMs);
    this.#intent = 'rest';
  }

  /** Nobody waits for its answers any more. */
  abandon(): void {
    this.#machines.abandon();
    this.#configurations.abandon();
    this.#handOvers.abandon();
  }

  #hear(message: FromProxy): void {
    switch (message.type) {
      case 'listening':
        this.#listening = message.addresses;
        this.#start?.resolve();
        this.#options.onChange();
        return;
      case 'sessions':
        this.sessions = message.sessions;
        this.#accepts = message.accepts;
        this.#options.onChange();
        return;
      case 'snapshot':
        this.#snapshot = message.snapshot;
        this.#snapshotMonoMs = this.#options.world.monoMs();
        this.#options.onSnapshot(message.snapshot);
        return;
      case 'machines':
        this.#machines.answer(message.request, message.machines);
        return;
      case 'configured':
        this.#configurations.answer(message.request, message.outcome);
        return;
      case 'hosts':
        this.hosts = message.hosts;
        return;
      case 'brought':
        this.#options.onBrought(message.sessionId, message.atMs);
        return;
      case 'wishes':
        this.#options.onWishes(message.wishes);
        return;
      case 'handed-over':
        this.#handOvers.answer(message.request, true);
        return;
      case 'splits':
        this.#options.onSplits(message.added);
        return;
      case 'drained':
        this.#drained();
        return;
      case 'fatal':
        // Later the process ends by itself and is tried again, because mining must not stop for it.
        if (this.#start === undefined) this.#options.onTrouble('child failed', message.sentence);
        else this.#start.reject(new InstanceError(message.sentence));
        return;
      default:
        this.#options.onTrouble('unknown message', String((message satisfies never as { type: unknown }).type));
    }
  }

  #gone(): void {
    if (this.#run !== undefined) this.#options.endRun(this.#run);
    this.#run = undefined;
    this.#snapshot = undefined;
    this.#listening = [];
    this.hosts = {};
    this.sessions = 0;
    this.#accepts = true;
    this.#room = Number.POSITIVE_INFINITY;
    this.abandon();
    this.#drained();
    this.#options.onChange();
  }

  #crashed(sentence: string): void {
    this.#options.onTrouble('child ended', sentence);
    this.#start?.reject(new InstanceError(`${sentence.split(' after ', 1)[0] ?? sentence} before it listened; its log lines say why.`));
  }
}
