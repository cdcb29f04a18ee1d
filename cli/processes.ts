/** `restart` and `drain`: proxy processes replaced one by one, or emptied and ended, while machines are moved at an even pace. */
import { duration } from '../config/fields.ts';
import { askInstance } from '../proxy/net/control.ts';
import { count } from './format.ts';
import { dataDirectory } from './instance.ts';
import { EXIT, type ExitCode, type Io, usageError } from './io.ts';
import { type ParsedOptions, wholeNumber } from './options.ts';
import { untilGone } from './stop.ts';

const PROCESSES_MAX = 64;
const OVER_DEFAULT = '60s';
/** Beyond the time given: a new process starts, the last answers and verdicts come. */
const PROCESS_EXTRA_MS = 60_000;
/** Longest time a timer of Node can wait, less a margin. */
const LIMIT_MS_MAX = 2_000_000_000;

/** Milliseconds over which machines are moved, and the one process that is meant. */
function wishes({ text }: ParsedOptions): { readonly overMs: number; readonly process: number | undefined } {
  const over = text['over'] ?? OVER_DEFAULT;
  const read = duration('0s', '24h').safeParse(over);
  if (!read.success) throw usageError(`--over ${JSON.stringify(over)} ${read.error.issues[0]?.message ?? 'is not a duration'}.`);
  const number = text['process'];
  return { overMs: read.data, process: number === undefined ? undefined : wholeNumber('process', number, PROCESSES_MAX) };
}

export async function restart(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { overMs, process } = wishes(options);
  const limitMs = Math.min(LIMIT_MS_MAX, (process === undefined ? PROCESSES_MAX : 1) * (overMs + PROCESS_EXTRA_MS));
  const replaced = await askInstance(dataDirectory(options), { type: 'restart', process, overMs }, io.world, limitMs);
  if (options.flags.has('json')) {
    io.out(JSON.stringify({ replaced }, null, 2));
    return EXIT.ok;
  }
  for (const { process: number, pidBefore, pid, sessions, tookMs } of replaced) {
    const before = pidBefore === undefined ? '' : `, before ${pidBefore}`;
    io.out(`Process ${number} is new (pid ${pid ?? 'unknown'}${before}); ${count(sessions)} machines were moved; ${(tookMs / 1000).toFixed(1)} s.`);
  }
  return EXIT.ok;
}

export async function drain(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { overMs, process } = wishes(options);
  const data = dataDirectory(options);
  const { pid, sessions } = await askInstance(data, { type: 'drain', process, overMs }, io.world, overMs + PROCESS_EXTRA_MS);
  if (process === undefined) await untilGone(data, pid, io);
  if (options.flags.has('json')) io.out(JSON.stringify({ process: process ?? null, sessions }, null, 2));
  else if (process === undefined) io.out(`${count(sessions)} machines were sent away, and the instance on ${data} has stopped.`);
  else io.out(`Process ${process} has ended; its ${count(sessions)} machines were moved. \`weighbridge restart --process ${process}\` brings it back.`);
  return EXIT.ok;
}
