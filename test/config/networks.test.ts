/** Address ranges: reading against node:net's own BlockList, and overlap. */
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overlap, readRange } from '../../config/networks.ts';

describe('an address range', () => {
  it.each([
    ['10.0.0.0/8', 0x0a000000n, 0x0affffffn],
    ['0.0.0.0/0', 0n, 0xffffffffn],
    ['192.168.1.7', 0xc0a80107n, 0xc0a80107n],
    ['::/0', 0n, (1n << 128n) - 1n],
    ['::1', 1n, 1n],
    ['2001:db8::/32', 0x20010db8n << 96n, (0x20010db9n << 96n) - 1n],
    ['::ffff:10.0.0.0/104', 0xffff0a000000n, 0xffff0affffffn],
    ['1:2:3:4:5:6:7:8', 0x00010002000300040005000600070008n, 0x00010002000300040005000600070008n],
  ])('%s', (text, first, last) => {
    expect(readRange(text)).toMatchObject({ first, last });
  });

  it.each(['10.0.0.1/8', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/', '10.0.0.0/-1', '::1/64', '::/129', '', 'pool.example', '10.0.0.0/8/8', ' 10.0.0.0/8'])('%j is none', (text) => {
    expect(readRange(text)).toBeUndefined();
  });

  it('holds the addresses that node:net says it holds', () => {
    const address = fc.ipV4();
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (inside, other, length) => {
        const value = readRange(inside)?.first ?? 0n;
        const base = (value >> BigInt(32 - length)) << BigInt(32 - length);
        const text = [24n, 16n, 8n, 0n].map((shift) => String((base >> shift) & 255n)).join('.');
        const list = new BlockList();
        list.addSubnet(text, length);
        const [range, point] = [readRange(`${text}/${length}`), readRange(other)];
        expect(range && point && overlap(range, point)).toBe(list.check(other));
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('never overlaps one of the other family', () => {
    const [four, six] = [readRange('0.0.0.0/0'), readRange('::/0')];
    expect(four && six && overlap(four, six)).toBe(false);
  });
});
