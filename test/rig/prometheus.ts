/** The real Prometheus and its promtool for tests, as Debian packages them. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureInstalled } from './debian.ts';
import { freePort, until } from './redis.ts';

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

/** One sample of an answer: its labels and its value now. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A Prometheus of the test's own, on a free port and a directory that is removed with it. */
export class Prometheus {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(url: string, child: ChildProcess, directory: string) {
    this.url = url;
    this.#child = child;
    this.#directory = directory;
  }

  /**
   * Settles when it answers. `configuration` is its file; paths in it are relative to `directory`, which is its own and may
   * hold blocks of samples in `data` already.
   */
  static async start(configuration: string, directory = mkdtempSync(join(tmpdir(), 'wb-prometheus-'))): Promise<Prometheus> {
    requirePrometheus();
    const port = await freePort();
    writeFileSync(join(directory, 'prometheus.yml'), configuration);
    const args = ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=127.0.0.1:${port}`, '--storage.tsdb.retention.time=10y', '--log.level=warn'];
    const child = spawn('prometheus', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, child, directory);
    try {
      await until(async () => {
        if (child.exitCode !== null) throw new Error(`prometheus did not start:\n${said}`);
        return fetch(`${prometheus.url}/-/ready`).then((response) => response.ok, () => false);
      }, 'prometheus is ready', 60_000);
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  /** Throws what Prometheus says when it does not understand. `atMs` is now where it is left out. */
  async query(expr: string, atMs?: number): Promise<Sample[]> {
    const body = new URLSearchParams({ query: expr, ...(atMs === undefined ? {} : { time: String(atMs / 1000) }) });
    const response = await fetch(`${this.url}/api/v1/query`, { method: 'POST', body });
    const answer = (await response.json()) as { status: string; error?: string; data: { resultType: string; result: unknown } };
    if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error ?? answer.status}`);
    if (answer.data.resultType === 'scalar') return [{ labels: {}, value: Number((answer.data.result as [number, string])[1]) }];
    const result = answer.data.result as { metric: Record<string, string>; value: [number, string] }[];
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
      this.#child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
