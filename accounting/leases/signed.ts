/** Whether a counterparty has signed the amendments that a statement shows, as the statement says: it decides whether both results stand there. */
import { createHash } from 'node:crypto';
import { recordedTerms } from './agreed.ts';
import { countersignatureProblem, type Countersignature } from './agreement.ts';
import type { LeaseHistory } from './history.ts';
import type { IssuedStatement } from './issue.ts';
import type { Records } from './journaled.ts';
import { shows, type AmendmentNote } from './situation.ts';
import type { Finding } from './verify.ts';

/** Files that others made, and what the journals say of when they came. */
export interface Signed {
  readonly statements: readonly IssuedStatement[];
  readonly countersignatures: readonly Countersignature[];
  readonly records: Records;
}

/** As it is journaled when a countersignature is accepted. */
export function countersignatureRecord(found: Countersignature): { readonly name: string; readonly digest: string } {
  return { name: `${found.number} ${found.party}`, digest: createHash('sha256').update(JSON.stringify(found)).digest('hex') };
}

export function signedFindings({ statement }: IssuedStatement, history: LeaseHistory, signed: Signed): Finding[] {
  const issuedMs = Date.parse(statement.issuedAt);
  return statement.amendments.flatMap((note): Finding[] => {
    const text = `the amendment (${note.event}) recorded at ${note.recorded}`;
    const found = signaturesOf(note, statement.lease, history, signed);
    const before = found.find(({ at }) => Date.parse(at) <= issuedMs);
    if (note.signed && before === undefined) {
      return [{ ok: false, sentence: `It says that a counterparty has signed ${text}, and nothing here shows it: put the countersignature and the statement that it signs beside the file, or give the directory that holds \`statements\`.` }];
    }
    if (note.signed && before !== undefined) return [{ ok: true, sentence: `${before.party} signed ${text}, with ${before.number} at ${before.at}.` }];
    const kept = found.find((each) => isAccepted(each, signed.records, issuedMs));
    return kept === undefined ? [] : [{ ok: false, sentence: `It says that nobody has signed ${text}, and ${kept.party} had, with ${kept.number} at ${kept.at}.` }];
  });
}

/** Right ones, by a key of the party on record, of another party than the one whose amendment it is. */
function signaturesOf(note: AmendmentNote, lease: string, history: LeaseHistory, { statements, countersignatures }: Signed): Countersignature[] {
  const parties = recordedTerms(history, lease).map((terms) => terms.parties);
  return countersignatures.filter((found) => {
    const signs = statements.find(({ statement, digest }) => statement.number === found.number && digest === found.digest);
    return found.party !== note.by && signs !== undefined && shows(signs.statement, note) && parties.some((known) => countersignatureProblem(found, signs, known) === undefined);
  });
}

function isAccepted(found: Countersignature, { documents }: Records, byMs: number): boolean {
  const { name, digest } = countersignatureRecord(found);
  return documents.some((each) => each.kind === 'countersignature' && each.name === name && each.digest === digest && each.atMs <= byMs);
}
