/**
 * A small state kept in a file whose every block exists from the start, so that writing needs no free space: two slots are
 * written in turn, each `u32 crc ‖ u32 length ‖ u48 generation ‖ JSON`; a write cut by a crash leaves the slot before it.
 */
import { closeSync, fdatasync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncDirectory } from './seal.ts';
import { UNFINISHED_EXTENSION } from './segment.ts';

/** Room for more than a thousand counts. */
const SLOT_BYTES = 128 * 1024;
const HEAD_BYTES = 14;
export const STATE_BYTES_MAX = SLOT_BYTES - HEAD_BYTES;

export class SlotFile {
  private readonly descriptor: number;
  private generation: number;
  private forcing = false;
  private changed = false;
  /** What the file held when it was opened; undefined when it was new. */
  readonly found: unknown;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
    const valid = [readSlot(descriptor, 0), readSlot(descriptor, 1)].filter((slot) => slot !== undefined);
    const latest = valid.toSorted((a, b) => b.generation - a.generation)[0];
    this.generation = latest?.generation ?? 0;
    this.found = latest?.state;
  }

  /** Throws when there is no such file. */
  static open(path: string): SlotFile {
    return new SlotFile(openSync(path, 'r+'));
  }

  /** Makes a file that has no state yet, whole and durable. Throws, leaving nothing, when there is no room for it. */
  static create(path: string): SlotFile {
    const unfinished = path + UNFINISHED_EXTENSION;
    const descriptor = openSync(unfinished, 'wx+', 0o600);
    try {
      const zeros = Buffer.alloc(2 * SLOT_BYTES);
      for (let done = 0; done < zeros.length; ) done += writeSync(descriptor, zeros, done, zeros.length - done, done);
      fsyncSync(descriptor);
      renameSync(unfinished, path);
      syncDirectory(dirname(path));
      return new SlotFile(descriptor);
    } catch (error) {
      closeSync(descriptor);
      rmSync(unfinished, { force: true });
      throw error;
    }
  }

  /**
   * Replaces the state. It survives the end of this process when this returns, and is forced to the disk soon after, without
   * waiting: a machine's answer must not hang on a disk in trouble. Throws when it cannot be written.
   */
  write(json: string): void {
    const length = Buffer.byteLength(json);
    if (length > STATE_BYTES_MAX) throw new RangeError(`a state of ${length} bytes is larger than its slot (${STATE_BYTES_MAX})`);
    const slot = Buffer.alloc(HEAD_BYTES + length);
    slot.writeUInt32LE(length, 4);
    slot.writeUIntLE(this.generation + 1, 8, 6);
    slot.write(json, HEAD_BYTES);
    slot.writeUInt32LE(crc32(slot.subarray(4)), 0);
    const position = ((this.generation + 1) % 2) * SLOT_BYTES;
    for (let done = 0; done < slot.length; ) done += writeSync(this.descriptor, slot, done, slot.length - done, position + done);
    this.generation += 1;
    this.changed = true;
    this.force();
  }

  private force(): void {
    if (this.forcing || !this.changed) return;
    this.forcing = true;
    this.changed = false;
    fdatasync(this.descriptor, () => {
      this.forcing = false;
      this.force();
    });
  }

  close(): void {
    // A sync under way holds a descriptor number that must not be used again meanwhile; the process's end closes it then.
    if (!this.forcing) closeSync(this.descriptor);
  }
}

function readSlot(descriptor: number, index: number): { readonly generation: number; readonly state: unknown } | undefined {
  const slot = Buffer.alloc(SLOT_BYTES);
  if (readSync(descriptor, slot, 0, SLOT_BYTES, index * SLOT_BYTES) < HEAD_BYTES) return undefined;
  const length = slot.readUInt32LE(4);
  if (length === 0 || length > STATE_BYTES_MAX || crc32(slot.subarray(4, HEAD_BYTES + length)) !== slot.readUInt32LE(0)) return undefined;
  return { generation: slot.readUIntLE(8, 6), state: JSON.parse(slot.toString('utf8', HEAD_BYTES, HEAD_BYTES + length)) };
}
