/** Finds the instance a command is about. */
import { readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { leaseHistory, terminations, withTerminations } from '../accounting/leases/history.ts';
import { retroactiveChanges } from '../accounting/leases/retroactive.ts';
import { loadConfig, type Loaded, type Problem } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { CommandError, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';

/** The absolute data directory named by --data or by the configuration of --config. */
export function dataDirectory({ text }: ParsedOptions): string {
  if (text['data'] !== undefined) {
    if (text['config'] !== undefined) throw usageError('--config and --data both name an instance; give one of them.');
    return resolve(text['data']);
  }
  if (text['config'] !== undefined) return readConfig(text['config']).data;
  throw usageError('Say which instance: --config FILE or --data DIR (the demo\'s is demo-data).');
}

/** The data directory that a key is to be made in: a mistyped one would get a key of its own. */
export function keyDirectory(options: ParsedOptions): string {
  const data = dataDirectory(options);
  if (options.text['data'] === undefined) return data;
  const found = statSync(data, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(data) : undefined;
  if (found === undefined) throw new CommandError(`--data ${data} is no directory: make it first if the first key is to be kept there.`);
  if (found.length > 0 && !found.some((name) => name === 'journal' || name === 'keys')) {
    throw new CommandError(`--data ${data} is no data directory, for it has neither a journal nor keys: name another, or an empty one for a first key.`);
  }
  return data;
}

/** Reads a configuration that must be right; its problems become one sentence that leads to `check`. */
export function readConfig(file: string, load: () => Loaded = () => loadConfig(file, terminations)): Config {
  const { config, problems } = load();
  if (config !== undefined) return config;
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more; see \`weighbridge check --config ${file}\`)` : '';
  throw new CommandError(first === undefined ? `${file} cannot be used.` : `${problemText(file, first)}${more}`);
}

/**
 * What an instance with its data makes of a file: leases end where they were terminated, and terms that would reach back without
 * an amendment are a problem. `nowMs` is wall clock. `inForce`: instead of the file, what is on record is applied to this configuration.
 */
export function loadForInstance(file: string, nowMs: number, inForce?: Config): Loaded {
  if (inForce !== undefined) return { config: withTerminations(inForce, leaseHistory(inForce.data)) };
  const loaded = loadConfig(file, terminations);
  if (loaded.config === undefined) return loaded;
  const history = leaseHistory(loaded.config.data);
  const problems = retroactiveChanges(loaded.config, history, nowMs).map(({ lease, message }): Problem => ({ path: `leases.${lease}`, line: undefined, message }));
  return problems.length > 0 ? { problems } : { config: withTerminations(loaded.config, history) };
}

/** `file:line: path message`, the form editors can jump to. */
export function problemText(file: string, { path, line, message }: Problem): string {
  // A file that cannot be read is named in the message itself.
  if (message.startsWith(file)) return message;
  return `${file}${line === undefined ? '' : `:${line}`}: ${path === '' ? '' : `${path} `}${message}`;
}
