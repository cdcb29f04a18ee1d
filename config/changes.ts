/** What a new configuration changes, in sentences, and which of it a running instance can follow. */
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './schema.ts';

export interface Change {
  /** As in the file, such as `pools.main.url`. */
  readonly path: string;
  /** `pools.main.url is now "…", before "…".` Never with a password. */
  readonly sentence: string;
  /** When it holds: at once, in processes that start from now on, or never while this instance runs. */
  readonly when: 'now' | 'with a new process' | 'with a new instance';
}

/** What is built once: by the supervisor, or by a process when it starts. */
const WITH_NEW_INSTANCE = ['data', 'http', 'processes'];
const WITH_NEW_PROCESS = ['durability', 'journal.segmentBytes', 'limits.duplicatesMax', 'limits.upstreamLineBytesMax', 'timeouts.prefixQuarantine'];
/** Sections that only proxy processes and the supervisor read; any other is the accountant's too. */
const PROXIES_ALONE = ['data', 'http', 'processes', 'pools', 'routes', 'difficulty', 'reply', 'limits', 'timeouts', 'durability', 'metrics'];
/** Of the sections that the accountant reads too, the options that it does not. */
const PROXIES_ALONE_OF_SITES = /^sites\.[^.]+\.(listen|from|extranonce|power)\b/;
/** Parsed from `url`, which is shown. */
const DERIVED = /^pools\.[^.]+\.(host|port|tls)$/;
/** Milliseconds since 1970. */
const MOMENTS = ['fromMs', 'toMs'];
const SHOWN_MAX = 120;

/** All changes in the order of the sections. */
export function changesBetween(before: Config, after: Config): Change[] {
  return differences(before, after, []).flatMap(({ path, before: old, after: next }) => {
    const text = path.join('.').replace(/\.(\d+)(?=\.|$)/g, '[$1]');
    if (DERIVED.test(text)) return [];
    const name = text.replace(/(Ms|Exponent)$/, '');
    return [{ path: name, sentence: sentenceOf(name, path, old, next), when: whenOf(text, name) }];
  });
}

/** Whether the accountant has to start again for these changes; machines do not notice. */
export function concernsAccountant(changes: readonly Change[]): boolean {
  return changes.some(({ path }) => !PROXIES_ALONE.includes(path.split(/[.[]/, 1)[0] ?? '') && !PROXIES_ALONE_OF_SITES.test(path));
}

function whenOf(text: string, name: string): Change['when'] {
  const isOf = (one: string): boolean => text === one || name === one || text.startsWith(`${one}.`);
  if (WITH_NEW_INSTANCE.some(isOf)) return 'with a new instance';
  return WITH_NEW_PROCESS.some(isOf) ? 'with a new process' : 'now';
}

interface Difference {
  readonly path: readonly string[];
  readonly before: unknown;
  readonly after: unknown;
}

/** Down to single options; lists of plain values, and what was not there, as a whole. */
function differences(before: unknown, after: unknown, path: readonly string[]): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isSection(before) || !isSection(after) || isAddress(before) || isAddress(after)) return [{ path, before, after }];
  const places = Array.isArray(before) && Array.isArray(after) ? insertions(before, after, path) : [];
  if (places.length > 0) return places;
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], [...path, key]));
}

/** Entries that were put into a list in one place, or taken out of it: nothing has changed about those behind them. */
function insertions(before: readonly unknown[], after: readonly unknown[], path: readonly string[]): Difference[] {
  const least = Math.min(before.length, after.length);
  let same = 0;
  while (same < least && isDeepStrictEqual(before[same], after[same])) same += 1;
  let sameEnd = 0;
  while (sameEnd < least - same && isDeepStrictEqual(before.at(-1 - sameEnd), after.at(-1 - sameEnd))) sameEnd += 1;
  if (same + sameEnd < least) return [];
  const indices = Array.from({ length: Math.abs(before.length - after.length) }, (_, count) => same + count);
  const [gone, come] = before.length > after.length ? [before, []] : [[], after];
  return indices.map((index) => ({ path: [...path, String(index)], before: gone[index], after: come[index] }));
}

/** A list of sections is one too, with its places as keys. */
function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  if (Array.isArray(value)) return value.length > 0 && value.every((each) => typeof each === 'object' && each !== null && !isAddress(each));
  return typeof value === 'object' && value !== null;
}

function isAddress(value: unknown): value is { readonly host: string; readonly port: number } {
  return typeof value === 'object' && value !== null && Object.keys(value).toSorted().join() === 'host,port';
}

function sentenceOf(name: string, path: readonly string[], before: unknown, after: unknown): string {
  const last = path.at(-1) ?? '';
  if (last === 'password') return `${name} has changed.`;
  if (before === undefined) return `${name} is new: ${shown(after, last)}.`;
  if (after === undefined) return `${name} is gone; it was ${shown(before, last)}.`;
  return `${name} is now ${shown(after, last)}, before ${shown(before, last)}.`;
}

function shown(value: unknown, key: string): string {
  const text = textOf(value, key);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function textOf(value: unknown, key: string): string {
  if (typeof value === 'number' && MOMENTS.includes(key)) return new Date(value).toISOString();
  if (typeof value === 'number' && key.endsWith('Ms')) return duration(value);
  if (typeof value === 'number' && key.endsWith('Exponent')) return `2^${value}`;
  if (isAddress(value)) return `${value.host.includes(':') ? `[${value.host}]` : value.host}:${value.port}`;
  if (Array.isArray(value)) return `[${value.map((each) => textOf(each, key)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'nothing';
  const entries = Object.entries(value).filter(([name, each]) => name !== 'password' && each !== undefined);
  if (entries.length === 0) return '{}';
  return `{ ${entries.map(([name, each]) => `${name.replace(/(Ms|Exponent)$/, '')}: ${textOf(each, name)}`).join(', ')} }`;
}

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000], ['ms', 1]] as const;

/** As it may be written in the file. */
function duration(ms: number): string {
  const [unit, size] = UNITS.find(([, each]) => ms !== 0 && ms % each === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
