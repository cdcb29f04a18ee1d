/** The kinds of value an option can have, as written in YAML and as the program uses them: duration, size, power of two, address. */
import { isIP, isIPv6 } from 'node:net';
import { z } from 'zod';

/** An address as written `host:port`; IPv6 hosts stand in brackets there and without them here. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where a pool is reached. `url` is `scheme://host:port` and never holds credentials. */
export interface PoolAddress extends HostPort {
  readonly tls: boolean;
  readonly url: string;
}

/** How the bytes between coinb1 and coinb2 are divided: our prefix P, then what the machine counts through. */
export interface ExtranonceLayout {
  readonly prefixBytes: number;
  readonly extranonce2Bytes: number;
}

const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;
const DURATION_UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE = /^(\d{1,9})(B|KiB|MiB|GiB|TiB)$/;
const SIZE_UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
/** `2^16`, `2^-20`. */
const POWER = /^2\^(-?\d{1,3})$/;
const HOST_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9][A-Za-z0-9._-]{0,252})):(\d{1,5})$/;
const DIFFICULTY_TEXT = /^(?:2\^-?\d{1,3}|\d{1,19}(?:\.\d{1,40})?)$/;
const CREDENTIALS = /^[a-z+]+:\/\/[^/]*@/i;

/** Least and greatest exponent k of a difficulty 2^k that the ledger can hold. */
const EXPONENT_MIN = -32;
const EXPONENT_MAX = 62;

function measure(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number {
  const [, digits = '', unit = ''] = pattern.exec(text) ?? [];
  return Number(digits) * (units[unit] ?? Number.NaN);
}

/** A duration such as `90d`, `10m`, `30s` or `500ms` between two others; milliseconds. */
export function duration(least: string, most: string) {
  const error = `must be a duration from ${least} to ${most}, a whole number with ms, s, m, h or d`;
  const toMs = (text: string): number => measure(text, DURATION, DURATION_UNIT_MS);
  return z
    .string({ error })
    .regex(DURATION, { error, abort: true })
    .transform(toMs)
    .refine((ms) => ms >= toMs(least) && ms <= toMs(most), { error });
}

/** A size such as `64MiB` or `1GiB` between two others; bytes. */
export function size(least: string, most: string) {
  const error = `must be a size from ${least} to ${most}, a whole number with B, KiB, MiB, GiB or TiB`;
  const toBytes = (text: string): number => measure(text, SIZE, SIZE_UNIT_BYTES);
  return z
    .string({ error })
    .regex(SIZE, { error, abort: true })
    .transform(toBytes)
    .refine((bytes) => bytes >= toBytes(least) && bytes <= toBytes(most), { error });
}

/** A whole number between two others, both included. */
export function whole(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error }).multipleOf(1, { error });
}

/** k of a value that is exactly 2^k; NaN of any other. */
function exactLog2(value: number): number {
  const exponent = Math.round(Math.log2(value));
  return 2 ** exponent === value ? exponent : Number.NaN;
}

/** A power of two as `65536` or `2^16`; its exponent k, −32 ≤ k ≤ 62. */
export function powerOfTwo() {
  const error = `must be a power of two from 2^${EXPONENT_MIN} to 2^${EXPONENT_MAX}, such as 65536 or "2^-20"`;
  return z
    .union([z.number(), z.string().regex(POWER, { error })], { error })
    .transform((value) => (typeof value === 'number' ? exactLog2(value) : Number(value.slice(2))))
    .refine((exponent) => exponent >= EXPONENT_MIN && exponent <= EXPONENT_MAX, { error });
}

/** Exact decimal text of 2^k: 65536, 0.00000095367431640625. */
function powerText(exponent: number): string {
  if (exponent >= 0) return String(1n << BigInt(exponent));
  const places = -exponent;
  return `0.${String(5n ** BigInt(places)).padStart(places, '0')}`;
}

/** Decimal text of a number without an exponent: 1e-7 is 0.0000001, 2^62 has all its digits. */
function numberText(value: number): string {
  if (Number.isInteger(value)) return String(BigInt(value));
  const [mantissa = '', places] = String(value).split('e-');
  return places === undefined ? mantissa : `0.${'0'.repeat(Number(places) - 1)}${mantissa.replace('.', '')}`;
}

