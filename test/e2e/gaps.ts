/** How long machines wait for their next accepted share, counted from one moment: what a failover costs them. */
import type { JournaledShare } from './journal-shares.ts';

export interface Waits {
  readonly meanMs: number;
  readonly longestMs: number;
  /** Machines that had no share after the moment at all. */
  readonly without: readonly string[];
}

/** From a moment until each worker's next of these shares. At random moments the mean is one share interval: shares come by chance. */
export function waitsFrom(shares: Iterable<JournaledShare>, workers: readonly string[], fromMs: number): Waits {
  const first = new Map<string, number>();
  for (const { worker, fact } of shares) {
    if (fact.verdict !== 'accepted' || fact.atMs < fromMs) continue;
    first.set(worker, Math.min(first.get(worker) ?? Infinity, fact.atMs - fromMs));
  }
  const waits = [...first.values()];
  return { meanMs: waits.reduce((sum, ms) => sum + ms, 0) / waits.length, longestMs: Math.max(...waits), without: workers.filter((worker) => !first.has(worker)) };
}
