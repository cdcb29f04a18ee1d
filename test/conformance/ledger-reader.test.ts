/** The embedded SQLite ledger passes the suite of ledger readers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '../../accounting/store.ts';
import { ledgerReaderSuite } from './ledger-reader.ts';

ledgerReaderSuite('SQLite', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'wb-ledger-'));
  const writer = Store.open(dataDir);
  const readers: Store[] = [];
  return {
    add: (deltas) => writer.apply(deltas, []),
    reader: () => {
      const reader = Store.open(dataDir, { readonly: true });
      readers.push(reader);
      return reader;
    },
    dispose: () => {
      for (const reader of readers) reader.close();
      writer.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
});
