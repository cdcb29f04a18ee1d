/** What must hold between options: names that exist, listeners that can be told apart, routes that can be taken, bounds in order. */
import type { HostPort } from './fields.ts';
import type { InventoryReader } from './inventory.ts';
import { leaseFindings, type EndsReader } from './lease-relations.ts';
import { overlap, readRange } from './networks.ts';
import { routeFindings } from './route-relations.ts';
import { type RouteConfig, type SiteConfig, difficultySchema, httpSchema, routeSchema, siteSchema, timeoutsSchema } from './schema.ts';
import type { Path } from './source.ts';

/** Something wrong at a path; the line is added by the caller. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
}

/** What of a file could be understood. An entry that is wrong in itself is undefined but keeps its name. */
interface View {
  readonly sites: ReadonlyMap<string, SiteConfig | undefined>;
  readonly pools: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly routes: readonly (RouteConfig | undefined)[];
  readonly raw: Readonly<Record<string, unknown>>;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function viewOf(value: unknown): View {
  const raw = record(value);
  return {
    sites: new Map(Object.entries(record(raw['sites'])).map(([site, entry]) => [site, siteSchema.safeParse(entry).data])),
    pools: new Map(Object.entries(record(raw['pools'])).map(([pool, entry]) => [pool, record(entry)])),
    routes: Array.isArray(raw['routes']) ? raw['routes'].map((entry: unknown) => routeSchema.safeParse(entry).data) : [],
    raw,
  };
}

/** All findings between options of a file's plain value, however much else is wrong with it. */
export function relationFindings(value: unknown, inventoryOf: InventoryReader, endsOf: EndsReader): Finding[] {
  const view = viewOf(value);
  return [
    ...routeFindings(view),
    ...listenerConflicts(view),
    ...overlappingSites(view),
    ...boundsOutOfOrder(view),
    ...passwordWithoutDifficulty(view),
    ...powerWithoutPrices(view),
    ...leaseFindings(value, inventoryOf, endsOf, view.routes),
  ];
}

function sameAddress(a: HostPort, b: HostPort): boolean {
  return a.port !== 0 && a.port === b.port && a.host === b.host;
}

/** A wildcard holds the port on every address, so nothing else can listen there. [::] takes IPv4 too. */
function shadows(wild: HostPort, other: HostPort): boolean {
  if (wild.port === 0 || wild.port !== other.port || wild.host === other.host) return false;
  return wild.host === '::' || (wild.host === '0.0.0.0' && !other.host.includes(':'));
}

interface Listener {
  readonly path: Path;
  /** `site "north"` or `http`. */
  readonly owner: string;
  readonly address: HostPort;
}

function listenersOf({ sites, raw }: View): Listener[] {
  const listeners = [...sites].flatMap(([site, config]) =>
    (config?.listen ?? []).map((address, place): Listener => ({ path: ['sites', site, 'listen', place], owner: `site "${site}"`, address })),
  );
  const http = httpSchema.safeParse(raw['http']).data;
  return http ? [...listeners, { path: ['http'], owner: 'http', address: http }] : listeners;
}

/** Why `taken`, which comes earlier in the file when `earlier`, leaves no room for `wanted`; sites may share an address. */
function conflict(wanted: Listener, taken: Listener, earlier: boolean): string | undefined {
  const { host, port } = wanted.address;
  if (shadows(taken.address, wanted.address)) return `cannot listen on ${host}:${port}: ${taken.owner} has port ${port} of all addresses`;
  if (!earlier || !sameAddress(wanted.address, taken.address)) return undefined;
  if (wanted.owner === taken.owner) return `listens on ${host}:${port} twice: delete one`;
  return wanted.owner === 'http' ? `cannot listen on ${host}:${port}: ${taken.owner} does` : undefined;
}

function listenerConflicts(view: View): Finding[] {
  const listeners = listenersOf(view);
  return listeners.flatMap((wanted, index) => {
    const message = listeners.map((taken, place) => conflict(wanted, taken, place < index)).find((reason) => reason !== undefined);
    return message === undefined ? [] : [{ path: wanted.path, message }];
  });
}

/** Two sites on one listener are told apart by address alone. */
function overlappingSites({ sites }: View): Finding[] {
  const entries = [...sites];
  return entries.flatMap(([site, config], index) =>
    entries.slice(0, index).flatMap(([other, earlier]): Finding[] => {
      const shared = config?.listen.find((address) => earlier?.listen.some((taken) => sameAddress(taken, address)));
      if (!config || !earlier || !shared) return [];
      const at = `shares ${shared.host}:${shared.port} with site "${other}"`;
      const open = config.from.length === 0 ? site : earlier.from.length === 0 ? other : undefined;
      if (open !== undefined) return [{ path: ['sites', site, 'listen'], message: `${at}: give site "${open}" its address ranges in from, or another port` }];
      const clash = config.from.flatMap((text) => earlier.from.filter((taken) => rangesOverlap(text, taken)).map((taken) => `${text} and ${taken}`))[0];
      return clash === undefined ? [] : [{ path: ['sites', site, 'from'], message: `${at}, and ${clash} overlap: make the ranges disjoint` }];
    }),
  );
}

function rangesOverlap(a: string, b: string): boolean {
  const [left, right] = [readRange(a), readRange(b)];
  return left !== undefined && right !== undefined && overlap(left, right);
}

function boundsOutOfOrder({ raw }: View): Finding[] {
  const findings: Finding[] = [];
  const difficulty = difficultySchema.safeParse(raw['difficulty']).data;
  if (difficulty) {
    const { minExponent, startExponent, maxExponent } = difficulty;
    if (minExponent > maxExponent) findings.push({ path: ['difficulty', 'min'], message: `must not be above max: 2^${minExponent} is above 2^${maxExponent}` });
    else if (startExponent < minExponent) findings.push({ path: ['difficulty', 'start'], message: `must not be below min: 2^${startExponent} is below 2^${minExponent}` });
    else if (startExponent > maxExponent) findings.push({ path: ['difficulty', 'start'], message: `must not be above max: 2^${startExponent} is above 2^${maxExponent}` });
  }
  const timeouts = timeoutsSchema.safeParse(raw['timeouts']).data;
  if (timeouts && timeouts.backoffMinMs > timeouts.backoffMaxMs) {
    findings.push({ path: ['timeouts', 'backoffMin'], message: `must not be above backoffMax: ${timeouts.backoffMinMs} ms is above ${timeouts.backoffMaxMs} ms` });
  }
  return findings;
}

function powerWithoutPrices({ sites, raw }: View): Finding[] {
  if (raw['prices'] !== undefined) return [];
  return [...sites].flatMap(([site, entry]): Finding[] => {
    const currency = entry?.power?.price.currency ?? 'BTC';
    if (currency === 'BTC') return [];
    return [{ path: ['sites', site, 'power', 'price'], message: `is in ${currency}, which needs a price of bitcoin: add prices: { file: … } with rows of BTC/${currency}` }];
  });
}

function passwordWithoutDifficulty({ pools }: View): Finding[] {
  return [...pools]
    .filter(([, pool]) => pool['passwordDifficulty'] === true && pool['difficulty'] === undefined)
    .map(([pool]) => ({ path: ['pools', pool, 'passwordDifficulty'], message: 'has nothing to append: set difficulty of this pool, or delete it' }));
}
