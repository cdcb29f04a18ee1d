/** Random contracts over machines that move: every share is under the leases of its moment, once, in the day and hour of their own zones. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fold } from '../../../accounting/fold.ts';
import { HOUR_MS, type Deltas, type TableName } from '../../../accounting/rows.ts';
import { dateAt, midnightMs, nextDate } from '../../../config/calendar.ts';
import { LEASE_KINDS } from '../../../config/leases.ts';
import type { Fact, LeaseTermsFact } from '../../../proxy/session/facts.ts';
import { globMatches } from '../../../proxy/session/routes.ts';

const ZONES = ['America/Chicago', 'Europe/Oslo', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Pacific/Apia', 'UTC'];
/** A little before clocks change in Chicago, in Oslo and on Lord Howe, before a leap day, and before a year ends. */
const STARTS = ['2026-03-07T20:00Z', '2026-10-24T18:00Z', '2026-04-04T10:00Z', '2028-02-28T12:00Z', '2026-12-31T09:00Z'].map((text) => Date.parse(text));
const SPAN_MS = 60 * HOUR_MS;
const MACHINES = ['acme.1', 'acme.2', 'bolt.1', 'two words'];
const PLACES = [['north', '10.1.0.5:1'], ['south', '10.2.0.5:1'], ['north', '[2001:db8::5]:1']] as const;

const anyLease = fc.record({
  lease: fc.constantFrom('a', 'b', 'c', 'd'), kind: fc.constantFrom(...LEASE_KINDS), workers: fc.subarray(['acme.*', '*.1', 'two*']), sites: fc.subarray(['north', 'south']),
  from: fc.subarray(['10.1.0.0/16', '2001:db8::/32']), timezone: fc.constantFrom(...ZONES), begins: fc.integer({ min: -SPAN_MS, max: SPAN_MS }), lasts: fc.integer({ min: 1, max: 3 * SPAN_MS }),
});
/** What happens, in order of time: a machine connects somewhere, finds a share, or the terms of a lease change. */
const anyStep = fc.oneof(
  { weight: 2, arbitrary: fc.record({ what: fc.constant('move' as const), machine: fc.nat(3), place: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('terms' as const), lease: anyLease }) },
  { weight: 10, arbitrary: fc.record({ what: fc.constant('share' as const), machine: fc.nat(3), exponent: fc.integer({ min: 1, max: 3 }), verdict: fc.boolean() }) },
);
const anyRun = fc.record({
  startMs: fc.constantFrom(...STARTS), leases: fc.array(anyLease, { maxLength: 4 }), steps: fc.array(anyStep, { minLength: 1, maxLength: 60 }),
  gaps: fc.array(fc.integer({ min: 1, max: SPAN_MS / 20 }), { minLength: 60, maxLength: 60 }), cut: fc.nat(60),
});

interface Expected {
  readonly leases: string;
  readonly atMs: number;
  readonly worker: string;
}

/** Facts of a run, and for each accepted share its leases, told without the book. */
function play({ startMs, leases, steps, gaps }: typeof anyRun extends fc.Arbitrary<infer R> ? R : never): { facts: Fact[]; shares: Expected[]; verdicts: string[]; zones: Map<number, Map<string, string>> } {
  const facts: Fact[] = [];
  const terms = new Map<string, LeaseTermsFact>();
  const at = new Map<number, { bind: number; site: string; address: string }>();
  const [shares, verdicts, zones]: [Expected[], string[], Map<number, Map<string, string>>] = [[], [], new Map()];
  let numbers = 0;
  let atMs = startMs;
  const say = (over: (typeof leases)[number]): void => {
    const { begins, lasts, ...rest } = over;
    const fact: LeaseTermsFact = { type: 'lease-terms', digest: '', terms: '', ...rest, fromMs: Math.max(0, startMs + begins), toMs: startMs + begins + lasts, atMs };
    terms.set(fact.lease, fact);
    facts.push(fact);
  };
  for (const lease of leases) say(lease);
  steps.forEach((step, index) => {
    atMs += gaps[index] ?? 1;
    if (step.what === 'terms') {
      say(step.lease);
      return;
    }
    const worker = MACHINES[step.machine] ?? '';
    if (step.what === 'move' || !at.has(step.machine)) {
      const [site, address] = PLACES[step.what === 'move' ? step.place : 0] ?? PLACES[0];
      numbers += 1;
      facts.push({ type: 'session', session: numbers, sessionId: '', site, address, prefix: new Uint8Array(4), extranonce2Bytes: 4, userAgent: '', atMs });
      facts.push({ type: 'bind', bind: numbers, session: numbers, worker, lessee: '', atMs });
      at.set(step.machine, { bind: numbers, site, address });
    }
    if (step.what === 'move') return;
    const { bind, site, address } = at.get(step.machine) ?? { bind: 0, site: '', address: '' };
    const found = ofMoment([...terms.values()], worker, site, address, atMs);
    const mine = found.map(({ lease }) => lease).toSorted().join(',');
    zones.set(shares.length, new Map(found.map(({ lease, timezone }) => [lease, timezone])));
    shares.push({ leases: mine, atMs, worker });
    facts.push({
      type: 'share', share: index, bind, job: 0, exponent: step.exponent, verdict: 'accepted', forwarding: 'forwarded', block: false,
      extranonce2: new Uint8Array(4), ntime: 0, nonce: 0, version: 0, atMs,
    });
    if (!step.verdict) return;
    verdicts.push(mine);
    facts.push({ type: 'pool-verdict', share: index, bind, job: 0, link: 0, shareAtMs: atMs, difficulty: '2', verdict: 'accepted', reason: 'none', code: '', text: '', reply: undefined, atMs: atMs + 1 });
  });
  return { facts, shares, verdicts, zones };
}

