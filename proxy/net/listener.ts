/** Downstream sockets: accepting, framing, writing in one piece, closing the slow. Judges nothing. */
import { BlockList, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Config } from '../../config/schema.ts';
import type { World } from '../../config/world.ts';
import { parseDownstream } from '../protocol/downstream.ts';
import { LineSplitter } from '../protocol/lines.ts';
import type { Farm } from '../session/farm.ts';
import type { Session } from '../session/session.ts';
import type { Now } from '../session/sink.ts';
import { doorsOf, type Door } from './doors.ts';

const KEEP_ALIVE_MS = 60_000;
/** The system may hold this many connections that we have not accepted yet: a whole hall coming back at once. */
const BACKLOG = 4096;

interface Connection {
  readonly socket: Socket;
  readonly splitter: LineSplitter;
  session: Session | undefined;
  out: string;
}

interface SiteFilter {
  readonly site: string;
  readonly from: BlockList | undefined;
}

function filterOf(site: string, blocks: readonly string[]): SiteFilter {
  if (blocks.length === 0) return { site, from: undefined };
  const from = new BlockList();
  for (const block of blocks) {
    const [net = '', bits = ''] = block.split('/');
    const family = isIPv6(net) ? 'ipv6' : 'ipv4';
    from.addSubnet(net, bits === '' ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  return { site, from };
}

export class Listeners {
  /** Sessions closed and connections refused, by reason. */
  readonly closes = new Map<string, number>();
  /** Told each line of a machine before it is acted upon; only while somebody wants to know. */
  heard: ((session: Session, line: string) => void) | undefined;
  /** By the key of their door. */
  private readonly servers = new Map<string, Server>();
  private readonly connections = new Map<Session, Connection>();
  private dirty: Connection[] = [];
  private stopping = false;
  private config: Config;
  /** Which addresses are of which site, by the key of the door. */
  private readonly filters = new Map<string, readonly SiteFilter[]>();
  private readonly farm: Farm;
  private readonly now: () => Now;
  private readonly afterEvent: () => void;
  private readonly onAccepted: () => void;

  /** `afterEvent` is called when an event has been handled whole: the moment to send what it caused. `onAccepted`: one more session. */
  constructor(config: Config, farm: Farm, world: World, afterEvent: () => void, onAccepted: () => void) {
    this.config = config;
    this.farm = farm;
    this.now = () => ({ wallMs: world.wallMs(), monoMs: world.monoMs() });
    this.afterEvent = afterEvent;
    this.onAccepted = onAccepted;
  }

  /** Takes connections from a socket that the supervisor has bound; resolves to the addresses, rejects with a sentence. */
  open(door: Door, handle: object, port: number): Promise<{ site: string; address: string }[]> {
    const { host, key } = door;
    this.filters.set(key, this.filtersOf(door));
    const listener = `${host}:${door.port}`;
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) => this.accept(socket, this.filters.get(key) ?? [], listener));
      server.once('error', (error) => reject(new Error(`cannot listen on ${host}:${port}: ${error.message}; choose another address in sites.*.listen`)));
      server.listen(handle, BACKLOG, () => {
        resolve(door.sites.map((site) => ({ site, address: `${host.includes(':') ? `[${host}]` : host}:${port}` })));
      });
      this.servers.set(key, server);
    });
  }

  private filtersOf({ sites }: Door): SiteFilter[] {
    return sites.map((site) => filterOf(site, this.config.sites[site]?.from ?? []));
  }

  /** From now on with these sites and limits; doors that are not wanted any more are let go of. */
  reconfigure(config: Config): void {
    this.config = config;
    const wanted = new Map(doorsOf(config.sites).map((door) => [door.key, door]));
    for (const [key, server] of this.servers) {
      const door = wanted.get(key);
      if (door !== undefined) this.filters.set(key, this.filtersOf(door));
      else {
        server.close();
        this.servers.delete(key);
      }
    }
  }

  private countClose(reason: string): void {
    this.closes.set(reason, (this.closes.get(reason) ?? 0) + 1);
  }

  private siteOf(address: string, filters: readonly SiteFilter[]): string | undefined {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return filters.find(({ from }) => from === undefined || from.check(address, family))?.site;
  }

  private accept(socket: Socket, filters: readonly SiteFilter[], listener: string): void {
    socket.on('error', () => {});
    const remote = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    const site = this.siteOf(remote, filters);
    if (site === undefined) {
      this.countClose('address of no site');
      socket.destroy();
      return;
    }
    const session = this.farm.connected(site, `${remote}:${socket.remotePort ?? 0}`, this.now(), listener);
    if (session === undefined) {
      this.countClose('too many sessions');
      socket.destroy();
      return;
    }
    const connection: Connection = { socket, splitter: new LineSplitter(this.config.limits.lineBytesMax), session, out: '' };
    this.connections.set(session, connection);
    socket.on('data', (chunk: Buffer) => this.data(connection, chunk));
    socket.on('close', () => this.gone(connection, 'closed by the machine'));
    this.onAccepted();
  }

  private data(connection: Connection, chunk: Buffer): void {
    if (this.stopping) return;
    const { paramsMax } = this.config.limits;
    const fits = connection.splitter.push(chunk, (line) => {
      const { session } = connection;
      if (session === undefined) return;
      this.heard?.(session, line);
      this.farm.message(session, parseDownstream(line, paramsMax), this.now());
    });
    if (!fits) this.drop(connection, 'line too long');
    this.afterEvent();
  }

  private drop(connection: Connection, reason: string): void {
    this.gone(connection, reason);
    connection.socket.destroy();
  }

  /** The connection ended by itself or for a reason of the driver's. */
  private gone(connection: Connection, reason: string): void {
    const { session } = connection;
    if (session === undefined || this.stopping) return;
    connection.session = undefined;
    this.connections.delete(session);
    this.countClose(reason);
    this.farm.disconnected(session, reason, this.now());
  }

  /** Queues lines for the session; `flush` sends them. */
  send(session: Session, lines: string): void {
    const connection = this.connections.get(session);
    if (connection === undefined) return;
    if (connection.out === '') this.dirty.push(connection);
    connection.out += lines;
  }

  /** Ends a session's connection after what is queued for it; the farm knows already. */
  close(session: Session, reason: string): void {
    const connection = this.connections.get(session);
    if (connection === undefined) return;
    connection.session = undefined;
    this.connections.delete(session);
    this.countClose(reason.startsWith('not Stratum') ? 'not Stratum' : reason);
    if (connection.out !== '') connection.socket.write(connection.out);
    connection.out = '';
    connection.socket.end();
    connection.socket.destroySoon();
  }

  /** Sends what the events since the last call caused, one write a connection. */
  flush(): void {
    while (this.dirty.length > 0) {
      const batch = this.dirty;
      this.dirty = [];
      for (const connection of batch) {
        if (connection.out === '') continue;
        const text = connection.out;
        connection.out = '';
        connection.socket.write(text);
        if (connection.socket.writableLength > this.config.limits.slowReaderBytesMax) this.drop(connection, 'does not read');
      }
    }
  }

  /** Takes no more connections and nothing more from those that are open: under load the journal would never be done. */
  stopTaking(): void {
    this.stopping = true;
    this.stopAccepting();
  }

  /** Takes no more connections; those that are open go on. */
  stopAccepting(): void {
    for (const server of this.servers.values()) server.close();
    this.servers.clear();
  }

  /** Whether connections are taken from this door. */
  accepts(key: string): boolean {
    return this.servers.has(key);
  }

  /** Ends every connection after what is queued for it. */
  closeAll(): void {
    this.flush();
    for (const { socket } of this.connections.values()) socket.destroySoon();
  }
}
