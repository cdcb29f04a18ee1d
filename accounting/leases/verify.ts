/** Checks an issued statement by itself: its digest, its signature, the keys up to it, and its place in the chain of its lease. */
import { isSignedBy, keyId, keyProblem, type PublicKeyRecord } from './keys.ts';
import { signedBytes, type IssuedBody, type IssuedStatement } from './issue.ts';
import { digestOf } from './terms.ts';

export interface Finding {
  readonly ok: boolean;
  readonly sentence: string;
}

/** What `find` finds; a statement that is in no form to be looked at is wrong, whatever else it is. */
export function wellFormed(find: () => Finding[]): Finding[] {
  try {
    return find();
  } catch (error) {
    return [{ ok: false, sentence: `It has not the form of a statement: ${error instanceof Error ? error.message : String(error)}.` }];
  }
}

/** Whether a file's value has the shape of an issued statement; nothing in it is trusted yet. */
export function readIssued(text: string): IssuedStatement | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const has = (object: unknown, key: string): boolean => typeof object === 'object' && object !== null && Object.hasOwn(object, key);
  const shaped = has(value, 'statement') && has(value, 'digest') && has(value, 'signature');
  return shaped && has((value as IssuedStatement).statement, 'number') && has((value as IssuedStatement).signature, 'publicKey') ? (value as IssuedStatement) : undefined;
}

/**
 * @param others Other issued statements of the lease, as far as they are at hand.
 * @param keys The row of keys that is trusted; empty when none is known.
 */
export function verifyIssued(issued: IssuedStatement, others: readonly IssuedStatement[], keys: readonly PublicKeyRecord[]): Finding[] {
  const { statement, signature } = issued;
  const digest = digestOf(statement) === issued.digest;
  const signed = isSignedBy(signature.publicKey, signedBytes(statement), signature.value);
  const shaped = isShaped(issued);
  return [
    ...(shaped ? [] : [{ ok: false, sentence: 'It has more in it than a statement, its digest and an Ed25519 signature: nothing of that was signed.' }]),
    { ok: digest, sentence: digest ? `The digest ${issued.digest.slice(0, 16)}… is that of the statement.` : 'The digest is not that of the statement: it was changed after it was issued.' },
    { ok: signed, sentence: signed ? `Signed by key ${signature.key}.` : `The signature is not by the key ${signature.key} that it names.` },
    keyFinding(issued, keys),
    ...chainFindings(issued, others),
  ];
}

/** Nothing stands beside what is signed, and the key's id is that of its bytes. */
function isShaped(issued: IssuedStatement): boolean {
  const only = (object: object, keys: readonly string[]): boolean => Object.keys(object).every((key) => keys.includes(key));
  return only(issued, ['statement', 'digest', 'signature']) && only(issued.signature, ['algorithm', 'key', 'publicKey', 'value']) && issued.signature.algorithm === 'ed25519';
}

function keyFinding({ signature }: IssuedStatement, keys: readonly PublicKeyRecord[]): Finding {
  if (keyId(signature.publicKey) !== signature.key) return { ok: false, sentence: `Key ${signature.key} does not have the id of its bytes.` };
  if (keys.length === 0) return { ok: true, sentence: `Compare the key with the one you were given: ${signature.publicKey}.` };
  const problem = keyProblem(keys);
  if (problem !== undefined) return { ok: false, sentence: problem };
  const known = keys.some(({ id, publicKey }) => id === signature.key && publicKey === signature.publicKey);
  return { ok: known, sentence: known ? `Key ${signature.key} is one of the ${keys.length} of this instance, each signed by the one before.` : `Key ${signature.key} is not one of this instance.` };
}

/** The statements before one, the oldest first, as far as each is at hand and is the one that the next was chained to; whether that is all of them. */
export function chainOf(issued: IssuedStatement, others: readonly IssuedStatement[]): { readonly chain: readonly IssuedBody[]; readonly whole: boolean } {
  const chain: IssuedBody[] = [];
  for (let { previous } = issued.statement; previous !== null && chain.length <= others.length; ) {
    const { number, digest } = previous;
    const before = others.find((other) => other.statement.number === number && other.digest === digest && digestOf(other.statement) === digest);
    if (before === undefined) return { chain, whole: false };
    chain.unshift(before.statement);
    ({ previous } = before.statement);
  }
  return { chain, whole: chain.length <= others.length };
}

function chainFindings(issued: IssuedStatement, others: readonly IssuedStatement[]): Finding[] {
  const findings: Finding[] = [];
  let at = issued;
  for (;;) {
    const { previous, lease, number } = at.statement;
    if (previous === null) return [...findings, { ok: true, sentence: `${number} is the first statement of ${lease}.` }];
    const before = others.find(({ statement }) => statement.number === previous.number);
    if (before === undefined) return [...findings, { ok: true, sentence: `${previous.number}, which came before ${number}, is not at hand: the chain was not followed further.` }];
    const whole = digestOf(before.statement) === previous.digest && before.digest === previous.digest;
    findings.push({ ok: whole, sentence: whole ? `${previous.number} came before ${number}, unchanged.` : `${previous.number} is not the statement that ${number} was chained to: one of them was changed.` });
    if (!whole || findings.length > others.length) return findings;
    at = before;
  }
}

