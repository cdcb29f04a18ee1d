/**
 * A TCP proxy on loopback before a Redis that delays, throttles, cuts, swallows and half-opens, connection by connection or
 * command by command. A command whose answer is lost on the way is the one that its sender cannot know the fate of.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { realWorld } from '../../config/world.ts';

/** What happens to one command. */
export type Fate =
  | 'pass'
  /** It never arrives, and the connection ends. */
  | 'cut-before'
  /** It arrives, and the connection ends before its answer. */
  | 'cut-after'
  /** It never arrives, and nothing says so. */
  | 'swallow';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly requests: RequestFrames;
  /** Bytes of one direction leave in the order they came. */
  up: Promise<void>;
  down: Promise<void>;
  /** The next answer is not passed on. */
  deaf: boolean;
}

/** Command and first argument of each request of a stream (RESP arrays of bulk strings), with its bytes. */
class RequestFrames {
  #pending = Buffer.alloc(0);

  *push(chunk: Buffer): Generator<{ readonly words: readonly string[]; readonly bytes: Buffer }> {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (let frame = readRequest(this.#pending); frame !== undefined; frame = readRequest(this.#pending)) {
      const bytes = this.#pending.subarray(0, frame.end);
      this.#pending = this.#pending.subarray(frame.end);
      yield { words: frame.words, bytes };
    }
  }
}

function readRequest(from: Buffer): { readonly words: string[]; readonly end: number } | undefined {
  const head = numberAt(from, 0);
  if (head === undefined) return undefined;
  const words: string[] = [];
  let at = head.end;
  for (let index = 0; index < head.value; index += 1) {
    const length = numberAt(from, at);
    if (length === undefined || from.length < length.end + length.value + 2) return undefined;
    if (index < 2) words.push(from.toString('latin1', length.end, length.end + length.value).toLowerCase());
    at = length.end + length.value + 2;
  }
  return { words, end: at };
}

/** The number of a line such as `*3` or `$11`, and where the line ends. */
function numberAt(from: Buffer, at: number): { readonly value: number; readonly end: number } | undefined {
  const end = from.indexOf('\r\n', at, 'latin1');
  return end < 0 ? undefined : { value: Number(from.toString('latin1', at + 1, end)), end: end + 2 };
}

export class FaultProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  #fate: (words: readonly string[]) => Fate = () => 'pass';
  /** Each answer waits for so long. */
  delayMs = 0;
  /** Requests leave no faster; Infinity without a limit. */
  bytesPerSecond = Infinity;
  /** Connections stay open and nothing moves, in either direction. */
  halfOpen = false;
  /** New connections are ended at once. */
  refusing = false;
  /** Commands that met a fate other than `pass`. */
  struck = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#accept(client));
  }

  static async listen(targetPort: number): Promise<FaultProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FaultProxy(server, targetPort);
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Decides on each command by its name and first argument, both in lower case. */
  strike(fate: (words: readonly string[]) => Fate): void {
    this.#fate = fate;
  }

  /** Ends every connection. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** No faults any more. Connections that stood still are ended: what they held back is lost. */
  heal(): void {
    if (this.halfOpen) this.cut();
    this.#fate = () => 'pass';
    this.delayMs = 0;
    this.bytesPerSecond = Infinity;
    this.halfOpen = false;
    this.refusing = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.refusing) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, '127.0.0.1');
    const pair: Pair = { client, server, requests: new RequestFrames(), up: Promise.resolve(), down: Promise.resolve(), deaf: false };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      socket.on('error', () => undefined);
      socket.on('close', () => this.#end(pair));
    }
    client.on('data', (chunk: Buffer) => {
      for (const request of pair.requests.push(chunk)) pair.up = pair.up.then(() => this.#forward(pair, request));
    });
    server.on('data', (chunk: Buffer) => {
      const dueMs = realWorld.monoMs() + this.delayMs;
      pair.down = pair.down.then(() => this.#answer(pair, chunk, dueMs));
    });
  }

  async #forward(pair: Pair, { words, bytes }: { readonly words: readonly string[]; readonly bytes: Buffer }): Promise<void> {
    if (this.bytesPerSecond !== Infinity) await pause((bytes.length * 1000) / this.bytesPerSecond);
    if (this.halfOpen || pair.client.destroyed) return;
    const fate = this.#fate(words);
    if (fate !== 'pass') this.struck += 1;
    if (fate === 'swallow') return;
    if (fate === 'cut-before') {
      this.#end(pair);
      return;
    }
    pair.deaf ||= fate === 'cut-after';
    pair.server.write(bytes);
  }

  async #answer(pair: Pair, chunk: Buffer, dueMs: number): Promise<void> {
    const waitMs = dueMs - realWorld.monoMs();
    if (waitMs > 0) await pause(waitMs);
    if (this.halfOpen) return;
    // The answer shows that the command was carried out.
    if (pair.deaf) this.#end(pair);
    else pair.client.write(chunk);
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void realWorld.after(ms, resolve));
}
