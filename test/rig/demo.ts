/** The demo: simulated pools and machines around the real product, and a live table of what its ledger says of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../../config/load.ts';
import type { HistogramSnapshot } from '../../config/timing.ts';
import { realWorld, type World } from '../../config/world.ts';
import type { AccountantSnapshot, DeliveredTotal } from '../../proxy/net/messages.ts';
import type { InstanceStatus } from '../../proxy/net/status.ts';
import { startSupervisor, type Supervisor } from '../../proxy/net/supervisor.ts';
import { composeFarm, setRate, type DemoFarm, type DemoMachine, type DemoSurroundings } from './demo-farm.ts';
import { RateWindow } from './demo-rates.ts';
import { drawView, introduction, readings, summaryLine, type DemoView, type RateRow } from './demo-table.ts';
import { FleetProcess } from './fleet-process.ts';

const FRAME_MS = 1000;
/** A ledger further behind says nothing of the present. */
const LAG_MAX_MS = 2000;
/** Frames between two lines where output is not a terminal. */
const PLAIN_EVERY = 5;

export interface DemoOptions extends DemoSurroundings {
  /** Created when missing. Journals, ledger, configuration and log go there. */
  readonly dataDir: string;
  /** Ends by itself after so long; absent: at Ctrl-C. */
  readonly seconds?: number;
  /** Append lines rather than redraw; the default where standard output is not a terminal. */
  readonly plain?: boolean;
}

/** Runs until Ctrl-C, SIGTERM or `seconds`, then stops everything and says where the data lies. Throws when it cannot start. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const world = realWorld;
  const { dataDir } = options;
  const interrupted = untilInterrupted();
  const parts: Stoppable[] = [];
  try {
    mkdirSync(dataDir, { recursive: true });
    const farm = await composeFarm(world, dataDir, options);
    parts.push(farm.pools.main, farm.pools.backup);
    const supervisor = await startProduct(world, dataDir, farm);
    parts.unshift(supervisor);
    const fleet = await FleetProcess.start({ seed: 42, members: farm.machines.map(({ member }) => member) });
    parts.unshift({ stop: () => Promise.resolve(fleet.rest()) });
    parts.push(fleet);
    const plain = options.plain ?? process.stdout.isTTY !== true;
    const limit = new Promise<void>((resolve) => {
      if (options.seconds !== undefined) world.after(options.seconds * 1000, resolve);
    });
    await new Demo(world, dataDir, farm, supervisor, plain).run(Promise.race([interrupted, limit, supervisor.stopped]));
  } catch (error) {
    await stopAll(parts);
    throw error;
  }
  const stoppingMs = world.monoMs();
  await stopAll(parts);
  sayGoodbye(dataDir, world.monoMs() - stoppingMs);
}

/** Settles at the first Ctrl-C or SIGTERM. A second one finds no handler any more and ends the process at once. */
function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

/** Machines rest first and leave last, so that they hear the answers to what they have sent. */
async function stopAll(parts: readonly Stoppable[]): Promise<void> {
  for (const part of parts) await part.stop();
}

interface Stoppable {
  stop(): Promise<void>;
}

async function startProduct(world: World, dataDir: string, { yaml, inventory }: DemoFarm): Promise<Supervisor> {
  const file = join(dataDir, 'demo.yaml');
  writeFileSync(join(dataDir, 'inventory.csv'), inventory);
  writeFileSync(file, yaml);
  const loaded = loadConfig(file);
  if (loaded.config === undefined) {
    throw new Error(`the demo's own configuration ${file} is wrong: ${loaded.problems.map(({ path, message }) => `${path} ${message}`).join('; ')}`);
  }
  const log = pino(pino.destination({ dest: join(dataDir, 'demo.log'), sync: true }));
  return startSupervisor({ config: loaded.config, world, log, childLog: { kind: 'file', path: join(loaded.config.data, 'demo.log') } });
}

function sayGoodbye(dataDir: string, tookMs: number): void {
  const seconds = (tookMs / 1000).toFixed(1);
  process.stdout.write(`\nStopped in ${seconds} s. Journals and ledger are in ${dataDir}; these read them:\n${readings(dataDir).map((line) => `  ${line}\n`).join('')}`);
}

class Demo {
  readonly #world: World;
  readonly #dataDir: string;
  readonly #farm: DemoFarm;
  readonly #supervisor: Supervisor;
  readonly #plain: boolean;
  readonly #startedMs: number;
  readonly #rates = new RateWindow();
  #frames = 0;
  #last: DemoView | undefined;

  constructor(world: World, dataDir: string, farm: DemoFarm, supervisor: Supervisor, plain: boolean) {
    this.#world = world;
    this.#dataDir = dataDir;
    this.#farm = farm;
    this.#supervisor = supervisor;
    this.#plain = plain;
    this.#startedMs = world.monoMs();
  }

