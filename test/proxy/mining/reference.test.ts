/** What bitcoinjs-lib says of a job before machines work on it. */
import { describe, expect, it } from 'vitest';
import { inspectJob, type JobInspection } from '../../../proxy/mining/reference.ts';
import { jobOf, SHARES, vector } from './fixtures.ts';

const share = vector('public-pool-bitaxe-gamma-bm1370');
const job = jobOf(share);
const nowMs = job.ntime * 1000;
const reason = (inspection: JobInspection): string => (inspection.ok ? '' : inspection.reason);

describe('inspectJob', () => {
  it('reads height and reward of a captured job', () => {
    const inspection = inspectJob(job, 8, nowMs);
    if (!inspection.ok) throw new Error(inspection.reason);
    expect(inspection.height).toBe(901936);
    expect(inspection.coinbaseSats).toBe(315012581n);
    expect(inspection.outputs.map(({ sats }) => sats).reduce((sum, sats) => sum + sats, 0n)).toBe(315012581n);
    expect((0xffffn << 208n) / inspection.networkTarget / 10n ** 9n).toBe(126411n);
  });

  it.each(SHARES)('accepts $name', (vectorShare) => {
    const its = jobOf(vectorShare);
    const bytes = (vectorShare.extranonce1.length + vectorShare.extranonce2.length) / 2;
    const inspection = inspectJob(its, bytes, its.ntime * 1000);
    const known = vectorShare.height !== null && its.version >= 2;
    expect(inspection).toMatchObject(known ? { ok: true, height: vectorShare.height } : { ok: true });
  });

  it('knows no height in blocks of version 1', () => {
    const genesis = jobOf(vector('block-0-genesis'));
    expect(inspectJob(genesis, 8, genesis.ntime * 1000)).toMatchObject({ ok: true, height: 0, coinbaseSats: 5_000_000_000n });
  });

  it('allows two hours between ntime and the local clock, and no second more', () => {
    const twoHours = 7200_000;
    expect(inspectJob(job, 8, nowMs + twoHours).ok).toBe(true);
    expect(inspectJob(job, 8, nowMs - twoHours).ok).toBe(true);
    expect(reason(inspectJob(job, 8, nowMs + twoHours + 1))).toContain('2 h');
    expect(reason(inspectJob(job, 8, nowMs - twoHours - 1))).toContain('2 h');
  });

  it.each([
    ['a wrong extranonce length', { job, bytes: 7 }],
    ['a coinbase that is no transaction', { job: { ...job, coinb1: new Uint8Array(5) }, bytes: 8 }],
    ['an input that spends something', { job: { ...job, coinb1: job.coinb1.map((byte, at) => (at === 10 ? 1 : byte)) }, bytes: 8 }],
    ['a negative target', { job: { ...job, nBits: 0x1d80ffff }, bytes: 8 }],
    ['a target of zero', { job: { ...job, nBits: 0 }, bytes: 8 }],
    ['33 branches', { job: { ...job, branches: new Uint8Array(33 * 32) }, bytes: 8 }],
    ['half a branch', { job: { ...job, branches: new Uint8Array(48) }, bytes: 8 }],
  ])('refuses %s with a reason', (_, { job: bad, bytes }) => {
    const inspection = inspectJob(bad, bytes, nowMs);
    expect(inspection.ok).toBe(false);
    expect(reason(inspection)).not.toBe('');
  });

  it('refuses a script longer than 100 bytes', () => {
    const script = 101;
    const coinb1 = Buffer.concat([job.coinb1.subarray(0, 41), Uint8Array.of(script), new Uint8Array(script - 8)]);
    expect(reason(inspectJob({ ...job, coinb1 }, 8, nowMs))).toContain('101 bytes');
  });

  it('reads single-opcode heights of young test chains', () => {
    const coinb1 = Buffer.concat([job.coinb1.subarray(0, 41), Uint8Array.of(10, 0x60, 0x01)]);
    expect(inspectJob({ ...job, coinb1 }, 8, nowMs)).toMatchObject({ ok: true, height: 16 });
  });
});
