/** Signals to the product's processes, each by its own pid and start time, so that no other process is ever hit. */
import { readFileSync } from 'node:fs';
import { processStart } from '../../accounting/journal/liveness.ts';
import { until } from './waiting.ts';

export class Processes {
  /** pid → start time of every process seen. */
  readonly #seen = new Map<number, string>();

  /** Remembers a process that runs now, so that `endAll` reaches it. */
  note(pid: number): number {
    if (this.#seen.get(pid) !== processStart(pid)) this.#seen.set(pid, processStart(pid));
    return pid;
  }

  /** False also for one that is dead and was not waited for. */
  lives(pid: number): boolean {
    const start = this.#seen.get(pid);
    return start !== undefined && start !== '' && processStart(pid) === start;
  }

  signal(pid: number, signal: NodeJS.Signals): void {
    if (!this.lives(pid)) throw new Error(`process ${pid} has ended before it was sent ${signal}`);
    process.kill(pid, signal);
  }

  /** kill -9, and waits until it is gone. */
  async kill(pid: number): Promise<void> {
    this.signal(pid, 'SIGKILL');
    await until(`process ${pid} is gone`, () => !this.lives(pid));
  }

  /** SIGSTOP, and resolves when the system shows them as standing still. */
  async stopped(pids: readonly number[]): Promise<void> {
    for (const pid of pids) this.signal(pid, 'SIGSTOP');
    await until(`processes ${pids.join(', ')} stand still`, () => pids.every((pid) => stateOf(pid) === 'T'));
  }

  /** Ends what is left of all that were noted. */
  async endAll(): Promise<void> {
    for (const pid of this.#seen.keys()) if (this.lives(pid)) await this.kill(pid);
  }
}

/** The letter in /proc: R running, S sleeping, T stopped… */
function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.charAt(stat.lastIndexOf(')') + 2);
}
