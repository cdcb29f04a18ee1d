/** What must hold between leases and the rest: roles are parties, machines are under one lease of a kind, labels of routes agree. */
import { globCovers, globsMeet } from './glob.ts';
import type { Inventory, InventoryReader, InventoryRow } from './inventory.ts';
import { type LeaseConfig, leaseSchema } from './leases.ts';
import { overlap, readRange } from './networks.ts';
import { nearest } from './options.ts';
import { poolsNamed } from './route-pools.ts';
import type { RouteConfig } from './schema.ts';
import type { Path } from './source.ts';

interface Finding {
  readonly path: Path;
  readonly message: string;
}

/** The part of a route that its label and its reach come from. */
interface RouteView {
  readonly match: { readonly site?: string | undefined; readonly worker?: string | undefined; readonly lease?: string | undefined };
  readonly pools: RouteConfig['pools'];
  readonly lessee: string;
}

/** Lease → when it was terminated, milliseconds since 1970, by what is on record. Asked only where it matters. */
export type EndsReader = () => ReadonlyMap<string, number>;

interface View {
  readonly parties: ReadonlySet<string>;
  readonly leases: ReadonlyMap<string, LeaseConfig>;
  readonly sites: ReadonlySet<string>;
  readonly routes: readonly (RouteView | undefined)[];
  /** Undefined when none is named. */
  readonly inventory: Inventory | undefined;
  readonly endsOf: EndsReader;
}

type Plain = Readonly<Record<string, unknown>>;

function record(value: unknown): Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Plain) : {};
}

function viewOf(value: unknown, inventoryOf: InventoryReader, endsOf: EndsReader, routes: View['routes']): View {
  const raw = record(value);
  const file = raw['inventory'];
  const leases = Object.entries(record(raw['leases'])).flatMap(([id, entry]) => {
    const lease = leaseSchema.safeParse(entry).data;
    return lease ? [[id, lease] as const] : [];
  });
  return {
    parties: new Set(Object.keys(record(raw['parties']))),
    leases: new Map(leases),
    sites: new Set(Object.keys(record(raw['sites']))),
    routes, endsOf,
    inventory: typeof file === 'string' && file !== '' ? inventoryOf(file) : undefined,
  };
}

/** All findings about leases of a file's plain value. `routes` are those that could be understood, in their places. */
export function leaseFindings(value: unknown, inventoryOf: InventoryReader, endsOf: EndsReader, routes: View['routes']): Finding[] {
  const view = viewOf(value, inventoryOf, endsOf, routes);
  return [...partyNames(view), ...siteNames(view), ...rentRoles(view), ...overlaps(view), ...labels(view), ...leaseRoutes(view), ...ownLinks(view), ...inventoryFindings(view)];
}

function missing(what: string, plural: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  const meant = nearest(name, names);
  const remedy = meant ? `did you mean "${meant}"?` : names.length > 0 ? `there is ${names.map((each) => `"${each}"`).join(', ')}` : 'there is none';
  return `names the ${what} "${name}", which is not in ${plural}: ${remedy}`;
}

function partyNames({ leases, parties }: View): Finding[] {
  return [...leases].flatMap(([id, lease]) => {
    const named: [Path, string][] = [
      ...(['lessor', 'lessee', 'performer', 'residual'] as const).map((role): [Path, string] => [['leases', id, role], lease[role]]),
      ...lease.rent.flatMap(({ payer, payee }, index): [Path, string][] => [[['leases', id, 'rent', index, 'payer'], payer], [['leases', id, 'rent', index, 'payee'], payee]]),
      ...(lease.curtailment ? [[['leases', id, 'curtailment', 'creditTo'], lease.curtailment.creditTo] as [Path, string]] : []),
    ];
    const unknown = named.filter(([, party]) => !parties.has(party)).map(([path, party]) => ({ path, message: missing('party', 'parties', party, parties) }));
    const same = lease.lessor === lease.lessee ? [{ path: ['leases', id, 'lessee'], message: `names "${lease.lessee}", who is the lessor too: a lease needs two parties` }] : [];
    return [...unknown, ...same];
  });
}

function siteNames({ leases, sites }: View): Finding[] {
  return [...leases].flatMap(([id, lease]) =>
    lease.machines.sites.flatMap((site, index) => (sites.has(site) ? [] : [{ path: ['leases', id, 'machines', 'sites', index], message: missing('site', 'sites', site, sites) }])),
  );
}

