/** Sentences about what is wrong, and readiness. */
import { describe, expect, it } from 'vitest';
import { findProblems, type HealthInputs, isReady } from '../../../proxy/net/health.ts';
import type { AccountantSnapshot, LinkSnapshot, ProxySnapshot } from '../../../proxy/net/messages.ts';
import type { InstanceStatus } from '../../../proxy/net/status.ts';
import { zeroCounters } from '../../../proxy/session/sink.ts';

const LINK: LinkSnapshot = {
  link: 1, pool: 'main', url: 'stratum+tcp://a:1', state: 'live', sessions: 0, difficulty: '1', extranonce1: '', jobAgeMs: 0, trouble: '', troubleWhy: '', pending: 0, reconnects: 0, lastError: '',
};
const HISTOGRAM = { bounds: [], counts: [0], sumSeconds: 0 };
const VITALS = { residentBytes: 0, cpuSeconds: 0, loop: HISTOGRAM };
const PROXY: ProxySnapshot = {
  process: 'p', pid: 1, version: '0', startedMs: 0, sessions: 0, sessionsByGroup: {}, links: [LINK], splits: [], counters: zeroCounters(), closes: {}, fsync: HISTOGRAM, replies: HISTOGRAM,
  measures: { roundTrips: {}, fanout: HISTOGRAM, reconnects: {}, failover: {}, duplicateHashes: 0, furtherPlanes: 1 }, vitals: VITALS,
  journal: { state: 'open', segment: '', writtenBytes: 0, waitingShares: 0, freeBytes: 5000 },
};
const ACCOUNTANT: AccountantSnapshot = {
  pid: 2, caughtUp: true, opens: 1, vitals: VITALS, lagBytes: 0, lagMs: 0, foldedRecords: 0, corruptRanges: 0, unjournaledShares: 0, problem: '', leases: [], delivered: [], credited: [],
};
const CHILD = { running: true, looping: false, ageMs: 60_000 };
type Process = HealthInputs['processes'][number];
const PROCESS: Process = { number: 1, state: 'serving', snapshot: PROXY, child: CHILD };
const WELL: HealthInputs = { processes: [PROCESS], accountant: ACCOUNTANT, accountantChild: CHILD, freeBytesMin: 1000 };

function one(change: Partial<Process>): Partial<HealthInputs> {
  return { processes: [{ ...PROCESS, ...change }] };
}

function reporting(change: Partial<ProxySnapshot>): Partial<HealthInputs> {
  return one({ snapshot: { ...PROXY, ...change } });
}

describe('problems', () => {
  const cases: readonly (readonly [string, Partial<HealthInputs>, string | undefined])[] = [
    ['all well', {}, undefined],
    ['a proxy process that has just started', one({ state: 'starting', snapshot: undefined, child: { ageMs: 900 } }), undefined],
    ['a silent proxy process', one({ snapshot: undefined }), 'The proxy process has not reported for 5 s.'],
    ['a dead proxy process', one({ state: 'down' }), 'The proxy process is down and is being started again.'],
    ['a crash loop', one({ state: 'looping' }), 'The proxy process crashes again and again; its log lines say why.'],
    ['a journal that cannot be written', reporting({ journal: { ...PROXY.journal, state: 'failed' } }), 'The journal cannot be written: shares are answered but counted as unjournaled.'],
    ['little space', { freeBytesMin: 5001 }, "The journal's disk has 5000 bytes free, less than journal.freeMin (5001)."],
    ['a mismatch', reporting({ counters: { ...zeroCounters(), validationMismatches: 2 } }), '2 sampled shares were judged differently by bitcoinjs-lib.'],
    ['no pool', reporting({ links: [{ ...LINK, state: 'waiting', lastError: 'refused' }] }), 'No pool is connected (main: refused).'],
    ['no link at all', reporting({ links: [] }), 'No pool is connected.'],
    ['a drained process', one({ state: 'drained', snapshot: undefined }), 'The proxy process is drained; `weighbridge restart --process 1` brings it back.'],
    ['one of two that is down', { processes: [PROCESS, { ...PROCESS, number: 2, state: 'down', snapshot: undefined }] }, 'Proxy process 2 is down and is being started again.'],
    ['two on one full disk', { processes: [PROCESS, { ...PROCESS, number: 2 }], freeBytesMin: 5001 }, "The journal's disk has 5000 bytes free, less than journal.freeMin (5001)."],
    ['a pool that is avoided', reporting({ links: [LINK, { ...LINK, pool: 'b', trouble: 'refusing', troubleWhy: 'it refused 11 of its last 20 shares' }] }), 'Pool b is avoided: it refused 11 of its last 20 shares.'],
    ['a dead accountant', { accountantChild: { ...CHILD, running: false } }, 'The accountant is down and is being started again.'],
    ['an accountant in a crash loop', { accountantChild: { ...CHILD, looping: true } }, 'The accountant crashes again and again; mining goes on and the journal keeps what it has not counted.'],
    ['a silent accountant', { accountant: undefined }, 'The accountant does not answer.'],
    ['a fold that stopped', { accountant: { ...ACCOUNTANT, problem: 'The ledger is full.' } }, 'The ledger is full.'],
    ['catching up', { accountant: { ...ACCOUNTANT, caughtUp: false, lagBytes: 9 } }, 'The accountant still folds what was journaled before it started (9 bytes to go).'],
    ['lag', { accountant: { ...ACCOUNTANT, lagMs: 61_000 } }, 'The ledger is 61 s behind the journal.'],
    ['corruption', { accountant: { ...ACCOUNTANT, corruptRanges: 1 } }, '1 corrupt ranges in the journal; `weighbridge audit` names them.'],
  ];
  it.each(cases)('of %s', (_name, change, expected) => {
    expect(findProblems({ ...WELL, ...change })).toEqual(expected === undefined ? [] : [expected]);
  });
});

describe('readiness', () => {
  const status = { listening: [{ site: 'north', address: 'a:1' }], proxy: PROXY, accountant: ACCOUNTANT } as unknown as InstanceStatus;
  const cases: readonly (readonly [Partial<InstanceStatus>, string])[] = [
    [{}, ''],
    [{ listening: [] }, 'No listener is open.'],
    [{ proxy: undefined }, 'No proxy process reports.'],
    [{ proxy: { ...PROXY, links: [] } }, 'No pool is connected.'],
    [{ accountant: undefined }, 'The accountant does not answer.'],
    [{ accountant: { ...ACCOUNTANT, caughtUp: false } }, 'The accountant has not caught up with the journal.'],
  ];
  it.each(cases)('%#', (change, expected) => {
    expect(isReady({ ...status, ...change })).toBe(expected);
  });
});
