/**
 * What happens to an issued statement afterwards: the counterparty signs it too, or disputes it. Each is a file beside the
 * statement that never changes; what the statement is worth today follows from them and from the clock.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PartyConfig } from '../../config/leases.ts';
import type { Span } from './excused.ts';
import { writeOnce } from './files.ts';
import { latestOf, readStatementFile, statementFiles, type IssuedFile, type IssuedStatement } from './issue.ts';
import { isSignedBy, type SigningKey } from './keys.ts';
import { canonicalJson } from './terms.ts';

/** Made by the counterparty with a key of its own, over the digest of the whole statement. */
export interface Countersignature {
  readonly what: 'countersignature';
  readonly number: string;
  readonly digest: string;
  readonly party: string;
  /** ISO 8601, UTC, by the counterparty's clock. */
  readonly at: string;
  readonly signature: { readonly algorithm: 'ed25519'; readonly key: string; readonly publicKey: string; readonly value: string };
}

export interface Dispute {
  readonly what: 'dispute';
  readonly number: string;
  readonly digest: string;
  readonly by: string;
  readonly reason: string;
  readonly at: string;
}

export type StatementState = 'issued' | 'disputed' | 'superseded' | 'final';

/** 30 days in which a statement may be disputed. */
export const DISPUTABLE_MS = 30 * 86_400_000;
const COUNTERSIGNED = /^(\d{6})\.([A-Za-z0-9._-]+)\.countersigned\.json$/;
const DISPUTED = '.disputed.json';

function signedPart({ what, number, digest, party, at }: Omit<Countersignature, 'signature'>): Uint8Array {
  return Buffer.from(canonicalJson({ what, number, digest, party, at }));
}

/** Signs a statement on behalf of `party`; the file goes back to who issued it. */
export function countersign({ statement, digest }: IssuedStatement, party: string, key: SigningKey, nowMs: number): Countersignature {
  const part = { what: 'countersignature' as const, number: statement.number, digest, party, at: new Date(nowMs).toISOString() };
  const { id, publicKey } = key.record;
  return { ...part, signature: { algorithm: 'ed25519', key: id, publicKey, value: key.sign(signedPart(part)) } };
}

/** What is wrong with a countersignature of this statement, as a sentence; undefined when nothing is. */
export function countersignatureProblem(found: Countersignature, { statement, digest }: IssuedStatement, parties: Readonly<Record<string, Pick<PartyConfig, 'key'>>>): string | undefined {
  if (found.number !== statement.number || found.digest !== digest) return `it signs ${found.number} with digest ${found.digest.slice(0, 16)}…, and not ${statement.number} with digest ${digest.slice(0, 16)}…`;
  const key = parties[found.party]?.key;
  if (!statement.parties.some(({ id }) => id === found.party)) return `${found.party} is not a party of ${statement.number}`;
  if (key === undefined) return `parties.${found.party}.key is not set: put the public key there on which you agreed with this party`;
  if (key !== found.signature.publicKey) return `it is signed by key ${found.signature.publicKey.slice(0, 16)}…, and parties.${found.party}.key is ${key.slice(0, 16)}…`;
  return isSignedBy(key, signedPart(found), found.signature.value) ? undefined : 'its signature does not fit what it says: it was changed';
}

/** Whether a file's value has the shape of a countersignature; nothing in it is trusted yet. */
export function readCountersignature(text: string): Countersignature | undefined {
  try {
    const value = JSON.parse(text) as Partial<Countersignature> | null;
    const texts = [value?.number, value?.digest, value?.party, value?.at, value?.signature?.key, value?.signature?.publicKey, value?.signature?.value];
    return value?.what === 'countersignature' && texts.every((each) => typeof each === 'string') ? (value as Countersignature) : undefined;
  } catch {
    return undefined;
  }
}

function beside(file: string, ending: string): string {
  return `${file.slice(0, -'.json'.length)}${ending}`;
}

/** Writes a file that is not there yet; one that says the same is taken for it. */
function keep(file: string, value: Countersignature | Dispute): boolean {
  if (existsSync(file)) return false;
  writeOnce(file, `${JSON.stringify(value, null, 2)}\n`, 0o644);
  return true;
}

/** Keeps a countersignature that was found to be right. False when this party has signed already. */
export function keepCountersignature(statement: IssuedFile, value: Countersignature): boolean {
  return keep(beside(statement.file, `.${value.party}.countersigned.json`), value);
}

/** Keeps a dispute. False when the statement is disputed already: its first reason stands. */
export function keepDispute(statement: IssuedFile, by: string, reason: string, nowMs: number): Dispute | undefined {
  const { statement: { number }, digest } = statement.issued;
  const value: Dispute = { what: 'dispute', number, digest, by, reason, at: new Date(nowMs).toISOString() };
  return keep(beside(statement.file, DISPUTED), value) ? value : undefined;
}

/** Countersignatures beside a statement, in the order of the parties. */
export function countersignatures({ file }: IssuedFile): Countersignature[] {
  const own = file.slice(dirname(file).length + 1, -'.json'.length);
  return readdirSync(dirname(file)).toSorted().flatMap((name) => {
    if (COUNTERSIGNED.exec(name)?.[1] !== own) return [];
    return readCountersignature(readFileSync(join(dirname(file), name), 'utf8')) ?? [];
  });
}

export function disputeOf({ file }: IssuedFile): Dispute | undefined {
  const path = beside(file, DISPUTED);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Dispute) : undefined;
}

/**
 * What a statement is today: superseded by a later revision; disputed until it is corrected or the party that disputes it
 * signs it all the same; final 30 days after its issue; else issued.
 */
export function stateOf(each: IssuedFile, all: readonly IssuedFile[], nowMs: number): StatementState {
  const { statement } = each.issued;
  if (latestOf(all, statement.period.name)?.issued.statement.revision !== statement.revision) return 'superseded';
  const dispute = disputeOf(each);
  if (dispute !== undefined && !countersignatures(each).some(({ party }) => party === dispute.by)) return 'disputed';
  return nowMs - Date.parse(statement.issuedAt) >= DISPUTABLE_MS ? 'final' : 'issued';
}

/** The end of a chain in which a statement may not be final: what is older than 30 days and was never disputed is not read. */
function recent(files: readonly string[], nowMs: number): IssuedFile[] {
  const firstDisputed = files.findIndex((file) => existsSync(beside(file, DISPUTED)));
  const found: IssuedFile[] = [];
  for (let index = files.length - 1; index >= 0; index -= 1) {
    const each = readStatementFile(files[index] ?? '');
    const old = nowMs - Date.parse(each.issued.statement.issuedAt) >= DISPUTABLE_MS;
    if (old && (firstDisputed < 0 || index < firstDisputed)) break;
    found.unshift(each);
  }
  return found;
}

/** Periods under statements that are not final: journals of that time must be kept. Milliseconds since 1970. */
export function heldPeriods(dataDir: string, nowMs: number): Span[] {
  let leases: string[];
  try {
    leases = readdirSync(join(dataDir, 'statements'));
  } catch {
    return [];
  }
  return leases.flatMap((lease) => {
    const all = recent(statementFiles(dataDir, lease), nowMs);
    return all.flatMap((each) => {
      const state = stateOf(each, all, nowMs);
      const { from, to } = each.issued.statement.period;
      return state === 'issued' || state === 'disputed' ? [{ fromMs: Date.parse(from), toMs: Date.parse(to) }] : [];
    });
  });
}
