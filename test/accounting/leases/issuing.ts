/** Issues a statement as the command does, but without a journal. */
import { keepStatement, nextStatement, type IssuedFile } from '../../../accounting/leases/issue.ts';

export function issueStatement(...given: Parameters<typeof nextStatement>): IssuedFile {
  const made = nextStatement(...given);
  if (made.isNew) keepStatement(made);
  return made;
}
