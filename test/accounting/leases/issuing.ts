/** Issues a statement as the command does, but without a journal. */
import { countersignatures, type Countersignature } from '../../../accounting/leases/agreement.ts';
import { keepStatement, nextStatement, type IssuedFile } from '../../../accounting/leases/issue.ts';

export function issueStatement(...given: Parameters<typeof nextStatement>): IssuedFile {
  const made = nextStatement(...given);
  if (made.isNew) keepStatement(made);
  return made;
}

/** Countersignatures that were accepted of any of these statements. */
export function listCountersignatures(all: readonly IssuedFile[]): Countersignature[] {
  return all.flatMap(countersignatures);
}
