/**
 * Small files in the data directory: what pools turned out to give, shared by all proxy processes, and how far the splits of a
 * process have come. Losing them costs a pause at the next start or begins a split anew, never a share; so they are replaced
 * whole and read with tolerance.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pid } from 'node:process';
import type { Learnt } from '../session/sink.ts';
import type { SplitMemory } from '../session/splits.ts';

/** The object in a JSON file; an empty one when there is none or it cannot be read. */
export function readJson(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Replaces a JSON file; throws where the disk takes no writes. */
export function replaceJson(path: string, value: unknown): void {
  const temporary = `${path}.${pid}`;
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 });
  renameSync(temporary, path);
}

function isUnits(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((units) => typeof units === 'string' && /^\d{1,60}$/.test(units));
}

export class ProxyFiles {
  private readonly poolsPath: string;
  private readonly splitsPath: string;

  /** `process`: its number; each meets splits by itself. */
  constructor(dataDirectory: string, process: number) {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    this.poolsPath = join(dataDirectory, 'pools.json');
    this.splitsPath = join(dataDirectory, process === 1 ? 'splits.json' : `splits-${process}.json`);
  }

  readLearnt(): Map<string, Learnt> {
    const learnt = new Map<string, Learnt>();
    for (const [pool, value] of Object.entries(readJson(this.poolsPath))) {
      const { extranonce2Bytes, versionMask } = (value ?? {}) as Partial<Learnt>;
      if (Number.isInteger(extranonce2Bytes) && Number.isInteger(versionMask)) {
        learnt.set(pool, { extranonce2Bytes: extranonce2Bytes!, versionMask: versionMask! });
      }
    }
    return learnt;
  }

  /** Keeps what other processes have learnt meanwhile. Throws where the disk takes no writes. */
  writeLearnt(pool: string, learnt: Learnt): void {
    replaceJson(this.poolsPath, { ...readJson(this.poolsPath), [pool]: learnt });
  }

  readSplits(): Map<string, SplitMemory> {
    const splits = new Map<string, SplitMemory>();
    for (const [key, value] of Object.entries(readJson(this.splitsPath))) {
      const { worked, moves, waived, hours } = (value ?? {}) as Partial<SplitMemory>;
      if (!isUnits(worked) || !Number.isSafeInteger(moves)) continue;
      const alike = isUnits(waived) && waived.length === worked.length;
      splits.set(key, { worked, moves: moves!, waived: alike ? waived : undefined, hours: isUnits(hours) ? hours : undefined });
    }
    return splits;
  }

  writeSplits(splits: ReadonlyMap<string, SplitMemory>): void {
    replaceJson(this.splitsPath, Object.fromEntries(splits));
  }
}
