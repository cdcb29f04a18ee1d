/** The accountant's process: its configuration in the environment and an IPC channel to the supervisor; it ends by itself when that closes. */
import type { Config } from '../config/schema.ts';
import { createChildLogger, logEvent, type Logger } from '../config/log.ts';
import { realWorld, type World } from '../config/world.ts';
import { Vitals, type VitalsSnapshot } from '../config/vitals.ts';
import { Accountant, type AccountantFigures, type AccountantMetrics } from './accountant.ts';
import { InventoryKeeper } from './leases/inventory-keeper.ts';
import { leaseTerms } from './leases/terms.ts';
import { readHostId } from './redis/host.ts';
import { openSharing } from './redis/open.ts';
import type { PublisherFigures } from './redis/publisher.ts';
import { SeriesSender, type PackedSeries, type SeriesKnown } from './series-wire.ts';
import { sentenceOf } from './store.ts';

/** As proxy/net/messages.ts has them: this room may not import that one. */
type ToAccountant =
  | { readonly type: 'snapshot'; readonly request: number }
  | { readonly type: 'metrics'; readonly request: number; readonly known: SeriesKnown }
  | { readonly type: 'machines'; readonly machines: readonly unknown[] }
  | { readonly type: 'stop' };
type FromAccountant =
  | { readonly type: 'snapshot'; readonly request: number; readonly snapshot: AccountantFigures & Beside }
  | { readonly type: 'metrics'; readonly request: number; readonly metrics: Omit<AccountantMetrics, 'series'> & Beside & { readonly series: PackedSeries } }
  | { readonly type: 'ready' }
  | { readonly type: 'fatal'; readonly sentence: string };

interface Beside {
  readonly vitals: VitalsSnapshot;
  /** Where the ledger is shared. */
  readonly redis: PublisherFigures | undefined;
}

/** Pause once everything is folded: each commit forces the disk, which the journals need too. */
const IDLE_MS = 150;
/** Pause while an answer of Redis is awaited. */
const AWAIT_MS = 2;
/** On stop, what is durable is still folded, but nobody waits longer for it: the next start does the rest. */
const STOP_MS = 1_000;
const RETAIN_MS = 10 * 60_000;
const INVENTORY_MS = 60_000;

function send(message: FromAccountant): void {
  // The channel may have closed a moment ago; 'disconnect' then ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function isMessage(message: unknown): message is ToAccountant {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false;
  if (message.type === 'machines') return 'machines' in message && Array.isArray(message.machines);
  if (message.type === 'stop') return true;
  return (message.type === 'snapshot' || (message.type === 'metrics' && 'known' in message)) && 'request' in message && typeof message.request === 'number';
}

function run(config: Pick<Config, 'data' | 'journal' | 'redis' | 'leases' | 'parties' | 'inventory'>): void {
  const world = realWorld;
  const log = createChildLogger('accountant');
  const accountant = Accountant.open({
    dataDir: config.data, world, leases: leaseTerms(config), shared: config.redis !== undefined, onNotice: (sentence) => logEvent(log, 'ledger set aside', {}, sentence),
  });
  const sharing = config.redis === undefined ? undefined : openSharing(config.redis, config.data, world);
  const publisher = sharing?.publisher;
  let stopAtMs: number | undefined;

  const end = async (): Promise<void> => {
    accountant.close();
    await publisher?.close();
    process.exit(0);
  };
  const turn = (): void => {
    const done = accountant.step();
    const publishing = accountant.between((units) => publisher?.turn(units, stopAtMs !== undefined)) ?? false;
    sharing?.peers.turn(accountant.watch);
    const finished = done === 0 && !accountant.busy && !publishing;
    if (stopAtMs !== undefined && (finished || world.monoMs() >= stopAtMs)) return void end();
    if (accountant.busy) setImmediate(turn);
    else world.after(publishing || stopAtMs !== undefined ? AWAIT_MS : IDLE_MS, turn);
  };
  const vitals = new Vitals(world);
  const series = new SeriesSender(world.random);
  const beside = (): Beside => ({ vitals: vitals.snapshot(), redis: publisher?.figures(accountant.between((units) => units)) });
  const tidyUp = async (): Promise<void> => {
    if (accountant.snapshot().caughtUp) {
      await accountant.retain(config.journal.retainMs, config.journal.compress, (sentence) => logEvent(log, 'journals not tidied', {}, sentence));
    }
    world.after(RETAIN_MS, () => void tidyUp().catch(complain));
  };
  const complain = (error: unknown): void => {
    logEvent(log, 'journals not tidied', {}, sentenceOf(error));
    world.after(RETAIN_MS, () => void tidyUp().catch(complain));
  };

  if (config.inventory !== undefined) followInventory({ ...config, inventory: config.inventory }, accountant, world, log);
  process.on('message', (message: unknown) => {
    if (!isMessage(message)) return;
    if (message.type === 'snapshot') send({ type: 'snapshot', request: message.request, snapshot: { ...accountant.snapshot(), ...beside() } });
    else if (message.type === 'metrics') {
      const metrics = accountant.metrics();
      send({ type: 'metrics', request: message.request, metrics: { ...metrics, ...beside(), series: series.pack(metrics.series, message.known) } });
    }
    else if (message.type === 'machines') void publisher?.live(message.machines);
    else {
      stopAtMs ??= world.monoMs() + STOP_MS;
      accountant.hurry();
    }
  });
  process.on('disconnect', () => void end());
  // Ctrl-C and service managers signal the whole group; the supervisor says when to stop.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('SIGTERM', () => undefined);
  send({ type: 'ready' });
  turn();
  world.after(RETAIN_MS, () => void tidyUp().catch(complain));
}

/** Looks at the inventory now and from time to time; what cannot be used or recorded is said once, and tried again. */
function followInventory({ data, inventory }: { readonly data: string; readonly inventory: string }, accountant: Accountant, world: World, log: Logger): void {
  const keeper = new InventoryKeeper({ dataDir: data, file: inventory, host: readHostId(data) ?? '', world, onRows: (rows) => accountant.installed(rows) });
  let said = '';
  const look = async (): Promise<void> => {
    try {
      const digest = await keeper.look();
      said = '';
      if (digest !== undefined) logEvent(log, 'inventory recorded', { digest });
    } catch (error) {
      const sentence = sentenceOf(error);
      if (sentence !== said) logEvent(log, 'inventory not recorded', {}, sentence);
      said = sentence;
    }
    world.after(INVENTORY_MS, () => void look());
  };
  void look();
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
