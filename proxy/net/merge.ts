/** What several proxy processes report, as if they were one. */
import type { ProxySnapshot, SplitSnapshot } from './messages.ts';

/** Undefined when there is none. `process`, `pid`, `version`, `startedMs` and the journal's `segment` are the first one's. */
export function mergeSnapshots(snapshots: readonly ProxySnapshot[]): ProxySnapshot | undefined {
  const [first, ...others] = snapshots;
  return first && others.reduce(mergeTwo, first);
}

function mergeTwo(a: ProxySnapshot, b: ProxySnapshot): ProxySnapshot {
  const { sessions, sessionsByGroup, counters, closes, fsync, replies, measures, vitals } = b;
  return {
    ...a,
    ...sum(a, { sessions, sessionsByGroup, counters, closes, fsync, replies, measures, vitals }),
    links: [...a.links, ...b.links],
    splits: mergeSplits(a.splits, b.splits),
    journal: {
      state: a.journal.state === 'failed' ? 'failed' : b.journal.state,
      segment: a.journal.segment,
      writtenBytes: a.journal.writtenBytes + b.journal.writtenBytes,
      waitingShares: a.journal.waitingShares + b.journal.waitingShares,
      freeBytes: Math.min(a.journal.freeBytes, b.journal.freeBytes),
    },
  };
}

/** Each process keeps splits by itself; together they are kept too. */
function mergeSplits(a: readonly SplitSnapshot[], b: readonly SplitSnapshot[]): SplitSnapshot[] {
  const others = new Map(b.map((split) => [split.route, split]));
  return a.map((split) => {
    const other = others.get(split.route);
    if (other === undefined) return split;
    const parts = split.parts.map((part, index) => {
      const { work, forgiven } = other.parts[index] ?? { work: 0, forgiven: 0 };
      return { ...part, work: part.work + work, forgiven: part.forgiven + forgiven };
    });
    return { ...split, parts, moves: split.moves + other.moves };
  });
}

/** `b` with every number raised by what stands in the same place of `a`; bounds of histograms are no counts. */
function sum<T>(a: unknown, b: T, name?: string): T;
function sum(a: unknown, b: unknown, name = ''): unknown {
  if (name === 'bounds') return b;
  if (typeof b === 'number') return b + (typeof a === 'number' ? a : 0);
  if (Array.isArray(b)) return b.map((value: unknown, index) => sum(Array.isArray(a) ? a[index] : undefined, value));
  if (typeof b !== 'object' || b === null) return b;
  const before = typeof a === 'object' && a !== null ? (a as Readonly<Record<string, unknown>>) : {};
  const keys = name === '' ? Object.keys(b) : new Set([...Object.keys(before), ...Object.keys(b)]);
  const values = b as Readonly<Record<string, unknown>>;
  return Object.fromEntries([...keys].map((key) => [key, key in values ? sum(before[key], values[key], key) : before[key]]));
}
