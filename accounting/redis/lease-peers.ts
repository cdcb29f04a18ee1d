/**
 * Hosts tell each other through Redis how the leases stand whose machines they share: each puts what it has counted itself, and
 * reads what the others have put. A lease is then measured as a whole at every host, or not at all.
 */
import { hostname } from 'node:os';
import type { World } from '../../config/world.ts';
import { firstMinute } from '../leases/evidence.ts';
import type { HourStanding, Standing } from '../leases/elsewhere.ts';
import { KEPT_MINUTES } from '../leases/minutes.ts';
import type { LeaseWatch } from '../leases/watch.ts';
import { DAY_MS, MINUTE_MS } from '../rows.ts';
import type { SharedRedis } from './client.ts';
import type { HostClaim } from './host.ts';

export interface LeasePeersOptions {
  readonly redis: SharedRedis;
  readonly claim: HostClaim;
  readonly world: World;
  readonly prefix: string;
}

const EXCHANGE_MS = 3_000;
/** A host that has said nothing for longer has no say: as long as a share of its machines would give it one. */
const STANDING_LIFE_MS = DAY_MS;
const HOUR_LIFE_MS = KEPT_MINUTES * MINUTE_MS;

export class LeasePeers {
  readonly #options: LeasePeersOptions;
  #watch: LeaseWatch | undefined;
  #exchanging = false;
  #nextAtMs = -Infinity;
  /** What was put already; 0: nothing that can be relied on. */
  #putMinute = 0;

  constructor(options: LeasePeersOptions) {
    this.#options = options;
    // Another server may know less.
    options.redis.onReady(() => {
      this.#putMinute = 0;
    });
  }

  /** Begins an exchange, when it is time for one. */
  turn(watch: LeaseWatch | undefined): void {
    const { redis, claim, world } = this.#options;
    if (watch === undefined || this.#exchanging || !redis.ready || !claim.held || world.monoMs() < this.#nextAtMs) return;
    this.#nextAtMs = world.monoMs() + EXCHANGE_MS;
    void this.exchange(watch).catch(() => {
      // The publisher's figures say what is wrong with Redis; here it is tried again.
      this.#putMinute = 0;
    });
  }

  /** Puts what is new here and takes what is new elsewhere. Rejects when Redis does not answer. */
  async exchange(watch: LeaseWatch): Promise<void> {
    if (watch !== this.#watch) this.#putMinute = 0;
    this.#watch = watch;
    this.#exchanging = true;
    try {
      await this.#put(watch);
      await this.#take(watch);
    } finally {
      this.#exchanging = false;
    }
  }

  /** The minutes first: who reads how a host stands finds all that it claims to have said. */
  async #put(watch: LeaseWatch): Promise<void> {
    const { redis, claim, prefix } = this.#options;
    const standing = watch.standing(hostname());
    if (standing === undefined) return;
    const { toMinute, atMs } = standing;
    if (toMinute > this.#putMinute) {
      // The hour before may have become whole, and what came late belongs to it.
      const from = this.#putMinute === 0 ? firstMinute(atMs) : toMinute - 61;
      const hours = hoursOf(from, toMinute);
      await Promise.all(hours.map((hour) => redis.putText(hourKey(prefix, claim.id, hour), JSON.stringify(watch.hourStanding(hour, toMinute)), HOUR_LIFE_MS)));
      this.#putMinute = toMinute;
    }
    await redis.putText(standingKey(prefix, claim.id), JSON.stringify(standing), STANDING_LIFE_MS);
    await redis.putField(`${prefix}:hosts`, claim.id, hostname());
  }

  async #take(watch: LeaseWatch): Promise<void> {
    const { redis, claim, prefix, world } = this.#options;
    const ids = Object.keys(await redis.fields(`${prefix}:hosts`)).filter((id) => id !== claim.id);
    const found = await Promise.all(ids.map(async (id) => [id, await redis.text(standingKey(prefix, id))] as const));
    const standings = new Map(found.flatMap(([id, text]) => (text === null ? [] : [[id, JSON.parse(text) as Standing] as const])));
    const news = await Promise.all([...standings].map(async ([id, { toMinute }]) => [id, await this.#hours(id, Math.max(watch.knownTo(id), firstMinute(world.wallMs())), toMinute)] as const));
    watch.others(standings, new Map(news));
  }

  /** What a host says of its minutes [from, to). */
  async #hours(id: string, from: number, to: number): Promise<HourStanding[]> {
    const { redis, prefix } = this.#options;
    const texts = await Promise.all(hoursOf(from, to).map((hour) => redis.text(hourKey(prefix, id, hour))));
    return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as HourStanding]));
  }
}

/** Hours that hold the minutes [from, to). */
function hoursOf(from: number, to: number): number[] {
  const first = Math.floor(from / 60);
  return from >= to ? [] : Array.from({ length: Math.floor((to - 1) / 60) - first + 1 }, (_, index) => first + index);
}

function standingKey(prefix: string, host: string): string {
  return `${prefix}:leases:${host}`;
}

function hourKey(prefix: string, host: string, hour: number): string {
  return `${prefix}:leases:${host}:${hour}`;
}
