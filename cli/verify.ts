/** `verify`: whether a statement is what was issued, and whether the ledger still says the same. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readCountersignature } from '../accounting/leases/agreement.ts';
import { verifyFigures } from '../accounting/leases/figures.ts';
import { importedAt } from '../accounting/leases/imported.ts';
import { journaledFindings, recordsOf } from '../accounting/leases/journaled.ts';
import { listKeys } from '../accounting/leases/keys.ts';
import { proveInventory } from '../accounting/leases/inventory-proof.ts';
import type { IssuedStatement } from '../accounting/leases/issue.ts';
import { proveFigures, segmentsOf } from '../accounting/leases/proof.ts';
import { leaseHistory } from '../accounting/leases/history.ts';
import { recordFindings } from '../accounting/leases/on-record.ts';
import { signedFindings, type Signed } from '../accounting/leases/signed.ts';
import { readIssued, verifyIssued, wellFormed, type Finding } from '../accounting/leases/verify.ts';
import { LocalBook } from '../accounting/local-book.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import { wholeNumber, type ParsedOptions } from './options.ts';

const SAMPLE_MAX = 100_000_000;

export async function verify({ argument, text, flags }: ParsedOptions, io: Io): Promise<ExitCode> {
  if (argument === undefined) throw usageError('Say which statement: `weighbridge verify FILE`.');
  const content = readText(argument);
  const issued = readIssued(content);
  if (issued === undefined) throw new CommandError(`${argument} is not an issued statement: a draft has no signature to verify.`);
  const dirs = (text['data'] ?? '').split(',').filter((directory) => directory !== '').map((directory) => resolve(directory));
  for (const dir of dirs) if (!isDirectory(dir)) throw new CommandError(`--data ${dir} is no directory.`);
  const sample = text['sample'] === undefined ? undefined : wholeNumber('sample', text['sample'], SAMPLE_MAX);
  const files = [...filesIn(dirname(argument)), ...dirs.flatMap((directory) => filesIn(join(directory, 'statements', issued.statement.lease)))].filter((file) => resolve(file) !== resolve(argument)).map(readText);
  const others = files.flatMap((each) => readIssued(each) ?? []);
  const records = recordsOf(dirs);
  const signed = { statements: [issued, ...others], countersignatures: files.flatMap((each) => readCountersignature(each) ?? []), records };
  const keys = dirs.map(listKeys).find((found) => found.length > 0) ?? [];
  const findings = [
    ...(isPlain(content) ? [] : [{ ok: false, sentence: 'A name stands twice in one object of the file: which of the two was signed is not what every reader sees.' }]),
    ...verifyIssued(issued, others, keys),
    ...(dirs.length === 0 ? [] : wellFormed(() => journaledFindings(issued, records))),
    ...(await figuresOf(issued, { dirs, others, signed, sample, io })),
  ];
  const ok = findings.every((finding) => finding.ok);
  if (flags.has('json')) io.out(JSON.stringify({ file: argument, number: issued.statement.number, ok, findings }, null, 2));
  else io.out([...findings.map((finding) => `${finding.ok ? 'ok   ' : 'WRONG'}  ${finding.sentence}`), `${issued.statement.number} ${ok ? 'is right.' : 'is wrong.'}`].join('\n'));
  return ok ? EXIT.ok : EXIT.failed;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

interface Given {
  readonly dirs: readonly string[];
  readonly others: readonly IssuedStatement[];
  readonly signed: Signed;
  readonly sample: number | undefined;
  readonly io: Io;
}

/** From the journals where there are any of the period, else from the first ledger. */
async function figuresOf(issued: IssuedStatement, { dirs, others, signed, sample, io }: Given): Promise<Finding[]> {
  const [first] = dirs;
  if (first === undefined) return [];
  try {
    if (segmentsOf(issued, dirs).length > 0) return await proveFigures(issued, dirs, { world: io.world, others, signed, ...(sample === undefined ? {} : { sample }) });
  } catch (error) {
    throw new CommandError(`The journals cannot be verified: ${error instanceof Error ? error.message : String(error)}`);
  }
  const book = LocalBook.open(first);
  const [history, inventory] = [leaseHistory(...dirs), proveInventory(issued, dirs)];
  try {
    return [...wellFormed(() => [...recordFindings(issued, history, 'ledger'), ...signedFindings(issued, history, signed)]), ...inventory.findings, ...(await verifyFigures(issued, { book, source: 'ledger', history, others, imported: importedAt(dirs, signed.records, Date.parse(issued.statement.issuedAt)), inventory }))];
  } finally {
    book.close();
  }
}

/** Whether the text says no more than its values: JSON takes the last of two equal names, and a reader may see the first. */
function isPlain(text: string): boolean {
  const bare = text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
  return bare === JSON.stringify(JSON.parse(text));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
  }
}

/** Files that may be statements or countersignatures; none where there is no such folder. */
function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.json')).map((name) => join(directory, name));
  } catch {
    return [];
  }
}
