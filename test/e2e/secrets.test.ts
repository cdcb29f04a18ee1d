/**
 * Runs the product with known passwords everywhere that one can be, makes it complain, and searches all that it says: its log with
 * debug lines on, the arguments of its processes, /metrics, the answers of the command line, and every file it writes.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { LOG_EVENTS } from '../../config/log-events.ts';
import { realWorld } from '../../config/world.ts';
import { ScriptedClient } from '../rig/client.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { RedisRig } from '../rig/redis.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { discard, makeDataDir, until } from './product.ts';

const SECRETS = { pool: 'pool-5ecret-a1', other: 'pool-5ecret-b2', redis: 'redis-5ecret-c3', machine: 'machine-5ecret-d4' };

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Running {
  readonly pid: number;
  said: string;
  readonly ended: Promise<number | null>;
  stop(): void;
}

function run(args: readonly string[], env: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, ['bin/weighbridge', ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const running: Running = { pid: child.pid ?? 0, said: '', ended, stop: () => child.kill('SIGTERM') };
  const listen = (chunk: Buffer): void => {
    running.said += chunk.toString();
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  return running;
}

function events(said: string): { readonly event: string; readonly [field: string]: unknown }[] {
  return said.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { event: string });
}

/** The arguments of a process and of all below it, as `ps` shows them to everybody. */
function argumentsBelow(pid: number): string {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '');
  return `${readFileSync(`/proc/${pid}/cmdline`, 'utf8')}\n${children.map((child) => argumentsBelow(Number(child))).join('')}`;
}

function everythingIn(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n');
}

it('says no password anywhere, and one event a line', async () => {
  const folder = makeDataDir();
  stops.push(() => discard(folder));
  const redis = await RedisRig.single(['--requirepass', SECRETS.redis]);
  stops.push(() => redis.dispose());
  const pool = await SimulatedPool.listen({ world: realWorld, seed: 3, difficulty: powerOfTwoText(-18) });
  stops.push(() => pool.stop());
  const data = join(folder, 'data');
  mkdirSync(data);
  const file = join(folder, 'farm.yaml');
  writeFileSync(
    file,
    `data: ${data}
http: 127.0.0.1:0
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools:
  main: { url: "${pool.url}", user: farm, password: { env: POOL_PASSWORD } }
  dead: { url: "stratum+tcp://127.0.0.1:1", user: farm, password: ${SECRETS.other} }
routes: [ { pools: [ main, dead ] } ]
redis: { url: { env: REDIS_URL } }
`,
  );
  const env = { POOL_PASSWORD: SECRETS.pool, REDIS_URL: redis.url.replace('redis://', `redis://:${SECRETS.redis}@`) };
  const product = run(['start', '--config', file], env);
  stops.push(() => product.ended);
  stops.push(() => product.stop());
  await until(() => events(product.said.slice(0, product.said.lastIndexOf('\n') + 1)).some(({ event }) => event === 'serving'));

  let said = '';
  const ask = async (...args: string[]): Promise<string> => {
    const asked = run([...args, '--config', file], env);
    expect([args[0], await asked.ended]).toEqual([args[0], 0]);
    said += asked.said;
    return asked.said;
  };
  await ask('log', '--debug', '*', '--for', '1m');
  expect(await ask('status')).toContain('Debug lines are written about machines named *');
  const started = events(product.said);
  const port = Number(String(started.find(({ event }) => event === 'listening')?.['address']).split(':')[1]);
  const machine = await ScriptedClient.connect(port);
  stops.push(() => machine.close());
  await machine.request('mining.subscribe', ['rig/1']);
  await machine.request('mining.authorize', ['acme.r1', SECRETS.machine]);
  await machine.notification('mining.notify');
  await machine.request('mining.submit', ['acme.r1', 'ffff', '00000000', '00000000', '00000000']);
  await machine.request('login', [SECRETS.machine]);
  machine.raw(`POST / ${SECRETS.machine}\n`);
  await machine.end();

  const http = String(started.find(({ event }) => event === 'serving')?.['http']);
  for (const path of ['metrics', 'healthz', 'readyz']) said += await (await fetch(`http://${http}/${path}`)).text();
  for (const args of [['status', '--json'], ['machines', '--json'], ['check'], ['keys', 'rotate'], ['ledger', '--local']]) await ask(...args);
  said += argumentsBelow(product.pid);
  await pool.stop();
  await redis.dispose();
  await until(() => events(product.said.slice(0, product.said.lastIndexOf('\n') + 1)).filter(({ event, pool: of }) => event === 'link ended' && of === 'main').length >= 2);
  product.stop();
  expect(await product.ended).toBe(0);

  const lines = events(product.said);
  expect(lines.filter(({ event }) => !(event in LOG_EVENTS))).toEqual([]);
  expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(['debug on', 'heard', 'told', 'share judged', 'session closed', 'stopped']));
  expect(product.said).toContain('[\\"acme.r1\\",\\"[hidden]\\"]');
  const everything = `${product.said}\n${said}\n${everythingIn(data)}`;
  expect(everything).toContain('acme.r1');
  for (const secret of Object.values(SECRETS)) expect(everything.includes(secret)).toBe(false);
}, 60_000);
