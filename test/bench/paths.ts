/** The whole path of a share under load: closed loop at saturation, open loop at a fixed rate, a hall that comes back at once, and what goes upstream. */
import type { SimulatedPool } from '../rig/pool.ts';
import { cpuSeconds, load, median, type Served } from './children.ts';
import type { LoadRequest } from './load.ts';
import type { Product } from './product.ts';

export interface PathResult {
  readonly sharesPerSecond: number;
  readonly cpuMicrosPerShare: number;
  readonly refused: number;
  readonly replyP50Ms: number;
  readonly replyP99Ms: number;
  readonly connectsPerSecond: number;
}

/** The product beside the bare responder, measured in turn in one run. */
export interface Compared {
  readonly bare: PathResult;
  readonly proxy: PathResult;
  readonly rateRatio: number;
  readonly cpuRatio: number;
}

export type ClosedLoop = Compared & { readonly connections: number };

const DEPTH = 4;
async function measure({ child, port }: Served, request: Omit<LoadRequest, 'port'>): Promise<PathResult> {
  let before = 0;
  const result = await load({ port, ...request }, () => (before = cpuSeconds(child.pid!)));
  const cpu = cpuSeconds(child.pid!) - before;
  return {
    sharesPerSecond: result.answered / result.seconds,
    cpuMicrosPerShare: (cpu * 1e6) / result.answered,
    refused: result.refused,
    replyP50Ms: result.replyP50Ms,
    replyP99Ms: result.replyP99Ms,
    connectsPerSecond: request.connections / result.connectSeconds,
  };
}

function middle(rows: readonly PathResult[]): PathResult {
  return {
    sharesPerSecond: median(rows, (row) => row.sharesPerSecond),
    cpuMicrosPerShare: median(rows, (row) => row.cpuMicrosPerShare),
    refused: Math.max(...rows.map((row) => row.refused)),
    replyP50Ms: median(rows, (row) => row.replyP50Ms),
    replyP99Ms: median(rows, (row) => row.replyP99Ms),
    connectsPerSecond: median(rows, (row) => row.connectsPerSecond),
  };
}

/** In turn, so that a machine that slows down slows both; the ratios are medians of the rounds'. */
async function compare(bare: Served, proxy: Served, rounds: number, request: Omit<LoadRequest, 'port'>): Promise<Compared> {
  const pairs: { bare: PathResult; proxy: PathResult }[] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push({ bare: await measure(bare, request), proxy: await measure(proxy, request) });
  return {
    bare: middle(pairs.map((pair) => pair.bare)),
    proxy: middle(pairs.map((pair) => pair.proxy)),
    rateRatio: median(pairs, (pair) => pair.proxy.sharesPerSecond / pair.bare.sharesPerSecond),
    cpuRatio: median(pairs, (pair) => pair.proxy.cpuMicrosPerShare / pair.bare.cpuMicrosPerShare),
  };
}

export async function closedLoop(bare: Served, proxy: Served, connections: number, rounds: number, seconds: number): Promise<ClosedLoop> {
  return { connections, ...(await compare(bare, proxy, rounds, { connections, depth: DEPTH, seconds })) };
}

const OPEN_CONNECTIONS = 1000;
const WARM_SECONDS = 2;

/**
 * Machines find shares when they find them: they wait for no answer. Both are saturated for a moment before: at 2,000 shares a second
 * a new process is compiling for a minute, which says nothing of one that runs for months.
 */
export async function openLoop(bare: Served, proxy: Served, sharesPerSecond: number, rounds: number, seconds: number): Promise<Compared> {
  for (const { port } of [bare, proxy]) await load({ port, connections: 100, depth: DEPTH, seconds: WARM_SECONDS });
  return compare(bare, proxy, rounds, { connections: OPEN_CONNECTIONS, depth: 0, seconds, sharesPerSecond });
}

export interface Processes {
  /** CPU of all proxy processes and the supervisor. */
  readonly one: { readonly sharesPerSecond: number; readonly cpuMicrosPerShare: number };
  readonly two: { readonly sharesPerSecond: number; readonly cpuMicrosPerShare: number };
  /** Two against one, median of the rounds. */
  readonly cpuRatio: number;
}

async function measureProduct({ port, pids }: Product, seconds: number): Promise<Processes['one']> {
  const serving = [...pids()].filter(([name]) => !name.startsWith('accounting/')).map(([, pid]) => pid);
  const cpu = (): number => serving.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  let before = 0;
  const result = await load({ port, connections: 100, depth: DEPTH, seconds }, () => (before = cpu()));
  return { sharesPerSecond: result.answered / result.seconds, cpuMicrosPerShare: ((cpu() - before) * 1e6) / result.answered };
}

/** The closed loop with 100 connections through one and through two proxy processes, in turn. */
export async function compareProcesses(one: Product, two: Product, rounds: number, seconds: number): Promise<Processes> {
  const pairs: Omit<Processes, 'cpuRatio'>[] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push({ one: await measureProduct(one, seconds), two: await measureProduct(two, seconds) });
  const middleOf = (of: (pair: Omit<Processes, 'cpuRatio'>) => Processes['one']): Processes['one'] => ({
    sharesPerSecond: median(pairs, (pair) => of(pair).sharesPerSecond),
    cpuMicrosPerShare: median(pairs, (pair) => of(pair).cpuMicrosPerShare),
  });
  return { one: middleOf((pair) => pair.one), two: middleOf((pair) => pair.two), cpuRatio: median(pairs, (pair) => pair.two.cpuMicrosPerShare / pair.one.cpuMicrosPerShare) };
}

export interface Storm {
  readonly machines: number;
  /** From the first connect until the last machine has its job. */
  readonly seconds: number;
  readonly connectsPerSecond: number;
}

/** Every machine of a hall connects, subscribes and authorises at the same moment. */
export async function storm({ port }: Served, machines: number): Promise<Storm> {
  const { connectSeconds } = await load({ port, connections: machines, depth: 0, seconds: 0 });
  return { machines, seconds: connectSeconds, connectsPerSecond: machines / connectSeconds };
}

export interface Bandwidth {
  readonly machines: number;
  readonly downstreamBytes: number;
  readonly upstreamBytes: number;
  readonly ratio: number;
}

function bytesOf({ connections }: SimulatedPool): number {
  return [...connections].reduce((sum, { peer: { socket } }) => sum + socket.bytesRead + socket.bytesWritten, 0);
}

/** Bytes both ways with machines on one link whose difficulty is 256 times theirs. */
export async function bandwidth({ port }: Served, pool: SimulatedPool, machines: number, seconds: number): Promise<Bandwidth> {
  const before = bytesOf(pool);
  const { bytes } = await load({ port, connections: machines, depth: 0, seconds, sharesPerSecond: 2 * machines });
  const upstreamBytes = bytesOf(pool) - before;
  return { machines, downstreamBytes: bytes, upstreamBytes, ratio: upstreamBytes / bytes };
}