/** Rules between the payments of a lease and its roles. */
function rentRoles({ leases }: View): Finding[] {
  return [...leases].flatMap(([id, lease]) => {
    const findings: Finding[] = lease.rent.flatMap((rent, index) => {
      const path = ['leases', id, 'rent', index, 'payer'];
      if (rent.payer === rent.payee) return [{ path, message: `names "${rent.payer}", who is the payee too: nobody pays himself` }];
      if (rent.revenueShare !== undefined && rent.payer !== lease.residual) {
        return [{ path, message: `must be the residual, "${lease.residual}": a share of the value is paid by who keeps the rest of it` }];
      }
      return [];
    });
    const shares = lease.rent.reduce((sum, { revenueShare }) => sum + Number(revenueShare ?? 0), 0);
    if (shares > 100) findings.push({ path: ['leases', id, 'rent'], message: `must not share out more than 100% of the value: the shares add up to ${shares}%` });
    return [...findings, ...serviceFindings(id, lease)];
  });
}

function serviceFindings(id: string, lease: LeaseConfig): Finding[] {
  if (lease.service === undefined) return [];
  const { of } = lease.service;
  const path = ['leases', id, 'service', 'of'];
  const based = lease.rent.filter((rent) => rent[of] !== undefined);
  const [first] = based;
  if (first === undefined) return [{ path, message: `names ${of}, but no payment of this lease is ${of}` }];
  if (based.length > 1) return [{ path, message: `names ${of}, of which this lease has ${based.length}: a credit needs one` }];
  if (first.payer === lease.performer || first.payee === lease.performer) return [];
  return [{ path, message: `names ${of}, which the performer "${lease.performer}" neither pays nor is paid: a credit runs against the performer` }];
}

function setsMeet<T>(a: readonly T[], b: readonly T[], meet: (left: T, right: T) => boolean): boolean {
  return a.length === 0 || b.length === 0 || a.some((left) => b.some((right) => meet(left, right)));
}

function rangesMeet(a: string, b: string): boolean {
  const [left, right] = [readRange(a), readRange(b)];
  return left !== undefined && right !== undefined && overlap(left, right);
}

/** Whether some machine at some moment could be under both. */
function leasesMeet(a: LeaseConfig, b: LeaseConfig): boolean {
  if (a.term.fromMs >= b.term.toMs || b.term.fromMs >= a.term.toMs) return false;
  const { machines: left } = a;
  const { machines: right } = b;
  return setsMeet(left.workers, right.workers, globsMeet) && setsMeet(left.sites, right.sites, (x, y) => x === y) && setsMeet(left.from, right.from, rangesMeet);
}

/** With its term cut where it was terminated. */
function ended(lease: LeaseConfig, endMs: number | undefined): LeaseConfig {
  return endMs === undefined ? lease : { ...lease, term: { ...lease.term, toMs: Math.min(lease.term.toMs, endMs) } };
}

/** A machine is normally under a leaseback and a hosting contract at once; under two of one kind it would be paid twice. */
function overlaps({ leases, endsOf }: View): Finding[] {
  const entries = [...leases];
  return entries.flatMap(([id, lease], index) =>
    entries.slice(0, index).flatMap(([other, earlier]) => {
      if (lease.kind !== earlier.kind || !leasesMeet(lease, earlier)) return [];
      const ends = endsOf();
      if (!leasesMeet(ended(lease, ends.get(id)), ended(earlier, ends.get(other)))) return [];
      return [{ path: ['leases', id, 'machines'], message: `shares machines with lease "${other}", and both "${other}" and "${id}" are ${lease.kind}: make their machines or their terms disjoint, or put on record that one has ended (\`weighbridge lease terminate\`)` }];
    }),
  );
}

