/** The verified shares and mistakes of test/fixtures, typed, and as jobs. */
import { readFileSync } from 'node:fs';
import type { Job } from '../../../proxy/mining/job.ts';
import { parseNotify, type NotifyMessage } from '../../../proxy/protocol/notify.ts';

export interface ShareVector {
  name: string;
  kind: string;
  network: string;
  height: number | null;
  notifyParams: [string, string, string, string, string[], string, string, string, boolean];
  extranonce1: string;
  extranonce2: string;
  extranonce2Size: number;
  ntime: string;
  nonce: string;
  versionBits: string | null;
  versionMask: string | null;
  poolDifficultyAtCapture: number | null;
  expectedCoinbaseTxidInternal: string;
  expectedMerkleRootInternal: string;
  expectedHeaderHex: string;
  expectedHashBE: string;
  expectedDifficulty: number;
  meetsNetworkTarget: boolean;
}

interface Diagnostic {
  mistake: string;
  base: string;
  headerHex: string;
  hashBE: string;
  difficulty: number;
}

interface ConventionCase extends Omit<Diagnostic, 'mistake'> {
  jobVersion: string;
  mask: string;
  versionBits: string;
  convention: 'replace' | 'xor' | 'or';
  headerVersion: string;
}

interface Decision {
  base: string;
  case: string;
  submit: string[];
  advertisedDifficulty: number;
  expect: string;
  code: number | string | null;
  hashBE: string | null;
  difficulty: number | null;
}

function load(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../fixtures/${name}.json`, import.meta.url), 'utf8'));
}

export const SHARES = load('shares') as ShareVector[];
export const MISTAKEN = load('mistakes') as {
  diagnostics: Diagnostic[];
  conventions: ConventionCase[];
  decisions: Decision[];
};

export function vector(name: string): ShareVector {
  const found = SHARES.find((share) => share.name === name);
  if (found === undefined) throw new Error(`no vector ${name} in test/fixtures/shares.json`);
  return found;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
export const hashBE = (hash: Uint8Array): string => Buffer.from(hash).reverse().toString('hex');
export const u32 = (text: string): number => Number.parseInt(text, 16);

export function notifyOf(share: Pick<ShareVector, 'notifyParams'>): NotifyMessage {
  const message = parseNotify(share.notifyParams);
  if (typeof message === 'string') throw new Error(message);
  return message;
}

/** The vector's job, its mask 0 when it has none. */
export function jobOf(share: ShareVector): Job {
  const { prevhash, coinb1, coinb2, branches, version, nBits, ntime } = notifyOf(share);
  return { prevhash, coinb1, coinb2, branches, version, nBits, ntime, versionMask: u32(share.versionMask ?? '0') };
}
