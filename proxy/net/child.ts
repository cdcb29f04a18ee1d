/** One child process kept alive: restarted within a second of a crash, with back-off when it keeps crashing. */
import type { Timer, World } from '../../config/world.ts';

/** A started process, whichever module started it. */
export interface ChildHandle {
  readonly pid: number | undefined;
  /** False when the channel is closed already. `handle`: a socket that the process is to share. */
  send(message: object, handle?: unknown): boolean;
  kill(): void;
}

export interface ChildEvents {
  onMessage(message: unknown): void;
  onExit(how: string): void;
}

export interface ChildOptions {
  readonly name: string;
  readonly world: World;
  readonly spawn: (events: ChildEvents) => ChildHandle;
  readonly onMessage: (message: unknown) => void;
  /** The process ended without being asked to; `sentence` says how and when it is started again. */
  readonly onCrash: (sentence: string) => void;
  /** The process is gone, asked or not. */
  readonly onGone?: () => void;
}

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;
/** A process that lived this long was healthy: its next crash begins a new series. */
const HEALTHY_MS = 30_000;
/** This many crashes in a series are a crash loop. */
const LOOP_CRASHES_MIN = 4;

/** Owns the process and its restarts. */
export class Child {
  readonly #options: ChildOptions;
  #handle: ChildHandle | undefined;
  #startedMonoMs = 0;
  #changedMonoMs = 0;
  #crashesInSeries = 0;
  #timer: Timer | undefined;
  #stopping = false;
  readonly #onGone: (() => void)[] = [];
  /** Told to end for good. */
  #retired = false;
  /** How often the process was started again after a crash. */
  restarts = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#handle !== undefined;
  }

  get pid(): number | undefined {
    return this.#handle?.pid;
  }

  /** Since the last start, whether it still runs or not. */
  get ageMs(): number {
    return this.#options.world.monoMs() - this.#startedMonoMs;
  }

  /** Since it was started or ended, whichever was later. */
  get sinceMs(): number {
    return this.#options.world.monoMs() - this.#changedMonoMs;
  }

  /** Crashed again and again: restarts wait longer and longer. */
  get looping(): boolean {
    return this.#crashesInSeries >= LOOP_CRASHES_MIN && (!this.running || this.ageMs < HEALTHY_MS);
  }

  start(): void {
    if (this.#retired) return;
    this.#timer = undefined;
    this.#startedMonoMs = this.#options.world.monoMs();
    this.#changedMonoMs = this.#startedMonoMs;
    let gone = false;
    this.#handle = this.#options.spawn({
      onMessage: (message) => {
        if (!gone) this.#options.onMessage(message);
      },
      onExit: (how) => {
        if (gone) return;
        gone = true;
        this.#ended(how);
      },
    });
  }

  send(message: object, handle?: unknown): boolean {
    return this.#handle?.send(message, handle) ?? false;
  }

  /** From now on its end is no crash: it is not started again. */
  retire(): void {
    this.#retired = true;
    this.#expectEnd();
  }

  #expectEnd(): void {
    this.#stopping = true;
    this.#timer?.cancel();
  }

  /** Asks the process to end, kills it when it has not within `limitMs`; settles when it is gone. */
  stop(limitMs: number): Promise<'ended' | 'killed'> {
    this.retire();
    return this.#end(limitMs);
  }

  async #end(limitMs: number): Promise<'ended' | 'killed'> {
    const handle = this.#handle;
    if (handle === undefined) return 'ended';
    let killed = false;
    const gone = new Promise<void>((resolve) => {
      this.#onGone.push(resolve);
    });
    const limit = this.#options.world.after(limitMs, () => {
      killed = true;
      handle.kill();
    });
    if (!handle.send({ type: 'stop' })) handle.kill();
    await gone;
    limit.cancel();
    return killed ? 'killed' : 'ended';
  }

  /** Ends it as `stop` does and starts it again at once: no crash. Not where it was told to end for good meanwhile. */
  async restart(limitMs: number): Promise<void> {
    this.#expectEnd();
    await this.#end(limitMs);
    if (this.#retired) return;
    this.#stopping = false;
    if (!this.running) this.start();
  }

  /** Ends the process at once, without a restart. */
  kill(): void {
    this.retire();
    this.#handle?.kill();
  }

  #ended(how: string): void {
    const { world, name, onCrash } = this.#options;
    const livedMs = this.ageMs;
    this.#handle = undefined;
    this.#changedMonoMs = world.monoMs();
    this.#options.onGone?.();
    if (this.#stopping) {
      for (const gone of this.#onGone.splice(0)) gone();
      return;
    }
    this.#crashesInSeries = livedMs >= HEALTHY_MS ? 1 : this.#crashesInSeries + 1;
    const delayMs = Math.min(BACKOFF_MIN_MS * 2 ** (this.#crashesInSeries - 1), BACKOFF_MAX_MS);
    this.restarts += 1;
    const loop = this.looping ? `, crash ${this.#crashesInSeries} in a row` : '';
    this.#timer = world.after(delayMs, () => this.start());
    onCrash(`The ${name} ended (${how}) after ${Math.round(livedMs)} ms${loop}; it is started again in ${delayMs} ms.`);
  }
}
