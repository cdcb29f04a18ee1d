/**
 * The local control socket: net-ipc over a Unix socket in a directory only its owner may enter.
 * A narrow wrapper, because of what the package does when left alone: `start` and `connect` may never settle (a failed
 * listen or dial is only an event), a request whose server died is answered by nobody, `close` waits for peers that do
 * not read, a frame with an absurd length throws inside the server, before any handshake, and what waits for a slow peer
 * waits in one queue of all connections, which is rejected where nobody catches it.
 */
import { chmodSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Client, Server } from 'net-ipc';
import type { World } from '../../config/world.ts';
import { findControlSocket, InstanceError, lockHolder, isAlive, sentenceOf } from './instance.ts';
import type { ControlAnswers, ControlReply, ControlRequest } from './status.ts';

const START_LIMIT_MS = 2_000;
/** Connections at once: a person and some scripts. */
const CONNECTIONS_MAX = 32;
/** Requests are a few bytes; answers may be long but come from us. */
const FRAME_BYTES_MAX = 65_536;
/** Longest time over which machines are moved. */
const OVER_MS_MAX = 86_400_000;
const GLOB_MAX = 1024;
/** Longest time for which debug lines are written. */
const DEBUG_MS_MAX = 86_400_000;

export type ControlHandler = (request: ControlRequest) => Promise<ControlReply>;

export interface ControlServer {
  /** Drops every connection and removes the socket. */
  close(): void;
}

