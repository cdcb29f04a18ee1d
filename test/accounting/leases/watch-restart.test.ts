/** A watch that begins anew from the ledger says at every moment what one says that was never interrupted. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeaseEvent } from '../../../accounting/leases/history.ts';
import { rateSinceMs } from '../../../accounting/leases/rate-since.ts';
import type { LeaseTerms } from '../../../accounting/leases/terms.ts';
import { LeaseWatch } from '../../../accounting/leases/watch.ts';
import { beginWatch } from '../../../accounting/leases/watch-store.ts';
import { emptyDeltas, HOUR_MS, MINUTE_MS, type Deltas, type LeaseTermsRow } from '../../../accounting/rows.ts';
import { Store } from '../../../accounting/store.ts';
import { seededRandom, type Random } from '../../../config/world.ts';
import { leaseOf } from './contracts.ts';

const START_MS = Date.parse('2026-11-10T07:13:00Z');
const STEP_MS = 30_000;
const EXPONENT = 14;
const CONTRACTED = Math.round((20 / 60) * (2 ** 48 / 65_535) * 2 ** EXPONENT);
const LEASE: LeaseTerms = { id: 'l', lease: { ...leaseOf({ curtailment: { annualCapHours: 500, creditTo: 'acme' } }), contracted: String(CONTRACTED) }, parties: {} };

interface Phase {
  readonly hours: number;
  /** Of the contracted rate; undefined while nobody observes. */
  readonly part: number | undefined;
  /** Of most shares; some are of less. */
  readonly exponent: number;
  readonly curtailed: boolean;
}
const phase: fc.Arbitrary<Phase> = fc.record({
  hours: fc.constantFrom(0.3, 1, 4, 11, 30),
  part: fc.constantFrom(undefined, 0, 0.5, 0.9, 0.95, 1, 1, 1.2),
  exponent: fc.integer({ min: EXPONENT - 4, max: EXPONENT }),
  curtailed: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});

function poisson(mean: number, random: Random): number {
  let n = 0;
  for (let product = random.fraction(); product > Math.exp(-mean); product *= random.fraction()) n += 1;
  return n;
}

/** What a step adds to the ledger. Between noon and midnight there is a second process, and it is told of a little later. */
function step(nowMs: number, { part, exponent }: Phase, random: Random): Deltas {
  const deltas = emptyDeltas();
  if (part === undefined) return deltas;
  const fromMs = nowMs - STEP_MS;
  const minute = Math.floor(fromMs / MINUTE_MS);
  for (const run of ['a', 'b']) {
    if (run === 'b' && nowMs % (24 * HOUR_MS) < 12 * HOUR_MS) continue;
    deltas.observed_minute.set(run, { minute, run, process: run, observed_ms: STEP_MS, first_ms: fromMs, last_ms: nowMs });
  }
  const group = { run: 'a', site: 'north', lessee: '', leases: 'host,l', pool: 'main' };
  for (const [k, share] of [[exponent, 0.8], [exponent - 1, 0.2]] as const) {
    const n = poisson((part * share * 20 * 2 ** (EXPONENT - k) * STEP_MS) / MINUTE_MS, random);
    if (n === 0) continue;
    deltas.delivered_minute.set(`${k}`, { minute, ...group, link: 'x.1', verdict: 'accepted', forwarding: 'below-target', exponent: k, nbits: 1, value: 0, n });
    deltas.delivered_hour.set(`${k}`, { hour: Math.floor(minute / 60), ...group, verdict: 'accepted', forwarding: 'below-target', exponent: k, n, worth: 0n });
    deltas.worker_hour.set(`${k}`, { hour: Math.floor(minute / 60), ...group, worker: 'acme.1', verdict: 'accepted', exponent: k, n, last_ms: nowMs - 1 - (random.u32() % 5000) });
  }
  return deltas;
}

