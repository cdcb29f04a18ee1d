/**
 * Issued statements: numbered, signed, chained to the statement before of the same lease, kept as files that never change.
 * Repeating an issue gives the same bytes; what is wrong is corrected by a further revision that shows old, new and difference.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** Issued statements of a lease in the order in which they were issued, which their chain must have too. */
export function issuedStatements(dataDir: string, lease: string): IssuedFile[] {
  let names: string[];
  try {
    names = readdirSync(folderOf(dataDir, lease));
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d{6}\.json$/.test(name))
    .toSorted()
    .map((name) => {
      const file = join(folderOf(dataDir, lease), name);
      const text = readFileSync(file, 'utf8');
      return { file, text, issued: JSON.parse(text) as IssuedStatement };
    });
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
 * Issues a draft. Where its period has been issued, that statement is returned as it is, unless `correct` names it and says
 * why: then the next revision is issued. Throws a sentence when `correct` names another than the newest revision.
 */
export function issueStatement(dataDir: string, draft: StatementDraft, key: SigningKey, nowMs: number, correct?: { readonly number: string; readonly reason: string }): IssuedFile {
  const before = issuedStatements(dataDir, draft.lease);
  const standing = latestOf(before, draft.period.name);
  if (standing !== undefined && correct === undefined) return standing;
  if (correct !== undefined && standing?.issued.statement.number !== correct.number) {
    throw new Error(`${correct.number} is not the newest statement of ${draft.lease} for ${draft.period.name}: ${standing === undefined ? 'none was issued' : `that is ${standing.issued.statement.number}`}`);
  }
  const old = standing?.issued.statement;
  const revision = old === undefined ? 0 : old.revision + 1;
  const last = before.at(-1)?.issued;
  const statement: IssuedBody = {
    ...draft,
    number: `${draft.lease}-${draft.period.name}/${revision}`,
    revision,
    state: 'issued',
    issuedAt: new Date(nowMs).toISOString(),
    previous: last === undefined ? null : { number: last.statement.number, digest: last.digest },
    correction: old === undefined || correct === undefined ? null : { of: old.number, reason: correct.reason, lines: differences(old, draft) },
  };
  const { id, publicKey } = key.record;
  const issued: IssuedStatement = { statement, digest: digestOf(statement), signature: { algorithm: 'ed25519', key: id, publicKey, value: key.sign(signedBytes(statement)) } };
  const folder = folderOf(dataDir, draft.lease);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Named by its place in the chain alone: of two that are issued at one moment the second fails, and the chain has no fork.
  const file = join(folder, `${String(before.length + 1).padStart(6, '0')}.json`);
  const text = `${JSON.stringify(issued, null, 2)}\n`;
  writeOnce(file, text, 0o644);
  return { file, text, issued };
}

/** Lines whose amount is another one now. */
function differences(old: StatementDraft, fresh: StatementDraft): Correction['lines'] {
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

/** 30 days in which a statement may be disputed. */
const FINAL_AFTER_MS = 30 * 86_400_000;

/** What a statement is today: superseded by a later revision, final after 30 days, else issued. */
export function stateOf(each: IssuedFile, all: readonly IssuedFile[], nowMs: number): 'issued' | 'superseded' | 'final' {
  const { statement } = each.issued;
  if (latestOf(all, statement.period.name)?.issued.statement.revision !== statement.revision) return 'superseded';
  return nowMs - Date.parse(statement.issuedAt) >= FINAL_AFTER_MS ? 'final' : 'issued';
}
