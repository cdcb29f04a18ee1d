/**
 * A mining machine over real TCP: it negotiates as its firmware does, really grinds its jobs paced to its nominal hash
 * rate, and remembers every reply with its header, so that a test can hold it against the ledger share by share.
 */
import { connect, type Socket } from 'node:net';
import { seededRandom, type Random, type Timer } from '../../config/world.ts';
import { BAD_SHARES, spoil, type BadShare } from './bad-shares.ts';
import { FIRMWARES, type Firmware } from './firmware.ts';
import { LinePeer, type Message } from './line-peer.ts';
import type { MachineOptions, Reply } from './machine-options.ts';
import { Search, versionBits, type Found } from './search.ts';
import { difficultyNumberTarget, hex8, readNotify, type RigJob } from './work.ts';

/** Work a machine may owe before the rest is given up, in ms of its rate: a starved host must not end in one long burst. */
const DEBT_MAX_MS = 3000;
/** Hashes between two looks at the clock. */
const SLICE_HASHES = 64;

interface Pending {
  readonly headerHex: string;
  readonly exponent: number;
  readonly bad: BadShare | undefined;
}

export class SimulatedMachine {
  readonly options: MachineOptions;
  readonly firmware: Firmware;
  readonly replies: Reply[] = [];
  /** Submits whose connection ended before their answer. */
  readonly unanswered: Pending[] = [];
  hashes = 0;
  /** Hashes given up because the host was too slow. */
  hashesSkipped = 0;
  submits = 0;
  connects = 0;
  disconnects = 0;
  /** Attempts to connect that failed. */
  refusals = 0;
  /** From each lost connection to the first work on the next one. */
  readonly absencesMs: number[] = [];
  notifies = 0;
  messages: string[] = [];
  difficulty: number | undefined;
  extranonce1: Buffer = Buffer.alloc(0);
  extranonce2Bytes = 0;
  versionMask = 0;
  sessionId: string | undefined;
  #socket: Socket | undefined;
  #peer: LinePeer | undefined;
  #state: 'idle' | 'connected' | 'mining' | 'stopped' = 'idle';
  #dark = false;
  #search: Search | undefined;
  #exponent = 0;
  #previous: Search | undefined;
  #pendingExtranonce: { extranonce1: Buffer; extranonce2Bytes: number } | undefined;
  #stepsLeft: [string, unknown[]][] = [];
  readonly #handshake = new Map<unknown, string>();
  readonly #pending: (Pending & { readonly id: number })[] = [];
  #nextId = 0;
  #lastTickMs = 0;
  #debt = 0;
  #nextShareMs = 0;
  #failures = 0;
  #awaySinceMs: number | undefined;
  #badIndex = 0;
  #timers: Timer[] = [];
  readonly #random: Random;

  constructor(options: MachineOptions) {
    this.options = options;
    this.firmware = FIRMWARES[options.firmware ?? 'cgminer'];
    this.#random = seededRandom(options.seed);
  }

  get mining(): boolean {
    return this.#state === 'mining' && !this.#dark;
  }

  get connected(): boolean {
    return this.#peer !== undefined;
  }

  /** Submits not answered yet. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Connects and keeps connecting. `tickMs` absent: somebody else calls `tick`. */
  start(tickMs?: number): void {
    const { world, dark } = this.options;
    this.#lastTickMs = world.monoMs();
    if (tickMs !== undefined) this.#timers.push(world.every(tickMs, () => this.tick(Number.POSITIVE_INFINITY)));
    if (dark !== undefined) this.#timers.push(world.after(dark.afterMs, () => this.#goDark(dark.how)));
    this.#dial();
  }

