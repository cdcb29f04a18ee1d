/** The whole product in its own processes, as `weighbridge start` runs it, for what one proxy process alone cannot show. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { SimulatedPool } from '../rig/pool.ts';
import { here, pause } from './children.ts';

const START_TRIES = 300;
const TRY_MS = 100;

export interface Product {
  readonly port: number;
  /** Its processes by what they run, the supervisor included. */
  readonly pids: () => Map<string, number>;
  /** Resolves when all of them have ended. */
  readonly stop: () => Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function childrenOf(pid: number): Map<string, number> {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '').map(Number);
  return new Map(pids.map((child) => [`${/([\w-]+\/[\w-]+)\.js/.exec(readFileSync(`/proc/${child}/cmdline`, 'utf8'))?.[1] ?? 'process'} ${child}`, child]));
}

/** Starts it in `directory`, whose every hash is a share; resolves when each proxy process has its link. */
export async function startProduct(directory: string, pool: SimulatedPool, processes: number): Promise<Product> {
  const port = await freePort();
  const data = join(directory, 'data');
  const file = join(directory, 'weighbridge.yaml');
  mkdirSync(data, { recursive: true });
  writeFileSync(file, `
data: ${data}
http: 127.0.0.1:0
processes: ${processes}
sites: { bench: { listen: ["127.0.0.1:${port}"] } }
pools: { main: { url: "${pool.url}", user: bench } }
routes: [ { pools: [ main ] } ]
difficulty: { start: "2^-32", min: "2^-32", max: "2^-32", sharesPerMinute: 300 }
limits: { duplicatesMax: 20000000, sessionsPerAddressMax: 20000 }
`);
  const linksBefore = pool.connections.size;
  const child = spawn(process.execPath, [here('../../../bin/weighbridge'), 'start', '--config', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const pid = child.pid!;
  const stop = (): Promise<void> => {
    child.kill('SIGINT');
    return exit;
  };
  for (let tries = 0; pool.connections.size < linksBefore + processes; tries += 1) {
    if (tries === START_TRIES || child.exitCode !== null) {
      await stop();
      throw new Error('the product did not start');
    }
    await pause(TRY_MS);
  }
  await pause(10 * TRY_MS);
  return { port, pids: () => childrenOf(pid).set(`supervisor ${pid}`, pid), stop };
}
