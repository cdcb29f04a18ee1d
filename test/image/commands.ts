/** Runs the programs that building an image needs, one after the other. */
import { spawnSync } from 'node:child_process';

/** Buildah without an engine and without privileges of its own: plain folders, and a chroot for what a build runs. */
const ENVIRONMENT = { ...process.env, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' };
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** Standard output of a program; throws with the end of what it said when it fails. */
export function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { env: ENVIRONMENT, encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX });
  if (error !== undefined) throw new Error(`${program} cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${`${stdout}${stderr}`.slice(-4000)}`);
  return stdout;
}

/** The same; undefined when it fails or is not installed. */
export function tryRun(program: string, args: readonly string[]): string | undefined {
  try {
    return run(program, args);
  } catch {
    return undefined;
  }
}

export function isInstalled(program: string): boolean {
  return tryRun('which', [program]) !== undefined;
}
