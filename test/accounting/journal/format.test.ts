/** The format as docs/journal.md tells it to a stranger: its example is true, and a reader written from it alone agrees. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FACT_TYPES, FIRST_FACT_TYPE } from '../../../accounting/journal/fact-types.ts';
import { EXAMPLE_NAME, EXAMPLE_SHARE, exampleSegment } from './example.ts';
import { eventsOf, temporaryDirectory } from './support.ts';

const documentText = readFileSync(join(process.cwd(), 'docs/journal.md'), 'utf8');

/** Only what the document says: frames, seeds, types. */
function* strangersReader(file: Buffer, name: string): Generator<{ offset: number; type: number; fields: Buffer }> {
  const salt = crc32(name);
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32LE(at);
    const body = file.subarray(at + 8, at + 8 + length);
    const seed = ((body[0] === 1 ? 0 : salt) + at) % 2 ** 32;
    if (crc32(body, seed) !== file.readUInt32LE(at + 4)) throw new Error(`record at ${at} is damaged`);
    yield { offset: at, type: body[0] ?? 0, fields: body.subarray(1) };
    at += 8 + length;
  }
}

describe('the document', () => {
  it('prints a true segment', () => {
    const printed = /```hex\n([0-9a-f\s]+)```/.exec(documentText)?.[1] ?? '';
    expect(printed.replaceAll(/\s/g, '')).toBe(exampleSegment().toString('hex'));
  });

  it('lists every type with its number', () => {
    const listed = [...documentText.matchAll(/^### (\d+) ([a-z-]+)$/gm)].map(([, number, type]) => [Number(number), type]);
    expect(listed).toEqual(FACT_TYPES.map((type, index) => [FIRST_FACT_TYPE + index, type]));
  });

  it('suffices to write a reader', () => {
    const records = [...strangersReader(exampleSegment(), EXAMPLE_NAME)];
    expect(records.map((record) => record.type)).toEqual([1, 24, 2]);
    const [header, share, marker] = records;
    expect(JSON.parse(header?.fields.subarray(2).toString('utf8') ?? '')).toMatchObject({ format: 1, segment: EXAMPLE_NAME, sequence: 1 });
    expect(share?.fields.readUIntLE(0, 6)).toBe(EXAMPLE_SHARE.atMs);
    expect(marker?.fields.readUIntLE(0, 6)).toBe(marker?.offset);
  });

  it('and its example is read by ours', () => {
    const path = join(temporaryDirectory(), `${EXAMPLE_NAME}.wbj`);
    writeFileSync(path, exampleSegment());
    expect(eventsOf(path)).toMatchObject([{ kind: 'fact', live: false, fact: EXAMPLE_SHARE }]);
  });
});
