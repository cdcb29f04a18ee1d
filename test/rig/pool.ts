/**
 * A Stratum V1 pool on 127.0.0.1 as pools behave, with their faults on demand. Judges every submit by its own code
 * (work.ts, node:crypto) and keeps its own books, so that a test can hold the product's ledger against them.
 */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { seededRandom, type Random, type Timer } from '../../config/world.ts';
import { PoolConnection, type PoolSide, type Refusal, type SentJob } from './pool-connection.ts';
import { makeJob, makePrevhash } from './pool-jobs.ts';
import { combineVersion, fillOptions, type FullPoolOptions, type PoolOptions } from './pool-options.ts';
import { compactTarget, hashNumber, headerOf, hex8, merkleRoot, readNotify, sha256d, type RigJob } from './work.ts';

/** Ids a pool still knows; older ones are answered as not found. */
const JOBS_KEPT = 64;
const HEX8 = /^[0-9a-f]{8}$/i;

/** What the pool found of one header. Only the first submit of a header is kept. */
export interface PoolShare {
  /** As displayed: big-endian hex. */
  readonly hash: string;
  readonly user: string;
  /** Difficulty of its job on its connection, as the text sent. */
  readonly difficulty: string;
  readonly accepted: boolean;
  readonly block: boolean;
}

export class SimulatedPool implements PoolSide {
  readonly options: FullPoolOptions;
  readonly connections = new Set<PoolConnection>();
  /** Every header submitted that assembled, by its 160 hex digits. */
  readonly headers = new Map<string, PoolShare>();
  /** Refusals by text. */
  readonly reasons = new Map<string, number>();
  /** What connections are given; all of a pool's jobs are made for these. */
  sizes: { readonly extranonce1Bytes: number; readonly extranonce2Bytes: number };
  accepted = 0;
  rejected = 0;
  blocks = 0;
  connects = 0;
  #server: Server;
  #port: number;
  #closed = { in: 0, out: 0 };
  #silent = false;
  #answers = true;
  #difficulty: string;
  #job: RigJob | undefined;
  #prevhash: Buffer;
  #live = new Set<string>();
  #known: string[] = [];
  #jobCount = 0;
  #height: number;
  #timers: Timer[] = [];
  readonly #random: Random;

  private constructor(options: FullPoolOptions, server: Server) {
    this.options = options;
    this.sizes = options;
    this.#random = seededRandom(options.seed);
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.#difficulty = options.difficulty;
    this.#height = options.height;
    this.#prevhash = makePrevhash(this.#random);
    this.#attach(server);
    this.#startTimers();
    this.newJob(true);
  }

  /** Resolves when the port accepts connections. */
  static async listen(options: PoolOptions): Promise<SimulatedPool> {
    const full = fillOptions(options);
    return new SimulatedPool(full, await listening(full.port));
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `stratum+tcp://127.0.0.1:${this.#port}`;
  }

