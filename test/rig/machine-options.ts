/** How a simulated machine is set up, and what it remembers of each reply. */
import type { World } from '../../config/world.ts';
import type { BadShare } from './bad-shares.ts';
import type { FirmwareName } from './firmware.ts';

export interface MachineOptions {
  readonly world: World;
  readonly seed: number;
  readonly host?: string;
  readonly port: number;
  /** Worker name. */
  readonly user: string;
  readonly password?: string;
  readonly firmware?: FirmwareName;
  /** Nominal hash rate. */
  readonly hashesPerSecond: number;
  /**
   * Instead of a steady hash rate: shares come at exponentially distributed times with this mean rate, each really
   * ground when its time has come. For tests that need counts rather than rates.
   */
  readonly sharesPerSecond?: number;
  /** Sent after authorize. */
  readonly suggestDifficulty?: number;
  /** Stops hashing this long after `start`, but stays connected ('silent') or leaves ('close'). */
  readonly dark?: { readonly afterMs: number; readonly how: 'silent' | 'close' };
  /** One in so many submits is followed by a bad one; 0 never. */
  readonly badEvery?: number;
  /** Stops reading its socket once it mines. */
  readonly neverReads?: boolean;
  /** Names the old session when it reconnects. */
  readonly resumes?: boolean;
  readonly reconnectMinMs?: number;
  readonly reconnectMaxMs?: number;
}

/** What the machine was told of one submit. */
export interface Reply {
  readonly headerHex: string;
  /** k of its job's difficulty as the machine believes it: the largest with 2^k ≤ difficulty. */
  readonly exponent: number;
  readonly value: boolean;
  /** Error code; 0 when the value is true. */
  readonly code: number;
  /** What was wrong with it on purpose; undefined for an honest share. */
  readonly bad: BadShare | undefined;
  readonly atMs: number;
}
