/** The real Prometheus and its promtool for tests, as Debian packages them. */
import { spawnSync } from 'node:child_process';
import { ensureInstalled } from './debian.ts';

export function installPrometheus(): boolean {
  return ensureInstalled('prometheus', 'prometheus') && ensureInstalled('promtool', 'prometheus');
}

function requirePrometheus(): void {
  if (installPrometheus()) return;
  throw new Error('These tests need prometheus and promtool, which are missing and could not be installed: install them (Debian: apt-get install prometheus) and run the tests again.');
}

/** What promtool complains of; '' when it finds no fault. `input` goes to its standard input, `cwd` is where it looks for files. */
export function promtool(args: readonly string[], input = '', cwd = '.'): string {
  requirePrometheus();
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, cwd, encoding: 'utf8' });
  return status === 0 ? stderr : `${stdout}${stderr}`;
}
