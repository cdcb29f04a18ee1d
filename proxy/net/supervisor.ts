/** The supervisor: starts, watches, restarts and stops the proxy processes and the accountant, and answers for them. */
import { availableParallelism } from 'node:os';
import type { Loaded } from '../../config/load.ts';
import { childLogEnvironment, logEvent, type Logger, type LogTarget } from '../../config/log.ts';
import type { Config } from '../../config/schema.ts';
import type { Timer, World } from '../../config/world.ts';
import { Child } from './child.ts';
import { startControl, type ControlServer } from './control.ts';
import { findProblems, isReady } from './health.ts';
import { startHttp, type HttpServer } from './http.ts';
import { acquireLock, ensureHostId, InstanceError, placeControlSocket, type InstanceLock } from './instance.ts';
import type { PackedMetrics, AccountantSnapshot, FromAccountant, MachineSnapshot, ToAccountant } from './messages.ts';
import { Reloads } from './reloads.ts';
import { Requests } from './requests.ts';
import { Scrapes } from './scrape.ts';
import type { Address } from './slot.ts';
import { Slots } from './slots.ts';
import { configEnvironment, identityEnvironment, ownModules, spawnFork, withoutPasswords } from './spawn.ts';
import type { ControlReply, ControlRequest, InstanceStatus, Reloaded } from './status.ts';
import { version } from './version.ts';

/** Hosts that share a ledger see each other's machines with this delay. */
const SHARE_MACHINES_MS = 10_000;
const ANSWER_LIMIT_MS = 2_000;
/** A stop takes less than two seconds: the proxies flush first, then the accountant folds what is durable in the rest of the time. */
const STOP_LIMIT_MS = 1_700;

export interface SupervisorOptions {
  readonly config: Config;
  readonly world: World;
  readonly log: Logger;
  /** Reads the configuration file again, or applies to the one in force what was put on record of leases since; left out where there is no file. */
  readonly reread?: (inForce?: Config) => Loaded;
  /** Ends a start that is still going on. */
  readonly signal?: AbortSignal;
  /** Where the children log; JSON lines on standard output by default. */
  readonly childLog?: LogTarget;
  /** Compiled modules of the two processes; the product's own by default. */
  readonly modules?: { readonly proxy: string; readonly accountant: string };
}

export interface Supervisor {
  readonly listening: readonly Address[];
  /** `host:port` of /metrics as it was bound. */
  readonly http: string;
  status(): Promise<InstanceStatus>;
  /** Live machines; undefined when no proxy process answers within 2 s. */
  machines(): Promise<readonly MachineSnapshot[] | undefined>;
  /** Reads the configuration again and follows it. Rejects with InstanceError, with nothing changed, when that is not possible. */
  reload(): Promise<Reloaded>;
  /** Stops everything in less than 2 s. Idempotent. */
  stop(): Promise<void>;
  /** Settles when the instance has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  /** Kills the children without letting them finish. For a person who will not wait. */
  kill(): void;
}

/** The start was ended from outside, by a signal or by `weighbridge stop`. */
export class StoppedWhileStarting extends InstanceError {
  constructor() {
    super('The instance was stopped before machines could connect.');
  }
}

/**
 * Starts an instance on `config.data` and settles when machines can connect. Throws InstanceError with one sentence when
 * that is not possible, StoppedWhileStarting when it was told to stop meanwhile; then nothing is left running.
 */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { config, world } = options;
  const lock = acquireLock(config.data, world.random);
  try {
    const running = new RunningInstance(options, lock, ensureHostId(config.data, world.random));
    await running.start();
    return running;
  } catch (error) {
    lock.release();
    throw error;
  }
}

class RunningInstance implements Supervisor {
  readonly #options: SupervisorOptions;
  /** In force now. */
  #config: Config;
  readonly #lock: InstanceLock;
  readonly #host: string;
  readonly #startedMs: number;
  readonly #slots: Slots;
  readonly #accountant: Child;
  readonly #scrapes: Scrapes;
  readonly #reloads: Reloads;
  #sharing: Timer | undefined;
  readonly #snapshots: Requests<AccountantSnapshot>;
  readonly #metrics: Requests<PackedMetrics>;
  readonly stopped: Promise<void>;
  #settleStopped: () => void = () => undefined;
  #stopping: Promise<void> | undefined;
  #control: ControlServer | undefined;
  #http: HttpServer | undefined;
  /** While starting: ends the start. Undefined once machines can connect. */
  #failStart: ((error: InstanceError) => void) | undefined;

