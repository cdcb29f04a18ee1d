/**
 * The listening sockets of an instance. The supervisor binds them and never accepts: every proxy process is handed the same
 * sockets and takes connections from them when it is free. So a socket outlives the processes behind it: while one of them
 * crashes or is replaced, machines that connect wait in the system's queue and are refused by nobody.
 */
import { lookup } from 'node:dns/promises';
import * as net from 'node:net';
import { getSystemErrorMap } from 'node:util';
import type { Config } from '../../config/schema.ts';
import { InstanceError, sentenceOf } from './instance.ts';

export interface Door {
  /** `host:port` as configured; a port the system chooses gets a number of its own. */
  readonly key: string;
  readonly host: string;
  readonly port: number;
  readonly sites: readonly string[];
}

/** Node's own object around a bound socket. */
export interface DoorHandle {
  getsockname(into: { port?: number }): number;
  close(): void;
}

/** What node:cluster itself calls for a socket that is bound and not yet listening; absent from the published types. */
type CreateHandle = (address: string, port: number, addressType: 4 | 6, fd: null, flags: number) => DoorHandle | number;

/** The addresses to listen on, each once however many sites share it. */
export function doorsOf(sites: Config['sites']): Door[] {
  const doors = new Map<string, Door & { sites: string[] }>();
  for (const [site, { listen }] of Object.entries(sites)) {
    listen.forEach(({ host, port }, index) => {
      const key = port === 0 ? `${site} ${index + 1}` : `${host}:${port}`;
      const door = doors.get(key) ?? { key, host, port, sites: [] };
      if (!door.sites.includes(site)) door.sites.push(site);
      doors.set(key, door);
    });
  }
  return [...doors.values()];
}

export interface OpenDoor {
  readonly door: Door;
  readonly handle: DoorHandle;
  /** The port that the system chose, or the configured one. */
  readonly port: number;
}

export class Doors {
  #open = new Map<string, OpenDoor>();

  /** All that are open, in the order of the configuration. */
  list(): readonly OpenDoor[] {
    return [...this.#open.values()];
  }

  /**
   * Binds what `sites` wants and is not open, and returns it all; what is no longer wanted stays open until `keepOnly`.
   * Throws InstanceError with nothing changed when an address cannot be had.
   */
  async open(sites: Config['sites']): Promise<void> {
    const opened: OpenDoor[] = [];
    try {
      for (const door of doorsOf(sites)) {
        if (!this.#open.has(door.key)) opened.push(await bind(door));
      }
    } catch (error) {
      for (const { handle } of opened) handle.close();
      throw error;
    }
    for (const each of opened) this.#open.set(each.door.key, each);
  }

  /** Closes what `sites` does not want. */
  keepOnly(sites: Config['sites']): void {
    const wanted = new Map(doorsOf(sites).map((door) => [door.key, door]));
    for (const [key, { handle }] of this.#open) if (!wanted.has(key)) handle.close();
    this.#open = new Map([...wanted].flatMap(([key, door]) => {
      const open = this.#open.get(key);
      return open === undefined ? [] : [[key, { ...open, door }]];
    }));
  }

  close(): void {
    for (const { handle } of this.#open.values()) handle.close();
    this.#open.clear();
  }
}

async function bind(door: Door): Promise<OpenDoor> {
  const { host, port } = door;
  let address: { address: string; family: number };
  try {
    address = net.isIP(host) === 0 ? await lookup(host) : { address: host, family: net.isIP(host) };
  } catch (error) {
    throw new InstanceError(`cannot listen on ${host}:${port}: ${sentenceOf(error)}; choose another address in sites.*.listen`);
  }
  const create = (net as unknown as { readonly _createServerHandle: CreateHandle })._createServerHandle;
  const handle = create(address.address, port, address.family === 6 ? 6 : 4, null, 0);
  if (typeof handle === 'number') throw new InstanceError(refusal(door, handle));
  const bound: { port?: number } = {};
  handle.getsockname(bound);
  // An address in use may show only when it is listened on; until then the socket has no port, or another one.
  if (bound.port === undefined || bound.port === 0 || (port !== 0 && bound.port !== port)) {
    handle.close();
    throw new InstanceError(refusal(door, undefined));
  }
  return { door, handle, port: bound.port };
}

function refusal({ host, port }: Door, errno: number | undefined): string {
  const why = errno === undefined ? 'address already in use' : (getSystemErrorMap().get(errno)?.[1] ?? `error ${errno}`);
  return `cannot listen on ${host}:${port}: ${why}; choose another address in sites.*.listen`;
}
