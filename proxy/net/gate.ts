/** Which sockets a proxy process takes connections from: those it is handed, as long as there is room, and no more. */
import type { Config } from '../../config/schema.ts';
import type { Timer, World } from '../../config/world.ts';
import { doorsOf } from './doors.ts';
import type { Listeners } from './listener.ts';

/** How often changes in the number of sessions are told. */
const COUNT_MS = 20;

export interface HandedDoor {
  readonly handle: { close(): void };
  readonly port: number;
}

export interface GateOptions {
  readonly sites: Config['sites'];
  readonly world: World;
  readonly listeners: Listeners;
  readonly sessions: () => number;
  /** How many connections there are now, and whether more are taken. */
  readonly onSessions: (sessions: number, accepts: boolean) => void;
  /** A listener could not be taken up again. */
  readonly onProblem: (why: string) => void;
}

export class Gate {
  private readonly options: GateOptions;
  private sites: Config['sites'];
  /** Handed before anything is to be listened on. */
  private readonly waiting = new Map<string, HandedDoor>();
  private came: () => void = () => undefined;
  private state: 'closed' | 'open' | 'shut' = 'closed';
  private counting: Timer | undefined;
  private counted = { sessions: 0, accepts: false };
  private roomFor = Number.POSITIVE_INFINITY;

  constructor(options: GateOptions) {
    this.options = options;
    this.sites = options.sites;
  }

  /** Listens on all that was and will be handed over; resolves to the addresses, none when it was shut meanwhile. */
  async open(): Promise<{ site: string; address: string }[]> {
    const addresses: { site: string; address: string }[] = [];
    for (const door of doorsOf(this.sites)) {
      while (!this.waiting.has(door.key) && !this.isShut) await new Promise<void>((resolve) => (this.came = resolve));
      if (this.isShut) return [];
      const { handle, port } = this.waiting.get(door.key)!;
      addresses.push(...(await this.options.listeners.open(door, handle, port)));
    }
    this.state = 'open';
    this.leaveToOthers();
    this.counting = this.options.world.every(COUNT_MS, () => this.count());
    return addresses;
  }

  /** Asked where it may have been shut meanwhile. */
  private get isShut(): boolean {
    return this.state === 'shut';
  }

  /** A bound socket has come from the supervisor. */
  door(key: string, handed: HandedDoor): void {
    const { listeners, sessions, onProblem } = this.options;
    if (this.state === 'closed') {
      this.waiting.set(key, handed);
      this.came();
      return;
    }
    const door = doorsOf(this.sites).find((each) => each.key === key);
    if (this.isShut || door === undefined || listeners.accepts(key) || sessions() >= this.roomFor) {
      handed.handle.close();
      return;
    }
    listeners.open(door, handed.handle, handed.port).catch((error: unknown) => onProblem(String(error)));
    this.count();
  }

  /** Tells when the number of sessions has changed, or whether more are taken. */
  private count(): void {
    const { listeners, sessions, onSessions } = this.options;
    const accepts = doorsOf(this.sites).every(({ key }) => listeners.accepts(key));
    const now = sessions();
    if (now === this.counted.sessions && accepts === this.counted.accepts) return;
    this.counted = { sessions: now, accepts };
    onSessions(now, accepts);
  }

  /** Takes connections up to so many sessions; what comes beyond is for the other processes, until doors come again. */
  room(sessions: number): void {
    this.roomFor = sessions;
    this.leaveToOthers();
  }

  /** To be called when a connection was taken. */
  leaveToOthers(): void {
    if (this.options.sessions() < this.roomFor || this.state !== 'open') return;
    this.options.listeners.stopAccepting();
    this.count();
  }

  /** Other doors are wanted; the listeners know already, and new sockets come by themselves. */
  reconfigure(sites: Config['sites']): void {
    this.sites = sites;
    if (this.state === 'open') this.count();
  }

  /** Takes no connection any more. */
  shut(): void {
    this.state = 'shut';
    this.options.listeners.stopAccepting();
    this.came();
  }

  /** Tells nothing more. */
  stop(): void {
    this.shut();
    this.counting?.cancel();
  }
}
