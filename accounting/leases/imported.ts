/** Imported rows as a verifier has them: from files whose digests were journaled before a statement was issued, or else not at all. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { earningsImport, earningsInOrder, type Earning } from './earnings.ts';
import { textDigest } from './files.ts';
import { parseImport, type Importable } from './imports.ts';
import type { Records } from './journaled.ts';
import { METERS_IMPORT, readingsInOrder, type Reading } from './meters.ts';
import { paymentsImport, paymentsInOrder, type Payment } from './payments.ts';

/** Undefined where files are missing, or the journals do not reach to the statement: then its own word is taken. */
export interface Imported {
  readonly payments: readonly Payment[] | undefined;
  readonly earnings: readonly Earning[] | undefined;
  readonly readings: readonly Reading[] | undefined;
}

export const NOT_AT_HAND: Imported = { payments: undefined, earnings: undefined, readings: undefined };

/** What was on record at a moment, of these data directories. */
export function importedAt(dataDirs: readonly string[], records: Records, ms: number): Imported {
  if (records.reachedMs === undefined || records.reachedMs < ms) return NOT_AT_HAND;
  const rows = <Row extends object>(kind: Importable<Row>): Row[] | undefined => {
    const documents = records.documents.filter((each) => each.kind === kind.folder && each.atMs <= ms);
    const names = [...new Set(documents.map(({ name }) => name))];
    const texts = names.map((name) => textOf(dataDirs, name, documents.flatMap((each) => (each.name === name ? [each.digest] : []))));
    const found: Row[] = [];
    for (const text of texts) {
      const parsed = text === undefined ? undefined : parseImport(kind, text);
      if (parsed === undefined || 'problems' in parsed) return undefined;
      found.push(...parsed.rows.map(({ row }) => row));
    }
    return found;
  };
  const [payments, earnings, readings] = [rows(paymentsImport(undefined)), rows(earningsImport(undefined)), rows(METERS_IMPORT)];
  return { payments: payments && paymentsInOrder(payments), earnings: earnings && earningsInOrder(earnings), readings: readings && readingsInOrder(readings) };
}

/** A file that is one of those whose digests were journaled under its name: an import that failed on the way leaves a digest without a file. */
function textOf(dataDirs: readonly string[], name: string, digests: readonly string[]): string | undefined {
  for (const dataDir of dataDirs) {
    const path = join(dataDir, name);
    if (!existsSync(path)) continue;
    const text = readFileSync(path, 'utf8');
    if (digests.includes(textDigest(text))) return text;
  }
  return undefined;
}