  /** Leaves for good. */
  stop(): void {
    this.#state = 'stopped';
    for (const timer of this.#timers) timer.cancel();
    this.#socket?.destroy();
  }

  /** Stops hashing but stays connected and reads on, so that answers under way still arrive. */
  rest(): void {
    this.#dark = true;
  }

  /** Grinds what is due by the clock, but not past `deadlineMs` (monotonic). */
  tick(deadlineMs: number): void {
    const nowMs = this.options.world.monoMs();
    const elapsedMs = nowMs - this.#lastTickMs;
    this.#lastTickMs = nowMs;
    if (!this.mining || this.#search === undefined) return;
    if (this.options.sharesPerSecond !== undefined) return this.#tickDrawn(nowMs, this.options.sharesPerSecond);
    this.#debt += (this.options.hashesPerSecond * elapsedMs) / 1000;
    const debtMax = (this.options.hashesPerSecond * DEBT_MAX_MS) / 1000;
    if (this.#debt > debtMax) {
      this.hashesSkipped += Math.floor(this.#debt - debtMax);
      this.#debt = debtMax;
    }
    while (this.#debt >= 1) {
      const done: number = this.#grind(Math.min(SLICE_HASHES, Math.floor(this.#debt)));
      this.#debt -= done;
      if (this.options.world.monoMs() >= deadlineMs) return undefined;
    }
    return undefined;
  }

  #tickDrawn(nowMs: number, sharesPerSecond: number): void {
    if (this.#nextShareMs === 0) this.#nextShareMs = nowMs + this.#drawGapMs(sharesPerSecond);
    while (this.#nextShareMs <= nowMs && this.mining) {
      this.#nextShareMs += this.#drawGapMs(sharesPerSecond);
      const before = this.submits;
      while (this.submits === before && this.mining) this.#grind(1 << 16, true);
    }
  }

  #drawGapMs(sharesPerSecond: number): number {
    return (-Math.log(1 - this.#random.fraction()) * 1000) / sharesPerSecond;
  }

  #grind(hashes: number, one = false): number {
    if (this.#search === undefined) return hashes;
    const done = this.#search.run(hashes, (found) => {
      this.#submit(found);
      return !one;
    });
    this.hashes += done;
    return done;
  }

  #goDark(how: 'silent' | 'close'): void {
    this.#dark = true;
    if (how === 'close') this.stop();
  }

  #dial(): void {
    if (this.#state === 'stopped') return;
    const socket = connect({ host: this.options.host ?? '127.0.0.1', port: this.options.port });
    this.#socket = socket;
    let opened = false;
    const peer = new LinePeer(
      socket,
      (message) => this.#receive(message),
      () => this.#closed(opened),
    );
    socket.once('connect', () => {
      opened = true;
      this.connects += 1;
      this.#failures = 0;
      this.#peer = peer;
      this.#state = this.#state === 'stopped' ? 'stopped' : 'connected';
      this.#negotiate();
    });
  }

  #closed(opened: boolean): void {
    if (opened && this.#state !== 'stopped') this.disconnects += 1;
    if (!opened && this.#state !== 'stopped') this.refusals += 1;
    this.#awaySinceMs ??= this.options.world.monoMs();
    this.#peer = undefined;
    this.#search = undefined;
    this.#previous = undefined;
    this.#pendingExtranonce = undefined;
    this.#handshake.clear();
    for (const { headerHex, exponent, bad } of this.#pending.splice(0)) this.unanswered.push({ headerHex, exponent, bad });
    if (this.#state === 'stopped') return;
    this.#state = 'idle';
    const { world, reconnectMinMs = 200, reconnectMaxMs = 5000 } = this.options;
    const wait = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** this.#failures);
    this.#failures += 1;
    this.#timers.push(world.after(wait * (0.5 + this.#random.fraction()), () => this.#dial()));
  }

  /** The methods before the first job, in order. */
  #steps(): [string, unknown[]][] {
    const { firmware, options } = this;
    const steps: [string, unknown[]][] = [];
    if (firmware.askMask !== undefined) {
      steps.push(['mining.configure', [['version-rolling'], { 'version-rolling.mask': firmware.askMask }]]);
    }
    const session = options.resumes === true ? this.sessionId : undefined;
    steps.push(['mining.subscribe', [firmware.userAgent, ...(session === undefined ? firmware.subscribeTail : [session])]]);
    steps.push(['mining.authorize', [options.user, options.password ?? 'x']]);
    if (options.suggestDifficulty !== undefined) steps.push(['mining.suggest_difficulty', [options.suggestDifficulty]]);
    if (firmware.extranonceSubscribe) steps.push(['mining.extranonce.subscribe', []]);
    return steps;
  }

  #negotiate(): void {
    this.versionMask = this.firmware.assumedMask;
    const steps = this.#steps();
    this.#stepsLeft = this.firmware.pipelines ? [] : steps;
    if (this.firmware.pipelines) for (const [method, params] of steps) this.#request(method, params);
    this.#nextStep();
  }

  #nextStep(): void {
    const step = this.#stepsLeft.shift();
    if (step !== undefined) this.#request(step[0], step[1]);
  }

  #request(method: string, params: unknown[]): void {
    this.#nextId += 1;
    this.#handshake.set(this.#nextId, method);
    this.#peer?.send({ id: this.#nextId, method, params });
  }

