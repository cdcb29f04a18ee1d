/** The supervisor: starts, watches, restarts and stops the proxy process and the accountant, and answers for them. */
import type { Config } from '../../config/schema.ts';
import type { Timer, World } from '../../config/world.ts';
import { Child } from './child.ts';
import { startControl, type ControlServer } from './control.ts';
import { findProblems, isReady, CHILD_SILENT_MS } from './health.ts';
import { startHttp, type HttpServer } from './http.ts';
import { acquireLock, ensureHostId, InstanceError, placeControlSocket, type InstanceLock } from './instance.ts';
import { childLogEnvironment, type Logger, type LogTarget } from './log.ts';
import type { AccountantMetrics, AccountantSnapshot, FromAccountant, FromProxy, MachineSnapshot, ProxySnapshot, ToAccountant } from './messages.ts';
import { Requests } from './requests.ts';
import { Scrapes } from './scrape.ts';
import { configEnvironment, ownModules, spawnClusterWorker, spawnFork, withoutPasswords } from './spawn.ts';
import type { ControlReply, ControlRequest, InstanceStatus } from './status.ts';
import { version } from './version.ts';

/** A child that does not listen by then will not: the start fails. */
const START_LIMIT_MS = 30_000;
/** Hosts that share a ledger see each other's machines with this delay. */
const SHARE_MACHINES_MS = 10_000;
const ANSWER_LIMIT_MS = 2_000;
/** A stop takes less than two seconds: the proxy flushes first, then the accountant folds what is durable in the rest of the time. */
const PROXY_STOP_LIMIT_MS = 1_100;
const STOP_LIMIT_MS = 1_700;

export interface SupervisorOptions {
  readonly config: Config;
  readonly world: World;
  readonly log: Logger;
  /** Ends a start that is still going on. */
  readonly signal?: AbortSignal;
  /** Where the children log; JSON lines on standard output by default. */
  readonly childLog?: LogTarget;
  /** Compiled modules of the two processes; the product's own by default. */
  readonly modules?: { readonly proxy: string; readonly accountant: string };
}

export interface Supervisor {
  readonly listening: readonly { readonly site: string; readonly address: string }[];
  /** `host:port` of /metrics as it was bound. */
  readonly http: string;
  status(): Promise<InstanceStatus>;
  /** Live machines; undefined when the proxy process does not answer within 2 s. */
  machines(): Promise<readonly MachineSnapshot[] | undefined>;
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
  readonly #lock: InstanceLock;
  readonly #host: string;
  readonly #startedMs: number;
  readonly #proxy: Child;
  readonly #accountant: Child;
  readonly #scrapes: Scrapes;
  #sharing: Timer | undefined;
  readonly #machines: Requests<readonly MachineSnapshot[]>;
  readonly #snapshots: Requests<AccountantSnapshot>;
  readonly #metrics: Requests<AccountantMetrics>;
  readonly stopped: Promise<void>;
  #settleStopped: () => void = () => undefined;
  #stopping: Promise<void> | undefined;
  #control: ControlServer | undefined;
  #http: HttpServer | undefined;
  #proxySnapshot: ProxySnapshot | undefined;
  #proxySnapshotMonoMs = 0;
  #listening: readonly { site: string; address: string }[] = [];
  /** While starting: ends the start. Undefined once machines can connect. */
  #start: { readonly listening: () => void; readonly failed: (error: InstanceError) => void } | undefined;

