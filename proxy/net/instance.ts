/** What makes a data directory one instance: its lock, its host id, and the private place of its control socket. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../config/world.ts';
import { processStart } from '../../accounting/journal/liveness.ts';

/** sun_path holds 108 bytes on Linux and 104 on macOS, the final zero included; longer paths are cut silently by some. */
const SOCKET_PATH_BYTES_MAX = 100;

/** An instance that cannot start or be found: one sentence with the value, the place and the remedy. */
export class InstanceError extends Error {
  override readonly name = 'InstanceError';
}

export interface LockHolder {
  readonly pid: number;
  /** Boot and start time of that process, so that a recycled pid is told from the old one; '' where they cannot be read. */
  readonly pidStart: string;
}

export interface InstanceLock {
  /** Removes the lock and the control socket's files. Idempotent. */
  release(): void;
}

function controlDirectory(dataDir: string): string {
  return join(dataDir, 'control');
}

/** Whether the process that wrote `holder` still runs. */
export function isAlive(holder: LockHolder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return holder.pidStart === '' || processStart(holder.pid) === holder.pidStart;
}

/** The holder of the data directory's lock, or undefined when there is none or it cannot be read. */
export function lockHolder(dataDir: string): LockHolder | undefined {
  return readLock(join(controlDirectory(dataDir), 'lock'));
}

/**
 * A few words kept as the target of a symbolic link: it appears whole in one step or not at all, and lies in the directory
 * and the inode, so that an instance can start on a disk without a free block. False when there is one already.
 */
function makeNote(text: string, path: string): boolean {
  try {
    symlinkSync(text, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw new InstanceError(`${path} cannot be created: ${sentenceOf(error)}; make room on its disk, or make its directory writable for this user.`);
  }
}

function readNote(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function removeNote(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already.
  }
}

function readLock(path: string): LockHolder | undefined {
  const [, pid = '', pidStart = ''] = /^(\d{1,10}):(.*)$/.exec(readNote(path) ?? '') ?? [];
  return Number(pid) > 0 ? { pid: Number(pid), pidStart } : undefined;
}

/**
 * Takes the data directory for this process. A lock whose process is gone is taken over; a live one is refused with
 * an InstanceError that names its pid. Creates the directory and `control` (mode 0700) when missing.
 */
export function acquireLock(dataDir: string, random: Random): InstanceLock {
  const control = makeControlDirectory(dataDir);
  const lock = join(control, 'lock');
  const own: LockHolder = { pid: process.pid, pidStart: processStart(process.pid) };
  for (let attempt = 0; attempt < 3; attempt++) {
    if (makeNote(`${own.pid}:${own.pidStart}`, lock)) return { release: () => releaseLock(control, own) };
    removeStale(lock, dataDir, random);
  }
  throw new InstanceError(`Another process is starting on ${dataDir} at this moment; try again.`);
}

function makeControlDirectory(dataDir: string): string {
  const control = controlDirectory(dataDir);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o750 });
    mkdirSync(control, { recursive: true, mode: 0o700 });
    chmodSync(control, 0o700);
  } catch (error) {
    throw new InstanceError(
      `The data directory ${dataDir} cannot be used (${sentenceOf(error)}); make it writable for this user or set \`data\` to another place.`,
    );
  }
  return control;
}

/** Moves a dead process's lock away; throws InstanceError when its process lives. */
function removeStale(lock: string, dataDir: string, random: Random): void {
  const refuseLive = (holder: LockHolder | undefined): void => {
    if (holder !== undefined && isAlive(holder)) {
      throw new InstanceError(
        `Another instance (pid ${holder.pid}) runs on ${dataDir}; stop it with \`weighbridge stop --data ${dataDir}\` or give this one its own \`data\`.`,
      );
    }
  };
  refuseLive(readLock(lock));
  const aside = `${lock}.stale.${random.uuid()}`;
  try {
    renameSync(lock, aside);
  } catch {
    return; // Someone else moved it first; the caller tries again.
  }
  const moved = readLock(aside);
  // Between reading and renaming another start may have taken over: then what was moved is live and goes back.
  if (moved !== undefined && isAlive(moved)) makeNote(`${moved.pid}:${moved.pidStart}`, lock);
  removeNote(aside);
  refuseLive(moved);
}

function releaseLock(control: string, own: LockHolder): void {
  const lock = join(control, 'lock');
  const found = readLock(lock);
  if (found === undefined || found.pid !== own.pid || found.pidStart !== own.pidStart) return;
  removeAddress(control);
  rmSync(join(control, 'socket'), { force: true });
  removeNote(lock);
}

/** Where a running instance's control socket is, for the command line. */
export function findControlSocket(dataDir: string): string {
  const control = controlDirectory(dataDir);
  return readAddress(control) ?? join(control, 'socket');
}

/**
 * Where this instance puts its control socket: in `control`, or, when that path is too long for a socket, in a short
 * 0700 directory under the system's temporary directory whose path is kept in `control/address`. Call with the lock held.
 */
export function placeControlSocket(dataDir: string): string {
  const control = controlDirectory(dataDir);
  const direct = join(control, 'socket');
  removeAddress(control); // Left behind by an instance that was killed.
  if (Buffer.byteLength(direct) <= SOCKET_PATH_BYTES_MAX) return direct;
  const short = join(mkdtempSync(join(tmpdir(), 'wb-')), 'socket');
  if (Buffer.byteLength(short) > SOCKET_PATH_BYTES_MAX) {
    throw new InstanceError(
      `Both ${direct} and ${short} are too long for a control socket (${SOCKET_PATH_BYTES_MAX} bytes); set TMPDIR or \`data\` to a shorter path.`,
    );
  }
  makeNote(short, join(control, 'address'));
  return short;
}

function removeAddress(control: string): void {
  const address = readAddress(control);
  if (address !== undefined) rmSync(join(address, '..'), { recursive: true, force: true });
  removeNote(join(control, 'address'));
}

/** The path in `control/address`, only when it leads to a directory of this user alone. */
function readAddress(control: string): string | undefined {
  try {
    const path = readlinkSync(join(control, 'address'));
    const parent = lstatSync(join(path, '..'));
    const ours = parent.isDirectory() && (parent.mode & 0o077) === 0 && parent.uid === process.getuid?.();
    return ours ? path : undefined;
  } catch {
    return undefined;
  }
}

/** This host's stable id (UUID), kept in `<data>/host`; made at the first start. */
export function ensureHostId(dataDir: string, random: Random): string {
  const path = join(dataDir, 'host');
  const known = readHostId(path);
  if (known !== undefined) return known;
  const draft = `${path}.${process.pid}.draft`;
  try {
    writeFileSync(draft, `${random.uuid()}\n`, { mode: 0o644 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new InstanceError(`${path} cannot be written (${sentenceOf(error)}); the first start on a data directory needs room on its disk: make some, or set \`data\` to another place.`);
  }
  return readHostId(path) ?? '';
}

function readHostId(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return text;
  throw new InstanceError(
    `${path} holds ${JSON.stringify(text.slice(0, 40))}, which is not a host id; restore it from a backup, or remove it to begin as a new host.`,
  );
}

/** The message of a thrown value without its stack and without a final full stop, to be put into a sentence. */
export function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n', 1)[0] ?? '').replace(/\.$/, '');
}
