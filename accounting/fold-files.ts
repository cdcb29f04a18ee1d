/** Folds segments into a new ledger, all of them to their end, without an accountant. */
import type { World } from '../config/world.ts';
import { Folding } from './folding.ts';
import type { SegmentFile } from './journal/reader.ts';
import { Store } from './store.ts';

/** Folds `files` into the ledger of `dataDir`, which has none; returns how many records there were. Throws a sentence when the ledger would not be whole. */
export async function foldFiles(files: readonly SegmentFile[], dataDir: string, world: World, onProgress: (records: number) => void = () => undefined): Promise<number> {
  const folding = new Folding(Store.open(dataDir), world);
  try {
    folding.look(files);
    let records = 0;
    while (!folding.drained || folding.writing) {
      records += folding.read(() => false);
      while (folding.write());
      onProgress(records);
      await breathe();
    }
    while (folding.write());
    const [problem] = folding.problems();
    if (problem !== undefined) throw new Error(problem);
    return records;
  } finally {
    folding.close();
  }
}

function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
