/**
 * The keys that sign statements: Ed25519, one file for each in the folder `keys` of the data directory, the newest signs.
 * Every key but the first is signed by the one before it, so whoever trusts one trusts those after it.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../../config/world.ts';
import { writeOnce } from './files.ts';
import { canonicalJson } from './terms.ts';

/** What others may see of a key. Binary values are hex. */
export interface PublicKeyRecord {
  /** First 16 hex digits of SHA-256 over the 32 bytes of the public key. */
  readonly id: string;
  readonly publicKey: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Id of the key before, '' of the first. */
  readonly signedBy: string;
  /** Of the key before over the canonical JSON of the fields above; '' of the first. */
  readonly signature: string;
}

export interface SigningKey {
  readonly record: PublicKeyRecord;
  /** Ed25519 over the bytes, hex. */
  sign(bytes: Uint8Array): string;
}

/** DER before the 32 bytes of a private key (PKCS #8) and of a public one (SPKI), RFC 8410. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const PUBLIC_KEY = /^[0-9a-f]{64}$/;

function folderOf(dataDir: string): string {
  return join(dataDir, 'keys');
}

/** First 16 hex digits of SHA-256 over the bytes of a public key. */
export function keyId(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'hex')).digest('hex').slice(0, 16);
}

function publicObject(publicKey: string): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, Buffer.from(publicKey, 'hex')]), format: 'der', type: 'spki' });
}

/** Whether `signature` (hex) over the bytes is by this key (hex). False also for anything malformed. */
export function isSignedBy(publicKey: string, bytes: Uint8Array, signature: string): boolean {
  if (!PUBLIC_KEY.test(publicKey) || !/^[0-9a-f]{128}$/.test(signature)) return false;
  return verify(null, bytes, publicObject(publicKey), Buffer.from(signature, 'hex'));
}

function unsigned({ id, publicKey, createdAt, signedBy }: PublicKeyRecord): Uint8Array {
  return Buffer.from(canonicalJson({ id, publicKey, createdAt, signedBy }));
}

/** All keys of a data directory, the oldest first. Throws a sentence when a file is not what it should be. */
export function listKeys(dataDir: string): PublicKeyRecord[] {
  let names: string[];
  try {
    names = readdirSync(folderOf(dataDir));
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d{4}\.json$/.test(name))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(folderOf(dataDir), name), 'utf8')) as PublicKeyRecord);
}

/** The first thing wrong with a row of keys, as a sentence; undefined when each is signed by the one before. */
export function keyProblem(keys: readonly PublicKeyRecord[]): string | undefined {
  for (const [index, key] of keys.entries()) {
    if (!PUBLIC_KEY.test(key.publicKey) || key.id !== keyId(key.publicKey)) return `Key ${key.id} does not have the id of its bytes.`;
    const before = keys[index - 1];
    if (before === undefined) continue;
    if (key.signedBy !== before.id || !isSignedBy(before.publicKey, unsigned(key), key.signature)) return `Key ${key.id} is not signed by key ${before.id}, which came before it.`;
  }
  return undefined;
}

/** The newest key; makes the first one where there is none. */
export function signingKey(dataDir: string, world: World): SigningKey {
  const keys = listKeys(dataDir);
  const newest = keys.at(-1);
  if (newest === undefined) return rotateKey(dataDir, world);
  return keyOf(newest, readSecret(dataDir, keys.length));
}

/** Makes a new key, signed by the one before. Old ones stay: what they signed must still be verified. */
export function rotateKey(dataDir: string, world: World): SigningKey {
  const keys = listKeys(dataDir);
  const before = keys.at(-1);
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, world.random.bytes(32)]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length).toString('hex');
  const fresh = { id: keyId(publicKey), publicKey, createdAt: new Date(world.wallMs()).toISOString(), signedBy: before?.id ?? '', signature: '' };
  const signature = before === undefined ? '' : sign(null, unsigned(fresh), readSecret(dataDir, keys.length)).toString('hex');
  const record: PublicKeyRecord = { ...fresh, signature };
  mkdirSync(folderOf(dataDir), { recursive: true, mode: 0o700 });
  const name = fileName(keys.length + 1);
  // The secret first: a public record without it would be a key that cannot sign.
  writeOnce(join(folderOf(dataDir), `${name}.pem`), String(secret.export({ format: 'pem', type: 'pkcs8' })), 0o600);
  writeOnce(join(folderOf(dataDir), `${name}.json`), `${JSON.stringify(record, null, 2)}\n`, 0o644);
  return keyOf(record, secret);
}

function fileName(number: number): string {
  return String(number).padStart(4, '0');
}

function readSecret(dataDir: string, number: number): KeyObject {
  const file = join(folderOf(dataDir), `${fileName(number)}.pem`);
  try {
    return createPrivateKey(readFileSync(file));
  } catch (error) {
    throw new Error(`the signing key ${file} cannot be read: restore it, or make another with \`weighbridge keys rotate\` once the old one is back`, { cause: error });
  }
}

function keyOf(record: PublicKeyRecord, secret: KeyObject): SigningKey {
  return { record, sign: (bytes) => sign(null, bytes, secret).toString('hex') };
}
