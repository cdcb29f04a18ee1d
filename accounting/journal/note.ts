/** Facts that come from a command and not from mining: written durably into a segment of their own, beside a running instance or without one, and read from there. */
import type { World } from '../../config/world.ts';
import type { Fact } from '../../proxy/session/facts.ts';
import { listSegments, SegmentReader, type SegmentFile } from './reader.ts';
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

/** A command's own segment is not longer; those of mining are read by the accountant alone. */
const COMMAND_BYTES_MAX = 256 * 1024;

/** Facts of all segments that are short enough to be a command's, except those of `known` uuids. What heads repeat is left out. */
export function* commandFacts(directory: string, known: ReadonlySet<string> = new Set()): Generator<Fact> {
  for (const file of listSegments(directory)) if (!known.has(file.header.segment)) yield* factsOf(file);
}

/** Whether a segment is a command's that put something on record: a document's digest, or what was stated of a lease. */
export function isNote(file: SegmentFile): boolean {
  for (const { type } of factsOf(file)) if (type === 'document' || type === 'lease-event') return true;
  return false;
}

function* factsOf({ bytes, path, limit }: SegmentFile): Generator<Fact> {
  if (bytes > COMMAND_BYTES_MAX) return;
  const reader = SegmentReader.open(path, limit);
  try {
    for (const event of reader.events(0)) if (event.kind === 'fact' && !event.live) yield event.fact;
  } finally {
    reader.close();
  }
}
