/**
 * `npm run bench:scrape [-- --seconds N] [--rounds N]`: a scrape of 200 leases at 20 sites each, and what a scrape every second
 * costs the machines: reply p99 with and without, in turn in one run.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { emptyDeltas, HOUR_MS, MINUTE_MS, type Deltas } from '../../accounting/rows.ts';
import { Store } from '../../accounting/store.ts';
import { realWorld } from '../../config/world.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { cpuSeconds, here, load, median, pause } from './children.ts';

const LEASES = 200;
const SITES = 20;
const [HOUR_MINUTES, DAY_HOURS, DAY_MINUTES] = [60, 24, 1440];
const CONNECTIONS = 1000;
const SHARES_PER_SECOND = 2000;
const SCRAPE_EVERY_MS = 1000;
const ALONE = 50;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '8' }, rounds: { type: 'string', default: '3' } } });

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function configuration(data: string, pool: string, port: number, http: number): string {
  const lease = (i: number): string => `
  lease-${i}:
    { kind: leaseback, lessor: a, lessee: b, machines: { workers: [ "lease${i}.*" ] }, term: { from: 2020-01-01, to: 2120-01-01 }, timezone: UTC, contracted: 10 PH/s,
      rent: [ { fixed: 0.04 USD/TH/day, payer: b, payee: a } ] }`;
  return `
data: ${data}
http: 127.0.0.1:${http}
sites: { bench: { listen: ["127.0.0.1:${port}"] } }
pools: { main: { url: "${pool}", user: bench } }
routes: [ { pools: [ main ] } ]
difficulty: { start: "2^-32", min: "2^-32", max: "2^-32", sharesPerMinute: 300 }
limits: { duplicatesMax: 20000000, sessionsPerAddressMax: 20000 }
parties: { a: { name: A }, b: { name: B } }
leases:${numbers(LEASES).map(lease).join('')}
`;
}

/** A ledger in which every lease has delivered at every site, under two verdicts, and to its contract over the last day. */
function fillLedger(data: string): void {
  const store = Store.open(data);
  const deltas = emptyDeltas();
  for (const lease of numbers(LEASES)) {
    for (const site of numbers(SITES)) {
      for (const verdict of ['accepted', 'stale'] as const) {
        const row = { site: `site-${site}`, lessee: `lessee-${lease % 10}`, leases: `lease-${lease}`, pool: 'main', verdict, exponent: 16, n: 1e6 + lease, last_ms: 1, worth: 10n ** 24n };
        deltas.total.set(`${lease} ${site} ${verdict}`, row);
      }
    }
  }
  fillLastDay(deltas);
  store.apply(deltas, []);
  store.close();
}

/** Each lease has shares in every window, of its own count and at two difficulties: their intervals are what a scrape computes. */
function fillLastDay(deltas: Deltas): void {
  const nowMs = realWorld.wallMs();
  const [minute, hour] = [Math.floor(nowMs / MINUTE_MS), Math.floor(nowMs / HOUR_MS)];
  const run = '0'.repeat(12);
  const common = { run, site: 'site-0', lessee: 'lessee-0', pool: 'main', verdict: 'accepted', forwarding: 'forwarded' } as const;
  for (let at = minute - DAY_MINUTES; at < minute; at += 1) {
    deltas.observed_minute.set(String(at), { run, minute: at, process: 'bench', observed_ms: MINUTE_MS, first_ms: at * MINUTE_MS, last_ms: (at + 1) * MINUTE_MS });
  }
  for (const lease of numbers(LEASES)) {
    const of = { ...common, leases: `lease-${lease}`, exponent: 16 + (lease % 2) };
    for (let at = minute - HOUR_MINUTES; at < minute; at += 1) deltas.delivered_minute.set(`${lease} ${at}`, { ...of, minute: at, link: '', nbits: 0, value: 0, n: 5 + (lease % 20) });
    for (let at = hour - DAY_HOURS; at < hour; at += 1) deltas.delivered_hour.set(`${lease} ${at}`, { ...of, hour: at, n: 300 + lease, worth: 0n });
  }
}

