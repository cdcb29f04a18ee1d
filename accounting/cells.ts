/** What the fold gathers before it becomes rows: shares and pool verdicts that differ in nothing the ledger keeps. */
import type { Forwarding, OwnVerdict, PoolReason } from '../proxy/mining/verdict.ts';
import type { PoolVerdictFact } from '../proxy/session/facts.ts';
import type { LeaseStretch } from '../proxy/session/leases.ts';
import type { BindContext, JobContext } from './context.ts';

/** Shares that differ in nothing the ledger keeps. */
export interface DeliveredCell {
  readonly minute: number;
  readonly bind: BindContext;
  readonly job: JobContext;
  readonly verdict: OwnVerdict;
  readonly forwarding: Forwarding;
  readonly exponent: number;
  readonly leases: LeaseStretch;
  n: number;
  firstMs: number;
  lastMs: number;
}

/** Pool verdicts that differ in nothing the ledger keeps. */
export interface CreditedCell {
  readonly minute: number;
  readonly bind: BindContext;
  readonly job: JobContext;
  readonly verdict: PoolVerdictFact['verdict'];
  readonly reason: PoolReason;
  readonly code: string;
  readonly difficulty: string;
  readonly leases: LeaseStretch;
  n: number;
}
