/** `verify`: whether a statement is what was issued, and whether the ledger still says the same. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { listKeys } from '../accounting/leases/keys.ts';
import { proveInventory } from '../accounting/leases/inventory-proof.ts';
import type { IssuedStatement } from '../accounting/leases/issue.ts';
import { proveFigures, segmentsOf } from '../accounting/leases/proof.ts';
import { leaseHistory } from '../accounting/leases/history.ts';
import { recordFindings } from '../accounting/leases/on-record.ts';
import { readIssued, verifyIssued, verifyFigures, type Finding } from '../accounting/leases/verify.ts';
import { LocalBook } from '../accounting/local-book.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import { wholeNumber, type ParsedOptions } from './options.ts';

const SAMPLE_MAX = 100_000_000;

export async function verify({ argument, text, flags }: ParsedOptions, io: Io): Promise<ExitCode> {
  if (argument === undefined) throw usageError('Say which statement: `weighbridge verify FILE`.');
  const issued = readIssued(readText(argument));
  if (issued === undefined) throw new CommandError(`${argument} is not an issued statement: a draft has no signature to verify.`);
  const dirs = (text['data'] ?? '').split(',').filter((directory) => directory !== '').map((directory) => resolve(directory));
  for (const dir of dirs) if (!isDirectory(dir)) throw new CommandError(`--data ${dir} is no directory.`);
  const sample = text['sample'] === undefined ? undefined : wholeNumber('sample', text['sample'], SAMPLE_MAX);
  const known = dirs.flatMap((directory) => beside(join(directory, 'statements', issued.statement.lease, 'x')));
  const keys = dirs.map(listKeys).find((found) => found.length > 0) ?? [];
  const findings = [...verifyIssued(issued, [...beside(argument), ...known], keys), ...(await figuresOf(issued, dirs, sample, io))];
  const ok = findings.every((finding) => finding.ok);
  if (flags.has('json')) io.out(JSON.stringify({ file: argument, number: issued.statement.number, ok, findings }, null, 2));
  else io.out([...findings.map((finding) => `${finding.ok ? 'ok   ' : 'WRONG'}  ${finding.sentence}`), `${issued.statement.number} ${ok ? 'is right.' : 'is wrong.'}`].join('\n'));
  return ok ? EXIT.ok : EXIT.failed;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** From the journals where there are any of the period, else from the first ledger. */
async function figuresOf(issued: IssuedStatement, dirs: readonly string[], sample: number | undefined, io: Io): Promise<Finding[]> {
  const [first] = dirs;
  if (first === undefined) return [];
  try {
    if (segmentsOf(issued, dirs).length > 0) return await proveFigures(issued, dirs, { world: io.world, ...(sample === undefined ? {} : { sample }) });
  } catch (error) {
    throw new CommandError(`The journals cannot be verified: ${error instanceof Error ? error.message : String(error)}`);
  }
  const book = LocalBook.open(first);
  try {
    const inventory = proveInventory(issued, dirs);
    return [...recordFindings(issued, leaseHistory(...dirs), 'ledger'), ...inventory.findings, ...(await verifyFigures(issued, book, 'ledger', inventory.rows))];
  } finally {
    book.close();
  }
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
