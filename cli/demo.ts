/** `demo`: hands over to the simulated farm that the launcher brings. */
import { resolve } from 'node:path';
import type { DemoOptions, Surroundings } from './commands.ts';
import { EXIT, type ExitCode, type Io } from './io.ts';
import { type ParsedOptions, wholeNumber } from './options.ts';

const SECONDS_MAX = 7 * 86_400;

export async function demo({ text }: ParsedOptions, _io: Io, surroundings: Surroundings): Promise<ExitCode> {
  const options: DemoOptions = { dataDir: resolve(text['data'] ?? 'demo-data'), http: text['http'], redis: text['redis'] };
  const seconds = text['seconds'];
  await surroundings.demo(seconds === undefined ? options : { ...options, seconds: wholeNumber('seconds', seconds, SECONDS_MAX) });
  return EXIT.ok;
}
