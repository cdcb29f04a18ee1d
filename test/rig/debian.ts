/** Debian's packages that tests need, installed when they are missing and root may do so. */
import { spawnSync } from 'node:child_process';

/** Whether `program` answers to `--version`; installs `debianPackage` when it does not and this user may. Stops the service that the package starts. */
export function ensureInstalled(program: string, debianPackage: string): boolean {
  const present = (): boolean => spawnSync(program, ['--version']).status === 0;
  if (present()) return true;
  if (process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = (...args: string[]): boolean => spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], { env, stdio: 'ignore' }).status === 0;
  const install = (): boolean => apt('install', '-y', '--no-install-recommends', debianPackage);
  if (!install()) {
    apt('update');
    install();
  }
  // The package starts a server of its own, which nobody asked for.
  spawnSync('service', [debianPackage, 'stop'], { stdio: 'ignore' });
  return present();
}
