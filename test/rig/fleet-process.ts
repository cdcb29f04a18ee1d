/** The parent's handle on a fleet that runs in a forked process (fleet-main.ts). */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromFleet, ToFleet } from './fleet-main.ts';
import type { FleetOptions, MachineRecord, MachineSummary } from './fleet.ts';

export class FleetProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Forks and starts the fleet. Needs the compiled rig (npm run build). */
  static async start(options: FleetOptions): Promise<FleetProcess> {
    const child = fork(compiledMain(), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    const fleet = new FleetProcess(child);
    await fleet.#answer('ready');
    fleet.#send({ type: 'start', options });
    return fleet;
  }

  /** Also the CPU time the fleet has used since its start. */
  async summaries(): Promise<{ readonly machines: readonly MachineSummary[]; readonly cpuMs: number }> {
    const answer = this.#answer('summaries');
    this.#send({ type: 'summaries' });
    return answer;
  }

  async records(): Promise<readonly MachineRecord[]> {
    const answer = this.#answer('records');
    this.#send({ type: 'records' });
    return (await answer).machines;
  }

  rest(): void {
    this.#send({ type: 'rest' });
  }

  /** Resolves when the process has ended. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#send({ type: 'stop' });
    await ended;
  }

  #send(message: ToFleet): void {
    if (this.#child.connected) this.#child.send(message);
  }

  /** The next message of this type; rejects when the process ends first. */
  #answer<T extends FromFleet['type']>(type: T): Promise<Extract<FromFleet, { type: T }>> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error(`the fleet's process ended before it answered "${type}"`));
      const onMessage = (message: FromFleet): void => {
        if (message.type !== type) return;
        this.#child.off('exit', onExit);
        this.#child.off('message', onMessage);
        resolve(message as Extract<FromFleet, { type: T }>);
      };
      this.#child.once('exit', onExit);
      this.#child.on('message', onMessage);
    });
  }
}

/** Tests run from source, but a forked Node needs JavaScript. */
function compiledMain(): string {
  const here = fileURLToPath(import.meta.url);
  return here.endsWith('.ts') ? fileURLToPath(new URL('../../dist/test/rig/fleet-main.js', import.meta.url)) : fileURLToPath(new URL('./fleet-main.js', import.meta.url));
}