  /** Draws a frame a second until `ended` settles. */
  async run(ended: Promise<void>): Promise<void> {
    let over = false;
    const finish = ended.then(() => {
      over = true;
    });
    process.stdout.write(this.#plain ? `${introduction(this.#dataDir, this.#supervisor.http).join('\n')}\n\n` : '\u001B[2J');
    while (!over) {
      await Promise.race([finish, this.#frame()]);
      await Promise.race([finish, new Promise<void>((resolve) => this.#world.after(FRAME_MS, resolve))]);
    }
    if (this.#plain && this.#last !== undefined) process.stdout.write(`\n${drawView(this.#last).join('\n')}\n`);
  }

  async #frame(): Promise<void> {
    const view = this.#view(await this.#supervisor.status());
    this.#last = view;
    this.#frames += 1;
    if (!this.#plain) {
      // What does not fit the terminal is cut: a wrapped or scrolled line would spoil the next frame.
      const { columns, rows, isTTY } = process.stdout;
      const lines = [...drawView(view), '', ...introduction(this.#dataDir, this.#supervisor.http)].slice(0, isTTY ? rows - 1 : undefined);
      process.stdout.write(`\u001B[H${lines.map((line) => `${isTTY ? line.slice(0, columns) : line}\u001B[K\n`).join('')}\u001B[J`);
    } else if (this.#frames % PLAIN_EVERY === 0) {
      process.stdout.write(`${summaryLine(view)}\n`);
    }
  }

  #view(status: InstanceStatus): DemoView {
    const delivered = status.accountant?.delivered ?? [];
    const nowMs = this.#world.monoMs();
    if (status.accountant !== undefined && foldsNow(status.accountant)) this.#rates.add(nowMs, delivered);
    const { fromMs, toMs } = this.#rates.span;
    const elapsedMs = nowMs - this.#startedMs;
    const { darkAfterMs, darkUser, badUser } = this.#farm;
    return {
      elapsedSeconds: Math.round(elapsedMs / 1000),
      windowSeconds: Math.round((toMs - fromMs) / 1000),
      machines: this.#farm.machines.length,
      sessions: status.proxy?.sessions ?? 0,
      rows: this.#rows(delivered),
      verdicts: countBy(delivered, ({ verdict }) => verdict),
      downstreamMessages: status.totals.counters.downstreamMessages,
      upstreamMessages: status.totals.counters.upstreamMessages,
      fsyncP99Ms: quantileMs(status.totals.fsync, 0.99),
      lagMs: status.accountant?.lagMs,
      blocks: this.#farm.pools.main.blocks + this.#farm.pools.backup.blocks,
      problems: status.problems,
      darkUser,
      badUser,
      darkSinceSeconds: elapsedMs < darkAfterMs ? undefined : Math.round((elapsedMs - darkAfterMs) / 1000),
    };
  }

  #rows(delivered: readonly DeliveredTotal[]): RateRow[] {
    const row = (what: 'site' | 'lessee' | 'pool', name: string, part: (machine: DemoMachine) => number): RateRow => {
      const mine = (total: DeliveredTotal): boolean => total[what] === name;
      const { fromMs, toMs } = this.#rates.span;
      const shares = delivered.filter(mine);
      return {
        what,
        name,
        estimate: this.#rates.rate(mine),
        set: setRate(this.#farm, part, fromMs - this.#startedMs, toMs - this.#startedMs),
        accepted: sum(shares.filter(({ verdict }) => verdict === 'accepted')),
        rejected: sum(shares.filter(({ verdict }) => verdict !== 'accepted' && verdict !== 'courtesy')),
      };
    };
    return [
      ...['north', 'south'].map((site) => row('site', site, (machine) => (machine.site === site ? 1 : 0))),
      ...['acme', 'borealis', 'cobalt'].map((lessee) => row('lessee', lessee, (machine) => (machine.lessee === lessee ? 1 : 0))),
      ...(['main', 'backup'] as const).map((pool) => row('pool', pool, (machine) => this.#farm.parts[machine.lessee][pool] / 100)),
    ];
  }
}

/** Totals grow as shares come, not because an earlier run in the same directory is still being folded. */
function foldsNow({ foldedRecords, lagMs }: AccountantSnapshot): boolean {
  return foldedRecords > 0 && lagMs < LAG_MAX_MS;
}

function sum(totals: readonly DeliveredTotal[]): number {
  return totals.reduce((all, { count }) => all + count, 0);
}

function countBy(totals: readonly DeliveredTotal[], key: (total: DeliveredTotal) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const total of totals) counts.set(key(total), (counts.get(key(total)) ?? 0) + total.count);
  return [...counts];
}

/** Upper bound of the bucket that holds the quantile; undefined for an empty histogram. */
function quantileMs(histogram: HistogramSnapshot | undefined, quantile: number): number | undefined {
  const all = histogram?.counts.reduce((total, n) => total + n, 0) ?? 0;
  if (histogram === undefined || all === 0) return undefined;
  let below = 0;
  const index = histogram.counts.findIndex((n) => (below += n) >= quantile * all);
  return 1000 * (histogram.bounds[index] ?? histogram.bounds.at(-1) ?? 0);
}
