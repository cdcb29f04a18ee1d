/** The leases of a running instance: states in time, rates with intervals, and no alarm for luck, curtailment or a change of difficulty. */
import { describe, expect, it } from 'vitest';
import type { LeaseEvent } from '../../../accounting/leases/history.ts';
import { LeaseWatch } from '../../../accounting/leases/watch.ts';
import { periodStartMs } from '../../../accounting/leases/months.ts';
import type { LeaseFigures } from '../../../accounting/leases/watched.ts';
import { emptyDeltas, HOUR_MS, MINUTE_MS, type Deltas } from '../../../accounting/rows.ts';
import { parseInventory } from '../../../config/inventory.ts';
import { seededRandom, type Random } from '../../../config/world.ts';
import { leaseOf } from './contracts.ts';

const START_MS = Date.parse('2026-11-10T00:00:00Z');
const HASHES_PER_SHARE = 2 ** 48 / 65_535;
/** At 2^k the contracted rate makes 20 shares a minute. */
const EXPONENT = 14;
const CONTRACTED = Math.round((20 / 60) * HASHES_PER_SHARE * 2 ** EXPONENT);

function poisson(mean: number, random: Random): number {
  let n = 0;
  for (let product = random.fraction(); product > Math.exp(-mean); product *= random.fraction()) n += 1;
  return n;
}

/** A farm under one lease, second by second: `part` of the contracted rate, at a difficulty. */
class Farm {
  readonly watch: LeaseWatch;
  readonly random: Random;
  nowMs = START_MS;
  readonly states = new Set<string>();

  constructor(seed: number, over: Record<string, unknown> = {}, inventory = '') {
    const lease = { ...leaseOf(over), contracted: String(CONTRACTED) };
    this.watch = new LeaseWatch([{ id: 'l', lease, parties: {} }], inventory === '' ? undefined : parseInventory(inventory).rows);
    this.random = seededRandom(seed);
  }

  /** @param stepMs A commit. Two processes observe side by side and are committed one after the other. */
  run(ms: number, part: number, exponent = EXPONENT, stepMs = 1000): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += stepMs;
      const n = poisson((part * 20 * 2 ** (EXPONENT - exponent) * stepMs) / MINUTE_MS, this.random);
      for (const process of ['a', 'b']) this.watch.committed(this.#second(process, stepMs, process === 'a' ? n : 0, exponent), this.nowMs);
      this.watch.complete(this.nowMs);
      this.states.add(this.figures().state);
    }
  }

  /** Time in which nobody observes; negative: the clock is set back. */
  skip(ms: number): void {
    this.nowMs += ms;
  }

  figures(): LeaseFigures {
    const [found] = this.watch.figures(this.nowMs);
    if (found === undefined) throw new Error('the lease is not in its term');
    return found;
  }

  #second(process: string, ms: number, n: number, exponent: number): Deltas {
    const deltas = emptyDeltas();
    const fromMs = this.nowMs - ms;
    const minute = Math.floor(fromMs / MINUTE_MS);
    const group = { run: process, site: 'north', lessee: '', leases: 'host,l', pool: 'main' };
    deltas.observed_minute.set('o', { minute, run: process, process, observed_ms: ms, first_ms: fromMs, last_ms: this.nowMs });
    if (n > 0) {
      deltas.delivered_minute.set('d', { minute, ...group, link: 'x.1', verdict: 'accepted', forwarding: 'below-target', exponent, nbits: 1, value: 0, n });
      deltas.delivered_minute.set('s', { minute, ...group, link: 'x.1', verdict: 'stale', forwarding: 'below-target', exponent, nbits: 1, value: 0, n: 50 });
      deltas.worker_hour.set('w', { hour: Math.floor(minute / 60), ...group, worker: 'acme.1', verdict: 'accepted', exponent, n, last_ms: this.nowMs });
    }
    deltas.worker_connected.set('c', { hour: Math.floor(minute / 60), run: process, site: 'north', lessee: '', leases: 'l', worker: 'acme.1', connected_ms: ms });
    return deltas;
  }

  /** How long until the lease is in a state, in ms. */
  until(state: string, part: number, limitMs: number): number {
    const fromMs = this.nowMs;
    while (this.figures().state !== state && this.nowMs - fromMs < limitMs) this.run(1000, part);
    return this.nowMs - fromMs;
  }
}

function event(over: Partial<LeaseEvent>): LeaseEvent {
  return { lease: 'l', recorded_ms: START_MS, event: 'curtailment', from_ms: 0, to_ms: 0, party: 'nfx', reason: 'r', document: '', terms: '', ...over };
}

