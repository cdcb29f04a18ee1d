/** The few file operations the journal's writer performs, behind an interface so that tests can make each of them fail. */
import { close, constants, fdatasync, fsync, ftruncate, open, rename, statfs, unlink, write } from 'node:fs';
import { platform } from 'node:process';
import { promisify } from 'node:util';

export interface JournalFs {
  /** Creates a file that must not exist (mode 0600) for writing; resolves to its descriptor. */
  create(path: string): Promise<number>;
  /**
   * Opens a file so that what `write` has written is on the disk when it resolves, which needs no fdatasync then. Of what was
   * written by another descriptor it says nothing. Undefined where there is no such thing.
   */
  readonly openThrough: ((path: string) => Promise<number>) | undefined;
  /** Writes at `position`; resolves to the count of bytes written, which may be less than `length`. */
  write(descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  fdatasync(descriptor: number): Promise<void>;
  /** Cuts a file to a length; frees blocks and needs none. */
  truncate(descriptor: number, bytes: number): Promise<void>;
  close(descriptor: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes creations and renames in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes free to an ordinary user on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}

const openAsync = promisify(open);
const closeAsync = promisify(close);
const fsyncAsync = promisify(fsync);
const statfsAsync = promisify(statfs);

/** The host's own file system. Callbacks, not FileHandle: it is on the path of every reply. */
export const realFs: JournalFs = {
  create: (path) => openAsync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600),
  // To Linux O_DSYNC is an fdatasync of what was written, within the write. Elsewhere fdatasync may do more than the flag.
  openThrough: platform === 'linux' ? (path) => openAsync(path, constants.O_WRONLY | constants.O_DSYNC) : undefined,
  write: (descriptor, bytes, offset, length, position) =>
    new Promise((resolve, reject) => {
      write(descriptor, bytes, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
    }),
  fdatasync: (descriptor) =>
    new Promise((resolve, reject) => {
      fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
    }),
  truncate: promisify(ftruncate),
  close: closeAsync,
  rename: promisify(rename),
  unlink: promisify(unlink),
  async syncDirectory(path) {
    const descriptor = await openAsync(path, constants.O_RDONLY);
    try {
      await fsyncAsync(descriptor);
    } finally {
      await closeAsync(descriptor);
    }
  },
  async freeBytes(path) {
    const found = await statfsAsync(path);
    return found.bavail * found.bsize;
  },
};
