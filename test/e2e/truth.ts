/** What must hold between what machines were told, what the journal holds and what the pools booked (the design's invariants). */
import type { MachineRecord } from '../rig/fleet.ts';
import type { SimulatedPool } from '../rig/pool.ts';
import type { JournalContent, JournaledShare } from './journal-shares.ts';

export interface Differences {
  /** Told true, but not in the journal as accepted or courtesy. */
  readonly missing: string[];
  /** In the journal as accepted or courtesy, but no machine submitted it or was told false. */
  readonly unfounded: string[];
  /** Counted more than once. */
  readonly twice: string[];
  /** Credited at another exponent than the machine's job had. */
  readonly otherExponent: string[];
}

/** Headers that count, each with its share. */
export function countedShares({ shares }: JournalContent): Map<string, JournaledShare> {
  const counted = new Map<string, JournaledShare>();
  for (const share of shares) {
    if (share.fact.verdict === 'accepted' || share.fact.verdict === 'courtesy') counted.set(share.headerHex, share);
  }
  return counted;
}

/** Holds a fleet's memory against the journal, share by share. Nothing differs in a run without faults. */
export function compareFleet(machines: readonly MachineRecord[], journal: JournalContent): Differences {
  const counted = countedShares(journal);
  const told = new Map<string, number>();
  const open = new Set<string>();
  for (const { replies, unanswered } of machines) {
    for (const { headerHex, value, exponent } of replies) if (value) told.set(headerHex, exponent);
    for (const { headerHex } of unanswered) open.add(headerHex);
  }
  const counts = journal.shares.filter(({ fact }) => fact.verdict === 'accepted' || fact.verdict === 'courtesy');
  const seen = new Set<string>();
  return {
    missing: [...told.keys()].filter((header) => !counted.has(header)),
    unfounded: [...counted.keys()].filter((header) => !told.has(header) && !open.has(header)),
    twice: counts.map(({ headerHex }) => headerHex).filter((header) => seen.size === seen.add(header).size),
    otherExponent: [...told].filter(([header, exponent]) => counted.get(header)?.fact.exponent !== exponent).map(([header]) => header),
  };
}

/** Shares whose pool verdict in the journal is not what the pools booked. Both ways; in-flight ones may be 'unanswered'. */
export function comparePools(pools: readonly SimulatedPool[], journal: JournalContent): string[] {
  const booked = new Map(pools.flatMap((pool) => [...pool.headers]));
  const wrong: string[] = [];
  for (const { headerHex, poolVerdict, fact } of journal.shares) {
    const theirs = booked.get(headerHex);
    if (poolVerdict === undefined) {
      if (fact.forwarding === 'forwarded') wrong.push(`${headerHex} was forwarded but has no pool verdict`);
    } else if (poolVerdict.verdict !== 'unanswered' && theirs?.accepted !== (poolVerdict.verdict === 'accepted')) {
      wrong.push(`${headerHex}: journal says ${poolVerdict.verdict}, the pool ${String(theirs?.accepted)}`);
    } else if (poolVerdict.verdict === 'accepted' && theirs?.difficulty !== poolVerdict.difficulty) {
      wrong.push(`${headerHex}: journal has difficulty ${poolVerdict.difficulty}, the pool ${String(theirs?.difficulty)}`);
    }
  }
  return wrong;
}
