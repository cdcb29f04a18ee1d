/** Two documents held against each other: every value in which they differ, by a name that its reader knows. */
import type { IssuedBody } from './issue.ts';
import { canonicalJson } from './terms.ts';

type Path = readonly (string | number)[];

/** Paths of the values that differ, as deep as both have something there. */
function unlikePaths(a: unknown, b: unknown, path: Path = []): Path[] {
  if ((a === undefined) !== (b === undefined)) return [path];
  if (canonicalJson(a) === canonicalJson(b)) return [];
  if (Array.isArray(a) && Array.isArray(b)) {
    return Array.from({ length: Math.max(a.length, b.length) }).flatMap((_, index) => unlikePaths(a[index] as unknown, b[index] as unknown, [...path, index]));
  }
  if (!isObject(a) || !isObject(b)) return [path];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => unlikePaths(a[key], b[key], [...path, key]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the rest follows from is named first. */
const FIRST = ['period', 'days', 'lines', 'earnings', 'balance'];

/** Names of the values in which a statement is not what it should be, each once: "2026-11-12 delivered", "serviceCredit amount". */
export function unlikeValues(stated: Partial<IssuedBody>, fresh: Partial<IssuedBody>): string[] {
  const rank = ([part]: Path): number => FIRST.indexOf(String(part)) + 1 || FIRST.length + 1;
  return [...new Set(unlikePaths(stated, fresh).toSorted((a, b) => rank(a) - rank(b)).map((path) => nameOf(path, stated, fresh)))];
}

function nameOf([part = '', index, ...rest]: Path, stated: Partial<IssuedBody>, fresh: Partial<IssuedBody>): string {
  const field = rest.join('.');
  const row = <K extends 'days' | 'lines' | 'earnings' | 'balance'>(key: K): Partial<IssuedBody[K][number]> => (fresh[key]?.[Number(index)] ?? stated[key]?.[Number(index)] ?? {}) as Partial<IssuedBody[K][number]>;
  const words = (...all: readonly (string | undefined)[]): string => all.filter((word) => word !== undefined && word !== '').join(' ');
  if (index === undefined) return String(part);
  if (part === 'days') return words(row('days').date, field);
  if (part === 'lines') return words(row('lines').component, row('lines').date, field);
  if (part === 'earnings') return words('payout', row('earnings').payoutId, field);
  if (part === 'balance') return words('the balance in', row('balance').currency);
  return [part, index, ...rest].join('.');
}
