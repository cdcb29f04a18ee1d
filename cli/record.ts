/** Puts on record, in the journal of an instance, that a document with this digest exists now. */
import { journalFacts } from '../accounting/journal/note.ts';
import { journalDirectory } from '../accounting/store.ts';
import type { World } from '../config/world.ts';
import { ensureHostId } from '../proxy/net/instance.ts';

/** Rejects with a sentence when the journal cannot be written: then what is recorded must not be done. */
export function recordDocument(dataDir: string, kind: string, name: string, digest: string, world: World): Promise<void> {
  return journalFacts(journalDirectory(dataDir), ensureHostId(dataDir, world.random), world, [{ type: 'document', kind, name, digest, atMs: world.wallMs() }]);
}
