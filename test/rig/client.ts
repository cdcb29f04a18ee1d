/** A Stratum client that does only what a test tells it: one request at a time, raw lines, and everything received kept in order. */
import { connect, type Socket } from 'node:net';
import { LinePeer, type Message } from './line-peer.ts';

export class ScriptedClient {
  readonly received: Message[] = [];
  closed = false;
  readonly #peer: LinePeer;
  readonly #waiting: { readonly matches: (message: Message) => boolean; readonly resolve: (message: Message) => void }[] = [];
  readonly #closing: (() => void)[] = [];
  #nextId = 0;

  private constructor(socket: Socket) {
    this.#peer = new LinePeer(
      socket,
      (message) => this.#receive(message),
      () => {
        this.closed = true;
        for (const resolve of this.#closing) resolve();
      },
    );
  }

  static connect(port: number, host = '127.0.0.1'): Promise<ScriptedClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new ScriptedClient(socket));
      });
    });
  }

  /** Sends a request and resolves with its answer. */
  request(method: string, params: unknown): Promise<Message> {
    this.#nextId += 1;
    const id = this.#nextId;
    const answer = this.next((message) => message.id === id && message.method === undefined);
    this.#peer.send({ id, method, params });
    return answer;
  }

  /** Sends bytes as they are. */
  raw(text: string): void {
    this.#peer.sendRaw(text);
  }

  /** Resolves with the next message that matches, from now on. */
  next(matches: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve) => {
      this.#waiting.push({ matches, resolve });
    });
  }

  /** Resolves with the newest notification of `method`, already received or yet to come. */
  notification(method: string): Promise<Message> {
    const old = this.received.findLast((message) => message.method === method);
    return old === undefined ? this.next((message) => message.method === method) : Promise.resolve(old);
  }

  /** Resolves when the other side has closed. */
  end(): Promise<void> {
    return this.closed ? Promise.resolve() : new Promise((resolve) => this.#closing.push(resolve));
  }

  close(): void {
    this.#peer.socket.destroy();
  }

  #receive(message: Message): void {
    this.received.push(message);
    const index = this.#waiting.findIndex(({ matches }) => matches(message));
    if (index !== -1) this.#waiting.splice(index, 1)[0]?.resolve(message);
  }
}
