/**
 * Who this host is in the shared ledger: an id in the data directory, claimed in Redis by the running instance. Two living
 * instances with one id mean that a data directory was copied; the later one is refused until one of them is gone.
 */
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { World } from '../../config/world.ts';
import type { SharedRedis } from './client.ts';
import { CLAIM, RELEASE } from './commands.ts';
import { hostKey } from './keys.ts';

const CLAIM_LIFE_MS = 30_000;
export const RENEW_MS = 10_000;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function hostFile(dataDir: string): string {
  return join(dataDir, 'host');
}

/** The host's id as its data directory has it; undefined before it was ever needed, or when it cannot be read. */
export function readHostId(dataDir: string): string | undefined {
  try {
    return readFileSync(hostFile(dataDir), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The host's id, a UUID that the instance makes at its first start. Throws a sentence when it can be neither read nor written. */
function hostId(dataDir: string, world: World): string {
  const file = hostFile(dataDir);
  const found = readHostId(dataDir);
  if (found !== undefined && ID.test(found)) return found;
  if (found !== undefined) throw new Error(`${file} holds no host id: restore it from a backup, or remove it to begin as a new host`);
  const made = world.random.uuid();
  // Two processes may come here at once: the first to create the file decides.
  try {
    writeFileSync(file, `${made}\n`, { flag: 'wx', mode: 0o600 });
    return made;
  } catch (error) {
    const other = readHostId(dataDir);
    if (other !== undefined && ID.test(other)) return other;
    throw new Error(`the host's id cannot be written to ${file}: ${String(error)}`, { cause: error });
  }
}

/** Digest of the machine and the place of the data directory: the same after a restart, another one for a copy. */
function seatOf(dataDir: string): string {
  const { dev, ino } = statSync(dataDir);
  const machine = Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ mac }) => mac));
  return createHash('sha256').update(JSON.stringify([hostname(), [...new Set(machine)].toSorted(), realpathSync(dataDir), String(dev), String(ino)])).digest('hex').slice(0, 32);
}

export interface HostClaimOptions {
  readonly redis: SharedRedis;
  readonly world: World;
  readonly dataDir: string;
  readonly prefix: string;
  /** Left out: asked of the system. */
  readonly seat?: string;
}

export class HostClaim {
  readonly id: string;
  readonly #options: HostClaimOptions;
  readonly #instance: string;
  readonly #seat: string;
  #held = false;
  #everHeld = false;
  #renewedAtMs = -Infinity;
  #problem = '';

  /** Throws a sentence when there is no id and none can be made. */
  constructor(options: HostClaimOptions) {
    this.#options = options;
    this.id = hostId(options.dataDir, options.world);
    this.#instance = options.world.random.uuid();
    this.#seat = options.seat ?? seatOf(options.dataDir);
  }

  /** This instance may publish. */
  get held(): boolean {
    return this.#held;
  }

  /** Why it may not; '' while it may or has not asked yet. */
  get problem(): string {
    return this.#problem;
  }

  /**
   * Claims, or renews the claim. 'lost' means that Redis had forgotten a claim that should be living: it lost data.
   * Rejects when Redis does not answer; a claim once held stays.
   */
  async renew(): Promise<'held' | 'lost' | 'refused'> {
    const { redis, world, prefix, dataDir } = this.#options;
    const key = hostKey(prefix, this.id);
    const people = ['name', hostname(), 'data', dataDir, 'pid', String(process.pid)];
    const answer = await redis.run(CLAIM, [key], [this.#instance, this.#seat, this.#everHeld ? '0' : '1', String(CLAIM_LIFE_MS), ...people]);
    if (answer === 0) {
      const other = await redis.fields(key);
      this.#held = false;
      this.#problem =
        `another running instance publishes as host ${this.id} (${other['name'] ?? 'unknown'}, ${other['data'] ?? 'unknown'}): the data directory was copied; ` +
        `remove the file ${hostFile(dataDir)} of the copy and restart it. Nothing is published from here until then`;
      return 'refused';
    }
    const living = this.#held && world.monoMs() - this.#renewedAtMs < CLAIM_LIFE_MS - RENEW_MS / 2;
    this.#held = true;
    this.#everHeld = true;
    this.#problem = '';
    this.#renewedAtMs = world.monoMs();
    return answer === 1 && living ? 'lost' : 'held';
  }

  /** Lets another instance take the name at once. */
  async release(): Promise<void> {
    if (this.#held) await this.#options.redis.run(RELEASE, [hostKey(this.#options.prefix, this.id)], [this.#instance]);
    this.#held = false;
  }
}
