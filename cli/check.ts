/** `check` and `schema`: what is wrong with a configuration, and what may be in one. */
import { jsonSchema } from '../config/load.ts';
import { loadForInstance, problemText } from './instance.ts';
import { EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';

export function check({ text, flags }: ParsedOptions, io: Io): Promise<ExitCode> {
  const file = text['config'];
  if (file === undefined) throw usageError('Say which file to check: --config FILE.');
  const { config, problems } = loadForInstance(file, io.world.wallMs());
  const found = problems ?? [];
  if (flags.has('json')) {
    io.out(JSON.stringify({ file, ok: config !== undefined, problems: found.map(({ path, line, message }) => ({ path, line: line ?? null, message })) }, null, 2));
  } else if (config !== undefined) {
    const [sites, pools, routes] = [Object.keys(config.sites).length, Object.keys(config.pools).length, config.routes.length];
    io.out(`${file} is right: ${plural(sites, 'site')}, ${plural(pools, 'pool')}, ${plural(routes, 'route')}; data in ${config.data}`);
  } else {
    io.out(found.map((problem) => problemText(file, problem)).join('\n'));
    io.err(`${plural(found.length, 'problem')} in ${file}.\n`);
  }
  return Promise.resolve(config === undefined ? EXIT.failed : EXIT.ok);
}

export function schema(_options: ParsedOptions, io: Io): Promise<ExitCode> {
  io.out(JSON.stringify(jsonSchema(), null, 2));
  return Promise.resolve(EXIT.ok);
}

function plural(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