describe('a lease that is watched', () => {
  it('is ok through an honest day and more, whatever the difficulty of its machines', () => {
    const farm = new Farm(1);
    for (const exponent of [EXPONENT, EXPONENT - 3, EXPONENT - 1, EXPONENT - 5, EXPONENT]) farm.run(6 * HOUR_MS, 1, exponent, 10_000);
    expect([...farm.states]).toEqual(['ok']);
    const { windows } = farm.figures();
    for (const { rate, low, high, ratio } of windows) {
      expect(low).toBeLessThan(CONTRACTED);
      expect(high).toBeGreaterThan(CONTRACTED);
      expect(rate / CONTRACTED).toBeCloseTo(ratio ?? NaN, 1);
    }
  });

  it('is dark within a minute at 20 shares a minute, and ok again with the first share', () => {
    for (const seed of [2, 3]) {
      const farm = new Farm(seed);
      farm.run(HOUR_MS, 1, EXPONENT, 5000);
      const silentMs = farm.until('dark', 0, HOUR_MS);
      expect(silentMs).toBeLessThanOrEqual(60_000);
      expect(silentMs).toBeGreaterThan(20_000);
      farm.run(60_000, 1);
      expect(farm.figures().state).not.toBe('dark');
    }
  });

  it('is low within a quarter of an hour when half of the fleet is lost, with what the test has found, and ok once an hour is whole again', () => {
    for (const seed of [5, 6, 7]) {
      const farm = new Farm(seed);
      farm.run(4 * HOUR_MS, 1, EXPONENT, 10_000);
      expect(farm.until('low', 0.5, HOUR_MS)).toBeLessThanOrEqual(15 * MINUTE_MS);
      const { shortfall } = farm.figures();
      expect(shortfall?.count).toBeLessThan(shortfall?.expected ?? 0);
      farm.run(3 * HOUR_MS, 1, EXPONENT, 10_000);
      expect(farm.figures()).toMatchObject({ state: 'ok', shortfall: undefined });
    }
  });

  it('owes nothing while it is curtailed, and is measured anew from its end', () => {
    const farm = new Farm(9, { curtailment: { annualCapHours: 100, creditTo: 'acme' } });
    farm.run(HOUR_MS, 1, EXPONENT, 5000);
    farm.watch.told([event({ from_ms: farm.nowMs, to_ms: farm.nowMs + 2 * HOUR_MS })]);
    expect(farm.until('curtailed', 1, HOUR_MS)).toBeLessThanOrEqual(1000);
    farm.states.clear();
    farm.run(2 * HOUR_MS - 10_000, 0, EXPONENT, 10_000);
    expect([...farm.states]).toEqual(['curtailed']);
    expect(farm.figures().owed).toBe(0);
    farm.run(3 * HOUR_MS, 1, EXPONENT, 10_000);
    expect([...farm.states].toSorted()).toEqual(['curtailed', 'ok']);
    expect(farm.figures()).toMatchObject({ state: 'ok', owed: CONTRACTED });
    expect(farm.figures().windows.find(({ window }) => window === '24h')?.ratio).toBeCloseTo(1, 0);
    // Beyond the cap of its clause it owes all the same.
    farm.watch.told([event({ from_ms: farm.nowMs - 200 * HOUR_MS, to_ms: farm.nowMs + HOUR_MS })]);
    expect(farm.figures().owed).toBe(CONTRACTED);
  });

  it('has the rate it had when the clock is set back', () => {
    const farm = new Farm(12);
    farm.run(HOUR_MS - 2 * MINUTE_MS, 1, EXPONENT, 5000);
    farm.skip(-10 * MINUTE_MS);
    farm.run(MINUTE_MS, 1, EXPONENT, 5000);
    for (const { low, high } of farm.figures().windows) {
      expect(low).toBeLessThan(CONTRACTED);
      expect(high).toBeGreaterThan(CONTRACTED);
    }
    farm.run(6 * MINUTE_MS, 1, EXPONENT, 5000);
    // Minutes that were lived through twice count twice.
    for (const { rate } of farm.figures().windows) expect(rate / CONTRACTED).toBeLessThan(1.4);
  });

  it('is dark as soon after the end of a curtailment as at any time, and later in proportion where it has fewer shares a minute', () => {
    const farm = new Farm(21, { curtailment: { annualCapHours: 100, creditTo: 'acme' } });
    farm.run(HOUR_MS, 1, EXPONENT, 5000);
    farm.watch.told([event({ from_ms: farm.nowMs, to_ms: farm.nowMs + HOUR_MS })]);
    farm.run(HOUR_MS, 0, EXPONENT, 5000);
    expect(farm.until('dark', 0, HOUR_MS)).toBeLessThanOrEqual(60_000);
    // At four times the difficulty, of which only the shares tell: 5 a minute.
    const slow = new Farm(22);
    slow.run(HOUR_MS, 1, EXPONENT + 2, 5000);
    const silentMs = slow.until('dark', 0, HOUR_MS);
    expect(silentMs).toBeLessThanOrEqual((18 / 5) * MINUTE_MS + 1000);
    expect(silentMs).toBeGreaterThan(2 * MINUTE_MS);
  });

  it('is unmeasured while nobody observes, and not blamed for that time', () => {
    const farm = new Farm(10);
    farm.run(HOUR_MS, 1, EXPONENT, 5000);
    farm.skip(HOUR_MS);
    expect(farm.figures().state).toBe('unmeasured');
    farm.states.clear();
    farm.run(HOUR_MS, 1, EXPONENT, 5000);
    expect([...farm.states]).toEqual(['ok']);
  });

  it('that never worked here is dark where this host is alone, and not ours to watch where others share the ledger', () => {
    const lease = { ...leaseOf(), contracted: String(CONTRACTED) };
    for (const shared of [false, true]) {
      const watch = new LeaseWatch([{ id: 'l', lease, parties: {} }], undefined, shared);
      const observed = (ms: number): Deltas => {
        const deltas = emptyDeltas();
        for (let minute = START_MS / MINUTE_MS; minute * MINUTE_MS < START_MS + ms; minute += 1) {
          const fromMs = minute * MINUTE_MS;
          deltas.observed_minute.set(`${minute}`, { minute, run: 'a', process: 'a', observed_ms: MINUTE_MS, first_ms: fromMs, last_ms: fromMs + MINUTE_MS });
        }
        return deltas;
      };
      // There are no others.
      if (shared) watch.others(new Map(), new Map());
      watch.committed(observed(10 * MINUTE_MS), START_MS + 10 * MINUTE_MS);
      expect(watch.figures(START_MS + 10 * MINUTE_MS)).toMatchObject([{ state: shared ? 'unmeasured' : 'dark' }]);
      watch.lastShare('l', START_MS);
      expect(watch.figures(START_MS + 10 * MINUTE_MS)).toMatchObject([{ state: 'dark' }]);
    }
  });

  it('is over when the last day is above what the contract takes', () => {
    const farm = new Farm(11, { overDelivery: { upTo: '5%', then: 'free' } });
    farm.run(3 * HOUR_MS, 1.6, EXPONENT, 5000);
    expect(farm.figures().state).toBe('over');
  });

  it('knows what is installed and which of it is connected', () => {
    const head = 'serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to';
    const farm = new Farm(12, {}, `${head}\n1,,acme.1,north,m,200,1,,,2026-01-01,\n2,,acme.2,north,m,100,1,,,2026-01-01,\n3,,other.3,north,m,100,1,,,2026-01-01,\n4,,acme.4,north,m,50,1,,,2026-01-01,2026-02-01\n`);
    farm.run(120_000, 1);
    expect(farm.figures()).toMatchObject({ installed: 300e12, seen: 200e12 });
    farm.skip(HOUR_MS);
    expect(farm.figures()).toMatchObject({ installed: 300e12, seen: 0 });
  });

  it('is told of a termination by a commit, and is gone from then on; its period begins with its month, where it is', () => {
    const farm = new Farm(13);
    farm.run(MINUTE_MS, 1);
    const deltas = emptyDeltas();
    deltas.lease_event.set('e', { ...event({ event: 'termination', from_ms: farm.nowMs + MINUTE_MS, to_ms: farm.nowMs + MINUTE_MS }), n: 1 });
    farm.watch.committed(deltas, farm.nowMs);
    expect(farm.figures().owed).toBe(CONTRACTED);
    expect(farm.watch.figures(farm.nowMs + MINUTE_MS)).toEqual([]);
    expect(periodStartMs(leaseOf(), Date.parse('2026-12-01T05:59:59Z'))).toBe(Date.parse('2026-11-01T05:00:00Z'));
    expect(periodStartMs(leaseOf(), Date.parse('2026-12-01T06:00:00Z'))).toBe(Date.parse('2026-12-01T06:00:00Z'));
    expect(periodStartMs(leaseOf({ term: { from: '2026-11-05', to: '2027-01-01' } }), Date.parse('2026-11-10'))).toBe(Date.parse('2026-11-05T06:00:00Z'));
  });
});