  constructor(options: SupervisorOptions, lock: InstanceLock, host: string) {
    const { world, config } = options;
    this.#options = options;
    this.#lock = lock;
    this.#host = host;
    this.#startedMs = world.wallMs();
    this.#machines = new Requests(world, ANSWER_LIMIT_MS);
    this.#snapshots = new Requests(world, ANSWER_LIMIT_MS);
    this.#metrics = new Requests(world, ANSWER_LIMIT_MS);
    this.#scrapes = this.#newScrapes();
    this.stopped = new Promise((resolve) => {
      this.#settleStopped = resolve;
    });
    const modules = options.modules ?? ownModules();
    const env = childLogEnvironment(options.childLog ?? { kind: 'json' });
    this.#proxy = new Child({
      name: 'proxy process',
      world,
      spawn: (events) => spawnClusterWorker({ module: modules.proxy, env: { ...env, ...configEnvironment(config) } }, events),
      onMessage: (message) => this.#fromProxy(message as FromProxy),
      onCrash: (sentence) => this.#proxyCrashed(sentence),
    });
    this.#accountant = new Child({
      name: 'accountant',
      world,
      spawn: (events) => spawnFork({ module: modules.accountant, env: { ...env, ...configEnvironment(withoutPasswords(config)) } }, events),
      onMessage: (message) => this.#fromAccountant(message as FromAccountant),
      onCrash: (sentence) => this.#accountantCrashed(sentence),
    });
  }

  get listening(): readonly { readonly site: string; readonly address: string }[] {
    return this.#listening;
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
      const limit = world.after(START_LIMIT_MS, () =>
        reject(new InstanceError(`The proxy process did not listen within ${START_LIMIT_MS / 1000} s; its log lines say what it waits for.`)),
      );
      const end = (settle: () => void): void => {
        this.#start = undefined;
        limit.cancel();
        settle();
      };
      this.#start = {
        listening: () => end(resolve),
        failed: (error) => end(() => reject(error)),
      };
      const abort = (): void => this.#start?.failed(new StoppedWhileStarting());
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted === true) return abort();
      this.#accountant.start();
      this.#proxy.start();
      if (this.#options.config.redis !== undefined) this.#sharing = world.every(SHARE_MACHINES_MS, () => void this.#shareMachines());
    });
  }

  #fromProxy(message: FromProxy): void {
    switch (message.type) {
      case 'listening':
        this.#listening = message.addresses;
        this.#start?.listening();
        return;
      case 'snapshot':
        this.#proxySnapshot = message.snapshot;
        this.#proxySnapshotMonoMs = this.#options.world.monoMs();
        this.#scrapes.totals.proxy('proxy', message.snapshot);
        return;
      case 'machines':
        this.#machines.answer(message.request, message.machines);
        return;
      case 'fatal':
        this.#fatal('proxy process', message.sentence);
        return;
      default:
        this.#options.log.warn({ type: (message satisfies never as { type: unknown }).type }, 'The proxy process sent a message of an unknown type.');
    }
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
        this.#fatal('accountant', message.sentence);
        return;
      default:
        this.#options.log.warn({ type: (message satisfies never as { type: unknown }).type }, 'The accountant sent a message of an unknown type.');
    }
  }

  /** Ends a start; later the process ends by itself and is tried again, because mining must not stop for it. */
  #fatal(who: string, sentence: string): void {
    if (this.#start === undefined) this.#options.log.error(`The ${who} cannot go on: ${sentence}`);
    else this.#start.failed(new InstanceError(sentence));
  }

  #proxyCrashed(sentence: string): void {
    this.#proxySnapshot = undefined;
    this.#listening = [];
    this.#machines.abandon();
    this.#options.log.error(sentence);
    this.#start?.failed(new InstanceError(`${sentence.split(' after ', 1)[0] ?? sentence} before it listened; its log lines say why.`));
  }

  #accountantCrashed(sentence: string): void {
    for (const questions of [this.#snapshots, this.#metrics]) questions.abandon();
    this.#options.log.error(sentence);
  }

  machines(): Promise<readonly MachineSnapshot[] | undefined> {
    return this.#machines.ask((request) => this.#proxy.send({ type: 'machines', request }));
  }

  /** Other hosts see this one's machines through the accountant, which publishes. */
  async #shareMachines(): Promise<void> {
    const machines = await this.machines();
    if (machines !== undefined) this.#accountant.send({ type: 'machines', machines } satisfies ToAccountant);
  }

  #accountantSnapshot(): Promise<AccountantSnapshot | undefined> {
    return this.#snapshots.ask((request) => this.#accountant.send({ type: 'snapshot', request } satisfies ToAccountant));
  }

  /** The last snapshot of a proxy process that still reports. */
  #freshProxySnapshot(): ProxySnapshot | undefined {
    const ageMs = this.#options.world.monoMs() - this.#proxySnapshotMonoMs;
    return ageMs <= CHILD_SILENT_MS ? this.#proxySnapshot : undefined;
  }

  async status(): Promise<InstanceStatus> {
    const { config, world } = this.#options;
    const accountant = await this.#accountantSnapshot();
    const proxy = this.#freshProxySnapshot();
    return {
      version: version(),
      data: config.data,
      host: this.#host,
      pid: process.pid,
      startedMs: this.#startedMs,
      nowMs: world.wallMs(),
      http: this.http,
      listening: this.#listening,
      problems: findProblems({ proxy, accountant, proxyChild: this.#proxy, accountantChild: this.#accountant, freeBytesMin: config.journal.freeBytesMin }),
      restarts: { proxy: this.#proxy.restarts, accountant: this.#accountant.restarts },
      proxy,
      totals: this.#scrapes.totals.totals(),
      accountant,
    };
  }

  #newScrapes(): Scrapes {
    const { config, world, log } = this.#options;
    return new Scrapes({
      dataDirectory: config.data,
      world,
      metrics: () => this.#metrics.ask((request) => this.#accountant.send({ type: 'metrics', request } satisfies ToAccountant)),
      proxies: () => [this.#freshProxySnapshot()].flatMap((proxy) => (proxy === undefined ? [] : [['proxy', proxy] as const])),
      restarts: () => ({ proxy: this.#proxy.restarts, accountant: this.#accountant.restarts }),
      complain: (sentence) => log.error(sentence),
    });
  }

  #metricsSource(): Parameters<typeof startHttp>[1] {
    return {
      status: () => this.status(),
      scrape: (accept) => this.#scrapes.answer(accept),
      alive: () => this.#proxy.running && this.#accountant.running && !this.#proxy.looping && !this.#accountant.looping,
      ready: isReady,
    };
  }

  async #answer(request: ControlRequest): Promise<ControlReply> {
    switch (request.type) {
      case 'status':
        return { ok: true, value: await this.status() };
      case 'machines': {
        const machines = await this.machines();
        if (machines === undefined) return { ok: false, sentence: `The proxy process gave no answer within ${ANSWER_LIMIT_MS / 1000} s; see \`weighbridge status\`.` };
        return { ok: true, value: machines };
      }
      case 'stop':
        // After the answer has gone out; the caller then waits for the lock to go.
        this.#options.world.after(20, () => void this.stop());
        return { ok: true, value: { pid: process.pid } };
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { log, world } = this.#options;
    const beganMs = world.monoMs();
    this.#start?.failed(new StoppedWhileStarting());
    if ((await this.#proxy.stop(PROXY_STOP_LIMIT_MS)) === 'killed') {
      log.warn(`The proxy process did not end within ${PROXY_STOP_LIMIT_MS} ms and was killed; what it had answered is in its journal.`);
    }
    const leftMs = Math.round(beganMs + STOP_LIMIT_MS - world.monoMs());
    if ((await this.#accountant.stop(leftMs)) === 'killed') {
      log.warn(`The accountant did not end within ${leftMs} ms and was killed; it goes on where it was at the next start.`);
    }
    this.#closeServers();
    this.#lock.release();
    this.#settleStopped();
  }

  kill(): void {
    this.#proxy.kill();
    this.#accountant.kill();
  }

  #closeServers(): void {
    this.#sharing?.cancel();
    for (const questions of [this.#machines, this.#snapshots, this.#metrics]) questions.abandon();
    this.#control?.close();
    this.#http?.close();
  }
}
