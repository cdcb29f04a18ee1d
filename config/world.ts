/**
 * The one place that names clocks, timers and randomness. Everything else receives a `World`,
 * so a whole farm can be simulated from one seed and any failure replayed.
 */
import { randomBytes, randomUUID } from 'node:crypto';

/** A started timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

export interface Random {
  /** Uniform integer in [0, 2^32). */
  u32(): number;
  /** `length` uniform bytes. */
  bytes(length: number): Uint8Array;
  /** Uniform in [0, 1). */
  fraction(): number;
  /** RFC 9562 version 4 UUID, lower case with dashes. */
  uuid(): string;
}

export interface World {
  /** Wall clock, integer milliseconds since 1970. May step when the host's clock is set. */
  wallMs(): number;
  /** Monotonic milliseconds (fractional) since an arbitrary start. Never steps. */
  monoMs(): number;
  readonly random: Random;
  /** Calls `fire` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, fire: () => void): Timer;
  /** Calls `fire` every `periodMs`. Does not keep the process alive. */
  every(periodMs: number, fire: () => void): Timer;
}

const cryptoRandom: Random = {
  u32: () => randomBytes(4).readUInt32LE(0),
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  uuid: () => randomUUID(),
};

/** The host's own clock, timers and cryptographic randomness. */
export const realWorld: World = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  random: cryptoRandom,
  after(delayMs, fire) {
    const handle = setTimeout(fire, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  every(periodMs, fire) {
    const handle = setInterval(fire, periodMs);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
};

/**
 * A small seeded generator (mulberry32) behind the `Random` interface, for simulations and tests.
 * Not for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const u32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => u32() & 0xff);
  return {
    u32,
    bytes,
    fraction: () => u32() / 2 ** 32,
    uuid: () => {
      const raw = bytes(16);
      raw[6] = (raw[6]! & 0x0f) | 0x40;
      raw[8] = (raw[8]! & 0x3f) | 0x80;
      const hex = Buffer.from(raw).toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };
}