/** A difficulty asked of a pool, any positive number up to 2^62, kept as decimal text because pools read text. */
export function poolDifficulty() {
  const error = 'must be a difficulty above 0 and up to 2^62, such as 262144, "0.001" or "2^-20"';
  return z
    .union([z.number(), z.string().regex(DIFFICULTY_TEXT, { error })], { error })
    .transform((value) => {
      if (typeof value === 'number') return numberText(value);
      return value.startsWith('2^') ? powerText(Number(value.slice(2))) : value;
    })
    .refine((text) => DIFFICULTY_TEXT.test(text) && Number(text) > 0 && Number(text) <= 2 ** EXPONENT_MAX, { error });
}

/** `host:port`; undefined when it is none. */
export function readHostPort(text: string): HostPort | undefined {
  const [, bracketed, name, digits] = HOST_PORT.exec(text) ?? [];
  const port = Number(digits);
  if (!(port <= 65_535)) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed.toLowerCase(), port } : undefined;
  if (name === undefined || (/^[\d.]+$/.test(name) && isIP(name) !== 4)) return undefined;
  return { host: name.toLowerCase(), port };
}

/** An address to listen on, `127.0.0.1:9280` or `[::]:3333`; port 0 lets the system choose. */
export function listenAddress() {
  const error = 'must be an address to listen on, such as 0.0.0.0:3333 or "[::]:3333"';
  return z.string({ error }).regex(HOST_PORT, { error, abort: true }).transform((text, context): HostPort => {
    const address = readHostPort(text);
    if (address) return address;
    context.addIssue(error);
    return z.NEVER;
  });
}

/** `stratum+tcp://host:port`, or `stratum+ssl://` and `stratum+tls://` (the same thing) for TLS. */
export function poolUrl() {
  const error = 'must be stratum+tcp://host:port, or stratum+ssl:// or stratum+tls:// for TLS';
  return z.string({ error }).regex(/^stratum\+(tcp|ssl|tls):\/\//, { error, abort: true }).transform((text, context): PoolAddress => {
    const [scheme = '', rest = ''] = text.split('://', 2);
    const address = readHostPort(rest);
    if (address && address.port > 0) {
      const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
      return { ...address, tls: scheme !== 'stratum+tcp', url: `${scheme}://${host}:${address.port}` };
    }
    context.addIssue(CREDENTIALS.test(text) ? 'must not hold credentials: move them to user and password' : error);
    return z.NEVER;
  });
}

/** A mask of header version bits as 8 hex digits, quoted; u32. */
export function versionMask() {
  const error = 'must be 8 hexadecimal digits in quotes, such as "1fffe000"';
  return z.string({ error }).regex(/^(?:0x)?[0-9A-Fa-f]{8}$/, { error, abort: true }).transform((text) => Number.parseInt(text.replace('0x', ''), 16));
}

/** `4+4`: bytes of our prefix, then bytes the machine counts through. */
export function extranonceLayout() {
  const error = 'must be prefix bytes (1 to 4) + machine bytes (2 to 8), such as "4+4" or "1+3"';
  return z.string({ error }).regex(/^[1-4]\+[2-8]$/, { error, abort: true }).transform((text): ExtranonceLayout => ({
    prefixBytes: Number(text[0]),
    extranonce2Bytes: Number(text[2]),
  }));
}

/** Whether a text holds no control characters. */
export function isOneLine(value: string): boolean {
  return !/\p{Cc}/u.test(value);
}

/** Non-empty text of at most `most` characters without control characters. */
export function text(most: number) {
  const error = `must be text of 1 to ${most} characters without line breaks; a number needs quotes`;
  return z.string({ error }).min(1, { error }).max(most, { error }).refine(isOneLine, { error });
}

/** A name we print in metrics, ledgers and files. */
export function name() {
  const error = 'must be a name of 1 to 63 letters, digits, dots, dashes or underscores, beginning with a letter or digit';
  return z.string({ error }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { error });
}
