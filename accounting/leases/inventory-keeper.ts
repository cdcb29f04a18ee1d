/** Puts the inventory on record as a running instance finds it: what is changed in the file holds from then on, and what held before stays on record. */
import { readFileSync } from 'node:fs';
import { parseInventory, type InventoryRow } from '../../config/inventory.ts';
import type { World } from '../../config/world.ts';
import { journalFacts } from '../journal/note.ts';
import { journalDirectory } from '../store.ts';
import { leaseHistory } from './history.ts';
import { textDigest } from './files.ts';
import { foundLast, inventoryFact, keepInventory } from './inventories.ts';

export interface InventoryKeeperOptions {
  readonly dataDir: string;
  readonly file: string;
  /** This host's id. */
  readonly host: string;
  readonly world: World;
  /** Told the rows whenever the file is another one. */
  readonly onRows: (rows: readonly InventoryRow[]) => void;
}

export class InventoryKeeper {
  readonly #options: InventoryKeeperOptions;
  /** What was looked at last and is on record. */
  #text: string | undefined;
  /** Another text that was there at the last look. */
  #other: string | undefined;

  constructor(options: InventoryKeeperOptions) {
    this.#options = options;
  }

  /** Looks at the file; a change counts when it is the same at the next look. Returns the digest of a version that is new on record; rejects with a sentence when the file cannot be used or recorded, and then what held before goes on. */
  async look(): Promise<string | undefined> {
    const { dataDir, file, host, world, onRows } = this.#options;
    const text = readFileSync(file, 'utf8');
    if (text === this.#text) return undefined;
    // One that is being written might be whole by the look of it and lack machines: what is there twice is meant.
    const settled = this.#text === undefined || text === this.#other;
    this.#other = text;
    if (!settled) return undefined;
    const { rows, problems } = parseInventory(text);
    if (problems.length > 0) throw new Error(`the inventory ${file} ${problems[0]}`);
    const digest = textDigest(text);
    const known = foundLast(leaseHistory(dataDir)) === digest;
    if (!known) {
      keepInventory(dataDir, text);
      const nowMs = world.wallMs();
      await journalFacts(journalDirectory(dataDir), host, world, [inventoryFact(digest, nowMs, nowMs)]);
    }
    this.#text = text;
    onRows(rows);
    return known ? undefined : digest;
  }
}
