/** What the demo is made of: two sites, three lessees, forty machines, two pools, and the configuration that joins them. */
import { createServer } from 'node:net';
import type { World } from '../../config/world.ts';
import { demoInventory, demoLeases } from './demo-leases.ts';
import { drawMembers, type FleetMember } from './fleet.ts';
import { SimulatedPool } from './pool.ts';
import { powerOfTwoText } from './work.ts';

/** The weakest machine; the strongest has up to SPREAD times as much. One core grinds about a million hashes a second. */
const HASHES_PER_SECOND = 500;
const SPREAD = 8;
const POOL_EXPONENT = -18;
/** Difficulty 2^-8: this farm finds a block every few minutes. */
const NETWORK_BITS = 0x1e00ffff;
/** A chain of its own: its pool is neither ahead of the other nor behind it. */
const BACKUP_BITS = NETWORK_BITS - 1;
/** A hundredth of what a real block pays, because blocks come so often. */
const COINBASE_SATS = 3_145_000n;
const DARK_AFTER_MS = 40_000;

interface Group {
  readonly site: string;
  readonly lessee: keyof Parts;
  readonly count: number;
}

const GROUPS: readonly Group[] = [
  { site: 'north', lessee: 'acme', count: 10 },
  { site: 'north', lessee: 'borealis', count: 9 },
  { site: 'south', lessee: 'acme', count: 5 },
  { site: 'south', lessee: 'borealis', count: 4 },
  { site: 'south', lessee: 'cobalt', count: 12 },
];

/** How many hundredths of each lessee's work a pool is to have while both live. */
type Parts = Readonly<Record<'acme' | 'borealis' | 'cobalt', { readonly main: number; readonly backup: number }>>;
const WHOLE: Parts = { acme: { main: 100, backup: 0 }, borealis: { main: 100, backup: 0 }, cobalt: { main: 0, backup: 100 } };
const SPLIT: Parts = { ...WHOLE, borealis: { main: 65, backup: 35 } };

/** One machine of the demo and where it belongs. */
export interface DemoMachine {
  readonly site: string;
  readonly lessee: keyof Parts;
  readonly member: FleetMember;
}

/** Where the demo is part of more than itself. */
export interface DemoSurroundings {
  /**
   * `host:port` of /metrics, for dashboards: one route is a split then, which a dozen machines take longer to meet than anyone looks
   * at a terminal. Left out: no split, and port 9280 of this computer, or any free one.
   */
  readonly http?: string | undefined;
  /** A Redis to publish the ledger to. */
  readonly redis?: string | undefined;
}

export interface DemoFarm {
  readonly machines: readonly DemoMachine[];
  readonly pools: { readonly main: SimulatedPool; readonly backup: SimulatedPool };
  readonly parts: Parts;
  /** The configuration file's text, and that of the inventory it names. */
  readonly yaml: string;
  readonly inventory: string;
  readonly darkUser: string;
  readonly badUser: string;
  readonly darkAfterMs: number;
}

/** Starts the pools and settles on ports; nothing else runs yet. */
export async function composeFarm(world: World, dataDir: string, surroundings: DemoSurroundings = {}): Promise<DemoFarm> {
  const main = await SimulatedPool.listen({ world, seed: 1, difficulty: powerOfTwoText(POOL_EXPONENT), nBits: NETWORK_BITS, coinbaseSats: COINBASE_SATS, blockIntervalMs: 45_000 });
  const backup = await SimulatedPool.listen({ world, seed: 2, difficulty: powerOfTwoText(POOL_EXPONENT), nBits: BACKUP_BITS, coinbaseSats: COINBASE_SATS, extranonce1Bytes: 8, convention: 'xor', replyDelayMs: 40, rejectEvery: 60 });
  const ports: Record<string, number> = { north: await freePort(3333), south: await freePort(3334), main: main.port, backup: backup.port };
  const http = surroundings.http ?? `127.0.0.1:${await freePort(9280)}`;
  const darkUser = 'acme.north-03';
  const badUser = 'cobalt.south-05';
  const machines = GROUPS.flatMap(({ site, lessee, count }, index) =>
    drawMembers({ port: ports[site] ?? 0, prefix: `${lessee}.${site}-`, count }, 100 + index, HASHES_PER_SECOND, SPREAD).map((member) => ({
      site,
      lessee,
      member: special(member, darkUser, badUser),
    })),
  );
  const parts = surroundings.http === undefined ? WHOLE : SPLIT;
  const yaml = `${configuration(dataDir, http, ports, parts)}${sharedLedger(surroundings.redis)}${demoLeases(machines, world.wallMs())}`;
  return { machines, pools: { main, backup }, parts, yaml, inventory: demoInventory(machines, world.wallMs()), darkUser, badUser, darkAfterMs: DARK_AFTER_MS };
}

