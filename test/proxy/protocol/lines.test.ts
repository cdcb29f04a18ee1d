/** Framing: any cut of the bytes gives the same lines, limits hold to the byte, and idle connections hold nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../../proxy/protocol/lines.ts';

function feed(chunks: readonly Uint8Array[], lineBytesMax: number): { lines: string[]; ok: boolean; splitter: LineSplitter } {
  const splitter = new LineSplitter(lineBytesMax);
  const lines: string[] = [];
  let ok = true;
  for (const chunk of chunks) ok = ok && splitter.push(chunk, (line) => lines.push(line));
  return { lines, ok, splitter };
}

describe('LineSplitter', () => {
  it('takes \\n and \\r\\n and skips empty lines', () => {
    const { lines, splitter } = feed([Buffer.from('a\r\n\n\r\nb\nc')], 100);
    expect(lines).toEqual(['a', 'b']);
    expect(splitter.pendingBytes).toBe(1);
  });

  it('leaves byte order marks out, however they are cut', () => {
    expect(feed([Buffer.from('\ufeff{}\n\ufeff\n')], 100).lines).toEqual(['{}']);
    expect(feed([...Buffer.from('\ufeff{}\r\n{}\n')].map((byte) => Uint8Array.of(byte)), 100).lines).toEqual(['{}', '{}']);
  });

  it('skips blank lines, and leaves out what stands around a message, also the zeros of C strings', () => {
    expect(feed([Buffer.from(' \n\t \r\n\0\n  {"a": 1}\t \n{}\n\0{}\r\n\0\0\n')], 100).lines).toEqual(['{"a": 1}', '{}', '{}']);
  });

  it('leaves binary protocols as they are, so that they are known for what they are', () => {
    expect(feed([Buffer.from('\x16\x03\x01\0\n\x03\0\0/\n')], 100).lines).toEqual(['\x16\x03\x01', '\x03\0\0/']);
  });

  it('gives the same lines however the bytes are cut, inside UTF-8 characters too', () => {
    const text = fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }).map((line) => line.replace(/[\r\n]/g, '').replace(/^[\0\t-\r ]+|[\0\t-\r ]+$/g, '')), { maxLength: 10 });
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), fc.constantFrom('\n', '\r\n'), (wanted, cuts, ending) => {
        const bytes = Buffer.from(wanted.map((line) => line + ending).join(''));
        const chunks: Uint8Array[] = [];
        for (let from = 0, cut = 0; from < bytes.length; cut++) {
          const length = cuts[cut % cuts.length] ?? 1;
          chunks.push(bytes.subarray(from, from + length));
          from += length;
        }
        const { lines, ok, splitter } = feed(chunks, 200);
        expect(lines).toEqual(wanted.filter((line) => line !== ''));
        expect(ok).toBe(true);
        expect(splitter.pendingBytes).toBe(0);
      }),
      { seed: 6 },
    );
  });

  it.each([1, 3, 10, 11, 12, 100])('takes a line of exactly the limit and none longer, in chunks of %i', (size) => {
    const cut = (text: string): Uint8Array[] =>
      Array.from({ length: Math.ceil(text.length / size) }, (_, at) => Buffer.from(text.slice(at * size, (at + 1) * size)));
    const full = 'x'.repeat(10);
    expect(feed(cut(`${full}\n${full}\r\n`), 10)).toMatchObject({ lines: [full, full], ok: true });
    expect(feed(cut(`ok\n${full}x\n`), 10)).toMatchObject({ lines: ['ok'], ok: false });
    expect(feed(cut(`${full}x\r\n`), 10)).toMatchObject({ lines: [], ok: false });
  });

  it('does not wait for the end of a line that is too long already', () => {
    expect(feed([Buffer.from('x'.repeat(12))], 10).ok).toBe(false);
    expect(feed([Buffer.from('x'.repeat(8)), Buffer.from('x'.repeat(8))], 10).ok).toBe(false);
  });

  it('does not keep the chunk a partial line came in', () => {
    const chunk = Buffer.from('whole\npart');
    const splitter = new LineSplitter(100);
    const lines: string[] = [];
    splitter.push(chunk, (line) => lines.push(line));
    chunk.fill(0x7a);
    splitter.push(Buffer.from('ial\n'), (line) => lines.push(line));
    expect(lines).toEqual(['whole', 'partial']);
    expect(splitter.pendingBytes).toBe(0);
  });

  it('takes a line of a megabyte in small pieces', () => {
    const size = 1 << 20;
    const piece = Buffer.alloc(1000, 0x61);
    const splitter = new LineSplitter(size);
    const lengths: number[] = [];
    for (let sent = 0; sent + 1000 <= size; sent += 1000) splitter.push(piece, () => undefined);
    splitter.push(Buffer.from('\n'), (line) => lengths.push(line.length));
    expect(lengths).toEqual([Math.floor(size / 1000) * 1000]);
  });
});
