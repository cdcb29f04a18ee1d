/** Which ledger a command reads: the shared one where the configuration has one, else this host's. */
import { LocalBook } from '../accounting/local-book.ts';
import type { Book } from '../accounting/reader.ts';
import { openSharedBook } from '../accounting/redis/open.ts';
import type { RedisConfig } from '../config/schema.ts';
import { dataDirectory, readConfig } from './instance.ts';
import type { Io } from './io.ts';
import type { ParsedOptions } from './options.ts';

/** The shared ledger's configuration, unless there is none or --local asks for this host alone. */
export function sharedConfig({ text, flags }: ParsedOptions): RedisConfig | undefined {
  return flags.has('local') || text['config'] === undefined || text['data'] !== undefined ? undefined : readConfig(text['config']).redis;
}

/** Opens the ledger. Rejects with a sentence when there is none or it does not answer. */
export async function openBook(options: ParsedOptions, io: Io): Promise<Book> {
  const shared = sharedConfig(options);
  if (shared === undefined) return LocalBook.open(dataDirectory(options));
  try {
    return await openSharedBook(shared, io.world);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}. With --local the ledger of this host alone is shown.`, { cause: error });
  }
}
