/** Facts that come from a command and not from mining: written durably into a segment of their own, beside a running instance or without one. */
import type { World } from '../../config/world.ts';
import type { Fact } from '../../proxy/session/facts.ts';
import { JournalWriter } from './writer.ts';

/** Far more than a command writes. */
const SEGMENT_BYTES = 64 * 1024 * 1024;

/**
 * Resolves when all facts are on the disk; rejects with a sentence when one may not be.
 *
 * @param host This host's id.
 */
export async function journalFacts(directory: string, host: string, world: World, facts: readonly Fact[]): Promise<void> {
  let problem = '';
  let lost = false;
  const writer = await JournalWriter.open({
    directory, world, host,
    durability: 'fsync',
    segmentBytes: SEGMENT_BYTES,
    process: world.random.uuid(),
    live: () => [],
    onDurable: () => undefined,
    onUnjournaled: () => (lost = true),
    onProblem: (sentence) => (problem = sentence),
  });
  for (const fact of facts) writer.append(fact);
  await writer.close();
  if (lost) throw new Error(problem === '' ? `the journal in ${directory} did not take what was to be recorded` : problem);
}
