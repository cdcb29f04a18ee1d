/** `verify`: whether a statement is what was issued, and whether the ledger still says the same. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { listKeys } from '../accounting/leases/keys.ts';
import type { IssuedStatement } from '../accounting/leases/issue.ts';
import { readIssued, verifyIssued, verifyFigures } from '../accounting/leases/verify.ts';
import { LocalBook } from '../accounting/local-book.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';

export async function verify({ argument, text, flags }: ParsedOptions, io: Io): Promise<ExitCode> {
  if (argument === undefined) throw usageError('Say which statement: `weighbridge verify FILE`.');
  const issued = readIssued(readText(argument));
  if (issued === undefined) throw new CommandError(`${argument} is not an issued statement: a draft has no signature to verify.`);
  const data = text['data'];
  const findings = verifyIssued(issued, [...beside(argument), ...(data === undefined ? [] : beside(join(data, 'statements', issued.statement.lease, 'x')))], data === undefined ? [] : listKeys(data));
  if (data !== undefined) {
    const book = LocalBook.open(data);
    try {
      findings.push(...(await verifyFigures(issued, book)));
    } finally {
      book.close();
    }
  }
  const ok = findings.every((finding) => finding.ok);
  if (flags.has('json')) io.out(JSON.stringify({ file: argument, number: issued.statement.number, ok, findings }, null, 2));
  else io.out([...findings.map((finding) => `${finding.ok ? 'ok   ' : 'WRONG'}  ${finding.sentence}`), `${issued.statement.number} ${ok ? 'is right.' : 'is wrong.'}`].join('\n'));
  return ok ? EXIT.ok : EXIT.failed;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
  }
}

/** Issued statements in the folder of a file, except that file. */
function beside(file: string): IssuedStatement[] {
  let names: string[];
  try {
    names = readdirSync(dirname(file));
  } catch {
    return [];
  }
  return names.filter((name) => name.endsWith('.json') && name !== basename(file)).flatMap((name) => readIssued(readText(join(dirname(file), name))) ?? []);
}
