/** Writes files that are whole or not there, on the disk when the call returns, and never replaced. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** SHA-256 of a file's text, hex: what the journal has of it. */
export function textDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Throws EEXIST when the file is there already. */
export function writeOnce(file: string, text: string, mode: number): void {
  const draft = `${file}.part`;
  rmSync(draft, { force: true });
  const descriptor = openSync(draft, 'wx', mode);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    // A link, because a rename would replace what somebody else has put there meanwhile.
    linkSync(draft, file);
  } finally {
    rmSync(draft);
  }
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
