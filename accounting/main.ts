/** The accountant's process: its configuration in the environment and an IPC channel to the supervisor; it ends by itself when that closes. */
import type { Config } from '../config/schema.ts';
import { realWorld } from '../config/world.ts';
import { Accountant, type AccountantFigures } from './accountant.ts';
import { sentenceOf } from './store.ts';

/** As proxy/net/messages.ts has them: this room may not import that one. */
type ToAccountant = { readonly type: 'snapshot'; readonly request: number } | { readonly type: 'stop' };
type FromAccountant =
  | { readonly type: 'snapshot'; readonly request: number; readonly snapshot: AccountantFigures }
  | { readonly type: 'ready' }
  | { readonly type: 'fatal'; readonly sentence: string };

/** Pause once everything is folded: each commit forces the disk, which the journals need too. */
const IDLE_MS = 150;
/** On stop, what is durable is still folded, but nobody waits longer for it: the next start does the rest. */
const STOP_MS = 1_000;
const RETAIN_MS = 10 * 60_000;

function send(message: FromAccountant): void {
  // The channel may have closed a moment ago; 'disconnect' then ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function isMessage(message: unknown): message is ToAccountant {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false;
  return message.type === 'stop' || (message.type === 'snapshot' && 'request' in message && typeof message.request === 'number');
}

function run(config: Pick<Config, 'data' | 'journal'>): void {
  const world = realWorld;
  const accountant = Accountant.open({ dataDir: config.data, world });
  let stopAtMs: number | undefined;

  const end = (): void => {
    accountant.close();
    process.exit(0);
  };
  const turn = (): void => {
    const done = accountant.step();
    if (stopAtMs !== undefined && ((done === 0 && !accountant.busy) || world.monoMs() >= stopAtMs)) return end();
    if (accountant.busy || stopAtMs !== undefined) setImmediate(turn);
    else world.after(IDLE_MS, turn);
  };
  const tidyUp = async (): Promise<void> => {
    if (accountant.snapshot().caughtUp) {
      await accountant.retain(config.journal.retainMs, config.journal.compress, (sentence) => process.stderr.write(`${sentence}\n`));
    }
    world.after(RETAIN_MS, () => void tidyUp().catch(complain));
  };
  const complain = (error: unknown): void => {
    process.stderr.write(`old journals were not tidied up: ${sentenceOf(error)}\n`);
    world.after(RETAIN_MS, () => void tidyUp().catch(complain));
  };

  process.on('message', (message: unknown) => {
    if (!isMessage(message)) return;
    if (message.type === 'snapshot') send({ type: 'snapshot', request: message.request, snapshot: accountant.snapshot() });
    else stopAtMs ??= world.monoMs() + STOP_MS;
  });
  process.on('disconnect', end);
  // Ctrl-C and service managers signal the whole group; the supervisor says when to stop.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  send({ type: 'ready' });
  turn();
  world.after(RETAIN_MS, () => void tidyUp().catch(complain));
}

function main(): void {
  const json = process.env['WEIGHBRIDGE_CONFIG'];
  if (json === undefined || process.send === undefined) {
    process.stderr.write('This is a part of weighbridge that its supervisor starts: use `weighbridge start`.\n');
    process.exit(2);
  }
  try {
    // The supervisor has checked it; it comes from nowhere else.
    run(JSON.parse(json) as Config);
  } catch (error) {
    send({ type: 'fatal', sentence: `the accountant cannot start: ${sentenceOf(error)}` });
    process.exitCode = 1;
    process.disconnect();
  }
}

main();
