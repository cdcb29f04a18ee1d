/**
 * What tells the runs of proxy processes apart, handed out by the supervisor alone: to each a block of prefixes that no living
 * run has, in rotation, so that a block rests as long as it can; a number for its job ids; and the key of session ids.
 * The place in the rotation is kept in the data directory. Where it cannot be, it begins at random: machines are served all the same.
 */
import { join } from 'node:path';
import type { Random } from '../../config/world.ts';
import { allPrefixes, type PrefixRange } from '../session/prefixes.ts';
import type { Run } from '../session/run.ts';
import { readJson, replaceJson } from './proxy-files.ts';

/**
 * Blocks of each length of prefix. Four bytes: 1,000 runs until one comes round again, and four million prefixes for each, which
 * lasts for 7,000 new sessions a second with ten minutes of quarantine. Short prefixes are scarce, so there are few blocks.
 */
const BLOCKS: Readonly<Record<number, number>> = { 2: 2, 3: 64, 4: 1020 };
/** While one process replaces another, both live. */
const RUNS_PER_PROCESS = 2;
const SESSION_KEY_BYTES = 32;
const BOOT_TAGS = 65_536;

interface Held {
  readonly blocks: Readonly<Record<number, number>>;
}

export class Runs {
  readonly #path: string;
  readonly #processes: () => number;
  readonly #sessionKey: string;
  readonly #living = new Map<Run, Held>();
  #number: number;

  /** `processes`: how many there are to be at present. */
  constructor(dataDirectory: string, random: Random, processes: () => number) {
    this.#path = join(dataDirectory, 'runs.json');
    this.#processes = processes;
    const { number, sessionKey } = readJson(this.#path);
    this.#number = Number.isSafeInteger(number) ? Number(number) : random.u32();
    const known = typeof sessionKey === 'string' && /^[0-9a-f]{64}$/.test(sessionKey);
    this.#sessionKey = known ? sessionKey : Buffer.from(random.bytes(SESSION_KEY_BYTES)).toString('hex');
    // What cannot be kept would be handed out again at the next start.
    if (!this.#kept()) this.#number = random.u32();
  }

  /** For a process that is about to start. */
  take(): Run {
    this.#number += 1;
    const blocks: Record<number, number> = {};
    // One byte is too little to be divided: there the link's own extranonce alone keeps runs apart (decision 010).
    const prefixes: Record<number, PrefixRange> = { 1: allPrefixes(1) };
    for (const [length, least] of Object.entries(BLOCKS)) {
      const bytes = Number(length);
      const count = Math.max(least, RUNS_PER_PROCESS * this.#processes());
      const block = this.#freeBlock(bytes, count);
      blocks[bytes] = block;
      const all = allPrefixes(bytes);
      const size = Math.floor(all.count / count);
      prefixes[bytes] = { first: all.first + block * size, count: size };
    }
    const bootTag = (this.#number % BOOT_TAGS).toString(16).padStart(4, '0');
    const run: Run = { bootTag, prefixes, sessionKey: this.#sessionKey };
    this.#living.set(run, { blocks });
    this.#kept();
    return run;
  }

  /** Its process has ended. */
  end(run: Run): void {
    this.#living.delete(run);
  }

  #freeBlock(bytes: number, count: number): number {
    const taken = new Set([...this.#living.values()].map(({ blocks }) => blocks[bytes]));
    for (let tried = 0; tried < count; tried += 1) {
      const block = (this.#number + tried) % count;
      if (!taken.has(block)) return block;
    }
    return this.#number % count;
  }

  #kept(): boolean {
    try {
      replaceJson(this.#path, { number: this.#number, sessionKey: this.#sessionKey });
      return true;
    } catch {
      return false;
    }
  }
}
