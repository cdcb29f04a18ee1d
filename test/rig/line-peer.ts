/** One JSON-lines TCP connection of the rig: framing, writing and counting, for pools and machines alike. */
import type { Socket } from 'node:net';

/** A decoded line; members are whatever the other side sent. */
export interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly [member: string]: unknown;
}

export class LinePeer {
  readonly socket: Socket;
  messagesIn = 0;
  messagesOut = 0;
  /** Lines that were not a JSON object. */
  garbageIn = 0;
  #partial = '';
  readonly #onMessage: (message: Message) => void;

  /** `onClose` is called once, whatever ended the connection. Errors of the socket end it and are not thrown. */
  constructor(socket: Socket, onMessage: (message: Message) => void, onClose: () => void) {
    this.socket = socket;
    this.#onMessage = onMessage;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => this.#receive(String(chunk)));
    socket.on('error', () => undefined);
    socket.once('close', onClose);
  }

  /** Sends one object as a line. */
  send(message: object): void {
    this.sendRaw(`${JSON.stringify(message)}\n`);
  }

  /** Sends text as it is; it should end a line. */
  sendRaw(text: string): void {
    if (!this.socket.writable) return;
    this.messagesOut += 1;
    this.socket.write(text);
  }

  #receive(chunk: string): void {
    const lines = (this.#partial + chunk).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      this.messagesIn += 1;
      const message = parseObject(line);
      if (message === undefined) this.garbageIn += 1;
      else this.#onMessage(message);
    }
  }
}

function parseObject(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}
