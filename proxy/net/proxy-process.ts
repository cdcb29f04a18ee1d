/**
 * One proxy process: performs the farm's effects on real sockets and a real journal. Lines leave after each event in one
 * write per connection, upstream before downstream: a share is on its way to the pool before anything else happens.
 */
import { join } from 'node:path';
import type { LogEvent } from '../../config/log-events.ts';
import { logEvent, type Logger } from '../../config/log.ts';
import type { Config } from '../../config/schema.ts';
import { Vitals } from '../../config/vitals.ts';
import type { Timer, World } from '../../config/world.ts';
import { Admissions } from '../../accounting/journal/admissions.ts';
import { JournalWriter } from '../../accounting/journal/writer.ts';
import { leaseTermsFacts } from '../../accounting/leases/terms.ts';
import type { Admission, Fact, Unadmitted } from '../session/facts.ts';
import { Farm } from '../session/farm.ts';
import type { Link } from '../session/link.ts';
import type { Reconfigured } from '../session/reconfigure.ts';
import type { Run } from '../session/run.ts';
import type { Session } from '../session/session.ts';
import type { Learnt, Now, Sink } from '../session/sink.ts';
import type { SplitMemory } from '../session/splits.ts';
import { Dialer } from './dialer.ts';
import { ExtranonceFile } from './extranonce-file.ts';
import { Gate } from './gate.ts';
import { Listeners } from './listener.ts';
import type { MachineSnapshot, ProxySnapshot } from './messages.ts';
import { ProxyFiles } from './proxy-files.ts';
import { SplitKeeping } from './split-keeping.ts';
import { Watch } from './watch.ts';
import { machineSnapshots, proxySnapshot } from './snapshots.ts';

/** Before any pool was ever met, an instance that starts waits this long with its listeners, so that the first machines get the right layout. */
const FIRST_POOL_WAIT_MS = 10_000;
const TICK_MS = 1000;
/** A crash forgets this much of how far splits had come: a machine's work of some seconds. */
const SPLITS_KEPT_MS = 10_000;
const DRAIN_STEP_MS = 50;

/** What the supervisor gives a process besides the configuration. */
export interface Identity {
  /** From 1 on. */
  readonly process: number;
  readonly run: Run;
  /** It starts with the instance: no machine is waiting for it yet, so it may wait for pools. */
  readonly waitsForPools: boolean;
}

export interface ProxyProcessOptions {
  readonly config: Config;
  readonly world: World;
  readonly log: Logger;
  /** Stable id of this data directory. */
  readonly host: string;
  readonly identity: Identity;
  /** How many connections there are now, and whether more are taken. */
  readonly onSessions: (sessions: number, accepts: boolean) => void;
  /** Tells the other processes. */
  readonly onBrought: (sessionId: string, atMs: number) => void;
  /** Tells the process that follows this one. */
  readonly onSplits: (added: ReadonlyMap<string, SplitMemory>) => void;
}

export class ProxyProcess implements Sink {
  readonly uuid: string;
  private readonly options: ProxyProcessOptions;
  private readonly startedMs: number;
  private readonly files: ProxyFiles;
  private readonly learnt: Map<string, Learnt>;
  private readonly farm: Farm;
  private readonly listeners: Listeners;
  /** What it takes connections from. */
  readonly gate: Gate;
  private readonly dialer: Dialer;
  private readonly admissions: Admissions;
  private readonly vitals: Vitals;
  /** How far splits have come. */
  readonly splits: SplitKeeping;
  private writer!: JournalWriter;
  private ticking: Timer | undefined;
  private keeping: Timer | undefined;
  private stopped = false;
  /** Only while debug lines are wanted. */
  private watch: Watch | undefined;

