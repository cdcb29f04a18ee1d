/** A supervisor with stand-in children, on a fresh data directory, for the tests of the supervisor, its socket and its HTTP side. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { Config } from '../../../config/schema.ts';
import { type Loaded, parseConfig } from '../../../config/load.ts';
import { realWorld } from '../../../config/world.ts';
import { startSupervisor, type Supervisor } from '../../../proxy/net/supervisor.ts';

const CHILDREN = {
  proxy: fileURLToPath(new URL('./children/proxy.mjs', import.meta.url)),
  accountant: fileURLToPath(new URL('./children/accountant.mjs', import.meta.url)),
};

export interface Scene {
  readonly directory: string;
  readonly data: string;
  readonly config: Config;
  /** The configuration it starts with. */
  readonly firstYaml: string;
  readonly logLines: string[];
  /** What a reload reads; undefined: the same again. */
  yaml: string | undefined;
  start(signal?: AbortSignal): Promise<Supervisor>;
  /** Stops what was started and removes the directory. */
  end(): Promise<void>;
}

/** `mode` is what the children make of their pool's user name; `data` is below the fresh directory. */
export function scene(mode = 'normal', data = 'data', http = '127.0.0.1:0'): Scene {
  const directory = mkdtempSync(join(tmpdir(), 'wb-test-'));
  const yaml = `
data: ${data}
http: ${http}
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: stratum+tcp://127.0.0.1:1, user: ${mode}, password: secret-word } }
routes: [ { lessee: acme, pools: [ main ] } ]
`;
  const { config, problems } = parseConfig(yaml, join(directory, 'weighbridge.yaml'));
  if (config === undefined) throw new Error(JSON.stringify(problems));
  const logLines: string[] = [];
  const started: Supervisor[] = [];
  const made: Scene = {
    directory,
    data: config.data,
    config,
    firstYaml: yaml,
    logLines,
    yaml: undefined,
    start: async (signal) => {
      const log = pino({}, { write: (line: string) => void logLines.push(line) });
      const reread = (): Loaded => parseConfig(made.yaml ?? yaml, join(directory, 'weighbridge.yaml'));
      const supervisor = await startSupervisor({ config, world: realWorld, log, modules: CHILDREN, reread, ...(signal === undefined ? {} : { signal }) });
      started.push(supervisor);
      return supervisor;
    },
    end: async () => {
      await Promise.all(started.map((supervisor) => supervisor.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return made;
}

/** Lines of a file the stand-in children write; [] when there is none. */
export function linesOf(scene: Scene, name: string): string[] {
  try {
    return readFileSync(join(scene.data, name), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

/** Asks again on every turn until `value` gives something; the test's own time limit ends a wait in vain. */
export async function until<T>(value: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await value();
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