/** Listens at `path`, whose directory must exist with mode 0700. Throws InstanceError when it cannot. */
export async function startControl(path: string, world: World, handle: ControlHandler): Promise<ControlServer> {
  const server = new Server({ path, max: CONNECTIONS_MAX });
  server.on('request', (request: unknown, respond: (reply: ControlReply) => Promise<void>) => {
    void answer(request, handle).then(async (reply) => {
      // Not awaited by anyone: under back-pressure it may never settle, and a peer that left is no fault of ours.
      await respond(reply).catch(() => undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    const limit = world.after(START_LIMIT_MS, () => reject(new InstanceError(`The control socket ${path} did not open within ${START_LIMIT_MS} ms.`)));
    server.on('error', (error: unknown, connection: unknown) => {
      // Errors of single connections come by the same event; they end that connection only.
      if (connection === undefined) reject(new InstanceError(`The control socket ${path} cannot be opened: ${sentenceOf(error)}.`));
    });
    server.start().then(() => {
      limit.cancel();
      resolve();
    }, reject);
  });
  chmodSync(path, 0o600);
  server.server?.prependListener('connection', (socket) => {
    refuseLongFrames(socket);
    writeWithoutWaiting(socket);
  });
  return {
    close: () => {
      for (const connection of [...server.connections]) connection.destroy();
      server.server?.close();
    },
  };
}

/** The package reads a frame in one call with the length its peer claims; a length beyond what Node buffers throws there. */
function refuseLongFrames(socket: Socket): void {
  const read = socket.read.bind(socket);
  socket.read = (bytes?: number): unknown => {
    if (bytes === undefined || bytes <= FRAME_BYTES_MAX) return read(bytes);
    socket.destroy();
    return null;
  };
}

/** Says that a peer is never slow, so that nothing waits in the package's queue. An answer is in memory as a whole either way. */
function writeWithoutWaiting(socket: Socket): void {
  const write = socket.write.bind(socket) as (packet: Uint8Array) => boolean; // The only way in which the package calls it.
  socket.write = (packet: Uint8Array | string): boolean => {
    write(packet as Uint8Array);
    return true;
  };
}

async function answer(request: unknown, handle: ControlHandler): Promise<ControlReply> {
  try {
    const known = readRequest(request);
    if (known === undefined) return { ok: false, sentence: 'This instance does not know that request; the command line may be of another version.' };
    const reply = await handle(known);
    // Through JSON once with big integers as decimal text, because the package's own serialisation throws on them.
    const plain: unknown = JSON.parse(JSON.stringify(reply, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
    return plain as ControlReply; // The same shape: replies hold JSON values only.
  } catch (error) {
    // Written for people, with all its lines.
    if (error instanceof InstanceError) return { ok: false, sentence: error.message };
    return { ok: false, sentence: `The instance could not answer: ${sentenceOf(error)}.` };
  }
}

function readRequest(request: unknown): ControlRequest | undefined {
  if (typeof request !== 'object' || request === null || !('type' in request)) return undefined;
  const { type } = request;
  if (type === 'status' || type === 'machines' || type === 'reload' || type === 'terminations' || type === 'stop') return { type };
  if (type === 'debug') return readDebug(request);
  if (type !== 'restart' && type !== 'drain') return undefined;
  const { process, overMs } = request as { readonly process?: unknown; readonly overMs?: unknown };
  if (typeof overMs !== 'number' || !(overMs >= 0 && overMs <= OVER_MS_MAX)) return undefined;
  if (process !== undefined && !Number.isSafeInteger(process)) return undefined;
  return { type, process: process as number | undefined, overMs };
}

function readDebug(request: object): ControlRequest | undefined {
  const { worker, forMs } = request as { readonly worker?: unknown; readonly forMs?: unknown };
  if (typeof worker !== 'string' || worker.length > GLOB_MAX || typeof forMs !== 'number' || !(forMs >= 0 && forMs <= DEBUG_MS_MAX)) return undefined;
  return { type: 'debug', worker, forMs };
}

/**
 * Asks the instance that runs on `dataDir`. Throws InstanceError with a sentence when none runs there, it refuses, or no
 * answer comes within `limitMs`.
 */
export async function askInstance<T extends ControlRequest['type']>(
  dataDir: string,
  ask: T | Extract<ControlRequest, { type: T }>,
  world: World,
  limitMs: number,
): Promise<ControlAnswers[T]> {
  const holder = lockHolder(dataDir);
  if (holder === undefined || !isAlive(holder)) throw new NotRunningError(dataDir);
  const request = (typeof ask === 'string' ? { type: ask } : ask) as ControlRequest; // A bare word stands for requests without options.
  const reply = await exchange(findControlSocket(dataDir), request, world, limitMs);
  if (!reply.ok) throw new InstanceError(reply.sentence);
  return reply.value as ControlAnswers[T]; // Each type of request has its own type of answer.
}

/** No instance holds the data directory. */
export class NotRunningError extends InstanceError {
  constructor(dataDir: string) {
    super(`No instance runs on ${dataDir}; start one with \`weighbridge start --config FILE\`.`);
  }
}

function exchange(path: string, request: ControlRequest, world: World, limitMs: number): Promise<ControlReply> {
  const client = new Client({ path, reconnect: false });
  return new Promise<ControlReply>((resolve, reject) => {
    const fail = (why: string): void => reject(new InstanceError(`The instance's control socket ${path} ${why}.`));
    const limit = world.after(limitMs, () => fail(`gave no answer within ${limitMs} ms`));
    client.on('error', (error: unknown) => fail(`cannot be reached: ${sentenceOf(error)}`));
    client.on('close', () => fail('was closed before it answered'));
    const ask = async (): Promise<void> => {
      await client.connect();
      // Time-out 0: the package's own timer would keep this process alive after a failure.
      const reply: unknown = await client.request(request, 0);
      limit.cancel();
      if (isReply(reply)) resolve(reply);
      else fail('answered with something else; is it another program?');
    };
    ask().catch((error: unknown) => fail(`failed: ${sentenceOf(error)}`));
  }).finally(() => {
    client.destroy();
  });
}

function isReply(value: unknown): value is ControlReply {
  if (typeof value !== 'object' || value === null || !('ok' in value)) return false;
  return value.ok === true ? 'value' in value : 'sentence' in value && typeof value.sentence === 'string';
}
