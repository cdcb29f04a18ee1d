/** Address ranges in CIDR form: reading, normalising, comparing. */
import { isIP } from 'node:net';
import { z } from 'zod';

/** First and last address of a range as numbers, within one family. */
export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

const BITS = { 4: 32n, 6: 128n } as const;

function number4(address: string): bigint {
  return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

/** Value of a valid IPv6 address (as node:net judges it), with `::` and a dotted tail. */
function number6(address: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const plain = dotted ? `${dotted[1]}${(number4(dotted[2] ?? '') >> 16n).toString(16)}:${(number4(dotted[2] ?? '') & 0xffffn).toString(16)}` : address;
  const [head = '', tail] = plain.split('::');
  const groups = (part: string): string[] => part.split(':').filter((group) => group !== '');
  const left = groups(head);
  const right = groups(tail ?? '');
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address; undefined when it is none or has bits beyond its prefix length. */
export function readRange(text: string): AddressRange | undefined {
  const [, address = '', length] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  if (family !== 4 && family !== 6) return undefined;
  const bits = BITS[family];
  const free = bits - BigInt(length ?? bits);
  if (free < 0n) return undefined;
  const first = family === 4 ? number4(address) : number6(address);
  const rest = (1n << free) - 1n;
  return (first & rest) === 0n ? { family, first, last: first | rest } : undefined;
}

/** Whether an address lies in both ranges. */
export function overlap(a: AddressRange, b: AddressRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** A range as CIDR text; a single address gets its full prefix length. */
export function networkBlock() {
  const error = 'must be an address range such as 10.1.0.0/16, without bits set beyond the prefix length';
  return z
    .string({ error })
    .refine((text) => readRange(text) !== undefined, { error, abort: true })
    .transform((text) => (text.includes('/') ? text.toLowerCase() : `${text.toLowerCase()}/${isIP(text) === 4 ? 32 : 128}`));
}