  constructor(options: SupervisorOptions, lock: InstanceLock, host: string) {
    const { world, config, log } = options;
    this.#options = options;
    this.#config = config;
    this.#lock = lock;
    this.#host = host;
    this.#startedMs = world.wallMs();
    this.#snapshots = new Requests(world, ANSWER_LIMIT_MS);
    this.#metrics = new Requests(world, ANSWER_LIMIT_MS);
    this.#scrapes = this.#newScrapes();
    this.#reloads = this.#newReloads();
    this.stopped = new Promise((resolve) => {
      this.#settleStopped = resolve;
    });
    const modules = options.modules ?? ownModules();
    const env = childLogEnvironment(options.childLog ?? { kind: 'json' });
    this.#slots = new Slots({
      config,
      count: config.processes === 'auto' ? availableParallelism() : config.processes,
      world,
      log,
      onReport: (name, snapshot) => this.#scrapes.totals.proxy(name, snapshot),
      spawn: (current, identity, events) => spawnFork({ module: modules.proxy, env: { ...env, ...configEnvironment(current), ...identityEnvironment(identity) } }, events),
    });
    this.#accountant = new Child({
      name: 'accountant',
      world,
      spawn: (events) => spawnFork({ module: modules.accountant, env: { ...env, ...configEnvironment(withoutPasswords(this.#config)) } }, events),
      onMessage: (message) => this.#fromAccountant(message as FromAccountant),
      onCrash: (sentence) => this.#accountantCrashed(sentence),
    });
  }

  get listening(): readonly Address[] {
    return this.#slots.listening;
  }

  get http(): string {
    return this.#http?.address ?? '';
  }

  async start(): Promise<void> {
    const { config, world } = this.#options;
    try {
      this.#control = await startControl(placeControlSocket(config.data), world, (request) => this.#answer(request));
      this.#http = await startHttp(config.http, this.#metricsSource());
      await this.#startChildren();
    } catch (error) {
      if (error instanceof StoppedWhileStarting) await this.stop();
      this.kill();
      this.#closeServers();
      throw error;
    }
  }

  async #startChildren(): Promise<void> {
    const { world, signal } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#failStart = reject;
      const abort = (): void => this.#failStart?.(new StoppedWhileStarting());
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted === true) return abort();
      this.#accountant.start();
      this.#slots.start().then(resolve, reject);
      this.#sharing = world.every(SHARE_MACHINES_MS, () => void this.#shareMachines());
    }).finally(() => {
      this.#failStart = undefined;
    });
  }

  #fromAccountant(message: FromAccountant): void {
    switch (message.type) {
      case 'ready':
        return;
      case 'snapshot':
        this.#snapshots.answer(message.request, message.snapshot);
        return;
      case 'metrics':
        this.#metrics.answer(message.request, message.metrics);
        return;
      case 'fatal':
        // Ends a start; later the process ends by itself and is tried again, because mining must not stop for it.
        if (this.#failStart === undefined) logEvent(this.#options.log, 'child failed', { child: 'accountant' }, message.sentence);
        else this.#failStart(new InstanceError(message.sentence));
        return;
      default:
        logEvent(this.#options.log, 'unknown message', { child: 'accountant' }, String((message satisfies never as { type: unknown }).type));
    }
  }

  #accountantCrashed(sentence: string): void {
    for (const questions of [this.#snapshots, this.#metrics]) questions.abandon();
    logEvent(this.#options.log, 'child ended', { child: 'accountant' }, sentence);
  }

  machines(): Promise<readonly MachineSnapshot[] | undefined> {
    return this.#slots.machines();
  }

  /** Other hosts see this one's machines through the accountant, which publishes. */
  async #shareMachines(): Promise<void> {
    if (this.#config.redis === undefined) return;
    const machines = await this.machines();
    if (machines !== undefined) this.#accountant.send({ type: 'machines', machines } satisfies ToAccountant);
  }

  #accountantSnapshot(): Promise<AccountantSnapshot | undefined> {
    return this.#snapshots.ask((request) => this.#accountant.send({ type: 'snapshot', request } satisfies ToAccountant));
  }

  async status(): Promise<InstanceStatus> {
    const { world } = this.#options;
    const config = this.#config;
    const accountant = await this.#accountantSnapshot();
    const slots = this.#slots;
    return {
      version: version(),
      data: config.data,
      host: this.#host,
      pid: process.pid,
      startedMs: this.#startedMs,
      nowMs: world.wallMs(),
      http: this.http,
      listening: slots.listening,
      problems: findProblems({ processes: slots.slots(), accountant, accountantChild: this.#accountant, freeBytesMin: config.journal.freeBytesMin }),
      debug: this.#slots.debugged,
      restarts: { proxy: slots.restarts, accountant: this.#accountant.restarts },
      proxy: slots.snapshot(),
      processes: slots.processes(),
      totals: this.#scrapes.totals.totals(),
      accountant,
    };
  }

  #newScrapes(): Scrapes {
    const { config, world, log } = this.#options;
    return new Scrapes({
      config,
      world,
      metrics: (known) => this.#metrics.ask((request) => this.#accountant.send({ type: 'metrics', request, known } satisfies ToAccountant)),
      proxies: () => this.#slots.reports(),
      states: () => this.#slots.slots().map(({ state }) => state),
      restarts: () => ({ proxy: this.#slots.restarts, accountant: this.#accountant.restarts }),
      complain: (sentence) => logEvent(log, 'metrics not kept', {}, sentence),
      machines: () => this.machines(),
    });
  }

  #metricsSource(): Parameters<typeof startHttp>[1] {
    return {
      status: () => this.status(),
      scrape: (accept) => this.#scrapes.answer(accept),
      // While one process of several serves, a restart of the instance would do harm.
      alive: () => this.#slots.slots().some(({ child }) => child.running && !child.looping) && this.#accountant.running && !this.#accountant.looping,
      ready: isReady,
    };
  }

  async #answer(request: ControlRequest): Promise<ControlReply> {
    switch (request.type) {
      case 'status':
        return { ok: true, value: await this.status() };
      case 'machines': {
        const machines = await this.machines();
        if (machines === undefined) return { ok: false, sentence: `No proxy process gave an answer within ${ANSWER_LIMIT_MS / 1000} s; see \`weighbridge status\`.` };
        return { ok: true, value: machines };
      }
      case 'debug':
        this.#slots.debug(request);
        return { ok: true, value: { worker: request.worker } };
      case 'reload':
        return { ok: true, value: await this.reload() };
      case 'terminations':
        return { ok: true, value: await this.#reloads.ask('record') };
      case 'restart':
        return { ok: true, value: await this.#slots.restart(this.#slots.numbers(request.process), request.overMs) };
      case 'drain': {
        const [number] = this.#slots.numbers(request.process);
        const { sessions } = await (request.process === undefined ? this.#slots.drainAll(request.overMs) : this.#slots.drain(number!, request.overMs));
        if (request.process === undefined) this.#options.world.after(20, () => void this.stop());
        return { ok: true, value: { pid: process.pid, sessions } };
      }
      case 'stop':
        // After the answer has gone out; the caller then waits for the lock to go.
        this.#options.world.after(20, () => void this.stop());
        return { ok: true, value: { pid: process.pid } };
    }
  }

  reload(): Promise<Reloaded> {
    return this.#reloads.ask('file');
  }

  #newReloads(): Reloads {
    const { log, reread } = this.#options;
    return new Reloads({
      reread,
      inForce: () => this.#config,
      apply: (config) => this.#slots.configure(config),
      onApplied: (config, changes) => {
        this.#config = config;
        this.#scrapes.configure(config);
        for (const { sentence } of changes) logEvent(log, 'configuration changed', {}, sentence);
      },
      restartAccountant: () => this.#accountant.restart(STOP_LIMIT_MS),
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { log, world } = this.#options;
    const beganMs = world.monoMs();
    this.#failStart?.(new StoppedWhileStarting());
    const killed = await this.#slots.stop();
    for (const number of killed) logEvent(log, 'child killed', { child: `proxy-${number}` }, 'What it had answered is in its journal.');
    const leftMs = Math.round(beganMs + STOP_LIMIT_MS - world.monoMs());
    if ((await this.#accountant.stop(leftMs)) === 'killed') {
      logEvent(log, 'child killed', { child: 'accountant', afterMs: leftMs }, 'It goes on where it was at the next start.');
    }
    this.#closeServers();
    this.#lock.release();
    this.#settleStopped();
  }

  kill(): void {
    this.#slots.kill();
    this.#accountant.kill();
  }

  #closeServers(): void {
    this.#sharing?.cancel();
    for (const questions of [this.#snapshots, this.#metrics]) questions.abandon();
    this.#control?.close();
    this.#http?.close();
  }
}
