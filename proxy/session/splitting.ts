/** The splits of all routes at work: which part a session is put on, what each part has had, and who moves when a pool sends a fresh job. */
import type { Link } from './link.ts';
import { suits } from './repeats.ts';
import type { Route } from './routes.ts';
import type { Session } from './session.ts';
import { Split, type SplitMemory } from './splits.ts';
import type { FarmState } from './state.ts';

/** Splits are looked at no more often than this, however many jobs pools send. */
const BALANCE_MS = 10_000;
/** Shares of a shorter time say too little of a machine's rate. */
const RATE_KNOWN_MS = 120_000;
const HOUR_MS = 3_600_000;
/** Splits remembered that no route has at present. */
const DORMANT_MAX = 100;

interface Divided {
  readonly route: Route;
  readonly split: Split;
  /** What it is remembered by: the same machines divided in the same way. */
  readonly key: string;
  /** By part, when it was looked at last. */
  readonly balancedMono: number[];
}

function keyOf({ site, listener, lease, worker, userAgent, lessee, parts }: Route): string {
  return JSON.stringify([site ?? '', listener ?? '', lease ?? '', worker ?? '', userAgent ?? '', lessee, ...parts.map(({ weight, pools }) => [weight, ...pools])]);
}

/** Whether a part of one route is the same part of the other: the same pools, of whatever weight. */
function dividedAlike(a: Route, b: Route): boolean {
  return a === b || (a.parts.length === b.parts.length && a.parts.every(({ pools }, part) => pools.join('\t') === b.parts[part]!.pools.join('\t')));
}

export class Splitting {
  private readonly state: FarmState;
  private readonly byRoute = new Map<Route, Divided>();
  /** Of routes that are not there now and may come back: the latest first. */
  private readonly dormant: ReadonlyMap<string, SplitMemory>;

  constructor(state: FarmState, remembered: ReadonlyMap<string, SplitMemory>) {
    this.state = state;
    const { monoMs } = state.now;
    for (const route of state.routes) {
      if (route.parts.length === 0) continue;
      const key = keyOf(route);
      const split = new Split(route.index, route.parts, monoMs, remembered.get(key));
      this.byRoute.set(route, { route, split, key, balancedMono: route.parts.map(() => Number.NEGATIVE_INFINITY) });
    }
    const active = new Set([...this.byRoute.values()].map(({ key }) => key));
    this.dormant = new Map([...remembered].filter(([key]) => !active.has(key)).slice(0, DORMANT_MAX));
  }

  /** Difficulty a millisecond: as measured, before that what its difficulty is meant for. */
  private rateOf(session: Session, monoMs: number): number {
    const measured = session.window?.rate(monoMs, RATE_KNOWN_MS);
    if (measured !== undefined) return measured;
    const { startExponent, sharesPerMinute } = this.state.config.difficulty;
    return (2 ** (session.vardiff?.exponent ?? startExponent) * sharesPerMinute) / 60_000;
  }

  /** A session has its route. Where that is divided as the one `before` it was, also before the machine came back, it keeps its part. */
  placed(session: Session, route: Route, before: Route | undefined): void {
    if (before !== undefined && dividedAlike(before, route)) return;
    const divided = this.byRoute.get(route);
    session.part = divided === undefined ? 0 : divided.split.place(this.rateOf(session, this.state.now.monoMs));
    session.partMovedMono = undefined;
  }

  /** A share was delivered on this link. */
  delivered(session: Session, link: Link, exponent: number): void {
    const divided = session.route && this.byRoute.get(session.route);
    if (divided === undefined) return;
    const part = divided.split.partOf(link.pool, session.part);
    if (part >= 0) divided.split.delivered(part, exponent);
  }

  /** The sessions that are to come to a link which has just had a fresh job of its pool. */
  arrivals(link: Link): Session[] {
    const { liveLinks, trust, outlets } = this.state;
    const works = (pool: string): boolean => liveLinks.of(outlets.keyOf(pool, link.outlet)).some((one) => trust.troubleOf(one) === undefined);
    return [...this.byRoute.values()].flatMap((divided) => {
      const part = divided.route.parts.findIndex(({ pools }) => pools.find(works) === link.pool);
      return part === -1 ? [] : this.balance(divided, part, link);
    });
  }

  private balance({ route, split, balancedMono }: Divided, part: number, link: Link): Session[] {
    const { sessions, now, sink, outlets, config } = this.state;
    if (now.monoMs - balancedMono[part]! < BALANCE_MS) return [];
    balancedMono[part] = now.monoMs;
    split.forgive(Math.floor(config.failover.splitDebtMaxMs / HOUR_MS), now.monoMs);
    const rates = new Map<Session, number>();
    for (const session of sessions) {
      if (session.route === route && session.state === 'mining') rates.set(session, this.rateOf(session, now.monoMs));
    }
    const moved = split.balance(part, rates, now.monoMs, (session) => session.link?.state === 'live' && suits(this.state, session, link) && outlets.keyOf(link.pool, session) === link.outlet.key);
    if (moved.length > 0) sink.log('sessions moved to keep a split', { route: route.index, pool: link.pool, sessions: moved.length });
    return moved;
  }

  /** What to keep over restarts. */
  memory(): Map<string, SplitMemory> {
    return new Map([...[...this.byRoute.values()].map(({ key, split }) => [key, split.memory] as const), ...this.dormant]);
  }

  /** What has come to it since `before` was its memory. */
  since(before: ReadonlyMap<string, SplitMemory>): Map<string, SplitMemory> {
    const added = [...this.memory()].map(([key, { worked, moves }]) => {
      const known = before.get(key);
      return [key, { worked: worked.map((units, part) => String(BigInt(units) - BigInt(known?.worked[part] ?? 0))), moves: moves - (known?.moves ?? 0) }] as const;
    });
    return new Map(added);
  }

  add(added: ReadonlyMap<string, SplitMemory>): void {
    for (const { key, split } of this.byRoute.values()) {
      const memory = added.get(key);
      if (memory !== undefined) split.add(memory);
    }
  }

  all(): Split[] {
    return [...this.byRoute.values()].map(({ split }) => split);
  }
}