function ofMoment(terms: readonly LeaseTermsFact[], worker: string, site: string, address: string, atMs: number): LeaseTermsFact[] {
  const range = address.startsWith('10.1.') ? '10.1.0.0/16' : address.startsWith('[2001:db8:') ? '2001:db8::/32' : '';
  const claims = terms.filter((each) => each.fromMs <= atMs && atMs < each.toMs && (each.workers.length === 0 || each.workers.some((glob) => globMatches(glob, worker)))
    && (each.sites.length === 0 || each.sites.includes(site)) && (each.from.length === 0 || each.from.includes(range)));
  return [...new Map(claims.toSorted((a, b) => a.fromMs - b.fromMs || (a.lease < b.lease ? -1 : 1)).map((each) => [each.kind, each])).values()];
}

/** Folds with a cut after so many facts; rows of both parts, added up. */
function folded(facts: readonly Fact[], cut: number): Deltas {
  const fold = new Fold();
  const segment = fold.segment({ segment: 's', process: '01234567-89ab-4000-8000-000000000000', createdMs: 0 });
  for (const fact of facts.slice(0, cut)) segment.apply(fact);
  const first = fold.take();
  for (const fact of facts.slice(cut)) segment.apply(fact);
  const rest = fold.take();
  for (const table of ['delivered_minute', 'delivered_hour', 'credited_hour', 'lease_day', 'worker_hour'] as const) merge(first, rest, table);
  return first;
}

type Row = Record<string, number | bigint | string>;

function merge(into: Deltas, from: Deltas, table: TableName): void {
  const rows = into[table] as unknown as Map<string, Row>;
  for (const [key, row] of from[table] as unknown as Map<string, Row>) {
    const known = rows.get(key);
    if (known === undefined) rows.set(key, row);
    else for (const name of ['n', 'worth', 'slots']) if (name in row) known[name] = typeof row[name] === 'bigint' ? BigInt(known[name] ?? 0) + row[name] : Number(known[name]) + Number(row[name]);
  }
}

function counts<R>(rows: Iterable<R>, keyOf: (row: R) => string, n: (row: R) => number = () => 1): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const row of rows) sums[keyOf(row)] = (sums[keyOf(row)] ?? 0) + n(row);
  return sums;
}

describe('work under random contracts', () => {
  it('is counted once, under the leases of its moment, in the local day and hour of each, wherever the fold is cut', () => {
    fc.assert(
      fc.property(anyRun, (run) => {
        const { facts, shares, verdicts, zones } = play(run);
        const deltas = folded(facts, Math.min(run.cut, facts.length));
        const expected = counts(shares, ({ leases }) => leases);
        for (const table of ['delivered_minute', 'delivered_hour', 'worker_hour'] as const) expect(counts<{ leases: string; n: number }>(deltas[table].values(), ({ leases }) => leases, ({ n }) => n)).toEqual(expected);
        expect(counts(deltas.credited_hour.values(), ({ leases }) => leases, ({ n }) => n)).toEqual(counts(verdicts, (leases) => leases));
        const days = shares.flatMap(({ leases, atMs, worker }, index) => (leases === '' ? [] : leases.split(',').map((lease) => {
          const zone = zones.get(index)?.get(lease) ?? '';
          const date = dateAt(atMs, zone);
          const hour = Math.floor((Math.floor(atMs / 60_000) * 60_000 - midnightMs(date, zone)) / HOUR_MS);
          return { lease, worker, date, hour, hours: (midnightMs(nextDate(date), zone) - midnightMs(date, zone)) / HOUR_MS };
        })));
        const dateOf = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10);
        expect(counts(deltas.lease_day.values(), ({ lease, worker, day }) => `${lease} ${worker} ${dateOf(day)}`, ({ n }) => n)).toEqual(counts(days, ({ lease, worker, date }) => `${lease} ${worker} ${date}`));
        const slots = [...deltas.lease_day.values()].flatMap(({ lease, worker, day, slots: packed }) =>
          Array.from({ length: 30 }, (_, hour) => ({ key: `${lease} ${worker} ${dateOf(day)} ${hour}`, n: Number((packed >> BigInt(32 * hour)) & 0xffff_ffffn) })).filter(({ n }) => n > 0));
        expect(counts(slots, ({ key }) => key, ({ n }) => n)).toEqual(counts(days, ({ lease, worker, date, hour }) => `${lease} ${worker} ${date} ${hour}`));
        for (const { hour, hours } of days) expect(hour).toBeLessThan(Math.ceil(hours));
      }),
      { numRuns: 150 },
    );
  });

  it('is the same rows wherever the fold is cut', () => {
    const text = (deltas: Deltas): string =>
      JSON.stringify([...deltas.delivered_hour.values(), ...deltas.credited_hour.values(), ...deltas.lease_day.values()].map((row) => JSON.stringify(row, (key, value: unknown) => (key.endsWith('_ms') ? 0 : typeof value === 'bigint' ? `${value}` : value))).toSorted());
    fc.assert(
      fc.property(anyRun, (run) => {
        const { facts } = play(run);
        expect(text(folded(facts, Math.min(run.cut, facts.length)))).toBe(text(folded(facts, facts.length)));
      }),
      { numRuns: 60 },
    );
  });
});
