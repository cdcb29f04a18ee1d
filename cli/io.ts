/** What a command may do to the outside: print, read a file, and stop with a sentence. */
import { writeFileSync } from 'node:fs';
import type { World } from '../config/world.ts';

export interface Io {
  /** Standard output: what was asked for. */
  out(text: string): void;
  /** Standard error: what went wrong, and progress. */
  err(text: string): void;
  /** Whether standard error is a terminal, where a progress line may overwrite itself. */
  readonly interactive: boolean;
  /** The whole of standard input as text. */
  readStdin(): Promise<string>;
  /** Calls `handle` on SIGINT and SIGTERM. */
  onSignal(handle: () => void): void;
  /** Calls `handle` on SIGHUP. */
  onHangup(handle: () => void): void;
  readonly world: World;
}

/** Exit codes, published in docs/cli.md. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with one sentence on standard error and a code; never with a stack trace. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: ExitCode;

  constructor(sentence: string, code: ExitCode = EXIT.failed) {
    super(sentence);
    this.code = code;
  }
}

/** Wrong use of the command line. */
export function usageError(sentence: string): CommandError {
  return new CommandError(sentence, EXIT.usage);
}

/** Writes the file of --out; a place that cannot be written is said in a sentence. */
export function writeOut(file: string, bytes: string | Uint8Array): void {
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    throw new CommandError(`--out ${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
  }
}
