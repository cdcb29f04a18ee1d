/** What must hold of routes: names that exist, lists of pools that mean something, and no route hidden behind another. */
import { globCovers } from './glob.ts';
import { levelsOf, poolsNamed } from './route-pools.ts';
import { nearest } from './options.ts';
import type { RouteConfig, SiteConfig } from './schema.ts';
import type { Path } from './source.ts';

interface Finding {
  readonly path: Path;
  readonly message: string;
}

interface View {
  readonly sites: ReadonlyMap<string, SiteConfig | undefined>;
  readonly pools: ReadonlyMap<string, unknown>;
  readonly routes: readonly (RouteConfig | undefined)[];
}

/** All findings about routes. An entry that is wrong in itself is undefined but keeps its place. */
export function routeFindings(view: View): Finding[] {
  const each = view.routes.flatMap((route, index) => {
    if (route === undefined) return [];
    return [...matchFindings(view, route, index), ...unknownPools(view, route, index), ...levelFindings(route, index)];
  });
  return [...each, ...routesThatNeverMatch(view), ...unusedPools(view), ...sitesWithoutRoute(view)];
}

function missingName(what: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  const meant = nearest(name, names);
  const remedy = meant ? `did you mean "${meant}"?` : names.length > 0 ? `there is ${names.map((known) => `"${known}"`).join(', ')}` : `there is none`;
  return `names the ${what} "${name}", which is not in ${what}s: ${remedy}`;
}

function matchFindings({ sites }: View, { match }: RouteConfig, index: number): Finding[] {
  const { site, listener } = match;
  const findings: Finding[] = [];
  if (site !== undefined && !sites.has(site)) findings.push({ path: ['routes', index, 'match', 'site'], message: missingName('site', site, sites.keys()) });
  if (listener === undefined) return findings;
  const path = ['routes', index, 'match', 'listener'];
  const listening = [...sites].filter(([name]) => site === undefined || name === site).flatMap(([, config]) => config?.listen ?? []);
  const known = listening.some(({ host, port }) => host === listener.host && port === listener.port);
  if (listener.port === 0) findings.push({ path, message: 'must have a port: with port 0 listeners cannot be told apart' });
  else if (!known) findings.push({ path, message: `is no address that ${site === undefined ? 'a site' : `site "${site}"`} listens on: write it as in sites.*.listen` });
  return findings;
}

/** Every name in a route's pools with its place in the file. */
function* poolPaths(pools: RouteConfig['pools'], path: Path): Generator<{ pool: string; path: Path }> {
  for (const [place, entry] of pools.entries()) {
    const parts = (Array.isArray(entry) ? entry : [entry]) as readonly (Exclude<typeof entry, readonly unknown[]>)[];
    for (const [index, part] of parts.entries()) {
      const at = Array.isArray(entry) ? [...path, place, index] : [...path, place];
      if (typeof part === 'string') yield { pool: part, path: at };
      else if (typeof part.pool === 'string') yield { pool: part.pool, path: [...at, 'pool'] };
      else for (const [order, pool] of part.pool.entries()) yield { pool, path: [...at, 'pool', order] };
    }
  }
}

function unknownPools({ pools }: View, route: RouteConfig, index: number): Finding[] {
  return [...poolPaths(route.pools, ['routes', index, 'pools'])]
    .filter(({ pool }) => !pools.has(pool))
    .map(({ pool, path }) => ({ path, message: missingName('pool', pool, pools.keys()) }));
}

function firstTwice(names: readonly string[]): string | undefined {
  return names.find((name, place) => names.indexOf(name) < place);
}

function levelFindings(route: RouteConfig, index: number): Finding[] {
  const path = ['routes', index, 'pools'];
  const weighted = route.pools.filter((entry) => typeof entry === 'object' && !Array.isArray(entry)).length;
  if (weighted > 0 && weighted < route.pools.length) {
    const message = 'mixes entries with and without a weight: give every entry one, or put the split into a list of its own, as in pools: [ [ { pool: a, weight: 65 }, { pool: b, weight: 35 } ], spare ]';
    return [{ path, message }];
  }
  const levels = levelsOf(route.pools);
  const splits = levels.flatMap((level) => (level.kind === 'split' ? [level.parts] : []));
  const findings: Finding[] = [];
  if (splits.length > 1) findings.push({ path, message: `has ${splits.length} splits: a route is split once; make two routes, or one split of more parts` });
  for (const parts of splits) {
    if (parts.length === 1) findings.push({ path, message: `is a split of one part: write ${parts[0]!.pools.join(', ')} without weight` });
    const begun = firstTwice(parts.map(({ pools }) => pools[0]!));
    if (begun !== undefined) findings.push({ path, message: `begins two parts of the split with the pool "${begun}": add their weights up` });
    for (const { pools } of parts) {
      const twice = firstTwice(pools);
      if (twice !== undefined) findings.push({ path, message: `names the pool "${twice}" twice in one part: delete one` });
    }
  }
  const single = levels.flatMap((level) => (level.kind === 'pool' ? [level.pool] : []));
  single.forEach((pool, place) => {
    const before = single.indexOf(pool) < place || splits.some((parts) => parts.some(({ pools }) => pools.includes(pool)));
    if (before) findings.push({ path: [...path, levels.findLastIndex((level) => level.kind === 'pool' && level.pool === pool)], message: `names the pool "${pool}" twice: delete one` });
  });
  return findings;
}

/** Whether every session that the later route matches has taken the earlier one. */
function takesAllOf(earlier: RouteConfig['match'], later: RouteConfig['match']): boolean {
  const site = (['site', 'lease'] as const).every((key) => earlier[key] === undefined || earlier[key] === later[key]);
  const listener = earlier.listener === undefined || (earlier.listener.host === later.listener?.host && earlier.listener.port === later.listener.port);
  const globs = (['worker', 'userAgent'] as const).every((key) => earlier[key] === undefined || globCovers(earlier[key], later[key] ?? '*'));
  return site && listener && globs;
}

function routesThatNeverMatch({ routes }: View): Finding[] {
  return routes.flatMap((later, index) => {
    const taken = routes.findIndex((earlier, place) => place < index && earlier && later && takesAllOf(earlier.match, later.match));
    if (taken === -1) return [];
    return [{ path: ['routes', index], message: `can never be taken: routes[${taken}] comes first and matches all of it; put this one before it or delete it` }];
  });
}

function unusedPools({ routes, pools }: View): Finding[] {
  if (routes.length === 0 || routes.includes(undefined)) return [];
  const used = new Set(routes.flatMap((route) => (route === undefined ? [] : poolsNamed(route.pools))));
  return [...pools.keys()]
    .filter((pool) => !used.has(pool))
    .map((pool) => ({ path: ['pools', pool], message: 'is not used by any route: name it in one or delete it' }));
}

function sitesWithoutRoute({ routes, sites }: View): Finding[] {
  if (routes.length === 0 || routes.includes(undefined)) return [];
  return [...sites.keys()]
    .filter((site) => !routes.some((route) => route?.match.site === undefined || route.match.site === site))
    .map((site) => ({ path: ['sites', site], message: 'has no route, so none of its machines could work: add one, or a last route without match' }));
}