/** Adds up what several steps add. */
function joined(steps: readonly Deltas[]): Deltas {
  const all = emptyDeltas();
  for (const [index, deltas] of steps.entries()) {
    for (const table of Object.keys(all) as (keyof Deltas)[]) for (const [key, row] of deltas[table]) (all[table] as Map<string, unknown>).set(`${index} ${key}`, row);
  }
  return all;
}

/** Runs a history with and without restarts; returns how many times something was found. */
function compare(seed: number, phases: readonly Phase[], restarts: readonly number[]): number {
  const dataDir = mkdtempSync(join(tmpdir(), 'wb-watch-'));
  const store = Store.open(dataDir);
  try {
    const random = seededRandom(seed);
    const whole = new LeaseWatch([LEASE], undefined);
    let other = new LeaseWatch([LEASE], undefined);
    let unwritten: Deltas[] = [];
    let nowMs = START_MS;
    let found = 0;
    for (const [index, each] of phases.entries()) {
      const steps = Math.round((each.hours * HOUR_MS) / STEP_MS);
      const restartAt = Math.floor((restarts[index] ?? 0) * steps);
      for (let at = 0; at < steps; at += 1) {
        nowMs += STEP_MS;
        const deltas = step(nowMs, each, random);
        if (at === 0 && each.curtailed) {
          const event: LeaseEvent = { lease: 'l', recorded_ms: nowMs, event: 'curtailment', from_ms: nowMs + 45_000, to_ms: nowMs + HOUR_MS, party: 'nfx', reason: 'r', document: '', terms: '' };
          deltas.lease_event.set('e', { ...event, n: 1 });
        }
        whole.committed(deltas, nowMs);
        unwritten.push(deltas);
        if (at === restartAt) {
          store.apply(joined(unwritten), []);
          unwritten = [];
          other = new LeaseWatch([LEASE], undefined);
          const recall = store.consistently(() => beginWatch(other, [LEASE], store, nowMs));
          while (recall.next().done !== true);
        } else {
          other.committed(deltas, nowMs);
        }
        whole.complete(nowMs - 2000);
        other.complete(nowMs - 2000);
        // The alarm looks at whole minutes.
        if (at % 2 === 1) continue;
        const [figures] = whole.figures(nowMs);
        if (figures?.state === 'low') found += 1;
        expect(other.figures(nowMs)).toEqual([figures]);
      }
    }
    return found;
  } finally {
    store.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

describe('a watch that begins anew from the ledger', () => {
  it('alarms at the same moments, whenever that is', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(phase, { minLength: 3, maxLength: 8 }), fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 10, maxLength: 10 }), (seed, phases, restarts) => {
        expect(compare(seed, phases, restarts)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 2 },
    );
  }, 300_000);

  it('goes on with what the tests of the day before yesterday have found', () => {
    const slow = { hours: 20, part: 0.96, exponent: EXPONENT, curtailed: false };
    expect(compare(7, [{ ...slow, part: 1, hours: 30 }, slow, slow, { ...slow, part: 1 }], [0.5, 0.7, 0.7, 0.1])).toBeGreaterThan(0);
  }, 300_000);

  it('counts once what is committed while it is told of the time before, and waits with its alarm until it knows all', () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'wb-watch-'));
    const store = Store.open(dataDir);
    try {
      const random = seededRandom(8);
      const each = { hours: 1, part: 0.5, exponent: EXPONENT, curtailed: false };
      const endMs = START_MS + 9 * HOUR_MS;
      const steps: Deltas[] = [];
      for (let nowMs = START_MS + STEP_MS; nowMs <= endMs; nowMs += STEP_MS) steps.push(step(nowMs, each, random));
      store.apply(joined(steps), []);
      const whole = new LeaseWatch([LEASE], undefined);
      for (const deltas of steps) whole.committed(deltas, endMs);
      const watch = new LeaseWatch([LEASE], undefined);
      const recall = store.consistently(() => beginWatch(watch, [LEASE], store, endMs));
      for (let minutes = 0; minutes < 120; minutes += 1) recall.next();
      // Of a minute that is told already, of one that is not, and of now.
      for (const ago of [5, 150, 400]) {
        const late = step(endMs - ago * MINUTE_MS, { ...each, part: 3 }, random);
        store.apply(late, []);
        for (const one of [watch, whole]) one.committed(late, endMs);
      }
      watch.complete(endMs);
      whole.complete(endMs);
      expect(watch.figures(endMs)).toMatchObject([{ state: 'ok', shortfall: undefined }]);
      while (recall.next().done !== true);
      watch.complete(endMs);
      expect(watch.figures(endMs)).toEqual(whole.figures(endMs));
      expect(watch.figures(endMs)).toMatchObject([{ state: 'low' }]);
    } finally {
      store.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  it('hears of minutes that come late, and takes back what they refute', () => {
    const watch = new LeaseWatch([LEASE], undefined);
    const random = seededRandom(5);
    const late: Deltas[] = [];
    const states: (string | undefined)[] = [];
    for (let nowMs = START_MS + STEP_MS; nowMs <= START_MS + 4 * HOUR_MS; nowMs += STEP_MS) {
      const deltas = step(nowMs, { hours: 1, part: 0.5, exponent: EXPONENT, curtailed: false }, random);
      const others = step(nowMs, { hours: 1, part: 0.5, exponent: EXPONENT, curtailed: false }, random);
      late.push({ ...others, observed_minute: new Map() });
      watch.committed(deltas, nowMs);
      watch.complete(nowMs);
      states.push(watch.figures(nowMs)[0]?.state);
    }
    expect(states.at(-1)).toBe('low');
    const nowMs = START_MS + 4 * HOUR_MS + STEP_MS;
    watch.committed(joined(late), nowMs);
    watch.complete(nowMs + MINUTE_MS);
    expect(watch.figures(nowMs)).toMatchObject([{ state: 'ok', shortfall: undefined }]);
  });

  it('does not take shares of a lower contracted rate for a shortfall', () => {
    const row = (atMs: number, contracted: number): LeaseTermsRow => ({
      lease: 'l', recorded_ms: atMs, digest: `${atMs}`, terms: JSON.stringify({ ...LEASE, lease: { ...LEASE.lease, contracted: String(contracted) } }), from_ms: 0, to_ms: 9e15, n: 1,
    });
    const half = Math.round(CONTRACTED / 2);
    expect(rateSinceMs(LEASE, [], 77)).toBe(-Infinity);
    expect(rateSinceMs(LEASE, [row(5, CONTRACTED), row(9, CONTRACTED)], 77)).toBe(-Infinity);
    expect(rateSinceMs(LEASE, [row(5, CONTRACTED), row(3, half), row(9, CONTRACTED)], 77)).toBe(5);
    expect(rateSinceMs(LEASE, [row(5, CONTRACTED), row(9, half)], 77)).toBe(77);

    const stateAfter = (rateSince: number): string | undefined => {
      const watch = new LeaseWatch([LEASE], undefined);
      const random = seededRandom(6);
      watch.rateSince('l', rateSince);
      const endMs = START_MS + 5 * HOUR_MS;
      for (let nowMs = START_MS + STEP_MS; nowMs <= endMs; nowMs += STEP_MS) {
        const part = nowMs > START_MS + 4 * HOUR_MS ? 1 : 0.5;
        watch.committed(step(nowMs, { hours: 1, part, exponent: EXPONENT, curtailed: false }, random), nowMs);
      }
      watch.complete(endMs - 30 * MINUTE_MS);
      return watch.figures(endMs)[0]?.state;
    };
    expect(stateAfter(START_MS)).toBe('low');
    expect(stateAfter(START_MS + 4 * HOUR_MS)).toBe('ok');
  });
});