  constructor(options: ProxyProcessOptions) {
    const { config, world } = options;
    this.options = options;
    this.uuid = world.random.uuid();
    this.startedMs = world.wallMs();
    this.files = new ProxyFiles(config.data, options.identity.process);
    this.learnt = this.files.readLearnt();
    const { run } = options.identity;
    const elsewhere = new ExtranonceFile(config.data, run.bootTag, (why) => this.log('extranonces not noted', { why }));
    this.farm = new Farm({ config, random: world.random, sink: this, run, learnt: this.learnt, splits: this.files.readSplits(), elsewhere }, this.now());
    this.listeners = new Listeners(config, this.farm, world, () => this.flush(), () => this.gate.leaveToOthers());
    this.gate = this.makeGate();
    this.splits = new SplitKeeping({
      files: this.files,
      splits: () => this.farm.splits,
      onAdded: options.onSplits,
      onProblem: (why) => this.log('splits not remembered', { why }),
    });
    this.admissions = this.openAdmissions();
    this.vitals = new Vitals(world);
    this.dialer = new Dialer(this.farm, config.limits.upstreamLineBytesMax, world, () => this.flush());
  }

  private makeGate(): Gate {
    const { config, world, onSessions } = this.options;
    const sessions = (): number => this.farm.state.sessions.size;
    return new Gate({ sites: config.sites, world, listeners: this.listeners, sessions, onSessions, onProblem: (why) => this.log('listener not opened again', { why }) });
  }

  private openAdmissions(): Admissions {
    const { config, world, log } = this.options;
    return new Admissions({
      dataDir: config.data,
      process: this.uuid,
      monoMs: () => world.monoMs(),
      segment: () => this.writer.stats().segments,
      onInherited: (entries) => {
        logEvent(log, 'unjournaled inherited', { shares: entries.reduce((sum, { count }) => sum + count, 0) });
        this.farm.inherit(entries);
      },
      onProblem: (sentence) => logEvent(log, 'journal problem', {}, sentence),
    });
  }

  private now(): Now {
    const { world } = this.options;
    return { wallMs: world.wallMs(), monoMs: world.monoMs() };
  }

  /** Opens the journal, dials the pools, then listens; resolves to the addresses. Rejects with a sentence. */
  async start(): Promise<{ site: string; address: string }[]> {
    const { config, world, host, log } = this.options;
    this.writer = await JournalWriter.open({
      directory: join(config.data, 'journal'),
      world,
      durability: config.durability,
      segmentBytes: config.journal.segmentBytes,
      process: this.uuid,
      host,
      live: () => this.farm.liveFacts(),
      onDurable: (sequence) => {
        this.farm.durable(sequence, this.now());
        this.flush();
      },
      onUnjournaled: (_from, to) => {
        this.farm.unjournaled(to, this.now());
        this.flush();
      },
      onProblem: (sentence) => logEvent(log, 'journal problem', {}, sentence),
    });
    this.admissions.tick();
    const now = this.now();
    this.farm.start(now, leaseTermsFacts(config, now.wallMs));
    this.flush();
    this.ticking = world.every(TICK_MS, () => {
      this.farm.tick(this.now());
      if (this.watch?.over === true) this.debug('', 0);
      this.admissions.tick();
      this.flush();
    });
    this.keeping = world.every(SPLITS_KEPT_MS, () => this.splits.keep());
    await this.firstPool();
    return this.gate.open();
  }

  private async firstPool(): Promise<void> {
    const { world, log, identity } = this.options;
    if (!identity.waitsForPools) return;
    const untilMono = world.monoMs() + FIRST_POOL_WAIT_MS;
    if (!this.farm.knowsPools) logEvent(log, 'waiting for pools', { waitMs: FIRST_POOL_WAIT_MS });
    while (!this.farm.knowsPools && world.monoMs() < untilMono && !this.stopped) {
      await new Promise<void>((resolve) => world.after(50, resolve));
    }
    if (!this.farm.knowsPools && !this.stopped) logEvent(log, 'no pool answered');
  }

  private flush(): void {
    this.dialer.flush();
    this.listeners.flush();
    this.farm.state.measures.written(() => this.options.world.monoMs());
  }

  /** Takes no more, makes durable and answers what came, closes. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.gate.stop();
    this.listeners.stopTaking();
    this.dialer.stopTaking();
    this.ticking?.cancel();
    this.keeping?.cancel();
    this.splits.close();
    this.farm.stop(this.now());
    await this.writer.close();
    this.flush();
    this.listeners.closeAll();
    this.dialer.closeAll();
  }

  /** Puts another configuration in force; sockets for what it listens on besides come by themselves. */
  reconfigure(config: Config): Reconfigured {
    const now = this.now();
    this.listeners.reconfigure(config);
    this.gate.reconfigure(config.sites);
    const outcome = this.farm.reconfigure(config, leaseTermsFacts(config, now.wallMs), now);
    this.flush();
    this.log('configuration changed', { ...outcome });
    return outcome;
  }

