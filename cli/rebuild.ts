/** `rebuild`: folds the journals into a new ledger and publishes it, while the instance is stopped. */
import { rebuild as runRebuild } from '../accounting/rebuild.ts';
import { acquireLock } from '../proxy/net/instance.ts';
import { sharedConfig } from './book.ts';
import { count } from './format.ts';
import { dataDirectory } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io } from './io.ts';
import type { ParsedOptions } from './options.ts';

const PRINT_EVERY_MS = 2_000;
const PHASES = { fold: 'records folded', publish: 'rows published' } as const;

export async function rebuild(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const dataDir = dataDirectory(options);
  const { flags } = options;
  // A running instance holds it, and the refusal says so.
  const lock = acquireLock(dataDir, io.world.random);
  let printedMs = io.world.monoMs();
  try {
    const report = await runRebuild({
      dataDir,
      world: io.world,
      shared: sharedConfig(options),
      force: flags.has('force'),
      onProgress: ({ phase, done }) => {
        const nowMs = io.world.monoMs();
        if (flags.has('json') || nowMs - printedMs < PRINT_EVERY_MS) return;
        printedMs = nowMs;
        io.err(`${count(done)} ${PHASES[phase]}\n`);
      },
    });
    io.out(flags.has('json') ? JSON.stringify(report, null, 2) : rebuildText(report));
    return EXIT.ok;
  } catch (error) {
    throw new CommandError(`The ledger was not rebuilt in full: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    lock.release();
  }
}

function rebuildText({ segments, records, oldLedger, publishedRows, keptPublications }: Awaited<ReturnType<typeof runRebuild>>): string {
  const lines = [`The ledger is rebuilt from ${count(records)} records in ${count(segments)} segments.`];
  if (oldLedger !== '') lines.push(`The one from before is ${oldLedger}; remove it when \`weighbridge audit\` is content.`);
  if (publishedRows + keptPublications > 0) lines.push(`Shared ledger: ${count(publishedRows)} rows written, ${count(keptPublications)} publications it had already.`);
  return lines.join('\n');
}
