/** `log`: switches debug lines about some machines on and off in a running instance. */
import { askInstance } from '../proxy/net/control.ts';
import { dataDirectory } from './instance.ts';
import { EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { parseSpan } from './time.ts';

const ANSWER_LIMIT_MS = 3_000;
const DEFAULT_SPAN = '10m';
/** Forgotten debug lines must not fill a disk. */
const SPAN_MS_MAX = 86_400_000;

export async function log(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { text, flags } = options;
  const worker = text['debug'];
  if (worker !== undefined && flags.has('off')) throw usageError('--debug and --off contradict each other; give one of them.');
  if (worker === undefined && !flags.has('off')) throw usageError('Say which machines: --debug GLOB, such as --debug "acme.*"; --off ends it.');
  const span = text['for'] ?? DEFAULT_SPAN;
  const forMs = worker === undefined ? 0 : parseSpan('--for', span, SPAN_MS_MAX);
  await askInstance(dataDirectory(options), { type: 'debug', worker: worker ?? '', forMs }, io.world, ANSWER_LIMIT_MS);
  io.out(worker === undefined ? 'Debug lines are off.' : `Machines whose name matches ${JSON.stringify(worker)} are in the instance's log for ${span}.`);
  return EXIT.ok;
}