  /** Takes no more connections and closes those that are open evenly over `overMs`; resolves when none is left. */
  drain(overMs: number): Promise<void> {
    this.gate.shut();
    this.splits.leave();
    const { world } = this.options;
    const drain = this.farm.beginDrain(overMs, this.now());
    return new Promise((resolve) => {
      const timer = world.every(DRAIN_STEP_MS, () => {
        const done = drain(this.now());
        this.flush();
        if (!done) return;
        timer.cancel();
        resolve();
      });
    });
  }

  /** Sessions at the other processes by remote address; returns those here, of addresses with at least `least`. */
  hosts(elsewhere: Readonly<Record<string, number>>, least: number): Record<string, number> {
    return this.farm.hosts(new Map(Object.entries(elsewhere)), least);
  }

  /** Difficulties by worker name, for the process that serves them next. */
  wishes(): [worker: string, exponent: number][] {
    return this.farm.wishes();
  }

  learnWishes(wishes: readonly (readonly [worker: string, exponent: number])[]): void {
    this.farm.learnWishes(wishes);
  }

  /** The process that this one follows has delivered so much since its file was read. */
  takeOver(added: readonly (readonly [key: string, memory: SplitMemory])[]): void {
    this.farm.splits.add(new Map(added));
  }

  /** A machine of ours came to another process at `atMs`. */
  taken(sessionId: string, atMs: number): void {
    this.farm.takenElsewhere(sessionId, atMs, this.now());
    this.flush();
  }

  snapshot(): ProxySnapshot {
    return proxySnapshot(this.farm, this.writer.stats(), this.listeners.closes, { process: this.uuid, startedMs: this.startedMs, vitals: this.vitals.snapshot() }, this.now());
  }

  machines(): MachineSnapshot[] {
    return machineSnapshots(this.farm, this.options.identity.process, this.now());
  }

  /** Debug lines for the machines whose name matches, for `forMs`; '' ends them. */
  debug(worker: string, forMs: number): void {
    const { log, world } = this.options;
    if (this.watch !== undefined) logEvent(log, 'debug off', { worker: this.watch.worker });
    this.watch = undefined;
    this.listeners.heard = undefined;
    if (worker === '') return;
    // The process's own logger leaves debug lines out.
    const lines = log.child({}, { level: 'debug' });
    const watch = new Watch(worker, forMs, world, (event, fields) => logEvent(lines, event, fields));
    this.watch = watch;
    this.listeners.heard = (session, line) => watch.heard(session, line);
    logEvent(log, 'debug on', { worker, seconds: Math.round(forMs / 1000) });
  }

  // Sink

  toSession(session: Session, lines: string): void {
    this.watch?.told(session, lines);
    this.listeners.send(session, lines);
  }

  closeSession(session: Session, reason: string): void {
    this.watch?.closed(session, reason);
    this.listeners.close(session, reason);
  }

  dial(link: Link): void {
    this.dialer.dial(link);
  }

  toLink(link: Link, lines: string): void {
    this.dialer.send(link, lines);
  }

  closeLink(link: Link): void {
    this.dialer.close(link);
  }

  journal(fact: Fact): number {
    this.watch?.fact(fact);
    return this.writer.append(fact);
  }

  keepUnadmitted(waiting: readonly Unadmitted[], admitting: Admission | undefined): void {
    this.admissions.keep(waiting, admitting);
  }

  remember(pool: string, learnt: Learnt): void {
    const known = this.learnt.get(pool);
    if (known?.extranonce2Bytes === learnt.extranonce2Bytes && known.versionMask === learnt.versionMask) return;
    this.learnt.set(pool, learnt);
    try {
      this.files.writeLearnt(pool, learnt);
    } catch (error) {
      logEvent(this.options.log, 'pools not remembered', { why: String(error) });
    }
  }

  broughtHere(sessionId: string): void {
    this.options.onBrought(sessionId, this.options.world.wallMs());
  }

  log(event: LogEvent, fields: Readonly<Record<string, unknown>>): void {
    logEvent(this.options.log, event, fields);
  }
}
