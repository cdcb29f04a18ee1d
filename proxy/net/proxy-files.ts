/**
 * Small files of a proxy process in the data directory: what pools turned out to give, where prefixes of this run begin, and
 * how far splits have come. Losing them costs a pause at the next start or begins a split anew, never a share; so they are replaced whole and read with tolerance.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../config/world.ts';
import type { Learnt } from '../session/sink.ts';
import type { SplitMemory } from '../session/splits.ts';

/** Prefixes of four bytes set aside for one run; those of the run before stay unused for 4,000 starts. */
const RUN_PREFIXES = 2 ** 20;

function readJson(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function replaceJson(path: string, value: unknown): void {
  const temporary = `${path}.new`;
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 });
  renameSync(temporary, path);
}

export class ProxyFiles {
  private readonly poolsPath: string;
  private readonly prefixesPath: string;
  private readonly splitsPath: string;

  constructor(dataDirectory: string) {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    this.poolsPath = join(dataDirectory, 'pools.json');
    this.prefixesPath = join(dataDirectory, 'prefixes.json');
    this.splitsPath = join(dataDirectory, 'splits.json');
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

  writeLearnt(learnt: ReadonlyMap<string, Learnt>): void {
    replaceJson(this.poolsPath, Object.fromEntries(learnt));
  }

  readSplits(): Map<string, SplitMemory> {
    const splits = new Map<string, SplitMemory>();
    for (const [key, value] of Object.entries(readJson(this.splitsPath))) {
      const { worked, moves } = (value ?? {}) as Partial<SplitMemory>;
      const whole = Array.isArray(worked) && worked.every((units) => typeof units === 'string' && /^\d{1,60}$/.test(units));
      if (whole && Number.isSafeInteger(moves)) splits.set(key, { worked, moves: moves! });
    }
    return splits;
  }

  writeSplits(splits: ReadonlyMap<string, SplitMemory>): void {
    replaceJson(this.splitsPath, Object.fromEntries(splits));
  }

  /**
   * Where prefixes of each length begin in this run; the next run is told to begin elsewhere before the first is given out.
   * On a disk that takes no writes they begin at random: machines are served all the same.
   */
  takePrefixes(random: Random): Record<number, number> {
    const kept = readJson(this.prefixesPath);
    const next: Record<number, number> = {};
    const start: Record<number, number> = {};
    const drawn: Record<number, number> = {};
    for (const bytes of [1, 2, 3, 4]) {
      const lowest = 2 ** (8 * (bytes - 1));
      const span = 2 ** (8 * bytes) - lowest;
      const value = kept[String(bytes)];
      const atRandom = Math.floor(random.fraction() * span);
      const from = Number.isInteger(value) ? Number(value) - lowest : atRandom;
      const step = Math.min(RUN_PREFIXES, Math.ceil(span / 16));
      drawn[bytes] = lowest + atRandom;
      start[bytes] = lowest + (((from % span) + span) % span);
      next[bytes] = lowest + ((((from + step) % span) + span) % span);
    }
    try {
      replaceJson(this.prefixesPath, next);
      return start;
    } catch {
      return drawn;
    }
  }
}
