/** The places of proxy processes and who is told what, with processes that are only played. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { pino } from 'pino';
import { realWorld } from '../../../config/world.ts';
import type { ChildEvents } from '../../../proxy/net/child.ts';
import type { FromProxy, ToProxy } from '../../../proxy/net/messages.ts';
import { Slots } from '../../../proxy/net/slots.ts';
import { configOf } from '../../simulation/sim-farm.ts';

const directories: string[] = [];
const running: Slots[] = [];
afterEach(() => {
  for (const slots of running.splice(0)) slots.kill();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A proxy process as the supervisor sees it. */
class Played {
  readonly number: number;
  readonly heard: ToProxy[] = [];
  readonly events: ChildEvents;
  /** What it does by itself when it is told something. */
  answers: (message: ToProxy) => void;

  constructor(number: number, events: ChildEvents) {
    this.number = number;
    this.events = events;
    this.answers = (message) => {
      if (message.type === 'stop') this.events.onExit('exit code 0');
      if (message.type === 'hand-over') this.says({ type: 'handed-over', request: message.request });
      if (message.type === 'outcome') this.says({ type: 'configured', request: message.request, outcome: { rerouted: 0, leaving: 0 } });
    };
  }

  says(message: FromProxy): void {
    this.events.onMessage(message);
  }

  listens(): void {
    this.says({ type: 'listening', addresses: [{ site: 'north', address: '127.0.0.1:1' }] });
  }

  told<T extends ToProxy['type']>(type: T): Extract<ToProxy, { type: T }>[] {
    return this.heard.filter((message): message is Extract<ToProxy, { type: T }> => message.type === type);
  }
}

async function started(count: number): Promise<{ slots: Slots; played: Played[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'weighbridge-slots-'));
  directories.push(directory);
  const config = configOf(`
data: ${JSON.stringify(directory)}
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { a: { url: stratum+tcp://a.example:1, user: u } }
routes: [ { pools: [ a ] } ]
`);
  const played: Played[] = [];
  const slots = new Slots({
    config,
    count,
    world: realWorld,
    log: pino({ level: 'silent' }),
    onReport: () => undefined,
    spawn: (_config, { process }, events) => {
      const one = new Played(process, events);
      played.push(one);
      queueMicrotask(() => one.listens());
      return {
        pid: 1000 + played.length,
        send: (message) => {
          one.heard.push(message as ToProxy);
          queueMicrotask(() => one.answers(message as ToProxy));
          return true;
        },
        kill: () => one.events.onExit('signal SIGKILL'),
      };
    },
  });
  running.push(slots);
  await slots.start();
  return { slots, played };
}

describe('a machine that came to a process with a session of another', () => {
  it('is told to all other processes, with the moment', async () => {
    const { played } = await started(3);
    played[1]!.says({ type: 'brought', sessionId: 'ab', atMs: 7 });
    expect(played.map((one) => one.told('taken'))).toEqual([[{ type: 'taken', sessionId: 'ab', atMs: 7 }], [], [{ type: 'taken', sessionId: 'ab', atMs: 7 }]]);
  });

  it('is not told to the process it came to, also while that one is being replaced', async () => {
    const { slots, played } = await started(1);
    const [old] = played as [Played];
    const replaced = slots.restart([1], 60_000);
    await expect.poll(() => old.told('drain')).toHaveLength(1);
    const next = played[1]!;
    // It had taken the connection before, and hears of the session only now.
    old.says({ type: 'brought', sessionId: 'ab', atMs: 7 });
    expect([old.told('taken'), next.told('taken')]).toEqual([[], [{ type: 'taken', sessionId: 'ab', atMs: 7 }]]);
    next.says({ type: 'brought', sessionId: 'cd', atMs: 8 });
    expect([old.told('taken').length, next.told('taken').length]).toEqual([1, 1]);
    old.says({ type: 'drained' });
    await replaced;
  });
});
