/** Whether the inventory that a statement rests on is the one on record for its period, and its rows where they are at hand. */
import type { InventoryRow } from '../../config/inventory.ts';
import { knownAt, leaseHistory, type LeaseHistory } from './history.ts';
import { inventoryPieces, inventoryReader, rowsOfPieces } from './inventories.ts';
import type { IssuedStatement } from './issue.ts';
import { versionsShown } from './statement.ts';
import { canonicalJson } from './terms.ts';
import type { Finding } from './verify.ts';

export interface ProvenInventory {
  readonly findings: readonly Finding[];
  /** `unknown`: the statement rests on an inventory that is not at hand. Undefined: it has none. */
  readonly rows: readonly InventoryRow[] | 'unknown' | undefined;
  /** The records that say so, as they were when it was issued; undefined where none do. */
  readonly history: LeaseHistory | undefined;
  /** Rows of a version that is at hand. */
  readonly rowsOf: (digest: string) => readonly InventoryRow[] | undefined;
}

/** @param dataDirs Of hosts: the records are those of the one that issued it. */
export function proveInventory(issued: IssuedStatement, dataDirs: readonly string[]): ProvenInventory {
  try {
    return proven(issued, dataDirs);
  } catch (error) {
    const sentence = `It has not the form of a statement: ${error instanceof Error ? error.message : String(error)}.`;
    return { findings: [{ ok: false, sentence }], rows: 'unknown', history: undefined, rowsOf: () => undefined };
  }
}

function proven({ statement }: IssuedStatement, dataDirs: readonly string[]): ProvenInventory {
  const { inventory, lease, period, issuedAt } = statement;
  const span = { fromMs: Date.parse(period.from), toMs: Date.parse(period.to) };
  const recorded = dataDirs.map((dataDir) => {
    const history = leaseHistory(dataDir);
    const known = knownAt(history, Date.parse(issuedAt));
    return { known, versions: versionsShown(inventoryPieces(known, lease, span)) };
  });
  const onRecord = recorded.filter(({ versions }) => versions.length > 0);
  const rowsOf = inventoryReader(dataDirs);
  const rows = inventory.length === 0 ? undefined : (rowsOfPieces(inventory.map(({ from, digest }) => ({ fromMs: Date.parse(from), digest })), rowsOf) ?? 'unknown');
  const absent: Finding[] = rows === 'unknown' ? [{ ok: true, sentence: 'The inventory it rests on is not in these directories (folder `inventory`): what was installed, seen and available, and which names are unlisted or silent, was not proven.' }] : [];
  const claimed = inventory.map(({ digest }) => digest.slice(0, 16)).join(', ');
  if (onRecord.length === 0) {
    const invented = inventory.some((version) => version.recorded !== null);
    const sentence = invented ? `There is no record of the inventory that it says was on record: ${claimed}….` : `No inventory was on record when it was issued: it rests on the file with digest ${claimed}….`;
    return { rows, rowsOf, history: undefined, findings: inventory.length === 0 ? [] : [{ ok: !invented, sentence }, ...absent] };
  }
  const same = onRecord.find(({ versions }) => canonicalJson(versions) === canonicalJson(inventory));
  const held = onRecord.map(({ versions }) => versions.map(({ from, digest }) => `${digest.slice(0, 16)}… from ${from}`).join(', ')).join('; or ');
  return {
    rows, rowsOf, history: same?.known,
    findings: [same ? { ok: true, sentence: 'Its inventory is the one on record for its period.' } : { ok: false, sentence: `Its inventory is ${claimed === '' ? 'none' : `${claimed}…`}, and on record is ${held}.` }, ...absent],
  };
}
