/** `explain`: one share as JSON in, what is right or wrong with it as JSON out. */
import { readFileSync } from 'node:fs';
import { explainShare } from '../proxy/mining/explain.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';

export async function explain({ argument }: ParsedOptions, io: Io): Promise<ExitCode> {
  if (argument === undefined) throw usageError('Say which share: `weighbridge explain FILE`, or `-` for standard input.');
  const explanation = explainShare(parse(argument, await read(argument, io)));
  io.out(JSON.stringify(explanation, null, 2));
  return 'problems' in explanation ? EXIT.failed : EXIT.ok;
}

async function read(file: string, io: Io): Promise<string> {
  if (file === '-') return io.readStdin();
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${error instanceof Error ? error.message : String(error)}).`);
  }
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError(`${file === '-' ? 'Standard input' : file} is not JSON (${error instanceof Error ? error.message : String(error)}).`);
  }
}