  #receive(message: Message): void {
    const params = Array.isArray(message.params) ? (message.params as unknown[]) : [];
    switch (message.method) {
      case undefined:
        return this.#response(message);
      case 'mining.notify':
        return this.#notify(params);
      case 'mining.set_difficulty':
        this.difficulty = Number(params[0]);
        return undefined;
      case 'mining.set_version_mask':
        this.versionMask = Number.parseInt(String(params[0]), 16);
        return this.#remask();
      case 'mining.set_extranonce':
        this.#pendingExtranonce = { extranonce1: Buffer.from(String(params[0]), 'hex'), extranonce2Bytes: Number(params[1]) };
        return undefined;
      case 'mining.ping':
        return this.#peer?.send(this.firmware.pongAsMethod ? { id: message.id, method: 'pong', params: [] } : { id: message.id, result: 'pong', error: null });
      case 'client.get_version':
        return this.#peer?.send({ id: message.id, result: this.firmware.userAgent, error: null });
      case 'client.reconnect':
        this.#peer?.socket.destroy();
        return undefined;
      case 'client.show_message':
        this.messages.push(String(params[0]));
        return undefined;
      default:
        return undefined;
    }
  }

  #response(message: Message): void {
    const method = this.#handshake.get(message.id);
    if (method === undefined) return this.#submitAnswer(message);
    this.#handshake.delete(message.id);
    const { result } = message;
    if (method === 'mining.subscribe' && Array.isArray(result)) {
      this.extranonce1 = Buffer.from(String(result[1]), 'hex');
      this.extranonce2Bytes = Number(result[2]);
      this.sessionId = sessionOf(result[0]);
    }
    if (method === 'mining.configure' && typeof result === 'object' && result !== null) {
      const granted = result as Record<string, unknown>;
      this.versionMask = granted['version-rolling'] === true ? Number.parseInt(String(granted['version-rolling.mask']), 16) : 0;
    }
    return this.#nextStep();
  }

  #notify(params: readonly unknown[]): void {
    this.notifies += 1;
    if (this.difficulty === undefined) return;
    if (this.#pendingExtranonce !== undefined) {
      this.extranonce1 = this.#pendingExtranonce.extranonce1;
      this.extranonce2Bytes = this.#pendingExtranonce.extranonce2Bytes;
      this.#pendingExtranonce = undefined;
    }
    this.#previous = this.#search;
    this.#exponent = Math.floor(Math.log2(this.difficulty));
    this.#search = this.#searchFor(readNotify(params), difficultyNumberTarget(this.difficulty));
    this.#state = 'mining';
    if (this.#awaySinceMs !== undefined) this.absencesMs.push(this.options.world.monoMs() - this.#awaySinceMs);
    this.#awaySinceMs = undefined;
    if (this.options.neverReads === true) this.#peer?.socket.pause();
  }

  #searchFor(job: RigJob, target: bigint): Search {
    const { extranonce1, extranonce2Bytes, versionMask } = this;
    return new Search({ job, extranonce1, extranonce2Bytes, versionMask, target });
  }

  /** A new mask holds at once, also between notifies; the space is searched on from where a new extranonce2 begins. */
  #remask(): void {
    if (this.#search === undefined) return;
    this.#search = this.#search.remasked(this.versionMask);
  }

  #submit(found: Found): void {
    this.#send(found, undefined);
    const { badEvery = 0 } = this.options;
    if (badEvery === 0 || this.submits % badEvery !== 0) return;
    const bad = BAD_SHARES[this.#badIndex % BAD_SHARES.length];
    this.#badIndex += 1;
    if (bad !== undefined) this.#send(found, bad);
  }

  #send(found: Found, bad: BadShare | undefined): void {
    const space = this.#search?.space;
    if (space === undefined || this.#peer === undefined) return;
    const rolls = this.firmware.assumedMask !== 0 || (this.firmware.askMask !== undefined && space.versionMask !== 0);
    const nonce = this.firmware.unpaddedNonce ? found.nonce.toString(16) : hex8(found.nonce);
    const params = [this.options.user, found.jobId, found.extranonce2, hex8(found.ntime), nonce];
    if (rolls) params.push(versionBits(this.firmware.bits, found.version, space.job.version, space.versionMask));
    this.#nextId += 1;
    const id = this.firmware.sameSubmitId ? 4 : this.#nextId;
    const sent = bad === undefined ? { params, headerHex: found.headerHex } : spoil(bad, params, found.headerHex, this.#previous?.elsewhere(found));
    this.submits += bad === undefined ? 1 : 0;
    this.#pending.push({ id, headerHex: sent.headerHex, exponent: this.#exponent, bad });
    this.#peer.send({ id, method: 'mining.submit', params: sent.params });
  }

  #submitAnswer(message: Message): void {
    const index = this.#pending.findIndex((pending) => pending.id === message.id);
    const pending = index === -1 ? undefined : this.#pending.splice(index, 1)[0];
    if (pending === undefined) return;
    const { headerHex, exponent, bad } = pending;
    const value = message.result === true && (message.error ?? null) === null;
    const code = value ? 0 : Number((Array.isArray(message.error) ? message.error[0] : undefined) ?? -1);
    this.replies.push({ headerHex, exponent, value, code, bad, atMs: this.options.world.wallMs() });
  }
}

/** The subscription id of the mining.notify pair, which clients take as the session id (reference §3.2). */
function sessionOf(subscriptions: unknown): string | undefined {
  if (!Array.isArray(subscriptions)) return undefined;
  const pair: unknown = subscriptions.find((entry) => Array.isArray(entry) && entry[0] === 'mining.notify');
  return Array.isArray(pair) && typeof pair[1] === 'string' ? pair[1] : undefined;
}
