/** What must hold of a data directory after any fault: machines' memory, journals, ledger, audit and a fold from nothing agree. */
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Accountant } from '../../accounting/accountant.ts';
import { audit } from '../../accounting/audit.ts';
import { TABLE_NAMES } from '../../accounting/rows.ts';
import { journalDirectory, Store } from '../../accounting/store.ts';
import { realWorld } from '../../config/world.ts';
import { readJournal, type JournalContent } from '../e2e/journal-shares.ts';
import { compareFleet, countedShares } from '../e2e/truth.ts';
import type { MachineRecord } from '../rig/fleet.ts';
import { until } from './waiting.ts';

export interface Books {
  /** Shares that count, in the journals and so in the ledger. */
  readonly counted: number;
  /** Of these, those whose answer never reached the machine. */
  readonly untold: number;
  /** Submits whose answer never reached the machine. */
  readonly open: number;
}

/**
 * Expects that every share told true counts exactly once at its own difficulty or is admitted as unjournaled, that nothing counts which was not submitted,
 * and that journals, ledger and audit agree to the unit.
 */
export async function expectTrueBooks(dataDir: string, records: readonly MachineRecord[]): Promise<Books> {
  const journal = readJournal(dataDir);
  const { missing, ...differences } = compareFleet(records, journal);
  expect(differences).toEqual({ unfounded: [], twice: [], otherExponent: [] });
  // What a full disk did not take is admitted, share by share, and nothing else is missing.
  expect(missing).toHaveLength(admittedIn(dataDir));
  await expectSoundBooks(dataDir, journal);
  const counted = countedShares(journal);
  const told = new Set(records.flatMap(({ replies }) => replies).filter(({ value }) => value).map(({ headerHex }) => headerHex));
  const untold = [...counted.keys()].filter((header) => !told.has(header)).length;
  const open = records.reduce((sum, { unanswered }) => sum + unanswered.length, 0);
  // What the machines do not know of was under way when a connection ended, and nothing else.
  expect(untold).toBeLessThanOrEqual(open);
  return { counted: counted.size, untold, open };
}

/** Expects that journals, ledger and audit agree to the unit, and that all of the journals is folded. */
export async function expectSoundBooks(dataDir: string, journal: JournalContent): Promise<void> {
  expect(journal.corruptRanges).toBe(0);
  expect(totals(dataDir)).toEqual(verdicts(journal));
  const report = await audit({ dataDir, threads: 0 });
  const accepted = verdicts(journal).get('accepted') ?? 0;
  expect(report).toMatchObject({ ok: true, differences: [], duplicates: 0, corruptBytes: 0, notFolded: 0, shares: accepted, validated: accepted });
}

function verdicts({ shares }: JournalContent): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { fact } of shares) counts.set(fact.verdict, (counts.get(fact.verdict) ?? 0) + 1);
  return counts;
}

/** The ledger's shares by verdict. */
export function totals(dataDir: string): Map<string, number> {
  const store = Store.open(dataDir, { readonly: true });
  try {
    const counts = new Map<string, number>();
    for (const { verdict, n } of store.rows('total')) counts.set(verdict, (counts.get(verdict) ?? 0) + n);
    return counts;
  } finally {
    store.close();
  }
}

/** Shares that the ledger admits were answered and could not be journaled. */
export function admittedIn(dataDir: string): number {
  const store = Store.open(dataDir, { readonly: true });
  try {
    return [...store.rows('unjournaled_minute')].reduce((sum, { n }) => sum + n, 0);
  } finally {
    store.close();
  }
}

/** Every table of a ledger, row by row in the order of keys. */
export function tables(dataDir: string): Record<string, unknown[]> {
  const store = Store.open(dataDir, { readonly: true });
  try {
    return Object.fromEntries(TABLE_NAMES.map((table) => [table, [...store.rows(table)]]));
  } finally {
    store.close();
  }
}

/** Folds a data directory's journals to their end with an accountant of our own, into the ledger that lies there. */
export async function foldToEnd(dataDir: string): Promise<void> {
  const accountant = Accountant.open({ dataDir, world: realWorld });
  try {
    await until('everything is folded', () => {
      accountant.step();
      const { caughtUp, problem } = accountant.snapshot();
      if (problem !== '') throw new Error(problem);
      return caughtUp && !accountant.busy;
    });
  } finally {
    accountant.close();
  }
}

/** Copies the journals into `fresh` and folds them into an empty ledger there. */
export async function foldAnew(dataDir: string, fresh: string): Promise<Record<string, unknown[]>> {
  const journals = join(journalDirectory(fresh));
  mkdirSync(journals, { recursive: true });
  cpSync(journalDirectory(dataDir), journals, { recursive: true });
  await foldToEnd(fresh);
  return tables(fresh);
}
