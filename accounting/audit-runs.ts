/**
 * Finds digests that occur twice among more than memory holds: records go to one file per first byte, and each file is
 * then searched by itself.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const PARTITIONS = 256;
const HASH_BYTES = 32;
/** Hash, u32 segment, u48 share number. */
const RECORD_BYTES = HASH_BYTES + 10;
const BUFFERED_RECORDS = 64;

/** A digest that two shares have; the first and another place where it was met. */
export interface Twice {
  readonly hash: string;
  readonly first: Place;
  readonly again: Place;
}

export interface Place {
  /** Index of the segment in the audit's plan. */
  readonly segment: number;
  readonly share: number;
}

/** Writes one kind of digests; `writer` keeps the files of concurrent writers apart. */
export class RunWriter {
  readonly #directory: string;
  readonly #suffix: string;
  readonly #buffers: (Buffer | undefined)[] = Array.from({ length: PARTITIONS });
  readonly #filled = new Uint32Array(PARTITIONS);

  constructor(directory: string, kind: string, writer: number) {
    this.#directory = directory;
    this.#suffix = `${kind}-${writer}`;
  }

  add(hash: Uint8Array, segment: number, share: number): void {
    const partition = hash[0] ?? 0;
    const buffer = (this.#buffers[partition] ??= Buffer.alloc(RECORD_BYTES * BUFFERED_RECORDS));
    const at = this.#filled[partition] ?? 0;
    buffer.set(hash, at);
    buffer.writeUInt32LE(segment, at + HASH_BYTES);
    buffer.writeUIntLE(share, at + HASH_BYTES + 4, 6);
    this.#filled[partition] = at + RECORD_BYTES;
    if (at + RECORD_BYTES === buffer.length) this.#flush(partition);
  }

  flush(): void {
    for (let partition = 0; partition < PARTITIONS; partition += 1) this.#flush(partition);
  }

  #flush(partition: number): void {
    const buffer = this.#buffers[partition];
    const filled = this.#filled[partition] ?? 0;
    if (buffer === undefined || filled === 0) return;
    appendFileSync(join(this.#directory, `${partition}-${this.#suffix}`), buffer.subarray(0, filled), { mode: 0o600 });
    this.#filled[partition] = 0;
  }
}

/**
 * All digests of a kind that occur more than once in a partition.
 *
 * @param names Files in the directory.
 */
export function findTwice(directory: string, names: readonly string[], kind: string, partition: number): Twice[] {
  const runs = names.filter((name) => name.startsWith(`${partition}-${kind}-`)).toSorted();
  const records = Buffer.concat(runs.map((name) => readFileSync(join(directory, name))));
  const count = records.length / RECORD_BYTES;
  const keys = new BigUint64Array(count);
  for (let index = 0; index < count; index += 1) keys[index] = records.readBigUInt64BE(index * RECORD_BYTES + 1);
  const suspects = repeated(keys);
  return suspects.size === 0 ? [] : compareWhole(records, suspects);
}

/** Eight bytes that occur twice are rare enough for the whole digests to be compared one by one. */
function repeated(keys: BigUint64Array): Set<bigint> {
  const sorted = keys.slice().sort();
  const found = new Set<bigint>();
  for (let index = 1; index < sorted.length; index += 1) {
    const key = sorted[index];
    if (key !== undefined && key === sorted[index - 1]) found.add(key);
  }
  return found;
}

function compareWhole(records: Buffer, suspects: ReadonlySet<bigint>): Twice[] {
  const first = new Map<string, Place>();
  const twice: Twice[] = [];
  for (let at = 0; at < records.length; at += RECORD_BYTES) {
    if (!suspects.has(records.readBigUInt64BE(at + 1))) continue;
    const hash = Buffer.from(records.subarray(at, at + HASH_BYTES)).reverse().toString('hex');
    const place = { segment: records.readUInt32LE(at + HASH_BYTES), share: records.readUIntLE(at + HASH_BYTES + 4, 6) };
    const other = first.get(hash);
    if (other === undefined) first.set(hash, place);
    else twice.push({ hash, first: other, again: place });
  }
  return twice;
}
