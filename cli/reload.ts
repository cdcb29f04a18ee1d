/** `reload`: a running instance reads its configuration again, and says what that changes. */
import { askInstance } from '../proxy/net/control.ts';
import type { Reloaded } from '../proxy/net/status.ts';
import { count } from './format.ts';
import { dataDirectory } from './instance.ts';
import { EXIT, type ExitCode, type Io } from './io.ts';
import type { ParsedOptions } from './options.ts';

/** Every session of every process is looked at. */
const ANSWER_LIMIT_MS = 30_000;

export async function reload(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const reloaded = await askInstance(dataDirectory(options), 'reload', io.world, ANSWER_LIMIT_MS);
  io.out(options.flags.has('json') ? JSON.stringify(reloaded, null, 2) : reloadText(reloaded));
  return EXIT.ok;
}

/** What came of it, for people. */
export function reloadText({ changes, accountant, rerouted, leaving }: Reloaded): string {
  if (changes.length === 0) return 'The configuration has not changed.';
  const lines = changes.filter(({ now }) => now).map(({ sentence }) => sentence);
  const later = changes.filter(({ now }) => !now).map(({ sentence }) => `  ${sentence}`);
  if (later.length > 0) lines.push('In processes that start from now on (`weighbridge restart` replaces them):', ...later);
  if (rerouted > 0) lines.push(`${count(rerouted)} machines work by another route now; none of them was disconnected.`);
  if (leaving > 0) lines.push(`${count(leaving)} machines have no place in it and are being disconnected (timeouts.closesPerSecond).`);
  if (accountant) lines.push('The accountant was started again; machines do not notice.');
  return lines.join('\n');
}
