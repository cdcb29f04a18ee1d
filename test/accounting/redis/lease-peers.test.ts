/** A lease whose machines are at several hosts is measured as a whole at each of them, through a real server; what is missing alarms nobody. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LeaseTerms } from '../../../accounting/leases/terms.ts';
import { LeaseWatch } from '../../../accounting/leases/watch.ts';
import type { LeaseFigures } from '../../../accounting/leases/watched.ts';
import type { SharedRedis } from '../../../accounting/redis/client.ts';
import { HostClaim } from '../../../accounting/redis/host.ts';
import { LeasePeers } from '../../../accounting/redis/lease-peers.ts';
import { emptyDeltas, HOUR_MS, MINUTE_MS, type Deltas } from '../../../accounting/rows.ts';
import { realWorld, seededRandom, type Random, type World } from '../../../config/world.ts';
import { RedisRig } from '../../rig/redis.ts';
import { leaseOf } from '../leases/contracts.ts';
import { connect, PREFIX } from './books.ts';

const START_MS = Date.parse('2026-11-10T07:13:00Z');
const STEP_MS = 3000;
const EXPONENT = 14;
const CONTRACTED = Math.round((20 / 60) * (2 ** 48 / 65_535) * 2 ** EXPONENT);
const LEASE: LeaseTerms = { id: 'l', lease: { ...leaseOf(), contracted: String(CONTRACTED) }, parties: {} };

function poisson(mean: number, random: Random): number {
  let n = 0;
  for (let product = random.fraction(); product > Math.exp(-mean); product *= random.fraction()) n += 1;
  return n;
}

/** A host: its watch, its place in Redis, and how much of the contracted rate its machines deliver. */
class Place {
  watch = new LeaseWatch([LEASE], undefined, true);
  readonly peers: LeasePeers;
  readonly redis: SharedRedis;
  readonly claim: HostClaim;
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'wb-peer-'));
  readonly #random: Random;
  /** Of the contracted rate. */
  part = 0.5;
  observes = true;

  constructor(url: string, world: World, seed: number) {
    this.redis = connect(url);
    this.claim = new HostClaim({ redis: this.redis, world, dataDir: this.#dataDir, prefix: PREFIX });
    this.peers = new LeasePeers({ redis: this.redis, claim: this.claim, world, prefix: PREFIX });
    this.#random = seededRandom(seed);
  }

  step(nowMs: number): void {
    if (this.observes) this.watch.committed(this.#deltas(nowMs), nowMs);
    this.watch.complete(nowMs - 2000);
  }

  #deltas(nowMs: number): Deltas {
    const deltas = emptyDeltas();
    const fromMs = nowMs - STEP_MS;
    const minute = Math.floor(fromMs / MINUTE_MS);
    deltas.observed_minute.set('o', { minute, run: 'a', process: 'a', observed_ms: STEP_MS, first_ms: fromMs, last_ms: nowMs });
    const n = poisson((this.part * 20 * STEP_MS) / MINUTE_MS, this.#random);
    const group = { run: 'a', site: 'north', lessee: '', leases: 'l', pool: 'main', verdict: 'accepted', exponent: EXPONENT, n } as const;
    if (n > 0) {
      deltas.delivered_minute.set('d', { minute, ...group, link: 'x.1', forwarding: 'below-target', nbits: 1, value: 0 });
      deltas.worker_hour.set('w', { hour: Math.floor(minute / 60), ...group, worker: 'acme.1', last_ms: nowMs });
    }
    return deltas;
  }

  dispose(): void {
    this.redis.close();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }
}

/** Two hosts and the server between them. */
class Two {
  nowMs = START_MS;
  readonly rig: RedisRig;
  readonly places: readonly [Place, Place];
  readonly states = new Set<string>();
  /** Whether what the hosts say reaches the server. */
  connected = true;

  constructor(rig: RedisRig) {
    this.rig = rig;
    const world: World = { ...realWorld, wallMs: () => this.nowMs };
    this.places = [new Place(rig.url, world, 1), new Place(rig.url, world, 2)];
  }

  static async begin(): Promise<Two> {
    const two = new Two(await RedisRig.single());
    for (const { redis, claim } of two.places) {
      await redis.untilReady(10_000, realWorld);
      await claim.renew();
    }
    return two;
  }

  async exchange(): Promise<void> {
    for (const { peers, watch } of this.places) await peers.exchange(watch);
  }

  /** @param everyMs Between two exchanges. */
  async run(ms: number, everyMs = 60_000): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += STEP_MS;
      for (const place of this.places) place.step(this.nowMs);
      if (this.connected && this.nowMs % everyMs === 0) await this.exchange();
      for (const { state } of this.figures()) this.states.add(state);
    }
  }

  /** How long until both are in a state, in ms. */
  async until(state: string, limitMs: number, everyMs = 60_000): Promise<number> {
    const fromMs = this.nowMs;
    while (this.nowMs - fromMs < limitMs && this.figures().some((each) => each.state !== state)) await this.run(STEP_MS, everyMs);
    return this.nowMs - fromMs;
  }

  figures(): LeaseFigures[] {
    return this.places.flatMap(({ watch }) => watch.figures(this.nowMs));
  }

  async dispose(): Promise<void> {
    for (const place of this.places) place.dispose();
    await this.rig.dispose();
  }
}