  /** Lines over all connections, closed ones included. */
  get messages(): { readonly in: number; readonly out: number } {
    const sum = { ...this.#closed };
    for (const { peer } of this.connections) {
      sum.in += peer.messagesIn;
      sum.out += peer.messagesOut;
    }
    return sum;
  }

  get acceptedHeaders(): Set<string> {
    return new Set([...this.headers].filter(([, share]) => share.accepted).map(([header]) => header));
  }

  /** New work for everybody; `clean` ends all earlier jobs. A captured job is served again as it is. */
  newJob(clean: boolean): void {
    const { captured, world } = this.options;
    if (captured !== undefined) return this.#publish(readNotify(captured.notifyParams));
    this.#jobCount += 1;
    const id = this.#jobCount.toString(16);
    return this.#publish(makeJob(this.#shape(), id, this.#prevhash, Math.floor(world.wallMs() / 1000), clean, this.#random));
  }

  /** A block was found somewhere: another prevhash, clean. */
  newBlock(): void {
    this.#prevhash = makePrevhash(this.#random);
    this.#height += 1;
    this.newJob(true);
  }

  /** The same work again: under its own id, or another. */
  repeatJob(how: { readonly sameId: boolean; readonly clean: boolean }): void {
    if (this.#job === undefined) return;
    if (!how.sameId) this.#jobCount += 1;
    this.#publish({ ...this.#job, id: how.sameId ? this.#job.id : this.#jobCount.toString(16), clean: how.clean });
  }

  /** For all connections and those to come; applies from the next job, which follows at once unless `quietly`. */
  setDifficulty(text: string, quietly = false): void {
    this.#difficulty = text;
    for (const connection of this.connections) connection.setDifficulty(text);
    if (!quietly) this.newJob(false);
  }

  /** New work comes at this difficulty for a while, then at the pool's own: pools that start far too low. */
  beginLow(text: string, raiseAfterMs: number): void {
    const usual = this.#difficulty;
    this.setDifficulty(text);
    this.#timers.push(this.options.world.after(raiseAfterMs, () => this.setDifficulty(usual)));
  }

  setVersionMask(mask: number): void {
    for (const connection of this.connections) {
      connection.versionMask = mask;
      connection.notification('mining.set_version_mask', `["${hex8(mask)}"]`);
    }
  }

  /** New extranonce1 of the given sizes for every connection, followed by a clean job. */
  setExtranonce(extranonce1Bytes: number, extranonce2Bytes: number): void {
    this.sizes = { extranonce1Bytes, extranonce2Bytes };
    for (const connection of this.connections) {
      connection.extranonce1 = this.newExtranonce1();
      connection.extranonce2Bytes = extranonce2Bytes;
      connection.notification('mining.set_extranonce', `["${connection.extranonce1.toString('hex')}",${extranonce2Bytes}]`);
    }
    this.newJob(true);
  }

  reconnectTo(params: readonly unknown[]): void {
    this.#broadcast(`{"id":null,"method":"client.reconnect","params":${JSON.stringify(params)}}\n`);
  }

  showMessage(text: string): void {
    this.#broadcast(`{"id":null,"method":"client.show_message","params":[${JSON.stringify(text)}]}\n`);
  }

  ping(): void {
    this.#broadcast('{"id":"p1","method":"mining.ping","params":[]}\n');
  }

  garbage(text = 'this is no JSON\n'): void {
    this.#broadcast(text);
  }

  /** One line of this length. */
  hugeLine(bytes: number): void {
    this.#broadcast(`{"id":null,"method":"client.show_message","params":["${'x'.repeat(bytes)}"]}\n`);
  }

  /** Says nothing from now on, not even replies; connections stay open. */
  silence(silent = true): void {
    this.#silent = silent;
  }

  /** Judges submits and books them, but answers none. */
  muteSubmits(mute = true): void {
    this.#answers = !mute;
  }

  /** Refuses new connections; those it has live on. */
  stopAccepting(): void {
    this.#server.close();
  }

  /** Power cut: resets every connection and refuses new ones. Books stay. */
  kill(): void {
    this.#server.close();
    for (const { peer } of this.connections) peer.socket.resetAndDestroy();
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  /** Comes back on the same port after `kill` or `stopAccepting`. */
  async revive(): Promise<void> {
    this.#server = await listening(this.#port);
    this.#attach(this.#server);
    if (this.#timers.length === 0) this.#startTimers();
    this.newBlock();
  }

  /** Closes in order and resolves when nothing is left open. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    const server = this.#server;
    for (const { peer } of this.connections) peer.socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }

  speaks(): boolean {
    return !this.#silent;
  }

  answersSubmits(): boolean {
    return this.#answers;
  }

  startDifficulty(): string {
    return this.#difficulty;
  }

  newExtranonce1(): Buffer {
    return Buffer.from(this.#random.bytes(this.sizes.extranonce1Bytes));
  }

  currentJob(): RigJob | undefined {
    return this.#job;
  }

  onClosed(connection: PoolConnection): void {
    this.connections.delete(connection);
    this.#closed.in += connection.peer.messagesIn;
    this.#closed.out += connection.peer.messagesOut;
  }

  judge(connection: PoolConnection, params: readonly unknown[]): Refusal | undefined {
    const refusal = this.#examine(connection, params);
    if (refusal === undefined) this.accepted += 1;
    else {
      this.rejected += 1;
      this.reasons.set(refusal.text, (this.reasons.get(refusal.text) ?? 0) + 1);
    }
    return refusal;
  }

  /** Reference §8.1, in its order. */
  #examine(connection: PoolConnection, params: readonly unknown[]): Refusal | undefined {
    const [user, jobId, extranonce2Hex, ntimeHex, nonceHex, bitsHex] = params.map(String);
    if (!connection.subscribed) return { code: 25, text: 'Not subscribed' };
    if (params.length < 5 || params.length > 6 || nonceHex === undefined) return { code: 20, text: 'Invalid array size' };
    if (user === undefined || !connection.users.has(user)) return { code: 24, text: 'Unauthorized worker' };
    const sent = connection.jobs.get(jobId ?? '');
    if (sent === undefined) return { code: 21, text: 'Job not found' };
    if (!this.#live.has(sent.job.id)) return { code: 21, text: 'Stale' };
    const extranonce2 = Buffer.from(extranonce2Hex ?? '', 'hex');
    if (extranonce2.length !== sent.extranonce2Bytes) return { code: 20, text: 'Invalid nonce2 length' };
    const nonceForm = this.options.lenient ? /^[0-9a-f]{1,8}$/i : HEX8;
    if (!HEX8.test(ntimeHex ?? '') || !nonceForm.test(nonceHex)) return { code: 20, text: 'Invalid hex' };
    const ntime = Number.parseInt(ntimeHex ?? '', 16);
    if (ntime < sent.job.ntime || ntime > sent.job.ntime + this.options.ntimeWindowSeconds) return { code: 20, text: 'Ntime out of range' };
    const version = this.#version(sent, bitsHex);
    if (version === undefined) return { code: 20, text: 'Invalid version mask' };
    const root = merkleRoot(sent.job, Buffer.concat([sent.extranonce1, extranonce2]));
    return this.#weigh(connection, sent, user, headerOf(sent.job, root, ntime, Number.parseInt(nonceHex, 16), version));
  }

  /** The full header version; undefined when bits are set that were not granted. */
  #version(sent: SentJob, bitsHex: string | undefined): number | undefined {
    if (bitsHex === undefined) return sent.job.version;
    const { job, versionMask } = sent;
    if (!HEX8.test(bitsHex)) return undefined;
    const whole = Number.parseInt(bitsHex, 16);
    const full = this.options.lenient && (whole & ~versionMask) === (job.version & ~versionMask);
    const bits = full ? (whole & versionMask) >>> 0 : whole;
    if ((bits & ~versionMask) !== 0) return undefined;
    return combineVersion(this.options.convention, job.version, versionMask, bits);
  }

  #weigh(connection: PoolConnection, sent: SentJob, user: string, header: Buffer): Refusal | undefined {
    const key = header.toString('hex');
    if (this.headers.has(key)) return { code: 22, text: 'Duplicate share' };
    const digest = sha256d(header);
    const value = hashNumber(digest);
    const met = value <= connection.requiredTarget(sent);
    const { rejectEvery } = this.options;
    const unlucky = met && rejectEvery > 0 && (this.headers.size + 1) % rejectEvery === 0;
    const block = met && value <= compactTarget(sent.job.nBits);
    const hash = Buffer.from(digest).reverse().toString('hex');
    this.headers.set(key, { hash, user, difficulty: sent.difficulty, accepted: met && !unlucky, block });
    if (!met) return { code: 23, text: 'Above target' };
    if (unlucky) return { code: 21, text: 'Stale' };
    if (block) this.#foundBlock();
    return undefined;
  }

  #foundBlock(): void {
    this.blocks += 1;
    if (this.options.captured === undefined) this.options.world.after(0, () => this.newBlock());
  }

  #publish(job: RigJob): void {
    if (job.clean) this.#live.clear();
    this.#live.add(job.id);
    this.#known.push(job.id);
    this.#job = job;
    const forgotten = this.#known.length > JOBS_KEPT ? this.#known.shift() : undefined;
    for (const connection of this.connections) {
      if (forgotten !== undefined && forgotten !== job.id) connection.jobs.delete(forgotten);
      connection.sendJob(job);
    }
  }

  #broadcast(text: string): void {
    for (const connection of this.connections) connection.say(text);
  }

  #shape(): Parameters<typeof makeJob>[0] {
    const { extranonce1Bytes, extranonce2Bytes } = this.sizes;
    return { ...this.options, extranonceBytes: extranonce1Bytes + extranonce2Bytes, height: this.#height };
  }

  #attach(server: Server): void {
    server.on('connection', (socket) => {
      this.connects += 1;
      this.connections.add(new PoolConnection(this, socket));
    });
  }

  #startTimers(): void {
    const { world, jobIntervalMs, blockIntervalMs } = this.options;
    this.#timers.push(world.every(jobIntervalMs, () => this.newJob(false)));
    if (blockIntervalMs > 0) this.#timers.push(world.every(blockIntervalMs, () => this.newBlock()));
  }
}

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve(server);
    });
  });
}
