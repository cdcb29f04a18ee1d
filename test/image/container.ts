/**
 * A container without an engine: the image's own entry point in a root that cannot be written, with process numbers of its own, as
 * the user the image names. `docker run --read-only --tmpfs /tmp -v DATA:/data IMAGE` as far as it matters here.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { realWorld } from '../../config/world.ts';

export interface ImageSettings {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly StopSignal: string;
  readonly Env: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface Ended {
  readonly code: number | null;
  readonly tookMs: number;
}

export class Container {
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  /** Everything it has said, on both streams. */
  output = '';

  /** `root` is the mounted image, `data` a folder of the image's user, `files` what is bound read-only: `[from, to]`. */
  constructor(root: string, data: string, settings: ImageSettings, command: readonly string[], files: readonly (readonly [string, string])[] = []) {
    const binds = files.map(([from, to]) => `mkdir -p "$(dirname "${root}${to}")" && touch "${root}${to}" && mount --bind "${from}" "${root}${to}"`);
    const script = [
      `mount --bind "${root}" "${root}"`,
      ...binds,
      `mount -o remount,ro,bind "${root}"`,
      `mount -t proc proc "${root}/proc"`,
      `mount --bind /dev "${root}/dev"`,
      `mount -t tmpfs -o mode=1777 tmpfs "${root}/tmp"`,
      `mount --bind "${data}" "${root}/data"`,
      `exec chroot --userspec=${settings.User} "${root}" env -i HOME=/tmp "$@"`,
    ].join(' && ');
    const env = settings.Env.filter((entry) => !entry.startsWith('HOME='));
    this.#process = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh', ...env, 'sh', '-c', 'cd /data && exec "$@"', 'sh', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const listen = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    this.#process.stdout?.on('data', listen);
    this.#process.stderr?.on('data', listen);
    this.#ended = new Promise((resolve) => this.#process.once('close', resolve));
  }

  /** Process number, outside, of the container's first process. */
  get first(): number {
    const { pid } = this.#process;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  }

  /** Sends the image's stop signal to the first process, as an engine does, and waits for the end. */
  async stop(signal: string): Promise<Ended> {
    const beganMs = realWorld.monoMs();
    process.kill(this.first, signal);
    const code = await this.#ended;
    return { code, tookMs: realWorld.monoMs() - beganMs };
  }

  /** Waits for a command that ends by itself. */
  async end(): Promise<number | null> {
    return this.#ended;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** Settles with what `look` finds in the output; throws with the output when it ends or two minutes pass first. */
  async until(look: (output: string) => string | undefined): Promise<string> {
    const limitMs = realWorld.monoMs() + 120_000;
    for (;;) {
      const found = look(this.output);
      if (found !== undefined) return found;
      if (this.#process.exitCode !== null || this.#process.signalCode !== null || realWorld.monoMs() > limitMs) throw new Error(`the container has not become what was waited for; it said:\n${this.output.slice(-4000)}`);
      // A timer that keeps this process alive, also when the container's has just ended.
      await new Promise<void>((resolve) => void setTimeout(resolve, 100));
    }
  }
}