function special(member: FleetMember, darkUser: string, badUser: string): FleetMember {
  if (member.user === darkUser) return { ...member, dark: { afterMs: DARK_AFTER_MS, how: 'silent' } };
  return member.user === badUser ? { ...member, badEvery: 3 } : member;
}

function configuration(dataDir: string, http: string, ports: Readonly<Record<string, number>>, { borealis }: Parts): string {
  const borealisPools = borealis.backup === 0 ? 'main, backup' : `{ pool: main, weight: ${borealis.main} }, { pool: backup, weight: ${borealis.backup} }`;
  return `# Written by the demo. Difficulties are far below 1, so that a simulated machine finds real shares with real hashes.
data: ${JSON.stringify(dataDir)}
http: ${JSON.stringify(http)}
sites:
  north: { listen: [ "127.0.0.1:${ports['north'] ?? 0}" ], power: { watts: 66500, price: 0.0025 BTC/kWh } }
  south: { listen: [ "127.0.0.1:${ports['south'] ?? 0}" ], power: { watts: 73500, price: 0.003 BTC/kWh } }
pools:
  main:   { url: "stratum+tcp://127.0.0.1:${ports['main'] ?? 0}", user: weighbridge.demo, difficulty: "2^${POOL_EXPONENT}" }
  backup: { url: "stratum+tcp://127.0.0.1:${ports['backup'] ?? 0}", user: weighbridge.demo, difficulty: "2^${POOL_EXPONENT}" }
routes:
  - { match: { worker: "acme.*" }, lessee: acme, pools: [ main, backup ] }
  - { match: { worker: "borealis.*" }, lessee: borealis, pools: [ ${borealisPools} ] }
  - { match: { worker: "cobalt.*" }, lessee: cobalt, pools: [ backup, main ] }
difficulty: { start: "2^-23", min: "2^-30", max: "2^${POOL_EXPONENT}", sharesPerMinute: 120 }
`;
}

/** Under a prefix of its own: hash rate of simulated machines must never stand beside that of a farm. */
function sharedLedger(url: string | undefined): string {
  return url === undefined ? '' : `redis: { url: ${JSON.stringify(url)}, prefix: demo }\n`;
}

/** `wanted` if nobody listens there, or any free port. */
async function freePort(wanted: number): Promise<number> {
  try {
    return await probe(wanted);
  } catch {
    return probe(0);
  }
}

function probe(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

/**
 * Mean nominal hash rate of what belongs to something over a span of the demo's own time, counting each machine with the
 * `part` of it that does, and only while it was meant to hash. This is what was set, for comparison; no measured figure is made from it.
 */
export function setRate(farm: DemoFarm, part: (machine: DemoMachine) => number, fromMs: number, toMs: number): number {
  const spanMs = toMs - fromMs;
  if (spanMs <= 0) return 0;
  let sum = 0;
  for (const machine of farm.machines) {
    const endMs = machine.member.user === farm.darkUser ? Math.min(toMs, farm.darkAfterMs) : toMs;
    sum += (part(machine) * machine.member.hashesPerSecond * Math.max(0, endMs - fromMs)) / spanMs;
  }
  return sum;
}
