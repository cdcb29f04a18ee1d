/** Shares captured on mainnet, as test/fixtures/shares.json holds them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface CapturedShare {
  readonly name: string;
  readonly kind: string;
  readonly network: string;
  readonly notifyParams: readonly unknown[];
  /** Hex, as are the next four. */
  readonly extranonce1: string;
  readonly extranonce2: string;
  readonly ntime: string;
  readonly nonce: string;
  readonly versionBits: string | null;
  readonly versionMask: string | null;
  readonly extranonce2Size: number;
  readonly expectedHeaderHex: string;
  /** Display form, 64 digits. */
  readonly expectedHashBE: string;
  readonly expectedDifficulty: number;
}

/** Shares that a whole coinbase and a real hash below difficulty 1 are known of; 'assembly-only' ones are not shares. */
export function capturedShares(): CapturedShare[] {
  // The compiled file lies one folder deeper, under dist/.
  const here = fileURLToPath(import.meta.url);
  const path = here.replace(/(\/|\\)(?:dist\1)?test\1rig\1captured\.[jt]s$/, '/test/fixtures/shares.json');
  const shares = JSON.parse(readFileSync(path, 'utf8')) as CapturedShare[];
  return shares.filter((share) => share.kind !== 'assembly-only');
}
