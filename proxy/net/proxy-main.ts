/** Entry point of a proxy process: forked by the supervisor, ends with it. */
import cluster from 'node:cluster';
import type { Config } from '../../config/schema.ts';
import { realWorld } from '../../config/world.ts';
import { ensureHostId, sentenceOf } from './instance.ts';
import { createChildLogger } from './log.ts';
import type { FromProxy, ToProxy } from './messages.ts';
import { ProxyProcess } from './proxy-process.ts';

const SNAPSHOT_MS = 1000;

function configuration(): Config {
  const text = process.env['WEIGHBRIDGE_CONFIG'];
  if (text === undefined) throw new Error('a proxy process is started by the supervisor: use `weighbridge start --config FILE`');
  return JSON.parse(text) as Config;
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
  const config = configuration();
  const host = ensureHostId(config.data, realWorld.random);
  const proxy = new ProxyProcess({ config, world: realWorld, log, host });
  let stopping: Promise<void> | undefined;
  const stop = (code: number): void => {
    stopping ??= proxy.stop().then(
      () => process.exit(code),
      (error: unknown) => {
        log.error({ event: 'stop failed' }, sentenceOf(error));
        process.exit(1);
      },
    );
  };
  process.on('message', (message: ToProxy) => {
    if (message.type === 'stop') stop(0);
    else void tell({ type: 'machines', request: message.request, machines: proxy.machines() });
  });
  process.on('disconnect', () => stop(0));
  // The terminal's Ctrl-C reaches the whole group: the supervisor decides when we stop.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  if (cluster.isWorker) cluster.worker?.on('disconnect', () => stop(0));

  const addresses = await proxy.start();
  await tell({ type: 'listening', addresses });
  realWorld.every(SNAPSHOT_MS, () => void tell({ type: 'snapshot', snapshot: proxy.snapshot() }));
}

try {
  await main();
} catch (error) {
  await tell({ type: 'fatal', sentence: sentenceOf(error) });
  process.exit(1);
}
