/**
 * BIP 310, machine or proxy → server:
 *   {"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}
 *   {"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}
 * Every requested extension gets a member in the result. `version-rolling.min-bit-count` is required by the text, but
 * cgminer, Bitaxe and WhatsMiner leave it out and cpuminer sends it as a string, so it is not read at all.
 */
import { hexToU32, readNumber, u32ToHex } from './hex.ts';
import { formatResult, type Id } from './reply.ts';

export interface ConfigureMessage {
  readonly kind: 'configure';
  readonly id: Id;
  readonly extensions: string[];
  /** The mask asked for; ffffffff when absent or unreadable. */
  readonly versionMask: number;
  /** 0: none any more. Undefined when absent or unreadable. */
  readonly minimumDifficulty: number | undefined;
  /** hw-id, hw-version, sw-version and connection-url, as far as given; keys without the `info.` before them. */
  readonly info: Record<string, string>;
}

/** What the server grants; an extension that is not named here is answered with false. */
export interface ConfigureGrant {
  /** 0: no bits may be rolled. */
  readonly versionMask: number;
  readonly minimumDifficulty: boolean;
  readonly subscribeExtranonce: boolean;
}

const INFO_KEYS = ['connection-url', 'hw-version', 'sw-version', 'hw-id'] as const;

/** Reads the params; a string is the reason why they cannot be read. */
export function parseConfigure(id: Id, params: readonly unknown[]): ConfigureMessage | string {
  const [names, values] = params;
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    return 'mining.configure needs a list of extension names';
  }
  const options: Record<string, unknown> =
    typeof values === 'object' && values !== null && !Array.isArray(values) ? { ...values } : {};
  const mask = options['version-rolling.mask'];
  const info: Record<string, string> = {};
  for (const key of INFO_KEYS) {
    const value = options[`info.${key}`];
    if (typeof value === 'string') info[key] = value;
  }
  return {
    kind: 'configure',
    id,
    extensions: names,
    versionMask: (typeof mask === 'string' ? hexToU32(mask) : undefined) ?? 0xffffffff,
    minimumDifficulty: readNumber(options['minimum-difficulty.value']),
    info,
  };
}

/** The answer: one member for each requested extension, and the granted mask beside version-rolling. */
export function formatConfigureResult(id: Id, extensions: readonly string[], grant: ConfigureGrant): string {
  const members = new Map<string, boolean | string>();
  for (const extension of extensions) {
    switch (extension) {
      case 'version-rolling':
        members.set(extension, grant.versionMask !== 0);
        if (grant.versionMask !== 0) members.set('version-rolling.mask', u32ToHex(grant.versionMask));
        break;
      case 'minimum-difficulty':
        members.set(extension, grant.minimumDifficulty);
        break;
      case 'subscribe-extranonce':
        members.set(extension, grant.subscribeExtranonce);
        break;
      default:
        members.set(extension, extension === 'info');
    }
  }
  return formatResult(id, Object.fromEntries(members));
}

/**
 * The mask of a pool's answer; 0 when it refuses or names none. The caller intersects it with what was asked for,
 * because pools exist that grant bits nobody requested.
 */
export function readConfigureResult(result: unknown): { versionMask: number } {
  if (typeof result !== 'object' || result === null) return { versionMask: 0 };
  const members = new Map<string, unknown>(Object.entries(result));
  const mask = members.get('version-rolling.mask');
  if (members.get('version-rolling') !== true || typeof mask !== 'string') return { versionMask: 0 };
  return { versionMask: hexToU32(mask) ?? 0 };
}
