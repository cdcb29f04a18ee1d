/** Hex and number fields as they occur on the wire, read by hand because they are on the path of every share. */

const NIBBLES = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  NIBBLES[text.charCodeAt(0)] = digit;
  NIBBLES[text.toUpperCase().charCodeAt(0)] = digit;
}

/** The u32 that 1–8 hex digits spell (big-endian, no prefix), or undefined for anything else. */
export function hexToU32(text: string): number | undefined {
  const length = text.length;
  if (length === 0 || length > 8) return undefined;
  let value = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    const nibble = code < 128 ? (NIBBLES[code] ?? -1) : -1;
    if (nibble < 0) return undefined;
    value = (value << 4) | nibble;
  }
  return value >>> 0;
}

/** Eight lower-case hex digits of a u32. */
export function u32ToHex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

/** The same text in lower case when it is hex of even length (also empty), or undefined. */
export function evenHex(text: string): string | undefined {
  if (text.length % 2 !== 0) return undefined;
  let upper = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 128 || (NIBBLES[code] ?? -1) < 0) return undefined;
    if (code >= 65 && code <= 70) upper = true;
  }
  return upper ? text.toLowerCase() : text;
}

/** Bytes of a hex text of even length, or undefined when it is not one (or not a string). */
export function hexToBytes(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined;
  const hex = evenHex(value);
  if (hex === undefined) return undefined;
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** Lower-case hex of bytes. */
export function bytesToHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** A u32 given as 1–8 hex digits or, as some clients do, as a JSON number. */
export function fieldToU32(value: unknown): number | undefined {
  if (typeof value === 'string') return hexToU32(value);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return value;
  return undefined;
}

/** A finite number that is not negative, given as a JSON number or as decimal text, or undefined. */
export function readNumber(value: unknown): number | undefined {
  const number = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}