let two: Two;
afterEach(() => two.dispose());

describe('a lease with half of its machines at each of two hosts', () => {
  it('is ok at both while both deliver, low at both when a part is lost at one, dark when both are silent', async () => {
    two = await Two.begin();
    expect(two.figures().map(({ state }) => state)).toEqual(['unmeasured', 'unmeasured']);
    await two.exchange();
    await two.run(10 * MINUTE_MS, STEP_MS);
    two.states.clear();
    await two.run(5 * HOUR_MS);
    expect([...two.states]).toEqual(['ok']);
    // All of it at one of them is the same, though the other is silent.
    two.places[0].part = 0;
    two.places[1].part = 1;
    await two.run(2 * HOUR_MS);
    expect([...two.states]).toEqual(['ok']);
    two.places[1].part = 0.5;
    expect(await two.until('low', HOUR_MS)).toBeLessThanOrEqual(17 * MINUTE_MS);
    expect(two.figures()[0]?.shortfall).toEqual(two.figures()[1]?.shortfall);
    two.places[1].part = 0;
    const silentMs = await two.until('dark', HOUR_MS, STEP_MS);
    expect(silentMs).toBeGreaterThan(30_000);
    expect(silentMs).toBeLessThanOrEqual(66_000);
  }, 120_000);

  it('is unmeasured while one of them says nothing, and not blamed for it when that is heard of', async () => {
    two = await Two.begin();
    await two.run(HOUR_MS);
    two.connected = false;
    await two.run(2 * MINUTE_MS);
    two.states.clear();
    await two.run(3 * HOUR_MS);
    expect([...two.states]).toEqual(['unmeasured']);
    expect(two.figures().map(({ state, waitsFor }) => [state, waitsFor.length])).toEqual([['unmeasured', 1], ['unmeasured', 1]]);
    two.connected = true;
    two.states.clear();
    await two.run(HOUR_MS);
    expect(two.states).not.toContain('low');
    expect(two.figures()).toMatchObject([{ state: 'ok', waitsFor: [] }, { state: 'ok', waitsFor: [] }]);
  }, 120_000);

  it('is found low for the time in which one of them said nothing, once that is known', async () => {
    two = await Two.begin();
    await two.run(HOUR_MS);
    two.connected = false;
    two.places[1].part = 0.1;
    await two.run(HOUR_MS);
    expect(two.states).not.toContain('low');
    two.connected = true;
    expect(await two.until('low', HOUR_MS)).toBeLessThanOrEqual(3 * MINUTE_MS);
  }, 120_000);

  it('is not measured by one of them where the other’s proxy processes do not observe', async () => {
    two = await Two.begin();
    await two.run(HOUR_MS);
    two.places[1].observes = false;
    two.states.clear();
    await two.run(2 * HOUR_MS);
    expect(two.states).not.toContain('low');
    expect(two.states).not.toContain('dark');
    expect(two.figures().map(({ state }) => state)).toEqual(['unmeasured', 'unmeasured']);
  }, 120_000);

  it('is unmeasured at one that has begun anew until it has heard of the other, and what it was at the other', async () => {
    two = await Two.begin();
    const [one, other] = two.places;
    await two.run(3 * HOUR_MS);
    other.part = 0.2;
    await two.until('low', HOUR_MS);
    const before = two.figures()[0]?.shortfall;
    other.watch = new LeaseWatch([LEASE], undefined, true);
    two.connected = false;
    await two.run(MINUTE_MS);
    expect(two.figures()[1]?.state).toBe('unmeasured');
    expect(one.watch.figures(two.nowMs)).toMatchObject([{ state: 'low', shortfall: before }]);
  }, 120_000);

  it('is not dark at the host that its machines have left while it may not have heard of their shares at the other', async () => {
    two = await Two.begin();
    const [one, other] = two.places;
    one.part = 1;
    other.part = 0;
    await two.run(HOUR_MS);
    await two.exchange();
    one.part = 0;
    other.part = 1;
    two.states.clear();
    // Alone it would be dark after 54 seconds.
    await two.run(57_000, 10 * MINUTE_MS);
    expect(one.watch.figures(two.nowMs)).toMatchObject([{ state: 'ok' }]);
    await two.run(HOUR_MS, 30_000);
    expect([...two.states]).toEqual(['ok']);
    expect(two.figures().map(({ state }) => state)).toEqual(['ok', 'ok']);
  }, 120_000);

  it('is watched on where the server is gone and no other host has machines of it', async () => {
    two = await Two.begin();
    const [one, other] = two.places;
    one.part = 1;
    other.part = 0;
    await two.run(HOUR_MS);
    expect(two.figures().map(({ state }) => state)).toEqual(['ok', 'ok']);
    await two.rig.first.stop();
    await expect(one.peers.exchange(one.watch)).rejects.toThrow(/./);
    two.connected = false;
    one.part = 0.5;
    await two.run(20 * MINUTE_MS);
    expect(two.figures()).toMatchObject([{ state: 'low', waitsFor: [] }, { state: 'unmeasured' }]);
  }, 120_000);
});
