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
  const missing = [...told.keys()].filter((header) => !counted.has(header));
  const unfounded = [...counted.keys()].filter((header) => !told.has(header) && !open.has(header));
  const found = new Set([...told.keys()].filter((header) => counted.has(header)));
  return {
    missing: withoutTwins(missing, unfounded),
    unfounded: withoutTwins(unfounded, missing),
    twice: twice(journal),
    otherExponent: [...found].filter((header) => counted.get(header)?.fact.exponent !== told.get(header)),
  };
}

/** Digits of the header's version. */
const VERSION_DIGITS = 8;

/**
 * `headers` without those of which `others` has the same but for the version. Before a session's version convention is
 * known all three are tried (reference §11), and at difficulties far below 1 a wrong one fits now and then: such a header
 * is as good as its own work, but it is not the one the machine had in mind.
 */
function withoutTwins(headers: readonly string[], others: readonly string[]): string[] {
  const tails = new Set(others.map((header) => header.slice(VERSION_DIGITS)));
  return headers.filter((header) => !tails.has(header.slice(VERSION_DIGITS)));
}

/** Headers that more than one share counts for. */
function twice({ shares }: JournalContent): string[] {
  const seen = new Set<string>();
  return shares
    .filter(({ fact }) => fact.verdict === 'accepted' || fact.verdict === 'courtesy')
    .map(({ headerHex }) => headerHex)
    .filter((header) => seen.size === seen.add(header).size);
}

/**
 * Where the pools' books and the journal's pool verdicts differ, both ways. A pool that refuses a share as stale does not
 * assemble its header, so that only acceptance is compared by header; an answer lost with its link is 'unanswered'.
 */
export function comparePools(pools: readonly SimulatedPool[], journal: JournalContent): string[] {
  const booked = new Map(pools.flatMap((pool) => [...pool.headers]));
  const wrong: string[] = [];
  const forwarded = new Set<string>();
  for (const { headerHex, poolVerdict, fact } of journal.shares) {
    const theirs = booked.get(headerHex);
    if (fact.forwarding === 'forwarded') forwarded.add(headerHex);
    if (poolVerdict === undefined) {
      if (fact.forwarding === 'forwarded') wrong.push(`${headerHex} was forwarded but has no pool verdict`);
    } else if (poolVerdict.verdict !== 'unanswered' && (theirs?.accepted === true) !== (poolVerdict.verdict === 'accepted')) {
      wrong.push(`${headerHex}: journal says ${poolVerdict.verdict}, the pool ${String(theirs?.accepted)}`);
    } else if (poolVerdict.verdict === 'accepted' && theirs?.difficulty !== poolVerdict.difficulty) {
      wrong.push(`${headerHex}: journal has difficulty ${poolVerdict.difficulty}, the pool ${String(theirs?.difficulty)}`);
    }
  }
  for (const header of booked.keys()) if (!forwarded.has(header)) wrong.push(`${header} reached a pool but is not journaled as forwarded`);
  return wrong;
}
