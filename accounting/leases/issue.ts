/**
 * Issued statements: numbered, signed, chained to the statement before of the same lease, kept as files that never change.
 * Repeating an issue gives the same bytes; what is wrong is corrected by a further revision that shows old, new and difference.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decimal, decimalText, minus } from './exact.ts';
import { writeOnce } from './files.ts';
import type { SigningKey } from './keys.ts';
import type { StatementDraft } from './statement.ts';
import { canonicalJson, digestOf } from './terms.ts';

export interface Correction {
  readonly of: string;
  readonly reason: string;
  readonly lines: readonly { readonly line: string; readonly currency: string; readonly old: string; readonly new: string; readonly difference: string }[];
}

/** A draft with what makes it a document. */
export type IssuedBody = StatementDraft & {
  readonly issuedAt: string;
  /** The statement of this lease that was issued before this one; undefined for its first. */
  readonly previous: { readonly number: string; readonly digest: string } | null;
  readonly correction: Correction | null;
};

export interface IssuedStatement {
  readonly statement: IssuedBody;
  /** SHA-256 over the canonical JSON of `statement`, hex. */
  readonly digest: string;
  /** Ed25519 over those same bytes, hex. */
  readonly signature: { readonly algorithm: 'ed25519'; readonly key: string; readonly publicKey: string; readonly value: string };
}

/** An issued statement and its file's exact text. */
export interface IssuedFile {
  readonly file: string;
  readonly text: string;
  readonly issued: IssuedStatement;
}

function folderOf(dataDir: string, lease: string): string {
  return join(dataDir, 'statements', lease);
}

/** Files of a lease's statements in the order in which they were issued, which their chain must have too. */
export function statementFiles(dataDir: string, lease: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folderOf(dataDir, lease));
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d{6}\.json$/.test(name))
    .toSorted()
    .map((name) => join(folderOf(dataDir, lease), name));
}

export function readStatementFile(file: string): IssuedFile {
  const text = readFileSync(file, 'utf8');
  return { file, text, issued: JSON.parse(text) as IssuedStatement };
}

/** All issued statements of a lease, in that order. */
export function issuedStatements(dataDir: string, lease: string): IssuedFile[] {
  return statementFiles(dataDir, lease).map(readStatementFile);
}

/** The bytes that are digested and signed. */
export function signedBytes(statement: unknown): Uint8Array {
  return Buffer.from(canonicalJson(statement));
}

/** The newest revision of a period; undefined when none was issued. */
export function latestOf(issued: readonly IssuedFile[], period: string): IssuedFile | undefined {
  return issued.findLast((each) => each.issued.statement.period.name === period);
}

/**
 * The statement that a draft becomes. Where its period has been issued, that statement is returned as it is, unless `correct`
 * names it and says why: then it is the next revision. Nothing is written: its digest is journaled first, then `keepStatement`
 * makes the file, so that there is no statement whose digest is not on record. Throws a sentence when `correct` names another
 * than the newest revision, when nothing would change, or when the period shares days with another that was issued.
 */
export function nextStatement(dataDir: string, draft: StatementDraft, key: SigningKey, nowMs: number, correct?: { readonly number: string; readonly reason: string }): IssuedFile & { readonly isNew: boolean } {
  const before = issuedStatements(dataDir, draft.lease);
  const standing = latestOf(before, draft.period.name);
  if (standing !== undefined && correct === undefined) return { ...standing, isNew: false };
  if (correct !== undefined && standing?.issued.statement.number !== correct.number) {
    throw new Error(`${correct.number} is not the newest statement of ${draft.lease} for ${draft.period.name}: ${standing === undefined ? 'none was issued' : `that is ${standing.issued.statement.number}`}`);
  }
  const twice = before.find(({ issued: { statement: { period } } }) => period.name !== draft.period.name && period.from < draft.period.to && draft.period.from < period.to);
  if (twice !== undefined) throw new Error(`${draft.period.name} shares days with ${twice.issued.statement.number}, which was issued: they would be charged twice. Issue periods that follow one another`);
  const old = standing?.issued.statement;
  if (old !== undefined && !differs(old, draft)) throw new Error(`nothing would change: by what is on record now ${draft.lease} for ${draft.period.name} comes to what ${old.number} says, in every figure, so there is nothing to correct`);
  const revision = old === undefined ? 0 : old.revision + 1;
  const last = before.at(-1)?.issued;
  const statement: IssuedBody = {
    ...draft,
    number: `${draft.lease}-${draft.period.name}/${revision}`,
    revision,
    state: 'issued',
    issuedAt: new Date(nowMs).toISOString(),
    previous: last === undefined ? null : { number: last.statement.number, digest: last.digest },
    correction: old === undefined || correct === undefined ? null : { of: old.number, reason: correct.reason, lines: correctedLines(old, draft) },
  };
  const { id, publicKey } = key.record;
  const issued: IssuedStatement = { statement, digest: digestOf(statement), signature: { algorithm: 'ed25519', key: id, publicKey, value: key.sign(signedBytes(statement)) } };
  // Named by its place in the chain alone: of two that are issued at one moment the second fails, and the chain has no fork.
  const file = join(folderOf(dataDir, draft.lease), `${String(before.length + 1).padStart(6, '0')}.json`);
  return { file, text: `${JSON.stringify(issued, null, 2)}\n`, issued, isNew: true };
}

/** Writes a new statement where it stays for ever. */
export function keepStatement({ file, text }: IssuedFile): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeOnce(file, text, 0o644);
}

/** What a revision alone does not justify: a file's digest says nothing by itself, and notes follow from the figures. */
const NO_FIGURES = { number: '', revision: 0, state: '', inventory: [], completeness: [] };

/** Whether a draft says anything else than an issued statement of its period: figures, terms, parties, what was stated. */
function differs({ issuedAt: _issued, previous: _previous, correction: _correction, ...old }: IssuedBody, draft: StatementDraft): boolean {
  return digestOf({ ...old, ...NO_FIGURES }) !== digestOf({ ...draft, ...NO_FIGURES });
}

/** Lines whose amount is another one now. */
export function correctedLines(old: StatementDraft, fresh: StatementDraft): Correction['lines'] {
  const key = (line: StatementDraft['lines'][number]): string => [line.date, line.component, line.payer, line.payee, line.currency].join(' ');
  // Two payments of one kind between two parties are told apart by their order.
  const numbered = (lines: StatementDraft['lines']): Map<string, StatementDraft['lines'][number]> => {
    const seen = new Map<string, number>();
    return new Map(lines.map((line) => {
      const count = (seen.get(key(line)) ?? 0) + 1;
      seen.set(key(line), count);
      return [`${key(line)}${count > 1 ? ` #${count}` : ''}`, line];
    }));
  };
  const [was, is] = [numbered(old.lines), numbered(fresh.lines)];
  return [...new Set([...was.keys(), ...is.keys()])].toSorted().flatMap((line) => {
    const currency = (is.get(line) ?? was.get(line))?.currency ?? '';
    const places = currency === 'BTC' ? 17 : 2;
    const [before, after] = [was.get(line)?.amount ?? '0', is.get(line)?.amount ?? '0'];
    const difference = minus(decimal(after), decimal(before));
    return difference.numerator === 0n ? [] : [{ line, currency, old: before, new: after, difference: decimalText(difference, places) }];
  });
}
