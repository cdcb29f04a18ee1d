/** Whether the process that wrote a segment still runs, told from its pid and start time. */
import { readFileSync } from 'node:fs';
import { kill } from 'node:process';
import type { SegmentHeader } from './format.ts';

/**
 * Boot id and start time of a running process, as opaque text: a pid alone is used again, and after a reboot even with the
 * same start time. '' where /proc is missing or the process is not there.
 */
export function processStart(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name in brackets may hold anything, so fields are counted after its end; start time is the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return '';
    return `${boot}/${fields[19] ?? ''}`;
  } catch {
    return '';
  }
}

/**
 * For `sealDead`: true while the writer of a segment may still write. The host's name is not compared, because a container
 * gets a new one at every start: a journal's directory belongs to one instance on one host.
 */
export function isWriterAlive(header: Pick<SegmentHeader, 'pid' | 'pidStart'>): boolean {
  if (header.pidStart !== '') return processStart(header.pid) === header.pidStart;
  try {
    kill(header.pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
