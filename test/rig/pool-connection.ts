/** One connection of a simulated pool: its answers to every method, and what was in force when each job was sent to it. */
import type { Socket } from 'node:net';
import { type Message, LinePeer } from './line-peer.ts';
import type { FullPoolOptions, RejectFormat } from './pool-options.ts';
import { difficultyTarget, hex8, notifyParams, type RigJob } from './work.ts';

/** What a job means on one connection. */
export interface SentJob {
  readonly job: RigJob;
  readonly extranonce1: Buffer;
  readonly extranonce2Bytes: number;
  /** Decimal text. */
  readonly difficulty: string;
  readonly versionMask: number;
}

/** Why a submit is refused: a classic code (reference §8.2) and its text. */
export interface Refusal {
  readonly code: number;
  readonly text: string;
}

/** What a connection needs of its pool. */
export interface PoolSide {
  readonly options: FullPoolOptions;
  readonly sizes: { readonly extranonce2Bytes: number };
  /** False: the pool has gone silent and writes nothing at all. */
  speaks(): boolean;
  /** False: submits get no answer. */
  answersSubmits(): boolean;
  /** The difficulty a new connection begins with. */
  startDifficulty(): string;
  newExtranonce1(): Buffer;
  currentJob(): RigJob | undefined;
  /** Judges a submit; undefined accepts it. */
  judge(connection: PoolConnection, params: readonly unknown[]): Refusal | undefined;
  onClosed(connection: PoolConnection): void;
}

export class PoolConnection {
  readonly peer: LinePeer;
  readonly #pool: PoolSide;
  readonly users = new Map<string, string>();
  readonly jobs = new Map<string, SentJob>();
  userAgent = '';
  subscribed = false;
  /** Bits granted by configure; 0 when the client never asked. */
  versionMask = 0;
  extranonce1: Buffer;
  extranonce2Bytes: number;
  difficulty: string;
  /** Last value of mining.suggest_difficulty. */
  suggested: number | undefined;
  /** Whatever the client said that no method below knows, for a test to look at. */
  readonly others: Message[] = [];
  #ready = false;

  constructor(pool: PoolSide, socket: Socket) {
    this.#pool = pool;
    const { captured } = pool.options;
    this.extranonce1 = captured === undefined ? pool.newExtranonce1() : Buffer.from(captured.extranonce1, 'hex');
    this.extranonce2Bytes = captured?.extranonce2Bytes ?? pool.sizes.extranonce2Bytes;
    this.difficulty = pool.startDifficulty();
    this.peer = new LinePeer(
      socket,
      (message) => this.#receive(message),
      () => pool.onClosed(this),
    );
  }

  /** Subscribed and authorised: gets jobs. */
  get ready(): boolean {
    return this.#ready;
  }

  say(text: string): void {
    if (this.#pool.speaks()) this.peer.sendRaw(text);
  }

  /** A server notification; `params` is JSON text, so that a number can be sent digit by digit. */
  notification(method: string, params: string): void {
    this.say(`{"id":null,"method":"${method}","params":${params}}\n`);
  }

  sendJob(job: RigJob): void {
    if (!this.#ready) return;
    this.jobs.set(job.id, {
      job,
      extranonce1: this.extranonce1,
      extranonce2Bytes: this.extranonce2Bytes,
      difficulty: this.difficulty,
      versionMask: this.versionMask,
    });
    const params = this.#pool.options.captured?.notifyParams ?? notifyParams(job);
    this.notification('mining.notify', JSON.stringify(params));
  }

  setDifficulty(text: string): void {
    this.difficulty = text;
    if (this.#ready) this.notification('mining.set_difficulty', `[${text}]`);
  }

  /** The target a share on `sent` must meet: the easier of the job's and the one now in force (ckpool's rule). */
  requiredTarget(sent: SentJob): bigint {
    const then = difficultyTarget(sent.difficulty);
    const now = difficultyTarget(this.difficulty);
    return then > now ? then : now;
  }

  #answer(id: unknown, result: unknown, error: unknown = null): void {
    this.say(`${JSON.stringify({ id: id ?? null, result, error })}\n`);
  }

  #receive(message: Message): void {
    const { id } = message;
    const params = Array.isArray(message.params) ? (message.params as unknown[]) : [];
    switch (message.method) {
      case 'mining.configure':
        return this.#configure(id, params);
      case 'mining.subscribe':
        return this.#subscribe(id, params);
      case 'mining.authorize':
        return this.#authorize(id, params);
      case 'mining.submit':
        return this.#submit(id, params);
      case 'mining.suggest_difficulty':
        return this.#suggest(id, params[0]);
      case 'mining.extranonce.subscribe':
        return this.#answer(id, true);
      case 'mining.ping':
        return this.#answer(id, 'pong');
      case undefined:
      case 'pong':
        this.others.push(message);
        return undefined;
      default:
        this.others.push(message);
        return this.#answer(id, null, [20, 'Unsupported method', null]);
    }
  }

  #configure(id: unknown, params: readonly unknown[]): void {
    const names = Array.isArray(params[0]) ? params[0].map(String) : [];
    const values = (params[1] ?? {}) as Record<string, unknown>;
    const result: Record<string, unknown> = {};
    for (const name of names) {
      if (name !== 'version-rolling') {
        result[name] = false;
        continue;
      }
      const asked = values['version-rolling.mask'];
      const mask = (typeof asked === 'string' ? Number.parseInt(asked, 16) : 0xffffffff) & this.#pool.options.versionMask;
      this.versionMask = mask >>> 0;
      result[name] = this.versionMask !== 0;
      if (this.versionMask !== 0) result['version-rolling.mask'] = hex8(this.versionMask);
    }
    this.#answer(id, result);
  }