/** As Prometheus asks, over one connection, without the time that this process takes to read what it got. */
function scrape(url: string): Promise<{ readonly ms: number; readonly text: string }> {
  const fromMs = realWorld.monoMs();
  return new Promise((resolve, reject) => {
    get(url, { agent: CONNECTION, headers: { accept: 'application/openmetrics-text;version=1.0.0' } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const ms = realWorld.monoMs() - fromMs;
        const text = Buffer.concat(parts).toString();
        if (response.statusCode === 200) resolve({ ms, text });
        else reject(new Error(text));
      });
    }).on('error', reject);
  });
}
const CONNECTION = new Agent({ keepAlive: true, maxSockets: 1 });

function accountantOf(supervisor: number): number {
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').trim().split(' ').map(Number);
  return children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('accounting/main')) ?? supervisor;
}

async function underLoad(port: number, url: string | undefined): Promise<{ readonly p99Ms: number; readonly scrapes: readonly number[] }> {
  const scrapes: number[] = [];
  let running = true;
  const scraping = (async () => {
    while (running && url !== undefined) {
      scrapes.push((await scrape(url)).ms);
      await pause(SCRAPE_EVERY_MS);
    }
  })();
  const result = await load({ port, connections: CONNECTIONS, depth: 0, seconds: Number(values.seconds), sharesPerSecond: SHARES_PER_SECOND });
  running = false;
  await scraping;
  return { p99Ms: result.replyP99Ms, scrapes };
}

async function measure(directory: string): Promise<void> {
  const pool = await SimulatedPool.listen({ world: realWorld, difficulty: '1', jobIntervalMs: HOUR_MS, blockIntervalMs: HOUR_MS, seed: 1 });
  const [port, http] = [await freePort(), await freePort()];
  const data = join(directory, 'data');
  mkdirSync(data);
  fillLedger(data);
  const file = join(directory, 'weighbridge.yaml');
  writeFileSync(file, configuration(data, pool.url, port, http));
  const child = spawn(process.execPath, [here('../../../bin/weighbridge'), 'start', '--config', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${http}/metrics`;
  try {
    while (!(await scrape(url).then(({ text }) => text.includes('weighbridge_links{pool="main",state="live"} 1'), () => false))) await pause(100);
    const accountant = accountantOf(child.pid!);
    const before = [cpuSeconds(child.pid!), cpuSeconds(accountant)] as const;
    const alone: number[] = [];
    let text = '';
    for (let i = 0; i < ALONE; i += 1) {
      const found = await scrape(url);
      alone.push(found.ms);
      text = found.text;
    }
    const cpuMs = [cpuSeconds(child.pid!) - before[0], cpuSeconds(accountant) - before[1]].map((seconds) => ((seconds * 1000) / ALONE).toFixed(1));
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    process.stdout.write(`scrape of ${series} series, ${Math.round(text.length / 1024)} KiB: median ${median(alone, (ms) => ms).toFixed(1)} ms, fastest ${Math.min(...alone).toFixed(1)} ms of ${ALONE}; processor time of the supervisor ${cpuMs[0]} ms, of the accountant ${cpuMs[1]} ms\n`);
    for (let round = 1; round <= Number(values.rounds); round += 1) {
      const without = await underLoad(port, undefined);
      const beside = await underLoad(port, url);
      const times = `scrapes median ${median(beside.scrapes, (ms) => ms).toFixed(1)} ms`;
      process.stdout.write(`round ${round}, ${SHARES_PER_SECOND} shares/s: reply p99 ${without.p99Ms.toFixed(1)} ms without, ${beside.p99Ms.toFixed(1)} ms with a scrape a second (${times})\n`);
    }
  } finally {
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGINT');
    await gone;
    await pool.stop();
  }
}

const directory = mkdtempSync(join(tmpdir(), 'weighbridge-scrape-'));
await measure(directory).finally(() => rmSync(directory, { recursive: true, force: true }));
