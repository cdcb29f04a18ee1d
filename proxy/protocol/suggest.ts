/**
 * Machine → server, hints answered with true:
 *   {"id":5,"method":"mining.suggest_difficulty","params":[512]}   also `"params":512` and the method name `mining.suggest_difficulty(512)`
 *   {"id":null,"method":"mining.suggest_target","params":["00000000ffff…"]}   64 hex digits, big-endian (BFGMiner)
 */
import { evenHex, readNumber } from './hex.ts';
import type { Id } from './reply.ts';

export interface SuggestMessage {
  readonly kind: 'suggest-difficulty' | 'suggest-target';
  readonly id: Id;
  /** Positive and finite, relative to target 0xFFFF·2^208. */
  readonly difficulty: number;
}

const DIFFICULTY_ONE_TARGET = 0xffffn << 208n;
const LEGACY_NAME = /^mining\.suggest_difficulty\(([^)]*)\)$/;

/** Reads the params; a string is the reason why they cannot be read. */
export function parseSuggestDifficulty(id: Id, params: readonly unknown[]): SuggestMessage | string {
  const difficulty = readNumber(params[0]);
  if (difficulty === undefined || difficulty === 0) return 'mining.suggest_difficulty needs a positive number';
  return { kind: 'suggest-difficulty', id, difficulty };
}

/** The legacy form with the value inside the method's name; undefined when `method` is not of that form. */
export function parseLegacySuggest(id: Id, method: string): SuggestMessage | string | undefined {
  const value = LEGACY_NAME.exec(method)?.[1];
  return value === undefined ? undefined : parseSuggestDifficulty(id, [value]);
}

/** Reads the params; a string is the reason why they cannot be read. */
export function parseSuggestTarget(id: Id, params: readonly unknown[]): SuggestMessage | string {
  const hex = typeof params[0] === 'string' && params[0].length <= 64 ? evenHex(params[0]) : undefined;
  const target = hex === undefined || hex === '' ? 0n : BigInt(`0x${hex}`);
  if (target === 0n) return 'mining.suggest_target needs a target of 64 hex digits';
  return { kind: 'suggest-target', id, difficulty: Number(DIFFICULTY_ONE_TARGET) / Number(target) };
}
