/** The pools of a route as written: levels of failover, one of which may be a split by weight, whose parts may fail over in themselves. */
import { z } from 'zod';
import { name, whole } from './fields.ts';
import { list, section } from './sections.ts';

const PART = '{ pool: NAME, weight: N }';
const LEVEL_ERROR = `must be a pool name, ${PART} where the whole list is a split, or a list of such parts; a part's pool may be a list of names, in order of failover`;

const partSchema = section({
  pool: z.union([name(), list(name(), 'pool names')]),
  weight: whole(1, 10_000),
});

/** The option `routes[].pools`. */
export function routePools() {
  return list(z.union([name(), partSchema, list(partSchema, 'parts')], { error: LEVEL_ERROR }), 'pool names or parts of a split');
}

type Written = z.output<ReturnType<typeof routePools>>;
type WrittenPart = z.output<typeof partSchema>;

/** A share of a route's work, and the pools that may take it, in order of failover. */
export interface Part {
  readonly weight: number;
  readonly pools: readonly string[];
}

/** One level of failover: one pool, or the parts of a split. */
export type Level = { readonly kind: 'pool'; readonly pool: string } | { readonly kind: 'split'; readonly parts: readonly Part[] };

function partOf({ pool, weight }: WrittenPart): Part {
  return { weight, pools: typeof pool === 'string' ? [pool] : pool };
}

function isPart(entry: Written[number]): entry is WrittenPart {
  return typeof entry === 'object' && !Array.isArray(entry);
}

/** The levels in their order. A list of parts alone is one level. */
export function levelsOf(pools: Written): Level[] {
  const parts = pools.filter(isPart);
  if (parts.length > 0) return [{ kind: 'split', parts: parts.map(partOf) }];
  return pools.map((entry) => (typeof entry === 'string' ? { kind: 'pool', pool: entry } : { kind: 'split', parts: (entry as WrittenPart[]).map(partOf) }));
}

/** Every pool that is named, in order of first mention. */
export function poolsNamed(pools: Written): string[] {
  const entries = pools.flat() as readonly (string | WrittenPart)[];
  return [...new Set(entries.flatMap((entry) => (typeof entry === 'string' ? entry : entry.pool)))];
}
