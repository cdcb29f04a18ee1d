/** What comes after the journal: how fast it is folded into SQLite, and audited with bitcoinjs-lib on all cores. */
import { availableParallelism } from 'node:os';
import { realWorld } from '../../config/world.ts';
import { Accountant } from '../../accounting/accountant.ts';
import { audit } from '../../accounting/audit.ts';
import { pause } from './children.ts';

export interface FoldResult {
  readonly records: number;
  readonly recordsPerSecond: number;
}

export interface AuditResult {
  readonly shares: number;
  readonly sharesPerSecond: number;
  readonly cores: number;
  /** A month of 5,000 machines at 6 shares a minute, on this machine. */
  readonly monthHours: number;
  /** No difference, no header twice. */
  readonly ok: boolean;
}

const MONTH_SHARES = 5000 * 6 * 60 * 24 * 30;

/** Folds every journal of a data directory whose writer has ended into a new ledger. */
export async function measureFold(dataDir: string): Promise<FoldResult> {
  const accountant = Accountant.open({ dataDir, world: realWorld });
  const fromMs = realWorld.monoMs();
  for (;;) {
    const done = accountant.step();
    if (done === 0 && !accountant.busy && accountant.snapshot().caughtUp) break;
    await pause(0);
  }
  const seconds = (realWorld.monoMs() - fromMs) / 1000;
  const { foldedRecords: records, problem } = accountant.snapshot();
  accountant.close();
  if (problem !== '') throw new Error(problem);
  return { records, recordsPerSecond: records / seconds };
}

/** Of a data directory that was folded before. */
export async function measureAudit(dataDir: string): Promise<AuditResult> {
  const { shares, seconds, ok } = await audit({ dataDir, world: realWorld });
  const sharesPerSecond = shares / seconds;
  return { shares, sharesPerSecond, cores: availableParallelism(), monthHours: MONTH_SHARES / sharesPerSecond / 3600, ok };
}
