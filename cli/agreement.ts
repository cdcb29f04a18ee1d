/** `statement countersign|accept|dispute`: what the counterparty does with an issued statement. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { countersign, countersignatureProblem, keepCountersignature, keepDispute, readCountersignature, stateOf } from '../accounting/leases/agreement.ts';
import { issuedStatements, type IssuedFile } from '../accounting/leases/issue.ts';
import { countersignatureRecord } from '../accounting/leases/signed.ts';
import { signingKey } from '../accounting/leases/keys.ts';
import { readIssued } from '../accounting/leases/verify.ts';
import type { Config } from '../config/schema.ts';
import { keyDirectory } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError, writeOut } from './io.ts';
import { recordDocument } from './record.ts';
import { reasonText, type ParsedOptions } from './options.ts';

function needed(options: ParsedOptions, name: string, what: string): string {
  const value = options.text[name];
  if (value === undefined) throw usageError(`Say ${what}: --${name}.`);
  return value;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
  }
}

/** On the counterparty's own computer, with its own keys: neither ledger nor configuration is needed. */
export function countersignFile(options: ParsedOptions, io: Io): ExitCode {
  const file = needed(options, 'file', 'which statement to sign');
  const party = needed(options, 'by', 'as which party you sign');
  const issued = readIssued(textOf(file));
  if (issued === undefined) throw new CommandError(`${file} is not an issued statement.`);
  if (!issued.statement.parties.some(({ id }) => id === party)) {
    throw usageError(`--by ${party} is not a party of ${issued.statement.number}: there is ${issued.statement.parties.map(({ id }) => id).join(', ')}.`);
  }
  const value = `${JSON.stringify(countersign(issued, party, signingKey(keyDirectory(options), io.world), io.world.wallMs()), null, 2)}\n`;
  const { out } = options.text;
  if (out === undefined) io.out(value);
  else writeOut(out, value);
  return EXIT.ok;
}

function statementOf(config: Config, lease: string, number: string): { readonly file: IssuedFile; readonly all: readonly IssuedFile[] } {
  const all = issuedStatements(config.data, lease);
  const file = all.find((each) => each.issued.statement.number === number);
  if (file === undefined) throw new CommandError(`There is no statement ${number} of ${lease}: there is ${all.map((each) => each.issued.statement.number).join(', ') || 'none'}.`);
  return { file, all };
}

/** Keeps a countersignature that came back. */
export async function acceptCountersignature(config: Config, lease: string, options: ParsedOptions, io: Io): Promise<ExitCode> {
  const path = needed(options, 'file', 'which countersignature');
  const found = readCountersignature(textOf(path));
  if (found === undefined) throw new CommandError(`${path} is no countersignature: the counterparty makes one with \`weighbridge statement countersign\`.`);
  const { file } = statementOf(config, lease, found.number);
  const problem = countersignatureProblem(found, file.issued, config.parties ?? {});
  if (problem !== undefined) throw new CommandError(`${path} is refused: ${problem}.`);
  const record = countersignatureRecord(found);
  await recordDocument(config.data, 'countersignature', record.name, record.digest, io.world);
  const isNew = keepCountersignature(file, found);
  io.out(isNew ? `${found.party} has signed ${found.number} on ${found.at.slice(0, 10)}.` : `${found.party} had signed ${found.number} already.`);
  return EXIT.ok;
}

export async function disputeStatement(config: Config, lease: string, options: ParsedOptions, io: Io): Promise<ExitCode> {
  const number = needed(options, 'number', 'which statement');
  const by = needed(options, 'by', 'who disputes it');
  const reason = reasonText(needed(options, 'reason', 'why'));
  const { file, all } = statementOf(config, lease, number);
  const { parties } = file.issued.statement;
  if (!parties.some(({ id }) => id === by)) throw usageError(`--by ${by} is not a party of ${number}: there is ${parties.map(({ id }) => id).join(', ')}.`);
  const state = stateOf(file, all, io.world.wallMs());
  if (state !== 'issued') throw new CommandError(`${number} is ${state}: ${STANDING[state]}.`);
  const digest = createHash('sha256').update(JSON.stringify({ number, by, reason })).digest('hex');
  await recordDocument(config.data, 'dispute', number, digest, io.world);
  keepDispute(file, by, reason, io.world.wallMs());
  io.out(`${number} is disputed by ${by}. Its journals are kept until it is corrected (\`statement issue --correct ${number} --reason TEXT\`) or ${by} signs it.`);
  return EXIT.ok;
}

const STANDING = {
  disputed: 'its first dispute stands', superseded: 'dispute the revision that replaced it', final: 'its 30 days are over',
} as const;
