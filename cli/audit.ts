/** `audit`: recomputes the ledger from the journals and compares. */
import { CommandError, type ExitCode } from './io.ts';

export function audit(): Promise<ExitCode> {
  throw new CommandError('The audit is not there yet.');
}
