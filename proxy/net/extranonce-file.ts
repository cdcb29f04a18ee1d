/**
 * Which run of a proxy process had work under which extranonce1 of a pool: a file of lines that all of them append to and read.
 *
 *   boot tag of the run ‖ space ‖ extranonce1, hex ‖ space ‖ latest ntime of its shares, 0 where that does not matter
 */
import { appendFileSync, closeSync, openSync, readSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunsElsewhere } from '../session/repeats.ts';

/** A line for each connection to a pool that there was: months of them. */
const KEPT_BYTES_MAX = 2 ** 20;
/** Extranonces of other runs remembered, at 100 bytes. */
const KNOWN_MAX = 65_536;
const LINE = /^([0-9a-f]{4}) ([0-9a-f]*) (\d{1,10})$/;

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, 'extranonces.txt');
}

/** Forgets the older half when there is too much. Only while no proxy process runs. */
export function trimExtranonces(dataDirectory: string): void {
  const path = pathIn(dataDirectory);
  try {
    if (statSync(path).size <= KEPT_BYTES_MAX) return;
    const text = readFileSync(path, 'latin1');
    writeFileSync(path, text.slice(text.indexOf('\n', text.length - KEPT_BYTES_MAX / 2) + 1), { mode: 0o600 });
  } catch {
    // There is none, or the disk takes no writes: it stays as it is.
  }
}

export class ExtranonceFile implements RunsElsewhere {
  readonly #path: string;
  readonly #bootTag: string;
  readonly #onProblem: (why: string) => void;
  /** What this run has noted. */
  readonly #own = new Map<string, number>();
  /** The latest ntime of other runs by extranonce1, oldest first. */
  readonly #others = new Map<string, number>();
  #readBytes = 0;

  constructor(dataDirectory: string, bootTag: string, onProblem: (why: string) => void) {
    this.#path = pathIn(dataDirectory);
    this.#bootTag = bootTag;
    this.#onProblem = onProblem;
  }

  note(extranonce1: string, lastNtime: number): void {
    if ((this.#own.get(extranonce1) ?? -1) >= lastNtime) return;
    this.#own.set(extranonce1, lastNtime);
    try {
      appendFileSync(this.#path, `${this.#bootTag} ${extranonce1} ${lastNtime}\n`, { mode: 0o600 });
    } catch (error) {
      this.#onProblem(String(error));
    }
  }

  lastNtime(extranonce1: string): number | undefined {
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > this.#readBytes) this.#read(size);
    return this.#others.get(extranonce1);
  }

  /** Whole lines only: the last one may be about to be written. */
  #read(size: number): void {
    const bytes = Buffer.alloc(size - this.#readBytes);
    const file = openSync(this.#path, 'r');
    try {
      readSync(file, bytes, 0, bytes.length, this.#readBytes);
    } finally {
      closeSync(file);
    }
    const end = bytes.lastIndexOf(10) + 1;
    this.#readBytes += end;
    for (const line of bytes.toString('latin1', 0, end).split('\n')) this.#take(line);
  }

  #take(line: string): void {
    const [, bootTag, extranonce1, lastNtime] = LINE.exec(line) ?? [];
    if (extranonce1 === undefined || bootTag === this.#bootTag) return;
    const known = this.#others.get(extranonce1) ?? 0;
    this.#others.delete(extranonce1);
    this.#others.set(extranonce1, Math.max(known, Number(lastNtime)));
    if (this.#others.size > KNOWN_MAX) this.#others.delete(this.#others.keys().next().value!);
  }
}
