/** Entry point of a proxy process: forked by the supervisor, ends with it. */
import type { Config } from '../../config/schema.ts';
import { realWorld } from '../../config/world.ts';
import type { Reconfigured } from '../session/reconfigure.ts';
import { ensureHostId, sentenceOf } from './instance.ts';
import { createChildLogger, logEvent } from '../../config/log.ts';
import type { FromProxy, ToProxy } from './messages.ts';
import { ProxyProcess, type Identity } from './proxy-process.ts';

const SNAPSHOT_MS = 1000;

function given<T>(variable: 'WEIGHBRIDGE_CONFIG' | 'WEIGHBRIDGE_IDENTITY'): T {
  const text = process.env[variable];
  if (text === undefined) throw new Error('a proxy process is started by the supervisor: use `weighbridge start --config FILE`');
  return JSON.parse(text) as T;
}

/** Resolves when the message has left, so that it may be followed by the process's end. */
function tell(message: FromProxy): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

async function main(): Promise<void> {
  const log = createChildLogger('proxy');
  const config = given<Config>('WEIGHBRIDGE_CONFIG');
  const identity = given<Identity>('WEIGHBRIDGE_IDENTITY');
  const host = ensureHostId(config.data, realWorld.random);
  let lastWord = Promise.resolve();
  const proxy = new ProxyProcess({
    config, world: realWorld, log, host, identity,
    onSessions: (sessions, accepts) => void tell({ type: 'sessions', sessions, accepts }),
    onBrought: (sessionId, atMs) => void tell({ type: 'brought', sessionId, atMs }),
    onSplits: (added) => {
      lastWord = tell({ type: 'splits', added: [...added] });
    },
  });
  let stopping: Promise<void> | undefined;
  const stop = (code: number): void => {
    stopping ??= proxy.stop().then(() => lastWord).then(
      () => process.exit(code),
      (error: unknown) => {
        logEvent(log, 'stop failed', {}, sentenceOf(error));
        process.exit(1);
      },
    );
  };
  let started: Promise<{ site: string; address: string }[]> = Promise.resolve([]);
  let configured: Promise<Reconfigured> = Promise.resolve({ rerouted: 0, leaving: 0 });
  const hear = (message: ToProxy, handle: { close(): void }): void => {
    switch (message.type) {
      case 'stop':
        return stop(0);
      case 'machines':
        return void tell({ type: 'machines', request: message.request, machines: proxy.machines() });
      case 'debug':
        return proxy.debug(message.worker, message.forMs);
      case 'door':
        return proxy.gate.door(message.key, { handle, port: message.port });
      case 'room':
        return proxy.gate.room(message.room);
      case 'hosts':
        return void tell({ type: 'hosts', hosts: proxy.hosts(message.elsewhere, message.least) });
      case 'configure':
        configured = started.then(() => proxy.reconfigure(message.config));
        return;
      case 'outcome':
        return void configured.then((outcome) => tell({ type: 'configured', request: message.request, outcome }));
      case 'wishes':
        return proxy.learnWishes(message.wishes);
      case 'hand-over':
        proxy.splits.handOver(message.on);
        return void tell({ type: 'handed-over', request: message.request });
      case 'splits':
        return proxy.takeOver(message.added);
      case 'taken':
        return proxy.taken(message.sessionId, message.atMs);
      case 'drain':
        void tell({ type: 'wishes', wishes: proxy.wishes() });
        return void proxy.drain(message.overMs).then(() => tell({ type: 'drained' }));
      default:
        return message satisfies never;
    }
  };
  process.on('message', (message, handle) => hear(message as ToProxy, handle as { close(): void }));
  process.on('disconnect', () => stop(0));
  // The terminal's Ctrl-C reaches the whole group: the supervisor decides when we stop.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});

  started = proxy.start();
  const addresses = await started;
  // At once: the supervisor counts what this process holds from its first report on.
  await tell({ type: 'snapshot', snapshot: proxy.snapshot() });
  await tell({ type: 'listening', addresses });
  realWorld.every(SNAPSHOT_MS, () => void tell({ type: 'snapshot', snapshot: proxy.snapshot() }));
}

try {
  await main();
} catch (error) {
  await tell({ type: 'fatal', sentence: sentenceOf(error) });
  process.exit(1);
}