/** A label on a route that takes leased machines must name a lessee of a lease over them. */
function labels({ leases, routes, parties }: View): Finding[] {
  return [...leases].flatMap(([id, lease]) => {
    const findings: Finding[] = [];
    for (const [index, route] of routes.entries()) {
      if (route === undefined || !routeMeets(route, lease)) continue;
      const allowed = [...leases.values()].filter((each) => each.kind !== lease.kind && leasesMeet(each, lease)).map(({ lessee }) => lessee);
      if (route.lessee !== '' && route.lessee !== lease.lessee && !allowed.includes(route.lessee)) {
        const who = parties.has(route.lessee) ? 'another party than' : 'not';
        findings.push({ path: ['routes', index, 'lessee'], message: `names "${route.lessee}", which is ${who} the lessee "${lease.lessee}" of lease "${id}" over machines that take this route: write "${lease.lessee}", or put a route for them before it` });
      }
      if (routeCovers(route, lease)) break;
    }
    return findings;
  });
}

function leaseRoutes({ leases, routes }: View): Finding[] {
  return routes.flatMap((route, index) => {
    const lease = route?.match.lease;
    return lease === undefined || leases.has(lease) ? [] : [{ path: ['routes', index, 'match', 'lease'], message: missing('lease', 'leases', lease, leases.keys()) }];
  });
}

/** A machine has one link at a time: it cannot be the own link of two leases, and an account is of use where a route goes to its pool. */
function ownLinks({ leases, routes }: View): Finding[] {
  const own = (lease: LeaseConfig): boolean => lease.link === 'exclusive' || lease.accounts !== undefined;
  const routed = new Set(routes.flatMap((route) => (route === undefined ? [] : poolsNamed(route.pools))));
  const entries = [...leases];
  return entries.flatMap(([id, lease], index) => [
    ...Object.keys(lease.accounts ?? {})
      .filter((pool) => !routed.has(pool))
      .map((pool) => ({ path: ['leases', id, 'accounts', pool], message: `is no pool of any route: ${[...routed].map((each) => `"${each}"`).join(', ')} ${routed.size === 1 ? 'is' : 'are'}` })),
    ...entries.slice(0, index).flatMap(([other, earlier]) => {
      if (!own(lease) || !own(earlier) || lease.kind === earlier.kind || !leasesMeet(lease, earlier)) return [];
      return [{ path: ['leases', id, 'link'], message: `wants links of its own for machines that lease "${other}" has on links of its own: leave one of them shared and without accounts` }];
    }),
  ]);
}

function routeMeets({ match }: RouteView, { machines }: LeaseConfig): boolean {
  const site = match.site === undefined || machines.sites.length === 0 || machines.sites.includes(match.site);
  const worker = match.worker;
  return site && (worker === undefined || machines.workers.length === 0 || machines.workers.some((glob) => globsMeet(glob, worker)));
}

/** Whether no machine of the lease gets past this route. */
function routeCovers({ match }: RouteView, { machines }: LeaseConfig): boolean {
  const site = match.site === undefined || (machines.sites.length > 0 && machines.sites.every((each) => each === match.site));
  const worker = match.worker ?? '*';
  return site && (globCovers(worker, '*') || (machines.workers.length > 0 && machines.workers.every((glob) => globCovers(worker, glob))));
}

function inventoryFindings({ inventory, leases, sites, parties }: View): Finding[] {
  if (inventory === undefined) return [];
  const path = ['inventory'];
  if (inventory.problems.length > 0) return inventory.problems.map((message) => ({ path, message }));
  const wrong = inventory.rows.flatMap(({ line, site, owner }) => [
    ...(site === '' || sites.has(site) ? [] : [{ path, message: `has in line ${line} a site that is not in sites: ${missing('site', 'sites', site, sites)}` }]),
    ...(owner === '' || parties.has(owner) ? [] : [{ path, message: `has in line ${line} an owner who is not in parties: ${missing('party', 'parties', owner, parties)}` }]),
  ]);
  return [...wrong.slice(0, 20), ...[...leases].flatMap(([id, lease]) => unknownWorkers(id, lease, inventory.rows))];
}

/** A glob that takes nothing of the inventory is a slip of the pen, or the inventory is not up to date. */
function unknownWorkers(id: string, lease: LeaseConfig, rows: readonly InventoryRow[]): Finding[] {
  return lease.machines.workers.flatMap((glob, index) => {
    const taken = rows.some(({ worker, fromMs, toMs }) => globsMeet(glob, worker.replace(/[*?]/g, '_')) && fromMs < lease.term.toMs && lease.term.fromMs < toMs);
    return taken ? [] : [{ path: ['leases', id, 'machines', 'workers', index], message: `names workers that no row of the inventory has during the term: "${glob}"` }];
  });
}
