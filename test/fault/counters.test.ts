/**
 * What /metrics shows never goes back: kill -9 of each process, Redis restarted from an old copy, and the ledger not writable for
 * ten minutes of the product's clock, in one run. The scrapes are given to the real Prometheus, which must see no counter begin
 * anew and make of them the rate at which machines were told "true".
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, describe, expect, it } from 'vitest';
import { ledgerFile } from '../../accounting/store.ts';
import { realWorld } from '../../config/world.ts';
import { CATALOGUE, type MetricEntry } from '../../metrics/catalogue.ts';
import { askInstance } from '../../proxy/net/control.ts';
import { Prometheus, promtool } from '../rig/prometheus.ts';
import { pause, RedisRig } from '../rig/redis.ts';
import { ApartInstance, freePort, makeDirectory, type InstanceOptions } from './instance.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

/** The product's wall clock: a minute passes in a second. */
const SPEED = 60;
/** A quarter of a minute of that clock. */
const SCRAPE_MS = 250;
const MINUTE_MS = 1000;
/** All that may not fall, of histograms too. */
const COUNTERS = CATALOGUE.flatMap(({ name, type }: MetricEntry) => (type === 'counter' ? [name] : type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : []));
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** Scrapes as Prometheus does, by the product's clock, whatever comes of it. */
class Scraper {
  readonly #startMs: number;
  readonly #lines: string[] = [];
  #http = '';
  #running = true;
  #loop: Promise<void> = Promise.resolve();
  /** Answers that were no metrics, and none at all. */
  failures = 0;
  /** Scrapes without the ledger's counters. */
  withoutLedger = 0;
  lastMs = 0;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  now(): number {
    return Math.round(this.#startMs + (realWorld.wallMs() - this.#startMs) * SPEED);
  }

  at(http: string): void {
    this.#http = http;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    while (this.#running) {
      await this.once();
      await pause(SCRAPE_MS);
    }
  }

  /** Whether it was answered. */
  async once(): Promise<boolean> {
    const atMs = this.now();
    const text = await fetch(`http://${this.#http}/metrics`).then(async (response) => (response.ok ? response.text() : undefined), () => undefined);
    if (text === undefined) {
      this.failures += 1;
      return false;
    }
    if (!text.includes('\nweighbridge_work_total{')) this.withoutLedger += 1;
    this.#lines.push(...text.split('\n').filter((line) => line.startsWith('weighbridge_')).map((line) => `${line} ${atMs / 1000}`));
    this.lastMs = atMs;
    return true;
  }

  async end(): Promise<void> {
    this.#running = false;
    await this.#loop;
  }

  /** Everything scraped, in OpenMetrics with its moments. */
  text(): string {
    return `${this.#lines.join('\n')}\n# EOF\n`;
  }
}

async function httpOf(instance: ApartInstance): Promise<string> {
  return (await askInstance(instance.dataDir, 'status', realWorld, 8000)).http;
}

/** A Prometheus that holds these samples and scrapes nothing. */
async function prometheusOf(openMetrics: string): Promise<Prometheus> {
  const directory = mkdtempSync(join(tmpdir(), 'wb-prometheus-'));
  writeFileSync(join(directory, 'samples'), openMetrics);
  expect(promtool(['tsdb', 'create-blocks-from', 'openmetrics', 'samples', 'data'], '', directory)).toBe('');
  const prometheus = await Prometheus.start('global: { scrape_interval: 1m }\n', directory);
  cleanup.add(() => prometheus.stop());
  return prometheus;
}

/** Nothing can be written to the ledger while `body` runs. */
async function ledgerHeld(dataDir: string, body: () => Promise<void>): Promise<void> {
  const holder = new Database(ledgerFile(dataDir), { timeout: 5000 });
  holder.exec('BEGIN IMMEDIATE');
  try {
    await body();
  } finally {
    holder.exec('ROLLBACK');
    holder.close();
  }
}

describe('counters', () => {
  it('never go back, and rates stay true, whatever is killed', async () => {
    const redis = await RedisRig.single();
    cleanup.add(() => redis.dispose());
    const load = await Load.begin(77, cleanup);
    const startMs = realWorld.wallMs();
    const options: InstanceOptions = { dataDir: makeDirectory(cleanup), port: await freePort(), poolUrl: load.pool.url, redisUrl: redis.url, faults: { clock: { startMs, speed: SPEED } } };
    let instance = await ApartInstance.start(options, cleanup);
    const scraper = new Scraper(startMs);
    cleanup.add(() => scraper.end());
    scraper.at(await httpOf(instance));
    await load.connect(options.port, 77);
    await load.answers(300);
    await until('a first scrape', () => scraper.once());
    const [fromMs, answeredBefore] = [scraper.lastMs, load.answeredTrue];
    scraper.start();
    await redis.first.client.save();

    const [proxy, accountant] = await instance.children();
    await instance.processes.kill(proxy);
    await load.allMine();
    await load.answers(300);
    await instance.processes.kill(accountant);
    await pause(2 * MINUTE_MS);
    await instance.processes.kill(instance.pid);
    instance = await ApartInstance.start(options, cleanup);
    scraper.at(await httpOf(instance));
    await load.allMine();
    await load.answers(300);
    await redis.first.stop();
    await redis.first.start();
    await pause(2 * MINUTE_MS);
    const shown = scraper.withoutLedger;
    await ledgerHeld(options.dataDir, () => pause(10 * MINUTE_MS));
    await load.answers(600);
    await instance.caughtUp();
    await scraper.end();
    await until('a last scrape', () => scraper.once());
    const [toMs, answeredAfter] = [scraper.lastMs, load.answeredTrue];

    // Killed processes were seen to be away, and a ledger that stands still was not shown.
    expect(scraper.failures).toBeGreaterThan(0);
    expect(scraper.withoutLedger).toBeGreaterThan(shown);
    const prometheus = await prometheusOf(scraper.text());
    const seconds = Math.ceil((toMs - fromMs) / 1000);
    const resets = await Promise.all(COUNTERS.map(async (name) => ({ name, resets: (await prometheus.query(`sum(resets(${name}[${seconds + 1}s]))`, toMs))[0]?.value })));
    expect(resets.filter((each) => each.resets !== 0 && each.resets !== undefined)).toEqual([]);
    expect(resets.filter((each) => each.resets === 0).length).toBeGreaterThan(30);
    const told = (answeredAfter - answeredBefore) / seconds;
    const [seen] = await prometheus.query(`sum(rate(weighbridge_shares_total{verdict="accepted"}[${seconds + 1}s]))`, toMs);
    expect(Math.abs((seen?.value ?? 0) / told - 1)).toBeLessThan(0.05);
    // Nor is there a moment at which five minutes look like a multiple.
    const [highest] = await prometheus.query(`max_over_time(sum(rate(weighbridge_shares_total{verdict="accepted"}[5m]))[${seconds}s:15s])`, toMs);
    expect(highest?.value).toBeLessThan(2 * told);
  }, 180_000);
});
