/** Starts the compiled product for a test: a data directory of its own, free ports, and an end that leaves nothing behind. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { loadForInstance } from '../../cli/instance.ts';
import { loadConfig } from '../../config/load.ts';
import { realWorld } from '../../config/world.ts';
import { startSupervisor, type Supervisor } from '../../proxy/net/supervisor.ts';

export interface Product {
  readonly dataDir: string;
  readonly supervisor: Supervisor;
  /** The port a site listens on. */
  readonly port: (site: string) => number;
}

export interface ProductOptions {
  /** Everything of the configuration but `data` and `http`; sites listen on port 0. */
  readonly yaml: string;
  /** An existing data directory, to start on it again. */
  readonly dataDir?: string;
}

/** The children run from the compiled sources (npm test compiles first). */
function compiled(path: string): string {
  return fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));
}

/** A directory that the caller removes with `discard`. */
export function makeDataDir(): string {
  return mkdtempSync(join(tmpdir(), 'weighbridge-e2e-'));
}

export function discard(dataDir: string): void {
  rmSync(dataDir, { recursive: true, force: true });
}

export async function startProduct(options: ProductOptions): Promise<Product> {
  const dataDir = options.dataDir ?? makeDataDir();
  const file = join(dataDir, 'weighbridge.yaml');
  writeFileSync(file, `data: ${JSON.stringify(dataDir)}\nhttp: 127.0.0.1:0\n${options.yaml}`);
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(problems.map(({ path, message }) => `${path} ${message}`).join('; '));
  const supervisor = await startSupervisor({
    config,
    world: realWorld,
    reread: (inForce) => loadForInstance(file, realWorld.wallMs(), inForce),
    log: pino({ level: 'silent' }),
    childLog: { kind: 'file', path: join(dataDir, 'children.log') },
    modules: { proxy: compiled('proxy/net/proxy-main.js'), accountant: compiled('accounting/main.js') },
  });
  return { dataDir, supervisor, port: (site) => portOf(supervisor, site) };
}

function portOf(supervisor: Supervisor, site: string): number {
  const address = supervisor.listening.find((listener) => listener.site === site)?.address;
  if (address === undefined) throw new Error(`nothing listens for site ${site}`);
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** Resolves when `ready` holds; the test's own time limit is the deadline. */
export async function until(ready: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await ready())) await new Promise<void>((resolve) => realWorld.after(20, resolve));
}
