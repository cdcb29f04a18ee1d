/** Whether the inventory that a statement rests on is the one on record for its period, and its rows where they are at hand. */
import type { InventoryRow } from '../../config/inventory.ts';
import { leaseHistory } from './history.ts';
import { inventoryPieces, inventoryRows, rowsOfPieces } from './inventories.ts';
import type { IssuedStatement } from './issue.ts';
import { versionsShown } from './statement.ts';
import { canonicalJson } from './terms.ts';
import type { Finding } from './verify.ts';

export interface ProvenInventory {
  readonly findings: readonly Finding[];
  /** `unknown`: the statement rests on an inventory that is not at hand. Undefined: it has none. */
  readonly rows: readonly InventoryRow[] | 'unknown' | undefined;
}

/** @param dataDirs Of hosts: the records are those of the one that issued it. */
export function proveInventory({ statement }: IssuedStatement, dataDirs: readonly string[]): ProvenInventory {
  const { inventory, lease, period, issuedAt } = statement;
  const span = { fromMs: Date.parse(period.from), toMs: Date.parse(period.to) };
  const recorded = dataDirs.map((dataDir) => {
    const history = leaseHistory(dataDir);
    const known = { ...history, events: history.events.filter(({ recorded_ms }) => recorded_ms <= Date.parse(issuedAt)) };
    return versionsShown(inventoryPieces(known, lease, span));
  });
  const onRecord = recorded.filter((versions) => versions.length > 0);
  const rows = inventory.length === 0 ? undefined : (rowsOfPieces(inventory.map(({ from, digest }) => ({ fromMs: Date.parse(from), digest })), (digest) => inventoryRows(dataDirs, digest)) ?? 'unknown');
  const absent: Finding[] = rows === 'unknown' ? [{ ok: true, sentence: 'The inventory it rests on is not in these directories (folder `inventory`): what was installed, seen and available, and which names are unlisted or silent, was not proven.' }] : [];
  const claimed = inventory.map(({ digest }) => digest.slice(0, 16)).join(', ');
  if (onRecord.length === 0) {
    const invented = inventory.some((version) => version.recorded !== null);
    const sentence = invented ? `There is no record of the inventory that it says was on record: ${claimed}….` : `No inventory was on record when it was issued: it rests on the file with digest ${claimed}….`;
    return { rows, findings: inventory.length === 0 ? [] : [{ ok: !invented, sentence }, ...absent] };
  }
  const same = onRecord.some((versions) => canonicalJson(versions) === canonicalJson(inventory));
  const held = onRecord.map((versions) => versions.map(({ from, digest }) => `${digest.slice(0, 16)}… from ${from}`).join(', ')).join('; or ');
  return {
    rows,
    findings: [same ? { ok: true, sentence: 'Its inventory is the one on record for its period.' } : { ok: false, sentence: `Its inventory is ${claimed === '' ? 'none' : `${claimed}…`}, and on record is ${held}.` }, ...absent],
  };
}
