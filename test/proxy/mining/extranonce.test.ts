/** Prefixes: unique while in use, rested after use, kept on resumption. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../config/world.ts';
import { PrefixAllocator, type RestRule } from '../../../proxy/mining/extranonce.ts';
import { hex, unhex } from './fixtures.ts';

const QUARANTINE_MS = 600_000;
const OWNER = 'session';
/** No work is remembered unless a test says so. */
const ruleOf = (quarantineMs: number, oldestWorkMs = Infinity): RestRule => ({ quarantineMs, oldestWorkMs: () => oldestWorkMs });
const RULE = ruleOf(QUARANTINE_MS);
const take = (allocator: PrefixAllocator, nowMs: number): Uint8Array => {
  const prefix = allocator.allocate(nowMs);
  if (prefix === undefined) throw new Error('exhausted');
  return prefix;
};

describe('PrefixAllocator', () => {
  it('starts at its first value, big-endian', () => {
    const allocator = new PrefixAllocator(4, 0x4128064f, 1000, RULE);
    expect(hex(take(allocator, 0))).toBe('4128064f');
    expect(hex(take(allocator, 0))).toBe('41280650');
    expect(allocator.inUse).toBe(2);
  });

  it('hands out every value of its range and no more', () => {
    const allocator = new PrefixAllocator(1, 0, 256, RULE);
    const seen = new Set(Array.from({ length: 256 }, () => hex(take(allocator, 0))));
    expect(seen.size).toBe(256);
    expect(allocator.allocate(0)).toBeUndefined();
  });

  it('reuses a prefix only after its quarantine', () => {
    const allocator = new PrefixAllocator(1, 9, 1, RULE);
    allocator.release(take(allocator, 0), 1000, OWNER);
    expect(allocator.allocate(1000 + QUARANTINE_MS - 1)).toBeUndefined();
    expect(hex(take(allocator, 1000 + QUARANTINE_MS))).toBe('09');
  });

  it('reuses a prefix only when no work is left that its owner may have had', () => {
    let oldestWorkMs = 500;
    const allocator = new PrefixAllocator(1, 9, 1, { quarantineMs: QUARANTINE_MS, oldestWorkMs: () => oldestWorkMs });
    const prefix = take(allocator, 0);
    allocator.release(prefix, 1000, OWNER);
    for (const mono of [500, 1000]) {
      oldestWorkMs = mono;
      expect([allocator.allocate(1e9), allocator.bring(prefix, 1e9), allocator.reserve(prefix, 'another')]).toEqual([undefined, false, false]);
    }
    oldestWorkMs = 1001;
    expect(allocator.bring(prefix, 1000 + QUARANTINE_MS - 1)).toBe(false);
    expect(allocator.bring(prefix, 1000 + QUARANTINE_MS)).toBe(true);
    expect(allocator.bring(prefix, 1e9)).toBe(false);
  });

  it('gives a prefix that had no job again at once', () => {
    const allocator = new PrefixAllocator(1, 9, 1, ruleOf(QUARANTINE_MS, 0));
    allocator.release(take(allocator, 0), 1000, undefined);
    expect(hex(take(allocator, 1000))).toBe('09');
  });

  it('reserves for a resumed session out of quarantine, once', () => {
    const allocator = new PrefixAllocator(2, 0, 4, RULE);
    const prefix = take(allocator, 0);
    expect(allocator.reserve(prefix, OWNER)).toBe(false);
    allocator.release(prefix, 10, OWNER);
    expect(allocator.reserve(prefix, OWNER)).toBe(true);
    expect(allocator.reserve(prefix, OWNER)).toBe(false);
    const others = [take(allocator, 1e9), take(allocator, 1e9), take(allocator, 1e9)].map(hex);
    expect(others).not.toContain(hex(prefix));
    expect(allocator.allocate(1e9)).toBeUndefined();
  });

  it('skips a value reserved before it was ever handed out', () => {
    const allocator = new PrefixAllocator(1, 0, 3, RULE);
    expect(allocator.reserve(unhex('01'), OWNER)).toBe(true);
    expect([take(allocator, 0), take(allocator, 0)].map(hex)).toEqual(['00', '02']);
  });

  it('does not know values outside its range', () => {
    const allocator = new PrefixAllocator(2, 256, 256, RULE);
    for (const other of ['00ff', '0200', '01', '010000']) expect(allocator.reserve(unhex(other), OWNER)).toBe(false);
  });

  it('refuses impossible ranges and a second release', () => {
    expect(() => new PrefixAllocator(1, 0, 257, RULE)).toThrow('do not fit');
    expect(() => new PrefixAllocator(0, 0, 1, RULE)).toThrow('choose 1 to 6');
    const allocator = new PrefixAllocator(1, 0, 1, ruleOf(0));
    const prefix = take(allocator, 0);
    allocator.release(prefix, 0, OWNER);
    expect(() => allocator.release(prefix, 0, OWNER)).toThrow('not in use');
  });

  it('never has a prefix in two hands in a long random history', () => {
    const random = seededRandom(11);
    const allocator = new PrefixAllocator(2, 100, 50, ruleOf(1000));
    const held = new Map<string, Uint8Array>();
    const releasedAt = new Map<string, number>();
    const faults: string[] = [];
    const check = (ok: boolean, fault: string): void => {
      if (!ok) faults.push(fault);
    };
    for (let nowMs = 0; nowMs < 200_000; nowMs += 20) {
      const choice = random.u32() % 3;
      const [heldName, heldPrefix] = [...held][random.u32() % Math.max(1, held.size)] ?? [];
      if (choice === 0) {
        const prefix = allocator.allocate(nowMs);
        if (prefix !== undefined) {
          check(!held.has(hex(prefix)), `${hex(prefix)} allocated twice`);
          check(nowMs - (releasedAt.get(hex(prefix)) ?? -1e9) >= 1000, `${hex(prefix)} allocated in quarantine`);
          held.set(hex(prefix), prefix);
        }
      } else if (choice === 1 && heldName !== undefined && heldPrefix !== undefined) {
        allocator.release(heldPrefix, nowMs, OWNER);
        held.delete(heldName);
        releasedAt.set(heldName, nowMs);
      } else if (choice === 2) {
        const wished = unhex((100 + (random.u32() % 50)).toString(16).padStart(4, '0'));
        check(allocator.reserve(wished, OWNER) === !held.has(hex(wished)), `${hex(wished)} reserved wrongly`);
        held.set(hex(wished), wished);
      }
      check(allocator.inUse === held.size, 'miscounted');
    }
    expect(faults).toEqual([]);
  });
});