  #subscribe(id: unknown, params: readonly unknown[]): void {
    this.userAgent = typeof params[0] === 'string' ? params[0] : '';
    this.subscribed = true;
    const session = this.extranonce1.toString('hex');
    const pairs = this.#pool.options.emptySubscriptions
      ? []
      : [
          ['mining.set_difficulty', session],
          ['mining.notify', session],
        ];
    this.#answer(id, [pairs, session, this.extranonce2Bytes]);
    this.#begin();
  }

  #authorize(id: unknown, params: readonly unknown[]): void {
    const user = String(params[0]);
    if (this.#pool.options.subscribeFirst && !this.subscribed) return this.#answer(id, null, [25, 'Not subscribed', null]);
    if (this.#pool.options.refusedUsers.includes(user)) return this.#answer(id, null, [24, 'Unauthorized worker', null]);
    this.users.set(user, typeof params[1] === 'string' ? params[1] : '');
    this.#answer(id, true);
    return this.#begin();
  }

  #begin(): void {
    if (this.#ready || !this.subscribed || this.users.size === 0) return;
    this.#ready = true;
    this.setDifficulty(this.difficulty);
    const job = this.#pool.currentJob();
    if (job !== undefined) this.sendJob({ ...job, clean: true });
  }

  #suggest(id: unknown, value: unknown): void {
    if (this.#pool.options.refuseSuggestions) return this.#answer(id, null, [40, 'unfit, ignore', null]);
    this.#answer(id, true);
    if (typeof value !== 'number' || !(value > 0)) return;
    this.suggested = value;
    if (!this.#pool.options.honourSuggestions) return;
    this.setDifficulty(String(value));
    const job = this.#pool.currentJob();
    if (job !== undefined) this.sendJob({ ...job, clean: false });
  }

  #submit(id: unknown, params: readonly unknown[]): void {
    const refusal = this.#pool.judge(this, params);
    if (!this.#pool.answersSubmits()) return;
    const { world, replyDelayMs, rejectFormat } = this.#pool.options;
    const line = refusal === undefined ? { id: id ?? null, result: true, error: null } : refusalLine(id, refusal, rejectFormat);
    const reply = (): void => this.say(`${JSON.stringify(line)}\n`);
    if (replyDelayMs > 0) world.after(replyDelayMs, reply);
    else reply();
  }
}

/** The five ways pools say no. */
function refusalLine(id: unknown, refusal: Refusal, format: RejectFormat): object {
  const { code, text } = refusal;
  const head = { id: id ?? null };
  switch (format) {
    case 'array':
      return { ...head, result: null, error: [code, text, null] };
    case 'string':
      return { ...head, result: null, error: text };
    case 'object':
      return { ...head, result: null, error: { code, message: text } };
    case 'reject-reason':
      return { ...head, result: false, error: null, 'reject-reason': text };
    case 'false':
      return { ...head, result: false, error: null };
    default:
      return format satisfies never;
  }
}
