/** Memory of a connection that has its job and nothing to say, and how long a new block takes to reach all of them. */
import type { SimulatedPool } from '../rig/pool.ts';
import { here, load, pause, residentBytes, type Served } from './children.ts';

/** For the process whose memory is measured: what is left after a collection is what a connection costs. */
export const COLLECTING = ['--expose-gc', '--import', here('./collect.js')];

/** Held while more are added: the slope between the two is what a connection costs, start-up left out. */
const BASE = 2000;
const MORE = 8000;
export const IDLE_CONNECTIONS = BASE + MORE;

export interface Idle {
  readonly bytesPerConnection: number;
  /** Between the first and the last machine that is told of a new block; undefined where no pool was given. */
  readonly notifyFirstToLastMs: number | undefined;
}

export async function measureIdle({ child, port }: Served, pool: SimulatedPool | undefined): Promise<Idle> {
  let after = 0;
  const idle = { port, depth: 0 };
  const base = load({ ...idle, connections: BASE, seconds: 12 });
  await pause(3500);
  const before = residentBytes(child.pid!);
  const more = load({ ...idle, connections: MORE, seconds: 6 }, () => {
    setTimeout(() => (after = residentBytes(child.pid!)), 1900);
    if (pool !== undefined) for (const delay of [2000, 2700, 3400]) setTimeout(() => pool.newBlock(), delay);
  });
  const { fanOutMs } = await more;
  await base;
  return { bytesPerConnection: Math.round((after - before) / MORE), notifyFirstToLastMs: fanOutMs };
}
