/** Upstream sockets: dialling with or without TLS, framing, writing. Decides nothing. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { World } from '../../config/world.ts';
import { LineSplitter } from '../protocol/lines.ts';
import { parseUpstream } from '../protocol/upstream.ts';
import type { Farm } from '../session/farm.ts';
import type { Link } from '../session/link.ts';
import type { Now } from '../session/sink.ts';

const KEEP_ALIVE_MS = 30_000;
/** With this much unread, shares wait with us, where the oldest can give way. */
const BLOCKED_BYTES = 256 * 1024;
/** A pool that reads nothing while this much waits for it is as good as dead. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;

interface Upstream {
  readonly socket: Socket;
  out: string;
  blocked: boolean;
}

export class Dialer {
  private readonly upstreams = new Map<Link, Upstream>();
  private dirty: Link[] = [];
  private stopping = false;
  private readonly farm: Farm;
  private readonly lineBytesMax: number;
  private readonly now: () => Now;
  private readonly afterEvent: () => void;

  constructor(farm: Farm, lineBytesMax: number, world: World, afterEvent: () => void) {
    this.farm = farm;
    this.lineBytesMax = lineBytesMax;
    this.now = () => ({ wallMs: world.wallMs(), monoMs: world.monoMs() });
    this.afterEvent = afterEvent;
  }

  /** Starts connecting; the farm hears `linkOpened` or `linkClosed`. */
  dial(link: Link): void {
    const { host, port } = link;
    const opened = (): void => {
      if (this.stopping) return;
      this.farm.linkOpened(link, this.now());
      this.afterEvent();
    };
    const socket = link.config.tls
      ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) }, opened)
      : connectTcp({ host, port }, opened);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const splitter = new LineSplitter(this.lineBytesMax);
    this.upstreams.set(link, { socket, out: '', blocked: false });
    let error = '';
    socket.on('error', (failure) => {
      error = failure.message;
    });
    socket.on('data', (chunk: Buffer) => {
      if (this.stopping) return;
      const fits = splitter.push(chunk, (line) => this.farm.linkMessage(link, parseUpstream(line), this.now()));
      if (!fits) this.closed(link, `the pool sent a line of more than ${this.lineBytesMax} bytes`);
      this.afterEvent();
    });
    socket.on('close', () => {
      this.closed(link, error === '' ? 'closed by the pool' : error);
      this.afterEvent();
    });
  }

  private closed(link: Link, reason: string): void {
    if (!this.upstreams.has(link) || this.stopping) return;
    this.farm.linkClosed(link, reason, this.now());
    this.close(link);
  }

  send(link: Link, lines: string): void {
    const upstream = this.upstreams.get(link);
    if (upstream === undefined) return;
    if (upstream.out === '') this.dirty.push(link);
    upstream.out += lines;
  }

  close(link: Link): void {
    const upstream = this.upstreams.get(link);
    if (upstream === undefined) return;
    this.upstreams.delete(link);
    upstream.socket.destroy();
  }

  flush(): void {
    while (this.dirty.length > 0) {
      const batch = this.dirty;
      this.dirty = [];
      for (const link of batch) this.write(link);
    }
  }

  private write(link: Link): void {
    const upstream = this.upstreams.get(link);
    if (upstream === undefined || upstream.out === '') return;
    upstream.socket.write(upstream.out);
    upstream.out = '';
    const unread = upstream.socket.writableLength;
    if (unread > BLOCKED_BYTES && !upstream.blocked) this.block(link, upstream);
    if (unread > UNREAD_BYTES_MAX) this.closed(link, 'the pool does not read what it is sent');
  }

  private block(link: Link, upstream: Upstream): void {
    upstream.blocked = true;
    this.farm.linkBlocked(link, this.now());
    upstream.socket.once('drain', () => {
      upstream.blocked = false;
      this.farm.linkUnblocked(link, this.now());
      this.afterEvent();
    });
  }

  /** Hears nothing more of the pools: their words would find the journal closed. */
  stopTaking(): void {
    this.stopping = true;
  }

  closeAll(): void {
    this.flush();
    for (const { socket } of this.upstreams.values()) socket.destroySoon();
  }
}
