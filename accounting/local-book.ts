/** This host's own ledger, opened for a reader. */
import type { Book, LedgerRange, LedgerReader } from './reader.ts';
import { Store } from './store.ts';

export class LocalBook implements Book {
  readonly #store: Store;

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Throws a sentence when there is no ledger or it cannot be read. */
  static open(dataDir: string): LocalBook {
    return new LocalBook(Store.open(dataDir, { readonly: true }));
  }

  read<V>(_ranges: readonly LedgerRange[], use: (reader: LedgerReader) => V): Promise<V> {
    return new Promise((resolve) => resolve(this.#store.consistently(() => use(this.#store))));
  }

  close(): void {
    this.#store.close();
  }
}
